"""Whose turn it is on a scale that tells one user's weighings and hangs up."""

import pytest

from devices.consent import in_turn

SPOUSES = ((1, 1111), (2, 2222), (4, 4444))


@pytest.mark.parametrize("last, users", [(None, [1, 2, 4]), (1, [2, 4, 1]), (4, [1, 2, 4]), (3, [1, 2, 4])])
def test_after_one_user_it_is_the_nexts_turn(last: int | None, users: list[int]) -> None:
    assert [user for user, _ in in_turn(SPOUSES, last)] == users


def test_nobody_has_no_turn() -> None:
    assert in_turn((), 1) == ()
