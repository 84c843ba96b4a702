"""Admit a reading as a patient's, or say why not. Pure: what the database knows is handed in.

Reading ──admit──▶ Admitted      observations of one patient
                 │ Quarantined   something is wrong with it
                 └ Unassigned    nobody, or nobody for certain, is known to own it
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntFlag
from typing import Final, NamedTuple

from rpm.ingest.attribution import Assignment, Device, owner, uncertainty_of
from rpm.ingest.checks import Trouble, check_form, check_time, check_values, notes
from rpm.ingest.plausibility import BMI_ABOVE, BMI_BELOW, Weighing
from rpm.ingest.reasons import Reason
from rpm.ingest.shape import AReading
from schemas.codes import BY_NAME, UNIT_NUMBER, Kind
from schemas.reading import TimeSource

#: Admitted later than this after it was measured, a reading enters history but is not news.
LATE_AFTER: Final = timedelta(hours=1)


class Quality(IntFlag):
    """What is to be known of one stored value. The numbers are in the database."""

    FLAGGED = 1
    LATE = 2
    DERIVED = 4
    VOID = 8
    RELEASED_BY_HAND = 16
    #: Dated by a device's clock that could not be read, and yet it came at once; or estimated, and its bounds reach to the
    #: present: it may be as fresh as it came.
    CLOCK_DOUBTED = 32


class Observed(NamedTuple):
    """One value to store: numbers of `schemas.codes`, the unit the device used, bits of Quality."""

    code: int
    value: float
    unit: int
    quality: int


#: As plain numbers: an enum's own operators cost more than all the checks of a reading together.
_FLAGGED: Final = int(Quality.FLAGGED)
_LATE: Final = int(Quality.LATE)
_DERIVED: Final = int(Quality.DERIVED)
_RELEASED_BY_HAND: Final = int(Quality.RELEASED_BY_HAND)
_CLOCK_DOUBTED: Final = int(Quality.CLOCK_DOUBTED)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of what a batch mentions."""

    #: Gateway id → practice; a gateway nobody has claimed is missing or in practice 0.
    practices: Mapping[str, int]
    #: (practice, address) → device.
    devices: Mapping[tuple[int, str], Device]
    #: Device id → who used it when.
    assignments: Mapping[int, Sequence[Assignment]]
    #: Patient id → weights of the days before; those of one batch are added as they are admitted.
    weighings: dict[int, list[Weighing]]


class Admitted(NamedTuple):
    """A patient's reading, with the values to store and what to know of it."""

    practice_id: int
    patient_id: int
    device_id: int
    observations: tuple[Observed, ...]
    flags: tuple[str, ...]
    late: bool


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Held: `reason`, and where in the item (JSON pointer). The patient is named where known: a red value still calls."""

    reason: Reason
    pointer: str
    practice_id: int
    device_id: int | None = None
    patient_id: int | None = None


@dataclass(frozen=True, slots=True)
class Unassigned:
    """Held until someone says whose it is."""

    reason: Reason
    practice_id: int
    device_id: int | None = None


Decision = Admitted | Quarantined | Unassigned

#: Practice 0 holds what no practice has claimed.
UNCLAIMED: Final = 0


def admit(
    reading: AReading,
    *,
    gateway_id: str,
    known: Known,
    now: datetime,
    released: bool = False,
    claimed_for: int | None = None,
    arrived: datetime | None = None,
) -> Decision:
    """Decide on one reading that `gateway_id` (by its topic) delivered.

    `released`: a person has looked and says the value is right; then only what nobody can release holds it.
    `claimed_for`: a person says whose it is. `arrived`: when the cloud had it first, where that was before. Never raises: whatever a valid Reading holds, there is an answer.
    """
    practice_id = known.practices.get(gateway_id, UNCLAIMED)
    if practice_id == UNCLAIMED:
        return Quarantined(Reason.UNKNOWN_GATEWAY, "", UNCLAIMED)
    if not reading.bears_its_name():
        return Quarantined(Reason.ID_MISMATCH, "/reading/reading_id", practice_id)
    device = known.devices.get((practice_id, reading.device.address))
    if device is None:
        return Unassigned(Reason.UNKNOWN_DEVICE, practice_id)

    when = check_time(reading, now if arrived is None else min(arrived, now))
    whose: int | Reason = Reason.NOBODY_AT_THAT_TIME if claimed_for is None else claimed_for
    if when is None and claimed_for is None:
        whose = owner(
            device,
            known.assignments.get(device.id, ()),
            user_slot=reading.user_slot,
            measured_at=reading.measured_at,
            time_source=reading.time_source,
            uncertainty_s=reading.uncertainty_s,
            received_at=reading.received_at,
        )
    patient_id = None if isinstance(whose, Reason) else whose

    trouble = check_form(reading)
    flags: list[str] = []
    if trouble is None:
        weighings = () if patient_id is None else known.weighings.get(patient_id, ())
        trouble, flags = check_values(reading, weighings, released=released)
    trouble = trouble or when
    vouched_for = released or claimed_for is not None
    if trouble is None and patient_id is not None and not vouched_for and device.is_another(reading.device.serial):
        # An address is easily had by another device; a red value of it still calls whoever looks after the patient.
        trouble = Trouble(Reason.ANOTHER_DEVICE, "/reading/device/serial")
    if trouble is not None:
        return Quarantined(trouble.reason, trouble.pointer, practice_id, device.id, patient_id)
    if isinstance(whose, Reason):
        if whose is Reason.BEFORE_ASSIGNMENT:
            return Quarantined(whose, "/reading/measured_at", practice_id, device.id)
        return Unassigned(whose, practice_id, device.id)

    late = now - reading.measured_at > LATE_AFTER
    flags += notes(reading)
    quality = 0
    if flags:
        quality |= _FLAGGED
    if late:
        quality |= _LATE
    if released:
        quality |= _RELEASED_BY_HAND
    if _may_be_fresh(reading, now):
        quality |= _CLOCK_DOUBTED
    return Admitted(practice_id, whose, device.id, _observe(reading, quality, flags), tuple(flags), late)


def _may_be_fresh(reading: AReading, now: datetime) -> bool:
    """Whether a reading that looks old may be news all the same, for its clock cannot be trusted."""
    if reading.time_source is TimeSource.ESTIMATED:
        return now - reading.measured_at <= LATE_AFTER + uncertainty_of(reading.time_source, reading.uncertainty_s)
    return reading.time_source is TimeSource.DEVICE and now - reading.received_at <= LATE_AFTER


def _observe(reading: AReading, quality: int, flags: list[str]) -> tuple[Observed, ...]:
    """The values to store. A mean pressure or body mass index that cannot be is left out, and said in `flags`."""
    observed: list[Observed] = []
    for name, quantity in reading.quantities.items():
        if quantity.value is None:
            continue
        if name == "mean_arterial" and not _is_between(reading, quantity.value, quantity.unit):
            flags.append("mean_arterial_dropped")
            continue
        if name == "bmi" and not BMI_ABOVE < quantity.value < BMI_BELOW:
            flags.append("bmi_dropped")
            continue
        observed.append(Observed(BY_NAME[name].number, quantity.value, UNIT_NUMBER[quantity.unit], quality))
    if reading.kind is Kind.BLOOD_PRESSURE and "mean_arterial" not in reading.quantities:
        systolic, diastolic = reading.quantities["systolic"], reading.quantities["diastolic"]
        assert systolic.value is not None
        assert diastolic.value is not None
        mean = (systolic.value + 2 * diastolic.value) / 3
        unit = UNIT_NUMBER[systolic.unit]
        observed.append(Observed(BY_NAME["mean_arterial"].number, mean, unit, quality | _DERIVED))
    return tuple(observed)


def _is_between(reading: AReading, mean: float, unit: str) -> bool:
    """Whether a mean pressure lies between the other two."""
    systolic, diastolic = reading.quantities["systolic"], reading.quantities["diastolic"]
    if systolic.value is None or diastolic.value is None or unit != systolic.unit:
        return False
    return diastolic.value < mean < systolic.value
