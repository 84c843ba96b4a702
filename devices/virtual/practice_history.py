"""What one person of a practice measured, day by day: seeded, in the devices' own frames, by the devices' own clocks."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from devices import gatt
from devices.blood_pressure import BloodPressureMeasurement, BloodPressureStatus
from devices.date_time import DateTime
from devices.encoding import MedicalFloat
from devices.glucose import GlucoseContext, GlucoseMeasurement, GlucoseStatus
from devices.measurement import Measurement
from devices.virtual import practice_cast as cast
from devices.weight_scale import WeightMeasurement
from schemas.quantity import KG_PER_LB, Absent

PERIOD_DAYS: Final = 30
#: When people measure, local time, before each one's own habit and each day's mood move it.
MORNING: Final = time(7, 20)
EVENING: Final = time(19, 10)
HABIT_MIN: Final = 35
MOOD_MIN: Final = 14
#: A morning pressure is a little higher, an evening weight too.
MORNING_RISE_MMHG: Final = 3
EVENING_RISE_KG: Final = 0.35
#: From the squeeze to the gateway: a device wakes, connects, pushes.
DELIVERY_S: Final = 9
#: One delivery in so many waited for the gateway (its plug was pulled), until the next evening.
LATE_ONE_IN: Final = 40
LATE_BY: Final = timedelta(hours=26)
LAST_DAYS: Final = 3
#: Nothing is late at the end: a file tells of the past only.
LATE_DAYS_MIN: Final = 3
SUITCASE_KG: Final = 7.5
GUEST_KG: Final = 31.0
UNKNOWN_USER: Final = 0xFF
_POSTPRANDIAL, _FASTING = 2, 3
_MEALS: Final = ((MORNING, _FASTING), (EVENING, _POSTPRANDIAL))


@dataclass(frozen=True, slots=True)
class Taken:
    """One reading: what the device said, when that truly was, and when the gateway heard it."""

    measured_at: datetime
    received_at: datetime
    characteristic: str
    measurement: Measurement
    raw: bytes
    raw_context: bytes | None = None
    oddity: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A role on given dates. `first_day` and `day_count` are the history's, `draw` is this person's own generator."""

    role: cast.Role
    first_day: date
    day_count: int
    user_slot: int | None
    draw: random.Random

    def days(self) -> list[int]:
        """Days with readings, counted from the first day.

        The day of set-up is one, so it begins the first period. Who lives in one of the demonstration's homes has not
        missed the last days: what changes "since yesterday" needs a yesterday.
        """
        chosen: list[int] = []
        for period, count in enumerate(self.role.days):
            start = max(period * PERIOD_DAYS, self.role.starts_after)
            free = list(range(start, min((period + 1) * PERIOD_DAYS, self.day_count)))
            sure = set(free[:1]) if count and not chosen else set[int]()
            if self.role.home is not None and count:
                sure |= {day for day in free if day >= self.day_count - LAST_DAYS}
            rest = [day for day in free if day not in sure]
            chosen += [*sure, *self.draw.sample(rest, max(min(count - len(sure), len(rest)), 0))]
        return sorted(chosen)

    def history(self) -> list[Taken]:
        """Every reading, in the order they were taken."""
        days = self.days()
        series: list[Taken] = []
        for start, take in ((self.role.pressure, self._pressures), (self.role.weight, self._weights)):
            if start is not None:
                series += take(days)
        if self.role.glucose is not None:
            series += self._records(self.role.glucose, days)
        return sorted(self._with_oddity(series), key=lambda taken: (taken.measured_at, taken.characteristic))

    def _pressures(self, days: list[int]) -> list[Taken]:
        usual = self.role.pressure
        assert usual is not None
        habit = self._habit()
        taken: list[Taken] = []
        for day in days:
            trend = usual.systolic_trend * day / self.day_count
            for clock, rise in ((MORNING, MORNING_RISE_MMHG), (EVENING, 0))[: 1 if usual.often == "once" else 2]:
                systolic = round(usual.systolic + trend + rise + self.draw.gauss(0, 4))
                diastolic = round(usual.diastolic + trend / 2 + self.draw.gauss(0, 3))
                pulse = round(usual.pulse + self.draw.gauss(0, 4))
                taken.append(self._pressure(self._at(day, clock, habit), systolic, diastolic, pulse))
        return taken

    def _pressure(self, instant: datetime, systolic: int, diastolic: int, pulse: int, *, status: int = 0) -> Taken:
        frame = BloodPressureMeasurement(
            systolic=Decimal(systolic),
            diastolic=Decimal(diastolic),
            mean_arterial=Decimal(round((systolic + 2 * diastolic) / 3)),
            time_stamp=self._device_time(instant),
            pulse_rate=Decimal(pulse),
            status=status,
        )
        return self._taken(instant, gatt.BLOOD_PRESSURE_MEASUREMENT, frame.measurement(), bytes(frame))

    def _weights(self, days: list[int]) -> list[Taken]:
        usual = self.role.weight
        assert usual is not None
        habit = self._habit()
        in_lb = usual.unit == "lb"
        taken: list[Taken] = []
        for day in days:
            trend = usual.trend * day / self.day_count
            for clock, rise_kg in ((MORNING, 0.0), (EVENING, EVENING_RISE_KG))[: 1 if usual.often == "once" else 2]:
                swing = rise_kg + self.draw.uniform(-0.2, 0.2)
                weight = usual.start + trend + (swing / KG_PER_LB if in_lb else swing)
                taken.append(self._weight(self._at(day, clock, habit), weight, self.user_slot))
        return taken

    def _weight(self, instant: datetime, weight: float, user_slot: int | None) -> Taken:
        in_lb = self.role.weight is not None and self.role.weight.unit == "lb"
        # A display shows tenths of a pound, or fiftieths of a kilogram.
        shown = Decimal(round(weight * 10)) / 10 if in_lb else Decimal(round(weight * 20)) / 20
        stamp = self._device_time(instant)
        frame = WeightMeasurement(weight=shown, imperial=in_lb, time_stamp=stamp, user=user_slot)
        return self._taken(instant, gatt.WEIGHT_MEASUREMENT, frame.measurement(), bytes(frame))

    def _records(self, usual: cast.Glucose, days: list[int]) -> list[Taken]:
        habit = self._habit()
        times = [(self._at(day, clock, habit), meal) for day in days for clock, meal in _MEALS]
        molar = usual.unit == "mmol/L"
        taken: list[Taken] = []
        for number, (instant, meal) in enumerate(times, start=1):
            level = usual.fasting + (usual.meal_rise if meal == _POSTPRANDIAL else 0)
            glucose = max(level * self.draw.gauss(1, 0.09), usual.fasting * 0.7)
            shown = Decimal(round(glucose * 10)) / 10 if molar else Decimal(round(glucose))
            taken.append(self._record(instant, number, shown.scaleb(-3 if molar else -5), meal))
        return taken

    def _record(
        self, instant: datetime, number: int, concentration: MedicalFloat, meal: int, *, status: int | None = None
    ) -> Taken:
        frame = GlucoseMeasurement(
            sequence_number=number,
            base_time=self._device_time(instant),
            concentration=concentration,
            molar=self.role.glucose is not None and self.role.glucose.unit == "mmol/L",
            sample_type=1,
            location=1,
            status=status,
            context_follows=True,
        )
        context = GlucoseContext(sequence_number=number, meal=meal)
        taken = self._taken(instant, gatt.GLUCOSE_MEASUREMENT, frame.measurement(context), bytes(frame))
        return replace(taken, raw_context=bytes(context))

    def _with_oddity(self, series: list[Taken]) -> list[Taken]:
        """The history with this role's one oddity, about two thirds through it."""
        if self.role.oddity is None or not series:
            return series
        place = len(series) * 2 // 3
        usual = series[place]
        odd, keeps_usual = self._odd(usual.measured_at, usual.measurement.sequence_number or 0), False
        if self.role.oddity == cast.GUEST:
            odd, keeps_usual = self._weight(usual.measured_at + timedelta(minutes=4), GUEST_KG, UNKNOWN_USER), True
        named = replace(odd, oddity=self.role.oddity)
        return [*series[: place + keeps_usual], named, *series[place + 1 :]]

    def _odd(self, instant: datetime, number: int) -> Taken:
        if self.role.oddity == cast.BODY_MOVED:
            return self._pressure(instant, 224, 118, 97, status=BloodPressureStatus.BODY_MOVED)
        if self.role.oddity == cast.METER_HIGH:
            high = GlucoseStatus.RESULT_TOO_HIGH
            return self._record(instant, number, Absent.POSITIVE_INFINITY, _POSTPRANDIAL, status=high)
        start = self.role.weight.start if self.role.weight is not None else 0.0
        return self._weight(instant, start + SUITCASE_KG, self.user_slot)

    # Time ------------------------------------------------------------------------------------------------------------

    def _habit(self) -> int:
        return self.draw.randint(-HABIT_MIN, HABIT_MIN)

    def _at(self, day: int, clock: time, habit_min: int) -> datetime:
        minutes = habit_min + self.draw.randint(-MOOD_MIN, MOOD_MIN)
        local = datetime.combine(self.first_day + timedelta(days=day), clock, ZoneInfo(self.role.time_zone))
        return (local + timedelta(minutes=minutes, seconds=self.draw.randint(0, 59))).astimezone(UTC)

    def _device_time(self, instant: datetime) -> DateTime:
        shown = instant.astimezone(ZoneInfo(self.role.time_zone)) + timedelta(seconds=self.role.clock_error_s)
        return DateTime.of(shown)

    def _taken(self, instant: datetime, characteristic: str, measurement: Measurement, raw: bytes) -> Taken:
        days_left = self.day_count - (instant.date() - self.first_day).days
        late = days_left > LATE_DAYS_MIN and self.draw.randrange(LATE_ONE_IN) == 0
        heard = instant + timedelta(seconds=DELIVERY_S) + (LATE_BY if late else timedelta())
        return Taken(instant, heard, characteristic, measurement, raw)
