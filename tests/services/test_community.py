"""The Community edition's extras: refused here in one line, and well formed as far as an Apache server can tell.

What is not shown: that they work. No server of that edition is had from Debian.
"""

import threading
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from rpm.__main__ import build
from rpm.errors import UserError
from rpm.store import community
from rpm.store.database import Database
from rpm.store.migrate import LOCK_TIMEOUT_MS
from tests.services.settling import rows_of

LICENCE = "0A000"


def statements() -> list[str]:
    lines = [line for line in community.STATEMENTS.read_text("utf-8").splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def refusal(dsn: str, statement: str) -> tuple[str | None, str]:
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(statement.encode())
    return refused.value.sqlstate, str(refused.value)


def test_an_apache_server_refuses_each_for_its_licence_alone(dsn: str) -> None:
    assert len(statements()) == 2
    for statement in statements():
        sqlstate, said = refusal(dsn, statement)
        assert sqlstate == LICENCE
        assert 'under the current "apache" license' in said
    # It does know the words: one it does not know is refused for that.
    wrong = (
        statements()[0].replace("enable_columnstore", "enable_columstore"),
        statements()[1].replace("after =>", "afterwards =>"),
    )
    assert [refusal(dsn, statement)[0] for statement in wrong] == ["22023", "42883"]


def test_the_command_says_which_edition_it_is_and_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RPM_DSN", database.dsn)
    done = CliRunner().invoke(build(), ["migrate", "--community"], standalone_mode=False)
    assert isinstance(done.exception, UserError)
    assert "timescaledb.license = apache" in str(done.exception)
    options = rows_of(database, "select compression_enabled from timescaledb_information.hypertables")
    assert {row["compression_enabled"] for row in options} == {False}


def test_a_backup_that_runs_is_not_waited_for_with_everybody_behind(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement any edition takes stands in for those of the Community one; it wants the table as they do."""
    monkeypatch.setattr(community, "COMMUNITY", "apache")
    monkeypatch.setattr(community, "STATEMENTS", tmp_path / "community.sql")
    community.STATEMENTS.write_text("alter table observation add column other integer;", "utf-8")
    monkeypatch.setenv("RPM_DSN", database.dsn)
    with psycopg.connect(database.dsn) as dump:
        dump.execute("lock table observation in access share mode")
        ends = threading.Timer(5 * LOCK_TIMEOUT_MS / 1000, dump.rollback)
        ends.start()
        done = CliRunner().invoke(build(), ["migrate", "--community"], standalone_mode=False)
        ends.cancel()
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == (
        "others use the tables, a backup perhaps: the columnstore is not on; run `rpm-cloud migrate --community` again later"
    )
    assert community.add(database.dsn)
