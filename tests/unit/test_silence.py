"""Why nothing comes from a patient (F46, F115). Method: one home that is well, one thing changed at a time, and what is guessed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from rpm.fleet import Home
from rpm.silence import SIGNAL_WEAK_DBM, Cause, GivenDevice, Guess, Silent, guess
from rpm.store.events import Latest
from schemas.messages import EventName
from tests.unit.test_fleet import CUFF, NOW, USED, WELL, ago, points, told

CUFF_GIVEN = GivenDevice(1, "cuff", CUFF, ago(days=4), WELL.id, pending=False, held=0)
MARIA = Silent(
    7, UUID(int=7), "Maria", "Alvarez", "+1 555 0100", "America/New_York", ago(days=4), ago(days=90), (CUFF_GIVEN,)
)
SCALE = replace(CUFF_GIVEN, id=2, label="scale", address="C0:00:00:00:0A:02", gateway_id="gw-other")


def guessed(silent: Silent = MARIA, home: Home | None = None, *others: Home) -> Guess:
    homes = [home or Home(WELL, devices=[USED]), *others]
    return guess(silent, {each.gateway.id: each for each in homes}, now=NOW)


def given(*devices: GivenDevice) -> Silent:
    return replace(MARIA, devices=devices)


def test_where_box_and_device_are_well_it_is_the_patient() -> None:
    found = guessed()
    assert (found.cause, found.gateway_id) == (Cause.PATIENT, WELL.id)
    assert found.said == "Box and device are well: probably the patient has not measured."
    assert "nobody has begun" in guessed(replace(MARIA, heard_at=None)).said


def test_somebody_without_a_device() -> None:
    assert guessed(given()).cause is Cause.NO_DEVICE


def test_a_device_that_was_never_heard_was_never_set_up() -> None:
    assert guessed(given(replace(CUFF_GIVEN, seen_at=None))).cause is Cause.NEVER
    assert guessed(given(replace(CUFF_GIVEN, gateway_id="gw-of-nobody"))).cause is Cause.NEVER


def test_readings_that_are_held_are_no_silence_of_the_patient() -> None:
    held = guessed(given(replace(CUFF_GIVEN, held=2)))
    assert (held.cause, held.said) == (Cause.HELD, "2 readings came and are held.")
    pending = guessed(given(replace(CUFF_GIVEN, held=1, pending=True)))
    assert pending.said == "1 reading came and is held: nobody has confirmed yet that “cuff” is theirs."
    assert pending.device_id == CUFF_GIVEN.id


@pytest.mark.parametrize(
    "change, said",
    [
        ({"heard_at": ago(days=4)}, "Probably the box: no word from it for 4 days."),
        ({"adapter": "bluez: not scanning"}, "Probably the box: its Bluetooth does not work."),
    ],
)
def test_the_box(change: dict[str, object], said: str) -> None:
    found = guessed(MARIA, Home(replace(WELL, **change), devices=[USED]))
    assert (found.cause, found.said) == (Cause.BOX, said)


def test_one_silent_box_of_two_explains_nothing() -> None:
    """The other one would have brought the readings of its device."""
    other = Home(replace(WELL, id="gw-other", heard_at=ago(days=9)))
    assert guessed(given(CUFF_GIVEN, SCALE), None, other).cause is Cause.PATIENT
    both = guessed(given(CUFF_GIVEN, SCALE), Home(replace(WELL, heard_at=ago(days=4))), other)
    assert (both.cause, both.said) == (Cause.BOX, "Probably the box: no word from it for 4 days.")


@pytest.mark.parametrize(
    "latest, batteries, cause",
    [
        ([told(EventName.DEVICE_BATTERY, "10", address=CUFF)], [], Cause.BATTERY),
        ([told(EventName.DEVICE_BATTERY, "60", address=CUFF)], [], Cause.PATIENT),
        # A straight line through its last words ended a week ago.
        (
            [told(EventName.DEVICE_BATTERY, "25", address=CUFF)],
            points(65, 55, 45, 35, 25, every_days=2, until=ago(days=12)),
            Cause.BATTERY,
        ),
        ([told(EventName.DEVICE_NOT_PAIRED, address=CUFF)], [], Cause.LINK),
        ([told(EventName.DEVICE_NOT_PAIRED, address=CUFF, at=ago(days=5))], [], Cause.PATIENT),
    ],
)
def test_what_the_box_told_of_the_device(latest: Sequence[Latest], batteries: Sequence[object], cause: Cause) -> None:
    assert guessed(MARIA, Home(WELL, latest=latest, devices=[USED], batteries={CUFF: batteries})).cause is cause  # pyright: ignore[reportArgumentType] -- points


def test_a_weak_signal() -> None:
    assert guessed(MARIA, Home(replace(WELL, rssi_dbm=SIGNAL_WEAK_DBM))).cause is Cause.LINK
    assert guessed(MARIA, Home(replace(WELL, rssi_dbm=SIGNAL_WEAK_DBM + 1))).cause is Cause.PATIENT


def test_the_box_comes_before_the_battery_and_the_battery_before_the_patient() -> None:
    flat = [told(EventName.DEVICE_BATTERY, "3", address=CUFF)]
    off = Home(replace(WELL, heard_at=ago(hours=2), rssi_dbm=-95), latest=flat)
    assert guessed(MARIA, off).cause is Cause.BOX
    assert guessed(MARIA, replace(off, gateway=replace(WELL, rssi_dbm=-95))).cause is Cause.BATTERY


def test_names_do_not_stand_in_a_traceback() -> None:
    assert "Alvarez" not in repr(MARIA)
    assert ago(days=4) < NOW - timedelta(days=3)
