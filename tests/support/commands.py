"""`rpm-cloud` as somebody types it, in this process: a dozen of other ones would take most of the tests' time."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from rpm.__main__ import main


class Done(NamedTuple):
    status: int
    out: str
    err: str


def command(dsn: str, *arguments: str | Path, **settings: str) -> Done:
    """Status and words of one command against the database at `dsn`."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["rpm-cloud", *map(str, arguments)])
        for name, value in {"RPM_DSN": dsn, **settings}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, out.getvalue(), err.getvalue())
