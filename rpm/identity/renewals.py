"""Renewals: a gateway proves by its old key that the new one is its own. Pure."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from schemas.enrolment import RENEWAL_GRACE, RENEWAL_SKEW_MAX, RenewRequest

#: Certificates of one gateway that nobody has seen in use yet: a gateway that asks for more has lost its mind or its disk.
UNSEEN_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Known:
    """A certificate of the gateway. `revoked_at` may lie in the future: a superseded one has a day left."""

    serial: str
    key: bytes
    pem: str
    not_after: datetime
    seen_at: datetime | None
    revoked_at: datetime | None

    def good(self, *, now: datetime) -> bool:
        """Whether a renewal may be signed with its key."""
        return (self.revoked_at is None or now < self.revoked_at) and now < self.not_after + RENEWAL_GRACE


class Refused(StrEnum):
    """Why a renewal is not granted."""

    WRONG_TIME = "the signature is not of now: is the clock right?"
    NOT_SIGNED = "not signed by the key of a certificate that is good"
    SAME_KEY = "a renewal is for a new key"
    TOO_MANY = "too many certificates were asked for, and none used"


def refusal(request: RenewRequest, known: Sequence[Known], *, key: bytes, now: datetime) -> Refused | None:
    """Why this gateway gets no certificate for `key` (the request's), or None."""
    if abs(request.signed_at - now) > RENEWAL_SKEW_MAX:
        return Refused.WRONG_TIME
    good = [each for each in known if each.good(now=now)]
    signer = next((each for each in good if _signed_by(each.key, request)), None)
    if signer is None:
        return Refused.NOT_SIGNED
    if signer.key == key:
        return Refused.SAME_KEY
    if granted(good, key=key) is None and sum(each.seen_at is None for each in good) >= UNSEEN_MAX:
        return Refused.TOO_MANY
    return None


def granted(good: Sequence[Known], *, key: bytes) -> Known | None:
    """What this key was given before: a request that is asked again, or replayed, makes nothing new."""
    return next((each for each in good if each.key == key), None)


def _signed_by(key: bytes, request: RenewRequest) -> bool:
    public = serialization.load_der_public_key(key)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    try:
        public.verify(base64.b64decode(request.signature, validate=True), request.signed(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True
