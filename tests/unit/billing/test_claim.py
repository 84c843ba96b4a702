"""Lines that may not stand together are refused by name (F83, F89, B3): the exclusion matrix, cell by cell."""

from datetime import date

import pytest

from rpm.billing.claim import ClaimLine, check_claim
from rpm.billing.rules import PayerProfile, PeriodMode
from tests.unit.billing.cast import names

PERIOD = (date(2026, 1, 15), date(2026, 2, 13))
NEXT_PERIOD = (date(2026, 2, 14), date(2026, 3, 15))
JANUARY = (date(2026, 1, 1), date(2026, 1, 31))
FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))
FULL = ClaimLine("99454", 1, *PERIOD)
MANAGEMENT = ClaimLine("99457", 1, *JANUARY)


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([FULL, ClaimLine("99445", 1, *PERIOD)], {"SUPPLY_SHORT_WITH_FULL"}),
        ([FULL, ClaimLine("99445", 1, date(2026, 2, 13), date(2026, 3, 14))], {"SUPPLY_SHORT_WITH_FULL"}),
        ([FULL, ClaimLine("99454", 1, *PERIOD)], {"SUPPLY_TWICE"}),
        ([FULL, ClaimLine("99454", 1, *PERIOD, "another practice")], {"ONE_PRACTITIONER"}),
        ([MANAGEMENT, ClaimLine("99470", 1, *JANUARY)], {"MANAGEMENT_SHORT_WITH_FULL"}),
        ([MANAGEMENT, ClaimLine("99457", 1, *JANUARY)], {"MANAGEMENT_TWICE"}),
        ([ClaimLine("99458", 1, *JANUARY)], {"ADDITIONAL_WITHOUT_PARENT"}),
        ([MANAGEMENT, ClaimLine("99458", 1, *FEBRUARY)], {"ADDITIONAL_WITHOUT_PARENT"}),
        (
            [ClaimLine("99470", 1, *JANUARY), ClaimLine("99458", 1, *JANUARY)],
            {"ADDITIONAL_WITHOUT_PARENT", "ADDITIONAL_AFTER_SHORT"},
        ),
        ([MANAGEMENT, ClaimLine("99458", 4, *JANUARY)], {"UNITS_OUT_OF_RANGE"}),
        ([MANAGEMENT, ClaimLine("99458", 0, *JANUARY)], {"UNITS_OUT_OF_RANGE"}),
        ([MANAGEMENT, ClaimLine("99458", 1, *JANUARY), ClaimLine("99458", 1, *JANUARY)], {"ADDITIONAL_TWICE"}),
        ([ClaimLine("99454", 2, *PERIOD)], {"UNITS_OUT_OF_RANGE"}),
        ([ClaimLine("99453", 1, *PERIOD)], {"SET_UP_WITHOUT_SUPPLY"}),
        ([FULL, ClaimLine("99453", 1, *PERIOD), ClaimLine("99453", 1, *PERIOD)], {"SET_UP_TWICE"}),
        ([MANAGEMENT, ClaimLine("99091", 1, *JANUARY)], {"DATA_REVIEW_WITH_MANAGEMENT"}),
        ([FULL, ClaimLine("98977", 1, *PERIOD)], {"RPM_RTM_CONFLICT"}),
        ([MANAGEMENT, ClaimLine("98980", 1, *JANUARY)], {"RPM_RTM_CONFLICT"}),
        ([FULL, ClaimLine("99474", 1, *PERIOD)], {"SELF_MEASURED_WITH_RPM"}),
        ([ClaimLine("99445", 1, date(2025, 1, 15), date(2025, 2, 13))], {"NO_RULE_FOR_DATE"}),
        ([ClaimLine("99454", 1, date(2027, 1, 15), date(2027, 2, 13))], {"NO_RULE_FOR_DATE"}),
        ([ClaimLine("12345", 1, *PERIOD)], {"UNKNOWN_CODE"}),
        ([ClaimLine("99454", 1, PERIOD[1], PERIOD[0])], {"SPAN_BACKWARDS"}),
    ],
)
def test_refused_by_name(lines: list[ClaimLine], expected: set[str]) -> None:
    assert names(check_claim(lines)) == expected
    assert names(check_claim(lines[::-1])) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [FULL, ClaimLine("99453", 1, *PERIOD), MANAGEMENT, ClaimLine("99458", 3, *JANUARY)],
        [FULL, ClaimLine("99445", 1, *NEXT_PERIOD)],
        [MANAGEMENT, ClaimLine("99470", 1, *FEBRUARY)],
        [FULL, ClaimLine("99091", 1, *PERIOD)],
        [FULL, MANAGEMENT, ClaimLine("99490", 1, *JANUARY), ClaimLine("G0557", 1, *JANUARY)],
    ],
)
def test_lines_that_may_stand_together(lines: list[ClaimLine]) -> None:
    assert check_claim(lines) == ()


def test_the_cap_is_the_payers() -> None:
    lines = [MANAGEMENT, ClaimLine("99458", 4, *JANUARY)]
    assert check_claim(lines, profile=PayerProfile("generous", PeriodMode.FIXED_30, additional_units_max=4)) == ()
