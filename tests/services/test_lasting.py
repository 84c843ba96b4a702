"""Transactions on one connection that is kept: what a busy ingest loop has, and what becomes of it when the server goes."""

import psycopg
import pytest

from rpm.store.database import Database, DatabaseUnavailable, Transactions

_ADD = "insert into practice (name, time_zone, created_at) values ('Maple', 'UTC', 'epoch')"


def told(transactions: Transactions, question: str) -> int:
    """What the server answers, in a transaction of its own."""
    with transactions.transaction() as connection:
        row = connection.execute(f"select {question} as told".encode()).fetchone()
    assert row is not None
    number: int = row["told"]
    return number


def served_by(transactions: Transactions) -> int:
    """The server's process that answers."""
    return told(transactions, "pg_backend_pid()")


def practices(database: Database) -> int:
    return told(database, "(select count(*) from practice where name = 'Maple')")


def test_one_connection_from_one_transaction_to_the_next_until_it_rests(dsn: str) -> None:
    database = Database(dsn, size_max=1).open()
    lasting = database.lasting()
    first = served_by(lasting)
    assert [served_by(lasting) for _ in range(3)] == [first] * 3
    lasting.rest()
    lasting.rest()
    assert served_by(database) == first, "given back: the pool has no other"
    database.close()


def test_what_a_transaction_did_is_there_for_others_and_what_failed_is_not(database: Database) -> None:
    lasting = database.lasting()

    def add(*, then: str = "") -> None:
        with lasting.transaction() as connection, connection.pipeline():
            connection.execute(_ADD)
            if then:
                connection.execute(then.encode())

    add()
    assert practices(database) == 1
    with pytest.raises(psycopg.IntegrityError):
        add(then="insert into gateway (id, practice_id, label, created_at) values ('gw-a', 99, '', 'epoch')")
    with pytest.raises(psycopg.DataError):
        add(then="select 'seven'::integer")
    assert practices(database) == 1
    add()
    assert practices(database) == 2
    lasting.rest()


def test_a_connection_that_was_ended_is_told_once_and_replaced(database: Database) -> None:
    lasting = database.lasting()
    ended = served_by(lasting)
    with database.transaction() as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", (ended,))
    with pytest.raises(DatabaseUnavailable):
        served_by(lasting)
    assert served_by(lasting) != ended
    lasting.rest()
