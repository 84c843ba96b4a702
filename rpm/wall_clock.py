"""What a wall clock shows, as an instant: for times people type."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2200


class NoSuchTime(ValueError):
    """A time nobody can mean; its text is one line that says what to type instead."""


def instant_of(text: str, zone: str) -> datetime:
    """The instant (UTC) at which clocks of a zone show `text` (`2026-11-29T02:10`, seconds optional).

    A time that comes twice, in autumn, is the first of the two unless the text ends with an offset (`-05:00`). NoSuchTime
    where the text is no time, one that clocks jump over in spring, or of another century than people plan in.
    """
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise NoSuchTime(f"{text!r} is no time such as 2026-11-29T02:10") from error
    if not YEAR_MIN <= given.year <= YEAR_MAX:
        raise NoSuchTime(f"{text!r} is not between the years {YEAR_MIN} and {YEAR_MAX}")
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    instant = given.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != given:
        raise NoSuchTime(f"{text!r} does not exist in {zone}: clocks are put forward over it")
    return instant
