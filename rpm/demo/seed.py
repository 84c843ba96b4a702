"""A practice with 60 days behind it, from a cohort file (`python -m devices.virtual practice`; its format stands there).

The history takes the real path: every hour's readings are wrapped as a gateway would, settled and judged at that hour's own
time. So what the pages show of the past is what the product itself would have made of it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pwdlib import PasswordHash

from rpm.demo.history import Past
from rpm.errors import UserError
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import contacts, seed, staff
from rpm.store.database import Connection, Database
from schemas import messages
from schemas.ids import derive_reading_id
from schemas.messages import Channel, ReadingBatch, ReadingItem
from schemas.reading import DeviceIdentity, Reading, TimeSource

PRACTICE: Final = "Maple Street Clinic"
PASSWORD: Final = "maple-street-2026"  # noqa: S105 - printed on the demo's own screen
#: (username, name shown, role)
STAFF: Final = (
    ("rosa", "Rosa N.", "nurse"),
    ("james", "James O.", "nurse"),
    ("bella", "Bella K.", "biller"),
    ("sam", "Sam T.", "support"),
    ("ada", "Ada M.", "admin"),
)
#: The history's outbox: no living gateway has this epoch.
EPOCH: Final = "00000000005eed00"
FORMAT: Final = 1
#: A reading reached the gateway this long before or after the history says it was backfill.
BACKFILL_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was written: how much, and the devices of each home."""

    practice_id: int
    patients: int
    readings: int
    held: int
    #: home → its devices as the cohort has them
    homes: dict[str, list[dict[str, Any]]]


def gateway_of_home(home: str | None) -> str:
    """The gateway of a home; devices of no home send through one that has no process in the demo."""
    return f"gw-home-{home or 'elsewhere'}"


def read_cohort(path: Path) -> dict[str, Any]:
    """The cohort in a file; UserError where it is not one this program knows."""
    cohort: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if cohort.get("format") != FORMAT:
        raise UserError(f"{path} is not a cohort of format {FORMAT}")
    return cohort


def seed_practice(
    database: Database, cohort: dict[str, Any], *, now: datetime, progress: Callable[[float], None]
) -> Seeded:
    """Write everything; `progress` is told the share of the history that is done, 0 to 1."""
    with database.transaction() as connection:
        zone = cohort["practice_time_zone"]
        practice_id = seed.add(connection, "practice", {"name": PRACTICE, "time_zone": zone, "now": now})
        hashed = PasswordHash.recommended().hash(PASSWORD)
        nurses = [
            number
            for username, shown, role in STAFF
            if (number := _enter_person(connection, practice_id, username, shown, role, hashed, now))
            and role == "nurse"
        ]
        patients = {each["key"]: _enter_patient(connection, practice_id, each) for each in cohort["patients"]}
        homes = sorted({device["home"] for device in cohort["devices"]}, key=str)
        gateways = [
            {
                "id": gateway_of_home(home),
                "practice_id": practice_id,
                "label": f"Home {home or 'elsewhere'}",
                "now": now,
            }
            for home in homes
        ]
        seed.put(connection, "gateway", gateways)
        for device in cohort["devices"]:
            _enter_device(connection, practice_id, device, patients)
        seed.put(connection, "time_entry", [_time(practice_id, patients, nurses, row) for row in cohort["care_time"]])
    held = _history(database, cohort, practice_id, nurses[0], progress)
    by_home = {
        home: [device for device in cohort["devices"] if device["home"] == home] for home in homes if home is not None
    }
    return Seeded(practice_id, len(patients), len(cohort["readings"]), held, by_home)


def _enter_person(
    connection: Connection, practice_id: int, username: str, shown: str, role: str, hashed: str, now: datetime
) -> int:
    number = staff.add(
        connection,
        practice_id=practice_id,
        username=username,
        display_name=shown,
        role=role,
        email=f"{username}@maple-street.example",
        password_hash=hashed,
        now=now,
    )
    if number is None:
        raise UserError(f"there is somebody called {username} already: give the demo an empty database")
    for contact in contacts.of_staff(connection, number):
        contacts.verify(connection, contact.id, now=now)
    return number


def _enter_patient(connection: Connection, practice_id: int, each: dict[str, Any]) -> int:
    began = each["set_up_at"]
    patient_id = seed.add(connection, "patient", {**each, "practice_id": practice_id, "now": began})
    facts = {**each, "practice_id": practice_id, "patient_id": patient_id, "started_at": began}
    seed.put(connection, "enrolment", [facts])
    return patient_id


def _enter_device(connection: Connection, practice_id: int, device: dict[str, Any], patients: dict[str, int]) -> None:
    facts = {**device, "practice_id": practice_id, "now": device["assigned_at"]}
    device_id = seed.add(connection, "device", facts)
    owners = [
        {
            "practice_id": practice_id,
            "device_id": device_id,
            "user_slot": owner["user_slot"],
            "patient_id": patients[owner["patient"]],
            "start": device["assigned_at"],
        }
        for owner in device["owners"]
    ]
    seed.put(connection, "assignment", owners)


def _time(practice_id: int, patients: dict[str, int], nurses: list[int], row: dict[str, Any]) -> dict[str, Any]:
    started = datetime.fromisoformat(row["started_at"])
    return {
        "practice_id": practice_id,
        "patient_id": patients[row["patient"]],
        "staff_id": nurses[row["staff"]],
        "started_at": started,
        "ended_at": started + timedelta(seconds=row["seconds"]),
        "activity": row["activity"],
        "interactive": row["interactive"],
        "note": "",
    }


def _history(
    database: Database,
    cohort: dict[str, Any],
    practice_id: int,
    nurse_id: int,
    progress: Callable[[float], None],
) -> int:
    """Settle and judge the readings hour by hour, so that none is judged late; how many are held at the end."""
    devices = {device["address"]: device for device in cohort["devices"]}
    rows = sorted(cohort["readings"], key=lambda row: row["received_at"])
    hours = [(hour, list(group)) for hour, group in groupby(rows, key=lambda row: row["received_at"][:13])]
    past = Past.of(practice_id, nurse_id)
    seq = held = 0
    for number, (hour, group) in enumerate(hours, start=1):
        end = _end_of(hour)
        sent: dict[str, list[ReadingItem]] = {}
        for row in group:
            seq += 1
            device = devices[row["device"]]
            item = ReadingItem(seq=seq, reading=_reading(row, device))
            sent.setdefault(gateway_of_home(device["home"]), []).append(item)
        outcomes = settle(database, list(_wrapped(sent)), now=end)
        held += sum(outcome.outcome in {"quarantined", "unassigned"} for outcome in outcomes)
        past.judge(database, now=end)
        progress(number / len(hours))
    past.end(database, now=_end_of(hours[-1][0]))
    return held


def _end_of(hour: str) -> datetime:
    """The end of an hour written as `2026-11-22T08`."""
    return datetime.fromisoformat(f"{hour}:00:00").replace(tzinfo=UTC) + timedelta(hours=1)


def _wrapped(sent: dict[str, list[ReadingItem]]) -> Iterable[Message]:
    for gateway_id, items in sent.items():
        batch = ReadingBatch(gateway_id=gateway_id, epoch=EPOCH, items=tuple(items))
        yield Message(messages.topic(gateway_id, Channel.READINGS), batch.model_dump_json().encode())


def _reading(row: dict[str, Any], device: dict[str, Any]) -> Reading:
    received = datetime.fromisoformat(row["received_at"])
    measured = datetime.fromisoformat(row["measured_at"])
    name: UUID = derive_reading_id(
        address=device["address"],
        user_slot=row["user_slot"],
        characteristic=row["characteristic"],
        device_time=row["device_time"],
        sequence_number=row["sequence_number"],
        raw=row["raw"],
        received_at=received,
    )
    return Reading(
        reading_id=name,
        device=DeviceIdentity.model_validate(device),
        kind=row["kind"],
        characteristic=row["characteristic"],
        user_slot=row["user_slot"],
        quantities=row["quantities"],
        status=tuple(row["status"]),
        context=row["context"],
        measured_at=measured,
        device_time=row["device_time"],
        time_source=TimeSource.DEVICE_CORRECTED,
        clock_offset_s=row["clock_offset_s"],
        sequence_number=row["sequence_number"],
        received_at=received,
        backfill=received - measured > BACKFILL_AFTER,
        raw=row["raw"],
        raw_context=row["raw_context"],
    )
