"""SQLite as Python has it, or SQLCipher: the one place that knows there are two. With a key it is SQLCipher.

SQLCipher encrypts every page of the file and of its log with a key of 32 bytes; what a query sorts stays in memory
(`temp_store`), and the `-shm` file holds page numbers alone.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final, cast

from gateway.errors import OutboxRefused

try:
    from sqlcipher3 import dbapi2 as _sqlcipher
except ImportError:  # the extra `encrypted` is not installed
    _sqlcipher = None

_cipher: Final = cast("Any", _sqlcipher)
#: How long a write waits for a command that only reads.
BUSY_S: Final = 5.0
#: What a key is: as many bytes as AES-256 takes, so that none is derived from it at every start.
KEY_BYTES: Final = 32

OPERATIONAL_ERRORS: Final[tuple[type[Exception], ...]] = (
    (sqlite3.OperationalError,) if _cipher is None else (sqlite3.OperationalError, _cipher.OperationalError)
)
DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (
    (sqlite3.DatabaseError,) if _cipher is None else (sqlite3.DatabaseError, _cipher.DatabaseError)
)
_PLAIN_HEADER: Final = b"SQLite format 3\0"


def connect(path: Path, *, key: bytes | None, read_only: bool = False) -> sqlite3.Connection:
    """An open connection, in autocommit. OutboxRefused where there is a key and no SQLCipher.

    SQLCipher's connection has the same methods as sqlite3's, so it passes for one.
    """
    target = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    if key is None:
        return sqlite3.connect(target, uri=True, isolation_level=None, timeout=BUSY_S)
    connection = cast(
        "sqlite3.Connection", require_cipher().connect(target, uri=True, isolation_level=None, timeout=BUSY_S)
    )
    # It would write lines of its own to stderr where a page cannot be read; the error says it.
    connection.execute("pragma cipher_log_level = none")
    connection.execute(f'pragma key = "{key_literal(key)}"')
    return connection


def require_cipher() -> Any:
    """SQLCipher's module; OutboxRefused where it is not installed."""
    if _cipher is None:
        raise OutboxRefused("outbox_key is set, and SQLCipher is not installed: pip install 'rpm-pipeline[encrypted]'")
    return _cipher


def key_literal(key: bytes) -> str:
    """A raw key as SQLCipher takes it: x'…', no passphrase."""
    assert len(key) == KEY_BYTES
    return f"x'{key.hex()}'"


def is_plain(path: Path) -> bool:
    """Whether a file is a SQLite database anybody can read; False for one that is encrypted, empty, or cannot be read.

    Why it cannot be read is told, in one line, by whoever opens it next.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(_PLAIN_HEADER)) == _PLAIN_HEADER
    except OSError:
        return False


def error_code(error: Exception) -> int:
    """SQLite's own number of an error of either."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR))
