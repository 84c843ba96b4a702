"""Where the periods begin when a day comes late from before the first that was known (F82): told with its date, or kept.

Method: readings of a box that was without a line, received on a given day; the bill is looked at before and after.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from rpm.billing.case import Transmission
from rpm.billing.evaluate import billable_items
from rpm.billing.outcome import BillingResult
from tests.unit.billing.cast import at, bill, case_of, daily

JULY = daily("2026-07-10", 20)


def came(readings: list[Transmission], day: str) -> list[Transmission]:
    return [replace(one, received_at=at(day)) for one in readings]


def looked_at(day: str, readings: list[Transmission], **facts: Any) -> BillingResult:
    return billable_items(case_of(readings, as_of=at(day, "18:00"), start="2026-06-01", **facts))


def starts(answer: BillingResult) -> list[str]:
    return [str(one.start) for one in answer.periods]


def said(answer: BillingResult) -> list[str]:
    return [one.reason for one in answer.warnings if one.name.startswith("ANCHOR_")]


def test_before_a_claim_is_locked_the_periods_follow_the_first_day_and_say_since_when() -> None:
    """Five days of June come on 20 July, while the first period is open: nothing was claimed, so nothing is kept."""
    late = came(daily("2026-06-20", 5), "2026-07-20")
    before = looked_at("2026-07-19", [*JULY, *late])
    assert (starts(before), said(before)) == (["2026-07-10"], [])
    after = looked_at("2026-07-20", [*JULY, *late])
    assert starts(after) == ["2026-06-20", "2026-07-20"]
    assert said(after)[0] == (
        "the periods begin on 2026-06-20 since 2026-07-20, when data of 2026-06-20 came, before a claim was locked;"
        " until then they began on 2026-07-10"
    )


def test_on_hold_they_still_follow_and_from_the_lock_on_they_stay() -> None:
    """The period of 10 July to 8 August: its claim is locked at the first moment of 14 August."""
    june = daily("2026-06-20", 5)
    held = looked_at("2026-08-13", [*JULY, *came(june, "2026-08-13")])
    assert starts(held)[0] == "2026-06-20"
    locked = [*JULY, *came(june, "2026-08-14")]
    before, after = looked_at("2026-08-13", locked), looked_at("2026-08-14", locked)
    assert starts(before) == starts(after) == ["2026-07-10", "2026-08-09"]
    assert before.items[0].state == "on_hold"
    assert after.items[0].state == "final"
    assert before.items[0].days == after.items[0].days
    assert said(after)[0] == (
        "the first countable day is now 2026-06-20; the periods go on from 2026-07-10, as the claim of 2026-07-10 to"
        " 2026-08-08, locked on 2026-08-14, has them, and 5 days of data before that are in no period"
    )


def test_one_day_is_no_claim_and_keeps_nothing() -> None:
    answer = bill([*daily("2026-07-10", 1), *came(daily("2026-06-20", 5), "2026-09-01")], start="2026-06-01")
    assert answer.anchor == date(2026, 6, 20)
    assert [(one.code, str(one.service_date)) for one in answer.items] == []


def test_a_second_late_day_is_asked_about_what_the_first_made() -> None:
    """20 June comes in time and makes a claim to 19 July, locked on 25 July; 10 June comes after that."""
    late = [*came(daily("2026-06-20", 2), "2026-07-20"), *came(daily("2026-06-10", 2), "2026-08-01")]
    answer = looked_at("2026-08-02", [*JULY, *late])
    assert answer.anchor == date(2026, 6, 20)
    assert len(said(answer)) == 2


def test_what_a_box_sends_on_one_day_newest_first_is_told_as_no_move() -> None:
    """Newest first is how a box that was away delivers."""
    days = daily("2026-07-01", 10)
    backlog = [replace(one, received_at=at("2026-07-12", f"12:{30 - n:02}")) for n, one in enumerate(days)]
    answer = looked_at("2026-07-12", backlog)
    assert (answer.anchor, said(answer)) == (date(2026, 7, 1), [])


def test_a_payer_that_counts_calendar_months_hears_only_of_another_month() -> None:
    facts = {"payer_profile": "calendar_month"}
    same = looked_at("2026-07-20", [*JULY, *came(daily("2026-07-03", 2), "2026-07-20")], **facts)
    assert (starts(same), said(same)) == (["2026-07-01"], [])
    locked = looked_at("2026-09-01", [*JULY, *came(daily("2026-07-03", 2), "2026-09-01")], **facts)
    assert (starts(locked)[0], said(locked)) == ("2026-07-01", [])
    other = looked_at("2026-07-20", [*JULY, *came(daily("2026-06-20", 5), "2026-07-20")], **facts)
    assert starts(other) == ["2026-06-01", "2026-07-01"]
    assert said(other)[0].startswith("the periods begin on 2026-06-01 since 2026-07-20, when data of 2026-06-20 came")


def test_an_anchor_that_was_set_is_not_told_as_moved() -> None:
    answer = looked_at("2026-07-20", [*JULY, *came(daily("2026-06-20", 5), "2026-07-20")], anchor=date(2026, 6, 15))
    assert (answer.anchor, said(answer)) == (date(2026, 6, 15), [])


def test_an_episode_that_ended_is_locked_by_its_end() -> None:
    """Ended on 20 July: its claim is locked on 26 July, though its period would have gone on."""
    late = came(daily("2026-06-20", 5), "2026-07-27")
    answer = looked_at("2026-07-28", [*JULY[:11], *late], ended_on=date(2026, 7, 20))
    assert answer.anchor == date(2026, 7, 10)
    assert [one.code for one in answer.items] == ["99445", "99453"]


def test_the_answer_is_the_same_whenever_it_is_asked() -> None:
    sent = [*JULY, *came(daily("2026-06-20", 5), "2026-08-14")]
    answers = [billable_items(case_of(sent, as_of=datetime(2026, month, 1, tzinfo=UTC))) for month in (9, 10, 12)]
    assert {one.anchor for one in answers} == {date(2026, 7, 10)}
