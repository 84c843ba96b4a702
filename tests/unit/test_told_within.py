"""How soon somebody is told that a part was switched off: the table of deploy/watch/README.md, held against the defaults.

Method: the watcher's decisions with the settings it comes with, on a clock that is moved. A part is switched off at every
second between two looks, right after it beat, and each look waits for its answer as long as it may. What a row of the table
states must be enough, and not by more than a look and two minutes: a time that is far too long is no statement.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from rpm.health import StageHealth
from rpm.jobs.loops import HEARTBEAT_S
from rpm.outage import CAN_WAIT, NOT_DONE, NOT_GETTING_ON, Stage
from rpm.watch.ask import WAIT_S_MAX
from rpm.watch.judge import Answer
from rpm.watch.settings import WatchSettings, read_watch_settings
from tests.unit.test_watch import LOOK, TEXT, Night

README: Final = Path(__file__).parents[2] / "deploy" / "watch" / "README.md"
A_LOOK: Final = LOOK + timedelta(seconds=WAIT_S_MAX)
_TIME: Final = re.compile(r"^(?:(?P<hours>\d+) h ?)?(?:(?P<minutes>\d+) min)?$")


@pytest.fixture
def settings(tmp_path: Path) -> WatchSettings:
    """As they come: the file says nothing of times."""
    file = tmp_path / "watch.toml"
    file.write_text(TEXT, "utf-8")
    return read_watch_settings(file)


def stated(part: str) -> timedelta:
    """What the table says of the row that begins with `part`."""
    rows = [line.strip("|").split("|") for line in README.read_text("utf-8").splitlines() if line.startswith("| ")]
    [time] = [cells[1].strip() for cells in rows if cells[0].strip().startswith(part)]
    found = _TIME.match(time)
    assert found is not None, time
    return timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))


class Outage(Night):
    """A night whose parts beat, wait or answer by the clock, and are switched off at an instant."""

    def __init__(self, settings: WatchSettings, *, seconds: int) -> None:
        super().__init__(settings)
        self.step = A_LOOK
        self.silent: set[Stage] = set()
        self.stuck: set[Stage] = set()
        self.gone: Answer | None = None
        self.off_at: datetime | None = None
        self.passes(minutes=10)
        self.off_at = self.now + timedelta(seconds=seconds)

    def look(self) -> None:
        now = self.now + self.step
        off_for = now - self.off_at if self.off_at is not None else timedelta(0)
        since_s = max(0.0, off_for.total_seconds())
        for stage in Stage:
            self.stages[stage] = StageHealth(
                age_s=since_s if stage in self.silent else HEARTBEAT_S,
                waiting_s=since_s if stage in self.stuck else 0.0,
            )
        self.answer = self.gone if since_s and self.gone is not None else Answer.TOLD
        super().look()

    def told_after(self, said: str) -> timedelta:
        """How long it took until somebody was told this, and nothing before it was switched off."""
        assert self.told == []
        assert self.off_at is not None
        limit = self.now + timedelta(hours=3)
        while not self.told:
            assert self.now < limit, "nobody was told"
            self.look()
        at: datetime = self.told[0][0]
        assert said in self.bodies().lower()
        return at - self.off_at


SECONDS = range(0, int(A_LOOK.total_seconds()), 3)


def _holds(part: str, taken: list[timedelta]) -> None:
    assert max(taken) <= stated(part)
    assert stated(part) - max(taken) <= A_LOOK + timedelta(minutes=2), "the README states far more than it takes"


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in CAN_WAIT])
def test_a_stage_that_is_switched_off(settings: WatchSettings, stage: Stage) -> None:
    taken: list[timedelta] = []
    for seconds in SECONDS:
        outage = Outage(settings, seconds=seconds)
        outage.silent = {stage}
        taken.append(outage.told_after(NOT_DONE[stage]))
    _holds("the broker" if stage is Stage.BROKER else "the workers", taken)


@pytest.mark.parametrize("stage", NOT_GETTING_ON)
def test_a_stage_that_does_not_get_on(settings: WatchSettings, stage: Stage) -> None:
    taken: list[timedelta] = []
    for seconds in SECONDS:
        outage = Outage(settings, seconds=seconds)
        outage.stuck = {stage}
        taken.append(outage.told_after(NOT_GETTING_ON[stage]))
    _holds("a stage that beats", taken)


@pytest.mark.parametrize("part, answer", [("the database", Answer.NO_DATABASE), ("the pages", Answer.NONE)])
def test_the_database_or_the_pages(settings: WatchSettings, part: str, answer: Answer) -> None:
    taken: list[timedelta] = []
    for seconds in SECONDS:
        outage = Outage(settings, seconds=seconds)
        outage.gone = answer
        taken.append(outage.told_after(str(answer)))
    _holds(part, taken)


def test_the_mail_provider_at_any_minute_of_the_hour(settings: WatchSettings) -> None:
    """Right after a mail went out is the worst: the next one is an hour away."""
    taken: list[timedelta] = []
    for minutes in range(0, 60, 2):
        outage = Outage(settings, seconds=0)
        outage.passes(minutes=minutes)
        outage.off_at, outage.arrives = outage.now, False
        taken.append(outage.told_after("was raised, and its message did not arrive"))
    _holds("the mail provider", taken)


def test_anything_else_between_a_cuff_and_a_mail(settings: WatchSettings) -> None:
    """Every part beats and is well, and no red is raised any more."""
    taken: list[timedelta] = []
    for minutes in range(0, 60, 2):
        outage = Outage(settings, seconds=0)
        outage.passes(minutes=minutes)
        outage.off_at, outage.raises = outage.now, False
        taken.append(outage.told_after("no message of the synthetic patient arrives"))
    _holds("anything else", taken)
