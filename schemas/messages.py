"""Every message beside its topic and QoS.

Topics carry no patient identifier (brokers log them). Nothing is retained. All messages are MQTT 5, QoS 1, JSON, and
carry the schema version `v`; a version this program does not know is quarantined, never dropped.

    up     rpm/v1/gateways/{gateway_id}/readings   ReadingBatch
    up     rpm/v1/gateways/{gateway_id}/status     Status      (birth, heartbeat, will)
    up     rpm/v1/gateways/{gateway_id}/events     Event       (battery, signal, clock: non-vital)
    down   rpm/v1/gateways/{gateway_id}/receipts   Receipt
    down   rpm/v1/gateways/{gateway_id}/requests   Request     (replay, measure again, withdraw)
"""

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.ids import Address, GatewayId
from schemas.reading import Hex, Reading, Text

SCHEMA_VERSION: Final = 1
QOS: Final = 1
TOPIC_ROOT: Final = "rpm/v1/gateways"
#: The workers' share group; a wrong group name is a silent fan-out (L12), so it has one home.
SHARE_GROUP: Final = "ingest"
#: A message larger than this is refused by the broker for ever (L23), so nobody builds one.
MESSAGE_BYTES_MAX: Final = 131_072
BATCH_ITEMS_MAX: Final = 500


class Channel(StrEnum):
    """The last level of a topic."""

    READINGS = "readings"
    STATUS = "status"
    EVENTS = "events"
    RECEIPTS = "receipts"
    REQUESTS = "requests"


UP: Final = (Channel.READINGS, Channel.STATUS, Channel.EVENTS)
DOWN: Final = (Channel.RECEIPTS, Channel.REQUESTS)


def topic(gateway_id: str, channel: Channel) -> str:
    """The topic of one gateway and one channel."""
    return f"{TOPIC_ROOT}/{gateway_id}/{channel}"


def share_filter(channel: Channel) -> str:
    """The shared-subscription filter by which workers divide one channel of all gateways among themselves."""
    return f"$share/{SHARE_GROUP}/{TOPIC_ROOT}/+/{channel}"


def gateway_of(name: str) -> tuple[str, Channel]:
    """The gateway and channel a topic names; ValueError where it is not one of ours."""
    root, _, rest = name.rpartition(f"{TOPIC_ROOT}/")
    gateway_id, _, channel = rest.partition("/")
    if root or not gateway_id:
        raise ValueError("not a gateway topic")
    return gateway_id, Channel(channel)


Epoch = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Seq = Annotated[int, Field(ge=1, lt=2**63)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = SCHEMA_VERSION


class ReadingItem(BaseModel):
    """One outbox row. (gateway, epoch, seq) finds gaps; `reading.reading_id` tells readings apart."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    seq: Seq
    reading: Reading


class UndecodedItem(BaseModel):
    """One outbox row whose frame no reading could be built from: it goes to quarantine, not to the floor.

    The cloud keeps it as it came and receipts `seq` as quarantined, with `reason` (no values in it) for people.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    seq: Seq
    address: Address
    characteristic: Text
    raw: Hex
    received_at: AwareDatetime
    reason: Annotated[str, StringConstraints(max_length=200)]


class ReadingBatch(_Message):
    """Rows of one outbox. `epoch` is drawn when the outbox file is made: a re-flashed box starts a new one (L18)."""

    gateway_id: GatewayId
    epoch: Epoch
    items: Annotated[tuple[ReadingItem, ...], Field(max_length=BATCH_ITEMS_MAX)] = ()
    undecoded: Annotated[tuple[UndecodedItem, ...], Field(max_length=BATCH_ITEMS_MAX)] = ()

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not 1 <= len(self.items) + len(self.undecoded) <= BATCH_ITEMS_MAX:
            raise ValueError(f"a batch holds 1 to {BATCH_ITEMS_MAX} rows")
        return self


class QuarantinedItem(BaseModel):
    """A row the cloud keeps but does not use, and why."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    seq: Seq
    reason: str


class Receipt(_Message):
    """Sent after the commit, and the only thing that settles an outbox row. Every named row is in the database."""

    gateway_id: GatewayId
    epoch: Epoch
    stored: tuple[Seq, ...] = ()
    duplicate: tuple[Seq, ...] = ()
    unassigned: tuple[Seq, ...] = ()
    quarantined: tuple[QuarantinedItem, ...] = ()

    def seqs(self) -> tuple[int, ...]:
        """Every row this receipt settles."""
        return (*self.stored, *self.duplicate, *self.unassigned, *(item.seq for item in self.quarantined))


class StatusKind(StrEnum):
    """Why a status was sent."""

    BIRTH = "birth"
    HEARTBEAT = "heartbeat"
    #: The broker sends it for a gateway that vanished.
    WILL = "will"


class ClockState(StrEnum):
    """What a gateway knows of its own clock."""

    #: Set by the network or a clock chip since the machine started.
    SYNCHRONISED = "synchronised"
    #: It runs, but nothing has vouched for it since the machine started.
    UNVERIFIED = "unverified"
    #: It shows a time before this program was made: readings wait for the right one before they travel.
    UNSET = "unset"


class Status(_Message):
    """A gateway's sign of life. `outbox_oldest_s` is the age of the oldest row without a receipt."""

    gateway_id: GatewayId
    kind: StatusKind
    sent_at: AwareDatetime | None = None
    version: str = ""
    uptime_s: float = 0.0
    epoch: Epoch | None = None
    outbox_depth: int = 0
    outbox_oldest_s: float = 0.0
    #: Readings this outbox had to drop since its epoch began, for want of room: each is also told in an event (L17).
    outbox_dropped: int = 0
    #: How many days of readings like the last ones the free room still holds; None where too few are known (F9).
    buffer_days: float | None = None
    adapter: str = ""
    #: The adapter has been started again, the machine rebooted …: how often since this program started (F10).
    recoveries: int = 0
    clock: ClockState | None = None
    #: The weakest of the enrolled devices when last heard.
    rssi_dbm: int | None = None
    certificate_not_after: AwareDatetime | None = None


class EventName(StrEnum):
    """The events this version tells. An unknown name is kept all the same."""

    #: A device's clock: `value` is what it is behind the gateway's, in seconds.
    DEVICE_CLOCK = "device_clock"
    #: `value` is the charge in percent.
    DEVICE_BATTERY = "device_battery"
    #: An enrolled device speaks no standard service we know; `value` names the model.
    DEVICE_UNSUPPORTED = "device_unsupported"
    #: An enrolled device offers a standard characteristic that is not decoded here; `value` names it.
    NOT_DECODED = "not_decoded"
    #: A device that is read by the standard alone, for nothing is known of its model; `value` names it, with its firmware.
    DEVICE_UNLISTED = "device_unlisted"
    #: A device's firmware is not the one it had before: what is known of its model was learnt of another; `value` is the new.
    DEVICE_FIRMWARE = "device_firmware"
    #: A device would not take a user's code for their readings; `value` names the user's place on it and what it said.
    DEVICE_CONSENT = "device_consent"
    #: A device reported all it was asked for, and numbers are missing in between; `value` is how many.
    RECORDS_MISSING = "records_missing"
    #: A device had lost its bond and was paired anew.
    DEVICE_PAIRED = "device_paired"
    #: A device refused to pair time and again: its passkey is wrong or not in the settings. It is let alone for an hour.
    DEVICE_NOT_PAIRED = "device_not_paired"
    #: Another serial number than before stands behind an enrolled address.
    DEVICE_CHANGED = "device_changed"
    #: One rung of the ladder was taken; `value` names it.
    RADIO_RECOVERY = "radio_recovery"
    #: A part of the program took no turns any more, and it ended itself to be started again; `value` names the part.
    GATEWAY_HUNG = "gateway_hung"
    #: The gateway's own clock was set; `value` is by how many seconds it moved.
    GATEWAY_CLOCK = "gateway_clock"
    OUTBOX_DAMAGED = "outbox_damaged"
    OUTBOX_DROPPED = "outbox_dropped"
    OUTBOX_NEARLY_FULL = "outbox_nearly_full"
    UPLINK_WAS_PAUSED = "uplink_was_paused"
    CERTIFICATE_RENEWED = "certificate_renewed"
    #: What a request asked for is under way; `value` says how much of it.
    REPLAYING = "replaying"
    #: The person at home has been asked; later one of the three below follows.
    REQUEST_SHOWN = "request_shown"
    REQUEST_DONE = "request_done"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_UNKNOWN = "request_unknown"
    #: The cloud has taken it back.
    REQUEST_WITHDRAWN = "request_withdrawn"


class Event(_Message):
    """Something worth knowing that is not a vital: never counts as a day of data. `request_id`: what it answers."""

    gateway_id: GatewayId
    at: AwareDatetime
    name: str
    address: str | None = None
    value: float | str | None = None
    request_id: str | None = None


class RequestKind(StrEnum):
    """What a cloud may ask a gateway."""

    #: Send receipted rows again: `epoch`, `from_seq` and, optionally, `to_seq`; and, where the outbox is of another epoch
    #: than that, all from `other_epochs_from` on: nothing where it is not given.
    REPLAY = "replay"
    #: Ask the person at home to measure again: `kind` (schemas.codes.Kind) and, optionally, `user_slot`.
    MEASURE_AGAIN = "measure_again"
    #: Ask the person at home to call the practice.
    CALL_US = "call_us"
    #: Ask no more for what `request_id` of the arguments names: it is answered already, or nobody needs it.
    WITHDRAW = "withdraw"


class Request(_Message):
    """The cloud asks a gateway for something until `expires_at`; each is answered by events that bear its id."""

    gateway_id: GatewayId
    request_id: str
    kind: str
    expires_at: AwareDatetime
    arguments: dict[str, str | int] = {}
