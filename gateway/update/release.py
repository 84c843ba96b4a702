"""A release: a folder of wheels that one Ed25519 signature covers.

    release.json        version, number, stage_percent
    constraints.txt     the versions of everything that is installed
    wheels/             the program and all it needs, for every machine it is made for
    SHA256SUMS          every file above, as sha256sum writes it
    SHA256SUMS.sig      the signature over SHA256SUMS: 64 bytes

The form is one that `openssl pkeyutl -verify -rawin` and `sha256sum --check` can read: install.sh checks the first release on a
machine that has nothing of ours yet.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import UserError

DESCRIPTION: Final = "release.json"
CONSTRAINTS: Final = "constraints.txt"
WHEELS: Final = "wheels"
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
#: Wheels for three kinds of machine are 60 MiB; a folder larger than this is something else.
BYTES_MAX: Final = 1 << 30
FILES_MAX: Final = 1_000
DESCRIPTION_BYTES_MAX: Final = 65_536
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9._+!/-]+)")


class Release(BaseModel):
    """What a release says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Annotated[str, Field(description="As the wheel has it", pattern=r"^[0-9][A-Za-z0-9.+!]{0,63}$")]
    number: Annotated[int, Field(description="Larger for each release: what is older is never installed", ge=0)]
    stage_percent: Annotated[
        int, Field(description="How many of a hundred boxes may take it: 1, 10, 100", ge=0, le=100)
    ]


def sign(folder: Path, release: Release, key: Ed25519PrivateKey) -> None:
    """Make the folder, in which wheels/ and constraints.txt are, a release. A later stage is signed over the same wheels."""
    (folder / DESCRIPTION).write_text(release.model_dump_json() + "\n", "utf-8")
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / SUMS).write_text("".join(lines), "utf-8")
    (folder / SIGNATURE).write_bytes(key.sign((folder / SUMS).read_bytes()))


def verify(folder: Path, key: Ed25519PublicKey) -> Release:
    """The release in the folder; UserError where a file is not as it was signed, is missing, or was never signed.

    Whoever can write the folder can change it afterwards: give a copy that is yours alone.
    """
    try:
        sums = (folder / SUMS).read_bytes()
        key.verify((folder / SIGNATURE).read_bytes(), sums)
        listed = _listed(sums)
        found = _files(folder)
        if sorted(listed) != found:
            odd = sorted(set(listed) ^ set(found))
            raise UserError(f"{folder}: {odd[0]} is {'missing' if odd[0] in listed else 'not signed'}: do not use it")
        for name, digest in listed.items():
            if _sha256(folder / name) != digest:
                raise UserError(f"{folder}: {name} is not as it was signed: fetch the release again")
        return read(folder / DESCRIPTION)
    except InvalidSignature as error:
        raise UserError(f"{folder} is not signed with the key this box trusts: do not use it") from error
    except OSError as error:
        raise UserError(f"{folder} is no release: {error.strerror}: {error.filename}") from error


def read(path: Path) -> Release:
    """The description at `path`; UserError where it is none."""
    try:
        with path.open("rb") as file:
            return Release.model_validate_json(file.read(DESCRIPTION_BYTES_MAX))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def trusted_key(path: Path) -> Ed25519PublicKey:
    """The public key at `path` (PEM); UserError where it is none of the right kind."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read the key that releases are signed with, {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} holds no public key (PEM)") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UserError(f"{path} is not an Ed25519 key")
    return key


def _listed(sums: bytes) -> dict[str, str]:
    """Digest by name. UserError where a line could be read two ways, or leads out of the folder."""
    listed: dict[str, str] = {}
    for line in sums.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or ".." in match[2].split("/") or match[2].startswith("/") or match[2] in listed:
            raise UserError(f"{SUMS} has a line that is none of its own: {json.dumps(line[:80])}")
        listed[match[2]] = match[1]
    return listed


def _files(folder: Path) -> list[str]:
    """Every file below the folder but the list and its signature, by name. UserError for links and for far too much."""
    names: list[str] = []
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UserError(f"{path} is neither a file nor a folder: a release has only those")
        if path.is_dir():
            continue
        total += path.stat().st_size
        name = path.relative_to(folder).as_posix()
        names += [] if name in {SUMS, SIGNATURE} else [name]
        if len(names) > FILES_MAX or total > BYTES_MAX:
            raise UserError(f"{folder} is too large for a release")
    return sorted(names)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
