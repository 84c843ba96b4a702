"""The source tree as git sees it: what is committed, and what would be."""

import re
import subprocess
from functools import cache
from pathlib import Path

from tests.support.provisioning import ROOT

PACKAGES = ("schemas", "devices", "gateway", "alerts", "rpm")
TEXT = {
    ".py",
    ".sql",
    ".html",
    ".js",
    ".css",
    ".md",
    ".sh",
    ".toml",
    ".json",
    ".yaml",
    ".yml",
    ".txt",
    ".conf",
    ".service",
}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is in git or would be added, relative to the root."""
    listed = subprocess.run(
        # The tree may belong to somebody else than who runs the tests (a container, root).
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split("\0")
    return tuple(sorted({Path(name) for name in listed if name and (ROOT / name).is_file()}))


def texts(*, below: tuple[str, ...] = (), suffixes: set[str] | None = None) -> dict[Path, str]:
    """Text files by path: all, or those below one of these folders, or with one of these endings."""
    wanted = suffixes or TEXT
    return {
        path: (ROOT / path).read_text("utf-8")
        for path in files()
        if (not below or path.parts[0] in below)
        and (
            path.suffix in wanted or (suffixes is None and path.name in {"Makefile", "Containerfile", "run", ".npmrc"})
        )
    }


def lines_matching(found: dict[Path, str], pattern: str, *, flags: int = 0) -> list[str]:
    """`path:line: text` of every line in which the pattern is found."""
    expression = re.compile(pattern, flags)
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in found.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if expression.search(line)
    ]
