"""A5 from the pages: a device is given out, its first reading waits, and somebody says on the device's page whose it is.

Method: forms as a browser sends them, readings through ingest's own door, the patient's page to look at what was filed.
"""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.readings import batch, pressure
from tests.support.visitor import Visitor
from tests.support.website import Website

NEW = "C0:00:00:00:77:01"


class Handing:
    """Rosa gives Maria a new cuff, and it measures."""

    def __init__(self, clinic: Clinic, clock: SettableClock, rosa: Visitor, maria: Person) -> None:
        self.clinic, self.clock, self.rosa, self.maria = clinic, clock, rosa, maria
        answer = rosa.post("/devices", address=NEW, kind="blood_pressure", label="New cuff", single_person="true")
        self.page = answer.headers["location"]
        given = rosa.post(f"{self.page}/assign", patient=str(maria.public_id))
        assert given.status_code == httpx.codes.SEE_OTHER, given.text
        [use] = self.rows("select id from device_assignment where pending")
        self.use = f"{self.page}/uses/{use['id']}"
        self._seq = 0

    def measures(self, systolic: float) -> int:
        """The number of the held reading."""
        self.clock.forward(minutes=2)
        self._seq += 1
        reading = pressure(systolic, 80, self.clock() - timedelta(minutes=1), address=NEW)
        message = batch(self.clinic.gateway_id, reading, first_seq=self._seq)
        settle(self.clinic.database, [Message(*message)], now=self.clock())
        return self.rows("select max(id) as id from held")[0]["id"]

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.clinic.database.transaction() as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def handing(clinic: Clinic, clock: SettableClock, rosa: Visitor, maria: Person) -> Handing:
    return Handing(clinic, clock, rosa, maria)


def test_the_first_reading_waits_and_is_confirmed_with_the_patient_on_the_phone(handing: Handing) -> None:
    rosa = handing.rosa
    assert "has not measured yet: have the patient measure, then call" in rosa.page(handing.page)
    number = handing.measures(142)
    assert "nobody has confirmed a test reading with them yet" in rosa.page("/held")
    assert f'href="{handing.page}"' in rosa.page(f"/held/{number}")
    assert "142" not in rosa.page(f"/patients/{handing.maria.public_id}")
    page = rosa.page(handing.page)
    assert "Is it really at Maria Alvarez’s home?" in page
    assert "+1 555 0100" in page
    assert "Systolic in mmHg" in page
    assert not re.search(r"(?<!\d)142(?!\d)", page), "she is not shown what she has to ask for"
    wrong = rosa.post(f"{handing.use}/confirm", reading=str(number), how="patient", said="118")
    assert wrong.status_code == httpx.codes.BAD_REQUEST
    assert "may stand at another home" in wrong.text
    done = rosa.post(f"{handing.use}/confirm", reading=str(number), how="patient", said="142")
    assert "is filed under this patient" in rosa.page(done.headers["location"])
    assert "142/80" in rosa.page(f"/patients/{handing.maria.public_id}")
    assert "not confirmed" not in rosa.page("/devices")


def test_support_staff_confirm_as_a_second_person_and_see_no_value(handing: Handing, website: Website) -> None:
    number = handing.measures(142)
    fields = {"reading": str(number), "how": "second person"}
    own = handing.rosa.post(f"{handing.use}/confirm", **fields)
    assert own.status_code == httpx.codes.BAD_REQUEST
    support = Visitor(website).sign_in("support")
    assert not re.search(r"(?<!\d)142(?!\d)", support.page(handing.page))
    assert support.post(f"{handing.use}/confirm", **fields).status_code == httpx.codes.SEE_OTHER
    assert handing.rows("select patient_id from reading") == [{"patient_id": handing.maria.id}]


def test_a_device_at_the_wrong_home_is_freed(handing: Handing) -> None:
    number = handing.measures(142)
    done = handing.rosa.post(f"{handing.use}/refuse")
    assert "nobody’s now" in handing.rosa.page(done.headers["location"])
    assert handing.rows("select * from reading") == []
    assert "I know whose it is" in handing.rosa.page(f"/held/{number}")


def test_another_practices_device_is_not_there_to_be_confirmed(
    handing: Handing, database: Database, website: Website
) -> None:
    number = handing.measures(142)
    other = Clinic(database, now=handing.clock(), name="Other Clinic")
    other.staff("sam")
    sam = Visitor(website).sign_in("sam")
    assert sam.get(handing.page).status_code == httpx.codes.NOT_FOUND
    for path, fields in (("confirm", {"reading": str(number), "how": "second person"}), ("refuse", dict[str, str]())):
        answer = sam.post(f"{handing.use}/{path}", **fields)
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert "not waiting to be confirmed" in answer.text
    assert len(handing.rows("select 1 from device_assignment where pending")) == 1
