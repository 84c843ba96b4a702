"""The quick decoder never says anything else than the models: what it accepts, they accept, with the same values.

Method: payloads as gateways write them (all accepted), then the same with one value, or one run of bytes, replaced by what
decoders are known to differ on. What it refuses is nobody's loss, for the models read it then; but with them alone it must
keep all that gateways write.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from rpm.ingest.quick import QuickBatch, QuickDevice, QuickItem, QuickQuantity, QuickReading, quick_batch
from rpm.ingest.unpack import Message, as_json, unpack
from schemas.messages import Channel, ReadingBatch, ReadingItem, topic
from schemas.quantity import Quantity
from schemas.reading import DeviceIdentity, Reading
from tests.support.readings import a_reading, batch, glucose, named, pressure, weight

GATEWAY = "gw-home-a"
NOW = datetime(2026, 6, 10, 14, 0, 0, 123456, tzinfo=UTC)
ORDINARY = batch(
    GATEWAY, pressure(128, 79, NOW, pulse=64), weight(81.6, NOW, user_slot=2), glucose(5.5, NOW, unit="mmol/L")
)[1]

#: Where decoders differ: coercions, limits, notations of one and the same, and what is no JSON at all.
TROUBLE = [
    b"1", b"1.0", b"01", b"-0", b"-0.0", b"+1", b"1.", b".5", b"1e2", b"1E400", b"-1e400", b"1e-400", b"0.1e1", b"NaN", b"Infinity",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"1" * 400, b"0.30000000000000004",
    b"2.2250738585072011e-308", b"true", b"false", b"null", b'"1"', b'"true"', b'""', b"[]", b"{}", b'"\\ud800"', b'"\\ud83d\\ude00"',
    b'"\\u0000"', b'"\\u0041"', b'"\\x41"', b'"a\tb"', b'"a\\tb"', b'"\xff"', b'"\xc3\xa9"', b'"\xed\xa0\x80"', b'"2A35\\n"', b'"2a35"',
    '"٢A35"'.encode(), b'"2026-06-10T14:00:00Z"', b'"2026-06-10 14:00:00Z"', b'"2026-06-10t14:00:00z"', b'"2026-06-10T14:00:00"',
    b'"2026-06-10T14:00Z"', b'"2026-06-10T14:00:00.1234567Z"', b'"2026-06-10T14:00:00.9999999Z"', b'"2026-06-10T14:00:00.1+05:30"',
    b'"2026-06-10T14:00:00+0530"', b'"2026-06-10T14:00:00-23:59"', b'"2026-06-10T14:00:00+24:00"', b'"2026-06-10T14:00:00-00:00"',
    b'"2026-06-10T14:00:00.123456\\u0037Z"', b'"2026-06-10T24:00:00Z"', b'"2026-06-10T23:59:60Z"', b'"2026-02-29T00:00:00Z"', b'"0000-01-01T00:00:00Z"', b'"0001-01-01T00:00:00+14:00"',
    b'"9999-12-31T23:59:59.999999-12:00"', b'"2026-06-10T14:00:00,5Z"', b"1781100000", b"1781100000.5", b'"1781100000"',
    b'"c0:00:00:00:10:01"', b'"C0-00-00-00-10-01"', b'" C0:00:00:00:10:01"', b'"C0:00:00:00:10:01\\n"', b'"abc"', b'"AB"', b'"a b "',
    b'"{5f0c4c51-6d0d-5f1c-9d7a-0a3c1d2b7e10}"', b'"5f0c4c516d0d5f1c9d7a0a3c1d2b7e10"', b'"urn:uuid:5f0c4c51-6d0d-5f1c-9d7a-0a3c1d2b7e10"',
    b'"5F0C4C51-6D0D-5F1C-9D7A-0A3C1D2B7E10"', b'"blood_pressure"', b'"Blood_Pressure"', b'"nan"', b'"+inf"', b'"estimated"',
    b'"' + b"x" * 64 + b'"', b'"' + b"x" * 65 + b'"', b'"' + "é".encode() * 64 + b'"', b'"' + b"0" * 2049 + b'"',
    b'{"systolic":{"value":1,"unit":"mm[Hg]"}}', b'{"a":{"value":null,"unit":"kg","absent":"nan"}}', b'{"a":{"value":1,"unit":"kg","absent":"nan"}}',
    b'{"a":{"value":null,"unit":"kg"}}', b'{"a":{"value":"1","unit":"kg"}}', b'{"a":"b","a":"c"}', b'["a","b"]', b'[["a"]]', b'["a",1]', b'{"a":1}',
]  # fmt: skip


def _same(quick: object, model: object) -> None:
    """Equal in type and in value, down to a float's sign and an instant's offset."""
    if isinstance(model, BaseModel):
        for name in type(model).model_fields:
            _same(getattr(quick, name), getattr(model, name))
    elif isinstance(model, dict):
        assert isinstance(quick, dict)
        assert list(cast("dict[str, Any]", quick)) == list(cast("dict[str, Any]", model))
        for key, value in cast("dict[str, Any]", model).items():
            _same(cast("dict[str, Any]", quick)[key], value)
    elif isinstance(model, tuple):
        assert isinstance(quick, tuple)
        for one, other in zip(cast("tuple[Any, ...]", quick), cast("tuple[Any, ...]", model), strict=True):
            _same(one, other)
    elif isinstance(model, datetime):
        assert isinstance(quick, datetime)
        assert (quick, quick.utcoffset(), str(quick)) == (model, model.utcoffset(), str(model))
    else:
        assert type(quick) is type(model)
        assert repr(quick) == repr(model)


def _check(payload: bytes) -> bool:
    """Whether it was accepted; then the models say the same."""
    quick = quick_batch(payload)
    if quick is None:
        return False
    _same(quick, ReadingBatch.model_validate_json(payload))
    return True


def _values(text: bytes) -> list[tuple[int, int]]:
    """Where the values of a JSON text without white space begin and end."""
    found: list[tuple[int, int]] = []
    decoder = json.JSONDecoder()
    plain = text.decode()
    for at, letter in enumerate(plain):
        if letter in ":[," and plain[at + 1] not in "]}":
            try:
                _, end = decoder.raw_decode(plain, at + 1)
            except ValueError:
                continue
            found.append((at + 1, end))
    return found


_PLACES = _values(ORDINARY)


def test_it_reads_what_gateways_write() -> None:
    assert _check(ORDINARY)
    row = unpack(Message(topic(GATEWAY, Channel.READINGS), ORDINARY)).rows[0]
    assert isinstance(row.item, QuickItem)
    model = ReadingBatch.model_validate_json(ORDINARY).items[0]
    assert as_json(row.item) == model.model_dump_json()


@given(reading=a_reading())
def test_any_reading_is_read_alike(reading: Reading) -> None:
    payload = batch(GATEWAY, reading, named(reading))[1]
    # What nobody writes but a test: an escaped letter, or a double of more than six decimals.
    assert _check(payload) or b"\\" in payload or re.search(rb"[.][0-9]{7}", payload)
    quick = quick_batch(payload)
    if quick is not None:
        assert [item.reading.bears_its_name() for item in quick.items] == [reading.bears_its_name(), True]
        assert as_json(quick.items[0]) == ReadingItem(seq=1, reading=reading).model_dump_json()


@pytest.mark.parametrize("trouble", TROUBLE)
def test_one_value_replaced_is_read_alike_or_left_to_the_models(trouble: bytes) -> None:
    accepted = [_check(ORDINARY[:start] + trouble + ORDINARY[end:]) for start, end in _PLACES]
    assert not all(accepted)


@given(
    at=st.integers(0, len(ORDINARY)),
    cut=st.integers(0, 12),
    put=st.sampled_from(TROUBLE)
    | st.binary(max_size=4)
    | st.sampled_from([b",", b'"v":1,', b'"seq":7,', b" ", b"\\", b'"', b"}"]),
)
@example(at=len(ORDINARY), cut=0, put=b"x")
@example(at=0, cut=0, put=b"\xef\xbb\xbf")
def test_any_bytes_replaced_are_read_alike_or_left_to_the_models(at: int, cut: int, put: bytes) -> None:
    _check(ORDINARY[:at] + put + ORDINARY[at + cut :])


@given(
    value=st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | st.integers()
)
def test_any_number_is_the_same_double(value: object) -> None:
    start, end = next((start, end) for start, end in _PLACES if ORDINARY[start:end] == b"128.0")
    _check(ORDINARY[:start] + str(value).encode() + ORDINARY[end:])


def test_the_structs_have_the_models_fields_and_no_others() -> None:
    pairs: list[tuple[type[msgspec.Struct], type[BaseModel]]] = [
        (QuickBatch, ReadingBatch), (QuickItem, ReadingItem), (QuickReading, Reading), (QuickDevice, DeviceIdentity),
        (QuickQuantity, Quantity),
    ]  # fmt: skip
    for struct, model in pairs:
        assert set(struct.__struct_fields__) == set(model.model_fields)


def test_a_quick_reading_hides_what_it_holds() -> None:
    quick = quick_batch(ORDINARY)
    assert quick is not None
    assert "128" not in repr(quick)
    assert "C0:00" not in repr(quick.items[0].reading)


def test_neither_reads_an_empty_batch() -> None:
    payload = json.dumps({**json.loads(ORDINARY), "items": []}).encode()
    assert quick_batch(payload) is None
    with pytest.raises(ValidationError):
        ReadingBatch.model_validate_json(payload)
