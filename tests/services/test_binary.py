"""Rows packed by hand arrive as they left: the server reads every type, NULL, and any text, as it was meant."""

import struct
from datetime import UTC, date, timedelta, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpm.store import binary
from rpm.store.database import Database

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])).filter(
    lambda instant: 1 < instant.toordinal() < date.max.toordinal()
)
_CREATE = (
    "create temporary table packed (place integer, t text, w text, s smallint, i integer, b bigint, d double precision,"
    " a text[], j jsonb, y bytea, z timestamptz) on commit drop"
)
_COLUMNS = 11
_INSTANT = struct.Struct(">iq")


def _packed(place: int, row: dict[str, Any]) -> bytes:
    return struct.pack(">h", _COLUMNS) + b"".join([
        binary.int4(place), binary.text(row["t"]), binary.word(row["w"]), binary.int2(row["s"]), binary.int4(row["i"]),
        binary.int8(row["b"]), binary.float8(row["d"]), binary.words(row["a"]), binary.facts(row["j"]), binary.data(row["y"]),
        _INSTANT.pack(8, binary.microseconds(row["z"])),
    ])  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=50
)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "t": st.none() | _texts,
                "w": _texts,
                "s": st.none() | st.integers(-(2**15), 2**15 - 1),
                "i": st.none() | st.integers(-(2**31), 2**31 - 1),
                "b": st.none() | st.integers(-(2**63), 2**63 - 1),
                "d": st.none() | st.floats(allow_nan=False),
                "a": st.lists(_texts, max_size=4),
                "j": st.dictionaries(_texts, _texts, max_size=4),
                "y": st.none() | st.binary(max_size=40),
                "z": _instants,
            }
        ),
        max_size=5,
    )
)
def test_what_is_packed_is_what_arrives(database: Database, rows: list[dict[str, Any]]) -> None:
    with database.transaction() as connection:
        connection.execute(_CREATE)
        with connection.cursor().copy("copy packed from stdin (format binary)") as copy:
            copy.write(binary.HEADER + b"".join(_packed(*each) for each in enumerate(rows)) + binary.TRAILER)
        found = connection.execute("select t, w, s, i, b, d, a, j, y, z from packed order by place").fetchall()
    assert found == rows


def _copy_text(database: Database, value: str) -> None:
    with database.transaction() as connection:
        connection.execute("create temporary table one (t text) on commit drop")
        with connection.cursor().copy("copy one from stdin (format binary)") as copy:
            copy.write(binary.HEADER + struct.pack(">h", 1) + binary.text(value) + binary.TRAILER)


def test_a_nul_is_refused_as_data(database: Database) -> None:
    # What `readings.one_transaction` takes for the data's fault: its row is found and held.
    with pytest.raises(psycopg.DataError):
        _copy_text(database, "a\0b")
