"""One box's page and what is asked of a home from it and from the patient's page, with the answers as the box gives them.

Method: the boxes speak through ingest's own door; requests are published and answered as a worker would; forms as sent.
"""

import json
import re
from typing import Any

import httpx
import pytest

from rpm.store import requests
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import EventName
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.homes import Homes
from tests.support.visitor import Visitor
from tests.support.website import Website


class Home:
    """Maria's box, which has heard her cuff, and somebody of support at its page."""

    def __init__(self, clinic: Clinic, clock: SettableClock, maria: Person, website: Website) -> None:
        self.homes, self.clinic, self.clock, self.maria = Homes(clinic, clock), clinic, clock, maria
        self.cuff_id, self.cuff = maria.devices[Kind.BLOOD_PRESSURE]
        self.homes.says(outbox_depth=2, outbox_oldest_s=300.0, buffer_days=80.0, rssi_dbm=-71, epoch="00c0ffee00c0ffee")
        self.homes.measures(self.cuff)
        clock.forward(minutes=1)
        self.page = f"/gateways/{clinic.gateway_id}"
        self.support = Visitor(website).sign_in("support")
        self.rosa = Visitor(website).sign_in("rosa")

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.clinic.database.transaction() as connection:
            return connection.execute(statement.encode()).fetchall()

    def publishes(self) -> Any:
        with self.clinic.database.transaction() as connection:
            [request] = requests.claim(connection, now=self.clock(), limit=10)
        return request

    def answers(self, request_id: str, name: EventName) -> None:
        self.clock.forward(seconds=20)
        self.homes.tells(name, request_id=request_id)


@pytest.fixture
def home(clinic: Clinic, clock: SettableClock, maria: Person, website: Website) -> Home:
    return Home(clinic, clock, maria, website)


def _words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_how_a_box_does(home: Home) -> None:
    page = _words(home.support.page(home.page))
    for said in (
        "Nothing is wrong here.", "Version 1.2", "Running for 2 h 30 min", "2 readings the oldest for 5 min",
        "about 80 days", "-71 dBm", "Maria Alvarez", "synchronised",
    ):  # fmt: skip
        assert said in page, said
    assert not re.search(r"(?<!\d)142/", page)


def test_the_clock_of_each_device_is_a_series_that_keeps_what_it_was(home: Home) -> None:
    """F5: offsets are kept and drawn, and that a clock was put right is said."""
    for days_ago, behind_s in ((9, 1.0), (6, 2220.0), (5, 2230.0), (2, 0.5)):
        home.homes.tells(EventName.DEVICE_CLOCK, behind_s, address=home.cuff, days_ago=days_ago)
    page = _words(home.support.page(home.page))
    assert "Its clock: right" in page
    assert "told 4 times; now right, at worst 37 minutes behind" in home.support.page(home.page)
    assert page.index("right put right") < page.rindex("37 minutes behind")
    answer = json.loads(home.support.get(f"{home.page}/series").text)
    [chart] = answer["charts"]
    assert (answer["gateway"], chart["key"]) == (home.clinic.gateway_id, f"clock-{home.cuff_id}")
    assert chart["values"] == [1.0, 2220.0, 2230.0, 0.5]


def test_a_battery_that_will_be_empty_in_a_week_is_told_a_week_ahead_and_is_no_day_of_data(home: Home) -> None:
    """F13: its trend, not only its last word, and nothing of it is billed or judged."""
    for days_ago, percent in ((24, 90), (18, 75), (12, 60), (6, 45), (0, 30)):
        home.homes.tells(EventName.DEVICE_BATTERY, percent, address=home.cuff, days_ago=days_ago)
    # 2.5 % a day: from 30 % to the 5 % at which it stops are ten days. Four days later six are left.
    assert "empty in about 10 days" in _words(home.support.page(home.page))
    assert "battery low" not in _words(home.support.page("/fleet"))
    home.clock.forward(days=4)
    home.support.sign_in("support")
    home.homes.says()
    home.homes.tells(EventName.DEVICE_BATTERY, 20.5, address=home.cuff)
    assert "Battery of “cuff” at 20 %, for about 6 days more." in _words(home.support.page("/fleet"))
    days = home.rows("select count(distinct measured_at::date) as n from reading")
    assert days == [{"n": 1}], "the one squeeze, and no word of a battery"


def test_ask_to_measure_from_the_boxs_page_and_see_the_answer(home: Home) -> None:
    answer = home.support.post(f"{home.page}/ask", what="measure_again", measure="blood_pressure", minutes="30")
    assert answer.headers["location"] == f"{home.page}#asked"
    assert "on its way to the box" in home.support.page(home.page)
    again = home.support.post(f"{home.page}/ask", what="measure_again", measure="blood_pressure", minutes="30")
    assert "being asked already" in again.text
    request = home.publishes()
    home.answers(request.request_id, EventName.REQUEST_SHOWN)
    assert "the box asks for it now" in home.support.get(f"{home.page}/now").text
    home.answers(request.request_id, EventName.REQUEST_DONE)
    assert "done" in _words(home.support.get(f"{home.page}/now").text)
    [row] = home.rows("select detail from audit where action = 'asked a gateway for something'")
    assert row["detail"]["what"] == "measure_again"


def test_what_nobody_does_ends_and_is_said_so(home: Home) -> None:
    home.support.post(f"{home.page}/ask", what="call_us")
    home.answers(home.publishes().request_id, EventName.REQUEST_SHOWN)
    assert "for 23 h more" in _words(home.support.get(f"{home.page}/now").text)
    home.clock.forward(hours=25)
    home.support.sign_in("support")
    assert "ended: nobody did it" in home.support.get(f"{home.page}/now").text


def test_have_it_send_again_what_it_keeps(home: Home) -> None:
    home.support.post(f"{home.page}/ask", what="replay")
    request = home.publishes()
    assert request.arguments == {"epoch": "00c0ffee00c0ffee", "from_seq": 1, "to_seq": 2**63 - 1}


def test_the_nurse_asks_from_the_patients_page_and_sees_which_reading_answered(home: Home) -> None:
    page = f"/patients/{home.maria.public_id}"
    with home.clinic.database.transaction() as connection:
        connection.execute("update device_assignment set user_slot = 2 where device_id = %s", [home.cuff_id])
    assert "as user 2" in home.rosa.page(page)
    done = home.rosa.post(f"{page}/measure-again", measure="blood_pressure", minutes="30")
    assert done.status_code == httpx.codes.SEE_OTHER
    request = home.publishes()
    assert request.arguments == {"kind": "blood_pressure", "user_slot": 2}, "her place on the cuff, not her husband's"
    home.answers(request.request_id, EventName.REQUEST_SHOWN)
    assert "the box asks for it now" in home.rosa.page(page)
    with home.clinic.database.transaction() as connection:
        connection.execute("update device_assignment set user_slot = null where device_id = %s", [home.cuff_id])
    home.clock.forward(minutes=2)
    home.homes.measures(home.cuff)
    home.answers(request.request_id, EventName.REQUEST_DONE)
    shown = home.rosa.get(f"{page}/asked").text
    [reading] = home.rows("select reading_id from reading order by measured_at desc limit 1")
    assert f"{page}/readings/{reading['reading_id']}" in shown
    [row] = home.rows("select patient_id from audit where action = 'asked a gateway for something'")
    assert row["patient_id"] == home.maria.id


def test_a_patient_without_a_box_can_not_be_asked(home: Home) -> None:
    page = f"/patients/{home.maria.public_id}"
    refused = home.rosa.post(f"{page}/measure-again", measure="glucose")
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "o box has heard a device of this patient" in refused.text


def test_another_practices_box_is_not_there(home: Home, database: Database, website: Website) -> None:
    other = Clinic(database, now=home.clock(), name="Other Clinic")
    other.staff("sam", "support")
    sam = Visitor(website).sign_in("sam")
    for path in (home.page, f"{home.page}/now", f"{home.page}/series", "/gateways/gw-of-nobody"):
        assert sam.get(path).status_code == httpx.codes.NOT_FOUND, path
    assert sam.post(f"{home.page}/ask", what="call_us").status_code == httpx.codes.NOT_FOUND
    assert home.rows("select 1 from gateway_request") == []
