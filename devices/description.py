"""What a frame says as a JSON object: the parts that every characteristic's description is made of. README.md has the keys."""

from enum import IntEnum
from typing import Any, Protocol, Self

from devices.date_time import DateTime
from devices.measurement import Measurement
from schemas.quantity import Quantity

#: An object as `json` writes it.
Json = dict[str, Any]


class Describable(Protocol):
    """A characteristic's value that can be read from bytes, and told."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the bytes are not what the layout says."""
        ...

    def described(self) -> Json:
        """The value as a JSON object with every key of `blank`."""
        ...


def blank(kind: str) -> Json:
    """Every key, so that a reader of one kind reads all."""
    return {
        "kind": kind,
        "quantities": {},
        "device_time": None,
        "user_slot": None,
        "sequence_number": None,
        "status": [],
        "context": {},
    }


def measured(measurement: Measurement, clock: DateTime | None) -> Json:
    """A measurement; its time is told part by part from the device's own clock."""
    return blank(measurement.kind.value) | {
        "quantities": quantities(measurement.quantities),
        "device_time": date_time(clock),
        "user_slot": measurement.user_slot,
        "sequence_number": measurement.sequence_number,
        "status": list(measurement.status),
        "context": measurement.context,
    }


def quantities(named_quantities: dict[str, Quantity]) -> Json:
    """Each value with its unit, or why there is none."""
    return {name: _quantity(found) for name, found in named_quantities.items()}


def _quantity(found: Quantity) -> Json:
    if found.absent is not None:
        return {"value": None, "unit": found.unit, "absent": found.absent.value}
    return {"value": found.value, "unit": found.unit}


def date_time(clock: DateTime | None) -> str | dict[str, int | None] | None:
    """ISO text; the parts by name where one is unknown, that one null; null where there is no clock or it was never set."""
    if clock is None or clock.text() is None:
        return None
    parts = clock.parts()
    return parts if None in parts.values() else clock.text()


def named(key: str, names: type[IntEnum], number: int) -> Json:
    """A number beside its word, so that neither a program nor a person needs the standard's tables."""
    known = number in {entry.value for entry in names}
    return {key: number, f"{key}_name": names(number).name.lower() if known else f"reserved_{number}"}
