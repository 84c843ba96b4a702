"""The pages "Held readings" and "Devices" as a nurse and an administrator use them, on the real database."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import Channel, Status, StatusKind, topic
from schemas.quantity import Absent
from schemas.reading import Reading
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock
from tests.support.readings import batch, glucose, pressure
from tests.support.visitor import Visitor
from tests.support.website import Website

UNKNOWN = "C0:00:00:00:99:99"


class Ward:
    """A clinic whose pages are open, with a nurse signed in and Maria at home."""

    def __init__(self, clinic: Clinic, website: Website, clock: SettableClock) -> None:
        self.clinic, self.clock = clinic, clock
        self.maria = clinic.patient("Maria", "Alvarez")
        clinic.staff("rosa")
        clinic.staff("ada", "admin")
        self.rosa = Visitor(website).sign_in("rosa")
        self.ada = Visitor(website).sign_in("ada")
        self._seq = 0

    def receives(self, *readings: Reading, gateway_id: str = "") -> None:
        message = batch(gateway_id or self.clinic.gateway_id, *readings, first_seq=self._seq + 1)
        self._seq += len(readings)
        settle(self.clinic.database, [Message(*message)], now=self.clock())

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.clinic.database.transaction() as connection:
            return connection.execute(statement.encode()).fetchall()

    def number(self) -> int:
        (row,) = self.rows("select id from held where state = 'held'")
        return row["id"]

    def address(self, kind: Kind = Kind.BLOOD_PRESSURE) -> str:
        return self.maria.devices[kind][1]


@pytest.fixture
def ward(database: Database, clock: SettableClock) -> Iterator[Ward]:
    clinic = Clinic(database, now=clock())
    with Website(database, clock) as website:
        yield Ward(clinic, website, clock)


def _went_to(answer: httpx.Response) -> str:
    assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
    return answer.headers["location"]


def test_nothing_is_held(ward: Ward) -> None:
    assert "All readings are in use" in ward.rosa.page("/held")


def test_a_held_reading_says_why_and_whose_and_what(ward: Ward) -> None:
    ward.receives(pressure(270, 130, ward.clock(), address=ward.address()))
    page = ward.rosa.page("/held")
    assert "1 reading held" in page
    for said in ("The value is very unlikely", "270/130 mmHg, Pulse 72 /min", "Alvarez, Maria"):
        assert said in page
    one = ward.rosa.page(f"/held/{ward.number()}")
    assert "Release" in one
    assert "Set aside" in one
    assert "I know whose it is" not in one


def test_hi_is_shown_as_hi(ward: Ward) -> None:
    ward.receives(glucose(Absent.POSITIVE_INFINITY, ward.clock(), address=ward.address(Kind.GLUCOSE)))
    page = ward.rosa.page("/held")
    assert "Glucose HI" in page
    assert "The meter showed HI" in page


def test_release_and_void_from_the_page(ward: Ward) -> None:
    ward.receives(pressure(270, 130, ward.clock(), address=ward.address()))
    first = ward.number()
    where = _went_to(ward.rosa.post(f"/held/{first}/release"))
    assert "marked as released by hand" in ward.rosa.page(where)
    assert ward.rows("select patient_id from reading") == [{"patient_id": ward.maria.id}]
    again = ward.rosa.post(f"/held/{first}/void")
    assert again.status_code == httpx.codes.BAD_REQUEST
    assert "was decided before: released" in again.text
    ward.receives(pressure(280, 130, ward.clock(), address=ward.address()))
    second = ward.number()
    _went_to(ward.rosa.post(f"/held/{second}/void", note="cuff over a coat"))
    assert "cuff over a coat" in ward.rosa.page(f"/held/{second}")
    actions = [
        row["action"] for row in ward.rows("select action from audit where action like '%% held reading' order by id")
    ]
    assert actions == ["released a held reading", "voided a held reading"]


def test_claim_from_the_page_in_the_practices_time(ward: Ward) -> None:
    ward.receives(pressure(120, 80, ward.clock() - timedelta(hours=1), address=UNKNOWN))
    number = ward.number()
    page = ward.rosa.page(f"/held/{number}")
    # 13:00 UTC is 09:00 in New York.
    assert 'value="2026-06-10T09:00"' in page
    assert str(ward.maria.public_id) in page
    _went_to(ward.rosa.post(f"/held/{number}/claim", patient=str(ward.maria.public_id), start="2026-06-10T08:00"))
    (use,) = ward.rows("select lower(during) as since, patient_id from device_assignment order by id desc limit 1")
    assert use["since"].isoformat() == "2026-06-10T12:00:00+00:00"
    assert ward.rows("select patient_id from reading") == [{"patient_id": ward.maria.id}]


@pytest.mark.parametrize("start", ["", "yesterday", "2026-06-10"])
def test_a_claim_without_a_time_is_refused_in_words(ward: Ward, start: str) -> None:
    ward.receives(pressure(120, 80, ward.clock() - timedelta(hours=1), address=UNKNOWN))
    answer = ward.rosa.post(f"/held/{ward.number()}/claim", patient=str(ward.maria.public_id), start=start)
    if start == "2026-06-10":
        assert answer.status_code == httpx.codes.SEE_OTHER
    else:
        assert answer.status_code == httpx.codes.BAD_REQUEST


def test_what_nobody_can_read_is_shown_as_it_came(ward: Ward) -> None:
    name = topic(ward.clinic.gateway_id, Channel.READINGS)
    settle(ward.clinic.database, [Message(name, b"<script>not json</script>")], now=ward.clock())
    page = ward.rosa.page(f"/held/{ward.number()}")
    assert b"<script>not json".hex() in page
    assert "Release" not in page


def test_markup_in_a_held_item_stays_text(ward: Ward) -> None:
    squeeze = pressure(120, 80, ward.clock(), address=UNKNOWN)
    evil = squeeze.model_copy(update={"context": {"meal": "<script>alert(1)</script>"}})
    ward.receives(evil)
    assert "<script>alert" not in ward.rosa.page(f"/held/{ward.number()}")


def test_another_practices_held_reading_is_not_there(ward: Ward, database: Database) -> None:
    other = Clinic(database, now=ward.clock(), name="Elsewhere")
    settle(
        database,
        [Message(*batch(other.gateway_id, pressure(120, 80, ward.clock(), address=UNKNOWN)))],
        now=ward.clock(),
    )
    (row,) = ward.rows("select id from held")
    assert ward.rosa.get(f"/held/{row['id']}").status_code == httpx.codes.NOT_FOUND
    assert ward.rosa.post(f"/held/{row['id']}/void").status_code == httpx.codes.BAD_REQUEST
    assert ward.rows("select state from held") == [{"state": "held"}]


def test_a_device_is_registered_given_and_taken_back(ward: Ward) -> None:
    tom = ward.clinic.patient("Tom", "Weiss", measures=False)
    where = _went_to(ward.rosa.post("/devices", address="c0-00-00-00-99-99", kind="blood_pressure", label="Spare cuff"))
    page = ward.rosa.page(where)
    assert UNKNOWN in page
    assert "several people" in page
    _went_to(ward.rosa.post(f"{where}/assign", patient=str(tom.public_id), slot="1"))
    ward.clock.forward(minutes=5)
    page = ward.rosa.page(where)
    assert "Weiss, Tom" in page
    found = re.search(rf'action="({where}/uses/\d+/return)"', page)
    assert found is not None
    _went_to(ward.rosa.post(found.group(1)))
    assert "Nobody." in ward.rosa.page(where)
    (use,) = ward.rows("select upper(during) as until from device_assignment order by id desc limit 1")
    assert use["until"] == ward.clock()
    twice = ward.rosa.post(found.group(1))
    assert "cannot be taken back then" in twice.text


def test_a_device_in_use_is_not_given_away(ward: Ward) -> None:
    tom = ward.clinic.patient("Tom", "Weiss", measures=False)
    device_id, _ = ward.maria.devices[Kind.BLOOD_PRESSURE]
    answer = ward.rosa.post(f"/devices/{device_id}/assign", patient=str(tom.public_id))
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "Someone uses this device in that time already: take it back from them first." in answer.text


@pytest.mark.parametrize("address", ["", "C0:00", "zz:zz:zz:zz:zz:zz"])
def test_an_address_that_is_none(ward: Ward, address: str) -> None:
    answer = ward.rosa.post("/devices", address=address, kind="glucose", label="Meter")
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert ward.rows("select count(*) as n from device") == [{"n": 3}]


def test_devices_are_found_by_patient_and_name(ward: Ward) -> None:
    assert ward.address() in ward.rosa.page("/devices")
    assert ward.address() in ward.rosa.page("/devices?q=alvarez")
    assert "No device found" in ward.rosa.page("/devices?q=nothing%20like%20it")


def test_gateways_say_how_they_are(ward: Ward) -> None:
    told = Status(gateway_id=ward.clinic.gateway_id, kind=StatusKind.HEARTBEAT, sent_at=ward.clock(), outbox_depth=17)
    name = topic(ward.clinic.gateway_id, Channel.STATUS)
    settle(ward.clinic.database, [Message(name, told.model_dump_json().encode())], now=ward.clock())
    page = ward.rosa.page("/devices")
    assert "17" in page
    assert "connected" in page
    ward.clock.forward(minutes=11)
    assert "silent" in ward.rosa.page("/devices")


def test_a_gateway_nobody_registered_is_claimed_by_an_administrator(ward: Ward) -> None:
    ward.receives(pressure(120, 80, ward.clock(), address=ward.address()), gateway_id="gw-found")
    assert "gw-found" not in ward.rosa.page("/devices")
    assert "not registered" in ward.ada.page("/devices")
    _went_to(ward.ada.post("/gateways", gateway_id="gw-found", label="Mrs. A"))
    assert "gw-found" in ward.rosa.page("/devices")
    assert ward.rows("select patient_id from reading") == [{"patient_id": ward.maria.id}]


def test_what_was_mended_is_taken_in_again(ward: Ward) -> None:
    """One by its own button, all of a reason by the list's, each with why."""
    for n in range(3):
        ward.receives(pressure(120 + n, 80, ward.clock() - timedelta(hours=n), address=UNKNOWN))
    number = ward.rows("select min(id) as id from held")[0]["id"]
    page = ward.rosa.page("/held")
    assert "Take in again" in page
    assert "This device is not registered with the practice." in page
    still = _went_to(ward.rosa.post(f"/held/{number}/replay", why="is it mended?"))
    assert "The reading is still held: see why." in ward.rosa.page(still)
    assert _went_to(ward.rosa.post("/held/replay", reason="unknown_device")).endswith("tried=0,0,3")
    ward.rows(
        "with made as (insert into device (practice_id, address, kind, label, created_at) select practice_id,"
        f" '{UNKNOWN}', 'blood_pressure', 'Cuff', 'epoch' from patient where id = {ward.maria.id} returning *)"
        " insert into device_assignment (practice_id, device_id, patient_id, during) select practice_id, id,"
        f" {ward.maria.id}, tstzrange('2026-01-01', null) from made returning id"
    )
    assert _went_to(ward.rosa.post(f"/held/{number}/replay", why="registered")) == "/held?done=stored"
    told = ward.rosa.page(_went_to(ward.rosa.post("/held/replay", reason="unknown_device", why="registered")))
    assert "2 stored, 0 duplicate, 0 still held." in told
    assert ward.rows("select count(*)::int as n from reading") == [{"n": 3}]
    assert ward.rows("select distinct decision from held") == [{"decision": "stored. registered"}]
