"""What a member of staff does about a gateway's identity, each step with its record: for commands and pages alike."""

from datetime import datetime

from rpm import audit
from rpm.access import Actor
from rpm.identity.revocation import Why
from rpm.store import certificates, claims
from rpm.store.certificates import CertificateStanding
from rpm.store.claims import ClaimStanding, Opened
from rpm.store.database import Connection


def open_claim(connection: Connection, gateway_id: str, *, actor: Actor, now: datetime) -> Opened:
    """A code by which one box becomes this gateway, for a quarter of an hour, once. It cannot be shown again.

    UserError where the practice has no such gateway. Call it last in a transaction: the record holds a lock.
    """
    opened = claims.open_claim(connection, gateway_id, actor=actor, now=now)
    audit.record(connection, actor, audit.Action.GATEWAY_CLAIMED, now=now, gateway=gateway_id)
    return opened


def revoke(connection: Connection, gateway_id: str, *, actor: Actor, now: datetime) -> int:
    """Cut a gateway off; how many certificates were good until now. The broker's guard does it, within a minute.

    UserError where the practice has no such gateway. Call it last in a transaction.
    """
    count = certificates.revoke_gateway(connection, gateway_id, actor=actor, why=Why.REVOKED, now=now)
    audit.record(connection, actor, audit.Action.GATEWAY_REVOKED, now=now, gateway=gateway_id, certificates=count)
    return count


def replace(connection: Connection, gateway_id: str, *, actor: Actor, now: datetime) -> Opened:
    """Cut the dead box off, and make a code for the one that takes its place: name, devices and people go on.

    UserError where the practice has no such gateway. Call it last in a transaction.
    """
    count = certificates.revoke_gateway(connection, gateway_id, actor=actor, why=Why.REPLACED, now=now)
    opened = claims.open_claim(connection, gateway_id, actor=actor, now=now)
    audit.record(connection, actor, audit.Action.GATEWAY_REPLACED, now=now, gateway=gateway_id, certificates=count)
    return opened


def identity_words(newest: CertificateStanding | None, opened: ClaimStanding | None, *, now: datetime) -> str:
    """How a gateway's identity stands: `certificate until 2026-09-08`, `code works until 14:15 UTC`."""
    if opened is not None and opened.waits(now=now):
        return f"code works until {opened.expires_at:%H:%M} UTC"
    if newest is None:
        return "no certificate"
    if newest.revoked_at is not None and newest.revoked_at <= now:
        return f"cut off {newest.cut_at:%Y-%m-%d %H:%M} UTC" if newest.cut_at else "revoked, not cut off yet"
    if newest.not_after <= now:
        return f"certificate ended {newest.not_after:%Y-%m-%d}"
    return f"certificate until {newest.not_after:%Y-%m-%d}{'' if newest.seen_at else ', not seen yet'}"
