"""A Reading: named, time-corrected, on the wire. It knows a device and a user slot, never a patient."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.codes import Kind
from schemas.ids import Address, derive_reading_id
from schemas.quantity import Quantity

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=2048)]
Text = Annotated[str, StringConstraints(max_length=64)]

#: `YYYY-MM-DDThh:mm:ss` by the device's own clock, which knows no zone; parts it does not know are zero.
DeviceTime = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")]

#: Status words of a device that was showing what it can do, or testing itself: never a patient's value.
NOT_A_PATIENTS_STATUS: Final = frozenset({"data_for_demonstration", "data_for_testing"})


class TimeSource(StrEnum):
    """Which clock `measured_at` came from."""

    #: The device's time, moved by its offset to the gateway's clock, both read in one connection.
    DEVICE_CORRECTED = "device_corrected"
    #: The device's time taken as local time in the home's zone: its clock could not be read.
    DEVICE = "device"
    #: The gateway's clock at receipt: the device gave no time, or none that can be one.
    GATEWAY = "gateway"
    #: Nobody's: the gateway's own clock was wrong while it listened, and never set before the machine went down. Only
    #: bounds are known; `measured_at` lies in their middle, and `uncertainty_s` says how far they are on either side.
    ESTIMATED = "estimated"


class DeviceIdentity(BaseModel):
    """What a device says of itself. `address` is the identity; the rest is for people and for quirks."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    address: Address
    system_id: Hex | None = None
    manufacturer: Text | None = None
    model: Text | None = None
    serial: Text | None = None
    firmware: Text | None = None


class Reading(BaseModel):
    """One squeeze, one weighing, one drop of blood, as the wire carries it.

    Quantities keep the unit the device used. `raw` is the hex of the measurement frame; `raw_context` that of a glucose
    context frame, which may come later and takes no part in the name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    reading_id: UUID
    device: DeviceIdentity
    kind: Kind
    characteristic: Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{4}$")]
    user_slot: Annotated[int, Field(ge=0, le=255)] | None = None
    quantities: dict[Text, Quantity]
    status: tuple[Text, ...] = ()
    context: dict[Text, Text] = {}
    measured_at: AwareDatetime
    #: `measured_at` may be off by so much in either direction; None: by what its source is usually good for.
    uncertainty_s: Annotated[float, Field(ge=0)] | None = None
    device_time: DeviceTime | None = None
    time_source: TimeSource
    clock_offset_s: float | None = None
    sequence_number: Annotated[int, Field(ge=0, le=65535)] | None = None
    received_at: AwareDatetime
    #: Where the gateway's clock was wrong at receipt: which boot of which machine, and how long it had run. It stands for
    #: `received_at` in the name, for that is computed later.
    receipt_mark: Text | None = None
    backfill: bool = False
    raw: Hex
    raw_context: Hex | None = None

    def derived_id(self) -> UUID:
        """The id this reading must bear; the cloud refuses one that bears another."""
        return derive_reading_id(
            address=self.device.address,
            user_slot=self.user_slot,
            characteristic=self.characteristic,
            device_time=self.device_time,
            sequence_number=self.sequence_number,
            raw=self.raw,
            received_at=self.received_at,
            receipt_mark=self.receipt_mark,
        )

    def bears_its_name(self) -> bool:
        """Whether `reading_id` follows from the reading's own facts."""
        return self.reading_id == self.derived_id()

    def __repr__(self) -> str:
        """No value, no device: a reading in a log line is its name and kind."""
        return f"Reading({self.reading_id}, {self.kind})"

    __str__ = __repr__


def utc_text(instant: datetime) -> str:
    """An instant the way every message and page source writes it: `2026-11-22T08:01:00.000000+00:00`."""
    return instant.isoformat(timespec="microseconds")
