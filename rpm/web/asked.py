"""What a home was asked for, in words: what has become of it, and which reading answered. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rpm.store.charts import ReadingLine
from rpm.store.patients import AssignedDevice
from rpm.store.requests import Asked
from schemas.messages import RequestKind

#: How long a person at home is asked for, in minutes.
ASK_MINUTES: Final = (30, 120, 480)
#: A reading that reached the box this long after the answer may still be the one that answered.
ANSWER_WITHIN: Final = timedelta(minutes=5)
#: What was asked of a patient is shown for so long.
SHOWN_FOR: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class AskedLine:
    """A request in words. `waits`: nothing has come of it yet; `reading`: the one that answered it."""

    asked: Asked
    what: str
    said: str
    waits: bool
    reading: ReadingLine | None = None


def asked_lines(found: Iterable[Asked], *, readings: Sequence[ReadingLine] = (), now: datetime) -> list[AskedLine]:
    """Requests in words, in their order."""
    return [_line(each, readings, now=now) for each in found]


def _line(asked: Asked, readings: Sequence[ReadingLine], *, now: datetime) -> AskedLine:
    over = asked.expires_at <= now
    waits = asked.state in {"asked", "sent", "shown"} and not over
    return AskedLine(asked, _what(asked), _state(asked, over=over), waits, answering(asked, readings))


def _what(asked: Asked) -> str:
    if asked.kind == RequestKind.CALL_US:
        return "Call us"
    if asked.kind == RequestKind.REPLAY:
        return "Send again what is kept"
    slot = asked.arguments.get("user_slot")
    whose = "" if slot is None else f", user {slot}"
    return f"Measure again: {str(asked.arguments.get('kind', '')).replace('_', ' ')}{whose}"


def _state(asked: Asked, *, over: bool) -> str:
    if asked.state == "done":
        return "done"
    if asked.state == "withdrawn":
        return "not needed any more"
    if asked.state == "unknown":
        return "the box cannot do this"
    if asked.state == "expired" or over:
        return "ended: nobody did it" if asked.answered_at else "ended: the box did not answer"
    if asked.state == "shown":
        return "the box asks for it now"
    return "on its way to the box"


def answering(asked: Asked, readings: Sequence[ReadingLine]) -> ReadingLine | None:
    """The reading that answered a request: the first of its kind measured after it was asked."""
    if asked.state != "done" or asked.kind != RequestKind.MEASURE_AGAIN or asked.answered_at is None:
        return None
    latest = asked.answered_at + ANSWER_WITHIN
    found = [
        reading
        for reading in readings
        if reading.kind == asked.arguments.get("kind")
        and reading.measured_at > asked.asked_at
        and reading.received_at <= latest
    ]
    return min(found, key=lambda reading: reading.received_at, default=None)


def askable(devices: Iterable[AssignedDevice], *, now: datetime) -> list[AssignedDevice]:
    """Those of a patient's devices that a box can ask for: in use now, and heard by one; one of each kind."""
    found: dict[str, AssignedDevice] = {}
    for device in devices:
        in_use = device.until is None or device.until > now
        if in_use and device.gateway_id is not None:
            found.setdefault(device.kind, device)
    return list(found.values())
