"""What the catalogue may say of a model: one row, and the row of every device that has none."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Takes a characteristic and a frame of it to that frame in the layout of the standard.
StandardForm = Callable[[str, bytes], bytes]
#: Takes a characteristic and a frame in the standard's layout; says why it is none of a person's measurements, or None.
Objection = Callable[[str, bytes], str | None]


class Support(StrEnum):
    """Whether a model's readings come through."""

    #: It speaks a standard profile.
    STANDARD = "standard"
    #: Some of the name speak a standard profile, others their vendor's own: what it offers decides.
    EITHER = "either"
    #: It speaks its vendor's own protocol, which this program does not.
    VENDOR = "vendor"


class ClockRule(StrEnum):
    """When a model's clock may be written; it is written only where it is wrong."""

    #: Nobody is known to write it: it is read.
    NEVER = "never"
    BEFORE_SUBSCRIPTION = "before_subscription"
    #: Written only as the answer to the first Current Time the device notifies once its measurement is subscribed to.
    ON_FIRST_TIME = "on_first_time"


def as_sent(_characteristic: str, data: bytes) -> bytes:
    """The standard's layout is the one it was sent in."""
    return data


def no_objection(_characteristic: str, _data: bytes) -> str | None:
    """Every frame counts."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row. All texts are compared by their beginnings, whatever their case."""

    #: What tests and README call it.
    id: str
    #: 0x2A29, and 0x2A24.
    manufacturer: str = ""
    models: tuple[str, ...] = ()
    #: What it advertises as: all that is known of a device before it is connected to.
    names: tuple[str, ...] = ()
    #: Services of its vendor's own, and its vendor's company numbers in advertisements: these *name* a device.
    vendor_services: tuple[str, ...] = ()
    company_ids: tuple[int, ...] = ()
    #: Why we believe the rest of the row.
    source: str
    #: What it does, and what this program does about it.
    remark: str = ""
    support: Support = Support.STANDARD
    #: It puts other things into a standard's characteristic: not to be read, although it offers one.
    misuses_standard: bool = False
    #: Paired within the connection, before anything is asked: it hangs up on strangers who ask first.
    pairs_first: bool = False
    clock: ClockRule = ClockRule.NEVER
    #: How long to leave it in peace before the first subscription.
    settle_s: float = 0.0
    #: It hangs up where nobody has subscribed so long after the connection; 0: it waits.
    subscribe_within_s: float = 0.0
    #: Its longest pause between two values of one session; 0: as usual.
    quiet_s: float = 0.0
    #: Its records' numbers are places in a list, newest first, and move with every new one: they name nothing, so all is asked
    #: for each time, and a record is known by its time and value.
    renumbers: bool = False
    #: Brings a frame to the standard's layout; MalformedFrame where it cannot be.
    standard_form: StandardForm = as_sent
    #: Frames of no person's, told by nobody's reading: they are dropped, and the log says why.
    drops: Objection = no_objection
    #: Frames that could mean two things: kept for people, as those nobody can decode.
    doubts: Objection = no_objection

    @property
    def may_set_clock(self) -> bool:
        """Whether the vendor's or a well-tried reader's software writes this clock."""
        return self.clock is not ClockRule.NEVER


#: By the book; nothing is written to it but what the book needs.
STANDARD: Final = Model(id="standard", source="the profiles of the Bluetooth SIG (revisions: domain of each decoder)")
