"""The key of an encrypted outbox, had from where the settings say. It is never written, logged or told."""

import stat
import subprocess
from pathlib import Path
from typing import Final

from gateway.errors import UserError
from gateway.settings import OutboxKey

KEY_DIGITS: Final = 64
#: A TPM answers in a second; a server that releases keys may be slow to be reached.
COMMAND_S_MAX: Final = 60.0
BYTES_MAX: Final = 4_096


def read_key(wanted: OutboxKey | None) -> bytes | None:
    """The 32 bytes, or None where no key is wanted; UserError with one line where it cannot be had."""
    if wanted is None:
        return None
    if wanted.file is not None:
        return _key(_from_file(wanted.file), where=str(wanted.file))
    return _key(_from_command(wanted.command), where=f"the command {wanted.command[0]}")


def _key(text: bytes, *, where: str) -> bytes:
    digits = text.strip()
    if len(digits) == KEY_DIGITS:
        try:
            return bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            pass
    raise UserError(
        f"outbox_key: {where} gave no key: {KEY_DIGITS} hexadecimal digits, as `openssl rand -hex 32` makes them"
    )


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UserError(f"outbox_key: others may read {path}: chmod 600 {path}")
            return file.read(BYTES_MAX)
    except OSError as error:
        raise UserError(f"outbox_key: cannot read {path}: {error.strerror}") from error


def _from_command(command: tuple[str, ...]) -> bytes:
    try:
        # What the home's own settings name is run, as its owner wrote it.
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=COMMAND_S_MAX, check=False)  # noqa: S603
    except OSError as error:
        raise UserError(f"outbox_key: cannot run {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise UserError(f"outbox_key: {command[0]} did not answer within {COMMAND_S_MAX:.0f} s") from None
    if done.returncode:
        raise UserError(f"outbox_key: {command[0]} ended with status {done.returncode}")
    return done.stdout[:BYTES_MAX]
