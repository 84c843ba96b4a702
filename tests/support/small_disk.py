"""A disk that can be filled: a tmpfs in a mount namespace of its own, so that no privilege is needed.

    with SmallDisk(folder, mebibytes=16) as disk:
        subprocess.Popen(disk.inside(["program", str(folder / "file")]))   # sees it at `folder`
        disk.fill()                                                       # whoever writes there meets ENOSPC
        disk.free()

A process of ours holds the namespace open, so the files outlive whoever writes them and is killed.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

_HOLD: Final = 'mount -t tmpfs -o "size=$2" none "$1" && echo mounted && exec cat'
_PIECE: Final = b"x" * 65_536


class SmallDisk:
    """Use as a context manager. It is at `folder` for whoever was started `inside`; everybody else finds it at `seen_at`."""

    def __init__(self, folder: Path, *, mebibytes: int) -> None:
        self.folder, self._bytes = folder, mebibytes << 20
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._holder = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", _HOLD, "sh", str(self.folder), str(self._bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n", "a tmpfs in a namespace of our own"
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate()

    def inside(self, arguments: Sequence[str]) -> list[str]:
        """The same program, with the disk at `folder`. Its process id is the one that was started."""
        namespaces = [f"--{kind}=/proc/{self._pid}/ns/{file}" for kind, file in (("user", "user"), ("mount", "mnt"))]
        return ["nsenter", "--preserve-credentials", *namespaces, "--", *arguments]

    @property
    def seen_at(self) -> Path:
        """The disk from outside."""
        return Path(f"/proc/{self._pid}/root{self.folder}")

    @property
    def _pid(self) -> int:
        assert self._holder is not None, "the disk is there"
        return self._holder.pid

    def fill(self) -> None:
        """Somebody else's bytes take all the room that is left."""
        with (self.seen_at / "hog").open("ab", buffering=0) as hog:
            for piece in (_PIECE, _PIECE[:4096]):
                try:
                    while hog.write(piece):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """They are gone."""
        (self.seen_at / "hog").unlink(missing_ok=True)
