"""The list of revoked certificates (CRL): when a new one is due, what it holds, and when its age is an alarm. Pure.

A broker whose list has expired refuses everybody (F6, mosquitto #1826). So a list is good for a week, made anew every
day, and told of while half of the week is still left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rpm.identity.authority import CLOCK_MARGIN, Authority

LIST_LIFE: Final = timedelta(days=7)
LIST_EVERY: Final = timedelta(days=1)
#: With so much or less left, somebody is told: the weekend lies between a Friday and whoever can mend it.
LIST_ALARM: Final = timedelta(days=3)
#: A revoked certificate stays on the list this long after its own end (RFC 5280 §3.3: on one list beyond it).
LISTED_AFTER_END: Final = timedelta(days=8)
#: A certificate that was renewed stays good for a day after its successor was seen at the broker: a box that loses its
#: power before its disk had the new one comes back with the old one, and nobody has to drive there.
SUPERSEDED_GRACE: Final = timedelta(days=1)


class Why(StrEnum):
    """Why a certificate is revoked."""

    #: The box is lost, stolen or given back: whoever has it is to be cut off now.
    REVOKED = "revoked"
    #: The box is dead, and another takes its place under its name.
    REPLACED = "replaced"
    #: Its successor is in use. Nobody needs to be cut off: the successor's connection took the old one's place.
    SUPERSEDED = "superseded"


_FLAGS: Final = {
    Why.REVOKED: x509.ReasonFlags.cessation_of_operation,
    Why.REPLACED: x509.ReasonFlags.superseded,
    Why.SUPERSEDED: x509.ReasonFlags.superseded,
}


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate nobody is to get in with."""

    serial: int
    at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest list of an authority."""

    number: int
    issued_at: datetime
    next_update: datetime
    serials: frozenset[int]


class Due(StrEnum):
    """Why a new list is made."""

    FIRST = "there was none"
    REVOCATION = "a certificate was revoked"
    DAILY = "the last one is a day old"


def list_due(newest: Newest | None, revoked: Iterable[Revoked], *, now: datetime) -> Due | None:
    """Why a list is to be made now, or None."""
    if newest is None:
        return Due.FIRST
    if {each.serial for each in revoked} - newest.serials:
        return Due.REVOCATION
    return Due.DAILY if now - newest.issued_at >= LIST_EVERY else None


def revocation_list(
    authority: Authority, revoked: Iterable[Revoked], *, number: int, now: datetime
) -> x509.CertificateRevocationList:
    """The list, signed. It begins earlier than now: a broker refuses everybody by a list from its future, too."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - CLOCK_MARGIN)
        .next_update(now + LIST_LIFE)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for each in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(each.serial)
            .revocation_date(each.at)
            .add_extension(x509.CRLReason(_FLAGS[each.why]), critical=False)
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256())


class Standing(StrEnum):
    """How a list stands."""

    FRESH = "fresh"
    #: Nobody has made a new one for days: in the end the broker refuses everybody.
    ENDING = "ending"
    EXPIRED = "expired"


def standing(next_update: datetime, *, now: datetime) -> Standing:
    """Whether a list that is good until `next_update` is one to worry about."""
    if now >= next_update:
        return Standing.EXPIRED
    return Standing.ENDING if next_update - now <= LIST_ALARM else Standing.FRESH
