"""An installation that signs certificates: a clinic, its pages over HTTPS, authorities of their own, a clock that is moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from rpm import claiming
from rpm.access import Actor, Role
from rpm.identity.authority import Authority, Kind, key_pem, make_authority, pem_of, save, write_private
from rpm.identity.certificates import server_certificate
from rpm.settings import Settings
from rpm.store.certificates import GATEWAY
from rpm.store.database import Database
from rpm.store.gateways import save_status
from schemas.enrolment import Certified, Refusal, RefusalReason
from schemas.messages import Status, StatusKind
from tests.support.box import Key, Office, csr_of, new_key
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock
from tests.support.website import Website

BROKER_URL = "mqtts://broker.example:8883"


@dataclass
class Installation:
    """A clinic whose pages sign certificates."""

    clinic: Clinic
    clock: SettableClock
    actor: Actor
    authority: Authority
    website: Website
    folder: Path

    @property
    def gateway_id(self) -> str:
        """The clinic's gateway."""
        return self.clinic.gateway_id

    def office(self, *, address: str = "127.0.0.1") -> Office:
        """A client at that address."""
        return Office(self.website.url, self.folder / "services.crt", address=address)

    def code(self) -> str:
        """A code for the clinic's gateway."""
        with self.clinic.database.transaction() as connection:
            return claiming.open_claim(connection, self.gateway_id, actor=self.actor, now=self.clock()).code

    def enrolled(self) -> tuple[Key, Certified]:
        """A box that has come in, and its key."""
        key = new_key()
        given = self.office().enrol(self.code(), csr_of(key))
        assert isinstance(given, Certified), given
        return key, given

    def born(self, given: Certified) -> None:
        """The gateway is seen at the broker with this certificate."""
        status = Status(gateway_id=given.gateway_id, kind=StatusKind.BIRTH, certificate_not_after=given.not_after)
        with self.clinic.database.transaction() as connection:
            save_status(connection, status, now=self.clock())

    def signed(self) -> int:
        """How many certificates gateways have."""
        with self.clinic.database.transaction() as connection:
            row = connection.execute("select count(*) as n from certificate where role = %s", [GATEWAY]).fetchone()
        assert row is not None
        return int(row["n"])


@pytest.fixture
def installation(database: Database, clock: SettableClock, tmp_path: Path) -> Iterator[Installation]:
    """It serves. What boxes are given is signed by the test's clock, the server's own certificate by the machine's."""
    authority = make_authority(Kind.GATEWAYS, now=clock())
    save(authority, tmp_path)
    today = database.clock()
    services = make_authority(Kind.SERVICES, now=today)
    key = new_key()
    certificate = server_certificate(services, key.public_key(), ["127.0.0.1"], life=timedelta(days=1), now=today)
    save(services, tmp_path)
    (tmp_path / "web.crt").write_text(pem_of(certificate))
    write_private(tmp_path / "web.key", key_pem(key))
    clinic = Clinic(database, now=clock())
    nurse = clinic.staff("rosa")
    settings = Settings(
        dsn=database.dsn,
        web_certificate=tmp_path / "web.crt",
        web_key=tmp_path / "web.key",
        ca_folder=tmp_path,
        gateway_broker_url=BROKER_URL,
        gateway_grant_wait_s=0.0,
    )
    actor = Actor(nurse, clinic.practice_id, Role.NURSE, "Rosa N.")
    with Website(database, clock, settings=settings) as website:
        yield Installation(clinic, clock, actor, authority, website, tmp_path)


def refused(answer: Certified | Refusal) -> RefusalReason:
    """Why it was refused; fails where it was not."""
    assert isinstance(answer, Refusal), answer
    return answer.reason
