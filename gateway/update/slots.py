"""The versions on this box, and two links: `current`, which runs, and `good`, which has proven itself.

    versions/0.1.0/     an environment; whole once its release.json is there, which is written last
    versions/0.2.0/
    current → versions/0.2.0        what systemd starts
    good → versions/0.1.0           what updates, and what is gone back to

A trial is under way exactly while the two differ. There is no other note of it, so none can disagree: each link changes in one
step (rename(2)), and whenever the power goes, the next start finds one of the states above.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from gateway.errors import UserError
from gateway.small_file import read_json, write_json
from gateway.update.release import DESCRIPTION, Release, read

Name = Literal["current", "good"]
VERSIONS: Final = "versions"
#: version → how often it was tried and taken back.
TRIALS: Final = "trials.json"
_TRIALS: Final = TypeAdapter(dict[str, int])


class Slots:
    """/opt/rpm, or wherever install.sh put it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def version(self, name: Name) -> str:
        """The version a link names; UserError where install.sh was never run here."""
        try:
            return (self._root / name).readlink().name
        except OSError as error:
            raise UserError(f"{self._root} was not made by install.sh: {name}: {error.strerror}") from error

    def installed(self, version: str) -> Release:
        """What an installed version says of itself; UserError where it is not whole."""
        return read(self.folder(version) / DESCRIPTION)

    def folder(self, version: str) -> Path:
        """Where a version is, or would be."""
        return self._root / VERSIONS / version

    def is_whole(self, version: str) -> bool:
        """Whether everything of it is there."""
        return (self.folder(version) / DESCRIPTION).exists()

    def make_whole(self, version: str, description: Path) -> None:
        """The last step of an installation: from now on this version counts."""
        target = self.folder(version) / DESCRIPTION
        new = target.with_name(DESCRIPTION + ".new")
        shutil.copyfile(description, new)
        _sync_all()
        new.replace(target)
        _sync_all()

    def point(self, name: Name, version: str) -> None:
        """Let a link name a version, in one step, on the disk when this returns."""
        new = self._root / f"{name}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path(VERSIONS) / version)
        new.replace(self._root / name)
        _sync_all()

    @property
    def on_trial(self) -> str | None:
        """The version that runs and has not proven itself yet; None where there is no such."""
        current = self.version("current")
        return None if current == self.version("good") else current

    def trials(self, version: str) -> int:
        """How often a version was taken back."""
        return self._trials().get(version, 0)

    def count_trial(self, version: str) -> None:
        """Remember that a version was taken back, before it is: forgotten, it would be tried for ever."""
        if not write_json(self._root / TRIALS, {**self._trials(), version: self.trials(version) + 1}):
            raise UserError(f"cannot write {self._root / TRIALS}: is the disk full?")

    def clear_away(self, *, keep: set[str]) -> None:
        """Delete every version that nothing names and `keep` does not."""
        named = {self.version("current"), self.version("good")} | keep
        for folder in self._all():
            if folder.name not in named:
                # First what makes it count: half deleted it is not whole.
                (folder / DESCRIPTION).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)

    def _all(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from (self._root / VERSIONS).iterdir()

    def _trials(self) -> dict[str, int]:
        try:
            return _TRIALS.validate_python(read_json(self._root / TRIALS) or {})
        except (OSError, ValueError):
            return {}


def _sync_all() -> None:
    """Everything written so far is on the disk: an environment has thousands of files, and none may come after its link."""
    os.sync()
