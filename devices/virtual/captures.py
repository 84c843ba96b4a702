"""Frames captured from real devices, replayed byte for byte by virtual ones: bytes nobody here made travel the whole path.

The frames are the published conformance vectors (`devices/vectors`) marked `real_capture`; each names its source there.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from devices.virtual.glucometer import Glucometer, sequence_of
from devices.virtual.make import Identity
from devices.virtual.peripheral import Peripheral


@dataclass(frozen=True, slots=True)
class Capture:
    """What the devices of one make said. `conforming` tells Beurer's frames, which break the standard, from the rest."""

    vectors: str
    manufacturer: str
    model: str
    conforming: bool = True

    def identity(self, address: str) -> Identity:
        """A device of this make at an address of ours."""
        return Identity(
            address=address,
            name=f"{self.manufacturer} {self.model}",
            manufacturer=self.manufacturer,
            model=self.model,
            serial=address.replace(":", ""),
        )

    def frames(self) -> list[bytes]:
        """Every captured frame, in the order they are published."""
        return [frame for frame, _ in self.sourced()]

    def sourced(self) -> list[tuple[bytes, str]]:
        """The same, each with where it was published: frames of two places are of two devices."""
        captured = (v for v in _vectors(self.vectors) if v["real_capture"] and v["conforming"] is self.conforming)
        return [(bytes.fromhex(vector["hex"]), vector["source"]) for vector in captured]


#: What a scenario may name. The make of a Beurer is part of the capture: its frames are read by that make's row.
CAPTURES: Final[dict[str, Capture]] = {
    "cuff": Capture("blood_pressure", "Captured", "cuff"),
    "beurer_cuff": Capture("blood_pressure", "Beurer", "BM85", conforming=False),
    "scale": Capture("weight_scale", "Captured", "scale"),
    "meter": Capture("glucose", "Captured", "meter"),
}
_CONTEXTS: Final = Capture("glucose_context", "Captured", "meter")


def replay(device: Peripheral, capture: Capture) -> None:
    """Put every captured frame into the device's store; a captured context goes with its own meter's record alone."""
    if isinstance(device, Glucometer):
        contexts = {(sequence_of(frame), source): frame for frame, source in _CONTEXTS.sourced()}
        for frame, source in capture.sourced():
            device.say(frame, contexts.get((sequence_of(frame), source)))
    else:
        for frame in capture.frames():
            device.say(frame)


@cache
def _vectors(name: str) -> list[dict[str, Any]]:
    published = files("devices").joinpath("vectors", f"{name}.json").read_text("utf-8")
    return json.loads(published)["vectors"]
