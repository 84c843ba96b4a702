"""Every named statement against the migrated schema: a renamed column fails here, in a second, by the statement's name."""

from pathlib import Path

import psycopg
import pytest
from psycopg._queries import PostgresQuery  # the conversion psycopg itself makes of %(name)s
from psycopg.adapt import Transformer

import rpm.store
from rpm.store.database import Connection, Database
from rpm.store.queries import load

FILES = sorted((Path(rpm.store.__file__).parent / "queries").glob("*.sql"))
STATEMENTS = [(path.stem, name) for path in FILES for name in load(path.stem)]


class _Anything(dict[str, None]):
    """A value for whatever name is asked."""

    def __missing__(self, key: str) -> None:
        return None


def _refusal(connection: Connection, statement: bytes) -> str | None:
    """What the server says against a statement, if anything."""
    try:
        with connection.transaction(force_rollback=True):
            if b"\ncopy " in statement:
                with connection.cursor().copy(statement):
                    pass
            else:
                query = PostgresQuery(Transformer(connection))
                query.convert(statement, _Anything())
                connection.execute(b"prepare proof as " + query.query)
                connection.execute("deallocate proof")
    except psycopg.Error as error:
        return str(error)
    return None


def test_every_statement_prepares(database: Database) -> None:
    refused: dict[str, str] = {}
    with database.transaction() as connection:
        for aggregate, name in STATEMENTS:
            refusal = _refusal(connection, load(aggregate)[name])
            if refusal is not None:
                refused[f"{aggregate}.{name}"] = refusal
    assert not refused


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_has_a_sentence_and_never_says_now(path: Path) -> None:
    text = path.read_text("utf-8")
    for name, statement in load(path.stem).items():
        sentence, _, _ = statement.decode().partition("\n")
        assert sentence.startswith("-- ") or f"-- {name}\n-- " in text, f"{path.stem}.{name} has no sentence"
        words = statement.decode().lower()
        for clock in ("now()", "current_timestamp", "clock_timestamp", "statement_timestamp", "current_date"):
            assert clock not in words, f"{path.stem}.{name} asks for the time: take %(now)s"


def test_there_is_something_to_prove() -> None:
    assert len(STATEMENTS) > 40
    with pytest.raises(FileNotFoundError):
        load("no_such_aggregate")


def test_a_wrong_statement_would_be_refused(database: Database) -> None:
    with database.transaction() as connection:
        assert "no_such_column" in (_refusal(connection, b"select no_such_column from reading") or "")
        assert "no_such_column" in (_refusal(connection, b"-- x\ncopy reading (no_such_column) from stdin") or "")
