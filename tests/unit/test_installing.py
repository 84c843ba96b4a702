"""The steps of an installation. Method: what the database may say of a code, and which step comes next, done after how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rpm.installing import Stage, finished, steps
from rpm.store.installs import Progress

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
MADE = Progress(
    gateway_id="gw-home-a", opened_at=NOW, expires_at=NOW + timedelta(minutes=15), withdrawn_at=None, used_at=None,
    heard_at=None, reading_at=None, assigned=False, assigned_at=None, confirmed=False, confirmed_at=None,
    pending_device_id=None, proof=False,
)  # fmt: skip


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


GIVEN = replace(MADE, used_at=at(40))
HEARD = replace(GIVEN, heard_at=at(50))
ASSIGNED = replace(HEARD, assigned=True, assigned_at=at(100))
READ = replace(ASSIGNED, reading_at=at(160))
CONFIRMED = replace(READ, confirmed=True, confirmed_at=at(220), proof=True)


@pytest.mark.parametrize(
    "progress, following",
    [
        (MADE, Stage.CERTIFICATE),
        (GIVEN, Stage.HEARD),
        (HEARD, Stage.ASSIGNED),
        (ASSIGNED, Stage.READING),
        (READ, Stage.CONFIRMED),
        (CONFIRMED, None),
        # A reading came of a device that is nobody's: whose it is, is what is missing.
        (replace(HEARD, reading_at=at(160)), Stage.ASSIGNED),
        # A box that is replaced: its device was somebody's without a question long before, and has not spoken yet.
        (replace(HEARD, assigned=True, assigned_at=at(-9e6), confirmed=True), Stage.READING),
    ],
)
def test_the_first_that_is_not_done_is_next(progress: Progress, following: Stage | None) -> None:
    found = steps(progress, now=at(300))
    assert [step.stage for step in found] == list(Stage)
    assert next((step.stage for step in found if step.next), None) is following
    assert finished(found) is (following is None)


def test_each_says_how_long_after_the_code_it_was() -> None:
    assert [step.after_s for step in steps(CONFIRMED, now=at(300))] == [0, 40, 50, 100, 160, 220]
    before = replace(CONFIRMED, assigned_at=at(-3600))
    assert steps(before, now=at(300))[3].after_s == -3600


@pytest.mark.parametrize("over", [{"withdrawn_at": at(60)}, {"expires_at": at(60)}])
def test_a_code_that_is_over_leads_nowhere_and_says_to_make_another(over: dict[str, datetime]) -> None:
    found = steps(replace(MADE, **over), now=at(60))
    assert not any(step.next for step in found)
    assert "make a new one" in found[0].said
    assert any(step.next for step in steps(replace(GIVEN, **over), now=at(60))), "a box came in by it before"


def test_a_held_reading_counts_and_says_so_and_the_confirmed_one_is_the_proof() -> None:
    assert "held until it is known whose it is: it counts" in steps(READ, now=at(200))[4].said
    assert "proof of set-up" in steps(CONFIRMED, now=at(300))[5].said
    assert "proof" not in steps(replace(CONFIRMED, proof=False), now=at(300))[5].said
