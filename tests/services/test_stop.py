"""A nurse writes STOP to a text: nothing is sent to that number until START, and those who keep the rota know (F59, F60, F62).

Method: both providers of texts as they speak on the wire. What the law and carriers ask for (47 CFR 64.1200(a)(10), CTIA) and what
a night needs meet: a number that stops is one contact fewer, at once, and never in silence.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from psycopg.errors import LockNotAvailable

from alerts.channels import Name
from rpm.jobs import contacts as asking
from rpm.jobs import cover, escalate, send
from rpm.store import contacts, notifications
from tests.services.judging import BASE_URL, Desk
from tests.services.reaching import MAIL
from tests.services.test_contacts import PHONE, add
from tests.services.test_early_reports import desk, file, overtake, pages, provider
from tests.services.test_escalate import crisis, staff_id
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage
from tests.support.visitor import Visitor
from tests.support.website import Website

ADA = "ada@clinic.example"


__all__ = ["desk", "file", "pages", "provider"]


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


def test_stop_while_a_text_is_in_its_senders_hand(desk: Desk, provider: Twilio | Vonage) -> None:
    """Nothing of ours says "sent" yet: it must not say so afterwards."""
    alert_id = crisis(desk)
    overtake(desk, lambda: provider.brings(PHONE, "STOP"))
    desk.call()
    assert desk.outbox.addresses[0] == MAIL
    assert desk.rows("select state from notification where channel = 'sms'") == [{"state": "failed"}]
    assert "notification_failed" in desk.events(alert_id)


def test_stop_between_the_claim_of_a_text_and_its_sending(
    desk: Desk, provider: Twilio | Vonage, monkeypatch: pytest.MonkeyPatch
) -> None:
    crisis(desk)
    _before(monkeypatch, notifications, "still_wanted", lambda: provider.brings(PHONE, "STOP"))
    desk.call()
    assert [text.body for text in provider.texts] == []
    assert desk.outbox.addresses[0] == MAIL


def test_stop_between_the_reading_of_contacts_and_the_writing_of_messages(
    desk: Desk, provider: Twilio | Vonage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is not there yet for STOP to find, and is written for a number that has stopped."""
    alert_id = crisis(desk)
    _before(monkeypatch, notifications, "write", lambda: provider.brings(PHONE, "STOP"))
    desk.call()
    assert [text.body for text in provider.texts] == []
    assert desk.outbox.addresses[0] == MAIL
    [failed] = desk.rows(
        "select reason from alert_event where alert_id = %(id)s and kind = 'notification_failed'", id=alert_id
    )
    assert failed["reason"] == "sms: its reader wrote STOP"


def test_a_stop_that_is_being_written_is_waited_for(desk: Desk) -> None:
    """It has looked for messages before this one was there: whoever sends this one must not read that nothing stopped."""
    crisis(desk)
    escalate.run_once(desk.database, now=desk.now, plan=desk.plan)
    with desk.database.transaction() as connection:
        [claimed] = notifications.claim(connection, now=desk.now, lease_until=desk.now + send.LEASE, limit=1)
        [contact] = connection.execute("select id from contact where channel = 'sms'").fetchall()
        assert claimed.contact_id == contact["id"]
    with desk.database.transaction() as stopping:
        contacts.stop(stopping, PHONE, now=desk.now)
        with desk.database.transaction() as sending:
            sending.execute("set local lock_timeout = '200ms'")
            with pytest.raises(LockNotAvailable):
                notifications.still_wanted(sending, claimed)
    with desk.database.transaction() as connection:
        assert notifications.still_wanted(connection, claimed).stopped


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
        own = Visitor(plain).sign_in("nora").page("/me/contacts")
        assert "until you write START" in own
        assert "once more, if you have and this is still here" in own, "it may have come while the pages were away"


def _before(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, happens: Callable[[], object]) -> None:
    """Something happens before this is done for the first time."""
    does = getattr(module, name)
    left = [happens]

    def late(*arguments: Any, **named: Any) -> Any:
        if left:
            left.pop()()
        return does(*arguments, **named)

    monkeypatch.setattr(module, name, late)


def staff_of(desk: Desk) -> list[notifications.StaffMember]:
    with desk.database.transaction() as connection:
        return notifications.staff_of(connection, [desk.clinic.practice_id], now=desk.now)
