"""A night on call while those who call are killed.

Goal: nobody is left untold, whatever is killed, frozen or wrong about the time; a provider that hangs delays no call; nobody is told twice without such a fault, and
no oftener with it than each sender of it had just handed over; no step is called before its time. Method: three processes of
the loops that call and send, with the clocks of their machines ten minutes apart; a mail server (real SMTP) that counts what it
kept; time moves on at once where nobody has anything to do. `python -m tests.night` is the same at any length.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from rpm.store.database import Database
from tests.night.drill import Plan, Report, run

PLAN = Plan(alerts=40, kills=6, freezes=1, hang_s=8.0)


@pytest.mark.timeout(300)
def test_replicas_are_killed_and_frozen_and_everybody_is_told(database: Database, tmp_path: Path) -> None:
    """And a run in which nothing was sent again for a kill would prove nothing."""
    report = run(PLAN, database, tmp_path)
    assert not report.faults(), report.as_json()
    assert report.freezes == PLAN.freezes
    assert report.attempts_lost


@pytest.mark.timeout(300)
def test_without_a_fault_everybody_is_told_once(database: Database, tmp_path: Path) -> None:
    """Three replicas, and three ideas of the time."""
    report = run(replace(PLAN, kills=0, freezes=0, hang_s=0.0), database, tmp_path)
    assert not report.faults(), report.as_json()
    assert (report.told, report.twice) == (3 * PLAN.alerts, 0)


@pytest.mark.parametrize(
    "report, fault",
    [
        (Report(PLAN, kills=6, told=0), "no proof"),
        (Report(PLAN, kills=5, told=9), "no proof"),
        (Report(PLAN, kills=6, told=9, twice=13), "twice"),
        (Report(PLAN, kills=6, told=9, never_told=["x"]), "never told"),
        (Report(PLAN, kills=6, told=9, unexpected=["x"]), "unexpected"),
        (Report(PLAN, kills=6, told=9, early=["x"]), "early"),
        (Report(PLAN, kills=6, told=9, delayed=["x"]), "delayed"),
    ],
)
def test_a_night_that_proves_nothing_or_breaks_its_budget_fails(report: Report, fault: str) -> None:
    """Each alone; and a sound one has none."""
    assert list(report.faults()) == [fault]
    assert not Report(PLAN, kills=6, told=9, twice=12).faults()
