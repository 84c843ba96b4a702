"""What is published: blood pressures of many patients as gateways write them, every one of them different."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.codes import Kind
from schemas.ids import derive_reading_id
from schemas.messages import ReadingBatch, ReadingItem
from schemas.quantity import Quantity
from schemas.reading import DeviceIdentity, Reading, TimeSource

#: Readings are as old as after an outage, over three chunks of the hypertables.
SPREAD: Final = timedelta(days=14)
#: Systolic, diastolic, pulse; and the mean pressure that ingest derives.
VALUES_PER_READING: Final = 4


@dataclass(frozen=True, slots=True)
class Run:
    """One run's messages: `readings` of them, `per_message` in each, dealt out to gateways and cuffs in turn.

    `number` sets runs apart (it is in every reading's bytes); `first_cuff` and `cuffs` say whose cuffs measure. Urgent
    ones are just measured, the others spread over SPREAD and in range.
    """

    number: int
    readings: int
    per_message: int
    gateways: int
    cuffs: int
    first_cuff: int = 0
    urgent: bool = False

    @property
    def epoch(self) -> str:
        """The outboxes' epoch in this run."""
        return f"{self.number:016x}"

    def sent_by(self, gateway: int) -> int:
        """How many readings a gateway sends; their sequence numbers begin at 1."""
        messages = -(-self.readings // self.per_message)
        mine = -(-(messages - gateway) // self.gateways)
        last_is_mine = (messages - 1) % self.gateways == gateway
        return mine * self.per_message - (messages * self.per_message - self.readings if last_is_mine else 0)


def gateway_id(number: int) -> str:
    """The name of a simulated gateway."""
    return f"gw-bench-{number:03d}"


def address(cuff: int) -> str:
    """The address of a simulated cuff."""
    return f"C0:BE:00:{cuff >> 16 & 255:02X}:{cuff >> 8 & 255:02X}:{cuff & 255:02X}"


def messages(run: Run, *, now: datetime) -> Iterator[tuple[int, bytes]]:
    """(gateway, payload) in the order of sending."""
    sent = [0] * run.gateways
    for place, start in enumerate(range(0, run.readings, run.per_message)):
        gateway = place % run.gateways
        items: list[ReadingItem] = []
        for index in range(start, min(start + run.per_message, run.readings)):
            sent[gateway] += 1
            items.append(ReadingItem(seq=sent[gateway], reading=_reading(run, index, now)))
        batch = ReadingBatch(gateway_id=gateway_id(gateway), epoch=run.epoch, items=tuple(items))
        yield gateway, batch.model_dump_json().encode()


def _reading(run: Run, index: int, now: datetime) -> Reading:
    measured_at = now - timedelta(seconds=5)
    if not run.urgent:
        measured_at -= SPREAD * (1 - index / run.readings)
    name = address(run.first_cuff + index % run.cuffs)
    systolic, diastolic = (191, 104) if run.urgent else (112 + index % 24, 68 + index % 12)
    # As long as a cuff's frame, and different for each.
    raw = f"{run.number:04x}{index:08x}".ljust(38, "0")
    device_time = measured_at.strftime("%Y-%m-%dT%H:%M:%S")
    received_at = measured_at + timedelta(seconds=2)
    reading_id: UUID = derive_reading_id(
        address=name,
        user_slot=1,
        characteristic="2A35",
        device_time=device_time,
        sequence_number=None,
        raw=raw,
        received_at=received_at,
    )
    return Reading(
        reading_id=reading_id,
        device=DeviceIdentity(address=name, manufacturer="Northlight", model="Cuff 2"),
        kind=Kind.BLOOD_PRESSURE,
        characteristic="2A35",
        user_slot=1,
        quantities={
            "systolic": Quantity(value=systolic, unit="mm[Hg]"),
            "diastolic": Quantity(value=diastolic, unit="mm[Hg]"),
            "pulse_rate": Quantity(value=64 + index % 20, unit="/min"),
        },
        measured_at=measured_at,
        device_time=device_time,
        time_source=TimeSource.DEVICE_CORRECTED,
        clock_offset_s=0.0,
        received_at=received_at,
        raw=raw,
    )
