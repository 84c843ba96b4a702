"""Texts by a provider that speaks Twilio's own HTTP: handed over, delivered or not, and answered (F59, F62)."""

import re
from pathlib import Path

import httpx
import pytest

from alerts.channels import ChannelError, Name
from alerts.channels.book import read_channels, read_hooks
from rpm.jobs import contacts as asking
from rpm.jobs import deliveries
from rpm.jobs.deliveries import DELIVERED_WITHIN
from rpm.settings import Settings
from rpm.store import alerts
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL, channels_file, desk_that_reaches_nora
from tests.services.test_contacts import PHONE, add
from tests.services.test_escalate import crisis, staff_id
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.website import Website

#: As the practice's clocks show MORNING.
SINCE = "10:00 EDT"


@pytest.fixture
def file(tmp_path: Path, twilio: Twilio) -> Path:
    """A channels file with one provider of texts."""
    return channels_file(tmp_path, Name.SMS, twilio=twilio.url)


@pytest.fixture
def desk(database: Database, file: Path) -> Desk:
    """Nora is texted first, then written to; the texts really go to the provider."""
    return desk_that_reaches_nora(database, Name.SMS, file)


@pytest.fixture
def website(desk: Desk, file: Path, twilio: Twilio, clock: SettableClock) -> Website:
    """The pages, as the provider knows them from outside and where they really are."""
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    pages = Website(desk.database, clock, settings=settings)
    twilio.outside = BASE_URL
    return pages


def look(desk: Desk, file: Path) -> int:
    return deliveries.run_once(desk.database, now=desk.now, providers=read_hooks(file).keys()).done


def test_what_was_delivered_is_on_the_timeline_and_goes_no_other_way(
    desk: Desk, website: Website, file: Path, twilio: Twilio
) -> None:
    alert_id = crisis(desk)
    desk.call()
    [text] = twilio.texts
    assert text.to == PHONE
    with website as pages:
        twilio.inside = pages.url
        assert twilio.reports(text, "sent").status_code == httpx.codes.OK
        assert desk.events(alert_id)[-1] == "notified", "sent is not delivered"
        for _ in range(2):
            assert twilio.reports(text, "delivered").status_code == httpx.codes.OK
    assert desk.events(alert_id)[-2:] == ["notified", "delivered"], "once, however often it is said"
    desk.forward(minutes=3)
    assert look(desk, file) == 0
    assert desk.outbox.sent == []


def test_what_is_taken_and_never_delivered_goes_another_way(desk: Desk, file: Path, twilio: Twilio) -> None:
    alert_id = crisis(desk)
    desk.call()
    desk.forward(seconds=DELIVERED_WITHIN[Name.SMS].total_seconds() - 1)
    assert look(desk, file) == 0
    desk.forward(seconds=1)
    assert look(desk, file) == 1
    assert look(desk, file) == 0
    desk.call()
    assert (len(twilio.texts), desk.outbox.addresses) == (1, [MAIL]), "Nora's next way, and nobody else yet"
    assert desk.events(alert_id)[-2:] == ["notification_failed", "notified"]


def test_who_answers_a_text_that_was_given_up_has_the_alert(
    desk: Desk, website: Website, file: Path, twilio: Twilio
) -> None:
    crisis(desk)
    desk.call()
    desk.forward(seconds=DELIVERED_WITHIN[Name.SMS].total_seconds())
    assert look(desk, file) == 1
    code = twilio.texts[0].body.split("ACK ")[1][:4]
    with website as pages:
        twilio.inside = pages.url
        assert twilio.brings(PHONE, f"ACK {code}").startswith("You have alert ")


@pytest.mark.parametrize(
    "providers, said",
    [
        (["twiliosms://AC1@+15550100999/{to}"], "provider p0: the URL must hold an account, its secret and a sender"),
        (
            ["twiliosms://AC1:a@+15550100999/{to}", "twiliosms://AC2:b@+15550100998/{to}"],
            "two providers are called 'p0'",
        ),
    ],
)
def test_who_may_report_has_a_name_and_a_secret_of_its_own(file: Path, providers: list[str], said: str) -> None:
    """With no token anybody could sign; of two of one name only one would be believed."""
    text = '[[channel]]\nname = "sms"\n'
    file.write_text(text + "".join(f'[[channel.provider]]\nname = "p0"\nurl = "{url}"\n' for url in providers))
    with pytest.raises(ChannelError, match=re.escape(said)):
        read_hooks(file)


@pytest.mark.parametrize(
    "channel, url",
    [
        ("sms", "twiliovoice://AC1:a@+15550100999/{to}"),
        ("voice", "vonagesms://k:s@15550100999/{to}?signature=x"),
        ("email", "twiliosms://AC1:a@+15550100999/{to}"),
    ],
)
def test_who_carries_texts_makes_no_calls(file: Path, channel: str, url: str) -> None:
    """A line copied to the wrong place would ring a telephone for every text, or never ring it."""
    file.write_text(f'[[channel]]\nname = "{channel}"\n[[channel.provider]]\nname = "p0"\nurl = "{url}"\n')
    with pytest.raises(ChannelError, match=f"channel {channel}, provider p0: its URL carries another channel's"):
        read_channels(file, mail_url="")


def test_what_a_provider_gives_up_goes_another_way_at_once(desk: Desk, website: Website, twilio: Twilio) -> None:
    crisis(desk)
    desk.call()
    with website as pages:
        twilio.inside = pages.url
        for _ in range(2):
            assert twilio.reports(twilio.texts[0], "undelivered").status_code == httpx.codes.OK
    desk.call()
    assert desk.outbox.addresses == [MAIL], "once, however often it is said"


def test_what_nobody_signed_changes_nothing(desk: Desk, website: Website, twilio: Twilio) -> None:
    alert_id = crisis(desk)
    desk.call()
    [text] = twilio.texts
    code = text.body.split("ACK ")[1][:4]
    before = desk.events(alert_id)
    with website as pages:
        twilio.inside = pages.url
        assert twilio.reports(text, "delivered", secret="guessed").status_code == httpx.codes.FORBIDDEN
        assert twilio.reports(text, "failed", secret="").status_code == httpx.codes.FORBIDDEN
        for provider, secret in (("twilio", "guessed"), ("nobody", "guessed")):
            with pytest.raises(httpx.HTTPStatusError):
                twilio.brings(PHONE, f"ACK {code}", provider=provider, secret=secret)
    assert desk.events(alert_id) == before
    assert desk.alerts()[0]["status"] == "open"


def test_ack_by_text(desk: Desk, website: Website, twilio: Twilio) -> None:
    """F62: what is not clear acknowledges nothing, and says so; what is, does, in the name of who was called."""
    alert_id = crisis(desk)
    desk.call()
    body = twilio.texts[0].body
    asked = r"Urgent alert [0-9a-f]{8}, call 1\. Reply ACK \d{4}, or https://clinic\.example/a/[\w-]{22}"
    assert re.fullmatch(asked, body)
    assert len(body) <= 160
    code = body.split("ACK ")[1][:4]
    other = f"{(int(code) + 1) % 10_000:04d}"
    with website as pages:
        twilio.inside = pages.url
        for unclear in ("ACK", "ok", code, f"ACK {code} {other}", f"ACK {other}", f"nack {code}", ""):
            said = twilio.brings(PHONE, unclear)
            assert said.startswith("Nothing was acknowledged"), unclear
            assert desk.alerts()[0]["status"] == "open", unclear
        assert twilio.brings("+15550100777", f"ACK {code}").startswith("Nothing was acknowledged"), "another's number"
        assert twilio.brings(PHONE, f" ack {code}. ").startswith("You have alert ")
        mine = rf"You have alert [0-9a-f]{{8}} already, since {SINCE}\. Nobody else is called\."
        assert re.fullmatch(mine, twilio.brings(PHONE, f"ACK {code}")), "twice, because the first answer was slow"
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", staff_id(desk, "nora"))
    assert desk.rows("select detail from audit order by id desc limit 1") == [
        {"detail": {"alert": alert_id, "by": "text"}}
    ]
    desk.forward(minutes=30)
    desk.call()
    assert (len(twilio.texts), desk.outbox.sent) == (1, [])


def test_an_old_answer_is_none_to_what_became_worse(desk: Desk, website: Website, twilio: Twilio) -> None:
    """A provider's signature has no time: who has seen an answer can send it again. It takes one call, never the next."""
    alert_id = crisis(desk)
    desk.call()
    code = twilio.texts[0].body.split("ACK ")[1][:4]
    with website as pages:
        twilio.inside = pages.url
        assert twilio.brings(PHONE, f"ACK {code}").startswith("You have alert ")
        # As where it worsens, or its time to be closed is over.
        desk.rows(
            "update alert set status = 'open', acknowledged_at = null, acknowledged_by = null, armed = armed + 1, step = 0,"
            " next_step_at = %(now)s where id = %(alert)s returning id",
            alert=alert_id,
            now=desk.now,
        )
        said = twilio.brings(PHONE, f"ACK {code}")
        assert said.startswith("Nothing was acknowledged: since that text the alert has become worse, or called again.")
        assert desk.alerts()[0]["status"] == "open"
        desk.call()
        assert len(twilio.texts) == 2
        anew = twilio.texts[1].body.split("ACK ")[1][:4]
        assert twilio.brings(PHONE, f"ACK {anew}").startswith("You have alert ")


def test_a_number_that_two_people_share_acknowledges_for_neither(desk: Desk, website: Website, twilio: Twilio) -> None:
    desk.clinic.staff("ben", "nurse")
    add(desk, Name.SMS, PHONE, who="ben")
    desk.rows("update contact set position = 0 where channel = 'sms' returning id")
    crisis(desk)
    desk.call()
    desk.rows("update notification set code = '4711' where channel = 'sms' returning id")
    with website as pages:
        twilio.inside = pages.url
        assert "more than one call" in twilio.brings(PHONE, "ACK 4711")
    assert desk.alerts()[0]["status"] == "open"


def test_a_second_provider_takes_what_the_first_does_not(desk: Desk, tmp_path: Path, twilio: Twilio) -> None:
    second = Twilio().start()
    try:
        _carried_by(desk, tmp_path, one=twilio, two=second)
        twilio.takes = False
        crisis(desk)
        desk.call()
    finally:
        second.stop()
    assert (len(twilio.texts), [text.to for text in second.texts]) == (0, [PHONE])
    [said] = desk.rows("select reason from alert_event where kind = 'notified'")
    assert said["reason"] == "sms: one did not take it; two took it"
    assert "/hooks/two/report/" in second.texts[0].report_to


def test_what_a_colleague_has_is_not_yours(desk: Desk, website: Website, twilio: Twilio) -> None:
    desk.clinic.staff("ben", "nurse")
    crisis(desk)
    desk.call()
    code = twilio.texts[0].body.split("ACK ")[1][:4]
    with desk.database.transaction() as connection:
        ben = staff_id(desk, "ben")
        assert alerts.acknowledge(connection, alert_id=desk.alerts()[0]["id"], staff_id=ben, now=desk.now).done
    with website as pages:
        twilio.inside = pages.url
        assert twilio.brings(PHONE, f"ACK {code}").startswith("Nothing was acknowledged: somebody has")


def test_a_stop_that_its_provider_kept_to_itself(desk: Desk, twilio: Twilio) -> None:
    """Nobody told us: the first text it refuses for that does, at once, and not after five attempts each night."""
    twilio.stopped.add(PHONE)
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses[0] == MAIL
    [failed] = desk.rows("select reason from alert_event where kind = 'notification_failed'")
    assert failed["reason"] == "sms: twilio says that its reader wrote STOP"
    assert desk.rows("select count(*) as n from contact where stopped_at is not null") == [{"n": 1}]
    [told] = desk.rows("select reason from alert where kind = 'technical'")
    assert told["reason"].startswith("Nora wrote STOP")


def test_no_second_provider_writes_to_whom_the_first_may_not(desk: Desk, tmp_path: Path, twilio: Twilio) -> None:
    """STOP was said to the clinic, whoever carries its texts."""
    second = Twilio().start()
    try:
        _carried_by(desk, tmp_path, one=twilio, two=second)
        twilio.stopped.add(PHONE)
        crisis(desk)
        desk.call()
    finally:
        second.stop()
    assert [text.body for text in second.texts] == []
    assert desk.outbox.addresses[0] == MAIL
    assert desk.rows("select count(*) as n from contact where stopped_at is not null") == [{"n": 1}]


def test_a_question_that_is_refused_for_a_stop_tells_of_it(desk: Desk, twilio: Twilio) -> None:
    """Else it would count as cover for weeks, until the first night."""
    twilio.stopped.add(PHONE)
    desk.forward(days=36)
    for _ in range(2):
        asking.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL, limit=9, plan=desk.plan)
    assert desk.rows("select count(*) as n from contact where stopped_at is not null") == [{"n": 1}]
    [told] = desk.rows("select reason from alert where kind = 'technical'")
    assert told["reason"].startswith("Nora wrote STOP")


def _carried_by(desk: Desk, folder: Path, **providers: Twilio) -> None:
    file = channels_file(folder, Name.SMS, **{name: one.url for name, one in providers.items()})
    desk.channels = {**desk.channels, Name.SMS: read_channels(file, mail_url="")[Name.SMS]}
