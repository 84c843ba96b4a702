"""PostgreSQL's own programs: where they are, and how one is run without telling anybody its password."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rpm.errors import RpmError, UserError

#: Beside the source: what `deploy/provision.sh` unpacked. RPM_LOCAL is its setting, too.
LOCAL: Final = Path(__file__).resolve().parents[2] / ".local"
VERSION_S_MAX: Final = 20
#: What stands in quotes can be a value out of a row.
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|\([^)]*\)")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class ProgramFailed(RpmError):
    """A program of PostgreSQL's ended with an error; the text has its first words, without what may be somebody's."""


def folders(server_major: int) -> Iterator[Path | None]:
    """Where to look, best first; None is the PATH."""
    private = Path(os.environ.get("RPM_LOCAL") or LOCAL) / "servers/usr/lib/postgresql"
    yield private / str(server_major) / "bin"
    yield Path("/usr/lib/postgresql") / str(server_major) / "bin"
    yield None


def program(name: str, server_major: int) -> str:
    """The path of `name` in the server's own version; UserError with what to install where there is none.

    Not an older one: pg_dump refuses a newer server. Not a newer one either: what it writes an older server may not read.
    """
    for folder in folders(server_major):
        path = shutil.which(name) if folder is None else shutil.which(name, path=folder)
        if path is not None and _major(path) == server_major:
            return path
    raise UserError(f"there is no {name} of PostgreSQL {server_major}: install postgresql-client-{server_major}")


def _major(path: str) -> int | None:
    said = subprocess.run(  # noqa: S603 - a program that was found by its name
        [path, "--version"],
        capture_output=True,
        text=True,
        timeout=VERSION_S_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = _VERSION.search(said.stdout)
    return int(found.group(1)) if found else None


def start(path: str, dsn: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Run a program against a database. What it makes is its owner's alone; the password stands in no list of processes."""
    parts: dict[str, Any] = dict(conninfo_to_dict(dsn))
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    # Its messages are looked through for "error": in no other language.
    environment.update(LC_MESSAGES="C", LC_ALL="C.UTF-8")
    return subprocess.Popen(  # noqa: S603 - as above
        [path, "--no-password", f"--dbname={make_conninfo(**parts)}", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
        umask=0o077,
    )  # fmt: skip


def finish(started: subprocess.Popen[str]) -> None:
    """Wait for it; ProgramFailed where it ended badly."""
    _, told = started.communicate()
    if started.returncode:
        lines = [line for line in told.splitlines() if "error:" in line.lower()] or told.splitlines() or ["no word"]
        raise ProgramFailed(f"status {started.returncode} of {_QUOTED.sub('…', lines[0])}")
