"""Whatever bytes come, they are held and hold nobody up, and cost no more than they are long (L13, F29; `python -m tests.fuzz`).

Method: messages that are nearly right go into a real database, each with a good one of another box beside it, by the product's own
batch; a coverage-guided fuzzer tries what is before the database; and a fuzzer that finds nothing is tried on faults put in by hand.
"""

import re
import tracemalloc
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from rpm.ingest import unpack as unpacking
from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.unpack import Message, Row, Unpacked
from rpm.store.database import Database
from schemas.messages import MESSAGE_BYTES_MAX
from tests.fuzz import check as checking
from tests.fuzz.__main__ import any_bytes, nearly_right
from tests.fuzz.payloads import MESSAGES
from tests.services.settling import NOW, OTHER_GATEWAY, count_of, cuff_of, message_of, outcomes_of, rows_of, two_homes
from tests.support.clinic import Person
from tests.support.readings import EPOCH, pressure

#: Fewer say that the fuzzer did not get going.
RUNS_MIN = 500
#: What one message of MESSAGE_BYTES_MAX may take of memory until it is settled.
MEMORY_BYTES_MAX = 32 * 2**20
_NUMBERS = count(1)


@pytest.fixture
def maria(database: Database) -> Person:
    return two_homes(database).patient("Maria", "Alvarez")


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    # Not made smaller where it fails: that is some thousand trips to a database.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(MESSAGES)
def test_nearly_right_is_held_and_the_good_one_beside_it_stored(
    database: Database, maria: Person, message: tuple[str, bytes]
) -> None:
    number = next(_NUMBERS)
    good = pressure(128, 79, NOW - timedelta(minutes=number), address=cuff_of(maria))
    odd = Message(*message)
    rows = unpacking.unpack(odd).rows
    beside = message_of(good, gateway_id=OTHER_GATEWAY, first_seq=number)
    settled = settle(database, [odd, beside], now=NOW)
    assert [one.outcome for one in settled if one.gateway_id == OTHER_GATEWAY and one.seq == number] == ["stored"]
    asked = {(row.gateway_id, row.epoch, row.seq) for row in rows if row.seq is not None}
    assert asked <= {(one.gateway_id, one.epoch, one.seq) for one in settled}, (
        "each is receipted, whatever became of it"
    )
    for row in rows:
        if row.reason is not None and row.seq is None:
            kept = rows_of(
                database, "select 1 from held where reading_id = %s and topic = %s", row.reading_id, row.topic
            )
            assert kept, "what cannot be read is kept"


def test_a_fuzzer_finds_no_bytes_that_are_not_answered(tmp_path: Path) -> None:
    ended = any_bytes(3, tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    done = re.search(r"Done (\d+) runs", ended.stderr)
    assert done is not None
    assert int(done[1]) > RUNS_MIN, "hardly anything was tried"


def _items(item: bytes, times: int) -> bytes:
    start = f'{{"v":1,"gateway_id":"{checking.GATEWAY}","epoch":"{EPOCH}","items":['
    return start.encode() + b",".join([item] * times) + b"]}"


@pytest.mark.parametrize(
    "payload, reason",
    [
        (_items(b'"\\u0000"', 13_000), Reason.TOO_LARGE),
        (_items(b"1", 60_000), Reason.TOO_LARGE),
        (_items(b'"\\u0000"', 1) + b" " * MESSAGE_BYTES_MAX, Reason.TOO_LARGE),
        (b"[" * 130_000, Reason.UNREADABLE),
        (b"\xff\xfe" * 60_000, Reason.UNREADABLE),
        (_items(b"9" * 120_000, 1), Reason.UNREADABLE),
    ],
    ids=[
        "items the database refuses",
        "items by the thousand",
        "oversized",
        "deep",
        "not UTF-8",
        "a number without end",
    ],
)
def test_a_bomb_is_one_held_message(database: Database, maria: Person, payload: bytes, reason: Reason) -> None:
    good = message_of(pressure(128, 79, NOW, address=cuff_of(maria)), gateway_id=OTHER_GATEWAY)
    tracemalloc.start()
    try:
        settled = settle(database, [Message(checking.TOPICS[0], payload), good], now=NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcomes_of(settled) == {1: "stored"}
    (held,) = rows_of(database, "select reason, raw, octet_length(raw) as size from held")
    assert (held["reason"], held["raw"], held["size"]) == (reason, payload, len(payload))
    assert peak < MEMORY_BYTES_MAX


@pytest.mark.usefixtures("maria")
def test_of_five_hundred_items_the_database_refuses_each_keeps_its_own(database: Database) -> None:
    payload = _items(b'{"seq":1,"reading":"\\u0000"}', 500)
    settle(database, [Message(checking.TOPICS[0], payload)], now=NOW)
    (sizes,) = rows_of(database, "select sum(octet_length(raw)) as all, count(*) as rows from held")
    assert 1 <= sizes["rows"] <= 500
    assert sizes["all"] <= 2 * len(payload)
    assert count_of(database, "reading") == 0


def _dropped(_: Message) -> Unpacked:
    return Unpacked()


def _each_keeps_all(message: Message) -> Unpacked:
    rows: Sequence[Row] = unpacking.unpack(message).rows
    return Unpacked(tuple(row._replace(raw=message.payload * 9) for row in rows))


def _raises(message: Message) -> Unpacked:
    message.payload.decode()
    return unpacking.unpack(message)


# A message of a hundred kilobytes is found as well, and printed.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("fault", [_dropped, _each_keeps_all, _raises])
def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: object) -> None:
    monkeypatch.setattr(checking, "unpack", fault)
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        nearly_right(5)
