"""What a peripheral says it can do: the feature characteristics, for whoever installs it.

Bits as in the GATT Specification Supplement: Blood Pressure Feature 0x2A49 (16 bits), Weight Scale Feature 0x2A9E (32),
Body Composition Feature 0x2A9B (32), Glucose Feature 0x2A51 (16); PLX Features 0x2A60 as in the Pulse Oximeter Service 1.0.1:
16 bits, then the status bits it supports, u16 where bit 0 is set and 24 bits where bit 1 is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from devices import description
from devices.encoding import Cursor
from devices.measurement import bit_words
from devices.oximeter import SENSOR_WORDS, STATUS_WORDS

_BLOOD_PRESSURE: Final = (
    "body_movement_detection",
    "cuff_fit_detection",
    "irregular_pulse_detection",
    "pulse_rate_range_detection",
    "measurement_position_detection",
    "multiple_bonds",
    "e2e_crc",
    "user_data_service",
    "user_facing_time",
)
_GLUCOSE: Final = (
    "low_battery_detection",
    "sensor_malfunction_detection",
    "sample_size",
    "strip_insertion_error_detection",
    "strip_type_error_detection",
    "result_high_low_detection",
    "temperature_high_low_detection",
    "read_interrupt_detection",
    "general_device_fault",
    "time_fault",
    "multiple_bonds",
)
_WEIGHT_SCALE: Final = ("time_stamp", "multiple_users", "bmi")
_BODY_COMPOSITION: Final = (
    "time_stamp",
    "multiple_users",
    "basal_metabolism",
    "muscle_percentage",
    "muscle_mass",
    "fat_free_mass",
    "soft_lean_mass",
    "body_water_mass",
    "impedance",
    "weight",
    "height",
)
_OXIMETER: Final = (
    "measurement_status",
    "device_and_sensor_status",
    "measurement_storage",
    "time_stamp",
    "fast_metric",
    "slow_metric",
    "pulse_amplitude_index",
    "multiple_bonds",
)
_OXIMETER_STATUS, _OXIMETER_SENSOR = 1 << 0, 1 << 1

#: Steps a scale tells in, by the number that stands for them; 0 is "not specified".
_WEIGHT_STEPS: Final = {
    1: "0.5 kg, 1 lb",
    2: "0.2 kg, 0.5 lb",
    3: "0.1 kg, 0.2 lb",
    4: "0.05 kg, 0.1 lb",
    5: "0.02 kg, 0.05 lb",
    6: "0.01 kg, 0.02 lb",
    7: "0.005 kg, 0.01 lb",
}
_HEIGHT_STEPS: Final = {1: "0.01 m, 1 in", 2: "0.005 m, 0.5 in", 3: "0.001 m, 0.1 in"}


@dataclass(frozen=True, slots=True)
class _Steps:
    """A number within the bits that names the step of a quantity."""

    name: str
    shift: int
    bits: int
    words: Mapping[int, str]

    @property
    def mask(self) -> int:
        return ((1 << self.bits) - 1) << self.shift

    def word(self, value: int) -> str:
        number = (value & self.mask) >> self.shift
        return self.words.get(number, f"reserved_{number}") if number else "not_specified"


@dataclass(frozen=True, slots=True)
class _Features:
    """One characteristic: how many bits, the word of each from the lowest, and the numbers within."""

    kind: str
    width: int
    words: tuple[str, ...]
    steps: tuple[_Steps, ...] = field(default=())

    def describe(self, data: bytes) -> description.Json:
        cursor = Cursor(data, self.kind.replace("_", " "))
        value = int.from_bytes(cursor.take(self.width // 8, "features"), "little")
        cursor.end()
        return self.told(value)

    def told(self, value: int) -> description.Json:
        bits = value
        for steps in self.steps:
            bits &= ~steps.mask
        return description.blank(self.kind) | {
            "features": list(bit_words(bits, dict(enumerate(self.words)), width=self.width)),
            "context": {steps.name: steps.word(value) for steps in self.steps},
        }


def _steps(weight_shift: int, weight_bits: int, height_shift: int, height_bits: int) -> tuple[_Steps, ...]:
    return (
        _Steps("weight_step", weight_shift, weight_bits, _WEIGHT_STEPS),
        _Steps("height_step", height_shift, height_bits, _HEIGHT_STEPS),
    )


def _describe_oximeter(data: bytes) -> description.Json:
    cursor = Cursor(data, "oximeter feature")
    bits = cursor.uint16("features")
    status = cursor.uint16("measurement status support") if bits & _OXIMETER_STATUS else 0
    sensor = int.from_bytes(cursor.take(3, "sensor status support"), "little") if bits & _OXIMETER_SENSOR else 0
    cursor.end()
    words = bit_words(status, STATUS_WORDS) + bit_words(sensor, SENSOR_WORDS, width=24)
    return _Features("oximeter_feature", 16, _OXIMETER).told(bits) | {"status": list(words)}


Describer = Callable[[bytes], description.Json]

blood_pressure_feature: Final[Describer] = _Features("blood_pressure_feature", 16, _BLOOD_PRESSURE).describe
glucose_feature: Final[Describer] = _Features("glucose_feature", 16, _GLUCOSE).describe
weight_scale_feature: Final[Describer] = _Features(
    "weight_scale_feature", 32, _WEIGHT_SCALE, _steps(3, 4, 7, 3)
).describe
body_composition_feature: Final[Describer] = _Features(
    "body_composition_feature", 32, _BODY_COMPOSITION, _steps(11, 4, 15, 3)
).describe
oximeter_feature: Final[Describer] = _describe_oximeter
