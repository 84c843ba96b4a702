"""A nurse writes STOP to a text: nothing is sent to that number until START, and those who keep the rota know (F59, F60, F62).

Method: both providers of texts as they speak on the wire. What the law and carriers ask for (47 CFR 64.1200(a)(10), CTIA) and what
a night needs meet: a number that stops is one contact fewer, at once, and never in silence.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.channels import Name
from rpm.jobs import contacts as asking
from rpm.jobs import cover
from rpm.settings import Settings
from rpm.store import contacts, notifications
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL, channels_file, desk_that_reaches_nora
from tests.services.test_contacts import PHONE, add
from tests.services.test_escalate import crisis, staff_id
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage
from tests.support.visitor import Visitor
from tests.support.website import Website

ADA = "ada@clinic.example"


@pytest.fixture(params=["twilio", "vonage"])
def provider(request: pytest.FixtureRequest, twilio: Twilio, vonage: Vonage) -> Twilio | Vonage:
    return twilio if request.param == "twilio" else vonage


@pytest.fixture
def file(tmp_path: Path, provider: Twilio | Vonage) -> Path:
    return channels_file(tmp_path, Name.SMS, **{provider.name: provider.url})


@pytest.fixture
def desk(database: Database, file: Path) -> Desk:
    """Nora is texted first, then written to; Ada is next, and runs the rota."""
    return desk_that_reaches_nora(database, Name.SMS, file)


@pytest.fixture(autouse=True)
def pages(desk: Desk, file: Path, provider: Twilio | Vonage, clock: SettableClock) -> Iterator[None]:
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(desk.database, clock, settings=settings) as website:
        provider.outside, provider.inside, provider.now = BASE_URL, website.url, clock
        yield


def told(desk: Desk) -> list[str]:
    """What those who keep the rota were told of contacts that stopped."""
    return [row["reason"] for row in desk.rows("select reason from alert where kind = 'technical' order by id")]


def test_stop_is_not_answered_and_the_call_goes_another_way_at_once(desk: Desk, provider: Twilio | Vonage) -> None:
    alert_id = crisis(desk)
    desk.call()
    assert provider.brings(PHONE, "STOP") == ""
    desk.call()
    assert desk.outbox.addresses[0] == MAIL, "not a quarter of an hour later"
    assert "notification_failed" in desk.events(alert_id)
    assert provider.brings(PHONE, "Stop.") == "", "nor the second time"
    before = len(provider.texts)
    crisis(desk, "Weiss")
    desk.call()
    desk.forward(days=36)
    asking.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL)
    assert len(provider.texts) == before, "neither a call nor a question"


def test_who_keeps_the_rota_is_told_once_of_each(desk: Desk, provider: Twilio | Vonage) -> None:
    for _ in range(2):
        assert provider.brings(PHONE, "unsubscribe") == ""
    [said] = told(desk)
    assert "nora" in said.lower()
    assert PHONE not in said
    [written] = desk.rows("select action, staff_id from audit where action like '%%STOP%%'")
    assert written["staff_id"] == staff_id(desk, "nora")
    add(desk, Name.SMS, "+15550100888", who="ada")
    assert provider.brings("+15550100888", "quit") == ""
    assert len(told(desk)) == 2, "another person is another thing to mend"
    assert provider.brings("+15550100999", "STOP") == "", "nobody's number"
    assert len(told(desk)) == 2


def test_whoever_has_no_other_contact_counts_for_nothing(desk: Desk, provider: Twilio | Vonage) -> None:
    desk.rows(
        "delete from contact where channel = 'email' and staff_id = %(id)s returning id", id=staff_id(desk, "nora")
    )
    crisis(desk)
    desk.call()
    assert provider.brings(PHONE, "end") == ""
    desk.call()
    assert ADA in desk.outbox.addresses, "the next step at once"
    [nora] = [one for one in staff_of(desk) if one.username == "nora"]
    assert (nora.counts, nora.told) == (False, False)
    cover.run_once(desk.database, now=desk.now, plan=desk.plan)
    assert any("reaches nobody" in said for said in told(desk))


def test_start_brings_it_back(desk: Desk, provider: Twilio | Vonage) -> None:
    assert provider.brings(PHONE, "START").startswith("Nothing was acknowledged"), "nothing had stopped"
    assert provider.brings(PHONE, "STOP") == ""
    assert provider.brings(PHONE, "Start").startswith("Calls about alerts reach you here again")
    before = len(provider.texts)
    crisis(desk)
    desk.call()
    assert [text.body for text in provider.texts[before:] if text.body.startswith("Urgent alert")]


def test_taking_it_out_and_adding_it_again_is_no_start(desk: Desk, provider: Twilio | Vonage) -> None:
    assert provider.brings(PHONE, "STOP") == ""
    with desk.database.transaction() as connection:
        [stopped] = [one for one in contacts.of_staff(connection, staff_id(desk, "nora")) if one.channel is Name.SMS]
        assert contacts.remove(connection, stopped.id, staff_id=staff_id(desk, "nora"), now=desk.now)
    add(desk, Name.SMS, PHONE)
    desk.rows("update contact set position = 0 where channel = 'sms' returning id")
    before = len(provider.texts)
    crisis(desk)
    desk.call()
    assert len(provider.texts) == before


def test_the_pages_say_so(desk: Desk, provider: Twilio | Vonage, clock: SettableClock) -> None:
    assert provider.brings(PHONE, "STOP") == ""
    with Website(desk.database, clock) as plain:
        assert "Nora wrote STOP" in Visitor(plain).sign_in("ada").page("/oncall")
        assert "until you write START" in Visitor(plain).sign_in("nora").page("/me/contacts")


def staff_of(desk: Desk) -> list[notifications.StaffMember]:
    with desk.database.transaction() as connection:
        return notifications.staff_of(connection, [desk.clinic.practice_id], now=desk.now)
