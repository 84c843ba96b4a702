"""A box is set up in the browser, step by step, and cut off there (F11, F22); what a page that refreshes itself records.

Method: forms as a browser sends them; the box's certificate is signed by the registrar its request would meet; what it says
and measures goes through ingest's own door, by a clock that is moved: the seconds on the page are the clock's.
"""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from rpm.enrolment import Registrar, enrol
from rpm.identity.authority import Kind as Signs
from rpm.identity.authority import make_authority
from rpm.store.database import Database
from rpm.store.gateways import save_status
from schemas.codes import Kind
from schemas.enrolment import Certified, EnrolRequest, Refusal
from schemas.messages import Status, StatusKind
from tests.support.box import csr_of, new_key
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.homes import Homes
from tests.support.visitor import Visitor
from tests.support.website import Website

NEW = "C0:00:00:00:77:01"
_CODE = re.compile(r'<p class="claimcode"[^>]*>([^<]*)</p>')


class Kitchen:
    """Where a box is being set up: support at the page, the box beside her."""

    def __init__(self, clinic: Clinic, clock: SettableClock, maria: Person, website: Website) -> None:
        self.clinic, self.clock, self.maria, self.website = clinic, clock, maria, website
        self.homes = Homes(clinic, clock)
        self.page = f"/gateways/{clinic.gateway_id}"
        self.support = Visitor(website).sign_in("support")
        authority = make_authority(Signs.GATEWAYS, now=clock())
        self.registrar = Registrar(authority, "mqtts://broker.example", authority.pem, grant_wait_s=0.0)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.clinic.database.transaction() as connection:
            return connection.execute(statement.encode()).fetchall()

    def code(self) -> str:
        """What the page shows."""
        return code_of(self.support.post(f"{self.page}/claim"))

    def enrols(self, code: str) -> Certified | Refusal:
        request = EnrolRequest(claim_code=code, csr=csr_of(new_key()))
        return enrol(self.clinic.database, self.registrar, request, address="127.0.0.1", now=self.clock())

    def is_born(self, given: Certified) -> None:
        status = Status(gateway_id=given.gateway_id, kind=StatusKind.BIRTH, certificate_not_after=given.not_after)
        with self.clinic.database.transaction() as connection:
            save_status(connection, status, now=self.clock())

    def steps(self) -> list[str]:
        """What the page says of each step that is done or next."""
        text = self.support.get(f"{self.page}/install/now", **{"X-Automatic": "1"}).text
        return [words(each) for each in re.findall(r'<li class="(?:done|next)".*?</li>', text, re.DOTALL)]

    def recorded(self, action: str) -> list[dict[str, Any]]:
        return [
            row["detail"]
            for row in self.rows("select action, detail from audit order by id")
            if row["action"] == action
        ]


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).strip()


def assert_after(step: str, seconds: int) -> None:
    """The page says that this step was done so long after the code."""
    assert f" after {seconds} seconds" in step


def code_of(answer: httpx.Response) -> str:
    assert answer.status_code == httpx.codes.OK, answer.text
    found = _CODE.search(answer.text)
    assert found, "no code is shown"
    return found.group(1)


@pytest.fixture
def kitchen(clinic: Clinic, clock: SettableClock, maria: Person, website: Website) -> Kitchen:
    return Kitchen(clinic, clock, maria, website)


def test_from_the_code_to_the_proof_of_set_up_with_the_seconds_of_each_step(kitchen: Kitchen) -> None:
    with kitchen.clinic.database.transaction() as connection:
        connection.execute("update enrolment set set_up_at = null")
    code = kitchen.code()
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", code)
    assert "Certificate given , next" in kitchen.steps()[-1]
    kitchen.clock.forward(seconds=40)
    given = kitchen.enrols(code)
    assert isinstance(given, Certified), given
    assert_after(kitchen.steps()[1], 40)
    kitchen.clock.forward(seconds=10)
    kitchen.is_born(given)
    assert_after(kitchen.steps()[2], 50)
    kitchen.clock.forward(seconds=30)
    made = kitchen.support.post("/devices", address=NEW, kind="blood_pressure", label="Cuff", single_person="true")
    device = made.headers["location"]
    kitchen.support.post(f"{device}/assign", patient=str(kitchen.maria.public_id))
    kitchen.clock.forward(seconds=60)
    kitchen.homes.measures(NEW)
    assert kitchen.rows("select reason from held") == [{"reason": "not_confirmed"}]
    *_, assigned, reading, confirmed = kitchen.steps()
    assert_after(assigned, 80)
    assert_after(reading, 140)
    assert reading.endswith("It is held until it is known whose it is: it counts.")
    assert "Confirmed , next" in confirmed
    [use] = kitchen.rows("select id from device_assignment where pending")
    [waiting] = kitchen.rows("select id from held")
    kitchen.clock.forward(seconds=70)
    call = {"reading": str(waiting["id"]), "how": "patient", "said": "142"}
    done = kitchen.support.post(f"{device}/uses/{use['id']}/confirm", **call)
    assert done.headers["location"].endswith("confirmed"), done.text
    confirmed = kitchen.steps()[-1]
    assert_after(confirmed, 210)
    assert confirmed.endswith("This reading is kept as the proof of set-up.")
    assert "Every step is done." in kitchen.support.page(f"{kitchen.page}/install")
    assert kitchen.recorded("made a code to let a gateway in") == [{"gateway": kitchen.clinic.gateway_id}]


def test_a_new_code_withdraws_the_old_and_none_is_shown_twice(kitchen: Kitchen) -> None:
    old = kitchen.code()
    page = kitchen.support.page(f"{kitchen.page}/install")
    assert old not in page
    assert "works for 15:00 more" in words(page)
    new = kitchen.code()
    assert isinstance(kitchen.enrols(old), Refusal)
    kitchen.clock.forward(minutes=14)
    assert isinstance(kitchen.enrols(new), Certified)
    assert kitchen.recorded("made a code to let a gateway in") == [{"gateway": kitchen.clinic.gateway_id}] * 2
    assert not kitchen.rows(f"select 1 from audit where detail::text like '%{new}%'"), (
        "the record is no place for a code"
    )


def test_a_code_whose_time_is_over_says_so(kitchen: Kitchen) -> None:
    kitchen.code()
    kitchen.clock.forward(minutes=15)
    kitchen.support.sign_in("support")
    page = words(kitchen.support.page(f"{kitchen.page}/install"))
    assert "The code lets nobody in any more: make a new one." in page
    assert len(kitchen.steps()) == 1


def test_a_new_box_gets_a_name_of_its_own_and_a_code(kitchen: Kitchen) -> None:
    answer = kitchen.support.post("/fleet/boxes", label="Mr. Okafor, Elm Street")
    given = kitchen.enrols(code_of(answer))
    assert isinstance(given, Certified)
    assert "Mr. Okafor, Elm Street" in kitchen.support.page("/fleet")
    assert kitchen.recorded("registered a gateway") == [{"gateway": given.gateway_id}]


def test_what_the_old_box_still_sends_is_no_first_reading_of_the_new(kitchen: Kitchen) -> None:
    """A box in another's place: until it has spoken itself, whatever comes under the name is the other's."""
    cuff = kitchen.maria.devices[Kind.BLOOD_PRESSURE][1]
    kitchen.homes.measures(cuff)
    kitchen.clock.forward(minutes=1)
    given = kitchen.enrols(kitchen.code())
    assert isinstance(given, Certified)
    kitchen.homes.measures(cuff)
    assert "First message , next" in kitchen.steps()[2]
    assert not [step for step in kitchen.steps() if step.startswith("First reading")]
    kitchen.clock.forward(minutes=1)
    kitchen.is_born(given)
    kitchen.clock.forward(minutes=1)
    kitchen.homes.measures(cuff)
    [reading] = [step for step in kitchen.steps() if step.startswith("First reading , done")]
    assert_after(reading, 120)
    kitchen.clock.forward(days=3)
    kitchen.support.sign_in("support")
    assert "Every step is done." in kitchen.support.page(f"{kitchen.page}/install"), "and stays so"


def test_what_the_old_box_sent_and_is_filed_later_is_no_first_reading_of_the_new(kitchen: Kitchen) -> None:
    device = kitchen.support.post("/devices", address=NEW, kind="blood_pressure", label="Cuff", single_person="true")
    page = device.headers["location"]
    kitchen.support.post(f"{page}/assign", patient=str(kitchen.maria.public_id))
    kitchen.clock.forward(minutes=1)
    kitchen.homes.measures(NEW)
    given = kitchen.enrols(kitchen.code())
    assert isinstance(given, Certified)
    kitchen.clock.forward(minutes=1)
    kitchen.is_born(given)
    [use] = kitchen.rows("select id from device_assignment where pending")
    [waiting] = kitchen.rows("select id from held")
    call = {"reading": str(waiting["id"]), "how": "patient", "said": "142"}
    kitchen.support.post(f"{page}/uses/{use['id']}/confirm", **call)
    assert len(kitchen.rows("select 1 from reading")) == 1, "it is filed"
    assert not [step for step in kitchen.steps() if step.startswith("First reading , done")]


def test_an_administrator_cuts_a_box_off_with_a_reason_and_gives_its_place_to_another(kitchen: Kitchen) -> None:
    given = kitchen.enrols(kitchen.code())
    assert isinstance(given, Certified)
    kitchen.is_born(given)
    ada = Visitor(kitchen.website).sign_in("admin")
    assert "Cut it off" not in kitchen.support.page(kitchen.page)
    page = words(ada.page(kitchen.page))
    assert "good" in page[page.index("Its certificates") : page.index("Cut it off")]
    unsure = ada.post(f"{kitchen.page}/revoke", reason="stolen")
    assert "Say that you mean it" in unsure.text
    assert not kitchen.rows("select 1 from certificate where revoked_at is not null"), "it was not meant"
    ada.post(f"{kitchen.page}/revoke", reason="stolen", sure="true")
    assert "not cut off yet" in ada.page(kitchen.page)
    assert [row["revoked_why"] for row in kitchen.rows("select revoked_why from certificate")] == ["revoked"]
    assert kitchen.recorded("cut a gateway off") == [
        {"gateway": kitchen.clinic.gateway_id, "certificates": 1, "reason": "stolen"}
    ]
    kitchen.clock.forward(minutes=1)
    code = code_of(ada.post(f"{kitchen.page}/replace", reason="stolen", sure="true"))
    assert isinstance(kitchen.enrols(code), Certified)
    [replaced] = kitchen.recorded("gave a gateway's place to another box")
    assert replaced["reason"] == "stolen"


def test_a_refresh_is_recorded_once_a_quarter_of_an_hour_and_when_it_shows_somebody_new(
    kitchen: Kitchen, clinic: Clinic
) -> None:
    """Who saw whom is the record's business, and not that a page asks every five seconds."""
    cuff = kitchen.maria.devices[Kind.BLOOD_PRESSURE][1]
    kitchen.homes.says()
    kitchen.homes.measures(cuff)
    saw = "saw among the homes"
    kitchen.support.page("/fleet")
    kitchen.support.page(kitchen.page)
    opened = len(kitchen.recorded(saw))
    for _ in range(20):
        kitchen.clock.forward(seconds=5)
        for path in ("/fleet/now", f"{kitchen.page}/now"):
            assert kitchen.support.get(path, **{"X-Automatic": "1"}).status_code == httpx.codes.OK
    assert len(kitchen.recorded(saw)) == opened
    tom = clinic.patient("Tom", "Weiss")
    with clinic.database.transaction() as connection:
        connection.execute(
            "update device set gateway_id = %s where id = %s",
            [clinic.gateway_id, tom.devices[Kind.BLOOD_PRESSURE][0]],
        )
    kitchen.support.get(f"{kitchen.page}/now", **{"X-Automatic": "1"})
    assert len(kitchen.recorded(saw)) == opened + 1
    assert kitchen.recorded(saw)[-1]["patients"] == sorted([kitchen.maria.id, tom.id])
    kitchen.clock.forward(minutes=10)
    kitchen.support.page("/devices")
    kitchen.clock.forward(minutes=5)
    for _ in range(3):
        kitchen.support.get(f"{kitchen.page}/now", **{"X-Automatic": "1"})
    assert len(kitchen.recorded(saw)) == opened + 2
    kitchen.support.page(kitchen.page)
    assert len(kitchen.recorded(saw)) == opened + 3, "who opens a page is recorded always"


def test_another_practices_box_cannot_be_let_in_or_cut_off(kitchen: Kitchen, database: Database) -> None:
    other = Clinic(database, now=kitchen.clock() - timedelta(days=1), name="Other Clinic")
    other.staff("sam", "admin")
    kitchen.code()
    sam = Visitor(kitchen.website).sign_in("sam")
    for page in (kitchen.page, "/gateways/gw-of-nobody"):
        assert sam.get(f"{page}/install").status_code == httpx.codes.NOT_FOUND
        assert sam.get(f"{page}/install/now").status_code == httpx.codes.NOT_FOUND
        assert sam.post(f"{page}/claim").status_code == httpx.codes.NOT_FOUND
        for what in ("revoke", "replace"):
            answer = sam.post(f"{page}/{what}", reason="stolen", sure="true")
            assert answer.status_code == httpx.codes.NOT_FOUND, what
    assert kitchen.rows("select withdrawn_at from gateway_claim") == [{"withdrawn_at": None}]
