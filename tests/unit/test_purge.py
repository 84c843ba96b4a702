"""A message without what is let go of: the rest of it means what it meant, and nothing of it is left behind."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.ingest.unpack import Message, unpack
from rpm.store.purge import cut
from tests.services.settling import NOW, message_of
from tests.support.readings import pressure

READINGS = tuple(pressure(120 + n, 80, NOW - timedelta(hours=n)) for n in range(8))


@given(gone=st.sets(st.integers(0, 7)))
def test_the_others_are_read_as_before(gone: set[int]) -> None:
    message = message_of(*READINGS)
    done = cut(message.payload, {READINGS[place].reading_id for place in gone})
    if not gone:
        assert done is None, "not touched"
        return
    assert done is not None
    assert done.items == tuple(sorted(gone))
    if len(gone) == len(READINGS):
        assert done.payload is None
        return
    assert done.payload is not None
    stay = [row for place, row in enumerate(unpack(message).rows) if place not in gone]
    assert list(unpack(Message(message.topic, done.payload)).rows) == stay
    for place in gone:
        assert READINGS[place].raw.encode() not in done.payload


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b"{}", b'{"items": 3}', b'{"items": [1, null, {"reading": 2}]}']
)
def test_what_is_no_batch_is_left_alone(payload: bytes) -> None:
    assert cut(payload, {READINGS[0].reading_id}) is None


def test_what_could_not_be_decoded_stays_with_the_message() -> None:
    batch = json.loads(message_of(READINGS[0]).payload)
    batch["undecoded"] = [{"seq": 9}]
    done = cut(json.dumps(batch).encode(), {READINGS[0].reading_id})
    assert done is not None
    assert done.payload is not None
    assert json.loads(done.payload)["undecoded"] == [{"seq": 9}]
