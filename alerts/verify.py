"""A held value that would be red calls now: quarantine never silences a red.

Looks at whatever arrived, leniently, because what is wrong with it is why it is held: a wrong name, an implausible value,
a device nobody is known to use. A value in a unit nobody wrote a limit for cannot be judged; it stays on the held page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import numpy as np

from alerts.facts import NO_FACTS, Facts
from alerts.findings import crosses
from alerts.layers import LayerKind
from alerts.limits import NO_LIMITS, Limits
from alerts.rules import LATE_AFTER_H, Rule
from alerts.sentences import CrossedLimit, Value, limit_text, values_text
from alerts.series import microseconds
from alerts.severity import Severity
from schemas.codes import BY_NAME, REQUIRED
from schemas.quantity import Absent
from schemas.reading import NOT_A_PATIENTS_STATUS, TimeSource

VERSION: Final = "1"
#: A meter's own words, and the special values some send in their place.
_HIGH: Final = ("result_too_high", Absent.POSITIVE_INFINITY)
_LOW: Final = ("result_too_low", Absent.NEGATIVE_INFINITY)
#: Beyond it a number is no measurement, and JSON's integers no longer fit a double.
VALUE_MAX: Final = 1e9
#: No device clock that is right says less.
COHERENT_SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verification:
    """Why a held reading calls. `late`: known to be old, so it waits on the worklist and calls nobody."""

    rule_id: str
    rule_version: str
    late: bool
    measured_at: datetime
    sentence: str
    evidence: dict[str, Any]

    @property
    def band(self) -> Severity:
        """What the value would be: only reds are verified."""
        return Severity.URGENT

    @property
    def severity(self) -> Severity:
        """What it asks of a person."""
        return Severity.ROUTINE if self.late else Severity.URGENT


def verify(
    item: object,
    rules: Sequence[Rule],
    *,
    patient: int | None,
    limits: Limits = NO_LIMITS,
    facts: Facts = NO_FACTS,
    now: datetime,
) -> Verification | None:
    """What a held item (the JSON of a ReadingItem, possibly broken) calls for; None: nothing in it is red."""
    reading = _mapping(_mapping(item).get("reading"))
    if _mapping(reading.get("context")).get("sample_location") == "control_solution":
        return None
    if not NOT_A_PATIENTS_STATUS.isdisjoint(_words(reading.get("status"))):
        return None
    measured_at = _instant(reading.get("measured_at"))
    trusted = reading.get("time_source") in (TimeSource.DEVICE_CORRECTED, TimeSource.GATEWAY)
    # A doubtful clock must not make a red look old: then it counts as now.
    coherent = measured_at is not None and COHERENT_SINCE <= measured_at <= now and trusted
    at = measured_at if measured_at is not None and coherent else now
    late = at < now - timedelta(hours=LATE_AFTER_H)
    quantities = _mapping(reading.get("quantities"))

    word = _meter_word(reading, quantities)
    if word:
        sentence = f"Meter shows {word}: verify now"
        return Verification(f"glucose_meter_{word.lower()}", VERSION, late, at, sentence, {"values": [], "meter": word})

    values = tuple(_values(quantities, at))
    who, at_us = np.array([patient or 0]), np.array([microseconds(at)])
    pregnant, minor = bool(facts.pregnant(who, at_us)[0]), bool(facts.minor(who, at_us)[0])
    for rule in rules:
        band = rule.band(Severity.URGENT)
        if band is None or rule.measure is not None or rule.meal is not None:
            # A trend is of no single value, and nobody knows of a held one whether it was fasting.
            continue
        if rule.pregnancy == "only" and not pregnant:
            # Limits for everybody hold in pregnancy, too: one "verify now" too many rather than one too few.
            continue
        for value in values:
            if value.quantity not in band.limits or value.unit not in BY_NAME[value.quantity].units:
                continue
            limit = limits.effective(rule, band.severity, value.quantity, value.unit, patient=patient or 0)
            comparison = band.limits[value.quantity].comparison
            adults = rule.ages == "adults" and limit is not None and limit.layer is not LayerKind.PATIENT
            if minor and adults and _nothing_or_this(limits, patient or 0, value.quantity):
                # Under 18 what was ordered for this patient holds; that nothing at all was is told apart (`unruled`).
                continue
            if limit is not None and crosses(value.value, comparison, limit.value):
                crossed = CrossedLimit.of(limit, value.quantity, comparison, value.unit)
                shown = [one for one in values if one.quantity in _shown_with(value.quantity)]
                return Verification(
                    rule_id=rule.id,
                    rule_version=rule.version,
                    late=late,
                    measured_at=at,
                    sentence=f"Held reading {values_text(shown)}; limit {limit_text(crossed)}: verify now",
                    evidence={"values": [one.as_json() for one in shown], "limit": crossed.as_json()},
                )
    return None


def _nothing_or_this(limits: Limits, patient: int, quantity: str) -> bool:
    """Whether a patient has no limit of their own, or one of this quantity: with limits of others alone, one for adults is better than none."""
    own = limits.own.get(patient, {})
    return not own or any(key[2] == quantity for key in own)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _words(value: object) -> list[str]:
    return [word for word in cast("list[object]", value) if isinstance(word, str)] if isinstance(value, list) else []


def _instant(value: object) -> datetime | None:
    """An aware instant in UTC; None for anything else, and for one that UTC's calendar cannot hold."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        return instant.astimezone(UTC) if instant is not None and instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _meter_word(reading: Mapping[str, Any], quantities: Mapping[str, Any]) -> str | None:
    """HI or LO, where a glucose meter says so."""
    glucose = _mapping(quantities.get("glucose"))
    if not glucose and reading.get("kind") != "glucose":
        return None
    said = [*_words(reading.get("status")), glucose.get("absent")]
    if any(word in _HIGH for word in said):
        return "HI"
    return "LO" if any(word in _LOW for word in said) else None


def _values(quantities: Mapping[str, Any], at: datetime) -> list[Value]:
    found: list[Value] = []
    for name, code in BY_NAME.items():
        quantity = _mapping(quantities.get(name))
        value, unit = quantity.get("value"), quantity.get("unit")
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= VALUE_MAX:
            continue
        if unit in code.units:
            found.append(Value(name, float(value), str(unit), at, 0))
    return found


def _shown_with(quantity: str) -> tuple[str, ...]:
    return next((required for required in REQUIRED.values() if quantity in required), (quantity,))
