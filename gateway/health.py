"""What the gateway says of itself: to the cloud in a heartbeat, to the people at home in one word."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from gateway.outbox import Stats
from schemas.messages import ClockState, Status, StatusKind

#: Readings that nobody confirmed for so long: the line, the account or the cloud needs a person.
UNCONFIRMED_S_MAX: Final = 24 * 3600.0
#: How long the box shows "sent" before it goes back to waiting for the next reading.
SENT_SHOWN: Final = timedelta(minutes=2)
#: Before a second reading a minute of rest: then the box asks, although it would still show "sent".
REST: Final = timedelta(minutes=1)


def program_version() -> str:
    """The installed version of this program."""
    try:
        return version("rpm-pipeline")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unreleased"


def status(
    kind: StatusKind,
    *,
    gateway_id: str,
    adapter: str,
    stats: Stats,
    uptime_s: float,
    now: datetime,
    recoveries: int = 0,
    rssi_dbm: int | None = None,
    clock: ClockState | None = None,
    buffer_days: float | None = None,
    certificate_not_after: datetime | None = None,
) -> Status:
    """A birth, heartbeat or will. A will is written before it is needed: it bears no time, for nobody knows it.

    Nor does any other while the clock is unset.
    """
    return Status(
        gateway_id=gateway_id,
        kind=kind,
        sent_at=None if kind is StatusKind.WILL or clock is ClockState.UNSET else now,
        version=program_version(),
        uptime_s=round(uptime_s, 1),
        epoch=stats.epoch,
        outbox_depth=stats.depth,
        outbox_oldest_s=round(stats.oldest_age_s, 1),
        outbox_dropped=stats.dropped,
        adapter=adapter,
        recoveries=recoveries,
        rssi_dbm=rssi_dbm,
        clock=clock,
        buffer_days=buffer_days,
        certificate_not_after=certificate_not_after,
    )


class PatientState(StrEnum):
    """What a light on the box would show."""

    #: The radio does not work, or readings have waited too long: a person should call the practice.
    CALL_US = "call_us"
    #: The radio does not work yet, and is being helped.
    NO_RADIO = "no_radio"
    #: Somebody asked for a measurement.
    DUE = "due"
    #: Ready: step on, squeeze, prick.
    SEARCHING = "searching"
    MEASURING = "measuring"
    #: Safe on this box, not yet in the cloud.
    KEPT = "kept"
    #: In the cloud's database: its receipt is here. The radio's or the broker's word would not do (F12).
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Shown:
    """A state and why."""

    state: PatientState
    reason: str


def patient_state(
    *,
    scanning: bool,
    sessions: int,
    stats: Stats,
    last_receipt_at: datetime | None,
    now: datetime,
    due: bool = False,
    called: bool = False,
    radio_given_up: bool = False,
    identity_trouble: str | None = None,
) -> Shown:
    """The one word for the people at home. The first that holds, top to bottom.

    `due`: a measurement was asked for; `called`: the practice asks for a call; `radio_given_up`: nothing brought the radio back;
    `identity_trouble`: why this box's certificate can never be used again as it is.
    """
    if sessions:
        return Shown(PatientState.MEASURING, "a device is being listened to")
    if called:
        return Shown(PatientState.CALL_US, "the practice asks for a call")
    if identity_trouble is not None:
        return Shown(PatientState.CALL_US, identity_trouble)
    if radio_given_up and not scanning:
        return Shown(PatientState.CALL_US, "nothing brought the radio back")
    if stats.depth and stats.oldest_age_s >= UNCONFIRMED_S_MAX:
        return Shown(PatientState.CALL_US, "the cloud has confirmed nothing for a day")
    if stats.depth or stats.frames:
        return Shown(PatientState.KEPT, "readings wait for the cloud's receipt")
    if last_receipt_at is not None and now - last_receipt_at <= (REST if due else SENT_SHOWN):
        return Shown(PatientState.SENT, "the cloud has confirmed every reading")
    if not scanning:
        return Shown(PatientState.NO_RADIO, "the radio does not scan")
    if due:
        return Shown(PatientState.DUE, "a measurement was asked for")
    return Shown(PatientState.SEARCHING, "listening for the devices of this home")
