"""Texts by a second provider that speaks Vonage's own HTTP: receipts and answers, signed, as a form or as JSON (F59, F62)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from alerts.channels import Name
from alerts.channels.book import read_hooks
from alerts.channels.carriers import CALL_TIMEOUT_S
from rpm.jobs import deliveries
from rpm.jobs.deliveries import DELIVERED_WITHIN
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL, channels_file, desk_that_reaches_nora
from tests.services.test_contacts import PHONE
from tests.services.test_escalate import crisis, staff_id
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage
from tests.support.website import Website


@pytest.fixture
def file(tmp_path: Path, twilio: Twilio, vonage: Vonage) -> Path:
    """Vonage is asked where Twilio takes nothing, as now."""
    twilio.takes = False
    return channels_file(tmp_path, Name.SMS, twilio=twilio.url, vonage=vonage.url)


@pytest.fixture
def desk(database: Database, file: Path) -> Desk:
    """Nora is texted first, then written to."""
    return desk_that_reaches_nora(database, Name.SMS, file)


@pytest.fixture
def pages(desk: Desk, file: Path, twilio: Twilio, vonage: Vonage, clock: SettableClock) -> Iterator[Website]:
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(desk.database, clock, settings=settings) as website:
        for one in (twilio, vonage):
            one.outside, one.inside, one.now = BASE_URL, website.url, clock
        yield website


@pytest.mark.usefixtures("pages")
def test_what_the_second_provider_says_counts_as_the_firsts_does(desk: Desk, file: Path, vonage: Vonage) -> None:
    """On its way, delivered, given up, and never heard of: each once, and nobody is written to besides."""
    alert_id = crisis(desk)
    desk.call()
    [text] = vonage.texts
    assert (text.to, "/hooks/vonage/report/" in text.report_to) == (PHONE.removeprefix("+"), True)
    for status in ("accepted", "buffered", "unknown"):
        assert vonage.reports(text, status).status_code == httpx.codes.OK
    assert desk.events(alert_id)[-1] == "notified", "on its way is not delivered"
    vonage.as_json = True
    for status in ("delivered", "delivered", "failed"):
        assert vonage.reports(text, status).status_code == httpx.codes.OK
    assert desk.events(alert_id)[-2:] == ["notified", "delivered"], "once, and what arrived does not fail"
    crisis(desk, "Weiss")
    desk.call()
    for _ in range(2):
        assert vonage.reports(vonage.texts[1], "rejected").status_code == httpx.codes.OK
    desk.call()
    assert (len(vonage.texts), desk.outbox.addresses) == (2, [MAIL])
    crisis(desk, "Okafor")
    desk.call()
    desk.forward(seconds=DELIVERED_WITHIN[Name.SMS].total_seconds())
    assert deliveries.run_once(desk.database, now=desk.now, providers=read_hooks(file).keys()).done == 1
    desk.call()
    assert (len(vonage.texts), desk.outbox.addresses) == (3, [MAIL, MAIL])


@pytest.mark.usefixtures("pages")
def test_an_answer_is_answered_by_a_text(desk: Desk, vonage: Vonage) -> None:
    crisis(desk)
    desk.call()
    code = vonage.texts[0].body.split("ACK ")[1][:4]
    assert vonage.brings(PHONE, "ok").startswith("Nothing was acknowledged")
    assert desk.alerts()[0]["status"] == "open"
    vonage.as_json = True
    assert vonage.brings(PHONE, f"ACK {code}").startswith("You have alert ")
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", staff_id(desk, "nora"))
    desk.forward(minutes=30)
    desk.call()
    assert (len(vonage.texts), desk.outbox.sent) == (3, []), "two answers, and no further call"


@pytest.mark.usefixtures("pages")
def test_what_another_signed_or_signed_long_ago_is_not_looked_at(
    desk: Desk, vonage: Vonage, twilio: Twilio, clock: SettableClock
) -> None:
    alert_id = crisis(desk)
    desk.call()
    [text] = vonage.texts
    assert vonage.reports(text, "delivered", secret="guessed").status_code == httpx.codes.FORBIDDEN
    with pytest.raises(httpx.HTTPStatusError):
        vonage.brings(PHONE, "ACK 4711", secret="guessed")
    assert vonage.reports(text, "accepted").status_code == httpx.codes.OK
    for junk in (b'{"sig": "\\ud800", "timestamp": "\\ud800"}', b"[1]", b'{"sig": 1}'):
        here = text.report_to.replace(vonage.outside, vonage.inside)
        answer = httpx.post(here, content=junk, headers={"content-type": "application/json"})
        assert answer.status_code == httpx.codes.FORBIDDEN
    clock.forward(minutes=6)
    assert vonage.again().status_code == httpx.codes.FORBIDDEN
    # One provider says nothing of what another carried.
    assert twilio.reports(text, "failed").status_code == httpx.codes.FORBIDDEN
    assert desk.events(alert_id)[-1] == "notified"
    desk.call()
    assert desk.outbox.sent == []


@pytest.mark.usefixtures("pages")
def test_a_receipt_speaks_of_its_own_message_alone(desk: Desk, vonage: Vonage) -> None:
    """Its signature covers the fields and not the address: who has one could send it to another message's."""
    crisis(desk)
    other = crisis(desk, "Weiss")
    desk.call()
    first, second = vonage.texts
    for said in ("delivered", "failed"):
        assert vonage.reports(replace(first, report_to=second.report_to), said).status_code == httpx.codes.OK
    desk.call()
    assert (desk.events(other)[-1], desk.outbox.sent) == ("notified", [])
    assert vonage.reports(second, "failed").status_code == httpx.codes.OK
    desk.call()
    assert desk.outbox.addresses == [MAIL]


@pytest.mark.usefixtures("pages")
def test_a_text_in_parts_has_arrived_when_all_have(desk: Desk, vonage: Vonage) -> None:
    """Half a code acknowledges nothing."""
    vonage.parts = 2
    whole, half = crisis(desk), crisis(desk, "Weiss")
    desk.call()
    for part in (1, 1, 0):
        assert "delivered" not in desk.events(whole)
        assert vonage.reports(vonage.texts[0], "delivered", part=part).status_code == httpx.codes.OK
    assert desk.events(whole)[-1] == "delivered"
    for part, said in enumerate(("delivered", "failed")):
        assert vonage.reports(vonage.texts[1], said, part=part).status_code == httpx.codes.OK
    desk.call()
    assert desk.events(half)[-2:] == ["notification_failed", "notified"]
    assert desk.outbox.addresses == [MAIL]


def test_a_provider_that_answers_nobody_holds_no_page(desk: Desk, vonage: Vonage, pages: Website) -> None:
    """E5: what is said back is a request of its own, and whoever brings a text waits for it in a thread of the pages."""
    crisis(desk)
    desk.call()
    code = vonage.texts[0].body.split("ACK ")[1][:4]
    vonage.answers.clear()
    began = monotonic()
    with ThreadPoolExecutor(12) as people:
        asked = [people.submit(vonage.brings, PHONE, body) for body in (f"ACK {code}", *["ok"] * 11)]
        sleep(0.5)
        looks = httpx.get(f"{pages.url}/login", timeout=30)
        assert looks.status_code == httpx.codes.OK
        assert [one.result() for one in asked]
    assert monotonic() - began < CALL_TIMEOUT_S, "not even as long as one request may take"
    assert desk.alerts()[0]["status"] == "acknowledged", "whatever became of the confirmation"


@pytest.mark.usefixtures("pages")
def test_a_text_too_long_for_one_acknowledges_nothing_and_says_so_once(desk: Desk, vonage: Vonage) -> None:
    """Its parts come in any order, and another may hold other digits."""
    crisis(desk)
    desk.call()
    code = vonage.texts[0].body.split("ACK ")[1][:4]
    parts = [f"ACK {code} and I am on my way, ", "as soon as I have found my shoes"]
    said = [
        vonage.brings(PHONE, body, more={"concat": "true", "concat-ref": "1", "concat-total": "2", "concat-part": part})
        for part, body in (("2", parts[1]), ("1", parts[0]))
    ]
    assert said[0] == ""
    assert said[1].startswith("Nothing was acknowledged: your text came in parts.")
    assert desk.alerts()[0]["status"] == "open"


@pytest.mark.usefixtures("pages")
def test_a_receipt_is_no_answer_of_somebody(desk: Desk, vonage: Vonage) -> None:
    """Sent on to where answers go, it would have the nurse texted by us."""
    crisis(desk)
    desk.call()
    [text] = vonage.texts
    astray = replace(text, report_to=f"{vonage.outside}/hooks/vonage/message")
    assert vonage.reports(astray, "delivered").status_code == httpx.codes.NOT_FOUND
    assert len(vonage.texts) == 1
