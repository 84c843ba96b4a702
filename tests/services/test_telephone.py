"""A nurse is called, and answers with a key of her telephone (F59, F62, P8).

Method: both providers of calls as they speak on the wire, the pages as they know them from outside. A story fails on a message
that is missing and on one too many: what everybody got is compared whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from alerts.channels import Name
from alerts.channels.book import read_channels, read_hooks
from alerts.replies import KEYS_MAX
from rpm.jobs import contacts as asking
from rpm.jobs import deliveries
from rpm.jobs.deliveries import DELIVERED_WITHIN
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL, channels_file, desk_that_reaches_nora
from tests.services.test_contacts import PHONE, add, low
from tests.services.test_escalate import crisis, staff_id
from tests.support.clock import MORNING, SettableClock
from tests.support.leaks import leaked
from tests.support.providers.server import Telephone
from tests.support.providers.sinch import Sinch
from tests.support.providers.twilio import Twilio
from tests.support.website import Website

ADA = "ada@clinic.example"
NOTHING = "Nothing was acknowledged"


@dataclass(frozen=True, slots=True)
class Line:
    """A provider of calls, and its words for what happens at the other end."""

    provider: Telephone
    machine: str
    unsure: str
    busy: str
    rings_out: str


@pytest.fixture(params=["twilio", "sinch"])
def line(request: pytest.FixtureRequest, twilio: Twilio, sinch: Sinch) -> Line:
    if request.param == "twilio":
        return Line(twilio, "machine_start", "unknown", "busy", "no-answer")
    return Line(sinch, "machine", "notsure", "BUSY", "NOANSWER")


@pytest.fixture
def file(tmp_path: Path, line: Line) -> Path:
    """A channels file with one provider of calls."""
    return book(tmp_path, line.provider)


def book(folder: Path, *providers: Telephone) -> Path:
    return channels_file(folder, Name.VOICE, **{one.name: one.voice_url for one in providers})


@pytest.fixture
def desk(database: Database, file: Path) -> Desk:
    """Nora is called first, then written to; Ada is next."""
    return desk_that_reaches_nora(database, Name.VOICE, file)


@pytest.fixture
def pages(desk: Desk, file: Path, line: Line, clock: SettableClock) -> Iterator[Website]:
    """The pages, as the provider knows them from outside and where they really are."""
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(desk.database, clock, settings=settings) as website:
        line.provider.outside, line.provider.inside, line.provider.now = BASE_URL, website.url, clock
        yield website


def later(desk: Desk, clock: SettableClock, **span: float) -> None:
    """Time passes, and what is due is done."""
    desk.forward(**span)
    clock.set(desk.now)
    desk.call()


def look(desk: Desk, file: Path) -> int:
    return deliveries.run_once(desk.database, now=desk.now, providers=read_hooks(file).keys()).done


@pytest.mark.usefixtures("pages")
def test_a_nurse_has_it_by_one_key(desk: Desk, line: Line, clock: SettableClock) -> None:
    alert_id = crisis(desk)
    desk.call()
    [call] = line.provider.calls
    assert call.to == PHONE
    heard = line.provider.picks_up(call, "4")
    assert heard[0].startswith("Maple Street Clinic. An alert of severity urgent waits for you.")
    assert "press 4" in heard[0]
    assert heard[1:] == ["You have the alert. Nobody else is called. Please look at it now."]
    assert leaked("\n".join(heard), "Maria", "Alvarez", "192", "118", "pressure", "systolic") == []
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", staff_id(desk, "nora"))
    assert desk.rows("select detail from audit order by id desc limit 1") == [
        {"detail": {"alert": alert_id, "by": "key"}}
    ]
    assert sorted(desk.events(alert_id)[-3:]) == ["acknowledged", "delivered", "notified"]
    later(desk, clock, minutes=30)
    assert (len(line.provider.calls), desk.outbox.sent) == (1, [])


@pytest.mark.usefixtures("pages")
def test_another_key_acknowledges_nothing_and_says_so(desk: Desk, line: Line) -> None:
    crisis(desk)
    desk.call()
    [call] = line.provider.calls
    heard = line.provider.picks_up(call, "1")
    assert [NOTHING in said for said in heard[1:3]] == [True, True], "the wrong key, and then none"
    assert desk.alerts()[0]["status"] == "open"
    heard = line.provider.picks_up(call, "#", "4")
    assert NOTHING in heard[1]
    assert heard[-1].startswith("You have the alert.")
    assert desk.alerts()[0]["status"] == "acknowledged"


@pytest.mark.usefixtures("pages")
def test_who_tries_all_keys_hits_none(desk: Desk, line: Line, clock: SettableClock) -> None:
    """Somebody's trousers, or a stranger: a call hears few keys, and no more whatever comes afterwards."""
    crisis(desk)
    desk.call()
    [call] = line.provider.calls
    heard = line.provider.picks_up(call, *"12345")
    assert len(heard) == KEYS_MAX + 1, "it ends by itself"
    assert NOTHING in heard[-1]
    assert NOTHING in line.provider.presses(call, "4").text
    assert desk.alerts()[0]["status"] == "open"
    later(desk, clock, minutes=15)
    assert desk.outbox.addresses == [ADA], "the next step goes on"


@pytest.mark.usefixtures("pages")
def test_who_only_listens_has_not_taken_it(desk: Desk, line: Line, file: Path, clock: SettableClock) -> None:
    """A person was reached, so no other way is tried; nobody has the alert, so the next step comes in its time."""
    alert_id = crisis(desk)
    desk.call()
    heard = line.provider.picks_up(line.provider.calls[0])
    assert NOTHING in heard[-1]
    assert desk.events(alert_id)[-2:] == ["notified", "delivered"]
    later(desk, clock, minutes=14)
    assert look(desk, file) == 0
    assert (len(line.provider.calls), desk.outbox.sent) == (1, [])
    later(desk, clock, minutes=1)
    assert (len(line.provider.calls), desk.outbox.addresses) == (1, [ADA])


@pytest.mark.usefixtures("pages")
def test_a_machine_that_answers_has_not_been_reached(desk: Desk, line: Line, clock: SettableClock) -> None:
    alert_id = crisis(desk)
    desk.call()
    line.provider.picks_up(line.provider.calls[0], by=line.machine)
    later(desk, clock, seconds=1)
    assert (len(line.provider.calls), desk.outbox.addresses) == (1, [MAIL]), "her next way at once, and nobody else yet"
    assert desk.events(alert_id)[-2:] == ["notification_failed", "notified"]
    [said] = desk.rows("select reason from alert_event where kind = 'notification_failed'")
    assert said["reason"] == f"voice: {line.provider.name} says that a machine answered"


@pytest.mark.usefixtures("pages")
def test_nobody_picks_up(desk: Desk, line: Line, clock: SettableClock) -> None:
    """Her next way at once; where she has none, the next person at once."""
    crisis(desk)
    desk.call()
    for _ in range(2):
        line.provider.ends(line.provider.calls[0], line.busy)
    later(desk, clock, seconds=1)
    assert desk.outbox.addresses == [MAIL], "once, however often it is said"
    desk.rows("update contact set removed_at = %(now)s where address = %(mail)s returning id", now=desk.now, mail=MAIL)
    crisis(desk, "Weiss")
    desk.call()
    line.provider.ends(line.provider.calls[1], line.rings_out)
    later(desk, clock, seconds=1)
    assert desk.outbox.addresses == [MAIL, ADA]
    said = desk.rows("select reason from alert_event where kind = 'notification_failed' order by id")
    assert [row["reason"].split(" says that ")[1] for row in said] == ["the line is busy", "nobody picked up"]


@pytest.mark.usefixtures("pages")
def test_a_call_of_which_nothing_is_heard_goes_another_way(
    desk: Desk, line: Line, file: Path, clock: SettableClock
) -> None:
    crisis(desk)
    desk.call()
    within = DELIVERED_WITHIN[Name.VOICE].total_seconds()
    later(desk, clock, seconds=within - 1)
    assert look(desk, file) == 0
    later(desk, clock, seconds=1)
    assert look(desk, file) == 1
    desk.call()
    assert (len(line.provider.calls), desk.outbox.addresses) == (1, [MAIL])
    # She picks up after all: whoever answers has it.
    assert line.provider.picks_up(line.provider.calls[0], "4")[-1].startswith("You have the alert.")
    assert look(desk, file) == 0


@pytest.mark.usefixtures("pages")
def test_nobody_knows_who_picked_up(desk: Desk, line: Line, file: Path, clock: SettableClock) -> None:
    """No verdict and no key: not known to have been reached."""
    crisis(desk)
    desk.call()
    assert "press 4" in line.provider.picks_up(line.provider.calls[0], by=line.unsure)[0]
    later(desk, clock, seconds=1)
    assert desk.outbox.sent == []
    later(desk, clock, seconds=DELIVERED_WITHIN[Name.VOICE].total_seconds())
    assert look(desk, file) == 1
    desk.call()
    assert desk.outbox.addresses == [MAIL]


@pytest.mark.usefixtures("pages")
def test_a_key_takes_the_alert_of_its_own_call(desk: Desk, line: Line) -> None:
    first = crisis(desk)
    second = crisis(desk, "Weiss")
    desk.call()
    tokens = {row["alert_id"]: row["token"] for row in desk.rows("select alert_id, token from notification")}
    [meant] = [call for call in line.provider.calls if tokens[second] in str(call)]
    assert line.provider.picks_up(meant, "4")[-1].startswith("You have the alert.")
    assert {row["id"]: row["status"] for row in desk.alerts()} == {first: "open", second: "acknowledged"}
    for key in ("4", "1"):
        said = line.provider.presses(meant, key).text
        assert ("You have it already, since 10:00 EDT" in said, NOTHING in said) == (True, False), (
            "whatever she presses"
        )


@pytest.mark.usefixtures("pages")
def test_somebody_was_quicker(desk: Desk, line: Line) -> None:
    desk.clinic.staff("ben", "nurse")
    add(desk, Name.VOICE, "+15550100333", who="ben")
    desk.rows("update contact set position = 0 where channel = 'voice' returning id")
    crisis(desk)
    desk.call()
    nora, ben = sorted(line.provider.calls, key=lambda call: call.to)
    assert line.provider.picks_up(ben, "4")[-1].startswith("You have the alert.")
    # Sinch asks what to say: then she is told at once. Whoever was told beforehand is told by the key.
    assert "Somebody has it already." in line.provider.picks_up(nora, "4")[-1]
    assert line.provider.presses(nora, "4").text.count("Nothing was acknowledged") == 1
    assert desk.alerts()[0]["acknowledged_by"] == staff_id(desk, "ben")


@pytest.mark.usefixtures("pages")
def test_what_is_sent_again_or_signed_by_nobody_does_nothing(desk: Desk, line: Line, clock: SettableClock) -> None:
    """Whoever listened on the line sends the key once more, after the alert has grown worse and calls anew."""
    crisis(desk)
    desk.call()
    [call] = line.provider.calls
    wrong = "bm90IHRoZWlyIHNlY3JldA=="
    assert line.provider.presses(call, "4", secret=wrong).status_code == httpx.codes.FORBIDDEN
    assert desk.alerts()[0]["status"] == "open"
    assert line.provider.presses(call, "4").status_code == httpx.codes.OK
    desk.rows("update alert set status = 'open', acknowledged_by = null, acknowledged_at = null returning id")
    again = line.provider.again()
    assert (again.status_code, NOTHING in again.text) == (httpx.codes.OK, True)
    assert desk.alerts()[0]["status"] == "open"
    if isinstance(line.provider, Sinch):
        clock.forward(minutes=6)
        assert line.provider.again().status_code == httpx.codes.FORBIDDEN, "what is signed with its time grows old"
    nowhere = replace(call, tells={event: f"{to}x" for event, to in call.tells.items()})
    assert line.provider.presses(nowhere, "4").status_code == httpx.codes.NOT_FOUND, "a call nobody made"
    before = desk.rows("select count(*) as n from alert_event")
    for body in (b"", b"\xff\xfe", b"[" * 60_000, b"{" * 70_000):
        answer = httpx.post(
            f"{line.provider.inside}/hooks/{line.provider.name}/report/x", content=body,
            headers={"content-type": "application/json", "authorization": "application x:y", "x-timestamp": "x"},
        )  # fmt: skip
        assert answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.REQUEST_ENTITY_TOO_LARGE}
        assert "Traceback" not in answer.text
    assert desk.rows("select count(*) as n from alert_event") == before


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("rings", [0, 1])
def test_a_key_does_not_take_what_its_alert_has_become(
    desk: Desk, line: Line, clock: SettableClock, rings: int
) -> None:
    """E7: the call is for an orange, which becomes a red before the key is pressed (`rings`: before somebody picks up)."""
    person = low(desk, 65)
    desk.call()
    [call] = line.provider.calls
    assert rings or "severity priority" in line.provider.picks_up(call)[0]
    desk.forward(seconds=5)
    low(desk, 50, person)
    said = line.provider.picks_up(call, "4") if rings else [line.provider.presses(call, "4").text]
    # Sinch asks what to say when somebody picks up: then it is said at once, and no key is asked for.
    worse = "It has become worse since this call: it was priority, and is urgent now. Please open the list of alerts."
    assert (worse in said[-1], "You have the alert." in "".join(said)) == (True, False)
    assert NOTHING in line.provider.presses(call, "4").text, "nor by trying again"
    assert desk.alerts()[0]["status"] == "open", "nobody has taken a red unawares"
    later(desk, clock, seconds=1)
    heard = line.provider.picks_up(line.provider.calls[1], "4")
    assert ("severity urgent" in heard[0], heard[-1].split(".")[0]) == (True, "You have the alert")


@pytest.mark.usefixtures("pages")
def test_a_summary_takes_no_alert(desk: Desk, line: Line, clock: SettableClock) -> None:
    """Of many alerts one key could mean any: the call sends to the list, and hears none."""
    desk.singly_max = 1
    for number in range(4):
        crisis(desk, f"Alvarez {number}")
    desk.call()
    later(desk, clock, minutes=1)
    assert len(line.provider.calls) == 2
    heard = line.provider.picks_up(line.provider.calls[1], "4")
    assert len(heard) == 1
    assert "3 alerts wait for you" in heard[0]
    assert "press" not in heard[0]
    assert {row["status"] for row in desk.alerts()} == {"open"}


@pytest.mark.usefixtures("pages")
def test_a_code_is_spoken_and_no_key_asked_for(desk: Desk, line: Line) -> None:
    desk.rows("update contact set verified_at = null where channel = 'voice' returning id")
    asking.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL)
    [call] = line.provider.calls
    [said] = line.provider.picks_up(call, "4")
    assert said.startswith("This is Maple Street Clinic. Your code is ")


def test_a_second_provider_calls_where_the_first_does_not(
    database: Database, tmp_path: Path, twilio: Twilio, sinch: Sinch, clock: SettableClock
) -> None:
    """F59: and her key goes to whoever called."""
    file = book(tmp_path, twilio, sinch)
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    add(desk, Name.VOICE, PHONE)
    desk.rows("update contact set position = 0 where channel = 'voice' returning id")
    desk.channels = {**desk.channels, Name.VOICE: read_channels(file, mail_url="")[Name.VOICE]}
    twilio.takes = False
    crisis(desk)
    desk.call()
    assert (twilio.calls, len(sinch.calls), desk.outbox.sent) == ([], 1, [])
    [said] = desk.rows("select reason from alert_event where kind = 'notified'")
    assert said["reason"] == "voice: twilio did not take it; sinch took it"
    settings = Settings(dsn=database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(database, clock, settings=settings) as website:
        sinch.outside, sinch.inside, sinch.now = BASE_URL, website.url, clock
        assert sinch.picks_up(sinch.calls[0], "4")[-1].startswith("You have the alert.")
    desk.forward(seconds=timedelta(minutes=3).total_seconds())
    assert look(desk, file) == 0
