"""The oracle: what the devices know to be delivered, against what the database holds.

It shares no code with the pipeline: it reads the devices' ledger files and the tables, and its own few lines below say what
the numbers of codes and units mean. Whatever it cannot account for is a fault; a run without a kill or without a reading is
no proof, and fails.

One loss is counted apart. A cuff or scale forgets a reading once its indication is confirmed, and the radio stack confirms
before it hands the frame to the gateway (as BlueZ does): kill -9 in between loses that one frame. So a record of theirs that
is nowhere is "in flight" only if its own gateway was killed in that very moment, one record per device and kill; any other is lost.
A meter's records can be asked for again, so none of them may be lost.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

CODES = {1: "systolic", 2: "diastolic", 3: "mean_arterial", 4: "pulse_rate", 5: "body_weight", 8: "glucose"}
UNITS = {1: "mm[Hg]", 2: "kPa", 3: "/min", 4: "kg", 5: "[lb_av]", 9: "mg/dL", 10: "mmol/L"}
#: A meter's record: asked for by number, so a killed gateway asks again.
RACP = "2A18"
#: How far a stored time may lie from the true one: devices tell whole seconds, and offsets are whole seconds too.
TIME_TOLERANCE_S = 3.0
#: Between a confirmation and the frame on disk lie milliseconds; on a busy machine, part of a second.
IN_FLIGHT_S = 1.0
#: The oracle's own idea of red (mmHg, mg/dL), from the published defaults.
RED = {"systolic": (None, 180.0), "diastolic": (None, 120.0), "glucose": (54.0, None)}

#: (address, user slot or None) → the patient it truly belongs to.
Owners = Mapping[tuple[str, int | None], int]


@dataclass(frozen=True, slots=True)
class Record:
    """One ledger line: a record its device knows to be delivered."""

    address: str
    number: int
    characteristic: str
    raw: str
    user_slot: int | None
    values: dict[str, float]
    units: dict[str, str]
    taken_at: datetime
    confirmed_at: datetime

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from every other record, in facts both sides know: the bytes hold its time and number."""
        return (self.address, self.raw)


def read_ledger(folder: Path) -> list[Record]:
    """Every record confirmed, once each (a record confirmed twice is one record)."""
    records: dict[tuple[str, int], Record] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        for text in path.read_text("utf-8").splitlines():
            line = json.loads(text)
            records[(line["address"], line["number"])] = Record(
                address=line["address"],
                number=line["number"],
                characteristic=line["characteristic"],
                raw=line["raw"],
                user_slot=line["user_slot"],
                values={name: quantity["value"] for name, quantity in line["values"].items()},
                units={name: quantity["unit"] for name, quantity in line["values"].items()},
                taken_at=datetime.fromisoformat(line["taken_at"]),
                confirmed_at=datetime.fromisoformat(line["confirmed_at"]),
            )
    return list(records.values())


@dataclass(frozen=True, slots=True)
class GatewayKill:
    """When a gateway was killed, and the devices of its home."""

    at: datetime
    addresses: frozenset[str]


@dataclass
class Verdict:
    """What the oracle found. `sound` is the only answer; the rest says why not."""

    records: int = 0
    kills: Counter[str] = field(default_factory=Counter[str])
    lost: list[str] = field(default_factory=list[str])
    #: Confirmed to a cuff or scale, but the gateway was killed before it was told.
    in_flight: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    invented: list[str] = field(default_factory=list[str])
    misattributed: list[str] = field(default_factory=list[str])
    misread: list[str] = field(default_factory=list[str])
    misdated: list[str] = field(default_factory=list[str])
    alerts: list[str] = field(default_factory=list[str])

    def faults(self) -> dict[str, list[str]]:
        """Every kind of fault that was found, by name."""
        found = {
            "lost": self.lost,
            "doubled": self.doubled,
            "invented": self.invented,
            "misattributed": self.misattributed,
            "misread": self.misread,
            "misdated": self.misdated,
            "alerts": self.alerts,
        }
        if not self.records:
            found["no proof"] = ["no device delivered anything"]
        if not self.kills or not all(self.kills.values()):
            found["no proof"] = [f"something was never killed: {dict(self.kills)}"]
        return {name: faults for name, faults in found.items() if faults}

    @property
    def sound(self) -> bool:
        """Nothing lost, doubled, invented, misfiled, misread or misdated, in a run that could have done so."""
        return not self.faults()


_READINGS = """
select d.address, encode(r.raw, 'hex') as raw, r.patient_id, r.measured_at, r.reading_no, coalesce(json_agg(json_build_array(o.code, o.value, o.unit)) filter (where o.code is not null), '[]') as held
from reading r
join device d on d.id = r.device_id
left join observation o on o.reading_no = r.reading_no and o.measured_at = r.measured_at
group by d.address, r.raw, r.patient_id, r.measured_at, r.reading_no
"""
_URGENT = "select patient_id, rule_id, count(*) as alerts from alert where severity = 3 group by patient_id, rule_id"


def judge(
    ledger: Path,
    dsn: str,
    *,
    owners: Owners,
    kills: Mapping[str, int],
    gateway_kills: Sequence[GatewayKill],
) -> Verdict:
    """Compare. `kills` counts the kill -9s of each part; `gateway_kills` tells which devices a gateway's kill met."""
    truth = read_ledger(ledger)
    with psycopg.connect(dsn) as connection, connection.cursor(row_factory=dict_row) as cursor:
        readings = cursor.execute(_READINGS).fetchall()
        urgent = cursor.execute(_URGENT).fetchall()
    verdict = Verdict(records=len(truth), kills=Counter(kills))
    unused = {(kill.at, address) for kill in gateway_kills for address in kill.addresses}
    stored: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in readings:
        stored.setdefault((row["address"], row["raw"]), []).append(row)
    expected = Counter(record.name for record in truth)
    for record in truth:
        rows = stored.get(record.name, [])
        label = f"{record.address} #{record.number}"
        if not rows:
            (verdict.in_flight if _met_a_kill(record, unused) else verdict.lost).append(label)
            continue
        if len(rows) > expected[record.name]:
            verdict.doubled.append(label)
        _compare(record, rows[0], owners, verdict, label)
    verdict.invented = [f"{key[0]} {key[1]}" for key in stored if key not in expected]
    verdict.alerts = _alert_faults(truth, owners, urgent)
    return verdict


def _met_a_kill(record: Record, unused: set[tuple[datetime, str]]) -> bool:
    """Whether a cuff's or scale's record met a kill of its gateway that no other record of the device has met."""
    if record.characteristic == RACP:
        return False
    for at, address in sorted(unused):
        if address == record.address and abs((at - record.confirmed_at).total_seconds()) <= IN_FLIGHT_S:
            unused.remove((at, address))
            return True
    return False


def _compare(record: Record, row: dict[str, Any], owners: Owners, verdict: Verdict, label: str) -> None:
    if row["patient_id"] != owners.get((record.address, record.user_slot)):
        verdict.misattributed.append(f"{label} went to patient {row['patient_id']}")
    if abs((row["measured_at"] - record.taken_at).total_seconds()) > TIME_TOLERANCE_S:
        verdict.misdated.append(f"{label}: {row['measured_at']} for {record.taken_at}")
    held = {CODES[code]: (value, UNITS[unit]) for code, value, unit in row["held"] if code in CODES}
    for name, value in record.values.items():
        if name in CODES.values() and held.get(name) != (value, record.units[name]):
            verdict.misread.append(f"{label}: {name}")


def _alert_faults(truth: list[Record], owners: Owners, urgent: list[dict[str, Any]]) -> list[str]:
    """Whoever truly had a red value has exactly one urgent alert for each rule that saw it; whoever had none has none."""
    red = {
        owners[(record.address, record.user_slot)]
        for record in truth
        for name, (low, high) in RED.items()
        if (value := record.values.get(name)) is not None
        and ((low is not None and value < low) or (high is not None and value > high))
    }
    alerted = {row["patient_id"] for row in urgent}
    faults = [f"patient {patient} had a red value and no urgent alert" for patient in sorted(red - alerted)]
    faults += [f"patient {patient} had no red value and an urgent alert" for patient in sorted(alerted - red)]
    faults += [
        f"patient {row['patient_id']}: {row['alerts']} alerts of {row['rule_id']}"
        for row in urgent
        if row["alerts"] > 1
    ]
    return faults
