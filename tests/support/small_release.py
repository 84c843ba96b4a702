"""Small releases for tests: real wheels of a program that stands in for the gateway, signed with a key of the test's own.

The program answers as a gateway of its version would, on the same socket; its `manners` say in which way it is broken.
"""

import base64
import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.update.release import Release, sign

#: well · mute: no heartbeat was taken · deaf: it does not scan · dies · hangs · picky: refuses the home's settings
MANNERS: Final = ("well", "mute", "deaf", "dies", "hangs", "picky")

PROGRAM: Final = """
import json, os, socket, sys, time
from pathlib import Path
VERSION, MANNERS = {version!r}, {manners!r}
def main():
    verb = sys.argv[1]
    if verb == "status":
        if MANNERS == "picky":
            print("rpm-gateway: broker.url: there is no such setting", file=sys.stderr)
            sys.exit(2)
        sys.exit(0)
    if verb != "run":
        sys.exit(0)
    if MANNERS == "dies":
        sys.exit(75)
    path = Path(sys.argv[2]).with_name("outbox.sqlite3.sock")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    began = time.monotonic()
    while True:
        if MANNERS == "hangs":
            time.sleep(3600)
        asking, _ = listening.accept()
        taken = None if MANNERS == "mute" else "2026-11-28T12:00:00Z"
        beat = dict(gateway_id="gw-home-a", kind="heartbeat", version=VERSION, uptime_s=time.monotonic() - began)
        pulse = dict(pid=os.getpid(), heartbeat=beat, state="searching", reason="listening", connected=True,
                     scanning=MANNERS != "deaf", heartbeat_taken_at=taken)
        asking.sendall(json.dumps(pulse).encode())
        asking.close()
"""


@dataclass(frozen=True, slots=True)
class Maker:
    """Whoever makes releases, and signs them."""

    key: Ed25519PrivateKey

    def public(self, path: Path) -> Path:
        """The public key, as install.sh pins it."""
        path.write_bytes(self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path

    def release(self, folder: Path, number: int, *, manners: str = "well", stage_percent: int = 100) -> Path:
        """A signed release of version 0.NUMBER.0."""
        release = Release(version=f"0.{number}.0", number=number, stage_percent=stage_percent)
        (folder / "wheels").mkdir(parents=True)
        (folder / "constraints.txt").write_text(f"rpm-pipeline=={release.version}\n")
        _wheel(folder / "wheels", release.version, manners)
        sign(folder, release, self.key)
        return folder


def _wheel(folder: Path, version: str, manners: str) -> None:
    """A wheel by its specification (PyPA, binary distribution format): a zip with RECORD."""
    info = f"rpm_pipeline-{version}.dist-info"
    files = {
        "small_gateway.py": PROGRAM.format(version=version, manners=manners),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: rpm-pipeline\nVersion: {version}\nProvides-Extra: gateway\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nrpm-gateway = small_gateway:main\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    with zipfile.ZipFile(folder / f"rpm_pipeline-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def trials(root: Path) -> dict[str, int]:
    """What a box remembers of versions it took back."""
    found: dict[str, int] = json.loads((root / "trials.json").read_text())
    return found
