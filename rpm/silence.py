"""Why nothing comes from a patient any more: the box, a battery, the link, a decision that waits, or nobody measures (F46, F115).

Pure: facts in, a guess with its reason out. It is a guess: the sentence says "probably", names what it stands on, and what
would settle it. Whatever keeps readings from arriving is looked at before the patient is: nobody is asked to measure into a
box that is unplugged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from rpm.fleet import BATTERY_LOW_PERCENT, Home, is_silent
from rpm.store.events import Latest, number
from rpm.upkeep import BATTERY_EMPTY_PERCENT, days_left, span
from schemas.messages import EventName

#: Weaker than this, a device is lost on the way as often as it is heard.
SIGNAL_WEAK_DBM: Final = -90


class Cause(StrEnum):
    """Where the silence begins."""

    NO_DEVICE = "no device"
    HELD = "readings held"
    NEVER = "never set up"
    BOX = "box"
    BATTERY = "battery"
    LINK = "link"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class GivenDevice:
    """A device the patient has now. `held`: readings of it that wait for a decision; `seen_at` None: never heard."""

    id: int
    label: str
    address: str
    seen_at: datetime | None
    gateway_id: str | None
    pending: bool
    held: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Somebody looked after of whom nothing was filed lately. `heard_at` None: ever."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    phone: str | None
    time_zone: str
    heard_at: datetime | None
    started_at: datetime
    devices: tuple[GivenDevice, ...]

    def __repr__(self) -> str:
        """No name and no number of a person in a log line or a traceback."""
        return f"Silent({self.public_id})"


@dataclass(frozen=True, slots=True)
class Guess:
    """Why nothing comes, what that stands on, and what to do. `gateway_id`, `device_id`: where to look."""

    cause: Cause
    said: str
    act: str
    gateway_id: str | None = None
    device_id: int | None = None


def guess(silent: Silent, homes: Mapping[str, Home], *, now: datetime) -> Guess:
    """The likeliest cause of a patient's silence. `homes`: the practice's, by gateway."""
    if not silent.devices:
        return Guess(Cause.NO_DEVICE, "No device is given to this patient.", "Give them one, or end the monitoring.")
    held = sum(device.held for device in silent.devices)
    if held:
        first = next(device for device in silent.devices if device.held)
        pending = next((device for device in silent.devices if device.held and device.pending), None)
        came = "1 reading came and is held" if held == 1 else f"{held} readings came and are held"
        if pending is not None:
            said = f"{came}: nobody has confirmed yet that “{pending.label}” is theirs."
            return Guess(Cause.HELD, said, "Call the patient and confirm a test reading.", device_id=pending.id)
        return Guess(Cause.HELD, f"{came}.", "Decide on them among the held readings.", device_id=first.id)
    heard = [device for device in silent.devices if device.seen_at is not None and device.gateway_id in homes]
    if not heard:
        said = "Nothing was ever heard from what they were given."
        return Guess(Cause.NEVER, said, "Set up the box and the devices at the home.", device_id=silent.devices[0].id)
    boxes = {device.gateway_id: homes[device.gateway_id] for device in heard if device.gateway_id is not None}
    return (
        _of_box(boxes, now=now) or _of_devices(heard, boxes, now=now) or _of_link(boxes) or _of_patient(silent, boxes)
    )


def _of_box(boxes: Mapping[str, Home], *, now: datetime) -> Guess | None:
    """All boxes that used to hear this patient are off, or cannot hear."""
    gone = [home for home in boxes.values() if is_silent(home.gateway, now=now) or home.gateway.heard_at is None]
    if len(gone) == len(boxes):
        home = max(gone, key=lambda each: each.gateway.heard_at.timestamp() if each.gateway.heard_at else 0)
        since = f" for {span(now - home.gateway.heard_at)}" if home.gateway.heard_at else ""
        said = f"Probably the box: no word from it{since}."
        return Guess(Cause.BOX, said, "Check its power and the home’s internet.", gateway_id=home.gateway.id)
    for home in boxes.values():
        if (home.gateway.adapter or "").endswith("not scanning"):
            said = "Probably the box: its Bluetooth does not work."
            return Guess(Cause.BOX, said, "Unplug the box once, and plug it in again.", gateway_id=home.gateway.id)
    return None


def _of_devices(heard: Sequence[GivenDevice], boxes: Mapping[str, Home], *, now: datetime) -> Guess | None:
    """A device that was last heard with a flat battery, or whose trend has reached the end; one that does not pair."""
    for device in heard:
        home = boxes.get(device.gateway_id or "")
        told = _newest(home.latest if home else (), device.address)
        battery = told.get(EventName.DEVICE_BATTERY)
        percent = number(battery.value) if battery is not None else None
        if home is None or percent is None:
            continue
        left = days_left(home.batteries.get(device.address, ()), now=now)
        if percent <= max(BATTERY_LOW_PERCENT, BATTERY_EMPTY_PERCENT) or left == 0:
            said = f"Probably the battery of “{device.label}”: it said {percent:.0f} % when last heard."
            return Guess(Cause.BATTERY, said, "Send new batteries, or have them changed.", device_id=device.id)
    for device in heard:
        home = boxes.get(device.gateway_id or "")
        told = _newest(home.latest if home else (), device.address)
        for name, words in _DOES_NOT_SPEAK.items():
            event = told.get(name)
            if event is not None and device.seen_at is not None and event.heard_at > device.seen_at:
                said = f"Probably the link: “{device.label}” {words}."
                return Guess(Cause.LINK, said, "Open its box: it says what to do.", device.gateway_id, device.id)
    return None


_DOES_NOT_SPEAK: Final = {
    EventName.DEVICE_NOT_PAIRED: "does not pair with the box any more",
    EventName.DEVICE_UNSUPPORTED: "is not supported",
    EventName.DEVICE_CHANGED: "was replaced by another device",
}


def _newest(latest: Sequence[Latest], address: str) -> dict[str, Latest]:
    return {each.name: each for each in latest if each.address == address}


def _of_link(boxes: Mapping[str, Home]) -> Guess | None:
    """The box hears its devices so weakly that it misses them."""
    weak = [home.gateway for home in boxes.values() if home.gateway.rssi_dbm is not None]
    if weak and all((gateway.rssi_dbm or 0) <= SIGNAL_WEAK_DBM for gateway in weak):
        gateway = weak[0]
        said = f"Probably the link: the weakest device was last heard at {gateway.rssi_dbm} dBm."
        return Guess(Cause.LINK, said, "Have the box put into the room where they measure.", gateway_id=gateway.id)
    return None


def _of_patient(silent: Silent, boxes: Mapping[str, Home]) -> Guess:
    """Nothing of ours is in the way."""
    gateway_id = next(iter(boxes))
    if silent.heard_at is None:
        said = "Box and device were heard and are well, but nothing was measured: probably nobody has begun."
    else:
        said = "Box and device are well: probably the patient has not measured."
    return Guess(Cause.PATIENT, said, "Ask how they are; ask the box to remind them.", gateway_id=gateway_id)


#: A patient who is used to measure daily is missed after this long.
MISSED_AFTER: Final = timedelta(days=3)
