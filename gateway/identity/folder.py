"""The identity's folder: pairs of a key and its certificate, and which of them is in use.

    identity/
    ├── state.json        {"newest": 3, "proven": 2}: the one file that decides
    ├── 2/                a pair that has worked: kept until the next one has
    └── 3/                key.pem  certificate.pem  broker-ca.pem  place.json  and, for a cloud with its own CA, cloud-ca.pem

A pair is written whole, then `state.json` names it: whatever instant the power goes at, there is a pair that belongs
together. A folder that no state names holds a key that was made and not yet certified: it is used for the next request.
"""

import contextlib
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import GatewayError, UserError
from gateway.identity.certificate import Certificate, belong_together, fingerprint, new_key, read_certificate
from gateway.small_file import read_json, write_json, write_whole
from schemas.enrolment import Certified
from schemas.ids import GatewayId

STATE: Final = "state.json"
CLOUD_CA: Final = "cloud-ca.pem"
KEY: Final = "key.pem"
CERTIFICATE: Final = "certificate.pem"
BROKER_CA: Final = "broker-ca.pem"
PLACE: Final = "place.json"


class IdentityUnusable(GatewayError):
    """The identity on the disk cannot be used, or the disk refuses a new one; the text says what to do."""


class Known(BaseModel):
    """Which pairs there are. `newest` may not have worked yet; `proven` has."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    newest: Annotated[int, Field(ge=1)]
    proven: Annotated[int | None, Field(ge=1)] = None


class Place(BaseModel):
    """What the cloud said beside the certificate: who this box is and where the broker is; and where the cloud was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    gateway_id: GatewayId
    broker_url: str
    time_zone: str
    not_after: AwareDatetime
    cloud: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A key, its certificate, and what goes with them; all files are PEM."""

    number: int
    key: Path
    certificate: Path
    broker_ca: Path
    place: Place
    #: None: whom this machine trusts anyway.
    cloud_ca: Path | None


class IdentityFolder:
    """One box's identity on its disk. Nothing is remembered here: each question reads what is there now."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def known(self) -> Known | None:
        """Which pairs there are; None where this box was never enrolled. IdentityUnusable where that cannot be read."""
        try:
            facts = read_json(self.path / STATE)
            return None if facts is None else Known.model_validate(facts)
        except (ValueError, OSError) as error:
            raise IdentityUnusable(
                f"{self.path / STATE} cannot be read: enrol this box anew with a new claim code"
            ) from error

    def pair(self, number: int) -> Pair:
        """One pair; IdentityUnusable where part of it is missing."""
        folder = self.path / str(number)
        try:
            place = Place.model_validate(read_json(folder / PLACE))
        except (ValidationError, ValueError, OSError) as error:
            raise IdentityUnusable(f"{folder} cannot be read: enrol this box anew with a new claim code") from error
        ca = folder / CLOUD_CA
        ca = ca if ca.exists() else None
        return Pair(number, folder / KEY, folder / CERTIFICATE, folder / BROKER_CA, place, ca)

    def usable(self, first: int, other: int | None) -> Pair:
        """The first of two pairs, or the other where the disk has spoilt it; IdentityUnusable where it spoilt both."""
        try:
            return self.pair(first)
        except IdentityUnusable:
            if other is None or other == first:
                raise
            return self.pair(other)

    def certificate(self, number: int) -> Certificate:
        """What the certificate of a pair says; IdentityUnusable where it cannot be read."""
        path = self.path / str(number) / CERTIFICATE
        try:
            return read_certificate(path.read_bytes())
        except (ValueError, OSError) as error:
            raise IdentityUnusable(f"{path} cannot be read: enrol this box anew with a new claim code") from error

    def next_key(self) -> bytes:
        """The key to ask a certificate for: the one that was made before and not certified, or a new one, kept first.

        IdentityUnusable where the disk refuses: a certificate for a key that is gone would be the end of this box.
        """
        path = self._next() / KEY
        with self._disk():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            # One that the disk has spoilt is as good as none: nothing was certified for it.
            with contextlib.suppress(FileNotFoundError, ValueError):
                key = path.read_bytes()
                fingerprint(key)
                return key
            key = new_key()
            write_whole(path, key)
            return key

    def key(self, number: int) -> bytes:
        """The private key of a pair; IdentityUnusable where the disk has spoilt it."""
        path = self.path / str(number) / KEY
        try:
            key = path.read_bytes()
            fingerprint(key)
        except (ValueError, OSError) as error:
            raise IdentityUnusable(f"{path} cannot be read: enrol this box anew with a new claim code") from error
        return key

    def install(self, certified: Certified, *, cloud: str, cloud_ca: Path | None, keep_proven: bool) -> int:
        """Make the key of `next_key` and its certificate the newest pair; its number.

        `keep_proven`: the pair in use may get its turn again if the new one is refused (a renewal). IdentityUnusable where
        the certificate is not for that key or not for that name, or the disk refuses; then all is as before.
        """
        folder, known = self._next(), self.known()
        pem = certified.certificate.encode()
        with self._disk():
            try:
                named = read_certificate(pem).gateway_id
                fits = named == certified.gateway_id and belong_together((folder / KEY).read_bytes(), pem)
            except ValueError:
                fits = False
            if not fits:
                raise IdentityUnusable("the cloud's answer is not a certificate for this box's key and name")
            place = Place(cloud=cloud, **certified.model_dump(include=set(Place.model_fields) - {"cloud"}))
            write_whole(folder / CERTIFICATE, pem)
            write_whole(folder / BROKER_CA, certified.broker_ca.encode())
            (folder / CLOUD_CA).unlink(missing_ok=True)
            if cloud_ca is not None:
                write_whole(folder / CLOUD_CA, cloud_ca.read_bytes())
            write_whole(folder / PLACE, place.model_dump_json().encode())
            proven = known.proven if known is not None and keep_proven else None
            self._decide(Known(newest=int(folder.name), proven=proven))
        return int(folder.name)

    def prove(self, number: int) -> bool:
        """A pair has worked at the broker; whether that was news. Pairs older than it are of no more use and go."""
        known = self.known()
        if known is None or number != known.newest or known.proven == number:
            return False
        with self._disk():
            self._decide(known.model_copy(update={"proven": number}))
        for folder in self.path.iterdir():
            if folder.name.isdigit() and int(folder.name) < number:
                shutil.rmtree(folder, ignore_errors=True)
        return True

    def forget(self) -> None:
        """Begin anew: for a state that the disk has spoilt. Keys stay, and are used again where they can be read."""
        with self._disk():
            (self.path / STATE).unlink(missing_ok=True)

    def _next(self) -> Path:
        known = self.known()
        return self.path / str(1 if known is None else known.newest + 1)

    def _decide(self, known: Known) -> None:
        if not write_json(self.path / STATE, known.model_dump(mode="json")):
            raise IdentityUnusable(f"{self.path / STATE} cannot be written")

    @contextlib.contextmanager
    def _disk(self) -> Generator[None]:
        """A disk that refuses, in one line."""
        try:
            yield
        except OSError as error:
            where = error.filename or self.path
            raise IdentityUnusable(f"{os.fspath(where)} cannot be written: {error.strerror}") from error


def enrolled_place(path: Path) -> Place:
    """Who the box with this identity folder is; UserError with what to do where it is nobody yet."""
    folder = IdentityFolder(path)
    try:
        known = folder.known()
        if known is not None:
            return folder.usable(known.newest, known.proven).place
    except IdentityUnusable as error:
        raise UserError(str(error)) from error
    raise UserError(f"this box has no certificate yet in {path}: rpm-gateway enrol CONFIG.toml --cloud https://…")
