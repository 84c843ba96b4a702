"""People with physiology good enough to judge alert rules by, and the truth about them: a pure function of a seed.

Made by `python -m devices.virtual cohort`, judged by `rpm-cloud rules run` and `rpm-cloud rules score`. A folder of four files:

```
cohort.json       {"format": 1, "seed": 7, "patients": 120, "days": 90, "begin": "2026-02-02", "often": 1.0}
patients.csv      patient, time_zone, birth_date, programme, monitored_since, every_h, dry_weight_kg
observations.csv  patient, reading, measured_at, received_at, quantity, value, unit, meal, status, note
truth.jsonl       {"patient": "c001", "kind": "decompensation", "onset": …, "peak": …, "end": …,
                   "shows_in": {"body_weight": "up"}, "amount": 3.1, "unit": "kg", "readings": 14}
```

One row of observations is one value with its UCUM unit as the device showed it; rows of one reading share its number. Instants
are UTC. `status`: what the device says of the measurement (`cuff_loose`, `body_moved`, …), words parted by blanks. `note`: what is
deliberately wrong with a reading, for whoever reads the file; no rule sees it. `readings`: how many of the quantities that an
episode shows in were taken within it; 0: nobody could have known.

| Module | What |
|---|---|
| `people` | who they are: programme, zone, units, devices, usual values, how faithful |
| `episodes` | what happens to them, how often, how much and how long: the truth |
| `body` | the underlying signals, without and with what happens |
| `measuring` | when they measure, what is missed, what the device shows, what goes wrong |
| `files` | the four files |
"""
