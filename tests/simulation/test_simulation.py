"""Thousands of runs of the way from outbox to receipt, each from a seed; a failure names the seed and tells its story.

Goal: no order of crashes, cuts, delays and repetitions loses, doubles or invents a reading, acknowledges or receipts what is
not committed, or leaves one waiting for ever. Method: the product's own uplink, outbox, subscriber and ingest loop, by a virtual
clock. `RPM_SIMULATION_SEED=77 pytest tests/simulation` runs one seed again, `RPM_SIMULATION_SEEDS=20000` more of them.
"""

import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
import structlog

from tests.simulation.bugs import Bug
from tests.simulation.world import Outcome, simulate

SEEDS = int(os.environ.get("RPM_SIMULATION_SEEDS", "2000"))
#: A planted mistake is seen within so many seeds.
SEEDS_TO_SEE_A_BUG = 40
#: Processes that share the seeds.
PROCESSES_MAX = 4


def _hush() -> None:
    """What the product would log of thousands of crashes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - pytest finds it
    _hush()
    yield
    structlog.reset_defaults()


def _outcomes(seeds: range) -> Iterator[Outcome]:
    """In the seeds' order. Processes of their own kind, not copies of this one, whose threads would be half there."""
    many = min(os.cpu_count() or 1, PROCESSES_MAX)
    with ProcessPoolExecutor(many, multiprocessing.get_context("spawn"), initializer=_hush) as pool:
        yield from pool.map(simulate, seeds, chunksize=25)


@pytest.mark.timeout(600)
def test_no_seed_loses_doubles_or_delays_a_reading() -> None:
    """Every seed is sound; together they met every kind of fault, and readings were heard in each."""
    one = os.environ.get("RPM_SIMULATION_SEED")
    met: Counter[str] = Counter()
    for outcome in [simulate(int(one))] if one else _outcomes(range(SEEDS)):
        story = "\n".join(
            [f"RPM_SIMULATION_SEED={outcome.seed} pytest tests/simulation", *outcome.trace, *outcome.wrong]
        )
        assert not outcome.wrong, story
        assert outcome.heard == outcome.stored > 0, story
        met.update(outcome.faults)
    assert one or len(met) == 12, met


@pytest.mark.parametrize("bug", list(Bug))
def test_a_planted_mistake_is_seen(bug: Bug) -> None:
    """Each of the mistakes this design is there to avoid."""
    assert any(simulate(seed, bug).wrong for seed in range(SEEDS_TO_SEE_A_BUG))


def test_a_seed_tells_the_same_story_twice() -> None:
    """Or a failure could not be looked at."""
    assert simulate(5).trace == simulate(5).trace
    assert simulate(5).trace != simulate(6).trace
