"""What must hold of any bytes on any of our topics: every one is an answer, none is an exception, and none costs much.

No database: what the worker would hand to one is looked at. `tests/services/test_fuzz_admission.py` hands it over.
"""

from datetime import UTC, datetime
from typing import Final

from rpm.ingest.admit import Admitted, Known, Quarantined, Unassigned, admit
from rpm.ingest.attribution import Assignment, Device
from rpm.ingest.reasons import SENTENCES, Reason
from rpm.ingest.receipts import Outcome, Settlement, receipts
from rpm.ingest.unpack import POINTER_LENGTH_MAX, Message, Row, as_json, unpack
from schemas.messages import BATCH_ITEMS_MAX, MESSAGE_BYTES_MAX, Channel, topic
from tests.support.readings import CUFF, METER, OXIMETER, SCALE, THERMOMETER

NOW: Final = datetime(2026, 6, 10, 14, tzinfo=UTC)
GATEWAY: Final = "gw-home-a"
TOPICS: Final = tuple(topic(GATEWAY, channel) for channel in (Channel.READINGS, Channel.STATUS, Channel.EVENTS))
#: A character may be three bytes as it came and six as it is kept; a row has a few fields of its own.
KEPT_TIMES_MAX: Final = 4
ROW_BYTES_MAX: Final = 2_000


def known() -> Known:
    """Each device of `tests.support.readings` is one patient's."""
    addresses = (CUFF, SCALE, METER, OXIMETER, THERMOMETER)
    devices = {
        (1, address): Device(number, 1, address, single_person=True)
        for number, address in enumerate(addresses, start=1)
    }
    start = datetime(2020, 1, 2, tzinfo=UTC)
    assignments = {number: (Assignment(None, 7, start, None),) for number in range(1, len(addresses) + 1)}
    return Known({GATEWAY: 1}, devices, assignments, {})


def check(name: str, payload: bytes) -> None:
    """AssertionError where a message is not answered as every message must be; whatever else is raised is a finding."""
    unpacked = unpack(Message(name, payload))
    rows = unpacked.rows
    assert rows or unpacked.status is not None or unpacked.event is not None, "nothing was made of it"
    assert len(rows) <= BATCH_ITEMS_MAX, "more rows than a batch may have"
    if len(payload) > MESSAGE_BYTES_MAX:
        assert [row.reason for row in rows] == [Reason.TOO_LARGE]
    kept = 0
    seen = known()
    for row in rows:
        kept += _kept(row)
        _check_answer(row, seen)
    assert kept <= KEPT_TIMES_MAX * len(payload) + ROW_BYTES_MAX * len(rows), "it grows as it is kept"
    settled = [
        Settlement(row.gateway_id, row.epoch, row.seq, Outcome.QUARANTINED, row.reason or "")
        for row in rows
        if row.gateway_id and row.epoch and row.seq
    ]
    assert sum(len(list(receipt.seqs())) for receipt in receipts(settled)) >= len({one.seq for one in settled})


def _kept(row: Row) -> int:
    """How many bytes of a row are kept, should it be held; something must be."""
    item = None if row.item is None else as_json(row.item)
    assert row.raw is not None or item is not None, "nothing of it would be kept"
    return len(row.raw or b"") + len((item or "").encode())


def _check_answer(row: Row, seen: Known) -> None:
    """A row says why it is held, or its reading is decided on."""
    assert len(row.pointer) <= POINTER_LENGTH_MAX
    assert "\0" not in row.pointer + row.topic
    (row.pointer + row.topic).encode()
    assert row.seq is None or 1 <= row.seq < 2**63
    if row.reading is None:
        assert row.reason in SENTENCES
        return
    assert row.gateway_id is not None
    decision = admit(row.reading, gateway_id=row.gateway_id, known=seen, now=NOW)
    assert isinstance(decision, Admitted | Quarantined | Unassigned)
    if isinstance(decision, Admitted):
        assert decision.observations
        assert all(one.value == one.value and abs(one.value) < 1e6 for one in decision.observations), "no number"
    else:
        assert decision.reason in SENTENCES
