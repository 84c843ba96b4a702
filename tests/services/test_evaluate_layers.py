"""A programme's and a practice's signed limits hold for their patients, and for nobody else (F42).

Method: readings in a real database, layers from files as an installation has them, judged by the evaluate job.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.rulefile import RulesError, read_rules
from rpm.jobs import evaluate
from rpm.rulebook import read_layers
from rpm.settings import CARE
from rpm.store.database import Database
from tests.services.judging import PLAN, Desk
from tests.support.clinic import Clinic, Person
from tests.support.clock import MORNING
from tests.support.commands import command

#: One reading calls: what waits for a second one is told of in test_repeats.
SHIPPED = tuple(rule.model_copy(update={"repeat": None}) for rule in read_rules(CARE / "rules.toml"))
LAYER = """
layer = "{kind}"
name = "{name}"
version = "1"
approved_by = "Dr. Shah"
approved_on = 2026-05-04

[[limit]]
rule = "blood_pressure_high"
band = "urgent"
limits.systolic.above = {{ "mm[Hg]" = {systolic}, kPa = {kpa} }}
{more}
"""


def layer(folder: Path, file: str, kind: str, name: str, systolic: float, *, more: str = "") -> None:
    folder.mkdir(exist_ok=True)
    text = LAYER.format(kind=kind, name=name, systolic=systolic, kpa=round(systolic * 0.133322, 1), more=more)
    (folder / file).write_text(text, "utf-8")


def measured(desk: Desk, person: Person, systolic: float) -> None:
    desk.clinic.pressure(person, systolic, 80, minutes_ago=2)


def program(desk: Desk, person: Person, name: str) -> None:
    desk.rows("update patient set program = %(name)s where id = %(id)s returning id", name=name, id=person.id)


def red(desk: Desk) -> set[int]:
    desk.judge()
    return {one["patient_id"] for one in desk.alerts() if one["severity"] == 3}


def test_a_programmes_limit_holds_for_its_patients_alone(database: Database, tmp_path: Path) -> None:
    layer(tmp_path / "limits", "heart.toml", "programme", "Heart Failure", 160)
    judgement = evaluate.Judgement(SHIPPED, PLAN, read_layers(tmp_path / "limits", SHIPPED))
    desk = Desk(database, now=MORNING, judgement=judgement)
    heart, other = desk.clinic.patient("Maria", "Alvarez"), desk.clinic.patient("José", "Alvarez")
    program(desk, heart, "heart failure")
    program(desk, other, "standard")
    for person in (heart, other):
        measured(desk, person, 170)
    assert red(desk) == {heart.id}
    [alert] = [one for one in desk.alerts() if one["severity"] == 3]
    assert "limit systolic above 160 mmHg (programme limit)" in alert["reason"]


def test_a_practices_limit_comes_before_a_programmes_and_holds_in_no_other_practice(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "limits"
    layer(folder, "heart.toml", "programme", "heart failure", 160)
    approved = 'loosens_red = { approved_by = "Dr. Shah", approved_on = 2026-05-04, reason = "treated elsewhere" }'
    layer(folder, "maple.toml", "practice", "Maple Street Clinic", 175, more=approved)
    judgement = evaluate.Judgement(SHIPPED, PLAN, read_layers(folder, SHIPPED))
    desk = Desk(database, now=MORNING, judgement=judgement)
    ours = desk.clinic.patient("Maria", "Alvarez")
    elsewhere = Clinic(database, now=MORNING, name="Elm Street Clinic")
    theirs = elsewhere.patient("José", "Alvarez")
    for clinic, person in ((desk.clinic, ours), (elsewhere, theirs)):
        clinic.pressure(person, 170, 80, minutes_ago=2)
    assert red(desk) == {theirs.id}, "of the programme's patients 160 is red, and here 175 is"


def test_explain_says_whose_limit_it_is(database: Database, tmp_path: Path) -> None:
    layer(tmp_path / "limits", "heart.toml", "programme", "heart failure", 160)
    clinic = Clinic(database, now=MORNING)
    clinic.staff("nora")
    maria = clinic.patient("Maria", "Alvarez")
    folder = {"RPM_LIMITS_FOLDER": str(tmp_path / "limits")}
    done = command(database.dsn, "rules", "explain", str(maria.public_id), "--as", "nora", **folder)
    assert done.status == 0, done.err
    assert "systolic above 160 mmHg" in done.out
    assert "programme heart failure, version 1" in done.out


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("b.toml", LAYER.format(kind="programme", name="HEART failure", systolic=150, kpa=20.0, more=""), "speaks for"),
        ("b.toml", LAYER.format(kind="practice", name="Elm", systolic=190, kpa=25.3, more=""), "loosens_red"),
        ("b.toml", "layer = 1", "b.toml"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, file: str, text: str, said: str) -> None:
    folder = tmp_path / "limits"
    layer(folder, "a.toml", "programme", "heart failure", 160)
    (folder / file).write_text(text, "utf-8")
    with pytest.raises(RulesError, match=said) as raised:
        read_layers(folder, SHIPPED)
    assert "\n" not in str(raised.value)
    with pytest.raises(RulesError, match="there is no such folder"):
        read_layers(tmp_path / "nowhere", SHIPPED)
    assert read_layers(None, SHIPPED) == ()


def test_nothing_is_measured_by_who_has_none(database: Database, tmp_path: Path) -> None:
    """A patient of no layered programme is judged by the rules' own limits, beside others in the same turn."""
    layer(tmp_path / "limits", "copd.toml", "programme", "copd", 160)
    judgement = evaluate.Judgement(SHIPPED, PLAN, read_layers(tmp_path / "limits", SHIPPED))
    desk = Desk(database, now=MORNING, judgement=judgement)
    people = [desk.clinic.patient(f"P{n}", "Test") for n in range(3)]
    program(desk, people[1], "copd")
    for person in people:
        measured(desk, person, 181)
    assert red(desk) == {person.id for person in people}
    assert desk.now - MORNING < timedelta(minutes=1)
