"""What is old enough goes, whole chunks of it, and nothing newer; what rests on it stays, and it stands on the record."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from rpm.ingest.batch import settle
from rpm.jobs import retention, rollup
from rpm.jobs.report import Done
from rpm.jobs.retention import Keep
from rpm.settings import Settings
from rpm.store import retention as store
from rpm.store.database import Database
from rpm.store.locks import Lock
from tests.services.settling import count_of, cuff_of, message_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person
from tests.support.readings import pressure

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
KEEP = Keep(raw=timedelta(days=400), readings=None, events=timedelta(days=400))
READINGS_TOO = Keep(raw=timedelta(days=400), readings=timedelta(days=100), events=timedelta(days=400))


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def received(database: Database, person: Person, days_ago: list[float], *, now: datetime = NOW) -> None:
    """A squeeze each, taken in when it was measured."""
    for number, days in enumerate(days_ago, start=1):
        at = now - timedelta(days=days)
        settle(
            database, [message_of(pressure(110 + number, 70, at, address=cuff_of(person)), first_seq=number)], now=at
        )


def test_messages_older_than_the_setting_go_by_whole_chunks_and_readings_stay(
    database: Database, maria: Person
) -> None:
    now = NOW + timedelta(days=420)
    days_ago = [419.0, 410.0, 404.0, 401.0, 399.9, 390.0, 1.0]
    received(database, maria, days_ago, now=now)
    before = now - KEEP.raw
    while retention.run_once(database, keep=KEEP, now=now).more:
        pass
    left = [row["received_at"] for row in rows_of(database, "select received_at from message order by 1")]
    assert len(left) < len(days_ago)
    assert [at for at in left if at >= before] == [now - timedelta(days=days) for days in (399.9, 390.0, 1.0)]
    # Of what is older only the chunk that reaches over the limit is left.
    assert all(at > before - timedelta(days=7) for at in left)
    assert count_of(database, "reading") == len(days_ago)
    (said,) = rows_of(database, "select * from audit")
    with database.transaction() as connection:
        gone_before = store.dropped_before(connection, "message")
    assert gone_before is not None
    assert gone_before <= before
    assert (said["practice_id"], said["staff_id"], said["action"]) == (
        maria.practice_id,
        None,
        "let go of what was old enough",
    )
    assert said["detail"] == {
        "relation": "message",
        "rows": len(days_ago) - len(left),
        "before": gone_before.isoformat(),
    }


def test_nothing_is_old_enough(database: Database, maria: Person) -> None:
    received(database, maria, [100.0, 50.0])
    assert retention.run_once(database, keep=KEEP, now=NOW) == Done(0)
    assert (count_of(database, "message"), count_of(database, "audit")) == (2, 0)


def test_of_two_workers_one_lets_go(database: Database, maria: Person) -> None:
    received(database, maria, [419.0], now=NOW + timedelta(days=420))
    with database.transaction() as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [Lock.LET_GO])
        assert retention.run_once(database, keep=KEEP, now=NOW + timedelta(days=420)).done == 0
    assert retention.run_once(database, keep=KEEP, now=NOW + timedelta(days=420)).done == 1


def test_readings_go_only_where_it_was_asked_and_their_sums_stay(database: Database, maria: Person) -> None:
    received(database, maria, [130.0, 129.0, 115.0, 40.0, 1.0])
    while rollup.run_once(database).more:
        pass
    sums = "select starts_on, count from rollup where grain = 'day' order by starts_on"
    kept = rows_of(database, sums)
    retention.run_once(database, keep=READINGS_TOO, now=NOW)
    assert count_of(database, "reading") == 2
    assert count_of(database, "observation where measured_at < '2026-03-01'") == 0
    # The patient moves house: what can still be summed is, the rest stays.
    with database.transaction() as connection:
        connection.execute("update patient set time_zone = 'Pacific/Kiritimati' where id = %s", [maria.id])
    rollup.run_once(database)
    after = rows_of(database, sums)
    assert after[:-8] == kept[:-8], "four quantities each"
    assert {row["starts_on"] for row in after[-8:]} == {date(2026, 5, 2), date(2026, 6, 10)}


def test_readings_that_bills_rest_on_cannot_be_let_go_by_a_setting() -> None:
    with pytest.raises(ValidationError, match="ten years"):
        Settings(keep_readings_days=365)
    assert Keep.of(Settings(keep_readings_days=4000)).readings == timedelta(days=4000)
    assert Keep.of(Settings()).readings is None
