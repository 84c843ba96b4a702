"""A device is added to a home's settings: one table at the end of a file that people edit too, whole or not at all."""

import contextlib
import json
import os
from pathlib import Path

from gateway.errors import UserError
from gateway.settings import read_settings
from schemas.codes import Kind


def table(*, address: str, kind: Kind, label: str) -> str:
    """The `[[device]]` table as it is written. UserError where the label has characters that are no text."""
    if not label.isprintable():
        raise UserError("a label is one line of plain text")
    # JSON's strings are TOML's, for text that can be printed.
    told = json.dumps(label, ensure_ascii=False)
    return f'[[device]]\naddress = "{address}"\nkind = "{kind}"\nlabel = {told}\n'


def append(path: Path, text: str) -> None:
    """Put `text` at the end of the settings at `path`; UserError, and the file as it was, where that makes them unusable.

    The new file is checked as `rpm-gateway run` would, keeps owner and mode, and takes the old one's place in one step: a
    gateway that starts in between reads the one or the other.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.new")
    try:
        before = path.read_text("utf-8")
        kept = path.stat()
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(before.rstrip("\n") + "\n\n" + text)
            file.flush()
            os.fchmod(file.fileno(), kept.st_mode & 0o7777)
            if (kept.st_uid, kept.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), kept.st_uid, kept.st_gid)
            os.fsync(file.fileno())
        read_settings(new)
        new.replace(path)
        _sync_folder(path.parent)
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"cannot change {path}: {told}; nothing was changed") from error
    except UserError as error:
        raise UserError(f"{str(error).replace(new.name, path.name)}; nothing was changed") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
