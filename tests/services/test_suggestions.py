"""A shared scale from ingest to the nurse's page: whose a weighing may be is said with its reasons, and filed by nobody."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from rpm.access import Actor, Role
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import holding
from rpm.store.database import Database
from rpm.store.suggestions import ASKED_MAX, VALUES_MAX, suggestions
from rpm.suggestion import Confidence, Suggestion
from schemas.codes import Kind
from schemas.quantity import KG_PER_LB
from schemas.reading import Reading
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.readings import batch, weight
from tests.support.visitor import Visitor
from tests.support.website import Website

HERS = [71.2, 71.6, 72.0, 72.3, 72.5, 72.8, 73.0, 72.1]
HIS = [88.0, 88.4, 88.9, 89.1, 88.7, 88.2, 89.4, 88.8]


class House:
    """Two spouses and one scale that knows both as users, and sometimes does not say which."""

    def __init__(self, clinic: Clinic, clock: SettableClock) -> None:
        self.clinic, self.clock = clinic, clock
        self.maria, self.tom = clinic.patient("Maria", "Alvarez"), clinic.patient("Tom", "Weiss", measures=False)
        self.rosa = Actor(clinic.staff("rosa"), clinic.practice_id, Role.NURSE, "Rosa")
        device_id, self.scale = self.maria.devices[Kind.BODY_WEIGHT]
        self.run("update device set single_person = false where id = %s", device_id)
        self.run("update device_assignment set user_slot = 1 where device_id = %s", device_id)
        self.run(
            "insert into device_assignment (practice_id, device_id, user_slot, patient_id, during)"
            " values (%s, %s, 2, %s, tstzrange('2026-01-06', null))",
            clinic.practice_id,
            device_id,
            self.tom.id,
        )
        self._seq = 0

    def run(self, statement: str, *values: Any) -> None:
        with self.clinic.database.transaction() as connection:
            connection.execute(statement.encode(), values)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.clinic.database.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def receives(self, *readings: Reading) -> None:
        message = batch(self.clinic.gateway_id, *readings, first_seq=self._seq + 1)
        self._seq += len(readings)
        settle(self.clinic.database, [Message(*message)], now=self.clock())

    def has_measured(self, values: list[float], slot: int) -> None:
        """One weighing on each day before this one, at this time of day."""
        days = [(self.clock() - timedelta(days=len(values) - n), each) for n, each in enumerate(values)]
        self.receives(*(weight(each, at, address=self.scale, user_slot=slot) for at, each in days))

    def weighs(self, value: float, **more: Any) -> int:
        """A weighing that does not say whose it is; the number under which it is held."""
        self.receives(weight(value, self.clock() - timedelta(minutes=3), address=self.scale, **more))
        return self.rows("select id from held order by id desc limit 1")[0]["id"]

    def suggested(self, actor: Actor | None = None) -> dict[int, Suggestion]:
        actor = actor or self.rosa
        with self.clinic.database.transaction() as connection:
            return suggestions(connection, holding.list_held(connection, actor=actor), actor=actor)


@pytest.fixture
def house(database: Database, clock: SettableClock) -> House:
    found = House(Clinic(database, now=clock()), clock)
    found.has_measured(HERS, 1)
    found.has_measured(HIS, 2)
    assert found.rows("select count(*) as n from reading") == [{"n": len(HERS) + len(HIS)}]
    return found


@pytest.fixture
def website(house: House) -> Iterator[Website]:
    with Website(house.clinic.database, house.clock) as found:
        yield found


def _stands(found: Suggestion) -> dict[str, Confidence]:
    return {each.user.name: each.confidence for each in found.ranking}


def test_a_weighing_of_nobody_is_likely_the_one_it_fits_and_stays_unfiled(house: House) -> None:
    hers, his, between = house.weighs(72.4), house.weighs(88.6), house.weighs(80.5)
    found = house.suggested()
    assert _stands(found[hers]) == {"Alvarez, Maria": Confidence.LIKELY, "Weiss, Tom": Confidence.NOT}
    assert _stands(found[his]) == {"Weiss, Tom": Confidence.LIKELY, "Alvarez, Maria": Confidence.NOT}
    assert set(_stands(found[between]).values()) == {Confidence.NOT}
    assert "this one 72.4: fits" in found[hers].ranking[0].values.words
    assert "8 of 8 came within an hour" in found[hers].ranking[0].hours.words
    assert house.rows("select state, patient_id from held") == [{"state": "held", "patient_id": None}] * 3


def test_pounds_are_compared_with_kilograms(house: House) -> None:
    number = house.weighs(round(72.4 / KG_PER_LB, 1), unit="[lb_av]")
    (first, _) = house.suggested()[number].ranking
    assert (first.user.name, first.confidence) == ("Alvarez, Maria", Confidence.LIKELY)
    assert "usually 154.8 to 163.6 lb (8 values within 60 days); this one 159.6: fits" in first.values.words


def test_what_was_voided_says_nothing(house: House) -> None:
    number = house.weighs(72.4)
    house.run("update observation set quality = quality | 8 where patient_id = %s and value > 72", house.maria.id)
    standing = next(each for each in house.suggested()[number].ranking if each.user.patient_id == house.maria.id)
    assert standing.confidence is Confidence.CANNOT_TELL
    assert "3 known, fewer than 5" in standing.values.words


def test_who_gave_the_scale_back_is_looked_at_for_sixty_days(house: House) -> None:
    number = house.weighs(88.6)
    last_use = "update device_assignment set during = tstzrange('2026-01-06', %s) where patient_id = %s"
    house.run(last_use, house.clock() - timedelta(days=59), house.tom.id)
    assert "Weiss, Tom" in _stands(house.suggested()[number])
    house.run(last_use, house.clock() - timedelta(days=61), house.tom.id)
    assert "Weiss, Tom" not in _stands(house.suggested()[number])


def _elsewhere(house: House, database: Database) -> tuple[Clinic, Person]:
    """Another practice that has registered the same scale, and whose patient weighs what the reading says."""
    other = Clinic(database, now=house.clock(), name="Elsewhere")
    sue = other.patient("Sue", "Other")
    house.run("update device set address = %s where id = %s", house.scale, sue.devices[Kind.BODY_WEIGHT][0])
    rows = [
        (sue, Kind.BODY_WEIGHT, {"body_weight": (80.5, "kg")}, house.clock() - timedelta(days=n), False, ())
        for n in range(1, 9)
    ]
    other.measure_many(rows)
    return other, sue


def test_another_practices_people_and_values_are_never_used(house: House, database: Database) -> None:
    other, sue = _elsewhere(house, database)
    number = house.weighs(80.5)
    assert set(_stands(house.suggested()[number])) == {"Alvarez, Maria", "Weiss, Tom"}
    # Not even where the number of a held reading of somebody else's practice is given.
    sam = Actor(other.staff("sam", "admin"), other.practice_id, Role.ADMIN, "Sam")
    with database.transaction() as connection:
        foreign = holding.list_held(connection, actor=house.rosa)
        assert suggestions(connection, foreign, actor=sam) == {}
    # Nor what another practice has measured of one who is a patient here.
    house.run("update observation set patient_id = %s where patient_id = %s", house.maria.id, sue.id)
    standing = next(each for each in house.suggested()[number].ranking if each.user.patient_id == house.maria.id)
    assert "(8 values" in standing.values.words


def test_it_is_bounded(house: House) -> None:
    at = house.clock() - timedelta(days=20)
    house.receives(
        *(
            weight(72 + n % 5 / 10, at - timedelta(hours=7 * n), address=house.scale, user_slot=1)
            for n in range(VALUES_MAX)
        )
    )
    for n in range(ASKED_MAX + 2):
        house.weighs(72.4 + n / 100)
    found = house.suggested()
    assert len(found) == ASKED_MAX
    known = {each.user.name: len(each.user.usual["body_weight"]) for each in next(iter(found.values())).ranking}
    assert known == {"Alvarez, Maria": VALUES_MAX, "Weiss, Tom": len(HIS)}


def test_the_page_says_why_offers_the_likely_first_and_chooses_nobody(house: House, website: Website) -> None:
    number = house.weighs(88.6)
    rosa = Visitor(website).sign_in("rosa")
    assert "likely Weiss, Tom" in rosa.page("/held")
    page = rosa.page(f"/held/{number}")
    for said in ("Likely Weiss, Tom", "this one 88.6: fits", "this one 88.6: far outside", "Only a suggestion"):
        assert said in page
    form = page[page.index('<select id="patient"') : page.index("</select>")]
    values = re.findall(r'<option value="([^"]*)"', form)
    assert values == ["", str(house.tom.public_id), str(house.maria.public_id)]
    assert "selected" not in form
    assert form.count("(likely)") == 1
    looks = house.rows("select detail from audit where action = 'saw held readings' order by id")
    assert [row["detail"]["patients"] for row in looks] == [[house.maria.id, house.tom.id]] * 2
    # A person decides.
    start = re.search(r'name="start" value="([^"]+)"', page)
    assert start is not None
    answer = rosa.post(f"/held/{number}/claim", patient=str(house.tom.public_id), start=start.group(1))
    assert answer.status_code == httpx.codes.SEE_OTHER
    assert house.rows("select state, patient_id from held") == [{"state": "claimed", "patient_id": house.tom.id}]
    assert "Whose it may be" not in rosa.page(f"/held/{number}")


def test_two_alike_are_offered_alike(house: House, website: Website) -> None:
    house.run("update observation set value = 72 where practice_id = %s", house.clinic.practice_id)
    number = house.weighs(72.1)
    rosa = Visitor(website).sign_in("rosa")
    page = rosa.page(f"/held/{number}")
    assert "it fits several people alike" in page
    assert "(likely)" not in page
    assert "cannot tell" in rosa.page("/held")


def test_the_command_says_the_same(house: House) -> None:
    number = house.weighs(72.4)
    environment = {**os.environ, "RPM_DSN": house.clinic.database.dsn}
    command = [sys.executable, "-m", "rpm", "held", "show", str(number), "--as", "rosa"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "whose it may be: Likely Alvarez, Maria" in shown.stdout
    assert "  Weiss, Tom, born 1955-04-02: does not fit\n    Weight: usually" in shown.stdout
