"""A whole session with one device, in one file: what it advertised, offered, answered and sent, and what we make of it.

Written by `rpm-gateway capture`, replayed by `devices.virtual.replayed`, collected in `vectors/captures/` (its README has
the format). What identifies a device or a person is taken out before anything is written: see `anonymise`.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from devices import gatt
from devices.assemble import Frame, Malformed, assemble
from devices.catalogue import find
from devices.description import quantities
from devices.model import Model

FORMAT: Final = 1
FRAMES_MAX: Final = 2_000

_Uuid = Annotated[str, AfterValidator(gatt.short_uuid)]
_Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class BadRecording(ValueError):
    """One line that says what is wrong with a file."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Advertised(_Part):
    """What it says to everybody. Of vendors' data only whose they are."""

    name: str | None = None
    services: tuple[_Uuid, ...] = ()
    company_ids: tuple[int, ...] = ()


class Sent(_Part):
    """One notification or indication, so many seconds after the connection."""

    after_s: Annotated[float, Field(ge=0)]
    characteristic: _Uuid
    hex: _Hex


class Recording(_Part):
    """One session. `readings` and `held` are what this program makes of the frames: of `held`, the frame's place and why."""

    format: Literal[1] = FORMAT
    #: Bytes of a physical device; false for one that is virtual.
    real: bool
    #: Who met it, or where its frames were published.
    source: Annotated[str, Field(min_length=1)]
    #: What its display showed was compared with `readings`, by `source`.
    checked: bool = False
    advertised: Advertised
    services: dict[_Uuid, dict[_Uuid, tuple[gatt.Property, ...]]]
    #: What it answered when it was asked, by characteristic.
    values: dict[_Uuid, _Hex]
    frames: Annotated[tuple[Sent, ...], Field(max_length=FRAMES_MAX)]
    ending: str
    readings: tuple[dict[str, Any], ...] = ()
    held: tuple[dict[str, Any], ...] = ()

    @property
    def characteristics(self) -> frozenset[str]:
        """Every characteristic it offers."""
        return frozenset(uuid for offered in self.services.values() for uuid in offered)

    @property
    def model(self) -> Model:
        """The catalogue's row of this device."""
        return find(self.text(gatt.MANUFACTURER_NAME), self.text(gatt.MODEL_NUMBER), self.advertised.name)

    def text(self, uuid: str) -> str | None:
        """A value that is a text."""
        return bytes.fromhex(self.values.get(uuid, "")).decode("utf-8", "replace").strip("\0 ") or None

    def judged(self) -> "Recording":
        """The same, with what this program makes of its frames."""
        start = datetime(2000, 1, 1, tzinfo=UTC)  # the instant takes no part in what is said
        frames = [
            Frame(sent.characteristic, bytes.fromhex(sent.hex), start + timedelta(seconds=sent.after_s))
            for sent in self.frames
        ]
        entries = assemble(frames, model=self.model)
        held = tuple(
            {"frame": entry.frame_index, "reason": entry.reason} for entry in entries if isinstance(entry, Malformed)
        )
        readings = tuple(
            {
                "kind": entry.measurement.kind.value,
                "quantities": quantities(entry.measurement.quantities),
                "device_time": entry.measurement.device_time,
                "user_slot": entry.measurement.user_slot,
                "sequence_number": entry.measurement.sequence_number,
                "status": list(entry.measurement.status),
                "context": entry.measurement.context,
            }
            for entry in entries
            if not isinstance(entry, Malformed)
        )
        return self.model_copy(update={"readings": readings, "held": held})

    def to_json(self) -> str:
        """The file's text: a line for each frame and reading, so that people can read it and compare two."""
        parts = json.loads(self.model_dump_json())
        lines = [f"  {json.dumps(key)}: {_lines(part)}" for key, part in parts.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(part: object) -> str:
    if not isinstance(part, list) or not part:
        return json.dumps(part, ensure_ascii=False)
    rows = cast("Sequence[object]", part)
    return "[\n" + ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows) + "\n  ]"


def read_recording(path: Path) -> Recording:
    """The recording in a file. BadRecording where it is none."""
    try:
        return Recording.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadRecording(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadRecording(f"{path}, {place}: {first['msg']}") from error


def library() -> dict[str, Recording]:
    """Every published recording, by its file's name."""
    folder = files("devices").joinpath("vectors", "captures")
    found = sorted((each for each in folder.iterdir() if each.name.endswith(".json")), key=lambda each: each.name)
    return {each.name.removesuffix(".json"): Recording.model_validate_json(each.read_bytes()) for each in found}


def find_recording(name: str) -> Recording:
    """A published recording by its file's name, or any by its path. BadRecording where there is none."""
    found = None if "/" in name or name.endswith(".json") else library().get(name)
    return read_recording(Path(name)) if found is None else found
