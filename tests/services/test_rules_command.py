"""`rpm-cloud rules` with a real database: what holds for a patient; and what could never speak is not switched on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rpm.store.database import Database
from tests.support.clinic import Clinic
from tests.support.clock import MORNING

SILENCE = """
[[rule]]
id = "silent"
version = "1"
title = "Nothing came"
source = "house rule"
sentence = "Nothing for {span}; limit {limit}"
missed = {}
clear_by = { h = 1 }
[[rule.band]]
severity = "routine"
limits.body_weight.above = { h = 72 }
"""


def cli(dsn: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rpm", *arguments],
        env={**os.environ, "RPM_DSN": dsn, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_explain_prints_each_limit_with_its_authority(database: Database, dsn: str) -> None:
    clinic = Clinic(database, now=MORNING)
    clinic.staff("nora")
    maria, child = clinic.patient("Maria", "Alvarez"), clinic.patient("Zoe", "Young", born="2020-01-01")
    told = cli(dsn, "rules", "explain", str(maria.public_id), "--as", "nora")
    assert told.returncode == 0, told.stderr
    assert (
        "    urgent   systolic above 180 mmHg or 24 kPa  (product default, version 4; nobody has signed it)"
        in told.stdout.splitlines()
    )
    assert (
        "    asks for a second reading and judges the mean of two; none within 15 minutes: unconfirmed"
        in told.stdout.splitlines()
    )
    assert "    once closed, not again for 1 day unless more severe" in told.stdout.splitlines()
    assert "    at once, without a second reading: systolic above 260 mmHg | 34.7 kPa" in told.stdout.splitlines()
    assert "    says nothing: only in pregnancy and six weeks after" in told.stdout.splitlines()
    assert cli(dsn, "rules", "explain", str(child.public_id), "--as", "nora").stdout.startswith("NO RULES APPLY")
    nobody = cli(dsn, "rules", "explain", str(child.public_id), "--as", "nobody")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)
    with database.transaction() as connection:
        seen = connection.execute("select patient_id from audit where action = 'saw which rules hold for a patient'")
        assert [row["patient_id"] for row in seen] == [maria.id, child.id]


@pytest.mark.parametrize("arguments", [("rules", "check"), ("worker", "--only", "evaluate"), ("serve", "--web-only")])
def test_a_rule_that_could_never_speak_is_refused_in_one_line(
    dsn: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(SILENCE, encoding="utf-8")
    told = cli(dsn, *arguments, RPM_RULES_FILE=str(file))
    assert (told.returncode, told.stderr.count("\n")) == (2, 1), told.stderr
    assert "rule 'silent', missed: silence is told by the server itself" in told.stderr
