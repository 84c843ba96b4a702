"""One fact is one call: a gain in a day is a gain in a week, too, and a nurse is told of it once."""

import pytest

from alerts.rulefile import RulesError, parse_rules, read_rules
from rpm.settings import CARE
from tests.unit.alerts.test_evaluate import weight
from tests.unit.alerts.test_lifecycle import Ward

SHIPPED = read_rules(CARE / "rules.toml")
#: Steady for a week, and 2.4 kg more the next morning: more than a day, three days and a week may bring.
WEEK = [row for day in range(7, 0, -1) for row in weight(1, 24 * day, 10 - day, 80.0)]
LEAP = weight(1, 0, 10, 82.4)


def opened(ward: Ward) -> set[str]:
    return {rule_id for _, rule_id in ward.open}


def test_a_gain_that_four_rules_see_is_one_alert_of_the_first() -> None:
    ward = Ward(SHIPPED)
    ward.hears([*WEEK, *LEAP])
    assert opened(ward) == {"weight_gain_24h"}


def test_what_was_told_and_closed_is_not_told_by_the_next_rule() -> None:
    ward = Ward(SHIPPED)
    ward.hears([*WEEK, *LEAP])
    ward.close("weight_gain_24h")
    ward.hears([])
    assert opened(ward) == set()


def test_a_slower_gain_is_told_by_the_rule_that_sees_it() -> None:
    ward = Ward(SHIPPED)
    ward.hears([row for day in range(6) for row in weight(1, 24 * (5 - day), day + 1, 80.0 + 0.5 * day)])
    assert opened(ward) == {"weight_gain_7d"}, "2.5 kg in five days, and in no day more than half a kilo"


@pytest.mark.parametrize(
    "named, said",
    [("nobody", "no rule 'nobody' stands above it"), ("mild", "mild may be milder, and would hide it")],
)
def test_who_tells_stands_above_and_is_never_milder(named: str, said: str) -> None:
    rule = """
[[rule]]
id = "{id}"
version = "1"
title = "Pulse"
source = "a test"
sentence = "Pulse {{values}}; limit {{limit}}"
clear_by = {{ "/min" = 5 }}
{more}
[[rule.band]]
severity = "{severity}"
limits.pulse_rate.above = {{ "/min" = 110 }}
"""
    text = 'owner = "Somebody"\nversion = "1"\n'
    text += rule.format(id="mild", severity="routine", more="")
    text += rule.format(id="hard", severity="priority", more=f'told_by = ["{named}"]')
    with pytest.raises(RulesError, match=said):
        parse_rules(text, name="x")
