"""`python -m gateway.update.make`: a folder of wheels becomes a release. For whoever makes releases; not for the box."""

import argparse
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import ValidationError

from gateway.errors import UserError
from gateway.update.release import CONSTRAINTS, WHEELS, Release, sign


def version_of(wheels: Path) -> str:
    """The version of the one wheel of ours; UserError where there is none, or two."""
    found = sorted(wheels.glob("rpm_pipeline-*.whl"))
    if len(found) != 1:
        raise UserError(f"{wheels} must hold one rpm_pipeline-….whl, and holds {len(found)}")
    return found[0].name.split("-")[1]


def make(folder: Path, *, number: int, stage_percent: int, key_file: Path) -> Release:
    """Sign the folder as release `number`; UserError where it is not ready for that."""
    if not (folder / CONSTRAINTS).is_file():
        raise UserError(f"{folder / CONSTRAINTS} is missing: the versions the release was tested with")
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        raise UserError(f"cannot read {key_file}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{key_file} holds no private key without a password (PEM)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{key_file} is not an Ed25519 key: openssl genpkey -algorithm ed25519")
    try:
        release = Release(version=version_of(folder / WHEELS), number=number, stage_percent=stage_percent)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UserError(f"{first['loc'][0]}: {first['msg']}") from error
    sign(folder, release, key)
    return release


def main() -> int:
    """Read the arguments; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.update.make", description=(__doc__ or "").split(": ", 1)[1]
    )
    parser.add_argument("folder", type=Path, help="with wheels/ and constraints.txt in it")
    parser.add_argument("--number", type=int, required=True, help="larger than that of every release before")
    parser.add_argument("--stage", type=int, default=1, metavar="PERCENT", help="of all boxes: 1, 10, 100 (default 1)")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key, PEM")
    arguments = parser.parse_args()
    try:
        release = make(arguments.folder, number=arguments.number, stage_percent=arguments.stage, key_file=arguments.key)
    except UserError as error:
        sys.stderr.write(f"make: {error}\n")
        return 2
    sys.stdout.write(
        f"{arguments.folder}: release {release.number}, version {release.version}, for {release.stage_percent} %\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
