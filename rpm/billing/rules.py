"""The billing codes as dated rows, and what a payer's profile changes about them.

A date of service chooses its rows. A date no row covers has no code: rules are never stretched into a year nobody has
read. Only code numbers and our own short labels stand here: the descriptors are the AMA's.

Sources: device supply of 16 days in 30, management of 20 minutes with live contact, and the 20 minutes holding both live
and other work: CMS, 2021 fee schedule correction, 86 FR 5020. The short codes (2-15 days, 10-19 minutes) and set-up
after two days: CMS, calendar-year 2026 fee schedule, as summarised by AHIMA ("Understanding 2026 Code Updates for
Remote Monitoring"). The limit of three further units is believed, not read: it is a setting of the payer's profile.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """What a code pays for."""

    SET_UP = "set_up"
    SUPPLY = "supply"
    MANAGEMENT = "management"
    ADDITIONAL = "additional"


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One code while one set of rules held, both dates inclusive.

    Days are distinct local days in one period; minutes are whole minutes in one month. A maximum of None has no upper
    end.
    """

    code: str
    label: str
    family: Family
    effective_from: date
    effective_to: date
    days_min: int = 0
    days_max: int | None = None
    minutes_min: int = 0
    minutes_max: int | None = None
    minutes_step: int = 0

    @property
    def needs(self) -> str:
        """The rule's own range, in words: `2-15 days`."""
        if self.minutes_min:
            return _range(self.minutes_min, self.minutes_max, "minutes")
        return _range(self.days_min, self.days_max, "days")


def _range(low: int, high: int | None, unit: str) -> str:
    return f"{low} or more {unit}" if high is None else f"{low}-{high} {unit}"


def _within(count: int, low: int, high: int | None) -> bool:
    return low <= count and (high is None or count <= high)


_2025 = (date(2025, 1, 1), date(2025, 12, 31))
_2026 = (date(2026, 1, 1), date(2026, 12, 31))

_SET_UP = "Set-up and teaching"
_SUPPLY = "Device supply, 16 days or more"
_SUPPLY_SHORT = "Device supply, 2-15 days"
_MANAGEMENT = "Management, first 20 minutes"
_MANAGEMENT_SHORT = "Management, first 10 minutes"
_ADDITIONAL = "Management, each further 20 minutes"

CODE_RULES: Final[tuple[CodeRule, ...]] = (
    CodeRule("99453", _SET_UP, Family.SET_UP, *_2025, days_min=16),
    CodeRule("99454", _SUPPLY, Family.SUPPLY, *_2025, days_min=16),
    CodeRule("99457", _MANAGEMENT, Family.MANAGEMENT, *_2025, minutes_min=20),
    CodeRule("99458", _ADDITIONAL, Family.ADDITIONAL, *_2025, minutes_min=40, minutes_step=20),
    CodeRule("99453", _SET_UP, Family.SET_UP, *_2026, days_min=2),
    CodeRule("99454", _SUPPLY, Family.SUPPLY, *_2026, days_min=16),
    CodeRule("99445", _SUPPLY_SHORT, Family.SUPPLY, *_2026, days_min=2, days_max=15),
    CodeRule("99457", _MANAGEMENT, Family.MANAGEMENT, *_2026, minutes_min=20),
    CodeRule("99470", _MANAGEMENT_SHORT, Family.MANAGEMENT, *_2026, minutes_min=10, minutes_max=19),
    CodeRule("99458", _ADDITIONAL, Family.ADDITIONAL, *_2026, minutes_min=40, minutes_step=20),
)

#: Every code this program can bill, in the order a bill lists them.
CODES: Final[tuple[str, ...]] = ("99453", "99445", "99454", "99470", "99457", "99458")
FAMILY: Final[dict[str, Family]] = {rule.code: rule.family for rule in CODE_RULES}
#: The add-on may only stand beside this one.
PARENT_OF_ADDITIONAL: Final = "99457"


def in_force(on: date, family: Family | None = None) -> tuple[CodeRule, ...]:
    """The rows for a date of service, of one family or of all; empty where nobody has read the rules of that date."""
    return tuple(
        rule for rule in CODE_RULES if rule.effective_from <= on <= rule.effective_to and family in (None, rule.family)
    )


def rule_for(code: str, on: date) -> CodeRule | None:
    """The row of one code on a date of service, if it had one."""
    return next((rule for rule in in_force(on) if rule.code == code), None)


def supply_rule(days: int, on: date) -> CodeRule | None:
    """The one device-supply code that this many days of data support."""
    return next((rule for rule in in_force(on, Family.SUPPLY) if _within(days, rule.days_min, rule.days_max)), None)


def management_rule(minutes: int, on: date) -> CodeRule | None:
    """The one code for the first minutes of management that this many whole minutes support."""
    rules = in_force(on, Family.MANAGEMENT)
    return next((rule for rule in rules if _within(minutes, rule.minutes_min, rule.minutes_max)), None)


def additional_units(minutes: int, rule: CodeRule) -> int:
    """How many full further steps these minutes hold, before any cap."""
    return max(0, (minutes - rule.minutes_min) // rule.minutes_step + 1)


class PeriodMode(StrEnum):
    """How device-supply time is cut up."""

    FIXED_30 = "fixed_30"
    CALENDAR_MONTH = "calendar_month"


@dataclass(frozen=True, slots=True)
class PayerProfile:
    """What a payer's rules change. `hold_days`: a claim waits so long after its period for late data."""

    name: str
    period_mode: PeriodMode
    additional_units_max: int = 3
    hold_days: int = 5


STRICT: Final = PayerProfile("medicare_ffs", PeriodMode.FIXED_30)
PAYER_PROFILES: Final[dict[str, PayerProfile]] = {
    profile.name: profile for profile in (STRICT, PayerProfile("calendar_month", PeriodMode.CALENDAR_MONTH))
}
#: Payers with rules of their own that this program has not been taught: refused by name, never billed as if Medicare.
NOT_IMPLEMENTED: Final = frozenset(
    {"access_aligned", "fqhc_rhc", "hospice", "medicaid", "pace", "uhc_medicare_advantage"}
)
