"""Who may say that a device stands at the right home, and by what. Method: each way it can be refused, and the two it cannot."""

from datetime import UTC, datetime

import pytest

from rpm.confirmation import How, asked_for, refusal
from schemas.quantity import Absent
from schemas.reading import Reading
from tests.support.readings import glucose, pressure, weight

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
ROSA, KIM = 1, 2


def said(reading: Reading, text: str) -> str | None:
    return refusal(reading, how=How.PATIENT, said=text, assigned_by=ROSA, confirmed_by=ROSA)


@pytest.mark.parametrize(
    "reading, asks, right, wrong",
    [
        (pressure(142, 88, NOW), "Systolic in mmHg", ["142", " 142 ", "142.0"], ["143", "88", "14", "-142"]),
        (weight(182.4, NOW, unit="[lb_av]"), "Weight in lb", ["182.4", "182,4"], ["182", "82.7"]),
        (glucose(5.6, NOW, unit="mmol/L"), "Glucose in mmol/L", ["5.6"], ["101", "5.7"]),
    ],
)
def test_the_patient_reads_the_number_off_the_display(
    reading: Reading, asks: str, right: list[str], wrong: list[str]
) -> None:
    assert asked_for(reading) == asks
    assert [said(reading, text) for text in right] == [None] * len(right)
    for text in wrong:
        assert "may stand at another home" in (said(reading, text) or ""), text


@pytest.mark.parametrize("text", ["", "about 140", "nan", "inf", "1" * 400])
def test_words_are_no_number(text: str) -> None:
    assert said(pressure(142, 88, NOW), text) is not None


def test_the_refusal_tells_nobody_the_value() -> None:
    assert "142" not in (said(pressure(142, 88, NOW), "120") or "142")


def test_a_meter_that_says_hi_cannot_be_read_out() -> None:
    reading = glucose(Absent.POSITIVE_INFINITY, NOW)
    assert asked_for(reading) is None
    assert "ask for another measurement" in (said(reading, "600") or "")


def test_a_second_person_is_another_than_the_first() -> None:
    def second(confirmed_by: int, assigned_by: int | None = ROSA) -> str | None:
        return refusal(
            pressure(142, 88, NOW), how=How.SECOND_PERSON, said="", assigned_by=assigned_by, confirmed_by=confirmed_by
        )

    assert second(KIM) is None
    assert second(KIM, None) is None
    assert "somebody else has to confirm it" in (second(ROSA) or "")
