"""Every named statement, run by another practice with our keys: it finds nothing of ours and changes nothing (F40, P6).

Method: two practices with one row of everything, whose keys all bear their practice's number. The values of a statement's
parameters are made by their types. Twice: as a page runs it, where the database keeps practices apart; and as its owner, where
only the statement's own `practice_id` does. What has no such parameter stands in WITHOUT, with the reason.
"""

from typing import Any

import psycopg
import pytest
from psycopg._queries import PostgresQuery  # the conversion psycopg itself makes of %(name)s
from psycopg.adapt import Transformer

from rpm.store.database import Connection, Database
from rpm.store.queries import load
from tests.services.test_isolation import BY_REFERENCE, NOBODYS, TABLES
from tests.services.test_queries import STATEMENTS
from tests.support.two_practices import OURS, THEIRS, fill, is_in, value

BY_KEY = "its keys were found by practice in the same transaction"
INGEST = "a worker takes in what gateways of every practice send"
JOB = "a worker's job goes over every practice"
GUARD = "the broker's guard and who signs look after every gateway"
BEFORE = "finds out who somebody is, and so of which practice"
OPERATOR = "a command of whoever runs the installation"
OWN = "a person's own, whose number the session says"
SERVER = "asks the server, and no row of a practice"
#: Its practices are what it writes: a worker says of each message whose it is.
WRITES = {("archive", "keep")}
#: Statements without a practice of their own; `*`: all of them, and why that is right.
WITHOUT = {
    ("alerts", BY_KEY): "of_patients update rearm events state_for acknowledge snooze close",
    ("audit", OPERATOR): "broken_links",
    ("backup", OPERATOR): "snapshot about server databases has_tables tables hang_up marks",
    ("backtest", BY_KEY): "came",
    ("billing", OPERATOR): "practices",
    ("calls", JOB): "claim_due end_snoozes set_next_step call_sooner",
    (
        "certificates",
        GUARD,
    ): "lock_gateway of_gateway revoke_service seen supersede granted home_zone services_ending practices",
    ("claims", BEFORE): "withdraw lock_code find use",
    ("confirming", BY_KEY): "confirm refuse",
    ("contacts", OWN): "of_staff count remove first ask_again guess",
    ("contacts", BEFORE): "by_code verify stop",
    ("contacts", JOB): "ask due",
    ("corrections", BY_KEY): "set_reading set_observations forget_latest find_latest alerts_on let_go",
    ("deliveries", INGEST): "settled settle",
    ("events", INGEST): "save save_latest forget_old forget_old_latest forget_crowded",
    ("facts", JOB): "judged",
    ("gateways", INGEST): "meet forget_held save_status save_will",
    ("heartbeats", JOB): "beat list since",
    ("held", BY_KEY): "decide hold_on",
    ("known", INGEST): "gateways_of devices_of lock_unclaimed lock_pending weighings_of",
    ("load", OPERATOR): "real_patients practice last_number readings_of take_time",
    ("migrate", SERVER): "*",
    ("minutes", BY_KEY): "running_timer take_timer",
    ("names", SERVER): "hold",
    ("notifications", BEFORE): "by_token",
    ("notifications", JOB): "codes_in_use tried claim still_wanted lock_alert finish cancel",
    ("pauses", JOB): "running end_due",
    ("paces", JOB): "*",
    ("plans", JOB): "newest programs practices_with_patients",
    ("practice", SERVER): "enter",
    (
        "purge",
        BY_KEY,
    ): "transaction older_ended allow rewrite_message drop_message move_readings move_held move_changes move_messages left",
    ("readings", INGEST): "stored_names tell add_context saw_devices",
    ("rebuilding", OPERATOR): "*",
    ("repeats", BY_KEY): "waiting finish again asked woken unasked",
    ("repeats", JOB): "due to_ask to_withdraw give_up",
    (
        "reports",
        BEFORE,
    ): "delivered of_token keep said_of of_contacts give_up calls_of_number told_besides hear_key hear_no_more",
    ("reports", JOB): "overdue not_delivered",
    ("requests", JOB): "claim answer say_again expire",
    (
        "revocations",
        GUARD,
    ): "one_at_a_time newest revoked add forget to_cut cut accounts accounts_of grant_renewed to_grant grant",
    ("retention", JOB): "*",
    ("rollups", JOB): "one_at_a_time claim touched whole forget_whole forget",
    (
        "schema",
        SERVER,
    ): "extensions functions tables columns constraints indexes triggers hypertables schemas views view_defaults policies grants",
    ("seed", OPERATOR): "practices add_practice opened_since",
    ("series", JOB): "groups claim_news window said own_limits reading_ids claim_held mark_judged",
    (
        "sessions",
        BEFORE,
    ): "insert find touch delete delete_of_staff delete_all delete_expired failures count_failure forget_failures delete_old_failures",
    (
        "silences",
        JOB,
    ): "waiting boxes silent_boxes silent_patients given worsen outages retell ease retell_and_call boxes_back patients_back keepers_back keeper_closed_in back close_old",
    ("staff", BEFORE): "by_username all set_password set_active practices insert_practice",
    ("synthetic", OPERATOR): "found set_contact newest close_told",
    ("worklist", JOB): "standing",
}
ALL = [
    (aggregate, name) for aggregate, name in STATEMENTS if b"\ncopy " not in load(aggregate)[name]
]  # COPY fills tables through a trigger: test_isolation.
SCOPED = [
    (aggregate, name)
    for aggregate, name in ALL
    if (aggregate, name) not in WRITES
    and (b"%(practice_id)s" in load(aggregate)[name] or b"%(practices)s" in load(aggregate)[name])
]
#: Find rows that are nobody's: which numbers of an outbox were settled, and signs of life.
FIND_NOBODYS = {("deliveries", "settled"), ("heartbeats", "list")}
#: What ends a session, takes locks beyond the transaction, or makes the server do something else.
NOT_RUN = {("backup", "hang_up"), ("names", "hold"), ("practice", "enter")}


@pytest.fixture
def filled(database: Database) -> Database:
    with database.transaction() as connection:
        fill(connection)
    return database


def parameters(connection: Connection, statement: bytes, *, practice: int) -> dict[str, Any]:
    """Values for a statement: everything ours, but for the practice where that is somebody else's."""
    query = PostgresQuery(Transformer(connection))

    class Asked(dict[str, None]):
        def __missing__(self, key: str) -> None:
            return None

    query.convert(statement, Asked())
    names: list[str] = list(query._order or [])
    connection.execute(b"prepare probe as " + query.query)
    row = connection.execute(
        "select parameter_types::text[] as types from pg_prepared_statements where name = 'probe'"
    ).fetchone()
    connection.execute("deallocate probe")
    assert row is not None
    made: dict[str, Any] = {}
    for name, kind in zip(names, row["types"], strict=True):
        if name == "practice_id":
            made[name] = practice
        elif name == "practices":
            made[name] = [practice]
        elif "limit" in name or name in {"width", "days"}:
            made[name] = 100
        elif kind in {"timestamp with time zone", "date"}:
            early = name in {"since", "start", "earliest", "first"}
            made[name] = ("2020-01-01" if early else "2030-01-01") + ("" if kind == "date" else "+00")
        else:
            made[name] = value(kind, OURS, column=name)
    return made


def outcome(connection: Connection, statement: bytes, values: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows; None where it was refused. What it changed stands until the caller's savepoint ends."""
    try:
        with connection.transaction():
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    except psycopg.Error:
        return None


def test_what_has_no_practice_is_declared_with_its_reason() -> None:
    without = {pair for pair in ALL if pair not in SCOPED} - WRITES
    declared = {
        (aggregate, each)
        for (aggregate, _), names in WITHOUT.items()
        for each in (names.split() if names != "*" else [name for found, name in without if found == aggregate])
    }
    assert without - declared == set(), "give it %(practice_id)s, or say here why it has none"
    assert declared - without == set(), "these have one now, or are gone"


@pytest.mark.parametrize("kept_by", ["the database", "the statement"])
def test_another_practice_finds_and_changes_nothing_of_ours(filled: Database, kept_by: str) -> None:
    leaks: list[str] = []
    found = changed = 0
    with filled.transaction() as connection:
        before = ours_alone(connection)
        for aggregate, name in ALL if kept_by == "the database" else SCOPED:
            if (aggregate, name) in NOT_RUN:
                continue
            statement = load(aggregate)[name]
            with connection.transaction(force_rollback=True):
                mine = outcome(connection, statement, parameters(connection, statement, practice=OURS))
                found += any(is_in(OURS, row) for row in mine or [])
                changed += ours_alone(connection) != before
            with connection.transaction(force_rollback=True):
                asked = parameters(connection, statement, practice=OURS if kept_by == "the database" else THEIRS)
                if kept_by == "the database":
                    connection.execute(load("practice")["enter"], {"practice": str(THEIRS)})
                theirs = outcome(connection, statement, asked)
                connection.execute("reset role; reset search_path")
                seen = (aggregate, name) not in FIND_NOBODYS and any(is_in(OURS, row) for row in theirs or [])
                if seen or ours_alone(connection) != before:
                    leaks.append(f"{aggregate}.{name}")
    assert leaks == []
    # The same statements with our own identity do find and change: else this test could not fail.
    assert found > 40, found
    assert changed > 15, changed


def ours_alone(connection: Connection) -> list[dict[str, Any]]:
    """How many rows of ours each table has, and what is in them."""
    counted = " union all ".join(
        f"select '{table}' as table, count(*) as n, sum(hashtextextended(t::text, 1)) as sum from public.{table} t"
        f" where {BY_REFERENCE.get(table, 'practice_id')} = {OURS}"
        for table in TABLES
        if table not in NOBODYS
    )
    return connection.execute(counted.encode()).fetchall()
