"""What a home's box and its devices need from a person, in the words of whoever looks after them. Pure: facts in, notices out.

Nothing here is about a patient's health: no notice is an alert, none wakes anybody, none counts as a day of data. A box that
says nothing and a device that sends nothing are two problems with two ways out, so they are never one notice (F14): while a
box is silent, nothing is said about its devices.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from rpm.store.events import Latest, Point, number
from rpm.store.gateways import Gateway
from rpm.upkeep import days_left, span, whole_days
from schemas.messages import ClockState, EventName, StatusKind

#: Heartbeats come every minute; a gateway that was not heard for this long is silent.
SILENT_AFTER: Final = timedelta(minutes=10)
#: A connected box is told within seconds that a reading is stored.
OUTBOX_OLD_AFTER: Final = timedelta(hours=1)
#: Time for somebody to come by before readings are dropped.
BUFFER_DAYS_LOW: Final = 3.0
#: A certificate of 90 days is renewed when 30 are left: fewer than these says that renewing fails.
CERTIFICATE_SOON: Final = timedelta(days=20)
CERTIFICATE_VERY_SOON: Final = timedelta(days=7)
#: A clock that nobody vouched for so long after the start: the home's network gives no time.
CLOCK_VOUCHED_WITHIN: Final = timedelta(hours=1)
RECOVERIES_WITHIN: Final = timedelta(days=1)
RECOVERIES_OFTEN: Final = 3
#: A device that is used daily is missed after this long.
READINGS_MISSED_AFTER: Final = timedelta(days=3)
BATTERY_LOW_PERCENT: Final = 20.0
BATTERY_LOW_DAYS: Final = 7.0
#: What happened once is shown for so long.
TOLD_FOR: Final = timedelta(days=7)
NEARLY_FULL_FOR: Final = timedelta(days=1)

#: The newest of these are what the notices stand on.
EVENTS: Final = (
    EventName.DEVICE_BATTERY,
    EventName.DEVICE_UNSUPPORTED,
    EventName.DEVICE_NOT_PAIRED,
    EventName.DEVICE_CHANGED,
    EventName.DEVICE_CONSENT,
    EventName.DEVICE_UNLISTED,
    EventName.DEVICE_FIRMWARE,
    EventName.RECORDS_MISSING,
    EventName.OUTBOX_DROPPED,
    EventName.OUTBOX_NEARLY_FULL,
    EventName.GATEWAY_HUNG,
)

PRIORITY: Final = 2
ROUTINE: Final = 1


class Need(StrEnum):
    """What somebody has to look after, most pressing first among equals."""

    UNREGISTERED = "unregistered"
    SILENT = "silent"
    RADIO = "radio"
    CLOCK = "clock"
    HUNG = "hung"
    DROPPED = "dropped"
    FULL = "full"
    WAITING = "waiting"
    CERTIFICATE = "certificate"
    CHANGED = "changed"
    NOT_PAIRED = "not_paired"
    CONSENT = "consent"
    UNSUPPORTED = "unsupported"
    NO_READINGS = "no_readings"
    UNCONFIRMED = "unconfirmed"
    MISSING = "missing"
    FIRMWARE = "firmware"
    UNLISTED = "unlisted"
    BATTERY = "battery"
    NEVER = "never"


LABELS: Final[Mapping[Need, str]] = {
    Need.UNREGISTERED: "not registered",
    Need.SILENT: "box silent",
    Need.RADIO: "radio trouble",
    Need.CLOCK: "box without the time",
    Need.HUNG: "box restarted itself",
    Need.DROPPED: "readings lost",
    Need.FULL: "box nearly full",
    Need.WAITING: "readings stuck",
    Need.CERTIFICATE: "certificate ends",
    Need.CHANGED: "another device",
    Need.NOT_PAIRED: "does not pair",
    Need.CONSENT: "user code refused",
    Need.UNSUPPORTED: "device not supported",
    Need.NO_READINGS: "no readings",
    Need.UNCONFIRMED: "not confirmed",
    Need.MISSING: "records missing",
    Need.FIRMWARE: "other firmware",
    Need.UNLISTED: "model not known",
    Need.BATTERY: "battery low",
    Need.NEVER: "never heard",
}
_ORDER: Final = {need: place for place, need in enumerate(Need)}


@dataclass(frozen=True, slots=True)
class HomeDevice:
    """A device of the home. `in_use`: somebody's now; `pending`: not confirmed as theirs yet. `seen_at` None: never heard."""

    id: int
    address: str
    label: str
    seen_at: datetime | None
    in_use: bool
    kind: str = ""
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """What is known of a gateway and the devices it heard last. `recoveries`: within RECOVERIES_WITHIN."""

    gateway: Gateway
    latest: Sequence[Latest] = ()
    devices: Sequence[HomeDevice] = ()
    recoveries: int = 0
    batteries: Mapping[str, Sequence[Point]] = field(default_factory=dict[str, Sequence[Point]])


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing somebody has to look after: what is so, and what to do. `severity`: 2 today, 1 this week.

    `device_id`, `kind`: of the device it is about, where it is about one that is known.
    """

    need: Need
    severity: int
    said: str
    act: str
    device_id: int | None = None
    kind: str = ""


def notices(home: Home, *, now: datetime) -> list[Notice]:
    """What this home needs from a person, most pressing first; empty where all is well."""
    gateway = home.gateway
    if not gateway.practice_id:
        said = "Nobody has registered this box. What it sends is kept, and waits."
        return [Notice(Need.UNREGISTERED, PRIORITY, said, "Register it, or find out whose it is.")]
    if gateway.heard_at is None:
        return [Notice(Need.NEVER, ROUTINE, "Never heard.", "Plug the box in at the home.")]
    silence = _silence(gateway, now=now)
    found = [silence] if silence else [*_of_box(home, now=now), *_of_devices(home, now=now)]
    found += _of_its_end(gateway, now=now)
    return sorted(found, key=lambda notice: (-notice.severity, _ORDER[notice.need], notice.said))


def is_silent(gateway: Gateway, *, now: datetime) -> bool:
    """Whether a box that was heard before is not heard now."""
    return gateway.heard_at is not None and now - gateway.heard_at > SILENT_AFTER


def _silence(gateway: Gateway, *, now: datetime) -> Notice | None:
    assert gateway.heard_at is not None
    waited = f" When last heard, {_count(gateway.outbox_depth)} waited in it." if gateway.outbox_depth else ""
    if is_silent(gateway, now=now):
        said = f"No word from the box for {span(now - gateway.heard_at)}.{waited}"
        return Notice(Need.SILENT, PRIORITY, said, "Check its power and the home’s internet.")
    if gateway.kind == StatusKind.WILL:
        said = f"The connection broke off {span(now - gateway.heard_at)} ago.{waited}"
        return Notice(Need.SILENT, ROUTINE, said, "It often comes back by itself: look again in ten minutes.")
    return None


def _of_box(home: Home, *, now: datetime) -> list[Notice]:
    """About a box that speaks."""
    gateway, found = home.gateway, list[Notice]()
    if (gateway.adapter or "").endswith("not scanning"):
        said = "The box hears no device: its Bluetooth does not work."
        found.append(Notice(Need.RADIO, PRIORITY, said, "It mends itself within five minutes; if not, unplug it once."))
    elif home.recoveries >= RECOVERIES_OFTEN:
        said = f"The box had to restart its Bluetooth {home.recoveries} times within a day."
        found.append(Notice(Need.RADIO, ROUTINE, said, "Move it away from other radios, or replace it."))
    if gateway.clock == ClockState.UNSET:
        said = "The box does not know what time it is. Its readings wait in it."
        found.append(Notice(Need.CLOCK, PRIORITY, said, "Let the home’s internet give it the time (NTP)."))
    elif gateway.clock == ClockState.UNVERIFIED and (gateway.uptime_s or 0) > CLOCK_VOUCHED_WITHIN.total_seconds():
        said = "Nobody has confirmed the box’s clock since it was started."
        found.append(Notice(Need.CLOCK, ROUTINE, said, "Let the home’s internet give it the time (NTP)."))
    told = {each.name: each for each in home.latest if not each.address}
    dropped, nearly_full = told.get(EventName.OUTBOX_DROPPED), told.get(EventName.OUTBOX_NEARLY_FULL)
    hung = told.get(EventName.GATEWAY_HUNG)
    if hung is not None and now - hung.heard_at <= TOLD_FOR:
        part = f" ({hung.value})" if hung.value else ""
        said = f"The box’s program hung{part} {span(now - hung.heard_at)} ago, and started itself anew."
        found.append(Notice(Need.HUNG, ROUTINE, said, "Nothing at the home. If it comes again, send another box."))
    if dropped is not None and now - dropped.heard_at <= TOLD_FOR:
        said = f"The box was full and lost readings {span(now - dropped.heard_at)} ago."
        found.append(
            Notice(Need.DROPPED, PRIORITY, said, "Ask the patient to measure again; find out why it was full.")
        )
    if gateway.buffer_days is not None and gateway.buffer_days < BUFFER_DAYS_LOW:
        said = f"Room for about {whole_days(gateway.buffer_days)} of readings is left in the box."
        found.append(Notice(Need.FULL, PRIORITY, said, "See that it can send, before it loses readings."))
    elif nearly_full is not None and now - nearly_full.heard_at <= NEARLY_FULL_FOR:
        found.append(
            Notice(Need.FULL, PRIORITY, "The box is nearly full.", "See that it can send, before it loses readings.")
        )
    oldest = timedelta(seconds=gateway.outbox_oldest_s or 0)
    if gateway.outbox_depth and oldest > OUTBOX_OLD_AFTER and gateway.clock != ClockState.UNSET:
        waits = "waits" if gateway.outbox_depth == 1 else "wait"
        said = (
            f"{_count(gateway.outbox_depth)} {waits} in the box, the oldest for {span(oldest)}, though it is connected."
        )
        found.append(Notice(Need.WAITING, PRIORITY, said, "Tell whoever keeps this installation."))
    return found


def _of_its_end(gateway: Gateway, *, now: datetime) -> list[Notice]:
    if gateway.certificate_not_after is None or gateway.certificate_not_after - now > CERTIFICATE_SOON:
        return []
    left = gateway.certificate_not_after - now
    severity = PRIORITY if left < CERTIFICATE_VERY_SOON else ROUTINE
    if left <= timedelta(0):
        said = f"The box’s certificate ended {span(left)} ago: it can send no more."
        return [Notice(Need.CERTIFICATE, severity, said, "Give it a new claim code and enrol it again.")]
    said = f"The box’s certificate ends in {span(left)} and should have been renewed by now."
    return [Notice(Need.CERTIFICATE, severity, said, "Check that it reaches the cloud’s web address.")]


def _of_devices(home: Home, *, now: datetime) -> list[Notice]:
    """About the devices of a box that speaks."""
    by_address = {device.address: device for device in home.devices}
    found: list[Notice] = []
    for each in home.latest:
        if each.address:
            device = by_address.get(each.address)
            about = _told_of_device(each, device, home.batteries.get(each.address, ()), now=now)
            found += [notice if device is None else _of(device, notice) for notice in about]
    for device in home.devices:
        if device.pending:
            said = f"“{device.label}” was given to somebody, and nobody has confirmed that it stands at their home."
            found.append(
                _of(device, Notice(Need.UNCONFIRMED, PRIORITY, said, "Call the patient and confirm a test reading."))
            )
        elif device.in_use and device.seen_at is not None and now - device.seen_at > READINGS_MISSED_AFTER:
            said = f"Nothing from “{device.label}” for {span(now - device.seen_at)}, though the box is well."
            act = "Ask the patient; check the device’s batteries."
            found.append(_of(device, Notice(Need.NO_READINGS, ROUTINE, said, act)))
    return found


def _of(device: HomeDevice, notice: Notice) -> Notice:
    return replace(notice, device_id=device.id, kind=device.kind)


def _told_of_device(
    told: Latest, device: HomeDevice | None, points: Sequence[Point], *, now: datetime
) -> Iterator[Notice]:
    """What follows from the newest that a box told of a device under one name."""
    label = f"“{device.label}”" if device else f"The device {told.address}"
    works_since = device is not None and device.seen_at is not None and device.seen_at > told.heard_at
    if told.name == EventName.DEVICE_UNSUPPORTED and not works_since:
        model = f" ({told.value})" if told.value else ""
        said = f"{label}{model} speaks a language of its own that no box here understands."
        yield Notice(Need.UNSUPPORTED, ROUTINE, said, "Give the patient a supported model.")
    elif told.name == EventName.DEVICE_NOT_PAIRED and not works_since:
        said = f"{label} refuses to pair: its code is wrong, or not in the box’s settings."
        yield Notice(Need.NOT_PAIRED, PRIORITY, said, "Type the code on its label into the settings.")
    elif told.name == EventName.DEVICE_CHANGED and now - told.heard_at <= TOLD_FOR:
        said = f"Another device answers where {label} did {span(now - told.heard_at)} ago."
        yield Notice(Need.CHANGED, PRIORITY, said, "Find out whose it is before its readings are used.")
    elif told.name == EventName.DEVICE_BATTERY:
        yield from _about_battery(label, number(told.value), points, now=now)
    elif now - told.heard_at <= TOLD_FOR:
        yield from _told_once(label, told)


def _told_once(label: str, told: Latest) -> Iterator[Notice]:
    """What is told when it happens, and when it is over is not: it stands for TOLD_FOR."""
    value = f" ({told.value})" if told.value else ""
    if told.name == EventName.DEVICE_CONSENT:
        said = f"{label} does not give out somebody’s readings: their code is not taken{value}."
        yield Notice(Need.CONSENT, PRIORITY, said, "Set the user’s number and code in the box’s settings anew.")
    elif told.name == EventName.RECORDS_MISSING:
        said = f"{label} reported all it had, and numbers are missing in between{value}."
        yield Notice(Need.MISSING, ROUTINE, said, "Ask the patient what its memory shows.")
    elif told.name == EventName.DEVICE_FIRMWARE:
        said = f"{label} has other firmware than before{value}: what is known of its model was learnt of another."
        yield Notice(Need.FIRMWARE, ROUTINE, said, "Compare a reading with what its display shows.")
    elif told.name == EventName.DEVICE_UNLISTED:
        said = f"{label} is of a model nothing is known of{value}: it is read by the standard alone."
        yield Notice(Need.UNLISTED, ROUTINE, said, "Compare a reading with what its display shows.")


def _about_battery(label: str, percent: float | None, points: Sequence[Point], *, now: datetime) -> list[Notice]:
    if percent is None:
        return []
    left = days_left(points, now=now)
    if percent > BATTERY_LOW_PERCENT and (left is None or left > BATTERY_LOW_DAYS):
        return []
    ahead = "" if left is None else f", for about {whole_days(left)} more"
    return [Notice(Need.BATTERY, ROUTINE, f"Battery of {label} at {percent:.0f} %{ahead}.", "Send new batteries.")]


def _count(readings: int) -> str:
    return "1 reading" if readings == 1 else f"{readings} readings"
