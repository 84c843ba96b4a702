"""What a provider says of a message before we have written that it took it (F59).

Method: the channel really hands the text over, and the provider reports on it before the sender gets the answer: nothing of ours
says "sent" by then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerts.channels import Answer, Channel, Name
from alerts.channels.book import read_hooks
from rpm.jobs import deliveries
from rpm.jobs.deliveries import DELIVERED_WITHIN
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL, channels_file, desk_that_reaches_nora
from tests.services.test_escalate import crisis
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage
from tests.support.website import Website


@dataclass
class Overtaken:
    """A channel whose answer comes after something has happened."""

    channel: Channel
    happens: Callable[[], object]
    #: What the sender hears in place of the answer; None: the answer.
    answer: Answer | None = None

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        answer = self.channel.send(address, subject=subject, body=body, report_to=report_to, asks=asks)
        self.happens()
        return self.answer or answer


@pytest.fixture(params=["twilio", "vonage"])
def provider(request: pytest.FixtureRequest, twilio: Twilio, vonage: Vonage) -> Twilio | Vonage:
    return twilio if request.param == "twilio" else vonage


@pytest.fixture
def file(tmp_path: Path, provider: Twilio | Vonage) -> Path:
    return channels_file(tmp_path, Name.SMS, **{provider.name: provider.url})


@pytest.fixture
def desk(database: Database, file: Path) -> Desk:
    """Nora is texted first, then written to."""
    return desk_that_reaches_nora(database, Name.SMS, file)


@pytest.fixture(autouse=True)
def pages(desk: Desk, file: Path, provider: Twilio | Vonage, clock: SettableClock) -> Iterator[None]:
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(desk.database, clock, settings=settings) as website:
        provider.outside, provider.inside, provider.now = BASE_URL, website.url, clock
        yield


def overtake(desk: Desk, happens: Callable[[], object], answer: Answer | None = None) -> None:
    desk.channels = {**desk.channels, Name.SMS: Overtaken(desk.channels[Name.SMS], happens, answer)}


def test_what_was_delivered_before_it_was_written_as_sent_goes_no_other_way(
    desk: Desk, file: Path, provider: Twilio | Vonage
) -> None:
    alert_id = crisis(desk)
    overtake(desk, lambda: provider.reports(provider.texts[-1], "delivered").raise_for_status())
    desk.call()
    assert desk.events(alert_id)[-2:] == ["notified", "delivered"]
    desk.forward(seconds=DELIVERED_WITHIN[Name.SMS].total_seconds())
    assert deliveries.run_once(desk.database, now=desk.now, providers=read_hooks(file).keys()).done == 0
    desk.call()
    assert desk.outbox.sent == []


def test_what_failed_before_it_was_written_as_sent_goes_another_way_at_once(
    desk: Desk, provider: Twilio | Vonage
) -> None:
    alert_id = crisis(desk)
    overtake(desk, lambda: provider.reports(provider.texts[-1], "failed").raise_for_status())
    desk.call()
    assert desk.outbox.addresses == [MAIL], "not a minute later"
    assert desk.events(alert_id)[-3:] == ["notified", "notification_failed", "notified"]


def test_what_arrived_and_then_failed_has_arrived(desk: Desk, provider: Twilio | Vonage) -> None:
    """Two reports at once, the second of them wrong: as where both come later."""
    crisis(desk)
    overtake(desk, lambda: [provider.reports(provider.texts[-1], said) for said in ("delivered", "failed")])
    desk.call()
    assert desk.outbox.sent == []


def test_a_summary_that_failed_early_has_told_of_nothing(desk: Desk, provider: Twilio | Vonage) -> None:
    """Nor of the alerts it told besides: they go another way with it."""
    desk.singly_max = 1
    for name in ("Alvarez", "Weiss", "Okafor", "Brandt"):
        crisis(desk, name)
    overtake(desk, lambda: provider.reports(provider.texts[-1], "failed").raise_for_status())
    desk.call()
    desk.forward(minutes=1)
    desk.call()
    told = desk.rows("select count(distinct alert_id) as n from notification where channel = 'email'")
    assert told == [{"n": 4}]
    left = desk.rows("select count(*) as n from notification where channel = 'sms' and state = 'sent'")
    assert left == [{"n": 0}]
