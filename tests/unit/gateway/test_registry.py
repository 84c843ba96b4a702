"""A reading's time and name: golden cases, each worked by hand. New York is UTC-5 in winter, UTC-4 in summer time.

Summer time ended in New York on 2026-11-01 at 02:00 (06:00 UTC) and began on 2026-03-08 at 02:00 (07:00 UTC)
(IANA time zone database).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from devices.procedures import Assembled, Frame, SessionFacts, assemble
from gateway import registry
from schemas.messages import UndecodedItem
from schemas.reading import Reading, TimeSource
from tests.unit.gateway.frames import CUFF, PLAIN_PRESSURE

NEW_YORK = ZoneInfo("America/New_York")
AT = datetime(2026, 11, 22, 13, 0, 30, tzinfo=UTC)  # 08:00:30 in New York


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


GOLDEN = [
    # What the device said, its clock's offset, received (= clock read), measured at, by which clock.
    ("right clock", "2026-11-22T08:00:00", 0.0, AT, utc("2026-11-22T13:00:00"), TimeSource.DEVICE_CORRECTED),
    ("37 minutes slow", "2026-11-22T07:23:00", 2220.0, AT, utc("2026-11-22T13:00:00"), TimeSource.DEVICE_CORRECTED),
    ("a year ahead", "2027-11-22T08:00:00", -31536000.0, AT, utc("2026-11-22T13:00:00"), TimeSource.DEVICE_CORRECTED),
    # At receipt it showed 2000-01-01 00:10:30, which is 848649000 s behind 2026-11-22 08:00:30.
    (
        "never set, but running",
        "2000-01-01T00:10:00",
        848649000.0,
        AT,
        utc("2026-11-22T13:00:00"),
        TimeSource.DEVICE_CORRECTED,
    ),
    ("clock not read", "2026-11-22T07:55:00", None, AT, utc("2026-11-22T12:55:00"), TimeSource.DEVICE),
    ("no time", None, 0.0, AT, AT, TimeSource.GATEWAY),
    ("never set", "0000-00-00T00:00:00", None, AT, AT, TimeSource.GATEWAY),
    ("no month", "2026-00-22T08:00:00", 0.0, AT, AT, TimeSource.GATEWAY),
    ("month 13", "2026-13-22T08:00:00", None, AT, AT, TimeSource.GATEWAY),
    ("1970", "1970-01-01T00:00:00", None, AT, AT, TimeSource.GATEWAY),
    ("2019", "2019-12-31T12:00:00", None, AT, AT, TimeSource.GATEWAY),
    ("year 9999", "9999-12-31T23:59:59", None, AT, AT, TimeSource.GATEWAY),
    ("year 9999, corrected", "9999-12-31T23:59:59", 9e9, AT, AT, TimeSource.GATEWAY),
    ("4 minutes ahead", "2026-11-22T08:04:30", None, AT, utc("2026-11-22T13:04:30"), TimeSource.DEVICE),
    ("6 minutes ahead", "2026-11-22T08:06:31", None, AT, AT, TimeSource.GATEWAY),
    # Battery pulled after the measurement: the old time plus the new clock's offset lies in the future.
    ("battery pulled", "2026-11-21T08:00:00", 848821830.0, AT, AT, TimeSource.GATEWAY),
    # 01:30 came twice on 1 November. Live, in the second: the later one that is not after receipt.
    (
        "fold, live, second",
        "2026-11-01T01:30:00",
        None,
        utc("2026-11-01T06:30:20"),
        utc("2026-11-01T06:30:00"),
        TimeSource.DEVICE,
    ),
    (
        "fold, live, first",
        "2026-11-01T01:30:00",
        None,
        utc("2026-11-01T05:30:20"),
        utc("2026-11-01T05:30:00"),
        TimeSource.DEVICE,
    ),
    # Measured at 01:30 in summer time, read the next morning in winter time by a clock nobody changed: it is an hour
    # ahead, and with that the first 01:30 is told from the second.
    (
        "over the fold, clock read",
        "2026-11-01T01:30:00",
        -3600.0,
        utc("2026-11-01T13:00:00"),
        utc("2026-11-01T05:30:00"),
        TimeSource.DEVICE_CORRECTED,
    ),
    # 02:30 never was on 8 March: a clock that was not changed showed it, and it was 03:30 summer time.
    (
        "gap",
        "2026-03-08T02:30:00",
        None,
        utc("2026-03-08T12:00:00"),
        utc("2026-03-08T07:30:00"),
        TimeSource.DEVICE,
    ),
]


@pytest.mark.parametrize("_name, device_time, offset_s, received, expected, source", GOLDEN)
def test_measured_at(
    _name: str,
    device_time: str | None,
    offset_s: float | None,
    received: datetime,
    expected: datetime,
    source: TimeSource,
) -> None:
    when = registry.measured_at(
        device_time, clock_offset_s=offset_s, clock_read_at=received, received_at=received, zone=NEW_YORK
    )
    assert (when.instant, when.source) == (expected, source)
    assert when.reason


@pytest.mark.parametrize(
    "name, device_time, offset_s, expected, applied_s",
    [
        # The clock showed 11:00 at 08:00:00 and was set then.
        ("stored: by the clock as it was", "2026-11-22T10:58:00", -10800.0, "2026-11-22T12:58:00", -10800.0),
        ("live: by the clock as it is", "2026-11-22T08:00:25", -10800.0, "2026-11-22T13:00:25", 0.0),
        # It showed 05:00.
        ("stored, was slow", "2026-11-22T04:58:00", 10800.0, "2026-11-22T12:58:00", 10800.0),
        ("live, was slow", "2026-11-22T08:00:25", 10800.0, "2026-11-22T13:00:25", 0.0),
    ],
)
def test_a_measurement_that_ends_after_its_clock_was_set(
    name: str, device_time: str, offset_s: float, expected: str, applied_s: float
) -> None:
    """The cuff may still be at work when the connection begins; what it says then is by the clock we have just set."""
    opened = AT - timedelta(seconds=30)
    facts = SessionFacts(clock_offset_s=offset_s, clock_was_set=True)
    found = registry.reading(
        assembled(pressure_at(device_time)), address=CUFF, facts=facts, clock_read_at=opened, zone=NEW_YORK
    )
    assert (found.measured_at, found.time_source) == (utc(expected), TimeSource.DEVICE_CORRECTED), name
    assert found.clock_offset_s == applied_s
    left_alone = replace(facts, clock_was_set=False)
    same = registry.reading(
        assembled(pressure_at(device_time)), address=CUFF, facts=left_alone, clock_read_at=opened, zone=NEW_YORK
    )
    assert same.reading_id == found.reading_id


def assembled(data: bytes, *, received: datetime = AT) -> Assembled:
    (entry,) = assemble([Frame("2A35", data, received)])
    assert isinstance(entry, Assembled)
    return entry


def pressure_at(device_time: str) -> bytes:
    """120/80 mmHg with a time stamp (flags 02)."""
    moment = datetime.fromisoformat(device_time)
    stamp = moment.year.to_bytes(2, "little") + bytes(
        (moment.month, moment.day, moment.hour, moment.minute, moment.second)
    )
    return b"\x02" + PLAIN_PRESSURE[1:] + stamp


def read(data: bytes, *, received: datetime = AT, offset_s: float | None = None) -> Reading:
    facts = SessionFacts(manufacturer="A&D", model="UA-651BLE", serial="1", clock_offset_s=offset_s)
    return registry.reading(
        assembled(data, received=received), address=CUFF, facts=facts, clock_read_at=received, zone=NEW_YORK
    )


def test_the_name_is_the_one_the_cloud_will_derive() -> None:
    found = read(pressure_at("2026-11-22T08:00:00"), offset_s=10.0)
    assert found.reading_id == found.derived_id()
    assert found.device.address == CUFF
    assert found.raw == pressure_at("2026-11-22T08:00:00").hex()


def test_the_same_squeeze_has_the_same_name_however_its_time_is_corrected() -> None:
    data = pressure_at("2026-11-22T08:00:00")
    first = read(data, offset_s=0.0)
    again = read(data, received=AT + timedelta(hours=5), offset_s=-60.0)
    assert first.reading_id == again.reading_id
    assert first.measured_at != again.measured_at


def test_two_equal_readings_without_a_time_are_two() -> None:
    assert read(PLAIN_PRESSURE).reading_id != read(PLAIN_PRESSURE, received=AT + timedelta(seconds=1)).reading_id


def test_two_equal_readings_by_a_clock_never_set_are_two() -> None:
    unset = b"\x02" + PLAIN_PRESSURE[1:] + bytes(4) + bytes([8, 0, 0])
    first, second = read(unset), read(unset, received=AT + timedelta(days=1))
    assert first.device_time == second.device_time == "0000-00-00T08:00:00"
    assert first.reading_id != second.reading_id
    assert first.time_source is TimeSource.GATEWAY


@pytest.mark.parametrize(
    "age, offset_s, backfill",
    [
        (timedelta(minutes=29), 0.0, False),
        (timedelta(minutes=31), 0.0, True),
        # A clock that could not be read may have missed a change of summer time: an hour is not enough.
        (timedelta(minutes=80), None, False),
        (timedelta(minutes=91), None, True),
    ],
)
def test_what_comes_out_of_a_devices_memory_is_marked_as_history(
    *, age: timedelta, offset_s: float | None, backfill: bool
) -> None:
    local = (AT.replace(microsecond=0) - age).astimezone(NEW_YORK).replace(tzinfo=None)
    assert read(pressure_at(local.isoformat()), offset_s=offset_s).backfill is backfill


def test_what_cannot_be_a_reading_travels_as_it_came() -> None:
    frame = Frame("2A35", PLAIN_PRESSURE, AT)
    entry = replace(assembled(PLAIN_PRESSURE), characteristic="not a characteristic")
    row = registry.row_of(entry, frame, address=CUFF, facts=SessionFacts(), clock_read_at=AT, zone=NEW_YORK)
    item = UndecodedItem.model_validate_json('{"seq": 1, ' + row.body[1:])
    assert (item.raw, item.reason) == (PLAIN_PRESSURE.hex(), "cannot be a reading: characteristic")
    assert "120" not in repr(row)
