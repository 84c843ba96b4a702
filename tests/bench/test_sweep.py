"""The measurement of a sweep works on a few patients; no figure is judged."""

from pathlib import Path

from tests.bench import sweep

#: More than one claim of each process.
PATIENTS = 450


def test_everybody_is_judged_and_the_second_sweep_opens_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    first, second, third = sweep.measure(PATIENTS, tmp_path, said.append)
    assert first.detail["alerts"] > 0
    assert first.detail["alerts"] == second.detail["alerts"] == third.detail["alerts"]
    assert all(result.detail["processor_s"] > 0 for result in (first, second, third))
    assert "sweep: day 30 of 30" in said
