"""Somebody guesses the digits of a call, in a nurse's name: few guesses, and her own answer still gets through (F62).

A sender's number can be forged; the digits that went to it cannot be read by who forges it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.channels import Name
from rpm.access import FAILURES_MAX, ThrottleScope
from rpm.settings import Settings
from tests.services.judging import BASE_URL, Desk
from tests.services.test_contacts import PHONE, add
from tests.services.test_escalate import crisis
from tests.services.test_texts import desk, file
from tests.support.clock import SettableClock
from tests.support.providers.twilio import Twilio
from tests.support.website import Website

TRIES = FAILURES_MAX[ThrottleScope.TEXTER]


__all__ = ["desk", "file"]


@pytest.fixture(autouse=True)
def pages(desk: Desk, file: Path, twilio: Twilio, clock: SettableClock) -> Iterator[None]:
    settings = Settings(dsn=desk.database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(desk.database, clock, settings=settings) as website:
        twilio.outside, twilio.inside = BASE_URL, website.url
        yield


def codes(twilio: Twilio, number: str) -> tuple[str, list[str]]:
    """The digits that went to a number last, and all others."""
    text = next(one for one in reversed(twilio.texts) if one.to == number)
    right = text.body.split("ACK ")[1][:4]
    return right, [f"{code:04d}" for code in range(10_000) if f"{code:04d}" != right]


def test_who_guesses_has_few_tries_and_the_nurse_has_hers_later(
    desk: Desk, twilio: Twilio, clock: SettableClock
) -> None:
    crisis(desk)
    desk.call()
    right, wrong = codes(twilio, PHONE)
    for code in wrong[:TRIES]:
        assert "no call to this number" in twilio.brings(PHONE, f"ACK {code}")
    assert "too many" in twilio.brings(PHONE, f"ACK {right}")
    assert desk.alerts()[0]["status"] == "open"
    for code in wrong[TRIES : 3 * TRIES]:
        assert "too many" in twilio.brings(PHONE, f"ACK {code}"), "it says nothing of the digits"
    clock.forward(minutes=15)
    assert twilio.brings(PHONE, f"ACK {right}").startswith("You have alert "), (
        "whoever goes on guessing delays her no further"
    )


def test_a_nurse_who_mistypes_is_heard(desk: Desk, twilio: Twilio) -> None:
    """Her right answer makes up for the wrong ones; what is no guess is none."""
    for name in ("Alvarez", "Weiss"):
        crisis(desk, name)
        desk.call()
        right, wrong = codes(twilio, PHONE)
        for code in wrong[: TRIES - 1]:
            twilio.brings(PHONE, f"ACK {code}")
        for unclear in ("ok", "ACK", f"ACK {wrong[0]} {wrong[1]}") * TRIES:
            twilio.brings(PHONE, unclear)
        assert twilio.brings(PHONE, f"ACK {right}").startswith("You have alert ")


def test_while_many_numbers_guess_each_has_one_try(desk: Desk, twilio: Twilio) -> None:
    """All together are counted, too; but a siege of others does not silence her."""
    numbers = [f"+1555020{place:04d}" for place in range(FAILURES_MAX[ThrottleScope.TEXTS] // TRIES)]
    for place, number in enumerate(numbers):
        desk.clinic.staff(f"n{place}", "nurse")
        add(desk, Name.SMS, number, who=f"n{place}")
    desk.rows("update contact set position = 0 where channel = 'sms' returning id")
    crisis(desk)
    desk.call()
    for number in numbers:
        _, wrong = codes(twilio, number)
        for code in wrong[:TRIES]:
            assert "no call to this number" in twilio.brings(number, f"ACK {code}")
    twilio.brings("+15550100999", "ACK 0000")
    right, wrong = codes(twilio, PHONE)
    assert twilio.brings(PHONE, f"ACK {right}").startswith("You have alert ")
    crisis(desk, "Weiss")
    desk.call()
    right, wrong = codes(twilio, PHONE)
    assert "no call to this number" in twilio.brings(PHONE, f"ACK {wrong[0]}")
    assert "too many" in twilio.brings(PHONE, f"ACK {right}")


def test_a_strangers_guesses_count_for_nothing(desk: Desk, twilio: Twilio) -> None:
    """No digits of his number acknowledge anything: he cannot use up the tries of those whose do."""
    crisis(desk)
    desk.call()
    for place in range(FAILURES_MAX[ThrottleScope.TEXTS] + 1):
        twilio.brings("+15550100999", f"ACK {place:04d}")
    right, wrong = codes(twilio, PHONE)
    for code in wrong[:2]:
        twilio.brings(PHONE, f"ACK {code}")
    assert twilio.brings(PHONE, f"ACK {right}").startswith("You have alert ")
