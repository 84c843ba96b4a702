"""`rpm-cloud rules baseline`: what is usual of a patient on record, and what limits made of it would change; nothing is changed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rpm.store.database import Database
from schemas.codes import Kind
from tests.support.clinic import Clinic, Person
from tests.support.commands import command


@pytest.fixture
def clinic(database: Database) -> Clinic:
    """A practice as of now: the command asks the clock."""
    made = Clinic(database, now=datetime.now(UTC).replace(microsecond=0))
    made.staff("rosa")
    made.staff("bill", "biller")
    return made


def squeezes(clinic: Clinic, person: Person, days: int, *, high_on: tuple[int, ...] = ()) -> None:
    """One a day, systolic 122 to 134 in turn; 152 on some days ago. Of 26 with two high ones 128.5 is the middle."""
    rows: list[tuple[Person, Kind, dict[str, tuple[float, str]], datetime, bool, tuple[str, ...]]] = []
    for day in range(1, days + 1):
        systolic = 152.0 if day in high_on else 122.0 + day * 5 % 13
        values = {"systolic": (systolic, "mm[Hg]"), "diastolic": (80.0, "mm[Hg]"), "pulse_rate": (70.0, "/min")}
        rows.append((person, Kind.BLOOD_PRESSURE, values, clinic.now - timedelta(days=day), False, ()))
    clinic.measure_many(rows)


def test_the_usual_is_told_with_limits_and_what_they_would_have_called(clinic: Clinic) -> None:
    maria = clinic.patient("Maria", "Alvarez")
    squeezes(clinic, maria, 26, high_on=(3, 4))
    done = command(clinic.database.dsn, "rules", "baseline", str(maria.public_id), "--as", "rosa")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    systolic = next(line for line in lines if line.startswith("systolic"))
    assert systolic == "systolic: 128.5 mmHg is usual (MAD 3.5, 26 readings on 26 days); 116 to 141 mmHg"
    high = next(line for line in lines if "blood_pressure_high priority" in line)
    assert high.strip() == "blood_pressure_high priority: at least 141 mmHg instead of 160 (product), stricter"
    # Two days running above what is usual: today's limit of 160 said nothing.
    assert lines[-1] == "Calls of these rules in the last 28 days: 0 with the limits that hold, 1 with these."
    assert "Maria" not in done.out
    with clinic.database.transaction() as connection:
        assert connection.execute("select from patient_limit").fetchall() == []
        seen = connection.execute("select action, patient_id from audit order by id desc limit 1").fetchone()
    assert seen == {"action": "saw the patient's page", "patient_id": maria.id}


def test_under_two_weeks_there_is_no_usual(clinic: Clinic) -> None:
    jose = clinic.patient("José", "Alvarez")
    squeezes(clinic, jose, 9)
    done = command(clinic.database.dsn, "rules", "baseline", str(jose.public_id), "--as", "rosa")
    assert done.out.splitlines()[0] == "systolic: not enough yet, readings on 9 days of 14"
    assert "instead of" not in done.out


def test_whom_it_is_not_for(clinic: Clinic) -> None:
    child = clinic.patient("Leo", "Alvarez", born="2018-04-02")
    squeezes(clinic, child, 20)
    elsewhere = Clinic(clinic.database, now=clinic.now, name="Oak Lane")
    stranger = elsewhere.patient("Ana", "Diaz")
    for patient, username, said in (
        (child.public_id, "rosa", "this patient is under 18"),
        (stranger.public_id, "rosa", "no such patient in this practice"),
        (uuid4(), "rosa", "no such patient in this practice"),
        (child.public_id, "bill", "bill is a biller: this is for admin, nurse"),
    ):
        done = command(clinic.database.dsn, "rules", "baseline", str(patient), "--as", username)
        assert (done.status, done.out) == (2, "")
        assert said in done.err
        assert done.err.count("\n") == 1
