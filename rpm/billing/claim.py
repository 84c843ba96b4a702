"""Which lines may stand together for one patient: everything else is refused by name, never mended by guessing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Final

from rpm.billing.rules import FAMILY, PARENT_OF_ADDITIONAL, STRICT, Family, PayerProfile, rule_for

THIS_PRACTICE: Final = "this practice"

#: Therapeutic monitoring: one family of monitoring codes per patient and time.
RTM: Final = frozenset(
    "98975 98976 98977 98978 98979 98980 98981 98984 98985 98986".split()  # noqa: SIM905  one line reads better
)
#: Self-measured blood pressure, which takes values told by the patient.
SELF_MEASURED: Final = frozenset({"99473", "99474"})
DATA_REVIEW: Final = "99091"
#: Care management and the like: may stand beside monitoring as long as no minute is shared.
NEIGHBOURS: Final = frozenset(
    "99487 99489 99490 99439 99491 99437 99424 99425 99426 99427 99495 99496 G0556 G0557 G0558 G0568 G0569 G0570 "  # noqa: SIM905
    "G0019 G0022 G0136".split()
)


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One line: a code, its units, and the local days it covers, both inclusive (a period, or a calendar month)."""

    code: str
    units: int
    start: date
    end: date
    biller: str = THIS_PRACTICE

    @property
    def family(self) -> Family | None:
        """What the code pays for; None where it is not one of ours."""
        return FAMILY.get(self.code)

    def overlaps(self, other: "ClaimLine") -> bool:
        """Whether the two lines share a day."""
        return self.start <= other.end and other.start <= self.end

    def same_month(self, other: "ClaimLine") -> bool:
        """Whether the two lines are dated in one calendar month."""
        return (self.end.year, self.end.month) == (other.end.year, other.end.month)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why lines may not stand: a name that never changes, the codes concerned, and a sentence."""

    name: str
    codes: tuple[str, ...]
    reason: str


def check_claim(lines: Sequence[ClaimLine], *, profile: PayerProfile = STRICT) -> tuple[Refusal, ...]:
    """Every reason why these lines of one patient's episode may not be claimed together; empty where they may."""
    refusals: list[Refusal] = []
    for line in lines:
        refusals.extend(_alone(line, lines, profile))
    for first, second in combinations(lines, 2):
        refusals.extend(_together(first, second))
    return tuple(refusals)


def _alone(line: ClaimLine, lines: Sequence[ClaimLine], profile: PayerProfile) -> Iterator[Refusal]:
    code, family = line.code, line.family
    if family is None:
        if code not in RTM | SELF_MEASURED | NEIGHBOURS | {DATA_REVIEW}:
            yield Refusal("UNKNOWN_CODE", (code,), f"{code} is not a code this program knows")
        return
    if line.start > line.end:
        yield Refusal("SPAN_BACKWARDS", (code,), f"{code} ends on {line.end}, before it starts on {line.start}")
    if rule_for(code, line.end) is None:
        yield Refusal("NO_RULE_FOR_DATE", (code,), f"{code} has no rule for the date of service {line.end}")
    units_max = profile.additional_units_max if family is Family.ADDITIONAL else 1
    if not 1 <= line.units <= units_max:
        limit = "exactly 1 unit" if units_max == 1 else f"1 to {units_max} units"
        yield Refusal("UNITS_OUT_OF_RANGE", (code,), f"{code} with {line.units} units; it has {limit}")
    own = [other for other in lines if other is not line and other.biller == line.biller]
    if family is Family.ADDITIONAL and not any(
        other.code == PARENT_OF_ADDITIONAL and other.same_month(line) for other in own
    ):
        reason = f"{code} only follows {PARENT_OF_ADDITIONAL} of the same month"
        yield Refusal("ADDITIONAL_WITHOUT_PARENT", (code,), reason)
    if family is Family.SET_UP and not any(other.family is Family.SUPPLY and other.overlaps(line) for other in own):
        yield Refusal("SET_UP_WITHOUT_SUPPLY", (code,), f"{code} is claimed with the first device supply, not alone")


def _together(first: ClaimLine, second: ClaimLine) -> Iterator[Refusal]:
    codes = (first.code, second.code)
    families = {first.family, second.family}
    near = first.overlaps(second) or first.same_month(second)
    if families == {Family.SUPPLY} and first.overlaps(second):
        if first.biller != second.biller:
            yield Refusal("ONE_PRACTITIONER", codes, "only one practitioner may bill device supply in the same 30 days")
        elif first.code != second.code:
            yield Refusal("SUPPLY_SHORT_WITH_FULL", codes, f"{codes[0]} and {codes[1]} never in the same period")
        else:
            yield Refusal("SUPPLY_TWICE", codes, f"{codes[0]} once per patient and period")
    if families == {Family.MANAGEMENT} and first.same_month(second):
        if first.code != second.code:
            yield Refusal("MANAGEMENT_SHORT_WITH_FULL", codes, f"{codes[0]} and {codes[1]} never in the same month")
        else:
            yield Refusal("MANAGEMENT_TWICE", codes, f"{codes[0]} once per patient and month")
    if families == {Family.ADDITIONAL} and first.same_month(second):
        yield Refusal("ADDITIONAL_TWICE", codes, f"{codes[0]} on one line per month, with its units")
    if set(codes) == {"99470", "99458"} and first.same_month(second):
        yield Refusal("ADDITIONAL_AFTER_SHORT", codes, "99458 never follows 99470: it starts at 40 minutes")
    if families == {Family.SET_UP}:
        if first.biller == second.biller:
            yield Refusal("SET_UP_TWICE", codes, f"{codes[0]} once per episode of care")
        elif first.overlaps(second):
            yield Refusal("ONE_PRACTITIONER", codes, "only one practitioner may bill set-up in the same 30 days")
    ours = next((line for line in (first, second) if line.family is not None), None)
    other = next((line for line in (first, second) if line.family is None), None)
    if ours is None or other is None:
        return
    if other.code in RTM and near:
        yield Refusal("RPM_RTM_CONFLICT", codes, "physiologic or therapeutic monitoring, one family for the same time")
    if other.code in SELF_MEASURED and near:
        yield Refusal("SELF_MEASURED_WITH_RPM", codes, f"{other.code} never beside monitoring for the same time")
    if other.code == DATA_REVIEW and ours.family in (Family.MANAGEMENT, Family.ADDITIONAL) and near:
        yield Refusal("DATA_REVIEW_WITH_MANAGEMENT", codes, f"{other.code} not in a month with management (strict)")
