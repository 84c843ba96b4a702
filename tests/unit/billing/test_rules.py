"""Rules are dated rows: a date of service chooses its own (F84)."""

from datetime import UTC, date, datetime
from itertools import pairwise

from rpm.billing.rules import CODE_RULES, CODES, in_force, management_rule, supply_rule
from tests.unit.billing.cast import bill, codes, daily, names, work


def test_march_2025_is_billed_by_the_rules_of_2025() -> None:
    """Before 2026 there was no short supply and no short management code."""
    short = bill(daily("2025-03-01", 8), [work("2025-03-10", "10:00", 15 * 60, live=True)], start="2025-03-01")
    assert short.items == ()
    assert {
        one.name for one in short.not_billable if one.code in {"99445", "99470"} and one.end and one.end.year == 2025
    } == {"NO_RULE_FOR_DATE"}
    full = bill(daily("2025-03-01", 16), [work("2025-03-10", "10:00", 20 * 60, live=True)], start="2025-03-01")
    assert codes(full.items) == {"99454": 1, "99453": 1, "99457": 1}


def test_a_period_over_new_year_goes_by_its_date_of_service() -> None:
    answer = bill(daily("2025-12-20", 8), start="2025-12-01")
    assert codes(answer.items) == {"99445": 1, "99453": 1}


def test_a_year_whose_rules_nobody_read_is_not_billed() -> None:
    answer = bill(
        daily("2027-01-02", 20),
        [work("2027-01-10", "10:00", 20 * 60, live=True)],
        start="2027-01-01",
        as_of=datetime(2027, 4, 1, tzinfo=UTC),
    )
    assert answer.items == ()
    assert names(answer.not_billable) >= {"NO_RULE_FOR_DATE"}
    assert in_force(date(2027, 1, 1)) == ()


def test_rows_of_one_code_never_overlap_in_time() -> None:
    for code in CODES:
        rows = sorted((rule for rule in CODE_RULES if rule.code == code), key=lambda rule: rule.effective_from)
        assert rows
        assert all(one.effective_to < following.effective_from for one, following in pairwise(rows))


def test_at_most_one_row_of_a_family_meets_a_count() -> None:
    for count in range(32):
        fitting = [r.code for r in in_force(date(2026, 6, 1)) if r.days_min and r.code != "99453"]
        assert len(fitting) == 2
        rule = supply_rule(count, date(2026, 6, 1))
        assert (rule and rule.code) == (None if count < 2 else "99445" if count < 16 else "99454")
    assert management_rule(19, date(2025, 6, 1)) is None
