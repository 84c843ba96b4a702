"""What a member of staff does about a gateway's identity, each step with its record: for commands and pages alike."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Final

from rpm import audit
from rpm.access import Actor
from rpm.identity.revocation import Why
from rpm.store import certificates, claims, gateways
from rpm.store.certificates import CertificateStanding
from rpm.store.claims import ClaimStanding, Opened
from rpm.store.database import Connection

#: Letters of an id that is drawn: 60 bits, so that two installations never draw one twice.
DRAWN: Final = "0123456789abcdefghjkmnpqrstvwxyz"
DRAWN_CHARACTERS: Final = 12


class CutOff(StrEnum):
    """Why a box is cut off or replaced, for the record: words of ours, so that nothing about a patient gets into it."""

    LOST = "lost"
    STOLEN = "stolen"
    RETURNED = "returned"
    BROKEN = "broken"
    OTHER = "another reason"


def open_new(connection: Connection, label: str, *, actor: Actor, now: datetime) -> Opened:
    """A new gateway of the practice under an id that is drawn, and its code. `label` empty: the id.

    Call it last in a transaction.
    """
    gateway_id = f"gw-{''.join(secrets.choice(DRAWN) for _ in range(DRAWN_CHARACTERS))}"
    gateways.register_gateway(connection, gateway_id, practice_id=actor.practice_id, label=label or gateway_id, now=now)
    audit.record(connection, actor, audit.Action.GATEWAY_REGISTERED, now=now, gateway=gateway_id)
    return open_claim(connection, gateway_id, actor=actor, now=now)


def open_claim(connection: Connection, gateway_id: str, *, actor: Actor, now: datetime) -> Opened:
    """A code by which one box becomes this gateway, for a quarter of an hour, once. It cannot be shown again.

    UserError where the practice has no such gateway. Call it last in a transaction: the record holds a lock.
    """
    opened = claims.open_claim(connection, gateway_id, actor=actor, now=now)
    audit.record(connection, actor, audit.Action.GATEWAY_CLAIMED, now=now, gateway=gateway_id)
    return opened


def revoke(
    connection: Connection, gateway_id: str, *, actor: Actor, reason: CutOff | None = None, now: datetime
) -> int:
    """Cut a gateway off; how many certificates were good until now. The broker's guard does it, within a minute.

    UserError where the practice has no such gateway. Call it last in a transaction.
    """
    count = certificates.revoke_gateway(connection, gateway_id, actor=actor, why=Why.REVOKED, now=now)
    audit.record(
        connection,
        actor,
        audit.Action.GATEWAY_REVOKED,
        now=now,
        gateway=gateway_id,
        certificates=count,
        reason=_said(reason),
    )
    return count


def replace(
    connection: Connection, gateway_id: str, *, actor: Actor, reason: CutOff | None = None, now: datetime
) -> Opened:
    """Cut the dead box off, and make a code for the one that takes its place: name, devices and people go on.

    UserError where the practice has no such gateway. Call it last in a transaction.
    """
    count = certificates.revoke_gateway(connection, gateway_id, actor=actor, why=Why.REPLACED, now=now)
    opened = claims.open_claim(connection, gateway_id, actor=actor, now=now)
    audit.record(
        connection,
        actor,
        audit.Action.GATEWAY_REPLACED,
        now=now,
        gateway=gateway_id,
        certificates=count,
        reason=_said(reason),
    )
    return opened


def _said(reason: CutOff | None) -> str:
    return "not said" if reason is None else str(reason)


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
