"""Room in a file of bounded size: what goes first when there is none left, and the record of what went.

Order: receipted rows (the cloud has them; only replay loses), then telemetry, then the oldest readings (F9: vitals
outlive telemetry, and a fresh reading outlives the backlog). A dropped reading leaves a gap record and an event in the
same transaction: nothing is deleted silently.
"""

import sqlite3
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.outbox.file import PAGE_BYTES
from schemas.messages import Event, EventName

#: Above this share of the cap room is made; the rest stays free so that a delete never needs a page it cannot have.
FULL_AT: Final = 0.90
#: Above this share the gateway says so in an event.
NEARLY_FULL_AT: Final = 0.80
#: How many rows go in one transaction.
EVICT_ROWS: Final = 64
#: Gap records kept apart; later gaps extend the newest one.
GAP_ROWS_MAX: Final = 256


#: Readings of the last week tell how many a day brings, once there are so many over so long.
DAY_US: Final = 86_400_000_000
RATE_OVER_US: Final = 7 * DAY_US
RATE_OVER_US_MIN: Final = DAY_US
RATE_READINGS_MIN: Final = 5
#: What a row takes beside its texts: three indexes, and what its last page leaves free.
ROW_OVERHEAD_BYTES: Final = 220


class Evicted(StrEnum):
    """What had to go."""

    RING = "ring"
    EVENTS = "events"
    READINGS = "readings"
    NOTHING = "nothing"


def used_share(connection: sqlite3.Connection, *, more_bytes: int = 0) -> float:
    """The share of the file's cap that holds something, or would with `more_bytes` more."""
    pages: int = connection.execute("pragma page_count").fetchone()[0]
    free: int = connection.execute("pragma freelist_count").fetchone()[0]
    most: int = connection.execute("pragma max_page_count").fetchone()[0]
    more = -(-more_bytes // PAGE_BYTES)
    return (pages - free + more) / most


def buffer_days(connection: sqlite3.Connection, *, now_us: int) -> float | None:
    """Days until readings would have to be dropped, at the rate of the last RATE_OVER_US; None where that is not known.

    Receipted rows count as room: they go before anything else does.
    """
    readings, first_us, row_bytes = connection.execute(
        "select count(*), min(received_us), avg(length(body) + length(name) + length(context)) from row"
        " where received_us between ? and ?",
        (now_us - RATE_OVER_US, now_us),
    ).fetchone()
    over_us = 0 if first_us is None else now_us - first_us
    if readings < RATE_READINGS_MIN or over_us < RATE_OVER_US_MIN:
        return None
    waiting: int = connection.execute("select count(*) from row where state < 2").fetchone()[0]
    most: int = connection.execute("pragma max_page_count").fetchone()[0]
    rows = FULL_AT * most * PAGE_BYTES / (row_bytes + ROW_OVERHEAD_BYTES) - waiting
    return round(max(rows, 0.0) * over_us / readings / DAY_US, 1)


def count(connection: sqlite3.Connection, counter: str, by: int) -> None:
    """Add to one of the outbox's counters, inside the caller's transaction."""
    connection.execute(
        "insert into meta values (?, ?) on conflict (name) do update set value = cast(value as integer) + excluded.value",
        (counter, str(by)),
    )


def evict(
    connection: sqlite3.Connection,
    *,
    gateway_id: str,
    now: datetime,
    unset: tuple[int | None, int | None] = (None, None),
) -> Evicted:
    """Let one chunk go, inside the caller's transaction, and say what it was.

    `unset`: boot and running time, where `now` is by a clock that is wrong.
    """
    oldest = (EVICT_ROWS,)
    ring = connection.execute(
        "delete from row where seq in (select seq from row where state = 2 order by receipted_at limit ?)", oldest
    )
    if ring.rowcount:
        count(connection, "ring_shortened", ring.rowcount)
        return Evicted.RING
    events = connection.execute(
        "delete from event where number in (select number from event order by number limit ?)", oldest
    )
    if events.rowcount:
        count(connection, "dropped_events", events.rowcount)
        return Evicted.EVENTS
    doomed = [seq for (seq,) in connection.execute("select seq from row where state < 2 order by seq limit ?", oldest)]
    if not doomed:
        return Evicted.NOTHING
    connection.executemany("delete from row where seq = ?", [(seq,) for seq in doomed])
    _record_gap(connection, doomed, now=now)
    count(connection, "dropped", len(doomed))
    event = Event(
        gateway_id=gateway_id,
        at=now,
        name=EventName.OUTBOX_DROPPED,
        value=f"outbox full: {len(doomed)} readings dropped, numbers {doomed[0]} to {doomed[-1]}",
    )
    connection.execute("insert into event(body, boot, running_ns) values (?, ?, ?)", (event.model_dump_json(), *unset))
    return Evicted.READINGS


def _record_gap(connection: sqlite3.Connection, doomed: list[int], *, now: datetime) -> None:
    gap = {"first": doomed[0], "last": doomed[-1], "readings": len(doomed), "at": now.timestamp(), "most": GAP_ROWS_MAX}
    extended = connection.execute(
        "update gap set last_seq = :last, readings = readings + :readings, at = :at"
        " where first_seq = (select max(first_seq) from gap) and (select count(*) from gap) >= :most",
        gap,
    )
    if not extended.rowcount:
        connection.execute("insert into gap values (:first, :last, :readings, :at)", gap)
