"""A squeeze of a cuff at home becomes an alert on a nurse's screen, and a line on a bill.

Method: one home with a virtual cuff, a gateway, a broker, a worker, the pages and a mail server, each a process of its own and all
real; a Chromium looks at the worklist while somebody squeezes the cuff. The second call of the policy comes after seconds, so that its
absence after an acknowledgement means something (a control run without one receives it).
"""

import re
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from playwright.sync_api import Page, expect
from psycopg.rows import dict_row

from rpm.billing.rules import Family, in_force
from tests.support.broker import Broker
from tests.support.leaks import leaked
from tests.support.mail import MailSink
from tests.support.world import PASSWORD, Home, VirtualDevice, World, midday_zone

PATIENT = "Maria Alvarez"
CUFF = VirtualDevice("cuff", "cuff", "C0:00:00:00:0A:01", PATIENT)
HOME = Home("a", (CUFF, VirtualDevice("neighbour", "cuff", "C0:00:00:00:0A:77", enrolled=False)))
#: The policy of this story: a second call some seconds after the first. A browser on a busy machine must have shown the first by then.
SECOND_CALL_S = 15
#: From one end to the other, several programs of which have just been started.
ARRIVES_S_MAX = 60.0
ESCALATION = f"""
fallback = ["role:admin"]

[[policy]]
severity = "urgent"

[[policy.step]]
after_min = 0
targets = ["rota:nurses"]

[[policy.step]]
after_min = {SECOND_CALL_S / 60}
targets = ["role:admin"]

[[rota]]
name = "nurses"
time_zone = "UTC"

[[rota.shift]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "24:00"
who = ["staff:rosa"]
"""
#: What no message may hold: who it is, what was measured.
HEALTH_DATA = ("Maria", "Alvarez", "192", "118", "mmHg", "blood pressure", "C0:00")


@pytest.fixture
def world(tmp_path: Path, broker: Broker, dsn: str, mail_sink: MailSink) -> Iterator[World]:
    """One home, a worker, the pages; everything runs."""
    escalation = tmp_path / "escalation.toml"
    escalation.write_text(ESCALATION, "utf-8")
    settings = {"RPM_ESCALATION_FILE": str(escalation)}
    with World(
        tmp_path,
        homes=[HOME],
        broker=broker,
        dsn=dsn,
        mail_url=mail_sink.url,
        zone=midday_zone(),
        environment=settings,
    ) as started:
        started.start_worker()
        started.start_gateway(HOME)
        yield started


def sign_in(page: Page, url: str, name: str) -> None:
    """Sign in as somebody of the clinic."""
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def text_of(mail: EmailMessage) -> str:
    """Everything a mail says, headers included."""
    body = mail.get_body(("plain", "html"))
    return f"{mail.as_string()}\n{body.get_content() if body else ''}"


def requests_of(dsn: str) -> list[dict[str, Any]]:
    """What the box was asked, and what it answered."""
    with psycopg.connect(dsn) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select kind, arguments, state from gateway_request").fetchall()


def asked_at_home(world: World, dsn: str) -> None:
    """Wait until the box asks for a second reading, and has said so; what it was sent names nobody."""
    world.until(
        "asked at home", lambda: [one["state"] for one in requests_of(dsn)] == ["shown"], timeout_s=ARRIVES_S_MAX
    )
    [asked] = requests_of(dsn)
    assert asked == {"kind": "measure_again", "arguments": {"kind": "blood_pressure"}, "state": "shown"}


def answered_at_home(world: World, dsn: str) -> None:
    """Wait until the box has said that nothing is asked for any more."""
    world.until("answered", lambda: [one["state"] for one in requests_of(dsn)] == ["done"], timeout_s=ARRIVES_S_MAX)


def test_from_the_cuff_to_the_claim(world: World, page: Page, mail_sink: MailSink, dsn: str) -> None:
    """The alert appears by itself, the mail arrives, acknowledging silences it, and the call is on the bill."""
    url = world.start_pages()
    sign_in(page, url, "rosa")
    expect(page.get_by_role("heading", name="Nobody needs you right now")).to_be_visible()

    world.ask("a", "cuff", "measure", systolic=192, diastolic=118, mean=143, pulse=88)
    asked_at_home(world, dsn)
    assert not mail_sink.messages, "one reading called somebody"
    expect(page.get_by_role("heading", name="Nobody needs you right now")).to_be_visible()
    world.ask("a", "cuff", "measure", systolic=188, diastolic=116, mean=140, pulse=86)

    row = page.locator("li.alert", has_text=PATIENT)
    expect(row).to_contain_text("190/117", timeout=1000 * ARRIVES_S_MAX)  # nobody reloads the page
    expect(row).to_contain_text("mean of 2 readings: 192/118 mmHg, then 188/116 mmHg")
    expect(row).to_contain_text(re.compile("urgent", re.IGNORECASE))
    expect(page).to_have_title(re.compile(r"^\(?1\b|1 urgent"))

    [mail] = mail_sink.wait(1, timeout_s=ARRIVES_S_MAX)
    assert mail_sink.recipients[0] == ("rosa@clinic.example",)
    assert url in text_of(mail)
    assert leaked(text_of(mail), *HEALTH_DATA) == []

    row.get_by_role("button", name="I have it").click()
    expect(row).to_contain_text("You have it")
    answered_at_home(world, dsn)
    time.sleep(SECOND_CALL_S + 4)
    assert len(mail_sink.messages) == 1, "acknowledged, and somebody was called all the same"

    row.get_by_role("link", name=PATIENT).click()
    expect(page.get_by_role("heading", name=PATIENT)).to_be_visible()
    expect(page.locator("figure.chart[data-key]").first).to_be_visible()
    page.get_by_role("button", name="Call: start timer").click()
    time.sleep(2)
    page.get_by_label("I spoke live").first.check()
    page.get_by_role("button", name="Stop and save").click()
    expect(page.get_by_text("Minutes saved.")).to_be_visible()
    _twenty_one_minutes(page, datetime.now(ZoneInfo(world.zone)).date())
    page.get_by_text("Close…").click()
    page.get_by_label("What was done").select_option("called")
    page.get_by_role("textbox", name="Note").last.fill("Repeats it tonight.")
    page.get_by_role("button", name="Close alert").click()
    expect(page.get_by_role("heading", name="No open alerts")).to_be_visible()

    page.context.clear_cookies()
    sign_in(page, url, "bella")
    page.goto(f"{url}/billing")
    bill = page.get_by_role("row", name=re.compile("Alvarez")).first
    expect(bill).to_contain_text("21 min")
    for code in codes_of(datetime.now(ZoneInfo(world.zone)).date()):
        expect(bill).to_contain_text(code)
    assert world.ask("a", "neighbour", "state")["connections"] == 0
    assert not list(told_in_logs(world.folder))


def codes_of(today: date) -> Iterator[str]:
    """What a bill says of this one day. Rules are known for a year, and a period of thirty days may close in the next one."""
    if in_force(today, Family.MANAGEMENT):
        yield "99457 so far"
    if in_force(today + timedelta(days=29), Family.SUPPLY):
        yield "99454 15 more days of data needed"


def test_what_is_looked_for_on_the_bill_is_there_to_be_found_this_year_and_not_beyond_the_rules() -> None:
    assert len(list(codes_of(date(2026, 12, 2)))) == 2
    assert len(list(codes_of(date(2026, 12, 3)))) == 1, "its period closes on 1 January 2027"


def told_in_logs(folder: Path) -> Iterator[str]:
    """Every log line that names the patient, her cuff or her values."""
    for log in sorted(folder.glob("*.log")):
        for line in log.read_text("utf-8", "replace").splitlines():
            told = leaked(line, "Maria", "Alvarez", "C0:00:00:00:0A", "192", "118", "143")
            if told and not line.startswith('{"ready"'):  # what the virtual air tells its owner
                yield f"{log.name}: {line}"


def test_the_search_for_health_data_finds_it(tmp_path: Path) -> None:
    """The control: a log that does tell is seen."""
    (tmp_path / "worker.log").write_text(
        '{"event": "stored", "systolic": 192.0}\n{"at": "2026-11-22T12:01:19.192118Z", "epoch": "0a192bcd118ef143"}\n',
        "utf-8",
    )
    assert list(told_in_logs(tmp_path)) == ['worker.log: {"event": "stored", "systolic": 192.0}']


def _twenty_one_minutes(page: Page, today: date) -> None:
    """A call of the morning, typed in: what a nurse does who was on the phone away from her desk."""
    page.get_by_text("Add minutes by hand…").click()
    form = page.locator("form", has=page.get_by_role("button", name="Add minutes"))
    form.get_by_label("Day").fill(today.isoformat())
    form.get_by_label("Start").fill("09:00")
    form.get_by_label("Minutes", exact=True).fill("21")
    form.get_by_label("Why by hand").fill("Called from the ward.")
    form.get_by_label("I spoke live").check()
    form.get_by_role("button", name="Add minutes").click()
    expect(page.get_by_text("typed in")).to_be_visible()


def test_without_an_acknowledgement_the_next_one_is_called(world: World, mail_sink: MailSink) -> None:
    """The control: the same story, nobody answers, and the second step calls the administrator."""
    for systolic in (192, 190):
        world.ask("a", "cuff", "measure", systolic=systolic, diastolic=118, mean=143, pulse=88)
    mail_sink.wait(2, timeout_s=ARRIVES_S_MAX + SECOND_CALL_S)
    assert mail_sink.recipients == [("rosa@clinic.example",), ("ada@clinic.example",)]
