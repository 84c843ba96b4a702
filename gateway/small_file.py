"""A few facts in a file of their own: whole or as before, whatever happens while it is written; its owner's alone."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

BYTES_MAX: Final = 65_536


def read_json(path: Path) -> Any:
    """What `write_json` wrote; None where there is no such file. ValueError or OSError where it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    if len(text) > BYTES_MAX:
        raise ValueError(f"{path.name} is longer than it can be")
    return json.loads(text)


def write_json(path: Path, facts: object) -> bool:
    """Replace the file, on the disk when this returns; False where the disk refuses, and then it is as it was."""
    with contextlib.suppress(OSError):
        write_whole(path, json.dumps(facts).encode())
        return True
    return False


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file, on the disk when this returns; OSError where the disk refuses, and then it is as it was."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    # The name is on the disk only when its folder is.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
