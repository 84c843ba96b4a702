"""The ground itself: servers that really start, break and come back.

Method: each fixture is used as other tests use it, and made to fail once where that is its purpose.
"""

import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest

from rpm.store.database import Database, DatabaseUnavailable
from rpm.store.readings import Unstorable, one_transaction
from tests.support.broker import Broker
from tests.support.database import DatabaseServer
from tests.support.mail import MailSink
from tests.support.provisioning import free_port


def test_a_database_is_migrated_and_empty(database: Database) -> None:
    with database.transaction() as connection:
        hypertables = connection.execute("select count(*) as n from timescaledb_information.hypertables").fetchone()
        patients = connection.execute("select count(*) as n from patient").fetchone()
        connection.execute("insert into practice (name, time_zone, created_at) values ('left', 'UTC', 'epoch')")
    assert hypertables is not None
    assert hypertables["n"] >= 1
    assert patients == {"n": 0}


def test_what_the_server_has_against_it_is_named(database: Database) -> None:
    """Who reads "the database cannot be reached" would look at the network; it is the disk."""
    with pytest.raises(DatabaseUnavailable, match="DiskFull"), database.transaction() as connection:
        connection.execute("do $$ begin raise exception 'no space' using errcode = 'disk_full'; end $$")


def test_what_is_too_large_for_the_server_is_the_datas_fault(database: Database) -> None:
    """Taken for a server that is away, the same batch would be tried for ever, and hold up all others."""
    with pytest.raises(Unstorable, match="ProgramLimitExceeded"), one_transaction(database) as connection:
        connection.execute("do $$ begin raise exception 'too wide' using errcode = 'program_limit_exceeded'; end $$")


def test_a_server_that_only_follows_is_not_taken_for_the_one(empty_dsn: str) -> None:
    """A replica that is behind would show an alert that somebody has taken (H11). `read only` is how one answers."""
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set default_transaction_read_only = on".encode())
    with pytest.raises(DatabaseUnavailable):
        Database(empty_dsn).open(wait_s=3.0)
    with psycopg.connect(empty_dsn, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"alter database {connection.info.dbname} reset default_transaction_read_only".encode())
    Database(empty_dsn).open(wait_s=3.0).close()


def test_what_the_test_before_left_is_gone(database: Database) -> None:
    with database.transaction() as connection:
        left = connection.execute("select count(*) as n from practice where name = 'left'").fetchone()
    assert left == {"n": 0}


def test_an_empty_database_has_no_tables(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn) as connection:
        row = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert row == (0,)


def test_a_killed_database_server_comes_back_with_what_was_committed(database_server: DatabaseServer, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept (n integer)")
        connection.execute("insert into kept values (7)")
    database_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn, connect_timeout=2)
    database_server.start()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select n from kept").fetchall() == [(7,)]


def test_a_killed_broker_comes_back_on_its_port(broker: Broker) -> None:
    broker.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=2)
    broker.start()
    socket.create_connection(("127.0.0.1", broker.port), timeout=2).close()


def test_a_port_that_is_kept_for_a_server_is_given_to_no_connection() -> None:
    """One that the kernel picks itself may be some client's before the server listens, and while it is away."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("utf-8").split()[0])
    assert all(free_port() < lowest for _ in range(20))


def _letter(text: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "alerts@clinic.example", "nurse@clinic.example", "hello"
    letter.set_content(text)
    return letter


def test_the_mail_sink_keeps_a_letter_and_can_refuse_one(mail_sink: MailSink) -> None:
    with smtplib.SMTP("127.0.0.1", mail_sink.port, timeout=5) as client:
        client.send_message(_letter("one"))
        mail_sink.refuse = "451 try later"
        with pytest.raises(smtplib.SMTPDataError):
            client.send_message(_letter("two"))
    assert [message["Subject"] for message in mail_sink.wait(1)] == ["hello"]
    assert mail_sink.recipients == [("nurse@clinic.example",)]
