"""`rpm-cloud rules run`: findings of a CSV as JSON lines, with all that a judge is told; a mistake is one line and status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Done, command

RULES = "rpm/care/rules.toml"
NOW = "2026-03-10T12:00:00Z"
HEADER = "patient,measured_at,quantity,value,unit,reading,meal,status\n"


class Cli:
    """`rules run` on o.csv of a folder, with a database in the settings that is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *more: str | Path, now: str = NOW) -> Done:
        """Status, and what was printed."""
        observed = self.folder / "o.csv"
        return command(
            "postgresql://127.0.0.1:1/none", "rules", "run", RULES, "--observations", observed, "--now", now, *more
        )

    def found(self, rows: str, patients: str = "patient\n") -> list[dict[str, Any]]:
        """The findings of these rows."""
        (self.folder / "o.csv").write_text(HEADER + rows, "utf-8")
        (self.folder / "p.csv").write_text(patients, "utf-8")
        done = self.run("--patients", self.folder / "p.csv")
        assert (done.status, done.err) == (0, "")
        return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def pressure(patient: str, at: str, systolic: int, reading: str, status: str = "") -> str:
    rows = [f"{patient},{at},systolic,{systolic},mm[Hg],{reading},,{status}"]
    rows += [f"{patient},{at},diastolic,80,mm[Hg],{reading},,{status}"]
    return "\n".join(rows) + "\n"


def test_findings_are_json_lines_with_the_names_of_the_file(tmp_path: Path) -> None:
    """By a process of its own, which is told of no database."""
    (tmp_path / "o.csv").write_text(HEADER + pressure("mary", "2026-03-10T11:00:00Z", 184, "r1"), "utf-8")
    command = [
        sys.executable,
        "-m",
        "rpm",
        "rules",
        "run",
        RULES,
        "--observations",
        str(tmp_path / "o.csv"),
        "--now",
        NOW,
    ]
    bare = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=True)
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (line["patient"], line["rule"], line["severity"]) == ("mary", "blood_pressure_high", "urgent")
    assert (line["reading"], line["kind"], line["late"]) == ("r1", "alert", False)
    assert line["unconfirmed"]
    assert line["sentence"].startswith(
        "Blood pressure 184/80 mmHg; limit systolic above 180 mmHg; unconfirmed: no second"
    )
    assert line["limit"]["value"] == 180.0
    assert {value["reading"] for value in line["values"]} == {"r1"}


def test_the_judge_is_told_of_age_pregnancy_and_disturbance(cli: Cli) -> None:
    rows = pressure("child", "2026-03-10T11:00:00Z", 190, "1")
    rows += pressure("expecting", "2026-03-10T11:00:00Z", 161, "2")
    rows += pressure("moving", "2026-03-10T11:00:00Z", 88, "3", status="body_moved")
    told = cli.found(rows, "patient,birth_date,pregnant_from\nchild,2015-01-01,\nexpecting,1995-01-01,2025-12-01\n")
    by_patient = {line["patient"]: line for line in told}
    assert len(told) == 3
    assert by_patient["child"] == {"patient": "child", "no_rule_applies": "under 18"}
    assert by_patient["expecting"]["rule"] == "blood_pressure_pregnancy"
    assert by_patient["expecting"]["severity"] == "urgent"
    assert by_patient["moving"]["kind"] == "ask"
    assert "ask for another one" in by_patient["moving"]["sentence"]


@pytest.mark.parametrize(
    "zone, meal, expected",
    [("UTC", "fasting", 0), ("Asia/Tokyo", "fasting", 1), ("Asia/Tokyo", "postprandial", 0)],
)
def test_days_are_those_of_the_patients_zone_and_meals_count(cli: Cli, zone: str, meal: str, expected: int) -> None:
    """High before breakfast on three days asks for a look: these are three days in Tokyo, and two of UTC's."""
    times = ("2026-03-08T14:30:00Z", "2026-03-08T15:30:00Z", "2026-03-10T09:30:00Z")
    rows = "".join(f"a,{at},glucose,140,mg/dL,{number},{meal},\n" for number, at in enumerate(times))
    told = cli.found(rows, f"patient,time_zone\na,{zone}\n")
    assert sum(line["rule"] == "glucose_fasting_high" for line in told) == expected


def test_what_comes_after_now_is_not_there(cli: Cli) -> None:
    assert cli.found(pressure("a", "2026-03-10T12:00:01Z", 190, "1")) == []


def test_a_mistake_is_one_line_and_status_2(cli: Cli) -> None:
    cli.found("")
    bad = "a,2026-03-10T11:00:00Z,systolic,high,mm[Hg],1,,\n"
    for text, more, now, words in (
        (HEADER + bad, (), NOW, "o.csv: row 2, column value: this is no number"),
        (HEADER, (), "2026-03-10T12:00:00", "--now: say its offset"),
        (HEADER, (), "noon", "--now: an instant like"),
        (HEADER, ("--patients", cli.folder / "none.csv"), NOW, "none.csv: No such file"),
    ):
        (cli.folder / "o.csv").write_text(text, "utf-8")
        done = cli.run(*more, now=now)
        assert (done.status, done.out) == (2, "")
        assert words in done.err
        assert done.err.count("\n") == 1
