"""A plain outbox becomes an encrypted one, once, at the first start with a key. Whatever interrupts it, one whole file is there.

    fold the log into the plain file and do away with it ─▶ write all of it, encrypted, beside it ─▶ fsync ─▶ rename over it

A start that finds the half-made file of a start that was killed begins it again: the plain one is untouched until the rename.
"""

import os
from pathlib import Path
from typing import Final

from gateway.errors import OutboxRefused
from gateway.outbox import engine

SUFFIX: Final = ".encrypting"
_ZEROS: Final = bytes(1 << 20)


def encrypt(path: Path, *, key: bytes) -> None:
    """Encrypt the plain outbox at `path` in place. OutboxRefused where the disk refuses; then it is as it was."""
    new = path.with_name(path.name + SUFFIX)
    try:
        _forget(new)
        _write(path, new, key=key)
        with path.open("r+b") as old:
            new.replace(path)
            _sync_folder(path.parent)
            # The plain pages are freed, not gone. A card that moves its blocks may keep them all the same: README.md.
            _overwrite(old.fileno(), old.seek(0, os.SEEK_END))
    except (OSError, *engine.OPERATIONAL_ERRORS) as error:
        raise OutboxRefused(f"the outbox {path} cannot be encrypted: {error}") from error


def _write(path: Path, new: Path, *, key: bytes) -> None:
    # SQLCipher reads a plain file where it is given no key.
    plain = engine.require_cipher().connect(str(path), isolation_level=None, timeout=engine.BUSY_S)
    try:
        # The log holds rows too, and must neither be lost nor stay behind in clear beside the encrypted file.
        plain.execute("pragma journal_mode = delete")
        version = plain.execute("pragma user_version").fetchone()[0]
        application = plain.execute("pragma application_id").fetchone()[0]
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        plain.execute(f'attach database ? as encrypted key "{engine.key_literal(key)}"', (str(new),))
        plain.execute("pragma encrypted.synchronous = full")
        plain.execute("select sqlcipher_export('encrypted')")
        # The export copies tables; who the file is it does not.
        plain.execute(f"pragma encrypted.user_version = {version}")
        plain.execute(f"pragma encrypted.application_id = {application}")
        plain.execute("detach database encrypted")
    finally:
        plain.close()
    descriptor = os.open(new, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def _forget(new: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)


def _overwrite(descriptor: int, size: int) -> None:
    for at in range(0, size, len(_ZEROS)):
        os.pwrite(descriptor, _ZEROS[: min(len(_ZEROS), size - at)], at)
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
