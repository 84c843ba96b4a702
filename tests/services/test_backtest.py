"""`rpm-cloud rules backtest`: a draft on a practice's own past, beside the rules in force (F51).

Method: a practice whose readings were taken in as they were measured; a draft that is the rules in force with one number
changed; the calls of both are known beforehand.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rpm.settings import CARE
from rpm.store.database import Database
from schemas.codes import Kind
from tests.support.clinic import Clinic, Person
from tests.support.commands import Done, command

SHIPPED = (Path(CARE) / "rules.toml").read_text("utf-8")
NOW_LIMIT, DRAFT_LIMIT = 'limits.systolic.above = { "mm[Hg]" = 180', 'limits.systolic.above = { "mm[Hg]" = 170'


@pytest.fixture
def clinic(database: Database) -> Clinic:
    made = Clinic(database, now=datetime.now(UTC).replace(microsecond=0))
    made.staff("rosa")
    made.staff("bill", "biller")
    return made


def squeezes(clinic: Clinic, person: Person, *systolics: float) -> None:
    """One a day, the last one yesterday, each taken in at once."""
    rows: list[tuple[Person, Kind, dict[str, tuple[float, str]], datetime, bool, tuple[str, ...]]] = []
    for place, systolic in enumerate(systolics):
        values = {"systolic": (systolic, "mm[Hg]"), "diastolic": (80.0, "mm[Hg]")}
        at = clinic.now - timedelta(days=len(systolics) - place)
        rows.append((person, Kind.BLOOD_PRESSURE, values, at, False, ()))
    clinic.measure_many(rows)
    with clinic.database.transaction() as connection:
        connection.execute("update reading set admitted_at = received_at")


def tried(clinic: Clinic, tmp_path: Path, draft: str, *more: str) -> Done:
    file = tmp_path / "draft.toml"
    file.write_text(draft, "utf-8")
    return command(clinic.database.dsn, "rules", "backtest", str(file), "--as", "rosa", "--days", "30", *more)


def test_a_draft_stands_beside_the_rules_in_force(clinic: Clinic, tmp_path: Path) -> None:
    maria, jose = clinic.patient("Maria", "Alvarez"), clinic.patient("José", "Alvarez")
    squeezes(clinic, maria, 130, 175, 128, 174, 129)
    squeezes(clinic, jose, 131, 192, 127)
    done = tried(clinic, tmp_path, SHIPPED.replace(NOW_LIMIT, DRAFT_LIMIT))
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("2 of 2 patients with readings, 30 days to ")
    urgent = next(line for line in done.out.splitlines() if line.startswith("blood_pressure_high urgent"))
    assert " ".join(urgent.split()) == "blood_pressure_high urgent 1 / 1 / 1 (24 h) 3 / 2 / 3 (24 h)"
    most = done.out.split("Who would be called most by the draft")[1].splitlines()[1]
    # What else calls, such as how much her pressure varies, does so under both, and not at every hour of a day.
    now_calls, draft_calls = (int(part.split()[0]) for part in most.split("→"))
    assert draft_calls == now_calls + 1
    assert str(maria.public_id) in most
    with clinic.database.transaction() as connection:
        assert connection.execute("select from alert").fetchall() == [], "nothing is changed by it"
        seen = connection.execute("select action, detail from audit order by id desc limit 1").fetchone()
    assert seen == {"action": "tried rules on the past of", "detail": {"patients": sorted([maria.id, jose.id])}}


def test_some_patients_evenly_taken(clinic: Clinic, tmp_path: Path) -> None:
    for n in range(4):
        squeezes(clinic, clinic.patient(f"P{n}", "Test"), 120, 121)
    assert tried(clinic, tmp_path, SHIPPED, "--patients", "2").out.startswith("2 of 4 patients")


def test_what_cannot_be_tried_is_one_line(clinic: Clinic, tmp_path: Path) -> None:
    assert tried(clinic, tmp_path, SHIPPED).err == "rpm-cloud: nothing was measured in the last 30 days\n"
    wrong = tried(clinic, tmp_path, SHIPPED.replace('"mm[Hg]" = 180, kPa = 24.0', '"mm[Hg]" = "x"', 1))
    assert wrong.status == 2
    assert wrong.err.count("\n") == 1
    line = SHIPPED[: SHIPPED.index('"mm[Hg]" = 180, kPa = 24.0')].count("\n") + 1
    assert f"draft.toml:{line}: rule 'blood_pressure_high'" in wrong.err
    file = tmp_path / "draft.toml"
    file.write_text(SHIPPED, "utf-8")
    refused = command(clinic.database.dsn, "rules", "backtest", str(file), "--as", "bill")
    assert "bill is a biller" in refused.err
