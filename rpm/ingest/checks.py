"""What can be wrong with a reading in itself: its time, its form, its values. Each check answers with the first trouble."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rpm.ingest.plausibility import Verdict, Weighing, judge, judge_pulse_pressure, judge_weight_change
from rpm.ingest.reasons import Reason
from rpm.ingest.shape import AReading
from schemas.codes import BY_NAME, REQUIRED, Kind
from schemas.quantity import Absent, converted
from schemas.reading import NOT_A_PATIENTS_STATUS, TimeSource

#: A clock may be this far ahead of ours before a reading of the future is held.
FUTURE_MAX: Final = timedelta(minutes=5)
#: No device of ours is older; a clock that was never set says less.
EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)
#: A device clock that had to be moved by more than this is worth showing.
CLOCK_OFFSET_FLAG_S: Final = 120.0

#: What a device says of a measurement that makes it less certain, in the words of `Reading.status`.
FLAGGING_STATUS: Final = frozenset(
    {
        "body_moved",
        "cuff_loose",
        "irregular_pulse",
        "pulse_above_range",
        "pulse_below_range",
        "position_improper",
        "battery_low",
        "sensor_fault",
        "sample_insufficient",
        "strip_insertion",
        "strip_type",
        "temperature_too_high",
        "temperature_too_low",
        "read_interrupted",
        "general_fault",
        "time_fault",
        "clock_not_set",
        "early_estimated_data",
        "questionable_measurement_detected",
        "signal_processing_irregularity_detected",
        "inadequate_signal_detected",
        "poor_signal_detected",
        "erratic_signal_detected",
        "nonpulsatile_signal_detected",
        "questionable_pulse_detected",
        "sensor_interference_detected",
        "sensor_displaced",
    }
)

#: Of these, what says nothing against the value: the heart's own doing, the battery, the clock.
_OF_SOMETHING_ELSE: Final = frozenset(
    {"irregular_pulse", "pulse_above_range", "pulse_below_range", "battery_low", "time_fault", "clock_not_set"}
)
#: What says that the measurement itself was disturbed: rules ask for another one, or leave it out (`flagged`).
DISTURBING_STATUS: Final = FLAGGING_STATUS - _OF_SOMETHING_ELSE

#: What makes it a number nobody may rely on before a person has looked (clinical rules, "Plausibility limits", SpO₂).
HOLDING_STATUS: Final = frozenset(
    {
        "low_perfusion_detected",
        "invalid_measurement_detected",
        "measurement_unavailable",
        "calibration_ongoing",
        "equipment_malfunction_detected",
        "sensor_malfunctioning",
        "sensor_unconnected_to_user",
        "sensor_disconnected",
    }
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a reading cannot be used as it is, and where in its item (JSON pointer)."""

    reason: Reason
    pointer: str


def check_time(reading: AReading, arrived: datetime) -> Trouble | None:
    """A time that can be one: not after it was received, here or in the home, and not from before the project's devices existed.

    `arrived`: when the cloud had it first. However late one looks, a time of the future does not become true by waiting.
    """
    if reading.measured_at > min(arrived, reading.received_at) + FUTURE_MAX:
        return Trouble(Reason.IN_THE_FUTURE, "/reading/measured_at")
    if reading.measured_at < EARLIEST:
        return Trouble(Reason.BEFORE_2020, "/reading/measured_at")
    return None


def check_form(reading: AReading) -> Trouble | None:
    """Right quantities in right units, with a value where one must be. Control solution and HI/LO come first."""
    context = reading.context
    if context and "control_solution" in (context.get("sample_location"), context.get("sample_type")):
        return Trouble(Reason.CONTROL_SOLUTION, "/reading/context")
    if not NOT_A_PATIENTS_STATUS.isdisjoint(reading.status):
        return Trouble(Reason.DEMONSTRATION, "/reading/status")
    for name, quantity in reading.quantities.items():
        code = BY_NAME.get(name)
        if code is None or not code.comes_with(reading.kind):
            return Trouble(Reason.UNKNOWN_QUANTITY, f"/reading/quantities/{_escaped(name)}")
        if quantity.unit not in code.units:
            return Trouble(Reason.WRONG_UNIT, f"/reading/quantities/{name}/unit")
    if reading.kind is Kind.GLUCOSE:
        glucose = reading.quantities.get("glucose")
        absent = glucose.absent if glucose is not None else None
        if "result_too_high" in reading.status or absent is Absent.POSITIVE_INFINITY:
            return Trouble(Reason.METER_HIGH, "/reading/quantities/glucose")
        if "result_too_low" in reading.status or absent is Absent.NEGATIVE_INFINITY:
            return Trouble(Reason.METER_LOW, "/reading/quantities/glucose")
    for name in REQUIRED[reading.kind]:
        quantity = reading.quantities.get(name)
        if quantity is None or quantity.value is None:
            return Trouble(Reason.VALUE_MISSING, f"/reading/quantities/{name}")
    return None


def check_values(
    reading: AReading, weighings: Sequence[Weighing], *, released: bool
) -> tuple[Trouble | None, list[str]]:
    """The first value that cannot be used as it is, else the flags of those that can."""
    flags = [word for word in reading.status if word in HOLDING_STATUS]
    if flags and not released:
        return Trouble(Reason.DEVICE_DOUBTS, "/reading/status"), []
    for name, quantity in reading.quantities.items():
        if quantity.value is None:
            continue
        verdict = judge(name, quantity.value, quantity.unit)
        if verdict is Verdict.FINE:
            continue
        pointer = f"/reading/quantities/{name}/value"
        if verdict is Verdict.REJECT:
            return Trouble(Reason.VALUE_IMPOSSIBLE, pointer), []
        if verdict is Verdict.HOLD and not released:
            return Trouble(Reason.VALUE_IMPLAUSIBLE, pointer), []
        flags.append(f"{name}_unusual")
    trouble = None
    if reading.kind is Kind.BLOOD_PRESSURE:
        trouble = _check_pressures(reading, flags, released=released)
    elif reading.kind is Kind.BODY_WEIGHT:
        trouble = _check_weight(reading, weighings, flags, released=released)
    return trouble, flags


def _check_pressures(reading: AReading, flags: list[str], *, released: bool) -> Trouble | None:
    systolic, diastolic = reading.quantities["systolic"], reading.quantities["diastolic"]
    if systolic.value is None or diastolic.value is None:
        return None
    if systolic.unit != diastolic.unit:
        return Trouble(Reason.WRONG_UNIT, "/reading/quantities/diastolic/unit")
    verdict = judge_pulse_pressure(systolic.value, diastolic.value, systolic.unit)
    if verdict is Verdict.REJECT:
        return Trouble(Reason.SYSTOLIC_NOT_ABOVE_DIASTOLIC, "/reading/quantities/systolic/value")
    if verdict is Verdict.HOLD:
        if not released:
            return Trouble(Reason.PULSE_PRESSURE_IMPLAUSIBLE, "/reading/quantities/systolic/value")
        flags.append("pulse_pressure_unusual")
    return None


def _check_weight(
    reading: AReading, weighings: Sequence[Weighing], flags: list[str], *, released: bool
) -> Trouble | None:
    weight_kg = weight_in_kg(reading)
    if weight_kg is None:
        return None
    verdict = judge_weight_change(weight_kg, measured_at=reading.measured_at, earlier=weighings)
    if verdict is Verdict.HOLD and not released:
        return Trouble(Reason.WEIGHT_CHANGE_IMPLAUSIBLE, "/reading/quantities/body_weight/value")
    if verdict is not Verdict.FINE:
        flags.append("weight_change_large")
    return None


def weight_in_kg(reading: AReading) -> float | None:
    """The body weight of a reading, in kg whatever its unit; None where it has none."""
    weight = reading.quantities.get("body_weight")
    return None if weight is None or weight.value is None else converted(weight.value, weight.unit, "kg")


def notes(reading: AReading) -> list[str]:
    """Flags that come from what the device says of itself."""
    notes = [word for word in reading.status if word in FLAGGING_STATUS]
    if (
        reading.time_source is TimeSource.DEVICE_CORRECTED
        and reading.clock_offset_s is not None
        and abs(reading.clock_offset_s) > CLOCK_OFFSET_FLAG_S
    ):
        notes.append("clock_offset")
    if reading.time_source is TimeSource.ESTIMATED:
        notes.append("time_estimated")
    notes += [f"{name}_absent" for name, quantity in reading.quantities.items() if quantity.value is None]
    return notes


def _escaped(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
