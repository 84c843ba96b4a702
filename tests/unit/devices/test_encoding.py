"""SFLOAT and FLOAT against a second decoder that shares nothing with the first: every SFLOAT word, any FLOAT word.

A mistake shared by decoder and encoder round-trips perfectly (a published library reads 0x0078 as 0.0000012 that way),
so the comparison is with arithmetic written from the standard's text, on fractions.
"""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.encoding import (
    Cursor,
    MalformedFrame,
    float_from_bytes,
    float_to_bytes,
    sfloat_from_bytes,
    sfloat_to_bytes,
)
from devices.measurement import bit_words, quantity
from schemas.quantity import Absent

SFLOAT_WORDS = {0x07FF: "nan", 0x0800: "nres", 0x07FE: "+inf", 0x0802: "-inf", 0x0801: "reserved"}
FLOAT_WORDS = {
    0x007FFFFF: "nan",
    0x00800000: "nres",
    0x007FFFFE: "+inf",
    0x00800002: "-inf",
    0x00800001: "reserved",
}

SFLOAT_NUMBERS = {
    number for word in range(0x10000) if isinstance(number := sfloat_from_bytes(word.to_bytes(2, "little")), Decimal)
}


def by_the_standard(word: int, *, mantissa_bits: int, exponent_bits: int, special: dict[int, str]) -> str | Fraction:
    if word in special:
        return special[word]
    mantissa, exponent = word % 2**mantissa_bits, word // 2**mantissa_bits
    if mantissa >= 2 ** (mantissa_bits - 1):
        mantissa -= 2**mantissa_bits
    if exponent >= 2 ** (exponent_bits - 1):
        exponent -= 2**exponent_bits
    return Fraction(mantissa) * Fraction(10) ** exponent


def test_all_sfloat_words_are_what_the_standard_says() -> None:
    for word in range(0x10000):
        data = word.to_bytes(2, "little")
        expected = by_the_standard(word, mantissa_bits=12, exponent_bits=4, special=SFLOAT_WORDS)
        found = sfloat_from_bytes(data)
        said = found.value if isinstance(found, Absent) else Fraction(found)
        assert said == expected, hex(word)
        assert sfloat_to_bytes(found) == data, hex(word)
        # The double is the nearest one: Python's int / int division rounds correctly.
        if isinstance(expected, Fraction):
            assert quantity(found, "1").value == expected.numerator / expected.denominator, hex(word)


@given(st.integers(0, 2**32 - 1) | st.sampled_from(sorted(FLOAT_WORDS)))
def test_any_float_word_is_what_the_standard_says(word: int) -> None:
    data = word.to_bytes(4, "little")
    expected = by_the_standard(word, mantissa_bits=24, exponent_bits=8, special=FLOAT_WORDS)
    found = float_from_bytes(data)
    assert (found.value if isinstance(found, Absent) else Fraction(found)) == expected
    assert float_to_bytes(found) == data


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**11), max_value=10**11, places=3))
def test_a_decimal_is_encoded_exactly_or_refused(value: Decimal) -> None:
    try:
        data = sfloat_to_bytes(value)
    except ValueError:
        assert value not in SFLOAT_NUMBERS
    else:
        assert sfloat_from_bytes(data) == value


@pytest.mark.parametrize(
    "number, word",
    [("120", 0x0078), ("18.9", 0xF0BD), ("13.9e-3", 0xC08B), ("104e-5", 0xB068), ("50000", 0x21F4)],
)
def test_numbers_of_daily_use(number: str, word: int) -> None:
    assert sfloat_to_bytes(Decimal(number)) == word.to_bytes(2, "little")


@pytest.mark.parametrize(
    "number", ["2046", "2047", "-2046", "-2047", "-2048", "1234.5", "1e11", "1e-12", "NaN", "Infinity"]
)
def test_what_no_sfloat_says_is_refused_without_naming_it(number: str) -> None:
    with pytest.raises(ValueError, match="SFLOAT") as refused:
        sfloat_to_bytes(Decimal(number))
    assert number not in str(refused.value)


def test_unsuccessful_is_a_scales_word_not_a_floats() -> None:
    with pytest.raises(ValueError, match="unsuccessful"):
        sfloat_to_bytes(Absent.UNSUCCESSFUL)


def test_a_cursor_names_the_field_and_the_byte() -> None:
    cursor = Cursor(b"\x01\x02", "test frame")
    assert cursor.uint8("flags") == 1
    with pytest.raises(
        MalformedFrame, match=r"test frame: at byte 1, user needs 2 bytes and the frame has 1 left"
    ) as lost:
        cursor.uint16("user")
    assert lost.value.offset == 1
    with pytest.raises(MalformedFrame, match=r"at byte 1, 1 byte left over"):
        cursor.end()


def test_signed_fields_are_signed() -> None:
    assert Cursor(b"\xc4\xff", "offset").int16("minutes") == -60


def test_set_bits_without_a_word_keep_their_number() -> None:
    assert bit_words(0b1000_0000_0000_0011, {0: "low"}) == ("low", "reserved_bit_1", "reserved_bit_15")


def test_scaling_a_decimal_is_exact() -> None:
    assert quantity(Decimal("139e-4"), "mmol/L", scale=3).value == 13.9
    assert quantity(Decimal("104e-5"), "mg/dL", scale=5).value == 104.0
