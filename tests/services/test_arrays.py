"""Arrays written by one join arrive as they left: every double exactly, every instant, every name."""

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpm.store.arrays import array, name_array, word_array
from rpm.store.database import Database
from schemas.ids import GATEWAY_ID_PATTERN

_instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])).filter(
    # A day from both ends, so that the same instant exists in every zone.
    lambda instant: 1 < instant.toordinal() < date.max.toordinal()
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=50
)
@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1)),
    values=st.lists(st.floats(allow_nan=False)),
    names=st.lists(st.none() | st.uuids()),
    words=st.lists(st.from_regex(GATEWAY_ID_PATTERN, fullmatch=True)),
    instants=st.lists(_instants),
)
def test_what_is_written_is_what_arrives(
    database: Database,
    numbers: list[int],
    values: list[float],
    names: list[UUID | None],
    words: list[str],
    instants: list[datetime],
) -> None:
    with database.transaction() as connection:
        row = connection.execute(
            "select %(numbers)s::bigint[] as numbers, %(values)s::double precision[] as values,"
            " %(names)s::uuid[] as names, %(words)s::text[] as words, %(instants)s::timestamptz[] as instants",
            {
                "numbers": array(numbers),
                "values": array(values),
                "names": name_array(names),
                "words": word_array(words),
                "instants": array(instants),
            },
        ).fetchone()
    assert row == {"numbers": numbers, "values": values, "names": names, "words": words, "instants": instants}
