"""What the devices know to be delivered: one JSON line per record, on disk after the confirmation, never before.

Kept by the virtual devices alone; nothing of the pipeline writes or reads it, so an oracle can hold the pipeline to it.
A cuff's or scale's record is confirmed when the ATT confirmation of its indication arrived. A glucose meter's is when
the meter's "success" to the request that reported it was confirmed, or when the reader later asked for newer records
only, and that request succeeded.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

LEDGER_FILE: Final = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Said:
    """One record a device holds: the frame it sends, and the truth it was made from.

    `values` is {quantity name: {"value", "unit"}}, empty for a frame replayed as bytes. `device_time` is the device's own
    wall time, offset included, and `taken_at` the true instant.
    """

    number: int
    characteristic: str
    frame: bytes
    taken_at: datetime
    values: dict[str, dict[str, float | str]] = field(default_factory=dict[str, dict[str, float | str]])
    device_time: str | None = None
    user_slot: int | None = None
    sequence_number: int | None = None
    context_frame: bytes | None = None


class Ledger:
    """One file; each line is on disk when `record` returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / LEDGER_FILE
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(self, *, home: str, device: str, address: str, said: Said, confirmed_at: datetime) -> None:
        """Append one confirmed record."""
        line = {
            "home": home,
            "device": device,
            "address": address,
            "number": said.number,
            "characteristic": said.characteristic,
            "raw": said.frame.hex(),
            "raw_context": said.context_frame.hex() if said.context_frame is not None else None,
            "sequence_number": said.sequence_number,
            "device_time": said.device_time,
            "user_slot": said.user_slot,
            "values": said.values,
            "taken_at": said.taken_at.isoformat(),
            "confirmed_at": confirmed_at.isoformat(),
        }
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        """Nothing is written after this."""
        os.close(self._file)
