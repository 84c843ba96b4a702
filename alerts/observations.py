"""Observations and patients from CSV text: what judging needs, without a database. A fault names its row and column.

Observations, a row per value; columns in any order:

    patient      whose: any text of up to 40 characters
    measured_at  when: an instant with its offset (2026-03-08T07:21:09-05:00 or …Z)
    quantity     systolic, diastolic, pulse_rate, body_weight, glucose, oxygen_saturation, body_temperature
    value        a number, in
    unit         the unit (UCUM) the device used: mm[Hg] kPa /min kg [lb_av] mg/dL mmol/L % Cel [degF]
    reading      optional: names the reading; its rows belong together. Left out or empty: one patient's rows of one instant
    received_at  optional: when it came; rows that come after --now are not there yet. Empty: when it was measured
    meal         optional: fasting, preprandial, postprandial, casual or bedtime
    status       optional: words of the device, parted by blanks; some disturb, as body_moved, cuff_loose, position_improper
    note         optional: never read

Patients, a row per patient, all but the first optional; of whom nothing is known, an adult in UTC:

    patient, time_zone (as in Europe/Berlin), birth_date, pregnant_from, delivered_on (2026-03-08), dry_weight_kg,
    monitored_since (an instant), every_h (hours from one reading to the next), programme (any word)
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np

from alerts.facts import Facts, PatientFacts
from alerts.series import MEALS, Ints, Series, microseconds
from schemas.codes import BY_NAME, UNIT_NUMBER

#: More would be a database's work.
ROWS_MAX: Final = 5_000_000
KEY_MAX: Final = 40
_REQUIRED: Final = ("patient", "measured_at", "quantity", "value", "unit")
_OPTIONAL: Final = ("reading", "received_at", "meal", "status", "note")
_PATIENT_OPTIONAL: Final = (
    "time_zone", "birth_date", "pregnant_from", "delivered_on", "dry_weight_kg", "monitored_since", "every_h", "programme",
)  # fmt: skip


class ObservationsError(ValueError):
    """A file that cannot be used; its text is one line that names the file, the row (the header is 1) and the column."""

    def __init__(self, name: str, row: int, column: str, text: str) -> None:
        super().__init__(f"{name}: row {row}, column {column}: {text}" if column else f"{name}: row {row}: {text}")


@dataclass(frozen=True, slots=True)
class Observations:
    """Columns, and the names behind their numbers: patient n is `patients[n]`, reading n is `readings[n]`; 0 is nobody's.

    `received_us` holds per reading when it came.
    """

    series: Series
    patients: tuple[str, ...]
    readings: tuple[str, ...]
    received_us: Ints

    @classmethod
    def of_series(cls, series: Series) -> Self:
        """A series that is there already, as if each reading had come when it was measured. Nobody has a name."""
        numbers, first, reading = np.unique(series.reading_no, return_index=True, return_inverse=True)
        received = np.concatenate([np.zeros(1, np.int64), series.measured_at_us[first]])
        renumbered = replace(series, reading_no=reading.astype(np.int64) + 1)
        return cls(renumbered, (), ("", *map(str, numbers)), received)

    def take(self, rows: Ints) -> Self:
        """The rows of these indices, under the same names."""
        return type(self)(self.series.take(rows), self.patients, self.readings, self.received_us)

    def come_by(self, now: datetime) -> Self:
        """What had come by then."""
        return self.take(np.flatnonzero(self.received_us[self.series.reading_no] <= microseconds(now)))


def read_observations(path: Path, *, disturbing: frozenset[str]) -> Observations:
    """The file's observations; `disturbing` are words of a device that doubts its own value. ObservationsError where one cannot be used; OSError where the file cannot be read."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return parse_observations(lines, name=str(path), disturbing=disturbing)


def parse_observations(
    lines: Iterator[str] | Sequence[str], *, name: str, disturbing: frozenset[str] = frozenset()
) -> Observations:
    """Observations from lines of CSV, which errors call `name`."""
    reader = _Reader(name, disturbing)
    for row, cells in _rows(lines, name, _REQUIRED, _OPTIONAL):
        if row > ROWS_MAX:
            raise ObservationsError(name, row, "", f"more than {ROWS_MAX:,} rows: judge them in parts")
        reader.add(row, cells)
    return reader.finished()


class _Reader:
    """Rows become columns."""

    def __init__(self, name: str, disturbing: frozenset[str]) -> None:
        self.name, self.disturbing = name, disturbing
        self.patients: dict[str, int] = {"": 0}
        #: What names a reading → its number; and of each, whose it is, when it was measured and came, and what it holds.
        self.readings: dict[tuple[str, ...], int] = {}
        self.names: list[str] = [""]
        self.of: list[tuple[int, int, int]] = [(0, 0, 0)]
        self.held: set[tuple[int, int]] = set()
        self.rows: list[tuple[int, int, int, int, int, float, bool, int]] = []

    def add(self, row: int, cells: Mapping[str, str]) -> None:
        measured_us = self._instant(row, cells, "measured_at")
        received_us = self._instant(row, cells, "received_at") if cells["received_at"] else measured_us
        patient = self._patient(row, cells["patient"])
        reading = self._reading(row, cells, (patient, measured_us, received_us))
        code = BY_NAME.get(cells["quantity"])
        if code is None or not code.vital:
            vitals = ", ".join(found.name for found in BY_NAME.values() if found.vital)
            raise ObservationsError(self.name, row, "quantity", f"{cells['quantity']!r} is none of {vitals}")
        if cells["unit"] not in code.units:
            words = " or ".join(code.units)
            raise ObservationsError(self.name, row, "unit", f"{code.name} is in {words}, not in {cells['unit']!r}")
        if (reading, code.number) in self.held:
            raise ObservationsError(self.name, row, "quantity", f"{code.name} twice in one reading")
        self.held.add((reading, code.number))
        if cells["meal"] not in MEALS:
            raise ObservationsError(self.name, row, "meal", f"{cells['meal']!r} is none of {', '.join(MEALS[1:])}")
        disturbed = not self.disturbing.isdisjoint(cells["status"].split())
        value, unit, meal = self._number(row, cells["value"]), UNIT_NUMBER[cells["unit"]], MEALS.index(cells["meal"])
        self.rows.append((patient, measured_us, reading, code.number, unit, value, disturbed, meal))

    def finished(self) -> Observations:
        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * 8
        patient, measured_us, reading, code, unit, value, disturbed, meal = columns
        series = Series.of(
            patient=np.array(patient, np.int64),
            measured_at_us=np.array(measured_us, np.int64),
            reading_no=np.array(reading, np.int64),
            code=np.array(code, np.int16),
            unit=np.array(unit, np.int16),
            value=np.array(value, np.float64),
            disturbed=np.array(disturbed, np.bool_),
            meal=np.array(meal, np.int8),
        )
        received = np.array([received_us for _, _, received_us in self.of], np.int64)
        return Observations(series, tuple(self.patients), tuple(self.names), received)

    def _patient(self, row: int, key: str) -> int:
        if not 0 < len(key) <= KEY_MAX:
            raise ObservationsError(self.name, row, "patient", f"1 to {KEY_MAX} characters, not {len(key)}")
        return self.patients.setdefault(key, len(self.patients))

    def _reading(self, row: int, cells: Mapping[str, str], of: tuple[int, int, int]) -> int:
        named = cells["reading"]
        key = ("named", named) if named else ("at", cells["patient"], str(of[1]))
        number = self.readings.setdefault(key, len(self.readings) + 1)
        if number == len(self.of):
            self.of.append(of)
            self.names.append(named or str(number))
        elif self.of[number] != of:
            raise ObservationsError(self.name, row, "reading", "its other rows have another patient or time")
        return number

    def _instant(self, row: int, cells: Mapping[str, str], column: str) -> int:
        return microseconds(instant(cells[column], name=self.name, row=row, column=column))

    def _number(self, row: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ObservationsError(self.name, row, "value", "this is no number")
        return value


def read_patients(path: Path, patients: Sequence[str]) -> Facts:
    """What the file tells of these patients (by number); whom it does not speak of is an adult in UTC."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return parse_patients(lines, patients, name=str(path))


def parse_patients(lines: Iterator[str] | Sequence[str], patients: Sequence[str], *, name: str) -> Facts:
    """Facts from lines of CSV. Rows of patients without observations are checked, and say nothing."""
    numbers = {key: number for number, key in enumerate(patients) if number}
    found: dict[str, PatientFacts] = {}
    for row, cells in _rows(lines, name, ("patient",), _PATIENT_OPTIONAL):
        key = cells["patient"]
        if key in found:
            raise ObservationsError(name, row, "patient", "this patient is given twice")
        since = cells["monitored_since"]
        found[key] = PatientFacts(
            patient=numbers.get(key, -1),
            time_zone=_zone(cells["time_zone"], name, row),
            birth_date=_day(cells, "birth_date", name, row),
            pregnant_from=_day(cells, "pregnant_from", name, row),
            delivered_on=_day(cells, "delivered_on", name, row),
            dry_weight_kg=_positive(cells, "dry_weight_kg", name, row),
            monitored_since=instant(since, name=name, row=row, column="monitored_since") if since else None,
            every_h=_positive(cells, "every_h", name, row),
        )
    return Facts.of(one for one in found.values() if one.patient >= 0)


def instant(text: str, *, name: str, row: int, column: str) -> datetime:
    """An instant with its offset; ObservationsError where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ObservationsError(name, row, column, "this is no instant like 2026-03-08T07:21:09Z") from None
    if found.tzinfo is None:
        raise ObservationsError(name, row, column, "its offset is missing: 2026-03-08T07:21:09Z or …-05:00")
    return found


def _rows(
    lines: Iterator[str] | Sequence[str], name: str, required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's number and cells, every column there; ObservationsError where the columns are not these."""
    reader = csv.reader(lines, strict=True)
    try:
        header: list[str] = next(reader, list[str]())
        for column in required:
            if column not in header:
                raise ObservationsError(name, 1, column, "this column is missing")
        for place, column in enumerate(header):
            if column not in (*required, *optional):
                raise ObservationsError(name, 1, column or str(place + 1), "no such column is known")
            if column in header[:place]:
                raise ObservationsError(name, 1, column, "this column is given twice")
        absent = dict.fromkeys((column for column in optional if column not in header), "")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                text = f"{len(cells)} cells, and the header has {len(header)}"
                raise ObservationsError(name, reader.line_num, "", text)
            yield reader.line_num, {**absent, **dict(zip(header, cells, strict=True))}
    except csv.Error as error:
        raise ObservationsError(name, reader.line_num, "", str(error)) from error
    except UnicodeDecodeError as error:
        raise ObservationsError(name, reader.line_num + 1, "", "this is no UTF-8") from error


def _zone(text: str, name: str, row: int) -> str:
    try:
        return ZoneInfo(text or "UTC").key
    except (ValueError, OSError, LookupError):
        raise ObservationsError(name, row, "time_zone", f"{text!r} is no time zone like America/New_York") from None


def _day(cells: Mapping[str, str], column: str, name: str, row: int) -> date | None:
    try:
        return date.fromisoformat(cells[column]) if cells[column] else None
    except ValueError:
        raise ObservationsError(name, row, column, "this is no day like 2026-03-08") from None


def _positive(cells: Mapping[str, str], column: str, name: str, row: int) -> float | None:
    if not cells[column]:
        return None
    try:
        value = float(cells[column])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ObservationsError(name, row, column, "this is no number above 0")
    return value
