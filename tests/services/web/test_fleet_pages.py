"""The homes as those see them who look after them: who needs somebody, why, the one thing to do, and nothing of anybody's health.

Method: statuses and events through ingest's own door, pages as a visitor gets them, plain SQL for what was recorded.
"""

import re
from datetime import timedelta

import pytest

from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import EventName
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.homes import Homes
from tests.support.visitor import Visitor
from tests.support.website import Website


@pytest.fixture
def homes(clinic: Clinic, clock: SettableClock) -> Homes:
    return Homes(clinic, clock)


def _measured(homes: Homes, person: Person, *, days_ago: float = 0) -> str:
    address = person.devices[Kind.BLOOD_PRESSURE][1]
    homes.measures(address, days_ago=days_ago)
    return address


def test_calm_when_all_is_well(homes: Homes, maria: Person, visitor: Visitor) -> None:
    _measured(homes, maria)
    homes.says()
    page = visitor.sign_in("support").page("/fleet")
    assert "All homes are well" in page
    assert "<title>Homes</title>" in page


def test_who_needs_somebody_comes_first_with_one_thing_to_do(homes: Homes, maria: Person, visitor: Visitor) -> None:
    address = _measured(homes, maria)
    homes.says()
    homes.tells(EventName.DEVICE_UNSUPPORTED, "Acme BP-1", address="C0:00:00:00:99:99")
    homes.tells(EventName.DEVICE_BATTERY, 15, address=address)
    homes.says(homes.box("gw-silent", "Mr. Silent"), minutes_ago=60, outbox_depth=3)
    homes.says(homes.box("gw-ending", "Mrs. Ending"), certificate_not_after=homes.clock() + timedelta(days=3))
    homes.says(homes.box("gw-full", "Ms. Full"), buffer_days=1.4)
    homes.says(homes.box("gw-clock", "Mx. Clock"), clock="unset")
    page = visitor.sign_in("support").page("/fleet")
    order = [page.index(name) for name in ("Mr. Silent", "Mx. Clock", "Ms. Full", "Mrs. Ending", "Acme BP-1")]
    assert order == sorted(order)
    for said in (
        "No word from the box for 1 hour. When last heard, 3 readings waited in it.",
        "The box does not know what time it is.",
        "Room for about 1 day of readings is left in the box.",
        "certificate ends in 3 days",
        "speaks a language of its own that no box here understands",
        "Battery of “cuff” at 15 %.",
    ):
        assert said in page, said
    assert "<title>(5) Homes</title>" in page


def test_a_silent_patient_with_the_likeliest_cause_and_it_is_recorded_who_was_seen(
    homes: Homes, clinic: Clinic, maria: Person, visitor: Visitor, website: Website
) -> None:
    _measured(homes, maria, days_ago=5)
    homes.says()
    page = visitor.sign_in("support").page("/fleet")
    assert "Alvarez, Maria" in page
    assert "probably the patient has not measured" in page
    assert f"/patients/{maria.public_id}" not in page, "support staff have no business there"
    with clinic.database.transaction() as connection:
        rows = connection.execute("select detail from audit where action = 'saw among the homes'").fetchall()
    assert [row["detail"]["patients"] for row in rows] == [[maria.id]] * 2, "at sign-in, and asked for"
    homes.clock.forward(hours=1)
    rosa = Visitor(website).sign_in("rosa")
    assert "Probably the box: no word from it for 1 hour." in rosa.page("/fleet")


def test_readings_nobody_can_file_are_counted_and_held_is_no_silence(
    homes: Homes, clinic: Clinic, maria: Person, visitor: Visitor
) -> None:
    address = _measured(homes, maria, days_ago=5)
    homes.says()
    with clinic.database.transaction() as connection:
        connection.execute("update device_assignment set pending = true")
    homes.measures(address)
    homes.measures("C0:00:00:00:99:99")
    page = visitor.sign_in("rosa").page("/fleet")
    assert "2 readings without an owner" in page
    assert "1 reading came and is held: nobody has confirmed yet that “cuff” is theirs." in page
    assert "Whose is it?" in page


def test_nothing_of_what_was_measured_stands_there(homes: Homes, maria: Person, visitor: Visitor) -> None:
    _measured(homes, maria, days_ago=5)
    homes.says()
    page = visitor.sign_in("support").page("/fleet")
    assert not re.search(r"(?<!\d)(142|88)(?!\d)", re.sub(r"<time[^>]*>|\?v=\w+", "", page))


def test_another_practices_homes_are_not_there(
    homes: Homes, maria: Person, database: Database, clock: SettableClock, website: Website
) -> None:
    _measured(homes, maria, days_ago=5)
    homes.says(minutes_ago=60)
    other = Clinic(database, now=clock(), name="Other Clinic")
    other.staff("sam", "support")
    page = Visitor(website).sign_in("sam").page("/fleet")
    assert homes.clinic.gateway_id not in page
    assert "Alvarez" not in page


def test_a_box_nobody_registered_is_an_administrators(homes: Homes, visitor: Visitor, website: Website) -> None:
    homes.says("gw-stranger")
    assert "gw-stranger" in visitor.sign_in("admin").page("/fleet")
    assert "gw-stranger" not in Visitor(website).sign_in("support").page("/fleet")


def test_four_hundred_homes_are_one_page(clinic: Clinic, visitor: Visitor) -> None:
    with clinic.database.transaction() as connection:
        connection.execute(
            "insert into gateway (id, practice_id, label, created_at)"
            " select 'gw-many-' || n, %(practice)s, 'Home ' || n, 'epoch' from generate_series(1, 400) as n",
            {"practice": clinic.practice_id},
        )
    page = visitor.sign_in("support").page("/fleet")
    assert "401 homes need somebody" in page
    assert page.count("Never heard.") == 401
