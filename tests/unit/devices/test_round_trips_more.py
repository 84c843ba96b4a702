"""Round trips of the characteristics beside the first three: what one half of a file writes, the other reads."""

from decimal import Decimal
from typing import Protocol, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import decode, not_decoded
from devices.battery import BatteryLevel
from devices.blood_pressure_record import BloodPressureRecord
from devices.body_composition import BodyComposition
from devices.cuff_pressure import IntermediateCuffPressure
from devices.current_time import CurrentTime
from devices.encoding import MalformedFrame, float_from_bytes
from devices.enhanced_blood_pressure import EnhancedBloodPressure, EnhancedCuffPressure, Tail
from devices.heart_rate import HeartRate
from devices.oximeter import ContinuousMeasurement, SpotMeasurement
from devices.thermometer import TemperatureMeasurement
from devices.user_control import Opcode, UserControl
from schemas.quantity import Absent
from tests.unit.devices.test_round_trips import BLOOD_PRESSURES, CLOCKS, SFLOATS, U8, U16, maybe


class Frame(Protocol):
    """Both halves of a codec."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self: ...

    def __bytes__(self) -> bytes: ...


U24, U32 = st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFFFF)
FLOATS = U32.map(lambda word: float_from_bytes(word.to_bytes(4, "little")))
PAIRS = st.tuples(SFLOATS, SFLOATS)
TENTHS = U16.map(lambda steps: steps * Decimal("0.1"))
TAILS = st.builds(
    Tail,
    time_stamp_s=maybe(U32),
    pulse_rate=maybe(SFLOATS),
    user=maybe(U8),
    status=maybe(U16),
    user_facing_time_s=maybe(U32),
    epoch_2000=st.booleans(),
)


@st.composite
def compositions(draw: st.DrawFn) -> BodyComposition:
    imperial = draw(st.booleans())
    masses = U16.map(lambda steps: steps * Decimal("0.01" if imperial else "0.005"))
    return BodyComposition(
        body_fat_percent=draw(st.just(Absent.UNSUCCESSFUL) | st.integers(0, 0xFFFE).map(lambda s: s * Decimal("0.1"))),
        imperial=imperial,
        time_stamp=draw(maybe(CLOCKS)),
        user=draw(maybe(U8)),
        basal_metabolism_kj=draw(maybe(U16.map(Decimal))),
        muscle_percent=draw(maybe(TENTHS)),
        muscle_mass=draw(maybe(masses)),
        fat_free_mass=draw(maybe(masses)),
        soft_lean_mass=draw(maybe(masses)),
        body_water_mass=draw(maybe(masses)),
        impedance_ohm=draw(maybe(TENTHS)),
        weight=draw(maybe(masses)),
        height=draw(maybe(U16.map(lambda steps: steps * Decimal("0.1" if imperial else "0.001")))),
        multiple_packets=draw(st.booleans()),
    )


@st.composite
def heart_rates(draw: st.DrawFn) -> HeartRate:
    rate = draw(U16)
    return HeartRate(
        rate=rate,
        contact=draw(maybe(st.booleans())),
        energy_kj=draw(maybe(U16)),
        intervals=draw(maybe(st.lists(U16, max_size=9).map(tuple))),
        wide=rate > 0xFF or draw(st.booleans()),
    )


#: Frames whose length follows from their flags: one byte more or less is wrong.
EXACT: st.SearchStrategy[Frame] = st.one_of(
    st.builds(
        SpotMeasurement,
        oxygen_saturation=SFLOATS,
        pulse_rate=SFLOATS,
        time_stamp=maybe(CLOCKS),
        status=maybe(U16),
        sensor_status=maybe(U24),
        amplitude_index_percent=maybe(SFLOATS),
        clock_not_set=st.booleans(),
    ),
    st.builds(
        ContinuousMeasurement,
        normal=PAIRS,
        fast=maybe(PAIRS),
        slow=maybe(PAIRS),
        status=maybe(U16),
        sensor_status=maybe(U24),
        amplitude_index_percent=maybe(SFLOATS),
    ),
    st.builds(
        TemperatureMeasurement,
        temperature=FLOATS,
        fahrenheit=st.booleans(),
        time_stamp=maybe(CLOCKS),
        site=maybe(U8),
    ),
    compositions(),
    st.builds(IntermediateCuffPressure, layout=BLOOD_PRESSURES),
    st.builds(
        EnhancedBloodPressure, systolic=SFLOATS, diastolic=SFLOATS, mean_arterial=SFLOATS, kpa=st.booleans(), tail=TAILS
    ),
    st.builds(EnhancedCuffPressure, pressure=SFLOATS, kpa=st.booleans(), tail=TAILS),
    st.builds(BatteryLevel, percent=U8),
    st.builds(CurrentTime, shown=CLOCKS, day_of_week=U8, fraction=U8, adjust_reason=U8),
    st.builds(UserControl.consent, user_index=U8, code=st.integers(0, 9999)),
)
#: Frames that end where they end.
OPEN: st.SearchStrategy[Frame] = st.one_of(
    heart_rates(),
    st.builds(
        BloodPressureRecord,
        sequence_number=U16,
        characteristic=U16.map(lambda uuid: f"{uuid:04X}"),
        value=st.binary(min_size=1, max_size=20),
        first=st.booleans(),
        last=st.booleans(),
        counter=st.integers(0, 63),
    ),
)


@given(EXACT | OPEN)
def test_what_was_written_is_read_and_written_again_the_same(frame: Frame) -> None:
    data = bytes(frame)
    assert type(frame).from_bytes(data) == frame
    assert bytes(type(frame).from_bytes(data)) == data


@given(EXACT, st.data())
def test_a_frame_cut_short_or_drawn_out_is_malformed(frame: Frame, data: st.DataObject) -> None:
    whole = bytes(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedFrame) as short:
        type(frame).from_bytes(whole[:cut])
    assert short.value.offset <= cut
    with pytest.raises(MalformedFrame) as long:
        type(frame).from_bytes(whole + b"\0")
    assert long.value.offset == len(whole)


@pytest.mark.parametrize("code", [-1, 10_000])
def test_a_consent_code_no_scale_shows_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match="a consent code is 0 to 9999"):
        UserControl.consent(1, code)


def test_consent_is_the_bytes_scales_are_known_to_want() -> None:
    """`02 idx pinLE` (ble-scale-sync, beurer-bf720.ts); the code itself is told to nobody."""
    asked = UserControl.consent(1, 1234)
    assert bytes(asked) == bytes.fromhex("0201d204")
    assert asked.opcode == Opcode.CONSENT
    told = f"{asked!r} {asked.described()}"
    assert "1234" not in told
    assert "d204" not in told


@pytest.mark.parametrize(
    "wrong",
    [
        BodyComposition(Absent.NAN),
        BodyComposition(Decimal("19.44")),
        BodyComposition(Decimal(7000)),
        BodyComposition(Decimal(20), weight=Decimal("70.001")),
    ],
)
def test_what_no_scale_can_say_of_a_body_is_refused(wrong: BodyComposition) -> None:
    with pytest.raises(ValueError, match=r"does not fit|UNSUCCESSFUL"):
        bytes(wrong)


def test_what_is_known_by_name_and_not_read_says_so() -> None:
    for uuid, name in not_decoded.NAMES.items():
        assert uuid not in decode.CHARACTERISTICS
        with pytest.raises(decode.UnknownCharacteristic, match=f"{uuid}: {name}, which this program knows"):
            decode.describe(uuid, b"\0")
    assert not_decoded.offered(["2A35", "2B8B", "2AA7"]) == (
        ("2AA7", "CGM Measurement"),
        ("2B8B", "Live Health Observations"),
    )


def test_cuff_pressures_as_the_standard_wants_them() -> None:
    assert bytes(EnhancedCuffPressure(Decimal(110))) == bytes.fromhex("006e00")
    assert bytes(IntermediateCuffPressure.of(Decimal(110))) == bytes.fromhex("006e00ff07ff07")
