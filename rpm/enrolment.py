"""How a box becomes a gateway, and stays one: a claim code or a renewal in, a certificate out, in one transaction.

Decisions are in `rpm.identity`; this is where they meet the database. Whatever is refused is counted against its
address, and a code also against itself, so that nobody tries for long (F8).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from cryptography.x509 import load_pem_x509_certificate

from rpm.access import Failures
from rpm.audit import Action
from rpm.identity import claims, renewals
from rpm.identity.authority import Authority, Kind, pem_of
from rpm.identity.certificates import (
    GATEWAY_LIFE,
    BadRequest,
    PublicKey,
    client_certificate,
    key_bytes,
    requested_key,
)
from rpm.store import audit, certificates, sessions
from rpm.store.claims import find_claim, use_claim
from rpm.store.database import Connection, Database
from schemas.enrolment import Certified, EnrolRequest, Refusal, RefusalReason, RenewRequest

GRANT_LOOK_EVERY_S: Final = 0.2

CLAIM_REFUSED: Final = Refusal(
    reason=RefusalReason.CLAIM_REFUSED,
    detail="This code lets nobody in: have a new one made, and use it within a quarter of an hour.",
)
TOO_MANY: Final = Refusal(
    reason=RefusalReason.TOO_MANY_TRIES, detail="Too many tries: wait a quarter of an hour, then have a new code made."
)
UNAVAILABLE: Final = Refusal(
    reason=RefusalReason.UNAVAILABLE, detail="No certificate can be given now: try again later."
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who signs, and where gateways are sent with what was signed."""

    authority: Authority
    broker_url: str
    broker_ca: str
    #: How long a box's first answer waits for the broker to know it: its first connection then finds its rights.
    grant_wait_s: float


@dataclass(frozen=True, slots=True)
class _Given:
    """What a transaction came to: a certificate of a gateway, or why there is none."""

    gateway_id: str
    serial: str
    pem: str
    zone: str


def enrol(
    database: Database, registrar: Registrar, request: EnrolRequest, *, address: str, now: datetime
) -> Certified | Refusal:
    """A box's first certificate, by its claim code. The same code with the same key is answered the same way again."""
    try:
        key = requested_key(request.csr)
    except BadRequest as error:
        # Before the code is looked at: what is wrong with a request says nothing of the code that came with it.
        return Refusal(reason=RefusalReason.BAD_CSR, detail=str(error))
    hash_given = claims.code_hash(request.claim_code)
    keys = claims.try_keys(address=address, code=hash_given)
    with database.transaction() as connection:
        if _locked(keys, sessions.failures(connection, list(keys.values()), now=now), now=now):
            return TOO_MANY
        given = _by_claim(connection, registrar, hash_given, key, now=now)
        if given is None:
            sessions.count_failure(connection, list(keys.values()), now=now)
            return CLAIM_REFUSED
    _wait_until_granted(database, given.serial, within_s=registrar.grant_wait_s)
    return _certified(registrar, given)


def renew(
    database: Database, registrar: Registrar, request: RenewRequest, *, address: str, now: datetime
) -> Certified | Refusal:
    """A gateway's next certificate, asked for with the key of one that is good."""
    try:
        key = requested_key(request.csr)
    except BadRequest as error:
        return Refusal(reason=RefusalReason.BAD_CSR, detail=str(error))
    keys = claims.try_keys(address=address)
    with database.transaction() as connection:
        if _locked(keys, sessions.failures(connection, list(keys.values()), now=now), now=now):
            return TOO_MANY
        given = _by_renewal(connection, registrar, request, key, now=now)
        if isinstance(given, renewals.Refused):
            _log.info("renewal_refused", why=given.name.lower())
            sessions.count_failure(connection, list(keys.values()), now=now)
            # Whether there is such a gateway, or its key was wrong, is nobody's business who does not have the key.
            told = str(given) if given is renewals.Refused.WRONG_TIME else str(renewals.Refused.NOT_SIGNED)
            return Refusal(reason=RefusalReason.RENEWAL_REFUSED, detail=told)
    return _certified(registrar, given)


def refuse_malformed(database: Database, reason: RefusalReason, detail: str, *, address: str, now: datetime) -> Refusal:
    """A request that is none: counted like a wrong code, for what is not a code may be a try at one."""
    keys = claims.try_keys(address=address)
    with database.transaction() as connection:
        if _locked(keys, sessions.failures(connection, list(keys.values()), now=now), now=now):
            return TOO_MANY
        sessions.count_failure(connection, list(keys.values()), now=now)
    return Refusal(reason=reason, detail=detail)


def _by_claim(
    connection: Connection, registrar: Registrar, hash_given: bytes, key: PublicKey, *, now: datetime
) -> _Given | None:
    claim = find_claim(connection, hash_given)
    why = claims.refusal(claim, hash_given=hash_given, key=key_bytes(key), now=now)
    if why is not None or claim is None:
        _log.info("claim_refused", why=why.name.lower() if why else "")
        if claim is not None:
            _record(
                connection, claim.practice_id, Action.GATEWAY_ENROL_REFUSED, claim.gateway_id, now=now, why=str(why)
            )
        return None
    zone = certificates.home_zone(connection, claim.gateway_id, now=now)
    if claim.certificate is not None and claim.serial is not None:
        return _Given(claim.gateway_id, claim.serial, claim.certificate, zone)
    given = _sign(connection, registrar, claim.gateway_id, claim.practice_id, key, zone, now=now)
    use_claim(connection, claim.claim_id, serial=given.serial, now=now)
    _record(connection, claim.practice_id, Action.GATEWAY_ENROLLED, claim.gateway_id, now=now, serial=given.serial)
    return given


def _by_renewal(
    connection: Connection, registrar: Registrar, request: RenewRequest, key: PublicKey, *, now: datetime
) -> _Given | renewals.Refused:
    practice_id, known = certificates.of_gateway(connection, request.gateway_id)
    asked = key_bytes(key)
    why = renewals.refusal(request, known, key=asked, now=now)
    if why is not None:
        return why
    zone = certificates.home_zone(connection, request.gateway_id, now=now)
    before = renewals.granted([each for each in known if each.good(now=now)], key=asked)
    if before is not None:
        return _Given(request.gateway_id, before.serial, before.pem, zone)
    given = _sign(connection, registrar, request.gateway_id, practice_id, key, zone, now=now)
    _record(connection, practice_id, Action.GATEWAY_RENEWED, request.gateway_id, now=now, serial=given.serial)
    return given


def _sign(
    connection: Connection,
    registrar: Registrar,
    gateway_id: str,
    practice_id: int,
    key: PublicKey,
    zone: str,
    *,
    now: datetime,
) -> _Given:
    signed = client_certificate(registrar.authority, key, gateway_id, life=GATEWAY_LIFE, now=now)
    serial = certificates.add_certificate(
        connection, signed, Kind.GATEWAYS, role=certificates.GATEWAY, practice_id=practice_id, now=now
    )
    return _Given(gateway_id, serial, pem_of(signed), zone)


def _certified(registrar: Registrar, given: _Given) -> Certified:
    return Certified(
        gateway_id=given.gateway_id,
        certificate=given.pem + registrar.authority.pem,
        not_after=load_pem_x509_certificate(given.pem.encode()).not_valid_after_utc,
        broker_url=registrar.broker_url,
        broker_ca=registrar.broker_ca,
        time_zone=given.zone,
    )


def _locked(keys: Mapping[str, bytes], failures: Mapping[bytes, Failures], *, now: datetime) -> bool:
    return any(claims.locked(scope, failures.get(key), now=now) for scope, key in keys.items())


def _record(
    connection: Connection, practice_id: int, action: Action, gateway_id: str, *, now: datetime, **detail: str
) -> None:
    audit.append(
        connection,
        practice_id=practice_id,
        staff_id=None,
        patient_id=None,
        action=action,
        detail={"gateway": gateway_id, **detail},
        now=now,
    )


def _wait_until_granted(database: Database, serial: str, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with database.transaction() as connection:
            if certificates.is_granted(connection, serial):
                return
        time.sleep(GRANT_LOOK_EVERY_S)
    _log.warning("gateway_not_granted_yet", waited_s=within_s)
