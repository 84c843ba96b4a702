"""A device that came back is wiped, and sends nothing for its old patient any more (F95; A1).

Method: Maria's cuff is taken back, wiped on its page, tried in the office by a clock that was set back, and given to Tom.
"""

from datetime import UTC, datetime, timedelta

import pytest

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.ingest.batch import settle
from rpm.store import devices
from rpm.store.database import Database
from rpm.store.devices import Wiping
from schemas.codes import Kind
from schemas.reading import Reading
from tests.services.settling import NOW, cuff_of, message_of, outcomes_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.readings import pressure
from tests.support.visitor import Visitor
from tests.support.website import Website

RETURNED, WIPED = NOW - timedelta(days=5), NOW - timedelta(days=4)


class Office:
    """A cuff that came back from Maria."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = two_homes(database)
        self.maria = self.clinic.patient("Maria", "Alvarez")
        self.tom = self.clinic.patient("Tom", "Weiss", measures=False)
        self.sue = Actor(
            self.clinic.staff("sue", "support", name="Sue S."), self.clinic.practice_id, Role.SUPPORT, "Sue S."
        )
        self.cuff = self.maria.devices[Kind.BLOOD_PRESSURE][0]
        (use,) = rows_of(database, "select id from device_assignment where device_id = %s", self.cuff)
        self.use: int = use["id"]

    def take_back(self, at: datetime = RETURNED) -> None:
        with self.database.transaction() as connection:
            devices.return_device(connection, assignment_id=self.use, at=at, actor=self.sue, now=at)

    def wipe(self, at: datetime = WIPED, by: Actor | None = None) -> None:
        with self.database.transaction() as connection:
            devices.wipe(
                connection,
                device_id=self.cuff,
                assignment_id=self.use,
                how=Wiping.CLEARED,
                actor=by or self.sue,
                now=at,
            )

    def squeeze(self, systolic: float, measured_at: datetime, received_at: datetime) -> Reading:
        return pressure(systolic, 80, measured_at, address=cuff_of(self.maria), received_at=received_at)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def test_what_is_read_from_a_wiped_device_is_not_its_old_patients(office: Office) -> None:
    """Its clock says March; the box that read it did so after it was wiped. What waited in her box since before is hers."""
    office.take_back()
    office.wipe()
    march = RETURNED - timedelta(days=80)
    tried = office.squeeze(118, march, WIPED + timedelta(hours=1))
    waited = office.squeeze(151, RETURNED - timedelta(days=1), RETURNED - timedelta(hours=23))
    assert outcomes_of(settle(office.database, [message_of(tried, waited)], now=NOW)) == {1: "unassigned", 2: "stored"}
    (held,) = rows_of(office.database, "select reason, reading_id from held")
    assert (held["reason"], held["reading_id"]) == ("wiped_since", tried.reading_id)
    (hers,) = rows_of(office.database, "select patient_id, reading_id from reading")
    assert (hers["patient_id"], hers["reading_id"]) == (office.maria.id, waited.reading_id)


def test_before_it_is_wiped_what_it_kept_is_still_hers(office: Office) -> None:
    office.take_back()
    kept = office.squeeze(151, RETURNED - timedelta(days=1), NOW - timedelta(hours=1))
    assert outcomes_of(settle(office.database, [message_of(kept)], now=NOW)) == {1: "stored"}
    assert rows_of(office.database, "select patient_id from reading") == [{"patient_id": office.maria.id}]


def test_it_is_wiped_once_after_it_came_back_and_by_its_own_practice(office: Office) -> None:
    with pytest.raises(UserError, match="is in use"):
        office.wipe()
    office.take_back()
    elsewhere = Clinic(office.database, now=NOW, name="Elsewhere")
    eve = Actor(elsewhere.staff("eve", "admin"), elsewhere.practice_id, Role.ADMIN, "Eve")
    with pytest.raises(UserError, match="is in use, or was wiped"):
        office.wipe(by=eve)
    office.wipe()
    with pytest.raises(UserError, match="was wiped before"):
        office.wipe()
    told = rows_of(
        office.database, "select patient_id, detail from audit where action = 'wiped a device that came back'"
    )
    assert [(row["patient_id"], row["detail"]["how"]) for row in told] == [(office.maria.id, "memory cleared")]


def test_on_its_page(office: Office, clock: SettableClock) -> None:
    """Given back, it says that it was not wiped, and is not given to anybody else until it is, or somebody says so."""
    clock.forward(seconds=(NOW.astimezone(UTC) - clock()).total_seconds())
    office.take_back()
    with Website(office.database, clock) as website:
        sue = Visitor(website).sign_in("sue")
        page = f"/devices/{office.cuff}"
        assert "not wiped" in sue.page("/devices")
        assert "not wiped" in sue.page(page)
        give = {"patient": str(office.tom.public_id), "start": "", "slot": ""}
        refused = sue.post(f"{page}/assign", **give)
        assert "wipe it first" in refused.text
        assert "not wiped" in sue.page(page)
        sue.post(f"{page}/uses/{office.use}/wiped", how="factory reset")
        shown = sue.page(f"{page}?done=wiped")
        assert "Out of the device: factory reset, Sue S., " in shown
        assert "not wiped" not in sue.page("/devices")
        assert sue.post(f"{page}/assign", **give).headers["location"] == page
        assert "Weiss, Tom" in sue.page(page)


def test_it_can_be_given_as_it_is_by_whoever_says_so(office: Office, clock: SettableClock) -> None:
    clock.forward(seconds=(NOW.astimezone(UTC) - clock()).total_seconds())
    office.take_back()
    with Website(office.database, clock) as website:
        sue = Visitor(website).sign_in("sue")
        page = f"/devices/{office.cuff}"
        sue.post(f"{page}/assign", patient=str(office.tom.public_id), start="", slot="", as_it_is="true")
        assert "Weiss, Tom" in sue.page(page)


def test_the_same_patient_gets_it_back_as_it_is(office: Office) -> None:
    office.take_back()

    def give(person: Person) -> None:
        with office.database.transaction() as connection:
            devices.refuse_unwiped(
                connection, device_id=office.cuff, user_slot=None, patient_id=person.id, actor=office.sue, now=NOW
            )

    give(office.maria)
    with pytest.raises(UserError, match="wipe it first"):
        give(office.tom)


def test_one_wiping_is_of_everybody_who_used_it_before(office: Office) -> None:
    """Given again as it is, and wiped when it came back from the second one: nothing of the first one's is in it either."""
    office.take_back(NOW - timedelta(days=9))
    with office.database.transaction() as connection:
        start = NOW - timedelta(days=8)
        again = devices.assign(
            connection, device_id=office.cuff, patient_id=office.tom.id, start=start, actor=office.sue, now=start
        )
    office.use = again
    office.take_back()
    office.wipe()
    old = office.squeeze(171, NOW - timedelta(days=12), NOW)
    settle(office.database, [message_of(old)], now=NOW)
    assert rows_of(office.database, "select 1 from reading where patient_id = %s", office.maria.id) == []
    [row] = rows_of(office.database, "select count(*) as n from device_assignment where wiped_at is null")
    assert row["n"] == len(office.maria.devices) - 1, "of her other devices"
