"""Lists of the revoked, claim codes and key files, decided without a server (F6, F8)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.errors import UserError
from rpm.identity.authority import Kind, load, make_authority, save, vouched
from rpm.identity.claims import Claim, Refused, code_hash, draw_code, refusal
from rpm.identity.revocation import (
    LIST_ALARM,
    LIST_EVERY,
    LIST_LIFE,
    Due,
    Newest,
    Revoked,
    Standing,
    Why,
    list_due,
    revocation_list,
    standing,
)
from schemas.enrolment import normal_claim_code

NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)
AUTHORITY = make_authority(Kind.GATEWAYS, now=NOW)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_every_code_can_be_typed_and_no_two_drawings_share_one(one: bytes, other: bytes) -> None:
    """80 bits in, 80 bits out: what was drawn can be told from the code."""
    codes = [draw_code(lambda _count, drawn=drawn: drawn) for drawn in (one, other)]
    assert [normal_claim_code(code) for code in codes] == codes
    assert (codes[0] == codes[1]) == (one == other)


@given(
    st.sampled_from(["same", "other"]),
    st.sampled_from([None, b"mine", b"another's"]),
    st.integers(-1000, 1000),
    st.sampled_from([None, 0]),
)
def test_a_code_lets_in_the_key_that_may_and_no_other(
    which: str, used_by: bytes | None, left_s: int, withdrawn_s: int | None
) -> None:
    kept, asked = code_hash("A"), code_hash("A" if which == "same" else "B")
    claim = Claim(
        claim_id=1,
        practice_id=1,
        gateway_id="gw-home-a",
        hash=kept,
        expires_at=NOW + timedelta(seconds=left_s),
        withdrawn_at=None if withdrawn_s is None else NOW,
        key=used_by,
        serial=None,
        certificate=None,
    )
    why = refusal(claim, hash_given=asked, key=b"mine", now=NOW)
    may = which == "same" and used_by != b"another's" and left_s > 0 and withdrawn_s is None
    assert (why is None) == may
    assert refusal(None, hash_given=asked, key=b"mine", now=NOW) is Refused.UNKNOWN


def test_a_list_is_made_at_once_for_a_revocation_and_every_day_for_nothing() -> None:
    gone = Revoked(7, NOW, Why.REVOKED)
    newest = Newest(1, NOW, NOW + LIST_LIFE, frozenset())
    assert list_due(None, [], now=NOW) is Due.FIRST
    assert list_due(newest, [], now=NOW + LIST_EVERY - timedelta(seconds=1)) is None
    assert list_due(newest, [], now=NOW + LIST_EVERY) is Due.DAILY
    assert list_due(newest, [gone], now=NOW) is Due.REVOCATION
    assert list_due(Newest(2, NOW, NOW + LIST_LIFE, frozenset({7})), [gone], now=NOW) is None


def test_a_list_names_who_is_out_and_is_good_for_a_week_by_a_clock_that_is_a_little_behind() -> None:
    made = revocation_list(AUTHORITY, [Revoked(7, NOW, Why.REVOKED)], number=3, now=NOW)
    assert [entry.serial_number for entry in made] == [7]
    assert made.next_update_utc == NOW + LIST_LIFE
    assert made.last_update_utc < NOW, "a broker refuses everybody by a list from its future"
    assert vouched(made, AUTHORITY.certificate)
    assert not vouched(made, make_authority(Kind.GATEWAYS, now=NOW).certificate), "the same name, another key"


def test_a_list_is_told_of_with_three_days_left() -> None:
    ends = NOW + LIST_LIFE
    assert standing(ends, now=ends - LIST_ALARM - timedelta(seconds=1)) is Standing.FRESH
    assert standing(ends, now=ends - LIST_ALARM) is Standing.ENDING
    assert standing(ends, now=ends) is Standing.EXPIRED


def test_keys_are_for_their_owner_and_never_written_over(tmp_path: Path) -> None:
    save(AUTHORITY, tmp_path)
    assert (tmp_path / "gateways.key").stat().st_mode & 0o777 == 0o600
    assert load(tmp_path, Kind.GATEWAYS).certificate == AUTHORITY.certificate
    with pytest.raises(UserError, match="not written over"):
        save(AUTHORITY, tmp_path)
    with pytest.raises(UserError, match="rpm-cloud ca make"):
        load(tmp_path, Kind.SERVICES)
    (tmp_path / "gateways.key").chmod(0o644)
    with pytest.raises(UserError, match="open to others"):
        load(tmp_path, Kind.GATEWAYS)
