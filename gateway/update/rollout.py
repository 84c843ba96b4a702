"""May this box take a release now, and has a new version proven itself? Pure: facts in, the answer and its reason out."""

import hashlib
from dataclasses import dataclass
from typing import Final

from gateway.pulse import NoPulse, Pulse
from gateway.update.release import Release

#: A version that failed so often is left alone: a line that was down in the wrong minutes is not held against it at once.
TRIALS_MAX: Final = 3
#: A box with more waiting has a fault of its own; its readings are not put at the risk of a new version on top of it.
DEPTH_MAX: Final = 100
#: … nor one whose oldest reading waits so long.
OLDEST_S_MAX: Final = 3600.0
#: An environment takes 100 MiB while it is made; the outbox must not meet a full disk because of it.
FREE_BYTES_MIN: Final = 300 << 20
BUCKETS: Final = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to go on, and why."""

    go: bool
    reason: str


def bucket(gateway_id: str, version: str) -> int:
    """0-99: a box is among the first p % where this is below p. With the version in it, so that the first are not always the same."""
    digest = hashlib.sha256(f"{gateway_id}\n{version}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def may_install(
    release: Release,
    *,
    installed: Release,
    gateway_id: str,
    pulse: Pulse | NoPulse,
    trials: int,
    free_bytes: int,
) -> Decision:
    """Whether this box takes `release` now. `trials`: how often it was tried here and taken back."""
    if release.number <= installed.number:
        return Decision(go=False, reason=f"{installed.version} is installed: nothing newer is offered")
    if trials >= TRIALS_MAX:
        return Decision(go=False, reason=f"{release.version} was tried {trials} times and taken back each time")
    place = bucket(gateway_id, release.version)
    if place >= release.stage_percent:
        return Decision(
            go=False,
            reason=f"its turn is later: {release.stage_percent} % of all boxes, and this is in the {place + 1}th",
        )
    if isinstance(pulse, NoPulse):
        return Decision(go=False, reason=f"the gateway's state is not known: {pulse}")
    if not pulse.connected:
        return Decision(go=False, reason="the line is down: a new version could not prove itself")
    beat = pulse.heartbeat
    if beat.outbox_depth > DEPTH_MAX or (beat.outbox_depth and beat.outbox_oldest_s > OLDEST_S_MAX):
        return Decision(go=False, reason=f"{beat.outbox_depth} readings wait: first they are delivered")
    if free_bytes < FREE_BYTES_MIN:
        return Decision(go=False, reason=f"only {free_bytes >> 20} MiB are free")
    return Decision(go=True, reason=f"{release.version} is newer, and it is this box's turn")


def proven(pulse: Pulse | NoPulse, *, version: str, settled_s: float, listened: bool) -> Decision:
    """Whether the version on trial works: it runs for `settled_s`, its heartbeat was taken, and it hears where the old one did."""
    if isinstance(pulse, NoPulse):
        return Decision(go=False, reason=str(pulse))
    if pulse.heartbeat.version != version:
        return Decision(go=False, reason=f"version {pulse.heartbeat.version} runs")
    if pulse.heartbeat_taken_at is None:
        return Decision(go=False, reason="no heartbeat of it was taken by the practice's broker")
    if listened and not pulse.scanning:
        return Decision(go=False, reason="it does not hear the devices, and the version before it did")
    if pulse.heartbeat.uptime_s < settled_s:
        return Decision(go=False, reason="it has not run for long enough")
    return Decision(go=True, reason="it runs, hears, and its heartbeat was taken")
