"""The cast of a practice: who they are, what they measure with, how faithfully, and how much time is spent on them.

Every person here is invented, and so are their telephone numbers (555-0100 to 555-0199 belong to nobody). Roles are
chosen so that every tier of the monthly bill, and most reasons for none, occurs.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

NEW_YORK: Final = "America/New_York"
LOS_ANGELES: Final = "America/Los_Angeles"

Condition = Literal["hypertension", "heart failure", "diabetes"]
ICD10: Final[dict[Condition, str]] = {"hypertension": "I10", "heart failure": "I50.9", "diabetes": "E11.9"}


@dataclass(frozen=True, slots=True)
class Pressure:
    """A blood pressure in mmHg at the start, and how much it moves in 60 days."""

    systolic: int
    diastolic: int
    pulse: int
    systolic_trend: int = 0
    often: Literal["twice", "once"] = "twice"


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight in the scale's own unit at the start, and how much it moves in 60 days."""

    start: float
    trend: float = 0.0
    unit: Literal["kg", "lb"] = "kg"
    often: Literal["twice", "once"] = "once"


@dataclass(frozen=True, slots=True)
class Glucose:
    """A fasting glucose in the meter's own unit, and how much it rises after a meal."""

    fasting: float
    meal_rise: float
    unit: Literal["mg/dL", "mmol/L"] = "mg/dL"


@dataclass(frozen=True, slots=True)
class Talk:
    """One stretch of a nurse's time: which nurse (0 or 1), how long, and whether the patient was on the line."""

    staff: int
    seconds: int
    live: bool


@dataclass(frozen=True, slots=True)
class Role:
    """One patient. `days` are the days with a reading in each 30-day period of the history, the first one first.

    `starts_after` days into the history the device was set up. `shares_scale_with`: the role whose scale this is too.
    `last_month` and `this_month` are calendar months, the last complete one and the running one.
    """

    given_name: str
    family_name: str
    birth_year: int
    conditions: tuple[Condition, ...]
    days: tuple[int, int]
    time_zone: str = NEW_YORK
    home: str | None = None
    pressure: Pressure | None = None
    weight: Weight | None = None
    glucose: Glucose | None = None
    starts_after: int = 0
    shares_scale_with: int | None = None
    consented: bool = True
    clock_error_s: int = 0
    oddity: str | None = None
    last_month: tuple[Talk, ...] = ()
    this_month: tuple[Talk, ...] = ()


def _talks(*minutes: float, live: bool = True, staff: int = 0) -> tuple[Talk, ...]:
    """Stretches of so many minutes; the first is a call where `live`, the rest is work without the patient."""
    return tuple(Talk(staff, round(each * 60), live and number == 0) for number, each in enumerate(minutes))


#: Oddities on purpose, one reading each, named in the file so that nobody takes them for a fault of the pipeline.
GUEST: Final = "a grandchild steps on the scale: unknown user, 31 kg"
SUITCASE: Final = "weighed with a suitcase: 7.5 kg above the day before"
BODY_MOVED: Final = "the arm moved: status bit set, systolic 224"
METER_HIGH: Final = "the meter shows HI: status bit set, no number"

ROLES: Final[tuple[Role, ...]] = (
    Role(
        "Maribel",
        "Quillfeather",
        1955,
        ("hypertension",),
        (27, 26),
        home="a",
        pressure=Pressure(138, 84, 72, systolic_trend=9),
        weight=Weight(68.4, -0.6),
        last_month=_talks(12, 13),
        this_month=_talks(11),
    ),
    Role(
        "Otis",
        "Quillfeather",
        1952,
        ("heart failure", "hypertension"),
        (29, 28),
        home="a",
        weight=Weight(84.2, 0.8, often="twice"),
        shares_scale_with=0,
        oddity=GUEST,
        last_month=_talks(20, 15, 10, staff=1),
        this_month=_talks(14, 8, staff=1),
    ),
    Role(
        "Linh",
        "Marrowfield",
        1968,
        ("diabetes", "hypertension"),
        (25, 24),
        home="b",
        pressure=Pressure(131, 79, 76, often="once"),
        glucose=Glucose(118, 38),
        last_month=_talks(22, 24, 20),
        this_month=_talks(21, 22),
    ),
    Role(
        "Desmond",
        "Tansywick",
        1949,
        ("heart failure", "hypertension"),
        (23, 21),
        time_zone=LOS_ANGELES,
        home="c",
        pressure=Pressure(126, 74, 66, systolic_trend=-4, often="once"),
        weight=Weight(191.6, 1.4, unit="lb", often="twice"),
        last_month=_talks(12, staff=1),
        this_month=_talks(10.5, staff=1),
    ),
    Role(
        "Ines",
        "Corvallane",
        1973,
        ("diabetes",),
        (14, 12),
        glucose=Glucose(6.4, 2.3, unit="mmol/L"),
        clock_error_s=-2220,
        last_month=_talks(8, 12),
    ),
    Role(
        "Theodore",
        "Pennywhistle",
        1960,
        ("hypertension",),
        (22, 7),
        pressure=Pressure(157, 96, 80, systolic_trend=-9),
        oddity=BODY_MOVED,
        last_month=(Talk(0, 599, live=True),),
        this_month=_talks(6),
    ),
    Role(
        "Aiyana",
        "Stillbrook",
        1979,
        ("hypertension",),
        (6, 5),
        pressure=Pressure(134, 86, 70, often="once"),
        consented=False,
        last_month=_talks(9, 6, live=False, staff=1),
    ),
    Role(
        "Ruthanne",
        "Oldacre",
        1944,
        ("hypertension",),
        (1, 0),
        pressure=Pressure(142, 78, 64, often="once"),
        last_month=_talks(8, staff=1),
        this_month=_talks(4, staff=1),
    ),
    Role(
        "Kwame",
        "Larkspur",
        1957,
        ("heart failure",),
        (24, 25),
        weight=Weight(96.5, -1.5, often="twice"),
        oddity=SUITCASE,
        last_month=(Talk(1, 700, live=True), Talk(1, 499, live=False)),
        this_month=_talks(12, 9, staff=1),
    ),
    Role(
        "Svetlana",
        "Moonridge",
        1963,
        ("diabetes", "hypertension"),
        (11, 15),
        glucose=Glucose(172, 62),
        oddity=METER_HIGH,
        last_month=_talks(10),
    ),
    Role(
        "Hector",
        "Dovetail",
        1970,
        ("hypertension",),
        (0, 15),
        pressure=Pressure(151, 95, 78, systolic_trend=-5),
        starts_after=40,
        this_month=_talks(16, 5),
    ),
    Role("Wilhelmina", "Ashgrove", 1947, ("heart failure",), (0, 0), weight=Weight(61.0), this_month=_talks(5)),
)


def role(number: int) -> Role:
    """The member of the cast with this number. Past the first dozen the roles repeat, at no home, under new names."""
    round_number, place = divmod(number, len(ROLES))
    found = ROLES[place]
    if not round_number:
        return found
    other = ROLES[(place * 5 + round_number) % len(ROLES)]
    married = ROLES[(place * 7 + 3 * round_number) % len(ROLES)].family_name
    shares = found.shares_scale_with
    return replace(
        found,
        given_name=other.given_name,
        family_name=f"{found.family_name}-{married}",
        birth_year=found.birth_year - round_number % 5,
        home=None,
        shares_scale_with=None if shares is None else shares + round_number * len(ROLES),
    )
