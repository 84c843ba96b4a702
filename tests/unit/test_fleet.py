"""What a home needs from a person, a battery's trend, a device clock's history. Method: tables of facts and what is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rpm.fleet import LABELS, PRIORITY, ROUTINE, Home, HomeDevice, Need, notices
from rpm.store.events import Latest, Point
from rpm.store.gateways import Gateway
from rpm.upkeep import clock_lines, clock_words, days_left, event_words, span
from schemas.messages import EventName

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
CUFF = "C0:00:00:00:0A:01"
WELL = Gateway(
    id="gw-home-a", practice_id=1, label="Mrs. A", created_at=NOW - timedelta(days=90), heard_at=NOW - timedelta(seconds=40),
    kind="heartbeat", version="1.0", uptime_s=90_000.0, outbox_depth=0, outbox_oldest_s=0.0, outbox_dropped=0, epoch="0" * 16,
    buffer_days=80.0, adapter="bluez", recoveries=0, clock="synchronised", rssi_dbm=-60,
    certificate_not_after=NOW + timedelta(days=60), event_name=None, event_at=None,
)  # fmt: skip
USED = HomeDevice(1, CUFF, "cuff", NOW - timedelta(hours=5), in_use=True)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def told(name: EventName, value: str | None = None, *, address: str = "", at: datetime | None = None) -> Latest:
    return Latest("gw-home-a", name, address, at or ago(hours=2), at or ago(hours=2), value)


def said(home: Home) -> list[tuple[Need, int]]:
    return [(notice.need, notice.severity) for notice in notices(home, now=NOW)]


def points(*values: float, every_days: float = 2, until: datetime = NOW) -> list[Point]:
    last = len(values) - 1
    return [Point(until - timedelta(days=(last - place) * every_days), value) for place, value in enumerate(values)]


def test_a_home_that_is_well_needs_nobody() -> None:
    assert said(Home(WELL, devices=[USED], latest=[told(EventName.DEVICE_BATTERY, "80", address=CUFF)])) == []


@pytest.mark.parametrize(
    "change, need, severity",
    [
        ({"practice_id": 0}, Need.UNREGISTERED, PRIORITY),
        ({"heard_at": None}, Need.NEVER, ROUTINE),
        ({"heard_at": ago(minutes=11)}, Need.SILENT, PRIORITY),
        ({"heard_at": ago(minutes=11), "kind": "will"}, Need.SILENT, PRIORITY),
        ({"heard_at": ago(minutes=2), "kind": "will"}, Need.SILENT, ROUTINE),
        ({"adapter": "bluez: not scanning"}, Need.RADIO, PRIORITY),
        ({"clock": "unset"}, Need.CLOCK, PRIORITY),
        ({"clock": "unset", "outbox_depth": 9, "outbox_oldest_s": 90_000.0}, Need.CLOCK, PRIORITY),
        ({"clock": "unverified"}, Need.CLOCK, ROUTINE),
        ({"clock": "unverified", "uptime_s": 60.0}, None, 0),
        ({"outbox_depth": 3, "outbox_oldest_s": 3601.0}, Need.WAITING, PRIORITY),
        ({"outbox_depth": 3, "outbox_oldest_s": 3599.0}, None, 0),
        ({"buffer_days": 2.9}, Need.FULL, PRIORITY),
        ({"buffer_days": 3.0}, None, 0),
        ({"buffer_days": None}, None, 0),
        ({"certificate_not_after": NOW + timedelta(days=21)}, None, 0),
        ({"certificate_not_after": NOW + timedelta(days=19)}, Need.CERTIFICATE, ROUTINE),
        ({"certificate_not_after": NOW + timedelta(days=6)}, Need.CERTIFICATE, PRIORITY),
        ({"certificate_not_after": NOW - timedelta(days=1)}, Need.CERTIFICATE, PRIORITY),
        ({"certificate_not_after": None, "clock": None, "adapter": None}, None, 0),
    ],
)
def test_what_a_heartbeat_makes_of_a_box(change: dict[str, object], need: Need | None, severity: int) -> None:
    assert said(Home(replace(WELL, **change))) == ([] if need is None else [(need, severity)])


@pytest.mark.parametrize(
    "event, need, severity",
    [
        (told(EventName.GATEWAY_HUNG, "radio", at=ago(days=6)), Need.HUNG, ROUTINE),
        (told(EventName.GATEWAY_HUNG, "radio", at=ago(days=8)), None, 0),
        (told(EventName.OUTBOX_DROPPED, at=ago(days=6)), Need.DROPPED, PRIORITY),
        (told(EventName.OUTBOX_DROPPED, at=ago(days=8)), None, 0),
        (told(EventName.OUTBOX_NEARLY_FULL), Need.FULL, PRIORITY),
        (told(EventName.OUTBOX_NEARLY_FULL, at=ago(days=2)), None, 0),
        (told(EventName.DEVICE_UNSUPPORTED, "Acme BP-1", address=CUFF), Need.UNSUPPORTED, ROUTINE),
        (told(EventName.DEVICE_UNSUPPORTED, "Acme BP-1", address=CUFF, at=ago(hours=6)), None, 0),
        (told(EventName.DEVICE_NOT_PAIRED, address=CUFF), Need.NOT_PAIRED, PRIORITY),
        (told(EventName.DEVICE_NOT_PAIRED, address=CUFF, at=ago(hours=6)), None, 0),
        (told(EventName.DEVICE_CHANGED, address=CUFF, at=ago(hours=6)), Need.CHANGED, PRIORITY),
        (told(EventName.DEVICE_CHANGED, address=CUFF, at=ago(days=8)), None, 0),
        (told(EventName.DEVICE_CONSENT, "user 2: refused", address=CUFF), Need.CONSENT, PRIORITY),
        # Somebody else may have measured since: that says nothing of user 2.
        (told(EventName.DEVICE_CONSENT, "user 2: refused", address=CUFF, at=ago(days=6)), Need.CONSENT, PRIORITY),
        (told(EventName.DEVICE_CONSENT, "user 2: refused", address=CUFF, at=ago(days=8)), None, 0),
        (told(EventName.RECORDS_MISSING, "3", address=CUFF), Need.MISSING, ROUTINE),
        (told(EventName.RECORDS_MISSING, "3", address=CUFF, at=ago(days=8)), None, 0),
        (told(EventName.DEVICE_FIRMWARE, "2.1", address=CUFF), Need.FIRMWARE, ROUTINE),
        (told(EventName.DEVICE_FIRMWARE, "2.1", address=CUFF, at=ago(days=8)), None, 0),
        (told(EventName.DEVICE_UNLISTED, "Acme BP-1, firmware 2", address=CUFF), Need.UNLISTED, ROUTINE),
        (told(EventName.DEVICE_UNLISTED, "Acme BP-1, firmware 2", address=CUFF, at=ago(days=8)), None, 0),
        (told(EventName.DEVICE_BATTERY, "20", address=CUFF), Need.BATTERY, ROUTINE),
        (told(EventName.DEVICE_BATTERY, "21", address=CUFF), None, 0),
        (told(EventName.DEVICE_BATTERY, "low, I think", address=CUFF), None, 0),
    ],
)
def test_what_an_event_makes_of_a_home(event: Latest, need: Need | None, severity: int) -> None:
    assert said(Home(WELL, latest=[event], devices=[USED])) == ([] if need is None else [(need, severity)])


def test_a_silent_box_and_a_device_without_readings_are_two_problems() -> None:
    """F14: while the box is silent nothing can arrive, so nothing is said of its devices; once it speaks, it is theirs."""
    missed = replace(USED, seen_at=ago(days=4))
    assert said(Home(WELL, devices=[missed])) == [(Need.NO_READINGS, ROUTINE)]
    assert said(Home(replace(WELL, heard_at=ago(days=4)), devices=[missed])) == [(Need.SILENT, PRIORITY)]
    [notice] = notices(Home(WELL, devices=[missed]), now=NOW)
    assert notice.said == "Nothing from “cuff” for 4 days, though the box is well."
    for nobodys in (replace(missed, in_use=False), replace(missed, seen_at=None), replace(missed, seen_at=ago(days=2))):
        assert said(Home(WELL, devices=[nobodys])) == []


def test_a_device_nobody_has_confirmed_wants_a_call_today() -> None:
    """A5: and it is not missed besides, for its readings wait."""
    pending = replace(USED, seen_at=ago(days=4), pending=True, kind="blood_pressure")
    assert said(Home(WELL, devices=[pending])) == [(Need.UNCONFIRMED, PRIORITY)]
    [notice] = notices(Home(WELL, devices=[pending]), now=NOW)
    assert (notice.device_id, notice.kind) == (USED.id, "blood_pressure")


def test_the_most_pressing_comes_first() -> None:
    low, waiting = told(EventName.DEVICE_BATTERY, "5", address=CUFF), replace(WELL, outbox_depth=3, outbox_oldest_s=9e4)
    assert said(Home(waiting, latest=[low], recoveries=3)) == [
        (Need.WAITING, PRIORITY),
        (Need.RADIO, ROUTINE),
        (Need.BATTERY, ROUTINE),
    ]
    assert said(Home(WELL, recoveries=2)) == []


def test_a_battery_that_will_not_last_the_week_is_told_while_it_is_half_full() -> None:
    low = told(EventName.DEVICE_BATTERY, "45", address=CUFF)
    falling = points(95, 85, 75, 65, 55, 45, every_days=1.4)
    [notice] = notices(Home(WELL, latest=[low], devices=[USED], batteries={CUFF: falling}), now=NOW)
    assert (notice.need, notice.said) == (Need.BATTERY, "Battery of “cuff” at 45 %, for about 6 days more.")
    slow = points(95, 85, 75, 65, 55, 45, every_days=10)
    assert said(Home(WELL, latest=[low], batteries={CUFF: slow})) == []


def test_every_need_has_a_name_for_the_filter() -> None:
    assert set(LABELS) == set(Need)
    assert len(set(LABELS.values())) == len(Need)


@pytest.mark.parametrize(
    "said_by_device",
    [
        points(),
        points(90, 80, 70, 60),  # too few
        points(60, 58, 56, 54, 52),  # hardly a fall: it may be one step of four
        points(90, 80, 70, 60, 50, every_days=1),  # too short
        points(20, 40, 60, 80, 100),  # it is being charged
        points(100, 99, 98, 96, 94, 92, 90, every_days=30),  # further ahead than anybody plans
        points(40, 30, 20, 10, 100, 98, 96),  # a new battery, and too few since
    ],
)
def test_no_trend_is_said_that_the_data_do_not_support(said_by_device: list[Point]) -> None:
    assert days_left(said_by_device, now=NOW) is None


def test_a_trend_begins_anew_with_a_new_battery() -> None:
    old_and_new = points(30, 20, 10, 90, 80, 70, 60, 50, every_days=2)
    assert days_left(old_and_new, now=NOW) == pytest.approx(9.0)


def test_a_trend_goes_on_while_the_device_sleeps() -> None:
    falling = points(90, 80, 70, 60, 50, until=ago(days=4))
    assert days_left(falling, now=NOW) == pytest.approx(5.0)
    assert days_left(falling, now=NOW + timedelta(days=30)) == 0.0


@given(some.lists(some.floats(0, 100), max_size=40), some.floats(0.01, 60))
def test_a_trend_is_a_number_of_days_or_none(values: list[float], every_days: float) -> None:
    left = days_left(points(*values, every_days=every_days), now=NOW)
    assert left is None or 0 <= left <= 90


@pytest.mark.parametrize(
    "behind_s, words",
    [
        (0.0, "right"),
        (59.9, "right"),
        (-59.9, "right"),
        (2220.0, "37 minutes behind"),
        (-7300.0, "2 hours ahead"),
        (1.78e9, "56 years behind"),
        (1e300, "never set"),
    ],
)
def test_how_far_a_clock_is_off(behind_s: float, words: str) -> None:
    assert clock_words(behind_s) == words


def test_a_clocks_history_says_when_it_was_put_right() -> None:
    """F5: wrong, wrong, right, right, wrong again after a new battery: newest first."""
    lines = clock_lines(points(2220, 2222, 0.3, 1.1, 1.7e9))
    assert [(line.said, line.put_right) for line in lines] == [
        ("53 years behind", False),
        ("right", False),
        ("right", True),
        ("37 minutes behind", False),
        ("37 minutes behind", False),
    ]
    assert all(newer.at > older.at for newer, older in pairwise(lines))
    assert clock_lines([]) == []


@pytest.mark.parametrize(
    "length, words",
    [(0, "less than a minute"), (60, "1 minute"), (7199, "1 hour"), (86_400, "1 day"), (-200_000, "2 days")],
)
def test_a_length_of_time(length: int, words: str) -> None:
    assert span(timedelta(seconds=length)) == words


@pytest.mark.parametrize(
    "name, value, words",
    [
        (EventName.DEVICE_CLOCK, -70.0, "1 minute ahead"),
        (EventName.DEVICE_CLOCK, 0.5, "right"),
        (EventName.DEVICE_CLOCK, 1_800_000_000.0, "57 years behind"),
        (EventName.GATEWAY_CLOCK, 3600.0, "moved by +3600 s"),
        (EventName.DEVICE_BATTERY, 18.0, "18 %"),
        (EventName.OUTBOX_NEARLY_FULL, 0.82, "82 % full"),
        (EventName.OUTBOX_DROPPED, 12.0, "12"),
        (EventName.RADIO_RECOVERY, "restart", "restart"),
        (EventName.DEVICE_PAIRED, None, ""),
    ],
)
def test_what_a_box_told_is_said_with_its_unit(name: EventName, value: float | str | None, words: str) -> None:
    assert event_words(name, value) == words
