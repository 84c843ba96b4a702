"""Certificates that were signed: whose, until when, seen in use or not, revoked or not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.x509 import Certificate
from psycopg.rows import class_row

from rpm.access import Actor
from rpm.errors import UserError
from rpm.identity.authority import Kind, pem_of
from rpm.identity.certificates import PublicKey, key_bytes, name_of, serial_text
from rpm.identity.renewals import Known
from rpm.identity.revocation import SUPERSEDED_GRACE, Why
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("certificates")

#: The practice of what belongs to the installation itself.
INSTALLATION: Final = 0
GATEWAY: Final = "gateway"
#: Certificates a page shows of one gateway: more than a year of renewals.
SHOWN_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class CertificateStanding:
    """A gateway's certificate as a list shows it."""

    gateway_id: str
    issued_at: datetime
    not_after: datetime
    seen_at: datetime | None
    granted_at: datetime | None
    revoked_at: datetime | None
    revoked_why: str | None
    cut_at: datetime | None


def add_certificate(
    connection: Connection, certificate: Certificate, kind: Kind, *, role: str, practice_id: int, now: datetime
) -> str:
    """Keep a certificate that was signed; its serial number."""
    key = certificate.public_key()
    assert isinstance(key, PublicKey)
    serial = serial_text(certificate.serial_number)
    connection.execute(
        _SQL["add"],
        {
            "serial": serial,
            "authority": kind,
            "practice_id": practice_id,
            "name": name_of(certificate),
            "role": role,
            "public_key": key_bytes(key),
            "pem": pem_of(certificate),
            "not_after": certificate.not_valid_after_utc,
            "now": now,
        },
    )
    return serial


def of_gateway(connection: Connection, gateway_id: str) -> tuple[int, list[Known]]:
    """A gateway's practice and certificates, newest first, its registry's row locked; (0, []) where it has none."""
    connection.execute(_SQL["lock_gateway"], {"gateway_id": gateway_id})
    rows = connection.execute(_SQL["of_gateway"], {"gateway_id": gateway_id}).fetchall()
    practice_id = rows[0]["practice_id"] if rows else INSTALLATION
    return practice_id, [
        Known(row["serial"], bytes(row["key"]), row["pem"], row["not_after"], row["seen_at"], row["revoked_at"])
        for row in rows
    ]


def see_certificate(connection: Connection, gateway_id: str, *, not_after: datetime, now: datetime) -> None:
    """A gateway was born at the broker with the certificate that ends then: its predecessors end a day from now."""
    seen = connection.execute(_SQL["seen"], {"gateway_id": gateway_id, "not_after": not_after, "now": now}).fetchall()
    if seen:
        issued_at = max(row["issued_at"] for row in seen)
        connection.execute(
            _SQL["supersede"], {"gateway_id": gateway_id, "issued_at": issued_at, "until": now + SUPERSEDED_GRACE}
        )


def revoke_gateway(connection: Connection, gateway_id: str, *, actor: Actor, why: Why, now: datetime) -> int:
    """Whoever has this gateway's keys is to be cut off: the broker's guard does it. How many certificates that were.

    UserError where the actor's practice has no such gateway. The caller records it.
    """
    asked = {"gateway_id": gateway_id, "practice_id": actor.practice_id, "why": why, "now": now}
    if connection.execute(_SQL["own_gateway"], asked).fetchone() is None:
        raise UserError(f"your practice has no gateway {gateway_id}")
    # A code that was given out for it is in the same hands.
    connection.execute(load("claims")["withdraw"], asked)
    return connection.execute(_SQL["revoke_gateway"], asked).rowcount


def revoke_service(connection: Connection, name: str, *, now: datetime) -> int:
    """No certificate of this worker or guard is good any more; how many that were."""
    return connection.execute(_SQL["revoke_service"], {"name": name, "why": Why.REVOKED, "now": now}).rowcount


def is_granted(connection: Connection, serial: str) -> bool:
    """Whether the broker has the account of this certificate's owner."""
    row = connection.execute(_SQL["granted"], {"serial": serial}).fetchone()
    return row is not None and row["granted"]


def home_zone(connection: Connection, gateway_id: str, *, now: datetime) -> str:
    """The zone the devices at home are to show: that of the people who use them, where it is one, else the practice's."""
    row = connection.execute(_SQL["home_zone"], {"gateway_id": gateway_id, "now": now}).fetchone()
    assert row is not None
    zone: str = row["time_zone"]
    return zone


def newest_certificates(connection: Connection, *, practice_id: int) -> dict[str, CertificateStanding]:
    """The newest certificate of each of a practice's gateways that ever had one, by gateway."""
    with connection.cursor(row_factory=class_row(CertificateStanding)) as cursor:
        rows = cursor.execute(_SQL["newest_of_practice"], {"practice_id": practice_id}).fetchall()
    return {row.gateway_id: row for row in rows}


def certificates_of(connection: Connection, gateway_id: str, *, practice_id: int) -> list[CertificateStanding]:
    """A gateway's certificates, the newest first, SHOWN_MAX at most; none of another practice's."""
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "limit": SHOWN_MAX}
    with connection.cursor(row_factory=class_row(CertificateStanding)) as cursor:
        return cursor.execute(_SQL["standing_of"], asked).fetchall()


def services_ending(connection: Connection, *, within: timedelta, now: datetime) -> list[tuple[str, datetime]]:
    """Services whose certificate ends within that time, and when."""
    rows = connection.execute(_SQL["services_ending"], {"before": now + within}).fetchall()
    return [(row["name"], row["not_after"]) for row in rows]


def practices(connection: Connection) -> list[int]:
    """Practices that have a gateway with a certificate."""
    return [row["practice_id"] for row in connection.execute(_SQL["practices"]).fetchall()]
