"""What the watcher remembers, as a file: whole or as before, and read by `--status`."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from rpm.errors import UserError
from rpm.watch.judge import Memory

BYTES_MAX: Final = 1_000_000
_MEMORY: Final = TypeAdapter(Memory)


def read_memory(path: Path) -> Memory:
    """What was remembered; nothing where there is no file, or one that cannot be read: watching goes on all the same."""
    try:
        with path.open("rb") as file:
            return _MEMORY.validate_json(file.read(BYTES_MAX))
    except (OSError, ValidationError):
        return Memory()


def write_memory(path: Path, memory: Memory) -> None:
    """Replace the file. UserError where the disk refuses."""
    facts: Any = _MEMORY.dump_python(memory, mode="json")
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(facts, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def status_lines(memory: Memory, *, stale_after_s: float, now: datetime) -> tuple[int, list[str]]:
    """What `--status` says, and its exit status: 0 all is well, 1 something stands, 3 the watcher itself is silent."""
    if memory.looked_at is None:
        return 3, ["the watcher has not looked yet: is it started?"]
    ago_s = (now - memory.looked_at).total_seconds()
    lines = [f"last look {ago_s:.0f} s ago"]
    if memory.arrivals:
        newest = memory.arrivals[-1]
        lines.append(f"last synthetic message {newest.at:%Y-%m-%d %H:%M:%S} UTC (alert {newest.alert})")
    for standing in memory.standing.values():
        told = f"told {standing.told_at:%H:%M:%S}" if standing.told_at else "nobody could be told yet"
        lines.append(f"since {standing.since:%Y-%m-%d %H:%M:%S} UTC: {standing.said} ({told})")
    if ago_s > stale_after_s:
        return 3, [*lines, "the watcher itself is silent: see that it runs"]
    return (1, lines) if memory.standing else (0, [*lines, "all is well"])
