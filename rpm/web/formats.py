"""How instants, ages and numbers are written for people. Pure: `now` is always an argument."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from schemas.codes import BY_NUMBER, UNIT_BY_NUMBER, UNIT_LABEL

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def span(length: timedelta) -> str:
    """A length of time for feeling: `now`, `4 min`, `3 h`, `2 days`."""
    length = abs(length)
    if length < _MINUTE:
        return "less than 1 min"
    if length < _HOUR:
        return f"{length // _MINUTE} min"
    if length < _DAY:
        hours, rest = divmod(length, _HOUR)
        minutes = rest // _MINUTE
        return f"{hours} h {minutes} min" if hours < 3 and minutes else f"{hours} h"
    days = length // _DAY
    return "1 day" if days == 1 else f"{days} days"


def ago(instant: datetime, now: datetime) -> str:
    """How long ago, or how soon."""
    if now - instant < _MINUTE and now >= instant:
        return "just now"
    return f"{span(now - instant)} ago" if now >= instant else f"in {span(instant - now)}"


def due(instant: datetime, now: datetime) -> str:
    """How long until a deadline, or since it."""
    return f"due in {span(instant - now)}" if now < instant else f"overdue by {span(now - instant)}"


def absolute(instant: datetime, zone: str) -> str:
    """An instant in somebody's zone, without doubt: `Tue 3 Nov 2026, 07:12 EST`."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M %Z}"


def moment(instant: datetime, zone: str) -> str:
    """The time of day, to the second: `14:03:22`."""
    return f"{instant.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def there(instant: datetime, zone: str) -> str:
    """What time it is for somebody: worth a look before calling."""
    return f"{instant.astimezone(ZoneInfo(zone)):%H:%M}"


def words(name: str) -> str:
    """A name of ours as words: `cuff_loose` → `cuff loose`."""
    return name.replace("_", " ")


def short(instant: datetime, zone: str) -> str:
    """An instant within this year for a narrow column: `Tue 3 Nov 07:12`."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %H:%M}"


def day(instant: datetime | date, zone: str = "UTC") -> str:
    """A calendar day: `3 Nov 2026`."""
    local = instant.astimezone(ZoneInfo(zone)) if isinstance(instant, datetime) else instant
    return f"{local.day} {local:%b %Y}"


def clock(length: timedelta) -> str:
    """A running timer: `04:12`, `1:04:12`."""
    seconds = int(length.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def age_years(birth_date: date, today: date) -> int:
    """Whole years lived."""
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


def give_or_take(seconds: float) -> str:
    """How far an estimate may be off, rounded up: `12 min`, `4 h`, `2 days`."""
    length = timedelta(seconds=seconds)
    unit = next((unit for unit in (_DAY, _HOUR) if length > unit), _MINUTE)
    return span(max(-(-length // unit), 1) * unit)


def number(value: float, decimals: int) -> str:
    """A value at a device's precision, half up: what the patient read on the display."""
    quantum = Decimal(1).scaleb(-decimals)
    return str(Decimal(repr(value)).quantize(quantum, rounding=ROUND_HALF_UP))


def quantity(value: float, code: int, unit: int) -> str:
    """A stored value as the device showed it, without its unit (the column or the sentence says that)."""
    return number(value, BY_NUMBER[code].decimals.get(UNIT_BY_NUMBER[unit], 1))


def unit_label(unit: int) -> str:
    """A stored unit for people: `mmHg`."""
    return UNIT_LABEL[UNIT_BY_NUMBER[unit]]


def initials(given_name: str, family_name: str) -> str:
    """The block that stands for a face."""
    return (given_name[:1] + family_name[:1]).upper()


def plural(count: int, one: str, many: str = "") -> str:
    """`1 reading`, `2 readings`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
