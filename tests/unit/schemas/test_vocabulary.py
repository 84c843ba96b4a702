"""The shared vocabulary: names are stable, values hide themselves, published schemas are current.

Method: golden ids written down once (a changed derivation would rename every reading ever kept), properties over the facts a name
is derived from, and a comparison of the published JSON Schemas with what the models say now.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import codes, messages, publish
from schemas.ids import derive_reading_id, normal_address
from schemas.messages import ReadingBatch, ReadingItem
from schemas.quantity import Absent, Quantity, converted
from schemas.reading import DeviceIdentity, Reading, TimeSource

RECEIVED = datetime(2026, 11, 22, 13, 1, tzinfo=UTC)


def a_reading(**changes: object) -> Reading:
    """A correct cuff reading; each test changes one thing."""
    facts: dict[str, object] = {
        "reading_id": UUID(int=0),
        "device": DeviceIdentity(address="C0:00:00:00:10:01"),
        "kind": codes.Kind.BLOOD_PRESSURE,
        "characteristic": "2A35",
        "quantities": {
            "systolic": Quantity(value=128, unit="mm[Hg]"),
            "diastolic": Quantity(value=81, unit="mm[Hg]"),
        },
        "measured_at": RECEIVED,
        "device_time": "2026-11-22T08:01:00",
        "time_source": TimeSource.DEVICE,
        "received_at": RECEIVED,
        "raw": "16800051006000ea070b160801003c000000",
    }
    return Reading.model_validate({**facts, **changes})


def test_a_name_never_changes() -> None:
    """The derivation is written down: changing it would rename every reading ever kept."""
    assert str(a_reading().derived_id()) == "3e3a143a-4dd5-5c93-82ce-e963d76f2e3b"


def test_correcting_the_time_keeps_the_name() -> None:
    """A better clock, a later receipt, another gateway: the same squeeze."""
    first = a_reading()
    again = a_reading(
        measured_at=RECEIVED - timedelta(hours=3),
        received_at=RECEIVED + timedelta(days=2),
        time_source=TimeSource.DEVICE_CORRECTED,
        clock_offset_s=-120.0,
    )
    assert first.derived_id() == again.derived_id()


def test_two_equal_weighings_without_a_clock_are_two_readings() -> None:
    """With neither device time nor sequence number, the instant of receipt tells them apart."""
    one = a_reading(device_time=None)
    other = a_reading(device_time=None, received_at=RECEIVED + timedelta(seconds=40))
    assert one.derived_id() != other.derived_id()


@given(
    slot=st.none() | st.integers(0, 255),
    sequence=st.none() | st.integers(0, 65535),
    raw=st.binary(max_size=20),
)
def test_every_fact_takes_part_in_the_name(slot: int | None, sequence: int | None, raw: bytes) -> None:
    """Another slot, another sequence number, other bytes: another reading."""

    def name(slot: int | None, sequence: int | None, raw: bytes) -> UUID:
        return derive_reading_id(
            address="C0:00:00:00:10:01",
            user_slot=slot,
            characteristic="2A18",
            device_time="2026-11-22T08:01:00",
            sequence_number=sequence,
            raw=raw.hex(),
            received_at=RECEIVED,
        )

    this = name(slot, sequence, raw)
    assert this != name(1 if slot is None else None, sequence, raw)
    assert this != name(slot, 1 if sequence is None else None, raw)
    assert this != name(slot, sequence, raw + b"\x00")


def test_a_receipt_mark_names_what_its_computed_time_does_not() -> None:
    """A box whose clock was wrong: the instant may be bettered, the name stays, and two weighings are two."""

    def name(mark: str | None, seconds: int, device_time: str | None = None) -> UUID:
        return derive_reading_id(
            address="C0:00:00:00:10:02",
            user_slot=None,
            characteristic="2A9D",
            device_time=device_time,
            sequence_number=None,
            raw="00e02e",
            received_at=RECEIVED + timedelta(seconds=seconds),
            receipt_mark=mark,
        )

    assert name("boot 1", 0) == name("boot 1", 3600)
    assert name("boot 1", 0) != name("boot 2", 0)
    assert name(None, 0) != name(None, 3600)
    assert name("boot 1", 0, "2026-11-22T08:00:00") == name(None, 7, "2026-11-22T08:00:00")


def test_a_reading_and_a_quantity_hide_what_they_hold() -> None:
    """`repr` is what ends up in logs and tracebacks (P3)."""
    shown = f"{a_reading()!r} {a_reading()} {Quantity(value=128, unit='mm[Hg]')!r}"
    assert "128" not in shown
    assert "C0:00" not in shown


def test_an_error_names_the_field_and_hides_what_stood_there() -> None:
    """A traceback ends up in logs, too (P3)."""
    fields = a_reading().model_dump(mode="json")
    fields["quantities"]["systolic"]["value"] = "128 or so"
    batch = {"gateway_id": "gw-home-a", "epoch": "0" * 16, "items": [{"seq": 1, "reading": fields}]}
    for model, broken in ((Reading, fields), (ReadingItem, batch["items"][0]), (ReadingBatch, batch)):
        with pytest.raises(ValidationError, match="systolic") as raised:
            model.model_validate(broken)
        assert "128" not in str(raised.value)
        assert "C0:00" not in str(raised.value)


@pytest.mark.parametrize(
    "facts",
    [
        {"value": None, "unit": "kg"},
        {"value": 1.0, "unit": "kg", "absent": "nan"},
        {"value": float("nan"), "unit": "kg"},
        {"value": float("inf"), "unit": "kg"},
    ],
)
def test_a_quantity_is_a_number_or_a_reason(facts: dict[str, object]) -> None:
    """Never both, never neither, and NaN is not a number."""
    with pytest.raises(ValidationError):
        Quantity.model_validate(facts)


def test_an_absent_value_says_why() -> None:
    """The reason survives the wire."""
    quantity = Quantity(value=None, unit="mm[Hg]", absent=Absent.NRES)
    assert Quantity.model_validate_json(quantity.model_dump_json()) == quantity


@given(st.floats(0.1, 2000), st.sampled_from(["[lb_av]", "mm[Hg]", "mmol/L", "[degF]"]))
def test_conversion_there_and_back(value: float, unit: str) -> None:
    """Conversion is for display, and does not drift."""
    other = {"[lb_av]": "kg", "mm[Hg]": "kPa", "mmol/L": "mg/dL", "[degF]": "Cel"}[unit]
    assert converted(converted(value, unit, other), other, unit) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_the_conversions_are_the_published_ones() -> None:
    """180 mmHg = 23.998 kPa; 5 lb = 2.268 kg; 10 mmol/L = 180.156 mg/dL (molar mass 180.156 g/mol); 100.4 °F = 38 °C."""
    assert converted(180, "mm[Hg]", "kPa") == pytest.approx(23.998, abs=5e-4)
    assert converted(5, "[lb_av]", "kg") == pytest.approx(2.26796185)
    assert converted(10.0, "mmol/L", "mg/dL") == pytest.approx(180.156)
    # Exactly: a limit of 100.4 °F is one of 38.0 °C, and "at least" asks for no more.
    assert [converted(fahrenheit, "[degF]", "Cel") for fahrenheit in (95.0, 100.4, 102.2)] == [35.0, 38.0, 39.0]
    assert [converted(celsius, "Cel", "[degF]") for celsius in (35.0, 37.8, 38.0)] == [95.0, 100.04, 100.4]


def test_topics_name_a_gateway_and_a_channel_and_nothing_else() -> None:
    """A topic that does not match is an error, never a guess."""
    name = messages.topic("gw-home-a", messages.Channel.READINGS)
    assert messages.gateway_of(name) == ("gw-home-a", messages.Channel.READINGS)
    for wrong in ("", "rpm/v1/gateways", "rpm/v1/gateways//readings", "other/gw-home-a/readings", name + "/more"):
        with pytest.raises(ValueError, match=r"."):
            messages.gateway_of(wrong)


def test_addresses_have_one_spelling() -> None:
    """Lower case and dashes are the same device."""
    assert normal_address("c0-00-00-00-10-01") == "C0:00:00:00:10:01"
    with pytest.raises(ValueError, match="not a Bluetooth address"):
        normal_address("kitchen")


def test_published_schemas_are_current() -> None:
    """`python -m schemas.publish` was run after the last change."""
    for name, text in publish.rendered().items():
        assert (publish.FOLDER / name).read_text("utf-8") == text, f"{name}: run python -m schemas.publish"


def test_numbers_of_codes_and_units_are_unique_and_frozen() -> None:
    """They are keys in the database: append, never renumber."""
    assert [(code.number, code.name) for code in codes.CODES] == [
        (1, "systolic"),
        (2, "diastolic"),
        (3, "mean_arterial"),
        (4, "pulse_rate"),
        (5, "body_weight"),
        (6, "bmi"),
        (7, "body_height"),
        (8, "glucose"),
        (9, "oxygen_saturation"),
        (10, "body_temperature"),
    ]
    assert codes.UNITS == (
        "mm[Hg]", "kPa", "/min", "kg", "[lb_av]", "kg/m2", "m", "[in_i]", "mg/dL", "mmol/L", "%", "Cel",
        "[degF]",
    )  # fmt: skip
    for code in codes.CODES:
        assert set(code.units) <= set(codes.UNITS)
        assert set(code.loinc) == set(code.units)
