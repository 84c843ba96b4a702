"""Names and values nobody could have by chance, through every way a message or an answer takes: they come out nowhere (F63, P8).

Every channel is written to over its own protocol where there is one here (a mail server, providers of texts and of calls, each
call picked up); answers, keys, reports, pages without a log-in, error pages, `/health`, the rows of messages and the log are searched. The same words stand on the
patient's own page: else this test could not fail.
"""

from pathlib import Path

import httpx
import pytest
from psycopg import sql

from alerts.channels import Answer, Name
from alerts.channels.book import read_channels
from alerts.pace import SINGLY_MAX
from rpm.jobs import contacts as asking
from rpm.jobs import deliveries
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk, Outbox
from tests.services.test_contacts import add
from tests.support.clock import MORNING, SettableClock
from tests.support.leaks import leaked
from tests.support.mail import MailSink
from tests.support.providers.sinch import Sinch
from tests.support.providers.twilio import Twilio
from tests.support.visitor import Visitor
from tests.support.website import Website

GIVEN, FAMILY, NOTE = "Quillaraxa", "Zyphrenholt", "canarynote"
SYSTOLIC, DIASTOLIC, BORN = 197.0, 121.0, "1931-07-19"
CANARIES = (GIVEN, FAMILY, NOTE, "197", "121", BORN, "pressure", "systolic", "diastolic", "mmHg", "E11.65")
PHONE, VOICE, CHAT = "+15550100111", "+15550100222", "canary-room"


@pytest.fixture
def desk(database: Database, mail_sink: MailSink, twilio: Twilio, sinch: Sinch, tmp_path: Path) -> Desk:
    """Five nurses, each reached by another channel; mail, texts and calls go over the wire."""
    file = tmp_path / "channels.toml"
    lines = ['[[channel]]\nname = "sms"', f'[[channel.provider]]\nname = "twilio"\nurl = "{twilio.url}"']
    lines += ['[[channel]]\nname = "voice"', f'[[channel.provider]]\nname = "sinch"\nurl = "{sinch.voice_url}"']
    lines += [f'[[channel.provider]]\nname = "twilio-calls"\nurl = "{twilio.voice_url}"']
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    desk = Desk(database, now=MORNING)
    desk.singly_max = SINGLY_MAX
    desk.channels = {**desk.channels, **read_channels(file, mail_url=mail_sink.url)}
    for who, channel, address in (
        ("nora", Name.SMS, PHONE),
        ("ben", Name.VOICE, VOICE),
        ("eve", Name.CHAT, CHAT),
        ("kim", Name.WEBHOOK, "hook"),
        ("lou", Name.EMAIL, "lou@clinic.example"),
    ):
        desk.clinic.staff(who, "nurse")
        if channel is not Name.EMAIL:
            add(desk, channel, address, who=who)
            desk.rows("update contact set position = 0 where channel <> 'email' returning id")
    desk.clinic.staff("ada", "admin")
    return desk


def reds(desk: Desk, number: int) -> str:
    """So many reds of canaries; the public id of the last patient."""
    patients = [desk.clinic.patient(GIVEN, FAMILY, born=BORN) for _ in range(number)]
    for patient in patients:
        desk.clinic.pressure(patient, SYSTOLIC, DIASTOLIC)
    desk.rows("update enrolment set condition_icd10 = 'E11.65' returning id")
    desk.judge()
    return str(patients[-1].public_id)


def rename(desk: Desk, before: str, after: str) -> None:
    """A column goes by another name: the pages that ask for it break."""
    with desk.database.transaction() as connection:
        connection.execute(
            sql.SQL("alter table patient rename column {} to {}").format(sql.Identifier(before), sql.Identifier(after))
        )


def test_no_name_and_no_value_leaves_the_house(
    desk: Desk, mail_sink: MailSink, twilio: Twilio, sinch: Sinch, clock: SettableClock, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    patient = reds(desk, SINGLY_MAX + 2)
    sinch.takes = False
    desk.call()
    sinch.takes = True
    desk.forward(minutes=1)
    desk.call()  # summaries
    desk.forward(minutes=15)
    failing = Outbox(answer=Answer(False, "busy"))
    desk.channels = {**desk.channels, Name.CHAT: failing}
    desk.call()  # the next step, a channel that fails, the questions whether contacts reach anybody
    deliveries.run_once(desk.database, now=desk.now, providers=["twilio"])
    desk.call()
    desk.rows("update contact set verified_at = null, code_sent_at = null returning id")
    asking.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL, limit=50)

    settings = Settings(dsn=desk.database.dsn, channels_file=tmp_path / "channels.toml", public_url=BASE_URL)
    said: list[str] = []
    with Website(desk.database, clock, settings=settings) as website:
        for provider in (twilio, sinch):
            provider.outside, provider.inside, provider.now = BASE_URL, website.url, clock
        stranger = Visitor(website)
        code = twilio.texts[0].body.split("ACK ")[1][:4]
        said += [twilio.brings(PHONE, text) for text in ("ACK", f"ACK {code}", f"ACK {code}", "hello")]
        said += [twilio.reports(twilio.texts[1], status).text for status in ("delivered", "failed")]
        for provider, machine in ((twilio, "machine_start"), (sinch, "machine")):
            assert len(provider.calls) > 1
            # Singly or for many, whoever picks up and whatever is pressed.
            for call in provider.calls:
                said += provider.picks_up(call, "1", "4", "4")
            said += provider.picks_up(provider.calls[0], by=machine)
            said.append(provider.presses(provider.calls[0], "4", secret="Z3Vlc3NlZA==").text)
        assert any("alerts wait for you" in each for each in said)
        assert any("You have the alert" in each for each in said)
        token = twilio.texts[0].body.split("/a/")[1].split()[0]
        said += [stranger.get(f"/a/{token}").text, stranger.post(f"/a/{token}").text, stranger.get("/health").text]
        said += [stranger.get(f"/patients/{patient}").text, stranger.get("/nowhere").text]
    # Over plain HTTP a browser keeps no cookie of an https address: who signs in does so elsewhere.
    with Website(desk.database, clock) as website:
        nora, ada = Visitor(website).sign_in("nora"), Visitor(website).sign_in("ada")
        said += [ada.get(f"/patients/{patient}").text, ada.get("/faults").text, nora.page("/review?days=1")]
        said += [nora.post(f"/patients/{patient}/pause", why="travel", note=NOTE, until="").text]
        # A page that breaks in the middle of a patient's data.
        rename(desk, "phone", "telephone")
        broken = nora.get(f"/patients/{patient}")
        rename(desk, "telephone", "phone")
        assert broken.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        said.append(broken.text)
        own = nora.page(f"/patients/{patient}")
    assert set(leaked(own, *CANARIES)) >= {GIVEN, FAMILY, "197", "121"}, "what is looked for is there to be found"

    messages = [*(mail.as_string() for mail in mail_sink.messages), *(text.body for text in twilio.texts)]
    messages += ["\n".join(one) for one in (*desk.outbox.sent, *failing.sent)]
    kinds = {row["channel"] for row in desk.rows("select distinct channel from notification")}
    assert kinds == {"sms", "voice", "chat", "webhook", "email"}
    assert len(messages) > 30
    rows = desk.rows("select answer, reason, key, token, code, provider, address from notification")
    heartbeats = desk.rows("select * from heartbeat")
    log = "".join(capfd.readouterr())
    assert "web_error" in log, "the log was written to"
    for where, text in (
        ("messages", "\n".join(messages)),
        ("answers and pages", "\n".join(said)),
        ("rows of messages", str(rows)),
        ("signs of life", str(heartbeats)),
        ("log", log),
    ):
        assert leaked(text, *CANARIES) == [], where
