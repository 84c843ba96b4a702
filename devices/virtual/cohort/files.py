"""The four files of a cohort (their form: the package's docstring), written from the people and what happens to them."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from devices.virtual.cohort.body import Body
from devices.virtual.cohort.episodes import COURSES, Episode, episodes
from devices.virtual.cohort.measuring import WRONG_PERSON, Shown, measuring
from devices.virtual.cohort.people import Programme, Subject, subject

FORMAT: Final = 1
#: A Monday; summer time begins in America on the 35th day and in Europe on the 56th.
BEGIN: Final = date(2026, 2, 2)
EVERY_H: Final = 24
PATIENT_COLUMNS: Final = (
    "patient", "time_zone", "birth_date", "programme", "monitored_since", "every_h", "dry_weight_kg",
)  # fmt: skip
OBSERVATION_COLUMNS: Final = (
    "patient", "reading", "measured_at", "received_at", "quantity", "value", "unit", "meal", "status", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a cohort with all that happens to them and all they measure."""

    subject: Subject
    body: Body
    happened: list[Episode]
    readings: list[Shown]

    def instant(self, at_h: float) -> datetime:
        """An hour of the clock on this person's wall, in UTC; whole seconds."""
        days, rest = divmod(round(at_h * 3600), 24 * 3600)
        local = datetime.combine(BEGIN + timedelta(days=days), time(), ZoneInfo(self.subject.time_zone))
        return (local + timedelta(seconds=rest)).astimezone(UTC)


def member(number: int, *, seed: int, days: int, often: float) -> Member:
    """The person with this number, from 0."""
    one = subject(seed, number)
    body = Body.of(one, seed=seed, number=number, days=days)
    happened = episodes(one, seed=seed, number=number, days=days, often=often)
    return Member(one, body, happened, measuring(body, happened, seed=seed, number=number).readings(days))


def write(folder: Path, *, patients: int, days: int, seed: int, often: float) -> None:
    """Write the files into a folder, which is made where it is not there. The same arguments write the same bytes."""
    members = [member(number, seed=seed, days=days, often=often) for number in range(patients)]
    about = {"format": FORMAT, "seed": seed, "patients": patients, "days": days, "begin": BEGIN.isoformat()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cohort.json").write_text(json.dumps({**about, "often": often}) + "\n", "utf-8")
    (folder / "patients.csv").write_text(_csv(PATIENT_COLUMNS, [_patient(one) for one in members]), "utf-8")
    (folder / "observations.csv").write_text(_csv(OBSERVATION_COLUMNS, _observations(members)), "utf-8")
    truth = [json.dumps(line) + "\n" for one in members for line in truths(one)]
    (folder / "truth.jsonl").write_text("".join(truth), "utf-8")


def truths(one: Member) -> list[dict[str, Any]]:
    """What happened to a person, as lines of the truth."""
    return [_truth(one, episode) for episode in one.happened]


def _truth(one: Member, episode: Episode) -> dict[str, Any]:
    course = COURSES[episode.kind]
    taken = [
        shown
        for shown in one.readings
        if episode.onset_h <= shown.at_h <= episode.end_h
        and shown.note != WRONG_PERSON
        and shown.values.keys() & course.shows_in.keys()
    ]
    return {
        "patient": one.subject.key,
        "kind": str(episode.kind),
        "onset": _text(one.instant(episode.onset_h)),
        "peak": _text(one.instant(episode.peak_h)),
        "end": _text(one.instant(episode.end_h)),
        "shows_in": dict(course.shows_in),
        "amount": round(episode.amount, 1),
        "unit": course.unit,
        "readings": len(taken),
    }


def _patient(one: Member) -> tuple[str, ...]:
    who = one.subject
    dry = f"{who.weight_kg:.1f}" if who.programme is Programme.HEART_FAILURE else ""
    since = _text(one.instant(0.0))
    return (who.key, who.time_zone, who.birth_date.isoformat(), str(who.programme), since, str(EVERY_H), dry)


def _observations(members: list[Member]) -> list[tuple[str, ...]]:
    """Rows in the order the readings were taken, numbered so."""
    taken = [
        (one.instant(shown.at_h), place, number)
        for place, one in enumerate(members)
        for number, shown in enumerate(one.readings)
    ]
    rows: list[tuple[str, ...]] = []
    for reading, (at, place, number) in enumerate(sorted(taken), start=1):
        shown = members[place].readings[number]
        received = _text(at + timedelta(seconds=round(shown.delay_h * 3600)))
        begin = (members[place].subject.key, str(reading), _text(at), received)
        for quantity, (value, unit) in shown.values.items():
            rows.append((*begin, quantity, f"{value:g}", unit, shown.meal, shown.status, shown.note))
    return rows


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _csv(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
