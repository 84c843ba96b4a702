"""A cohort: the same bytes for the same arguments, bodies within published figures, and every truth visible in them.

Method: people are made in memory and their underlying signals asked at chosen times; the figures held against are those of the
sources the modules cite. The files are written once, small, and read back.
"""

import csv
import json
import math
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from typer.testing import CliRunner

from devices.virtual.__main__ import app
from devices.virtual.cohort import files, measuring
from devices.virtual.cohort.body import Floats
from devices.virtual.cohort.episodes import COURSES, YEAR_DAYS, Kind, rates_per_year
from devices.virtual.cohort.files import Member, member
from devices.virtual.cohort.people import Programme

SEED = 11
DAYS = 90
CROWD = 150


@pytest.fixture(scope="module")
def quiet() -> list[Member]:
    """People to whom nothing happens."""
    return [member(number, seed=SEED, days=DAYS, often=0) for number in range(CROWD)]


@pytest.fixture(scope="module")
def eventful() -> list[Member]:
    """People to whom much happens."""
    return [member(number, seed=SEED, days=DAYS, often=8) for number in range(CROWD)]


def write(folder: Path, **arguments: str) -> dict[str, bytes]:
    given = {"patients": "12", "days": "40", "seed": "7", "often": "5", **arguments}
    command = ["cohort", "--out", str(folder)]
    for name, value in given.items():
        command += [f"--{name}", value]
    assert CliRunner().invoke(app, command).exit_code == 0
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_arguments_write_the_same_bytes_and_another_seed_writes_others(tmp_path: Path) -> None:
    first = write(tmp_path / "a")
    assert set(first) == {"cohort.json", "patients.csv", "observations.csv", "truth.jsonl"}
    assert write(tmp_path / "b") == first
    other = write(tmp_path / "c", seed="8")
    assert all(other[name] != first[name] for name in first)
    # One more patient, or a day more, leaves the people who were there as they are.
    more = write(tmp_path / "d", patients="13")
    assert more["patients.csv"].startswith(first["patients.csv"])
    assert more["truth.jsonl"].startswith(first["truth.jsonl"])


def test_a_cohort_to_which_nothing_happens_has_no_truth(quiet: list[Member], tmp_path: Path) -> None:
    assert write(tmp_path, often="0")["truth.jsonl"] == b""
    hours = np.arange(0, DAYS * 24, 6.5, dtype=np.float64)
    for one in quiet:
        assert not one.happened
        for quantity in one.subject.has:
            assert (one.body.signal(quantity, hours, one.happened) == one.body.usual(quantity, hours)).all()


def test_every_true_episode_is_visible_in_the_underlying_signal(eventful: list[Member]) -> None:
    seen = Counter[Kind]()
    for one in eventful:
        for episode in one.happened:
            assert 0 <= episode.onset_h < episode.peak_h < episode.end_h < DAYS * 24
            seen[episode.kind] += 1
            for quantity, direction in COURSES[episode.kind].shows_in.items():
                at = np.array([episode.onset_h, episode.peak_h, episode.end_h])
                moved = one.body.signal(quantity, at, [episode]) - one.body.usual(quantity, at)
                signed = moved if direction == "up" else -moved
                assert abs(moved[[0, 2]]).max() < 1e-6, "it begins and ends"
                assert signed[1] > 0
            reached = {
                quantity: float(one.body.signal(quantity, np.array([episode.peak_h]), [episode])[0])
                for quantity in COURSES[episode.kind].shows_in
            }
            match episode.kind:
                case Kind.DECOMPENSATION:
                    usual = one.body.usual("body_weight", np.array([episode.peak_h]))[0]
                    assert 0.9 <= reached["body_weight"] - usual <= 8
                case Kind.FLUID_LOSS:
                    usual = one.body.usual("body_weight", np.array([episode.peak_h]))[0]
                    assert 1.2 <= usual - reached["body_weight"] <= 3.5
                case Kind.SEVERE_PRESSURE:
                    assert reached["systolic"] > 180
                case Kind.UNCONTROLLED_PRESSURE:
                    assert (one.subject.systolic or 0) + episode.amount >= 142
                case Kind.LOW_PRESSURE:
                    assert (one.subject.systolic or 0) - episode.amount <= 94
                case Kind.LOW_GLUCOSE:
                    assert reached["glucose"] < 70
                case Kind.HIGH_GLUCOSE:
                    assert episode.amount >= 90
    assert set(seen) == set(Kind)
    assert min(seen.values()) >= 5


def test_episodes_happen_about_as_often_as_published() -> None:
    # Rejected are those that would not be over in time or stand too near to another: fewer, never more.
    people = [member(number, seed=SEED, days=DAYS, often=1) for number in range(CROWD)]
    for kind in (Kind.LOW_GLUCOSE, Kind.DECOMPENSATION):
        expected = sum(rates_per_year(one.subject).get(kind, 0) for one in people) * DAYS / YEAR_DAYS
        counted = sum(episode.kind is kind for one in people for episode in one.happened)
        assert 0.3 * expected - 2 * math.sqrt(expected) < counted < expected + 2 * math.sqrt(expected)


def each_day(hour: float, days: int = DAYS) -> Floats:
    """The same hour of every day."""
    return np.arange(days, dtype=np.float64) * 24 + hour


def sessions_of(one: Member, quantity: str, *, before_noon: bool) -> list[list[float]]:
    """The values of each session in which nothing went wrong, after the first days."""
    sessions: list[list[float]] = []
    last_h = -1.0
    for shown in one.readings:
        if quantity in shown.values and (shown.at_h % 24 < 12) == before_noon and shown.at_h > 96:
            if shown.at_h - last_h > 0.5:
                sessions.append([])
            sessions[-1].append(math.nan if shown.note else shown.values[quantity][0])
            last_h = shown.at_h
    return [values for values in sessions if not any(math.isnan(value) for value in values)]


def test_morning_pressures_of_one_person_vary_as_in_ohasama(quiet: list[Member]) -> None:
    """8.6 ± 3.1 and 5.8 ± 2.0 mmHg (Kato 2010), one reading each morning."""
    for quantity, mean, spread in (("systolic", 8.6, 3.1), ("diastolic", 5.8, 2.0)):
        deviations = [
            np.std([values[0] for values in sessions_of(one, quantity, before_noon=True)], ddof=1)
            for one in quiet
            if one.subject.programme is Programme.HYPERTENSION
        ]
        assert abs(float(np.mean(deviations)) - mean) < 0.8
        assert abs(float(np.std(deviations)) - spread) < 0.8


def test_the_first_of_two_readings_is_higher_and_the_morning_above_the_evening(quiet: list[Member]) -> None:
    first: list[float] = []
    second: list[float] = []
    evening: list[float] = []
    for one in quiet:
        if one.subject.programme is not Programme.HYPERTENSION:
            continue
        morning = sessions_of(one, "systolic", before_noon=True)
        first.append(float(np.mean([values[0] for values in morning])))
        second.append(float(np.mean([values[1] for values in morning])))
        evening.append(float(np.mean(sessions_of(one, "systolic", before_noon=False))))
    assert 2 < np.mean(first) - np.mean(second) < 6
    assert 1 < (np.mean(first) + np.mean(second)) / 2 - np.mean(evening) < 5
    # The night falls by a tenth to a fifth.
    one = next(one for one in quiet if one.subject.systolic is not None)
    night, day = (one.body.usual("systolic", each_day(hour)).mean() for hour in (3, 14))
    assert 0.80 < night / day < 0.92


def test_a_steady_weight_moves_little_and_remembers_yesterday(quiet: list[Member]) -> None:
    """A gain above 1.36 kg in a day is rare without fluid: what a day brings is kept in part, and fades."""
    steps: list[float] = []
    kept: list[float] = []
    big = 0
    for one in quiet:
        if one.subject.weight_kg is None:
            continue
        weight = one.body.usual("body_weight", each_day(7))
        change = np.diff(weight)
        steps.append(float(change.std()))
        kept.append(np.corrcoef(weight[:-1], weight[1:])[0, 1])
        big += int((change > 1.36).sum())
    assert 0.3 < np.mean(steps) < 0.7
    assert 0.4 < np.mean(kept) < 0.95
    assert big / (len(steps) * DAYS) < 0.01


def test_glucose_is_at_goal_where_nothing_happens(quiet: list[Member]) -> None:
    """ADA: 80-130 mg/dL before a meal, below 180 after it; and no low out of nothing."""
    hours = np.arange(0, DAYS * 24, 1.0, dtype=np.float64)
    fasting: list[float] = []
    after: list[float] = []
    for one in quiet:
        if one.subject.fasting is not None:
            assert one.body.usual("glucose", hours).min() > 60
            fasting.append(float(one.body.usual("glucose", each_day(7)).mean()))
            after.append(float(one.body.usual("glucose", each_day(20.7)).mean()))
    assert 85 < min(fasting) < max(fasting) < 130
    assert 130 < np.mean(after) < 170
    assert max(after) < 195


def test_people_forget_and_things_go_wrong(quiet: list[Member]) -> None:
    shares = [len({int(shown.at_h // 24) for shown in one.readings}) / DAYS for one in quiet]
    assert 0.65 < np.mean(shares) < 0.85
    assert min(shares) < 0.55
    assert max(shares) > 0.9
    notes = Counter(shown.note for one in quiet for shown in one.readings)
    wrong = {
        "",
        measuring.WRONG_PERSON,
        measuring.OTHER_SCALE,
        measuring.CLOTHED,
        measuring.TALKING,
        measuring.DISTURBED,
    }
    assert set(notes) == wrong
    flagged = [shown for one in quiet for shown in one.readings if shown.status]
    assert {shown.note for shown in flagged} == {measuring.DISTURBED}
    late = sum(shown.delay_h == measuring.LATE_H for one in quiet for shown in one.readings)
    assert 0.01 < late / sum(notes.values()) < 0.05


def test_habits_follow_the_clock_on_the_wall_when_it_is_changed() -> None:
    """The clocks of New York went forward on 8 March 2026: breakfast stays where it was, UTC does not."""
    one = next(
        found
        for found in (member(number, seed=SEED, days=DAYS, often=0) for number in range(40))
        if found.subject.time_zone == "America/New_York" and found.subject.systolic is not None
    )
    at = [one.instant(shown.at_h) for shown in one.readings if shown.at_h % 24 < 12]
    changed = datetime(2026, 3, 8, 7, tzinfo=ZoneInfo("UTC"))

    def mean_hour(zone: str, *, after: bool) -> float:
        local = [when.astimezone(ZoneInfo(zone)) for when in at if (when > changed) == after]
        return float(np.mean([when.hour + when.minute / 60 for when in local]))

    assert abs(mean_hour("America/New_York", after=True) - mean_hour("America/New_York", after=False)) < 0.25
    assert 0.75 < mean_hour("UTC", after=False) - mean_hour("UTC", after=True) < 1.25


def test_the_files_say_what_their_columns_promise(tmp_path: Path) -> None:
    write(tmp_path, patients="24", days="60")
    rows = list(csv.DictReader((tmp_path / "observations.csv").open(encoding="utf-8")))
    assert tuple(rows[0]) == files.OBSERVATION_COLUMNS
    assert [row["measured_at"] for row in rows] == sorted(row["measured_at"] for row in rows)
    assert all(row["measured_at"] < row["received_at"] for row in rows)
    people = list(csv.DictReader((tmp_path / "patients.csv").open(encoding="utf-8")))
    assert tuple(people[0]) == files.PATIENT_COLUMNS
    assert {row["programme"] for row in people} == {str(found) for found in Programme}
    assert all(date.fromisoformat(row["birth_date"]) for row in people)
    truths = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()]
    assert truths
    for truth in truths:
        counted = {
            row["reading"]
            for row in rows
            if row["patient"] == truth["patient"]
            and row["quantity"] in truth["shows_in"]
            and truth["onset"] <= row["measured_at"] <= truth["end"]
            and row["note"] != "wrong_person"
        }
        assert len(counted) == truth["readings"]
    assert any(truth["readings"] == 0 for truth in truths), "some lows nobody measures"
