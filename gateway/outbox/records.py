"""What the outbox keeps and what it tells."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from devices.procedures import Frame
from gateway.outbox.store import Stamp


class Form(StrEnum):
    """What a row carries."""

    READING = "reading"
    UNDECODED = "undecoded"


@dataclass(frozen=True, slots=True)
class NewRow:
    """A reading (or an undecoded frame) about to be kept.

    `name` tells two of them apart (the reading id); `context` is the hex of what may complete a reading later, or empty.
    `body` is the JSON the wire carries beside `seq`: protected health information, so it has no place in a repr.
    """

    form: Form
    name: str
    context: str
    received_at: datetime
    body: str

    def __repr__(self) -> str:
        """A row in a log line is its name."""
        return f"NewRow({self.form}, {self.name})"


@dataclass(frozen=True, slots=True)
class Row:
    """A kept row that is due to be sent. `attempts` counts the sends so far."""

    seq: int
    form: Form
    attempts: int
    body: str

    def __repr__(self) -> str:
        """A row in a log line is its number."""
        return f"Row({self.seq}, {self.form})"


@dataclass(frozen=True, slots=True)
class EventRow:
    """A kept event: telemetry, settled by the broker's acknowledgement."""

    number: int
    body: str


@dataclass(frozen=True, slots=True)
class KeptSession:
    """The frames of one connection, not yet assembled into readings. `facts` is the JSON of the session's facts.

    `opened_at` is when the device's clock was read. `opened` and `kept_ns` say the same by the clock that nobody sets: of the
    session and of each of its frames (None: kept by an older program).
    """

    number: int
    address: str
    facts: str
    opened_at: datetime
    frames: tuple[Frame, ...]
    opened: Stamp | None = None
    kept_ns: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that were dropped unreceipted for want of room: `readings` of those from `first_seq` to `last_seq`."""

    first_seq: int
    last_seq: int
    readings: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a finished session's rows: `repeated` ones were in the outbox already; `names` are of the new."""

    new: int
    repeated: int
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stats:
    """The outbox at a glance. `depth` counts rows without a receipt, `ring` those with one that are still kept."""

    epoch: str
    depth: int
    oldest_age_s: float
    ring: int
    frames: int
    events: int
    dropped: int
    dropped_events: int
    repeated: int
    used: float
