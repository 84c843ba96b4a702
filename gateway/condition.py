"""Is this box well, and if not, what is to be done? Pure: what the gateway answered in, findings and their remedies out.

Read out over the phone by somebody who stands at the box, so each finding is one line of plain words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.display import WORDS
from gateway.health import PatientState
from gateway.outbox import Stats
from gateway.pulse import NoPulse, Pulse, Sighting
from gateway.settings import Device
from schemas.messages import ClockState, Status

#: A program this young may not have connected yet.
STARTING_S: Final = 60.0
#: Readings that wait longer although the line is up: the cloud takes them and confirms nothing.
WAITING_S_MAX: Final = 3600.0
#: Certificates are renewed at two thirds of their life of 90 days: with less than this left, renewal has failed for weeks.
CERTIFICATE_DAYS_MIN: Final = 14.0
BUFFER_DAYS_MIN: Final = 3.0

LOOK_AT_THE_LOG: Final = "systemctl status rpm-gateway, and journalctl -u rpm-gateway -n 50"
#: What the practice's broker said to the last publication, in words and with who can mend it.
PAUSES: Final = {
    "nobody_listening": (
        "connected, but nobody there takes readings",
        "tell the practice: its rpm-cloud worker is down",
    ),
    "gateway_refused": (
        "connected, but refused",
        "tell the practice: rpm-cloud gateway list shows this box's standing",
    ),
}
CLOCKS: Final = {
    ClockState.SYNCHRONISED: ("right", None),
    ClockState.UNVERIFIED: ("runs; nothing has confirmed it since the machine started", None),
    ClockState.UNSET: ("not set: readings wait for it", "connect the box to the internet, or see timedatectl"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `remedy` is what to do about it; None where nothing is wrong."""

    subject: str
    told: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """All there is to say, in the order in which to read it out."""

    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether nobody has to do anything."""
        return all(finding.remedy is None for finding in self.findings)


def examine(pulse: Pulse | NoPulse, *, devices: Sequence[Device], waiting: Stats | None, now: datetime) -> Condition:
    """The box's condition. `waiting` is what the outbox's file says, for a gateway that does not answer; None: no file."""
    if isinstance(pulse, NoPulse):
        return Condition((*_silent(pulse, waiting), *_enrolled(devices, (), heard_by=None)))
    return Condition(
        (
            Finding("program", f"runs, version {pulse.heartbeat.version}, for {span(pulse.heartbeat.uptime_s)}"),
            _shown(pulse),
            _practice(pulse, now),
            *_outbox(pulse.heartbeat),
            _radio(pulse, now),
            *_clock(pulse.heartbeat),
            *_certificate(pulse.heartbeat, now),
            *_enrolled(devices, pulse.devices, heard_by=pulse.heartbeat.uptime_s),
        )
    )


def span(seconds: float) -> str:
    """A length of time as people say it: 45 s, 12 min, 3 h, 2 days."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < size * most:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86_400)} days"


def _silent(why: NoPulse, waiting: Stats | None) -> Iterator[Finding]:
    remedy = LOOK_AT_THE_LOG
    if why is NoPulse.HANGS:
        remedy = f"ask again in two minutes: the watchdog starts it anew; else {LOOK_AT_THE_LOG}"
    yield Finding("program", str(why), remedy)
    if waiting is not None:
        yield Finding("waiting", _waiting(waiting.depth, waiting.oldest_age_s))


def _shown(pulse: Pulse) -> Finding:
    remedy = None
    if pulse.state is PatientState.CALL_US:
        remedy = "the people here are asked to call: " + pulse.reason
    return Finding("shown here", f"{WORDS[pulse.state]} ({pulse.reason})", remedy)


def _practice(pulse: Pulse, now: datetime) -> Finding:
    confirmed = "nothing confirmed since the program started"
    if pulse.last_receipt_at is not None:
        confirmed = f"last confirmed {span(max((now - pulse.last_receipt_at).total_seconds(), 0.0))} ago"
    if not pulse.connected:
        if pulse.heartbeat.uptime_s < STARTING_S:
            return Finding("practice", "not connected yet")
        return Finding(
            "practice", f"not connected; {confirmed}", "check the network here, then broker.url in the settings"
        )
    if pulse.paused in PAUSES:
        told, remedy = PAUSES[pulse.paused]
        return Finding("practice", f"{told}; {confirmed}", remedy)
    return Finding("practice", f"connected; {confirmed}")


def _waiting(depth: int, oldest_s: float) -> str:
    return f"{depth} reading{'s' * (depth != 1)}" + (f", the oldest for {span(oldest_s)}" if depth else "")


def _outbox(beat: Status) -> Iterator[Finding]:
    overdue = beat.outbox_depth > 0 and beat.outbox_oldest_s >= WAITING_S_MAX
    remedy = "they are safe here; see the line above, and tell the practice" if overdue else None
    yield Finding("waiting", _waiting(beat.outbox_depth, beat.outbox_oldest_s), remedy)
    if beat.outbox_dropped:
        yield Finding(
            "room", f"{beat.outbox_dropped} readings were dropped for want of room since the outbox was begun"
        )
    if beat.buffer_days is not None and beat.buffer_days < BUFFER_DAYS_MIN:
        yield Finding(
            "room", f"for {beat.buffer_days:.1f} more days of readings", "get the line up, or raise outbox_mb"
        )


def _radio(pulse: Pulse, now: datetime) -> Finding:
    helped = ""
    if (last := pulse.last_recovery) is not None:
        ago = span(max((now - last.at).total_seconds(), 0.0))
        helped = f"; helped {pulse.heartbeat.recoveries} times, last by {last.rung} {ago} ago ({last.reason})"
    if pulse.scanning:
        return Finding("radio", f"{pulse.heartbeat.adapter}, listens{helped}")
    remedy = None
    if pulse.heartbeat.uptime_s >= STARTING_S:
        remedy = "systemctl status bluetooth, and rfkill list; the box also mends itself within five minutes"
    return Finding("radio", f"{pulse.heartbeat.adapter}{helped}", remedy)


def _clock(beat: Status) -> Iterator[Finding]:
    if beat.clock is not None:
        told, remedy = CLOCKS[beat.clock]
        yield Finding("clock", told, remedy)


def _certificate(beat: Status, now: datetime) -> Iterator[Finding]:
    if beat.certificate_not_after is None:
        return
    left_s = (beat.certificate_not_after - now).total_seconds()
    day = f"{beat.certificate_not_after:%Y-%m-%d}"
    if left_s <= 0:
        yield Finding("certificate", f"ended on {day}", "ask the practice for a new claim code, then rpm-gateway enrol")
        return
    few = left_s < CERTIFICATE_DAYS_MIN * 86_400
    remedy = "renewal has failed: tell the practice before it ends" if few else None
    yield Finding("certificate", f"until {day}, {span(left_s)}", remedy)


def _enrolled(devices: Sequence[Device], seen: Sequence[Sighting], *, heard_by: float | None) -> Iterator[Finding]:
    """A line for each device. One that was not heard is no fault: they sleep until they are used."""
    if not devices:
        yield Finding("devices", "none is enrolled", "rpm-gateway scan CONFIG.toml --add ADDRESS")
    by_slot = {sighting.slot: sighting for sighting in seen}
    for slot, device in enumerate(devices, start=1):
        told = device.kind.replace("_", " ")
        if (sighting := by_slot.get(slot)) is not None:
            told += f", heard {span(sighting.heard_s_ago)} ago at {sighting.rssi_dbm} dBm"
        elif heard_by is not None:
            told += f", not heard since the program started {span(heard_by)} ago"
        yield Finding(device.label, told)
