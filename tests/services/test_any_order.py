"""Whatever the order, however often and however late messages come, the tables are the same (F23, F24, F31; L2, T4, T7).

Method: what two homes measured in 90 days, drawn at random (a cuff that changes hands, two readings of one instant, a meal that
comes after its glucose, a neighbour's cuff, a meter's HI, a frame nobody can decode, clocks years ahead and decades behind), is
brought once, one by one and at once; and again into empty tables as some other network would: in any order, several times, under
other numbers and by the other box, cut into messages anywhere, up to months late. The tables are read by the test's own SQL and
must hold the same, but for what says how and when a reading came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rpm.ingest.batch import settle
from rpm.ingest.checks import FUTURE_MAX
from rpm.ingest.unpack import Message
from rpm.jobs import rollup
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import Channel, ReadingBatch, ReadingItem, UndecodedItem, topic
from schemas.quantity import Absent
from schemas.reading import Reading, TimeSource
from tests.services.settling import GATEWAY, NOW, OTHER_GATEWAY, cuff_of, rows_of, two_homes
from tests.support.clinic import Clinic
from tests.support.readings import EPOCH, glucose, pressure, weight

MOVED = NOW - timedelta(days=20)
NEIGHBOURS = "C0:00:00:00:99:99"
ANCIENT = datetime(1970, 1, 1, 0, 3, tzinfo=UTC)

#: What follows from what was measured, whichever way it came. A reading's number, its box and when it came are left out, and
#: the bits that say late (2) and perhaps fresh (32).
TABLES: Mapping[str, str] = {
    "reading": "select reading_id, patient_id, device_id, kind, user_slot, measured_at, device_time, time_source, received_at,"
    " clock_offset_s, sequence_number, status, flags, context, raw, raw_context, voided_at from reading order by reading_id",
    "observation": "select reading_id, observation.patient_id, code, value, unit, observation.measured_at,"
    " quality & ~34 as quality from observation join reading using (reading_no) order by reading_id, code",
    "latest": "select latest.patient_id, code, latest.measured_at, value, unit, reading_id from latest"
    " join reading using (reading_no) order by latest.patient_id, code",
    "rollup": "select * from rollup order by patient_id, grain, code, unit, starts_on",
    "held": "select why, reason, pointer, item - 'seq' as item, raw, reading_id, device_id, patient_id, measured_at, state"
    " from held order by reading_id, raw",
    "news": "select patient_id from patient_news order by patient_id",
}
_EMPTY = """
set local session_replication_role = replica;
truncate reading, observation, latest, reading_key, alert, held, delivery, message, patient_news, rollup, rollup_mark cascade
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of a box's outbox."""

    gateway_id: str
    seq: int
    body: Reading | UndecodedItem


@dataclass(frozen=True, slots=True)
class Arrival:
    """Messages that are settled together, and how long after the ones before."""

    after: timedelta
    messages: tuple[tuple[Sent, ...], ...]


class Homes:
    """A clinic; whoever has the cuff after MOVED is Tom, before it was Maria's."""

    def __init__(self, database: Database) -> None:
        self.database = database
        clinic: Clinic = two_homes(database)
        self.maria, self.tom = clinic.patient("Maria", "Alvarez"), clinic.patient("Tom", "Weiss")
        self.cuff = cuff_of(self.maria)
        with database.transaction() as connection:
            connection.execute(
                "update device_assignment set during = tstzrange(lower(during), %s) where device_id = %s",
                [MOVED, self.maria.devices[Kind.BLOOD_PRESSURE][0]],
            )
            connection.execute(
                "insert into device_assignment (practice_id, device_id, patient_id, during)"
                " values (%s, %s, %s, tstzrange(%s, null))",
                [clinic.practice_id, self.maria.devices[Kind.BLOOD_PRESSURE][0], self.tom.id, MOVED],
            )

    def brought(self, arrivals: Sequence[Arrival]) -> dict[str, list[dict[str, Any]]]:
        """What is in the tables after these arrivals, from empty ones."""
        with self.database.transaction() as connection:
            connection.execute(_EMPTY)
        now = NOW
        for arrival in arrivals:
            now += arrival.after
            settle(self.database, [_message(rows) for rows in arrival.messages], now=now)
        while rollup.run_once(self.database).more:
            pass
        return {name: rows_of(self.database, statement) for name, statement in TABLES.items()}


def _message(rows: Sequence[Sent]) -> Message:
    """The rows of one box as one message."""
    readings = tuple(ReadingItem(seq=row.seq, reading=row.body) for row in rows if isinstance(row.body, Reading))
    frames = tuple(row.body.model_copy(update={"seq": row.seq}) for row in rows if isinstance(row.body, UndecodedItem))
    made = ReadingBatch(gateway_id=rows[0].gateway_id, epoch=EPOCH, items=readings, undecoded=frames)
    return Message(topic(rows[0].gateway_id, Channel.READINGS), made.model_dump_json().encode())


def _reading(homes: Homes, kind: str, at: datetime, value: int) -> list[Reading | UndecodedItem]:
    """What a home has to tell of one event; a glucose and its meal are told one after the other."""
    meter, scale = (homes.maria.devices[one][1] for one in (Kind.GLUCOSE, Kind.BODY_WEIGHT))
    match kind:
        case "squeeze":
            return [pressure(110 + value, 70, at, address=homes.cuff)]
        case "weighing":
            return [weight(80 + value / 100, at, address=scale)]
        case "glucose":
            return [glucose(100 + value, at, address=meter, sequence_number=value)]
        case "two of one instant":
            return [glucose(100 + value + n, at, address=meter, sequence_number=200 + n) for n in range(2)]
        case "glucose, then its meal":
            alone = glucose(100 + value, at, address=meter, sequence_number=value)
            return [alone, alone.model_copy(update={"raw_context": "0201", "context": {"meal": "fasting"}})]
        case "HI":
            return [glucose(Absent.POSITIVE_INFINITY, at, address=meter, sequence_number=value)]
        case "a neighbour's":
            return [pressure(110 + value, 70, at, address=NEIGHBOURS)]
        case "unlikely":
            return [pressure(261 + value % 30, 120, at, address=homes.cuff)]
        case "a box years ahead":
            return [pressure(110 + value, 70, at + timedelta(days=3650), address=homes.cuff)]
        case "a cuff days ahead":
            ahead = at + timedelta(days=1 + value)
            return [pressure(110 + value, 70, ahead, address=homes.cuff, time_source=TimeSource.DEVICE, received_at=at)]
        case "of 1970":
            return [pressure(110 + value, 70, ANCIENT + timedelta(minutes=value), address=homes.cuff)]
        case _:
            raw = f"0aff{value:02x}"
            frame = UndecodedItem(
                seq=1, address=homes.cuff, characteristic="2A35", raw=raw, received_at=at, reason="short"
            )
            return [frame]


KINDS = (
    "squeeze", "weighing", "glucose", "two of one instant", "glucose, then its meal", "HI", "a neighbour's", "unlikely", "a box years ahead",
    "a cuff days ahead", "of 1970", "a frame",
)  # fmt: skip
#: Few instants: two of one instant are to be met, and some near the change of hands.
_INSTANTS = st.sampled_from(
    [NOW - timedelta(days=days) for days in (1, 3, 19, 21, 89)] + [MOVED + timedelta(seconds=20), NOW]
)
_EVENTS = st.lists(
    st.tuples(st.sampled_from(KINDS), _INSTANTS, st.integers(1, 99)), min_size=1, max_size=9, unique_by=lambda one: one
)
_DELAYS = st.sampled_from([timedelta(), timedelta(seconds=5), timedelta(hours=3), timedelta(days=40)])


def _rows(homes: Homes, events: Sequence[tuple[str, datetime, int]]) -> list[Sent]:
    bodies = [body for kind, at, value in events for body in _reading(homes, kind, at, value)]
    return [Sent(GATEWAY, seq, body) for seq, body in enumerate(bodies, start=1)]


@st.composite
def _networks(draw: st.DrawFn, rows: Sequence[Sent]) -> list[Arrival]:
    """Some way for these rows to come: each at least once."""
    copies = [*rows, *draw(st.lists(st.sampled_from(rows), max_size=2 * len(rows)))]
    # Readings may be told again under other numbers, as after a box was flashed, and by the box next door.
    copies += [
        Sent(draw(st.sampled_from([GATEWAY, OTHER_GATEWAY])), 1000 + number, row.body)
        for number, row in enumerate(draw(st.lists(st.sampled_from(rows), max_size=len(rows))))
        if isinstance(row.body, Reading)
    ]
    order = draw(st.permutations(copies))
    messages: list[list[Sent]] = []
    for row in order:
        joins = bool(messages) and messages[-1][0].gateway_id == row.gateway_id and draw(st.booleans())
        if joins:
            messages[-1].append(row)
        else:
            messages.append([row])
    arrivals: list[Arrival] = []
    while messages:
        count = draw(st.integers(1, 4))
        arrivals.append(Arrival(draw(_DELAYS), tuple(tuple(one) for one in messages[:count])))
        messages = messages[count:]
    return arrivals


@pytest.fixture
def homes(database: Database) -> Homes:
    return Homes(database)


# Not made smaller where it fails: that is some thousand trips to a database.
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(events=_EVENTS, data=st.data())
def test_any_order_any_copies_any_delay_leave_the_same_tables(
    homes: Homes, events: list[tuple[str, datetime, int]], data: st.DataObject
) -> None:
    rows = _rows(homes, events)
    told = homes.brought([Arrival(timedelta(), ((row,),)) for row in rows])
    again = homes.brought(data.draw(_networks(rows)))
    for name, table in told.items():
        assert again[name] == table, name
    _is_what_was_measured(homes, rows, told)


def _is_what_was_measured(homes: Homes, rows: Sequence[Sent], told: Mapping[str, list[dict[str, Any]]]) -> None:
    """Nothing lost, and no clock that is wrong has the newest value."""
    kept = {row["reading_id"] for table in ("reading", "held") for row in told[table]}
    assert {row.body.reading_id for row in rows if isinstance(row.body, Reading)} <= kept
    for person in (homes.maria, homes.tom):
        newest = [row["measured_at"] for row in told["latest"] if row["patient_id"] == person.id]
        assert all(ANCIENT + timedelta(days=365) < at <= NOW + FUTURE_MAX for at in newest)
    assert all(row["measured_at"] <= row["received_at"] + FUTURE_MAX for row in told["reading"])
    for row in told["reading"]:
        if row["kind"] == Kind.BLOOD_PRESSURE:
            assert row["patient_id"] == (homes.maria.id if row["measured_at"] < MOVED else homes.tom.id)


@pytest.mark.parametrize("reverse", [False, True], ids=["as they came", "the other way round"])
def test_of_two_readings_of_one_instant_the_newest_does_not_hang_on_which_came_first(
    homes: Homes, *, reverse: bool
) -> None:
    """A meter that tells the time to the minute: its later record is the newer one."""
    meter = homes.maria.devices[Kind.GLUCOSE][1]
    both = [glucose(value, NOW, address=meter, sequence_number=n) for n, value in ((7, 64), (8, 131))]
    rows = [Sent(GATEWAY, seq, body) for seq, body in enumerate(both, start=1)]
    told = homes.brought([Arrival(timedelta(), ((row,),)) for row in (rows[::-1] if reverse else rows)])
    assert [row["value"] for row in told["latest"]] == [131]
