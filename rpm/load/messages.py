"""What is published: blood pressures of many patients as gateways write them, every one of them different.

Messages are filled into a form that the product's own models wrote once: to build each by model takes more of a core than
to take it in. A test reads them back with those models.
"""

import json
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
#: Into so many parts, at most, the readings of a home divide SPREAD; the next one begins at the oldest again.
PARTS_MAX: Final = 100
#: A cuff's frame is as long, in hexadecimal digits.
_FRAME_DIGITS: Final = 38
#: The newest is so old: it has been on its way.
_AGE: Final = timedelta(seconds=5)
_TO_GATEWAY: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Run:
    """One run's messages: `readings` of them, `per_message` in each, dealt out to gateways in turn.

    A gateway is a home with a cuff of its own, so what travels in one message is of one patient, as after an outage.
    `number` (below 2^64) sets runs apart: it is in every reading's bytes. `first_cuff` is that of gateway 0. Urgent readings
    are just measured, the others spread over SPREAD and in range; what they are is drawn from `seed`.
    """

    number: int
    readings: int
    per_message: int
    gateways: int
    first_cuff: int = 0
    urgent: bool = False
    seed: int = 0

    @property
    def epoch(self) -> str:
        """The outboxes' epoch in this run."""
        return f"{self.number:016x}"

    @property
    def messages(self) -> int:
        """How many there are."""
        return -(-self.readings // self.per_message)

    def sent_by(self, gateway: int) -> int:
        """How many readings a gateway sends; their sequence numbers begin at 1."""
        mine = -(-(self.messages - gateway) // self.gateways)
        last_is_mine = (self.messages - 1) % self.gateways == gateway
        return mine * self.per_message - (self.messages * self.per_message - self.readings if last_is_mine else 0)

    def index(self, gateway: int, seq: int) -> int:
        """Which reading of the run, from 0, a gateway sent under a sequence number."""
        message, item = divmod(seq - 1, self.per_message)
        return (message * self.gateways + gateway) * self.per_message + item

    def cuff(self, gateway: int) -> int:
        """The number of the cuff that a gateway hears."""
        return self.first_cuff + gateway

    def age(self, gateway: int, seq: int) -> timedelta:
        """How long before the newest a reading is measured, below SPREAD; no two homes measure at the same time."""
        parts = min(max(self.sent_by(gateway), 1), PARTS_MAX)
        return SPREAD * (1 - ((seq - 1) % parts + gateway / self.gateways) / parts)


def gateway_id(number: int) -> str:
    """The name of a simulated gateway."""
    return f"gw-load-{number:03d}"


def number_of(name: str) -> int:
    """The number of a simulated gateway."""
    return int(name.rpartition("-")[2])


def address(cuff: int) -> str:
    """The address of a simulated cuff."""
    return f"C0:BE:00:{cuff >> 16 & 255:02X}:{cuff >> 8 & 255:02X}:{cuff & 255:02X}"


def messages(run: Run, *, now: datetime) -> Iterator[tuple[int, bytes]]:
    """(gateway, payload) in the order of sending."""
    for place in range(run.messages):
        gateway = place % run.gateways
        yield gateway, message(run, place, now=now)


def message(run: Run, place: int, *, now: datetime) -> bytes:
    """The payload that is sent as number `place`, from 0. It is of gateway `place % run.gateways`."""
    gateway = place % run.gateways
    seq = place // run.gateways * run.per_message
    start = place * run.per_message
    items = ",".join(
        _item(run, gateway, index, seq + 1 + index - start, now)
        for index in range(start, min(start + run.per_message, run.readings))
    )
    return (_HEAD % (gateway_id(gateway), run.epoch) + items + _TAIL).encode()


def _item(run: Run, gateway: int, index: int, seq: int, now: datetime) -> str:
    measured_at = now - _AGE - (timedelta() if run.urgent else run.age(gateway, seq))
    name = address(run.cuff(gateway))
    drawn = index + run.seed
    systolic, diastolic = (191, 104) if run.urgent else (112 + drawn % 24, 68 + drawn % 12)
    # A pressure waits to be repeated; such a pulse calls at once.
    pulse = 141 if run.urgent else 64 + drawn % 20
    # As long as a cuff's frame, and different for each.
    raw = f"{run.epoch}{index:08x}".ljust(_FRAME_DIGITS, "0")
    device_time = measured_at.isoformat(timespec="seconds").partition("+")[0]
    received_at = measured_at + _TO_GATEWAY
    reading_id: UUID = derive_reading_id(
        address=name,
        user_slot=1,
        characteristic="2A35",
        device_time=device_time,
        sequence_number=None,
        raw=raw,
        received_at=received_at,
    )
    return _ITEM % {
        "seq": seq,
        "reading_id": reading_id,
        "address": name,
        "systolic": systolic,
        "diastolic": diastolic,
        "pulse_rate": pulse,
        "measured_at": measured_at.isoformat(),
        "device_time": device_time,
        "received_at": received_at.isoformat(),
        "raw": raw,
    }


def _form() -> tuple[str, str, str]:
    """Head, one item and tail of a message, with places to fill in."""
    some = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    reading = Reading(
        reading_id=UUID(int=0),
        device=DeviceIdentity(address=address(0), manufacturer="Northlight", model="Cuff 2"),
        kind=Kind.BLOOD_PRESSURE,
        characteristic="2A35",
        user_slot=1,
        quantities={
            "systolic": Quantity(value=0, unit="mm[Hg]"),
            "diastolic": Quantity(value=0, unit="mm[Hg]"),
            "pulse_rate": Quantity(value=0, unit="/min"),
        },
        measured_at=some,
        device_time="2020-01-01T00:00:00",
        time_source=TimeSource.DEVICE_CORRECTED,
        clock_offset_s=0.0,
        received_at=some,
        raw="00",
    )
    batch = ReadingBatch(gateway_id="gw-load-000", epoch="0" * 16, items=(ReadingItem(seq=1, reading=reading),))
    form = batch.model_dump(mode="json")
    item = form["items"][0]
    item["seq"] = "%(seq)d"
    filled = item["reading"]
    for key in ("reading_id", "measured_at", "device_time", "received_at", "raw"):
        filled[key] = f"%({key})s"
    filled["device"]["address"] = "%(address)s"
    for key, quantity in filled["quantities"].items():
        quantity["value"] = f"%({key})d"
    item_text = json.dumps(item, separators=(",", ":"))
    for key in ("seq", *filled["quantities"]):
        item_text = item_text.replace(f'"%({key})d"', f"%({key})d")
    form |= {"gateway_id": "%s", "epoch": "%s", "items": []}
    head, _, tail = json.dumps(form, separators=(",", ":")).partition('"items":[]')
    return f'{head}"items":[', item_text, f"]{tail}"


_HEAD, _ITEM, _TAIL = _form()
