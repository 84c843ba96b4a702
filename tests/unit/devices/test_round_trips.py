"""Decoder and encoder are one file each: what one writes the other reads, and no bytes at all make another error.

These find mistakes in one of the two; a mistake in both is what the vectors are for.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices import decode
from devices.blood_pressure import BloodPressureMeasurement
from devices.catalogue import CATALOGUE
from devices.date_time import DateTime
from devices.encoding import MalformedFrame, sfloat_from_bytes
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.racp import RecordAccess
from devices.weight_scale import KG_STEP, LB_STEP, WeightMeasurement
from schemas.quantity import Absent

U8, U16 = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
SFLOATS = U16.map(lambda word: sfloat_from_bytes(word.to_bytes(2, "little")))
CLOCKS = st.binary(min_size=7, max_size=7).map(DateTime.from_bytes)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


BLOOD_PRESSURES = st.builds(
    BloodPressureMeasurement,
    systolic=SFLOATS,
    diastolic=SFLOATS,
    mean_arterial=SFLOATS,
    kpa=st.booleans(),
    time_stamp=maybe(CLOCKS),
    pulse_rate=maybe(SFLOATS),
    user=maybe(U8),
    status=maybe(U16),
)


@st.composite
def weights(draw: st.DrawFn) -> WeightMeasurement:
    imperial, body = draw(st.booleans()), draw(st.booleans())
    steps = draw(st.integers(0, 0xFFFF))
    return WeightMeasurement(
        weight=Absent.UNSUCCESSFUL if steps == 0xFFFF else steps * (LB_STEP if imperial else KG_STEP),
        imperial=imperial,
        time_stamp=draw(maybe(CLOCKS)),
        user=draw(maybe(U8)),
        body_mass_index=draw(U16) * Decimal("0.1") if body else None,
        height=draw(U16) * Decimal("0.1" if imperial else "0.001") if body else None,
    )


@st.composite
def glucoses(draw: st.DrawFn) -> GlucoseMeasurement:
    concentration = draw(maybe(SFLOATS))
    return GlucoseMeasurement(
        sequence_number=draw(U16),
        base_time=draw(CLOCKS),
        time_offset_min=draw(maybe(st.integers(-0x8000, 0x7FFF))),
        concentration=concentration,
        molar=draw(st.booleans()),
        sample_type=0 if concentration is None else draw(st.integers(0, 0xF)),
        location=0 if concentration is None else draw(st.integers(0, 0xF)),
        status=draw(maybe(U16)),
        context_follows=draw(st.booleans()),
    )


CONTEXTS = st.builds(
    GlucoseContext,
    sequence_number=U16,
    extended_flags=maybe(U8),
    carbohydrate=maybe(st.tuples(U8, SFLOATS)),
    meal=maybe(U8),
    tester_health=maybe(st.tuples(st.integers(0, 0xF), st.integers(0, 0xF))),
    exercise=maybe(st.tuples(U16, U8)),
    medication=maybe(st.tuples(U8, SFLOATS)),
    litre=st.booleans(),
    hba1c_percent=maybe(SFLOATS),
)
FRAMES = BLOOD_PRESSURES | weights() | glucoses() | CONTEXTS


@given(FRAMES)
def test_what_was_written_is_read_and_written_again_the_same(
    frame: BloodPressureMeasurement | WeightMeasurement | GlucoseMeasurement | GlucoseContext,
) -> None:
    data = bytes(frame)
    assert type(frame).from_bytes(data) == frame
    assert bytes(type(frame).from_bytes(data)) == data


@given(FRAMES, st.data())
def test_a_frame_cut_short_or_drawn_out_is_malformed(
    frame: BloodPressureMeasurement | WeightMeasurement | GlucoseMeasurement | GlucoseContext, data: st.DataObject
) -> None:
    whole = bytes(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedFrame) as short:
        type(frame).from_bytes(whole[:cut])
    assert short.value.offset <= cut
    with pytest.raises(MalformedFrame) as long:
        type(frame).from_bytes(whole + b"\0")
    assert long.value.offset == len(whole)


@given(st.sampled_from(decode.CHARACTERISTICS), st.binary(max_size=32))
@example("2A52", bytes.fromhex("01030711"))  # a filter nobody defined
@example("2A18", bytes.fromhex("010700ffffffffffffff3c00"))  # a time of ones, with an offset
def test_any_bytes_are_described_or_malformed(uuid: str, data: bytes) -> None:
    """Also: no key is ever missing, whatever the bytes."""
    refused = None
    try:
        found = decode.describe(uuid, data)
    except MalformedFrame as error:
        refused = error
    else:
        assert found.keys() >= {
            "kind",
            "quantities",
            "device_time",
            "user_slot",
            "sequence_number",
            "status",
            "context",
        }
    assert refused is None or 0 <= refused.offset <= len(data)


@given(st.sampled_from(decode.CHARACTERISTICS), st.binary(max_size=32))
@example("2A35", bytes.fromhex("5671"))
def test_any_bytes_of_a_known_model_are_brought_to_the_standard_or_malformed(uuid: str, data: bytes) -> None:
    for model in CATALOGUE:
        try:
            form = model.standard_form(uuid, data)
        except MalformedFrame as refused:
            form = data[: refused.offset]
        assert isinstance(form, bytes)


@given(U16)
def test_a_meter_reads_what_a_gateway_asks(sequence_number: int) -> None:
    asked = RecordAccess.from_bytes(bytes(RecordAccess.report_from(sequence_number)))
    assert asked == RecordAccess.report_from(sequence_number)
    assert [int.from_bytes(limit, "little") for limit in asked.limits] == [sequence_number]


@pytest.mark.parametrize(
    "kg, said", [("82.37", "82.37"), ("82.372", "82.37"), ("82.3725", "82.375"), ("327.67", "327.67")]
)
def test_a_scale_says_the_nearest_step(kg: str, said: str) -> None:
    assert WeightMeasurement.from_bytes(bytes(WeightMeasurement(Decimal(kg)))).weight == Decimal(said)


@pytest.mark.parametrize("weight", [Decimal("327.675"), Decimal(-1), Decimal(400), Absent.NAN])
def test_what_no_scale_can_say_is_refused(weight: Decimal | Absent) -> None:
    with pytest.raises(ValueError, match=r"does not fit|unsuccessful|UNSUCCESSFUL"):
        bytes(WeightMeasurement(weight))


def test_height_without_body_mass_index_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        bytes(WeightMeasurement(Decimal(70), height=Decimal("1.75")))
