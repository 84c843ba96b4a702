"""Hours in which nobody would be reached, found before they come; holidays, stand-ins, and the nights the clocks change."""

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.coverage import gaps, uncovered_minutes
from alerts.escalation import EscalationError, Plan, parse_plan, reached
from alerts.rota import Override
from tests.support.on_call import member

NEW_YORK = ZoneInfo("America/New_York")
#: A Wednesday.
NOW = datetime(2026, 12, 23, 14, 0, tzinfo=UTC)
TEXT = """
fallback = ["role:admin"]

[[policy]]
severity = "urgent"
step = [{ after_min = 0, targets = ["rota:nurses"] }]

[[rota]]
name = "nurses"
time_zone = "America/New_York"

[[rota.shift]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "07:00"
to = "19:00"
who = ["staff:nell"]

[[rota.shift]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "19:00"
to = "07:00"
who = ["staff:nora"]

[[rota.holiday]]
date = 2026-12-25
shift = [{ from = "07:00", to = "07:00", who = ["staff:olga"] }]
"""
PLAN = parse_plan(TEXT)
NORA = member(1, "nora", "nurse")
NELL = member(2, "nell", "nurse")
OLGA = member(3, "olga", "nurse")
ADA = member(4, "ada", "admin")
STAFF = (NORA, NELL, OLGA, ADA)


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


def on_duty(text: str, *overrides: Override, plan: Plan = PLAN) -> list[str]:
    return [one.username for one in reached(["rota:nurses"], plan, STAFF, overrides, now=local(text))]


def test_a_covered_fortnight_has_no_gap() -> None:
    assert gaps(PLAN, STAFF, now=NOW) == []


@pytest.mark.parametrize(
    "at, who",
    [
        ("2026-12-24T18:59", "nell"),
        # Christmas Eve's night goes on to its end; then the holiday's own shift, until the next morning.
        ("2026-12-25T06:59", "nora"),
        ("2026-12-25T07:00", "olga"),
        ("2026-12-25T23:00", "olga"),
        ("2026-12-26T06:59", "olga"),
        ("2026-12-26T07:00", "nell"),
    ],
)
def test_on_a_holiday_its_own_shifts_begin(at: str, who: str) -> None:
    assert on_duty(at) == [who]


def test_a_holiday_without_shifts_is_a_gap_that_is_named() -> None:
    plan = parse_plan(TEXT.split('shift = [{ from = "07:00", to = "07:00"', maxsplit=1)[0])
    [gap] = gaps(plan, STAFF, now=NOW)
    assert (gap.begins, gap.ends) == (local("2026-12-25T07:00"), local("2026-12-26T07:00"))
    assert (gap.minutes, gap.reason, gap.fallback) == (1440, "nobody is on duty by rota:nurses", True)


def test_who_stands_in_is_called_only_when_the_other_would_be() -> None:
    week = Override("nurses", local("2026-12-26T00:00"), local("2027-01-02T00:00"), "staff:olga", "staff:nell")
    assert on_duty("2026-12-28T12:00", week) == ["olga"]
    assert on_duty("2026-12-28T22:00", week) == ["nora"]
    assert on_duty("2027-01-02T12:00", week) == ["nell"]
    elsewhere = dataclasses.replace(week, rota="doctors")
    assert on_duty("2026-12-28T12:00", elsewhere) == ["nell"]


def test_who_is_on_duty_too_and_who_is_away() -> None:
    too = Override("nurses", local("2026-12-28T10:00"), local("2026-12-28T14:00"), "staff:olga")
    assert on_duty("2026-12-28T12:00", too) == ["nell", "olga"]
    away = Override("nurses", local("2026-12-28T10:00"), local("2026-12-28T14:00"), None, "staff:nell")
    assert on_duty("2026-12-28T12:00", away) == []
    [gap] = gaps(PLAN, STAFF, [away], now=NOW)
    assert (gap.begins, gap.ends, gap.minutes) == (away.begins, away.ends, 240)
    # Away holds for somebody who is meant by a role, too.
    by_role = parse_plan(TEXT.replace('["staff:nell"]', '["role:nurse"]'))
    assert on_duty("2026-12-28T12:00", away, plan=by_role) == ["nora", "olga"]


def test_an_account_that_cannot_be_told_is_a_gap_that_says_why() -> None:
    staff = (dataclasses.replace(NORA, active=False), dataclasses.replace(NELL, contacts=()), OLGA)
    found = gaps(PLAN, staff, now=local("2026-12-28T07:00"), ahead=timedelta(days=1))
    assert [(gap.reason, gap.minutes, gap.fallback) for gap in found] == [
        ("nobody can be reached: nell has no contact", 720, False),
        ("nobody can be reached: nora is switched off", 720, False),
    ]


@pytest.mark.parametrize(
    "evening, minutes", [("2026-03-07", 11 * 60), ("2026-10-31", 13 * 60), ("2026-06-06", 12 * 60)]
)
def test_a_night_without_anybody_is_as_long_as_that_night(evening: str, minutes: int) -> None:
    """2026-03-07/08 loses an hour, 2026-10-31/11-01 gains one (Energy Policy Act of 2005 dates)."""
    noon = local(f"{evening}T12:00")
    staff = (NELL, OLGA, ADA)
    [gap] = gaps(PLAN, staff, now=noon, ahead=timedelta(days=1))
    assert (gap.begins, gap.minutes) == (local(f"{evening}T19:00"), minutes)


@given(
    pieces=st.lists(st.tuples(st.integers(0, 14 * 24 * 60), st.integers(1, 3000), st.booleans()), max_size=6),
    minute=st.integers(0, 14 * 24 * 60 - 1),
    start=st.sampled_from([local("2026-03-01T00:00"), local("2026-10-25T00:00"), NOW]),
)
def test_a_minute_is_in_a_gap_exactly_when_nobody_is_reached(
    pieces: list[tuple[int, int, bool]], minute: int, start: datetime
) -> None:
    overrides = [
        Override(
            "nurses",
            start + timedelta(minutes=begins),
            start + timedelta(minutes=begins + length),
            None if away else "staff:olga",
            "staff:nora" if away else "staff:nell",
        )
        for begins, length, away in pieces
    ]
    at = start + timedelta(minutes=minute)
    found = gaps(PLAN, STAFF, overrides, now=start)
    inside = any(gap.begins <= at < gap.ends for gap in found)
    assert inside == (not reached(["rota:nurses"], PLAN, STAFF, overrides, now=at))
    assert all(one.ends <= two.begins for one, two in itertools.pairwise(found))


def test_a_date_may_be_a_holiday_once() -> None:
    with pytest.raises(EscalationError, match="a date is a holiday twice"):
        parse_plan(TEXT + "\n[[rota.holiday]]\ndate = 2026-12-25\n")


def test_a_minute_that_two_policies_leave_open_is_one_minute() -> None:
    both = parse_plan(
        TEXT + '\n[[policy]]\nseverity = "priority"\nstep = [{ after_min = 0, targets = ["rota:nurses"] }]\n'
    )
    away = Override("nurses", local("2026-12-28T10:00"), local("2026-12-28T14:00"), None, "staff:nell")
    later = Override("nurses", local("2026-12-29T10:00"), local("2026-12-29T10:30"), None, "staff:nell")
    found = gaps(both, STAFF, [away, later], now=NOW)
    assert [gap.minutes for gap in found] == [240, 30, 240, 30]
    assert uncovered_minutes(found) == 270
    assert uncovered_minutes([]) == 0
