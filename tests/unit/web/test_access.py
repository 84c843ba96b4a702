"""Passwords, sessions and patience, decided."""

from datetime import UTC, datetime, timedelta

import pytest

from rpm import access
from rpm.access import FAILURES_MAX, THROTTLE_WINDOW, Failures, SessionEnd, ThrottleScope

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)


def test_passwords() -> None:
    kept = access.hash_password("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert access.password_matches("correct horse battery", kept)
    assert not access.password_matches("correct horse batterz", kept)
    assert not access.password_matches("correct horse battery", None)
    assert not access.password_matches("x" * 10_000, kept)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(access.WeakPassword, match="12 to 256"):
        access.hash_password(password)


def test_tokens_are_long_and_never_alike() -> None:
    tokens = {access.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) * 6 >= 256
    assert len(access.token_hash("x")) == 32


@pytest.mark.parametrize(
    "idle_s, left_s, active, end",
    [
        (0, 1, True, None),
        (899, 1, True, None),
        (900, 1, True, SessionEnd.IDLE),
        (0, 0, True, SessionEnd.TOO_OLD),
        (0, 1, False, SessionEnd.DISABLED),
    ],
)
def test_when_a_session_ends(idle_s: int, left_s: int, *, active: bool, end: SessionEnd | None) -> None:
    found = access.session_end(
        seen_at=NOW - timedelta(seconds=idle_s), expires_at=NOW + timedelta(seconds=left_s), active=active, now=NOW
    )
    assert found is end


@pytest.mark.parametrize("scope", list(ThrottleScope))
def test_patience(scope: ThrottleScope) -> None:
    full = FAILURES_MAX[scope]
    assert access.wait_until(scope, None, now=NOW) is None
    assert access.wait_until(scope, Failures(full - 1, NOW), now=NOW) is None
    assert access.wait_until(scope, Failures(full, NOW), now=NOW) == NOW + THROTTLE_WINDOW
    assert access.wait_until(scope, Failures(full, NOW - THROTTLE_WINDOW), now=NOW) is None


def test_keys_do_not_show_what_was_typed() -> None:
    keys = access.throttle_keys(username="hunter2", address="10.0.0.1")
    texted = access.texter_keys("+15550100")
    assert keys.keys() | texted.keys() == set(ThrottleScope)
    assert len({*keys.values(), *texted.values()}) == len(ThrottleScope)
    assert not any(b"hunter2" in key for key in keys.values())
    assert not any(b"15550100" in key for key in texted.values())
