"""Claims: a box is let in once, by a code that a member of staff made a quarter of an hour ago at most. Pure.

The code is 80 random bits, so nobody guesses one (a guess in 10^24, with twenty tries); only its hash is kept. Whatever
is wrong with a code, the answer is the same, so that a guess learns nothing (F8).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from rpm.access import THROTTLE_WINDOW, Failures
from schemas.enrolment import CLAIM_ALPHABET, CLAIM_CHARACTERS, normal_claim_code

CLAIM_WINDOW: Final = timedelta(minutes=15)
CLAIM_BYTES: Final = 10

#: Wrong tries in a quarter of an hour, after which a key waits one. An address may be a whole clinic's, or a mobile
#: network's.
TRIES_MAX: Final = {"code": 5, "address": 20}


def draw_code(draw: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new code, such as `7K2M-9QXA-B3TD-0WZE`. `draw(n)` gives n random bytes."""
    number = int.from_bytes(draw(CLAIM_BYTES))
    characters = [CLAIM_ALPHABET[(number >> (5 * place)) & 31] for place in range(CLAIM_CHARACTERS)]
    return normal_claim_code("".join(characters))


def code_hash(code: str) -> bytes:
    """What is kept of a normal code. No salt, no slowness: 80 random bits are in no dictionary."""
    return hashlib.sha256(f"rpm claim {code}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Claim:
    """A code that was given out. `key`: the public key that used it (SubjectPublicKeyInfo), with what it was given."""

    claim_id: int
    practice_id: int
    gateway_id: str
    hash: bytes
    expires_at: datetime
    withdrawn_at: datetime | None
    key: bytes | None
    serial: str | None
    certificate: str | None


class Refused(StrEnum):
    """Why a code is not taken. For the record and the log; who asks is told one word for all of them."""

    UNKNOWN = "no such code"
    EXPIRED = "its time is over"
    WITHDRAWN = "a newer code took its place"
    USED = "another key has used it"


def refusal(claim: Claim | None, *, hash_given: bytes, key: bytes, now: datetime) -> Refused | None:
    """Why this key gets nothing by this code, or None. The key that used it may ask again: its answer may be lost."""
    kept = claim.hash if claim else bytes(32)
    if not hmac.compare_digest(kept, hash_given) or claim is None:
        return Refused.UNKNOWN
    if now >= claim.expires_at:
        return Refused.EXPIRED
    if claim.withdrawn_at is not None:
        return Refused.WITHDRAWN
    if claim.key is not None and claim.key != key:
        return Refused.USED
    return None


def try_keys(*, address: str, code: bytes | None = None) -> dict[str, bytes]:
    """What wrong tries are counted by. Hashed, as log-ins are: the table they share holds no code and no address."""
    parts = {"address": address.encode(), **({"code": code} if code else {})}
    return {scope: hashlib.sha256(f"claim {scope}|".encode() + part).digest() for scope, part in parts.items()}


def locked(scope: str, failures: Failures | None, *, now: datetime) -> bool:
    """Whether this key has used up its tries for now."""
    return failures is not None and failures.count >= TRIES_MAX[scope] and now < failures.last_at + THROTTLE_WINDOW
