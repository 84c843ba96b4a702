"""Who may do what: roles, passwords, sessions and the patience a log-in, or a text, deserves. Pure; the rows are in `rpm.store`."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

#: A session ends after this long without a person's act, and in any case after a working day.
SESSION_IDLE_MAX: Final = timedelta(minutes=15)
SESSION_AGE_MAX: Final = timedelta(hours=12)
#: `seen_at` is written no oftener than this: a page of ten requests costs one write.
SESSION_TOUCH_EVERY: Final = timedelta(seconds=30)
#: 256 bits: nobody guesses one.
TOKEN_BYTES: Final = 32

PASSWORD_LENGTH_MIN: Final = 12
#: argon2 reads all of it, so a megabyte of password would be a megabyte of work.
PASSWORD_LENGTH_MAX: Final = 256
#: argon2 takes about 65 MB and one core per check; more at once would starve the readings.
HASHES_AT_ONCE: Final = 2


class Role(StrEnum):
    """What a member of staff is here for. Each sees no more than that takes."""

    NURSE = "nurse"
    #: Looks after boxes and devices: sees whose they are, and nothing of what they measure.
    SUPPORT = "support"
    BILLER = "biller"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who is signed in. Every read and change of health data names one, and keeps to his practice."""

    staff_id: int
    practice_id: int
    role: Role
    display_name: str


_hasher = PasswordHash((Argon2Hasher(),))
_hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)
#: Checked against when the name is unknown, so that the answer takes as long as for a known one.
_NOBODY: Final = _hasher.hash(secrets.token_hex(TOKEN_BYTES))


class WeakPassword(ValueError):
    """A password has 12 to 256 characters."""


def hash_password(password: str) -> str:
    """The argon2id hash to keep; WeakPassword where the length is not allowed."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise WeakPassword(WeakPassword.__doc__)
    with _hashing:
        return _hasher.hash(password)


def password_matches(password: str, password_hash: str | None) -> bool:
    """Whether the password belongs to the hash. No hash (unknown name) takes as long and is never right."""
    if len(password) > PASSWORD_LENGTH_MAX:
        return False
    with _hashing:
        matches = _hasher.verify(password, password_hash or _NOBODY)
    return matches and password_hash is not None


def new_token() -> str:
    """A session's or form's secret: 256 bits, safe in a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a session's token: a copy of the database opens no session."""
    return hashlib.sha256(token.encode()).digest()


def same_secret(given: str, kept: str) -> bool:
    """Compare without telling by the time taken how much was right."""
    return hmac.compare_digest(given.encode(), kept.encode())


class SessionEnd(StrEnum):
    """Why a session is over, in the words its owner reads."""

    IDLE = "Signed out after 15 minutes without activity."
    TOO_OLD = "Signed out: a session lasts 12 hours at most."
    DISABLED = "This account is switched off."


def session_end(*, seen_at: datetime, expires_at: datetime, active: bool, now: datetime) -> SessionEnd | None:
    """Why this session is over, or None while it lives."""
    if not active:
        return SessionEnd.DISABLED
    if now >= expires_at:
        return SessionEnd.TOO_OLD
    if now - seen_at >= SESSION_IDLE_MAX:
        return SessionEnd.IDLE
    return None


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong tries under one key, and when the last one was."""

    count: int
    last_at: datetime


#: Failures are forgotten this long after the last one; until then a key that used its share waits.
THROTTLE_WINDOW: Final = timedelta(minutes=15)


class ThrottleScope(StrEnum):
    """What wrong log-ins are counted by. One person mistypes; one address guesses; many addresses besiege one name.

    And digits, by text, that no call of the sender's number bears: by that number, which may be forged, and by all together.
    """

    PAIR = "pair"
    ADDRESS = "address"
    ACCOUNT = "account"
    TEXTER = "texter"
    TEXTS = "texts"


FAILURES_MAX: Final[dict[ThrottleScope, int]] = {
    ThrottleScope.PAIR: 5,
    ThrottleScope.ADDRESS: 30,
    ThrottleScope.ACCOUNT: 60,
    ThrottleScope.TEXTER: 5,
    ThrottleScope.TEXTS: 60,
}


def throttle_keys(*, username: str, address: str) -> dict[ThrottleScope, bytes]:
    """The keys a log-in is counted by. Hashed: people type passwords into the wrong field."""
    parts = {
        ThrottleScope.PAIR: f"{username}|{address}",
        ThrottleScope.ADDRESS: address,
        ThrottleScope.ACCOUNT: username,
    }
    return _keys(parts)


def texter_keys(number: str) -> dict[ThrottleScope, bytes]:
    """The keys that digits sent from a telephone number are counted by."""
    return _keys({ThrottleScope.TEXTER: number, ThrottleScope.TEXTS: ""})


def _keys(parts: Mapping[ThrottleScope, str]) -> dict[ThrottleScope, bytes]:
    return {scope: hashlib.sha256(f"{scope}|{text}".encode()).digest() for scope, text in parts.items()}


def wait_until(
    scope: ThrottleScope, failures: Failures | None, *, now: datetime, most: int | None = None
) -> datetime | None:
    """When this key may try again, or None where it may now. `most`: wrong tries it has, where other than usual."""
    if failures is None or failures.count < (most or FAILURES_MAX[scope]):
        return None
    free_at = failures.last_at + THROTTLE_WINDOW
    return free_at if now < free_at else None


def texter_waits_until(of_number: Failures | None, of_all: Failures | None, *, now: datetime) -> datetime | None:
    """Until when digits from a number are not looked at; None: they are.

    While all together guess too much, each number has one wrong try: who guesses for others never silences who has not.
    """
    besieged = wait_until(ThrottleScope.TEXTS, of_all, now=now) is not None
    return wait_until(ThrottleScope.TEXTER, of_number, now=now, most=1 if besieged else None)
