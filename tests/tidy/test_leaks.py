"""The search for health data sees what is told, and does not take a clock for a systolic.

Goal: the guard of P8 neither sleeps nor cries by chance. Method: lines that do tell beside lines that only look like it.
"""

import pytest

from tests.support.leaks import leaked


@pytest.mark.parametrize(
    "line",
    ['{"systolic": 192.0}', '{"systolic":192}', "a systolic of 192.", "192/118", "192 mmHg", "[192, 118]", "x=192"],
)
def test_a_value_that_is_told_is_seen(line: str) -> None:
    assert leaked(line, "192") == ["192"]


@pytest.mark.parametrize(
    "line",
    [
        '{"timestamp": "2026-11-22T23:58:51.192192Z"}',
        '{"timestamp": "2026-11-22 23:58:51.192+00:00"}',
        '{"epoch": "0a192bcd192ef143"}',
        "https://clinic.example/alerts/192a0b1c-0192-4192-8192-192192192192",
        "127.0.0.1:19234",
        "after_s 3.192",
        "--===============1920192192019219201==",
    ],
)
def test_a_clock_or_a_drawn_number_is_none(line: str) -> None:
    assert leaked(line, "192") == []


def test_a_name_is_seen_wherever_it_stands() -> None:
    assert leaked("label=AlvarezHome", "Maria", "Alvarez") == ["Alvarez"]
