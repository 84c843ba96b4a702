"""A device's clock: what is unknown stays unknown, and nothing impossible becomes a time."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.date_time import DateTime, wall_time

WALL = datetime(2026, 11, 22, 8, 1, 59)  # noqa: DTZ001 - a device knows no zone


@given(st.binary(min_size=7, max_size=7))
def test_any_seven_bytes_are_kept_and_make_a_text_of_one_form(data: bytes) -> None:
    clock = DateTime.from_bytes(data)
    assert bytes(clock) == data
    text = clock.text()
    assert (text is None) == (data == bytes(7))
    if text is not None:
        assert len(text) == len("2026-11-22T08:01:59")
        assert wall_time(text) in (clock.wall(), None) or clock.year < 1582
    assert (clock.wall() is None) == (None in clock.parts().values())


@given(st.datetimes(min_value=datetime(1582, 1, 1)))  # noqa: DTZ001
def test_every_wall_time_comes_back_to_the_second(wall: datetime) -> None:
    clock = DateTime.from_bytes(bytes(DateTime.of(wall)))
    assert clock.wall() == wall.replace(microsecond=0)
    assert wall_time(clock.text()) == clock.wall()


@pytest.mark.parametrize(
    "clock, text",
    [
        (DateTime(0, 4, 17, 20, 41, 59), "0000-04-17T20:41:59"),
        (DateTime(1582, 0, 0), "1582-00-00T00:00:00"),
        (DateTime(2026, 13, 5, 30), "2026-13-05T30:00:00"),
        (DateTime(2026, 255, 255, 255, 255, 255), "2026-99-99T99:99:99"),
        (DateTime(59399, 1, 1), "0000-01-01T00:00:00"),
        (DateTime(2026, 2, 30), "2026-02-30T00:00:00"),
    ],
)
def test_what_is_no_time_is_told_as_sent_and_read_as_none(clock: DateTime, text: str) -> None:
    assert clock.text() == text
    assert clock.wall() is None
    assert wall_time(text) is None


def test_an_offset_moves_a_full_time_only() -> None:
    assert DateTime.of(WALL).plus(-2).wall() == datetime(2026, 11, 22, 7, 59, 59)  # noqa: DTZ001
    assert DateTime(0, 11, 22).plus(60) == DateTime(0, 11, 22)
    assert DateTime(9999, 12, 31, 23, 59).plus(60) == DateTime(9999, 12, 31, 23, 59)


def test_a_date_time_has_seven_bytes() -> None:
    with pytest.raises(ValueError, match="7 bytes, not 6"):
        DateTime.from_bytes(bytes(6))
