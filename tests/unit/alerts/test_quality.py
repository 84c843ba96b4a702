"""How often a rule's alert was worth a person's time, and when a rule is to be looked at."""

from datetime import date

from alerts.quality import Closed, by_month
from rpm.store.alerts import Disposition

NOVEMBER, OCTOBER = date(2026, 11, 1), date(2026, 10, 1)


def closed(rule_id: str, month: date, **counts: int) -> list[Closed]:
    return [Closed(rule_id, month, Disposition(word), count) for word, count in counts.items()]


def test_what_was_done_says_whether_it_was_worth_it() -> None:
    [month] = by_month(
        closed("high", NOVEMBER, called=3, medication_change=1, false_reading=2, no_action=2, no_answer=5)
    )
    assert (month.closed, month.answered, month.worth_it, month.share) == (13, 8, 4, 0.5)
    assert not month.doubtful


def test_a_rule_is_looked_at_once_enough_alerts_say_so() -> None:
    few = closed("few", NOVEMBER, no_action=9)
    many = closed("many", NOVEMBER, no_action=9, called=1)
    at_the_limit = closed("limit", NOVEMBER, no_action=8, called=2)
    assert {one.rule_id: one.doubtful for one in by_month([*few, *many, *at_the_limit])} == {
        "few": False,
        "many": True,
        "limit": False,
    }


def test_the_newest_month_first_and_in_it_what_is_to_be_looked_at() -> None:
    rows = [
        *closed("a", OCTOBER, no_action=20),
        *closed("b", NOVEMBER, no_action=5),
        *closed("c", NOVEMBER, no_action=19, called=1),
        *closed("d", NOVEMBER, no_answer=2),
        *closed("e", NOVEMBER, called=4),
    ]
    found = by_month(rows)
    assert [one.rule_id for one in found] == ["c", "b", "d", "e", "a"]
    assert found[2].share is None
