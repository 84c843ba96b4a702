"""What billing reads: one set of queries per practice and month, however many patients it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from rpm.billing.case import Away, DataDay, TimeEntry
from rpm.billing.episode import Episode, LoggedTime, MonthRecords, Practice, ServiceMonth
from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("billing")

#: The role whose time is clinical staff's.
CLINICAL_ROLES: Final = frozenset({"nurse"})
#: An evidence page shows no more readings than this: three months of one every half hour.
READINGS_MAX: Final = 5_000
#: Where an episode has no end.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BilledReading:
    """A reading as evidence: when it was measured and admitted, by which device, and what keeps it from counting."""

    reading_id: UUID
    measured_at: datetime
    admitted_at: datetime
    kind: str
    time_source: str
    late: bool
    automatic: bool
    voided: bool
    test: bool
    released: bool
    device: str | None
    model: str | None
    serial: str | None

    def __repr__(self) -> str:
        """A reading in a log line is its name and kind."""
        return f"BilledReading({self.reading_id}, {self.kind})"


def practice(connection: Connection, practice_id: int) -> Practice | None:
    """One practice; None where there is none of that number."""
    row = connection.execute(_SQL["practice"], {"practice_id": practice_id}).fetchone()
    return None if row is None else _practice(row)


def practices(connection: Connection) -> list[Practice]:
    """Every practice that can bill."""
    return [_practice(row) for row in connection.execute(_SQL["practices"]).fetchall()]


def _practice(row: Mapping[str, Any]) -> Practice:
    return Practice(row["id"], row["name"], row["time_zone"])


def month_records(
    connection: Connection,
    of: Practice,
    month: ServiceMonth,
    *,
    now: datetime,
    public_id: UUID | None = None,
) -> MonthRecords:
    """What a month's report is made of, for one practice, or for one of its patients.

    Time is read from the month before on, and for other patients too, to see minutes logged for two patients at once.
    """
    zone = of.time_zone
    rows = connection.execute(
        _SQL["episodes"],
        {
            "practice_id": of.practice_id,
            "public_id": public_id,
            "since": month.before.before.begins(zone),
            "until": month.ends(zone),
            "now": now,
        },
    ).fetchall()
    episodes = tuple(Episode(**row) for row in rows)
    entries = connection.execute(
        _SQL["entries"],
        {
            "practice_id": of.practice_id,
            "public_id": public_id,
            "since": month.before.begins(zone),
            "until": month.ends(zone),
            "now": now,
        },
    ).fetchall()
    return MonthRecords(
        practice=of,
        month=month,
        now=now,
        episodes=episodes,
        days=_days(connection, of, episodes, now=now),
        time=tuple(_logged(row) for row in entries),
        away=_away(connection, of, episodes, now=now),
    )


def _days(
    connection: Connection, of: Practice, episodes: tuple[Episode, ...], *, now: datetime
) -> dict[int, tuple[DataDay, ...]]:
    spans = [(one, begins) for one in episodes if (begins := one.begins(of.time_zone)) is not None]
    if not spans:
        return {}
    rows = connection.execute(
        _SQL["data_days"],
        {
            "practice_id": of.practice_id,
            "zone": of.time_zone,
            "now": now,
            "since": min(begins for _, begins in spans),
            "episode_ids": [one.episode_id for one, _ in spans],
            "patient_ids": [one.patient_id for one, _ in spans],
            "sinces": [begins for _, begins in spans],
            "untils": [one.ended_at or NEVER for one, _ in spans],
        },
    ).fetchall()
    return {
        row["episode_id"]: tuple(
            DataDay(day, admitted) for day, admitted in zip(row["days"], row["admitted"], strict=True)
        )
        for row in rows
    }


def _away(
    connection: Connection, of: Practice, episodes: tuple[Episode, ...], *, now: datetime
) -> dict[int, tuple[Away, ...]]:
    asked = {
        "practice_id": of.practice_id,
        "patients": sorted({one.patient_id for one in episodes}),
        "now": now,
    }
    found: dict[int, tuple[Away, ...]] = {}
    for row in connection.execute(_SQL["away"], asked).fetchall():
        away = Away(row["reason"], row["begins_at"], row["ends_at"])
        found[row["patient_id"]] = (*found.get(row["patient_id"], ()), away)
    return found


def _logged(row: Mapping[str, Any]) -> LoggedTime:
    entry = TimeEntry(
        entry_id=str(row["id"]),
        staff_id=str(row["staff_id"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        service=row["service"],
        interactive=row["interactive"],
        activity=row["activity"],
        clinical_staff=row["role"] in CLINICAL_ROLES,
        entered_at=row["created_at"],
    )
    return LoggedTime(row["patient_id"], row["display_name"], entry, row["manual"], row["note"])


def readings(
    connection: Connection, *, practice_id: int, patient_id: int, since: datetime, until: datetime, now: datetime
) -> list[BilledReading]:
    """One patient's readings measured in [since, until), the first READINGS_MAX of them, in order of time."""
    rows = connection.execute(
        _SQL["readings"],
        {
            "practice_id": practice_id,
            "patient_id": patient_id,
            "since": since,
            "until": until,
            "now": now,
            "limit": READINGS_MAX,
        },
    ).fetchall()
    return [BilledReading(**row) for row in rows]
