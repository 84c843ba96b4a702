"""Whose a reading that fits no one or two people may be: by its values, its time of day and its user slot (F7).

Pure: one reading and the people who use its device in, a ranking in words with its reasons out. It files nothing: a person
claims. There is no score: each part says what it stands on, and where it does not carry, "cannot tell" is the answer, for a
guess that is believed puts one person's values into another's history.

A part fits, is near, speaks against or is silent. Together: values against → "does not fit"; too few values → "cannot tell";
"likely" only where values fit, nothing speaks against, and everybody else is told apart by their values or by the slot; two
who fit alike → "cannot tell". The time of day takes a "likely" away and orders the list, and makes nobody likely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from statistics import median
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from rpm.ingest.attribution import UNKNOWN_USER, uncertainty_of
from schemas.codes import BY_NAME, UNIT_LABEL
from schemas.quantity import converted
from schemas.reading import Reading

#: What is usual is learnt from so long before and after the reading: long enough for one who measures weekly, short enough
#: for a weight that drifts. After it, too: what a device sent before its first user was registered has nothing before it.
USUAL_WITHIN: Final = timedelta(days=60)
#: With fewer, one wrong value is a fifth of what is known, and a spread is a guess.
COUNT_MIN: Final = 5
#: So many medians of the deviation are a standard deviation, where values are spread as most are.
_MAD_TO_SD: Final = 1.4826
#: Usual is within three of these: of a person's own values about one in 370 lies outside.
_SDS: Final = 3
#: Beyond this multiple of it a value speaks against somebody; between the two it is near, and settles nothing.
AGAINST_FACTOR: Final = 2
#: Nobody's usual range is narrower, however steady five values were: what meals, clothes, an arm held lower or the
#: instrument itself change from one day to the next. In the first unit of the quantity; a difference, not a value.
REACH_MIN: Final = {
    "systolic": 10.0,
    "diastolic": 6.0,
    "pulse_rate": 8.0,
    "body_weight": 1.0,
    "glucose": 20.0,
    "oxygen_saturation": 2.0,
    "body_temperature": 0.3,
}
#: A value on the edge is inside, whichever unit its arithmetic was done in.
_ROUNDING: Final = 1e-6
#: "About this time": a morning is not minute by minute.
HOUR: Final = timedelta(hours=1)
#: A fifth of what somebody measures comes about then: one of five habits a day, and never a single reading.
HOUR_FITS_SHARE: Final = 0.2
HOUR_FITS_COUNT_MIN: Final = 2
#: At most a twentieth, or one stray reading: they do not measure then.
HOUR_AGAINST_SHARE: Final = 0.05
HOUR_AGAINST_COUNT_MAX: Final = 1
#: More users than this is a waiting room's device: a comparison of habits would find somebody who fits by chance.
PEOPLE_MAX: Final = 6


class Says(IntEnum):
    """What one part says of one person, from for to against."""

    FITS = 0
    NEAR = 1
    SILENT = 2
    AGAINST = 3


class Confidence(StrEnum):
    """How far to trust it, in the words the pages use, in the order they are listed."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    CANNOT_TELL = "cannot tell"
    NOT = "does not fit"


@dataclass(frozen=True, slots=True)
class Measured:
    """One earlier or later value of a person, in the unit of the reading that is asked about."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who uses or used the device. `slots`: the users of it they were; None among them: the only one."""

    patient_id: int
    public_id: UUID
    name: str
    birth_date: date
    time_zone: str
    slots: frozenset[int | None]
    usual: Mapping[str, Sequence[Measured]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one part says, in plain words."""

    says: Says
    words: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One person beside the reading, each part visible."""

    user: User
    confidence: Confidence
    values: Part
    hours: Part
    slot: Part

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every part in words: values, time of day, slot."""
        return (self.values.words, self.hours.words, self.slot.words)

    @property
    def parts(self) -> tuple[Says, Says, Says]:
        """What each part says, the one that weighs most first."""
        return (self.slot.says, self.values.says, self.hours.says)

    def alike(self, other: "Standing") -> bool:
        """Whether no part tells the two apart."""
        return self.parts == other.parts

    @property
    def order(self) -> tuple[int, tuple[Says, Says, Says], str, int]:
        """Where they stand in a list."""
        return (list(Confidence).index(self.confidence), self.parts, self.user.name, self.user.patient_id)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Everybody it may be, most likely first, and in one sentence what can be said."""

    ranking: tuple[Standing, ...]
    sentence: str

    @property
    def likely(self) -> Standing | None:
        """The one person who is likely, if anybody is."""
        return self.ranking[0] if self.ranking and self.ranking[0].confidence is Confidence.LIKELY else None

    @property
    def people(self) -> set[int]:
        """The inner ids of everybody it names: who looked at them is written down."""
        return {each.user.patient_id for each in self.ranking}

    @property
    def short(self) -> str:
        """For a list: one line."""
        if self.likely:
            return f"likely {self.likely.user.name}"
        possible = [each.user.name for each in self.ranking if each.confidence is Confidence.POSSIBLE]
        return f"possible: {'; '.join(possible)}" if possible else Confidence.CANNOT_TELL


def suggest(reading: Reading, users: Sequence[User]) -> Suggestion:
    """Rank the people who use or used a reading's device. Never more than a suggestion: a person claims."""
    if not users:
        return Suggestion((), "Cannot tell: nobody is known to have used this device within 60 days of it.")
    if len(users) > PEOPLE_MAX:
        return Suggestion((), f"Cannot tell: more than {PEOPLE_MAX} people use this device.")
    judged = [_alone(reading, user) for user in users]
    compared = [_beside(each, [other for other in judged if other is not each]) for each in judged]
    ranking = sorted(compared, key=lambda each: each.order)
    possible = [each for each in ranking if each.confidence is Confidence.POSSIBLE]
    tied = len(possible) > 1 and possible[0].alike(possible[1])
    if tied:
        ranking = [replace(each, confidence=Confidence.CANNOT_TELL) if each in possible else each for each in ranking]
        ranking.sort(key=lambda each: each.order)
    return Suggestion(tuple(ranking), _sentence(ranking, tied=tied))


def _sentence(ranking: Sequence[Standing], *, tied: bool) -> str:
    first = ranking[0]
    if first.confidence is Confidence.LIKELY:
        return f"Likely {first.user.name}: it fits, and whoever else uses the device is told apart by values or user."
    if tied:
        return "Cannot tell: it fits several people alike."
    if first.confidence is Confidence.POSSIBLE:
        if len(ranking) == 1:
            return "Possible: it fits the only person known to use the device; nobody is there to compare with."
        return "Possible: it fits, but not so that it could be nobody else's."
    if first.confidence is Confidence.CANNOT_TELL:
        return "Cannot tell: too little is known of somebody who uses the device."
    return "It fits nobody who is known to use the device: it may be a visitor's."


def _alone(reading: Reading, user: User) -> Standing:
    values = _values(reading, user)
    confidence = {
        Says.FITS: Confidence.POSSIBLE,
        Says.NEAR: Confidence.POSSIBLE,
        Says.SILENT: Confidence.CANNOT_TELL,
        Says.AGAINST: Confidence.NOT,
    }[values.says]
    return Standing(user, confidence, values, _hours(reading, user), _slot(reading, user))


def _beside(one: Standing, others: Sequence[Standing]) -> Standing:
    """Likely, where it fits and everybody else is told apart. With nobody to compare with, nobody is."""
    fits = one.values.says is Says.FITS and Says.AGAINST not in {one.hours.says, one.slot.says}
    if fits and others and all(_told_apart(one, other) for other in others):
        return replace(one, confidence=Confidence.LIKELY)
    return one


def _told_apart(one: Standing, other: Standing) -> bool:
    by_slot = one.slot.says is Says.FITS and other.slot.says is Says.AGAINST
    return other.values.says is Says.AGAINST or by_slot


def _values(reading: Reading, user: User) -> Part:
    """Each vital value beside what is usual for them; the one that fits worst decides."""
    said: list[Part] = []
    for name, quantity in reading.quantities.items():
        code = BY_NAME.get(name)
        if code is None or not code.vital or quantity.value is None or quantity.unit not in code.units:
            continue
        known = [each.value for each in user.usual.get(name, ())]
        if len(known) >= COUNT_MIN:
            said.append(_value(name, quantity.value, quantity.unit, known))
        else:
            said.append(Part(Says.SILENT, f"{code.label}: {len(known)} known, fewer than {COUNT_MIN}: cannot tell"))
    told = [part for part in said if part.says is not Says.SILENT]
    says = max((part.says for part in told), default=Says.SILENT)
    return Part(says, "; ".join(part.words for part in said) or "It holds no value to compare: cannot tell")


def _value(name: str, value: float, unit: str, known: Sequence[float]) -> Part:
    """Median and median deviation: one value of somebody else among them moves neither."""
    code = BY_NAME[name]
    centre = median(known)
    least = abs(converted(REACH_MIN[name], code.units[0], unit) - converted(0.0, code.units[0], unit))
    reach = max(_SDS * _MAD_TO_SD * median(abs(each - centre) for each in known), least)
    away = abs(value - centre)
    if away <= reach + _ROUNDING:
        says, verdict = Says.FITS, "fits"
    elif away <= AGAINST_FACTOR * reach + _ROUNDING:
        says, verdict = Says.NEAR, "just outside"
    else:
        says, verdict = Says.AGAINST, "far outside"

    def shown(number: float) -> str:
        return f"{number:.{code.decimals[unit]}f}"

    usual = f"usually {shown(centre - reach)} to {shown(centre + reach)} {UNIT_LABEL[unit]}"
    return Part(
        says,
        f"{code.label}: {usual} ({len(known)} values within {USUAL_WITHIN.days} days); this one {shown(value)}: {verdict}",
    )


def _hours(reading: Reading, user: User) -> Part:
    """How many of their measurements came about this time of day, where they live: two habits a day are two."""
    zone = ZoneInfo(user.time_zone)
    clock = f"{reading.measured_at.astimezone(zone):%H:%M}"
    if uncertainty_of(reading.time_source, reading.uncertainty_s) > HOUR:
        return Part(Says.SILENT, "Time of day: its clock is too uncertain to tell")
    times = max(([each.at for each in known] for known in user.usual.values()), key=len, default=list[datetime]())
    if len(times) < COUNT_MIN:
        return Part(Says.SILENT, f"Time of day: {len(times)} known, fewer than {COUNT_MIN}: cannot tell")
    about = sum(_apart(at, reading.measured_at, zone) <= HOUR for at in times)
    words = f"Time of day: {about} of {len(times)} came within an hour of {clock} where they live"
    if about >= max(HOUR_FITS_COUNT_MIN, HOUR_FITS_SHARE * len(times)):
        return Part(Says.FITS, words)
    if about <= max(HOUR_AGAINST_COUNT_MAX, HOUR_AGAINST_SHARE * len(times)):
        return Part(Says.AGAINST, f"{words}: they seldom measure then")
    return Part(Says.SILENT, words)


def _apart(one: datetime, other: datetime, zone: ZoneInfo) -> timedelta:
    """How far apart two times of day are on the clock of a wall, the short way round midnight."""
    first, second = (
        timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
        for local in (one.astimezone(zone), other.astimezone(zone))
    )
    away = abs(first - second)
    return min(away, timedelta(days=1) - away)


def _slot(reading: Reading, user: User) -> Part:
    slot = None if reading.user_slot == UNKNOWN_USER else reading.user_slot
    if slot is None:
        return Part(Says.SILENT, "User: the device does not say which")
    if slot in user.slots:
        return Part(Says.FITS, f"User {slot} is or was theirs")
    own = sorted(each for each in user.slots if each is not None)
    if not own:
        return Part(Says.SILENT, f"User {slot} is given to nobody; they use the device without a number")
    return Part(Says.AGAINST, f"User {slot} is not theirs: they use {', '.join(map(str, own))}")
