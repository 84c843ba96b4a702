"""A practice's people and 60 days of what they measured, as one JSON file: a pure function of its seed and date.

Made by `python -m devices.virtual practice`, read by whoever seeds a demonstration or a benchmark. The file:

```
{"format": 1, "seed": 7, "until": "2026-11-22", "days": 60, "practice_time_zone": "America/New_York",
 "patients": [{
   "key": "p01",                                  what the rest of the file calls this person
   "given_name", "family_name", "birth_date": "1955-03-14", "phone": "+1-212-555-0101", "language": "en",
   "time_zone": "America/New_York", "conditions": ["hypertension"], "condition_icd10": "I10",
   "established_patient": true, "consented_at": UTC instant or null, "ordered_at", "ordered_by", "set_up_at",
   "program": "standard", "payer_profile": "medicare_ffs"}],
 "devices": [{
   "address": "C0:00:00:0A:00:01", "kind": "blood_pressure", "label": "cuff",                               a shared one says so; never a patient's name
   "model": "UA-651BLE", "manufacturer": "A&D", "serial": "0A0001", "firmware": "1.0", "system_id": hex,
   "virtual": "cuff",                             model (and "capture") in a scenario of `air`
   "home": "a",                                   the demonstration's home it stands in, or null
   "single_person": true,                         its absent or unknown user slot means that one person
   "owners": [{"patient": "p01", "user_slot": null}],   nobody: a device whose readings belong to nobody known
   "assigned_at": UTC instant}],
 "readings": [{                                   in the order they were taken, all before `until`
   "patient": "p01" or null, "device": address, "kind", "characteristic": "2A35", "user_slot",
   "measured_at": UTC instant, "received_at": UTC instant (later by hours where a gateway was unplugged),
   "device_time": "2026-09-23T07:21:09" by the device's clock, "clock_offset_s": true − shown, seconds,
   "sequence_number", "quantities": {"systolic": {"value": 138.0, "unit": "mm[Hg]"}}, a value null with "absent": why,
   "status": [], "context": {"meal": "fasting"}, "raw": hex, "raw_context": hex or null,
   "oddity": null or what is deliberately wrong with it}],
 "care_time": [{
   "patient": "p01", "staff": 0,                  0 or 1: the practice's first or second nurse
   "started_at": UTC instant, "seconds": 720, "interactive": true, "activity": "call" or "review"}]}
```

`until` is the first day that is *not* in the file: a demonstration of that day goes on where the history ends.
"""

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from typing import cast as cast_to
from zoneinfo import ZoneInfo

from devices.virtual import practice_cast as cast
from devices.virtual.captures import CAPTURES
from devices.virtual.make import Identity
from devices.virtual.practice_history import UNKNOWN_USER, Person, Taken
from devices.virtual.practice_time import care_time
from schemas.codes import Kind

FORMAT: Final = 1
DAYS_DEFAULT: Final = 60
PATIENTS_DEFAULT: Final = 12
PRACTICE_TIME_ZONE: Final = cast.NEW_YORK
ORDERED_BY: Final = "Dr. Josephine Fernhollow"
CONSENT_DAYS_BEFORE: Final = 9
ORDER_DAYS_BEFORE: Final = 8
SET_UP_DAYS_BEFORE: Final = 1
#: The captured frames' home: nobody owns these devices, so their readings are held for a person to decide.
CAPTURES_HOME: Final = "c"

_MAKES: Final = {
    Kind.BLOOD_PRESSURE: ("cuff", "A&D", "UA-651BLE"),
    Kind.BODY_WEIGHT: ("scale", "Transtek", "GBS-2104-B"),
    Kind.GLUCOSE: ("meter", "Roche", "929"),
}
_CAPTURE_KINDS: Final = {
    "blood_pressure": Kind.BLOOD_PRESSURE,
    "weight_scale": Kind.BODY_WEIGHT,
    "glucose": Kind.GLUCOSE,
}
_GROUPS: Final = {None: "0D", "a": "0A", "b": "0B", "c": "0C"}


@dataclass(frozen=True, slots=True)
class _Device:
    """A device and the members of the cast (by number) who use it; a slot each where there are several."""

    kind: Kind
    home: str | None
    owners: tuple[int, ...]
    identity: Identity
    virtual: str
    capture: str | None = None

    def slot(self, member: int) -> int | None:
        return self.owners.index(member) + 1 if len(self.owners) > 1 else None


def practice(*, seed: int, patients: int, days: int, until: date) -> dict[str, Any]:
    """The whole file as plain data. The same arguments give the same file, byte for byte."""
    roles = [cast.role(number) for number in range(patients)]
    devices = _devices(roles)
    first_day = until - timedelta(days=days)
    people = [_person(seed, number, role, devices, first_day, days) for number, role in enumerate(roles)]
    histories = [(number, taken) for number, person in enumerate(people) for taken in person.history()]
    histories.sort(key=lambda entry: (entry[1].measured_at, entry[0]))
    return {
        "format": FORMAT,
        "seed": seed,
        "until": until.isoformat(),
        "days": days,
        "practice_time_zone": PRACTICE_TIME_ZONE,
        "patients": [_patient(seed, number, person) for number, person in enumerate(people)],
        "devices": [_device(device, roles, first_day) for device in devices],
        "readings": [_reading(number, people[number], taken, devices) for number, taken in histories],
        "care_time": [
            {"patient": key_of(number), **row}
            for number, row in care_time(seed=seed, roles=roles, until=until, first_day=first_day)
        ],
    }


def to_json(data: dict[str, Any]) -> str:
    """The file's text: one line a patient, device, reading, stretch of time."""
    lines: list[str] = []
    for key, part in data.items():
        if isinstance(part, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in cast_to("list[Any]", part))
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(part)}")
    return "{" + ",\n".join(lines) + "}\n"


def key_of(number: int) -> str:
    """What the file calls the member of the cast with this number."""
    return f"p{number + 1:02}"


def _person(seed: int, number: int, role: cast.Role, devices: list[_Device], first_day: date, day_count: int) -> Person:
    scale = next((d for d in devices if d.kind is Kind.BODY_WEIGHT and number in d.owners), None)
    slot = None if scale is None else scale.slot(number)
    return Person(role, first_day, day_count, slot, random.Random(f"{seed}/history/{number}"))


def _devices(roles: list[cast.Role]) -> list[_Device]:
    """Every device of the cast, then the ones that replay captured frames, which belong to nobody."""
    devices: list[_Device] = []
    for number, role in enumerate(roles):
        shared = role.shares_scale_with is not None
        sharers = [n for n, other in enumerate(roles) if other.shares_scale_with == number]
        wanted: list[tuple[Kind, tuple[int, ...]]] = []
        if role.pressure is not None:
            wanted.append((Kind.BLOOD_PRESSURE, (number,)))
        if role.weight is not None and not shared:
            wanted.append((Kind.BODY_WEIGHT, (number, *sharers)))
        if role.glucose is not None:
            wanted.append((Kind.GLUCOSE, (number,)))
        for kind, owners in wanted:
            virtual, manufacturer, model = _MAKES[kind]
            devices.append(
                _Device(kind, role.home, owners, _identity(len(devices), role.home, manufacturer, model), virtual)
            )
    for name, capture in CAPTURES.items():
        address = _address(len(devices), CAPTURES_HOME)
        kind = _CAPTURE_KINDS[capture.vectors]
        devices.append(_Device(kind, CAPTURES_HOME, (), capture.identity(address), "captures", name))
    return devices


def _address(number: int, home: str | None) -> str:
    """A random static address that tells its home to whoever reads it."""
    return f"C0:00:00:{_GROUPS[home]}:{number >> 8:02X}:{number & 0xFF:02X}"


def _identity(number: int, home: str | None, manufacturer: str, model: str) -> Identity:
    address = _address(number, home)
    serial = address.replace(":", "")[-6:]
    return Identity(address=address, name=f"{model}_{serial}", manufacturer=manufacturer, model=model, serial=serial)


def _patient(seed: int, number: int, person: Person) -> dict[str, Any]:
    role = person.role
    draw = random.Random(f"{seed}/person/{number}")
    begins = person.first_day + timedelta(days=role.starts_after)
    main = role.conditions[0]
    return {
        "key": key_of(number),
        "given_name": role.given_name,
        "family_name": role.family_name,
        "birth_date": date(role.birth_year, draw.randint(1, 12), draw.randint(1, 28)).isoformat(),
        "phone": f"+1-212-555-{100 + number % 100:04}",
        "language": "en",
        "time_zone": role.time_zone,
        "conditions": list(role.conditions),
        "condition_icd10": cast.ICD10[main],
        "established_patient": True,
        "consented_at": _office_hour(begins, CONSENT_DAYS_BEFORE) if role.consented else None,
        "ordered_at": _office_hour(begins, ORDER_DAYS_BEFORE),
        "ordered_by": ORDERED_BY,
        "set_up_at": _office_hour(begins, SET_UP_DAYS_BEFORE),
        "program": "standard",
        "payer_profile": "medicare_ffs",
    }


def _device(device: _Device, roles: list[cast.Role], first_day: date) -> dict[str, Any]:
    identity = device.identity
    begins = min((roles[number].starts_after for number in device.owners), default=0)
    assigned = _office_hour(first_day + timedelta(days=begins), SET_UP_DAYS_BEFORE)
    row = {
        "address": identity.address,
        "kind": device.kind.value,
        "label": _label(device),
        "model": identity.model,
        "manufacturer": identity.manufacturer,
        "serial": identity.serial,
        "firmware": identity.firmware,
        "system_id": identity.system_id.hex(),
        "virtual": device.virtual,
        "home": device.home,
        "single_person": len(device.owners) <= 1,
        "owners": [{"patient": key_of(number), "user_slot": device.slot(number)} for number in device.owners],
        "assigned_at": assigned,
    }
    return row if device.capture is None else {**row, "capture": device.capture}


def _label(device: _Device) -> str:
    """What a nurse calls it: never by a patient's name."""
    if device.capture is not None:
        return f"replayed {device.capture.replace('_', ' ')}"
    return f"shared {device.virtual}" if len(device.owners) > 1 else device.virtual


def _reading(number: int, person: Person, taken: Taken, devices: list[_Device]) -> dict[str, Any]:
    measured = taken.measurement
    device = next(d for d in devices if d.kind == measured.kind and number in d.owners)
    shown = measured.device_time
    return {
        "patient": None if measured.user_slot == UNKNOWN_USER else key_of(number),
        "device": device.identity.address,
        "kind": measured.kind.value,
        "characteristic": taken.characteristic,
        "user_slot": measured.user_slot,
        "measured_at": taken.measured_at.isoformat(),
        "received_at": taken.received_at.isoformat(),
        "device_time": shown,
        "clock_offset_s": -person.role.clock_error_s,
        "sequence_number": measured.sequence_number,
        "quantities": {
            name: quantity.model_dump(mode="json", exclude_none=quantity.value is not None)
            for name, quantity in measured.quantities.items()
        },
        "status": list(measured.status),
        "context": measured.context,
        "raw": taken.raw.hex(),
        "raw_context": None if taken.raw_context is None else taken.raw_context.hex(),
        "oddity": taken.oddity,
    }


def _office_hour(day: date, days_before: int) -> str:
    """Ten o'clock at the practice, some days before."""
    local = datetime.combine(day - timedelta(days=days_before), time(10), ZoneInfo(PRACTICE_TIME_ZONE))
    return local.astimezone(UTC).isoformat()
