"""Readings as gateways send them, in a few words; `a_reading` makes any valid one at random."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from schemas.codes import CODES, UNITS, Kind
from schemas.ids import derive_reading_id
from schemas.messages import Channel, ReadingBatch, ReadingItem, topic
from schemas.quantity import Absent, Quantity
from schemas.reading import DeviceIdentity, Reading, TimeSource

CUFF, SCALE, METER = "C0:00:00:00:10:01", "C0:00:00:00:10:02", "C0:00:00:00:10:03"
OXIMETER, THERMOMETER = "C0:00:00:00:10:04", "C0:00:00:00:10:05"
EPOCH = "00c0ffee00c0ffee"
_CHARACTERISTIC = {
    Kind.BLOOD_PRESSURE: "2A35",
    Kind.BODY_WEIGHT: "2A9D",
    Kind.GLUCOSE: "2A18",
    Kind.OXYGEN_SATURATION: "2A5E",
    Kind.BODY_TEMPERATURE: "2A1C",
}


def named(reading: Reading) -> Reading:
    """The reading under the name that follows from its contents."""
    return reading.model_copy(update={"reading_id": reading.derived_id()})


def _reading(kind: Kind, address: str, quantities: Mapping[str, Quantity], at: datetime, **more: Any) -> Reading:
    device_time = at.strftime("%Y-%m-%dT%H:%M:%S")
    facts: dict[str, Any] = {
        "user_slot": None,
        "device_time": device_time,
        "sequence_number": None,
        "received_at": at + timedelta(seconds=2),
        "time_source": TimeSource.DEVICE_CORRECTED,
        "clock_offset_s": 0.0,
        # Two measurements of one second differ in their bytes, as on the air.
        "raw": "".join(f"{name}{quantity.value}" for name, quantity in quantities.items()).encode().hex(),
        **more,
    }
    characteristic = _CHARACTERISTIC[kind]
    name = derive_reading_id(
        address=address,
        user_slot=facts["user_slot"],
        characteristic=characteristic,
        device_time=facts["device_time"],
        sequence_number=facts["sequence_number"],
        raw=facts["raw"],
        received_at=facts["received_at"],
    )
    return Reading(
        reading_id=name,
        device=DeviceIdentity(address=address, manufacturer="Northlight"),
        kind=kind,
        characteristic=characteristic,
        quantities=dict(quantities),
        measured_at=at,
        **facts,
    )


def pressure(
    systolic: float,
    diastolic: float,
    at: datetime,
    *,
    mean: float | None = None,
    pulse: float | None = 72,
    unit: str = "mm[Hg]",
    address: str = CUFF,
    **more: Any,
) -> Reading:
    """One squeeze of a cuff."""
    quantities = {"systolic": Quantity(value=systolic, unit=unit), "diastolic": Quantity(value=diastolic, unit=unit)}
    if mean is not None:
        quantities["mean_arterial"] = Quantity(value=mean, unit=unit)
    if pulse is not None:
        quantities["pulse_rate"] = Quantity(value=pulse, unit="/min")
    return _reading(Kind.BLOOD_PRESSURE, address, quantities, at, **more)


def weight(value: float, at: datetime, *, unit: str = "kg", address: str = SCALE, **more: Any) -> Reading:
    """One weighing."""
    return _reading(Kind.BODY_WEIGHT, address, {"body_weight": Quantity(value=value, unit=unit)}, at, **more)


def glucose(value: float | Absent, at: datetime, *, unit: str = "mg/dL", address: str = METER, **more: Any) -> Reading:
    """One drop of blood; an Absent is what the meter sent in place of a number."""
    quantity = (
        Quantity(value=None, unit=unit, absent=value) if isinstance(value, Absent) else Quantity(value=value, unit=unit)
    )
    return _reading(Kind.GLUCOSE, address, {"glucose": quantity}, at, **{"sequence_number": 1, **more})


def saturation(percent: float, at: datetime, *, pulse: float = 72, address: str = OXIMETER, **more: Any) -> Reading:
    """One spot check of an oximeter."""
    quantities = {
        "oxygen_saturation": Quantity(value=percent, unit="%"),
        "pulse_rate": Quantity(value=pulse, unit="/min"),
    }
    return _reading(Kind.OXYGEN_SATURATION, address, quantities, at, **more)


def temperature(value: float, at: datetime, *, unit: str = "Cel", address: str = THERMOMETER, **more: Any) -> Reading:
    """One temperature."""
    return _reading(Kind.BODY_TEMPERATURE, address, {"body_temperature": Quantity(value=value, unit=unit)}, at, **more)


def batch(gateway_id: str, *readings: Reading, first_seq: int = 1, epoch: str = EPOCH) -> tuple[str, bytes]:
    """Topic and payload of these readings as one message, numbered upwards."""
    items = tuple(ReadingItem(seq=seq, reading=reading) for seq, reading in enumerate(readings, start=first_seq))
    message = ReadingBatch(gateway_id=gateway_id, epoch=epoch, items=items)
    return topic(gateway_id, Channel.READINGS), message.model_dump_json().encode()


_STATUS_WORDS = [
    "cuff_loose",
    "result_too_high",
    "result_too_low",
    "low_perfusion_detected",
    "data_for_testing",
    "x",
]
_instants = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
)
_texts = st.text(max_size=12)
_values = st.floats(allow_nan=False, allow_infinity=False)
_quantities = st.one_of(
    st.builds(Quantity, value=_values, unit=st.sampled_from(UNITS) | _texts),
    st.builds(Quantity, value=st.none(), unit=st.sampled_from(UNITS), absent=st.sampled_from(list(Absent))),
)


@st.composite
def a_reading(draw: st.DrawFn, *, address: str | None = None) -> Reading:
    """Any reading that the schema takes, under its right name three times out of four."""
    kind = draw(st.sampled_from(list(Kind)))
    names = [code.name for code in CODES if code.kind is kind] * 3 + ["systolic", "glucose", "oddity", "a/b~c"]
    reading = Reading(
        reading_id=draw(st.uuids()),
        device=DeviceIdentity(address=address or CUFF, model=draw(st.none() | _texts)),
        kind=kind,
        characteristic="2A35",
        user_slot=draw(st.none() | st.integers(0, 255)),
        quantities=draw(st.dictionaries(st.sampled_from(names), _quantities, max_size=5)),
        status=tuple(draw(st.lists(st.sampled_from(_STATUS_WORDS)))),
        context=draw(
            st.dictionaries(st.sampled_from(["meal", "sample_location"]), _texts | st.just("control_solution"))
        ),
        measured_at=draw(_instants),
        device_time=draw(st.none() | st.just("2026-06-10T10:00:00") | st.just("0000-00-00T00:00:00")),
        time_source=draw(st.sampled_from(list(TimeSource))),
        clock_offset_s=draw(st.none() | st.floats()),
        uncertainty_s=draw(st.none() | st.floats(0)),
        sequence_number=draw(st.none() | st.integers(0, 65535)),
        received_at=draw(_instants),
        raw=draw(st.binary(max_size=20)).hex(),
    )
    return named(reading) if draw(st.integers(0, 3)) else reading
