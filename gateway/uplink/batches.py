"""What goes into one message, when it goes again, and what a broker's answer means. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.backoff import delay_s
from gateway.outbox import Form, Row
from schemas.messages import BATCH_ITEMS_MAX, MESSAGE_BYTES_MAX, SCHEMA_VERSION

#: Half of what the broker takes: a batch that grows by an estimate's error still passes (L23).
BATCH_BYTES_MAX: Final = MESSAGE_BYTES_MAX // 2
ENVELOPE_BYTES: Final = 256
ITEM_BYTES: Final = 64

#: A row that was sent in vain travels in smaller company, then alone: one bad row holds back no other (L24).
COMPANY_BY_ATTEMPTS: Final = (BATCH_ITEMS_MAX, 50, 1)

#: A row without a receipt is sent again after 5 s, 10 s, 20 s … 5 min, each up to half as much longer.
RESEND_FIRST_S: Final = 5.0
RESEND_MAX_S: Final = 300.0
RESEND_SPREAD: Final = 0.5


class Verdict(StrEnum):
    """What a PUBACK's reason code (MQTT 5, 3.4.2.1) says about the rows of that message. None settles them (L1)."""

    #: The broker has it, and may still lose it.
    IN_TRANSIT = "in_transit"
    #: No worker subscribes: the cloud is down. Not a try.
    NOBODY_LISTENING = "nobody_listening"
    #: Something is wrong with this message.
    MESSAGE_REFUSED = "message_refused"
    #: This gateway may not publish, or not now.
    GATEWAY_REFUSED = "gateway_refused"


_NO_MATCHING_SUBSCRIBERS: Final = 0x10
_PACKET_TOO_LARGE: Final = 0x95
_PAYLOAD_FORMAT_INVALID: Final = 0x99
_FIRST_FAILURE: Final = 0x80


def verdict(reason_code: int) -> Verdict:
    """What the broker's answer means."""
    if reason_code == _NO_MATCHING_SUBSCRIBERS:
        return Verdict.NOBODY_LISTENING
    if reason_code in {_PACKET_TOO_LARGE, _PAYLOAD_FORMAT_INVALID}:
        return Verdict.MESSAGE_REFUSED
    return Verdict.GATEWAY_REFUSED if reason_code >= _FIRST_FAILURE else Verdict.IN_TRANSIT


def next_batch(due: Sequence[Row]) -> tuple[Row, ...]:
    """The rows of the next message: as many from the front of `due` as fit in count, bytes and company."""
    batch: list[Row] = []
    size = ENVELOPE_BYTES
    for row in due:
        company = COMPANY_BY_ATTEMPTS[min(row.attempts, len(COMPANY_BY_ATTEMPTS) - 1)]
        size += ITEM_BYTES + len(row.body.encode())
        if batch and (len(batch) >= company or size > BATCH_BYTES_MAX):
            break
        batch.append(row)
        if len(batch) >= company:
            break
    return tuple(batch)


def next_try(row: Row, *, now: datetime, draw: float) -> datetime:
    """When a row sent now is sent again if no receipt names it; `draw` in [0, 1) is the caller's random number."""
    wait_s = delay_s(row.attempts, first_s=RESEND_FIRST_S, max_s=RESEND_MAX_S, spread=RESEND_SPREAD, draw=draw)
    return now + timedelta(seconds=wait_s)


def render(batch: Sequence[Row], *, gateway_id: str, epoch: str) -> bytes:
    """The batch as a ReadingBatch in JSON.

    Bodies were validated when they were kept and are carried as they are: a row kept by an older program still travels,
    and whether it can be used is the cloud's to say.
    """
    items = ",".join(f'{{"seq":{row.seq},"reading":{row.body}}}' for row in batch if row.form is Form.READING)
    undecoded = ",".join(f'{{"seq":{row.seq},{row.body[1:]}' for row in batch if row.form is Form.UNDECODED)
    head = f'"v":{SCHEMA_VERSION},"gateway_id":"{gateway_id}","epoch":"{epoch}"'
    return f'{{{head},"items":[{items}],"undecoded":[{undecoded}]}}'.encode()
