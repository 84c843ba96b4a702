"""Everything is killed or stopped, in turn, while people go on measuring; then the oracle looks.

Goal: no crash of gateway, broker, worker or database, no long outage and no stranger in the workers' group loses, doubles,
misfiles or misdates a reading, or hides a red one. Method: homes of virtual devices that keep a ledger at confirmation; faults
drawn from a seed; then peace to drain, and the oracle (which shares no code with the pipeline) compares ledger, tables and
alerts. A run in which any part was not killed, or nothing was delivered, fails.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.drill import DRAIN_S_MAX, Plan, Report, run, write
from tests.chaos.faults import Part, first
from tests.support.oracle import Verdict

PLAN = Plan(seconds=75, outage_s=8)
REPORT = Path(__file__).resolve().parents[2] / "build" / "chaos.json"


@pytest.mark.timeout(PLAN.seconds + 4 * PLAN.outage_s + 2 * DRAIN_S_MAX + 120)
def test_kills_freezes_outages_and_a_rogue_lose_nothing(tmp_path: Path) -> None:
    """kill -9 of each part, SIGSTOP, two outages, two full disks, a member that swallows: nothing lost, doubled, misfiled or misdated."""
    report = run(PLAN, tmp_path, name=f"test-{os.getpid()}-chaos")
    write(report, REPORT)
    assert not report.faults(), report.told()
    assert report.swallowed
    assert report.filled == {"b": 1, "database": 1}


def test_the_same_seed_breaks_the_same_things() -> None:
    """Another seed does not; and each part's turn comes in every four."""
    assert first(7, 40, gateways=3, workers=2) == first(7, 40, gateways=3, workers=2)
    assert first(7, 40, gateways=3, workers=2) != first(8, 40, gateways=3, workers=2)
    assert {fault.part for fault in first(7, 4, gateways=3, workers=2)} == set(Part)


@pytest.mark.parametrize(
    "verdict, wire, p99_s, fault",
    [
        (Verdict(records=0, kills=Counter(broker=1)), 1.0, 1.0, "no proof"),
        (Verdict(records=9, kills=Counter()), 1.0, 1.0, "no proof"),
        (Verdict(records=9, kills=Counter(broker=1, worker=0)), 1.0, 1.0, "no proof"),
        (Verdict(records=9, kills=Counter(broker=1), lost=["x"]), 1.0, 1.0, "lost"),
        (Verdict(records=9, kills=Counter(broker=1)), 4.1, 1.0, "wire"),
        (Verdict(records=9, kills=Counter(broker=1)), 1.0, 91.0, "late"),
    ],
)
def test_a_run_that_proves_nothing_or_breaks_its_budget_fails(
    verdict: Verdict, wire: float, p99_s: float, fault: str
) -> None:
    """No reading, no kill, a loss, too many sendings, too late: each is a fault, and without it there is none."""
    report = Report(Plan(), verdict, {}, {}, [], 0, wire, p99_s, 0.0, 0.0)
    assert list(report.faults()) == [fault]
    assert not Report(Plan(), Verdict(records=9, kills=Counter(broker=1)), {}, {}, [], 0, 1.0, 1.0, 0.0, 0.0).faults()
