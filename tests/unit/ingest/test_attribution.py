"""Whose reading it is. The property at the end holds whatever is assigned: never a patient who did not use the device."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.ingest.attribution import CLOCK_UNCERTAINTY, Assignment, Device, owner
from rpm.ingest.reasons import Reason
from schemas.reading import TimeSource

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HERS, HIS = 1, 2
SINGLE = Device(id=1, practice_id=1, address="C0:00:00:00:10:01", single_person=True)
SHARED = Device(id=2, practice_id=1, address="C0:00:00:00:10:02", single_person=False)


def _whose(
    device: Device,
    *assignments: Assignment,
    slot: int | None = None,
    at: datetime = NOON,
    source: TimeSource = TimeSource.DEVICE_CORRECTED,
) -> int | Reason:
    return owner(device, assignments, user_slot=slot, measured_at=at, time_source=source)


def _hers(start: datetime | None = None, end: datetime | None = None, slot: int | None = None) -> Assignment:
    return Assignment(slot, HERS, start, end)


def _his(start: datetime | None = None, end: datetime | None = None, slot: int | None = None) -> Assignment:
    return Assignment(slot, HIS, start, end)


@pytest.mark.parametrize("slot", [None, 255])
def test_a_single_persons_device_need_not_say_who(slot: int | None) -> None:
    assert _whose(SINGLE, _hers(), slot=slot) == HERS


@pytest.mark.parametrize("slot", [None, 255])
def test_a_shared_device_must_say_who(slot: int | None) -> None:
    assert _whose(SHARED, _hers(slot=1), _his(slot=2), slot=slot) is Reason.USER_UNKNOWN


def test_each_slot_has_its_owner() -> None:
    assert _whose(SHARED, _hers(slot=1), _his(slot=2), slot=1) == HERS
    assert _whose(SHARED, _hers(slot=1), _his(slot=2), slot=2) == HIS
    assert _whose(SHARED, _hers(slot=1), _his(slot=2), slot=3) is Reason.NOBODY_ASSIGNED


def test_a_user_number_is_not_the_single_person() -> None:
    assert _whose(SINGLE, _hers(), slot=2) is Reason.NOBODY_ASSIGNED


def test_moving_a_cuff_moves_no_old_reading() -> None:
    moved = NOON
    assignments = _hers(NOON - timedelta(days=30), moved), _his(moved)
    assert _whose(SINGLE, *assignments, at=moved - timedelta(hours=1)) == HERS
    assert _whose(SINGLE, *assignments, at=moved + timedelta(hours=1)) == HIS


@pytest.mark.parametrize("seconds", [-59, 0, 59])
def test_near_a_change_of_hands_it_is_nobodys(seconds: int) -> None:
    at = NOON + timedelta(seconds=seconds)
    assert _whose(SINGLE, _hers(end=NOON), _his(NOON), at=at) is Reason.NEAR_REASSIGNMENT


def test_a_clock_that_could_not_be_read_doubts_a_whole_day() -> None:
    at = NOON + timedelta(hours=23)
    assert _whose(SINGLE, _hers(end=NOON), _his(NOON), at=at) == HIS
    assert _whose(SINGLE, _hers(end=NOON), _his(NOON), at=at, source=TimeSource.DEVICE) is Reason.NEAR_REASSIGNMENT


@pytest.mark.parametrize(
    "uncertainty_s, source, whose",
    [
        (3600.0 * 3, TimeSource.ESTIMATED, Reason.NEAR_REASSIGNMENT),
        (3600.0 * 1, TimeSource.ESTIMATED, HIS),
        (None, TimeSource.ESTIMATED, Reason.NEAR_REASSIGNMENT),
        (1e300, TimeSource.ESTIMATED, Reason.NEAR_REASSIGNMENT),
        (1.0, TimeSource.DEVICE, Reason.NEAR_REASSIGNMENT),
    ],
)
def test_an_estimate_doubts_as_far_as_it_may_be_off(
    uncertainty_s: float | None, source: TimeSource, whose: int | Reason
) -> None:
    """Two hours after a change of hands."""
    found = owner(
        SINGLE,
        (_hers(end=NOON), _his(NOON)),
        user_slot=None,
        measured_at=NOON + timedelta(hours=2),
        time_source=source,
        uncertainty_s=uncertainty_s,
    )
    assert found == whose


def test_the_same_person_again_is_no_change_of_hands() -> None:
    assert _whose(SINGLE, _hers(end=NOON), _hers(NOON), at=NOON) == HERS


def test_the_first_use_begins_at_once() -> None:
    assert _whose(SINGLE, _hers(NOON), at=NOON) == HERS


def test_before_the_first_use_and_after_the_last() -> None:
    used = _hers(NOON, NOON + timedelta(days=1))
    assert _whose(SINGLE, used, at=NOON - timedelta(hours=1)) is Reason.BEFORE_ASSIGNMENT
    assert _whose(SINGLE, used, at=NOON + timedelta(days=1)) is Reason.NOBODY_AT_THAT_TIME
    assert _whose(SINGLE) is Reason.NOBODY_ASSIGNED


_EVER = datetime.max.replace(tzinfo=UTC)
_instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def _histories(draw: st.DrawFn) -> list[Assignment]:
    """Uses of one slot that follow one another, with or without gaps, as the table's constraint allows; hours or years long."""
    near = st.integers(0, 400).map(lambda hours: NOON + timedelta(hours=hours))
    times = sorted(draw(st.lists(st.one_of(_instants, near), min_size=2, max_size=8, unique=True)))
    return [
        Assignment(None, draw(st.integers(1, 3)), start, end) for start, end in pairwise(times) if draw(st.booleans())
    ]


@given(_histories(), _instants, st.sampled_from(list(TimeSource)))
def test_never_given_to_one_who_did_not_use_it(history: list[Assignment], at: datetime, source: TimeSource) -> None:
    whose = _whose(SINGLE, *history, at=at, source=source)
    users = {use.patient_id for use in history if use.holds(at)}
    if not isinstance(whose, Reason):
        assert {whose} == users
        reach = CLOCK_UNCERTAINTY[source]
        assert {use.patient_id for use in history if use.touches(at - reach, at + reach)} == {whose}


@pytest.mark.parametrize("before_s, whose", [(59, Reason.NEAR_REASSIGNMENT), (61, HERS)])
def test_near_its_return_it_is_nobodys_though_nobody_has_it_next(before_s: int, whose: int | Reason) -> None:
    at = NOON - timedelta(seconds=before_s)
    assert _whose(SINGLE, _hers(NOON - timedelta(days=30), NOON), at=at) == whose
    assert _whose(SINGLE, _hers(NOON - timedelta(days=30), NOON), _hers(NOON), at=at) == HERS, "it was not taken back"


@given(_histories(), _instants, st.integers(-5, 5), st.sampled_from(list(TimeSource)))
def test_what_a_box_reads_from_a_wiped_device_is_nobodys_of_before(
    history: list[Assignment], at: datetime, minutes: int, source: TimeSource
) -> None:
    """A device that was wiped holds nothing of before, whatever its clock says; what had been read by then stays whose it was."""
    wiped = [replace(use, wiped_at=(use.end or NOON) + timedelta(days=2)) for use in history]
    uses = [use for use in wiped if use.holds(at)]
    received_at = (uses[0].wiped_at or NOON if uses else NOON) + timedelta(minutes=minutes)

    def whose(uses: list[Assignment]) -> int | Reason:
        return owner(
            SINGLE, uses, user_slot=None, measured_at=at, time_source=source, received_at=received_at
        )  # fmt: skip

    without = whose(history)
    if minutes < 0:
        assert whose(wiped) == without
    else:
        # What was nobody's for another reason stays nobody's, for that reason or for this one.
        assert whose(wiped) is Reason.WIPED_SINCE or (isinstance(without, Reason) and whose(wiped) is without)


def _oracle(history: list[Assignment], at: datetime, reach: timedelta) -> int | None:
    """The patient who alone can have used it: asked instant by instant, at every one where anything changes."""
    moment = timedelta(microseconds=1)
    edges = [edge for use in history for edge in (use.start, use.end) if edge is not None]
    instants = {at, at - reach, at + reach, *(edge + shift for edge in edges for shift in (-moment, timedelta(0)))}

    def user(instant: datetime) -> int | None:
        return next(
            (use.patient_id for use in history if (use.start or NOON) <= instant and (use.end or _EVER) > instant), None
        )

    now_or_later = {user(each) for each in instants if at <= each <= at + reach}
    earlier = {user(each) for each in instants if at - reach <= each < at}
    # Before a first use a device lay in its box: that leaves no doubt. After a return somebody may try it.
    certain = len(now_or_later) == 1 and earlier <= now_or_later | {None}
    return next(iter(now_or_later)) if certain else None


@given(_histories(), st.data(), st.sampled_from(list(TimeSource)))
def test_whatever_is_reassigned_it_is_whose_the_oracle_says(
    history: list[Assignment], data: st.DataObject, source: TimeSource
) -> None:
    reach = CLOCK_UNCERTAINTY[source]
    edges = [edge for use in history for edge in (use.start, use.end) if edge is not None] or [NOON]
    # Most of time is far from any change: look where it matters.
    near = st.tuples(st.sampled_from(edges), st.integers(-6, 6)).map(lambda drawn: drawn[0] + drawn[1] * reach / 4)
    at = data.draw(st.one_of(near, _instants))
    whose = _whose(SINGLE, *history, at=at, source=source)
    assert (None if isinstance(whose, Reason) else whose) == _oracle(history, at, reach)
