"""What the judge reads: patients with news, their window of observations as numpy columns, held items to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from alerts.limits import PatientLimit
from alerts.series import MEALS, Series, microseconds
from rpm.ingest.admit import Quality
from rpm.ingest.checks import DISTURBING_STATUS
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.codes import BY_NAME

_SQL = load("series")

_GLUCOSE: Final = BY_NAME["glucose"].number
#: PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH_US: Final = microseconds(datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A held item as it came (JSON), or None where it is not JSON. `open`: nobody has decided on it yet."""

    held_id: int
    practice_id: int
    patient_id: int | None
    open: bool
    item: object


def claim_news(connection: Connection, *, limit: int) -> dict[int, int]:
    """Patient → practice of at most `limit` patients with news. Clearing it and judging them is one transaction."""
    rows = connection.execute(_SQL["claim_news"], {"limit": limit}).fetchall()
    return {row["patient_id"]: row["practice_id"] for row in rows}


def window(
    connection: Connection, *, patients: Sequence[int], codes: Sequence[int], since: datetime, until: datetime
) -> Series:
    """Everything measured of `patients` under `codes` within (since, until], voided values left out."""
    parameters = {"patients": list(patients), "codes": list(codes), "since": since, "until": until}
    # Whole columns in one row: fetched value by value, they cost as much as judging them.
    row = connection.execute(_SQL["window"], parameters, binary=True).fetchone()
    assert row is not None

    def column(name: str, sort: str) -> NDArray[Any]:
        """Numbers in network byte order; no bytes at all where nothing was measured."""
        return np.frombuffer(row[name] or b"", sort)

    number, code, quality = column("reading_no", ">i8"), column("code", ">i2"), column("quality", ">i2")
    asked = (code == _GLUCOSE) | (quality & int(Quality.FLAGGED) != 0)
    meal, disturbed = _said(connection, number, np.unique(number[asked]), since=since, until=until)
    return Series.of(
        patient=column("patient", ">i8"),
        measured_at_us=column("measured_at", ">i8").astype(np.int64) + _POSTGRES_EPOCH_US,
        reading_no=number,
        code=code,
        unit=column("unit", ">i2"),
        value=column("value", ">f8"),
        doubted=quality & int(Quality.CLOCK_DOUBTED) != 0,
        disturbed=disturbed,
        meal=meal,
    )


def _said(
    connection: Connection, number: NDArray[Any], asked: NDArray[Any], *, since: datetime, until: datetime
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Beside each row of a window, its meal and whether its device doubts it; looked up for the readings of `asked`."""
    meal, disturbed = np.zeros(len(number), np.int8), np.zeros(len(number), np.bool_)
    if not len(asked):
        return meal, disturbed
    parameters = {"numbers": asked.tolist(), "disturbing": list(DISTURBING_STATUS), "since": since, "until": until}
    rows = sorted(
        (row["reading_no"], MEALS.index(row["meal"]) if row["meal"] in MEALS else 0, row["disturbed"])
        for row in connection.execute(_SQL["said"], parameters)
    )
    if rows:
        known = np.array([row[0] for row in rows], np.int64)
        place = np.minimum(np.searchsorted(known, number), len(known) - 1)
        has = known[place] == number
        meal[has] = np.array([row[1] for row in rows], np.int8)[place[has]]
        disturbed[has] = np.array([row[2] for row in rows], np.bool_)[place[has]]
    return meal, disturbed


@dataclass(frozen=True, slots=True)
class Group:
    """Whose limits hold for a patient: those of a care programme and of a practice, by name."""

    program: str
    practice: str


def groups(connection: Connection, patients: Sequence[int]) -> dict[int, Group]:
    """Patient → programme and practice."""
    rows = connection.execute(_SQL["groups"], {"patients": list(patients)}).fetchall()
    return {row["id"]: Group(row["program"], row["practice"]) for row in rows}


def own_limits(connection: Connection, patients: Sequence[int]) -> list[PatientLimit]:
    """The patients' own limits."""
    rows = connection.execute(_SQL["own_limits"], {"patients": list(patients)}).fetchall()
    return [
        PatientLimit(
            row["patient_id"],
            row["rule_id"],
            row["band"],
            row["quantity"],
            row["unit"],
            row["value"],
            row["approved_by"],
            row["approved_at"],
        )
        for row in rows
    ]


def reading_ids(connection: Connection, numbers: Sequence[int], *, since: datetime, until: datetime) -> dict[int, UUID]:
    """Reading number → the name it bears outside."""
    parameters = {"numbers": list(numbers), "since": since, "until": until}
    return {row["reading_no"]: row["reading_id"] for row in connection.execute(_SQL["reading_ids"], parameters)}


def claim_held(connection: Connection, *, limit: int) -> list[HeldItem]:
    """At most `limit` held items nobody has judged, locked until this transaction ends."""
    rows = connection.execute(_SQL["claim_held"], {"limit": limit}).fetchall()
    return [_held(row) for row in rows]


def _held(row: dict[str, Any]) -> HeldItem:
    return HeldItem(row["id"], row["practice_id"], row["patient_id"], row["state"] == "held", row["item"])


def mark_judged(connection: Connection, held_ids: Sequence[int], *, now: datetime) -> None:
    """These held items were looked at."""
    connection.execute(_SQL["mark_judged"], {"ids": list(held_ids), "now": now})
