"""What the watcher says and when, on a clock that is moved: a day of hourly pages, then one part taken away after another.

Pure decisions, and the state on disk. That the parts of the product are really missed: tests/stories/test_the_watcher.py.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rpm.errors import UserError
from rpm.health import Health, StageHealth, SyntheticHealth
from rpm.outage import CAN_WAIT, NOT_DONE, NOT_GETTING_ON, Stage
from rpm.watch.arrivals import MaildirDoor, alert_of
from rpm.watch.judge import Alarm, Answer, Arrival, Look, Memory, Standing, alarm, findings, learn, told
from rpm.watch.settings import WatchSettings, read_watch_settings
from rpm.watch.state import read_memory, status_lines, write_memory
from tests.support.clock import MORNING

LOOK = timedelta(seconds=30)
WELL: Mapping[str, StageHealth] = {stage: StageHealth(age_s=3.0) for stage in Stage}
TEXT = """
name = "Maple Street"
health_url = "https://clinic.example/health"
alarm_urls = ["json://127.0.0.1:1"]
state = "state.json"
[synthetic]
recipient = "synthetic@watch.example"
smtp = "127.0.0.1:2525"
"""


@pytest.fixture
def settings(tmp_path: Path) -> WatchSettings:
    file = tmp_path / "watch.toml"
    file.write_text(TEXT, "utf-8")
    return read_watch_settings(file)


class Night:
    """A watcher and what it watches, on a clock that is moved. `told`: the alarms, in order."""

    def __init__(self, settings: WatchSettings) -> None:
        self.settings = settings
        self.now = self.started_at = MORNING
        self.memory = Memory()
        self.told: list[tuple[datetime, Alarm]] = []
        self.taken = True
        #: From one look to the next.
        self.step = LOOK
        self.stages = dict(WELL)
        self.raises = self.arrives = True
        self.answer = Answer.TOLD
        self._raised: tuple[str, datetime] | None = None

    def restart(self) -> None:
        """The process ends and another begins, with what the disk remembers."""
        self.started_at = self.now

    def look(self) -> None:
        self.now += self.step
        came: list[Arrival] = []
        if self.raises and (self._raised is None or self.now - self._raised[1] >= timedelta(hours=1)):
            self._raised = (
                f"{len(self.told) * 1000 + self.now.minute + self.now.hour * 60 + self.now.day:08x}",
                self.now,
            )
            if self.arrives:
                came.append(Arrival(self._raised[0], self.now + timedelta(seconds=1)))
        page = self._raised and SyntheticHealth(
            alert=self._raised[0], raised_age_s=(self.now - self._raised[1]).total_seconds()
        )
        health = Health(stages=self.stages, synthetic=page or None)
        looked = Look(self.answer, health if self.answer is Answer.TOLD else None)
        self.memory = learn(self.memory, looked, came, now=self.now)
        found = findings(self.memory, looked, self.settings, started_at=self.started_at, now=self.now)
        self.memory, due = alarm(self.memory, found, self.settings, now=self.now)
        if due is not None and self.taken:
            self.memory = told(self.memory, due, now=self.now)
            self.told.append((self.now, due))

    def passes(self, **span: float) -> None:
        until = self.now + timedelta(**span)
        while self.now < until:
            self.look()

    def bodies(self) -> str:
        return "\n".join(f"{alarm.subject}\n{alarm.body}" for _, alarm in self.told)


@pytest.fixture
def night(settings: WatchSettings) -> Night:
    night = Night(settings)
    night.passes(minutes=10)
    return night


def test_a_day_on_which_all_is_well_is_silent(night: Night) -> None:
    night.passes(days=1)
    assert night.told == []


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in CAN_WAIT])
@pytest.mark.parametrize("how", [StageHealth(age_s=181.0), StageHealth(age_s=None)])
def test_a_stage_that_is_silent_is_told_at_the_next_look(night: Night, stage: Stage, how: StageHealth) -> None:
    night.stages[stage] = how
    night.look()
    assert len(night.told) == 1
    assert NOT_DONE[stage] in night.bodies().lower()


@pytest.mark.parametrize("stage", sorted(CAN_WAIT))
def test_nobody_is_woken_for_what_can_wait(night: Night, stage: Stage) -> None:
    """The lists inside tell it; the pages and the way from a reading to a call beat."""
    night.stages[stage] = StageHealth(age_s=None)
    night.passes(days=1)
    assert night.told == []


@pytest.mark.parametrize("stage", NOT_GETTING_ON)
def test_a_stage_that_does_not_get_on_is_told(night: Night, stage: Stage) -> None:
    night.stages[stage] = StageHealth(age_s=1.0, waiting_s=301.0)
    night.look()
    assert NOT_GETTING_ON[stage] in night.bodies().lower()


@pytest.mark.parametrize("answer", [Answer.NONE, Answer.NO_DATABASE])
def test_pages_that_do_not_tell_are_told_after_three_minutes(night: Night, answer: Answer) -> None:
    night.answer = answer
    began = night.now
    night.passes(minutes=3)
    assert night.told == []
    night.passes(minutes=1)
    assert night.told[0][0] - began <= timedelta(seconds=180) + LOOK
    assert str(answer) in night.bodies().lower()


def test_a_page_that_was_raised_and_does_not_arrive_is_told_within_the_time_for_it(night: Night) -> None:
    night.arrives = False
    night.passes(hours=1)
    night.passes(minutes=5.5)
    assert "was raised, and its message did not arrive" in night.bodies()
    assert night.told[0][0] - MORNING <= timedelta(hours=1, minutes=5) + 3 * LOOK


def test_a_page_that_is_not_even_raised_is_told_after_its_hour(night: Night) -> None:
    night.raises = False
    night.passes(minutes=54)
    assert night.told == []
    night.passes(minutes=3)
    assert "no message of the synthetic patient arrives" in night.bodies().lower()


def test_an_alarm_is_repeated_while_it_stands_and_called_off_once(night: Night) -> None:
    night.stages[Stage.INGEST] = StageHealth(age_s=600.0)
    night.passes(hours=2.5)
    assert len(night.told) == 3
    night.stages[Stage.INGEST] = StageHealth(age_s=1.0)
    night.passes(hours=3)
    assert [one.subject for _, one in night.told[3:]] == ["Maple Street: monitoring works again"]
    assert "Over: no worker takes in readings" in night.told[3][1].body


def test_another_part_that_fails_is_told_at_once(night: Night) -> None:
    night.stages[Stage.INGEST] = StageHealth(age_s=600.0)
    night.look()
    night.stages[Stage.SEND] = StageHealth(age_s=600.0)
    night.look()
    assert len(night.told) == 2
    assert NOT_DONE[Stage.SEND] in night.told[1][1].body.lower()


def test_an_alarm_nobody_takes_is_tried_again_at_every_look(night: Night) -> None:
    night.taken = False
    night.stages[Stage.INGEST] = StageHealth(age_s=600.0)
    night.passes(minutes=5)
    night.taken = True
    night.look()
    assert len(night.told) == 1
    night.taken = False
    night.stages[Stage.INGEST] = StageHealth(age_s=1.0)
    night.passes(minutes=5)
    night.taken = True
    night.look()
    assert night.told[-1][1].subject.endswith("works again"), "whoever was alarmed is told that it is over"
    assert len(night.told) == 2


def test_a_restart_neither_forgets_nor_repeats(night: Night) -> None:
    night.stages[Stage.INGEST] = StageHealth(age_s=600.0)
    night.look()
    night.restart()
    night.passes(minutes=30)
    assert len(night.told) == 1
    night.stages[Stage.INGEST] = StageHealth(age_s=1.0)
    night.look()
    assert night.told[-1][1].subject.endswith("works again")


def test_nobody_is_blamed_for_the_time_the_watcher_was_off(night: Night) -> None:
    night.now += timedelta(hours=5)
    night.restart()
    night.answer, night.raises = Answer.NONE, False
    night.passes(minutes=3)
    assert night.told == []
    night.passes(minutes=1)
    assert len(night.told) == 1


def test_another_alerts_mail_is_no_proof(settings: WatchSettings) -> None:
    raised = Arrival("aaaaaaaa", MORNING)
    memory = Memory(raised=raised, arrivals=(Arrival("bbbbbbbb", MORNING + LOOK),))
    look = Look(Answer.TOLD, Health(stages=dict(WELL)))
    late = MORNING + timedelta(minutes=6)
    found = findings(memory, look, settings, started_at=MORNING, now=late)
    assert [one.key for one in found] == ["synthetic"]
    proven = Memory(raised=raised, arrivals=(Arrival("aaaaaaaa", MORNING + LOOK),))
    assert findings(proven, look, settings, started_at=MORNING, now=late) == []


def test_an_alarm_says_what_it_means_and_holds_nothing_of_anybody(night: Night) -> None:
    night.stages[Stage.EVALUATE] = StageHealth(age_s=600.0)
    night.look()
    assert night.told[0][1].subject == "Maple Street: monitoring does not work"
    assert "Patients may be unwell without an alert" in night.told[0][1].body


# The state on disk ---------------------------------------------------------------------------------------------------


def test_what_is_remembered_is_read_back(tmp_path: Path) -> None:
    memory = Memory(
        answered_at=MORNING,
        looked_at=MORNING,
        arrivals=(Arrival("aaaaaaaa", MORNING),),
        raised=Arrival("aaaaaaaa", MORNING),
        standing={"stage.ingest": Standing("no worker takes in readings", MORNING, MORNING)},
    )
    write_memory(tmp_path / "state.json", memory)
    assert read_memory(tmp_path / "state.json") == memory


@pytest.mark.parametrize("text", ["", "{", "[]", '{"arrivals": 7}'])
def test_a_spoilt_state_ends_no_watch(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text, "utf-8")
    assert read_memory(tmp_path / "state.json") == Memory()


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        write_memory(tmp_path / "nowhere" / "state.json", Memory())


def test_status_tells_well_from_ill_from_dead() -> None:
    standing = {"stage.ingest": Standing("no worker takes in readings", MORNING)}
    for memory, after_s, code in (
        (Memory(), 0, 3),
        (Memory(looked_at=MORNING), 10, 0),
        (Memory(looked_at=MORNING, standing=standing), 10, 1),
        (Memory(looked_at=MORNING), 1000, 3),
    ):
        found, lines = status_lines(memory, stale_after_s=160, now=MORNING + timedelta(seconds=after_s))
        assert found == code, lines


# Settings and mail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, said",
    [
        (('name = "Maple Street"', ""), "name: Field required"),
        (("https://clinic.example/health", "clinic.example"), "health_url: must be an address such as"),
        (('alarm_urls = ["json://127.0.0.1:1"]', "alarm_urls = []"), "alarm_urls: Tuple should have at least 1 item"),
        (("127.0.0.1:2525", "here"), "synthetic.smtp: must be an address and a port"),
        (('smtp = "127.0.0.1:2525"', ""), "synthetic: say where its mail arrives"),
        (("[synthetic]", "secret = 1\n[synthetic]"), "secret: Extra inputs are not permitted"),
        (('name = "Maple Street"', "name ="), "is not TOML"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(TEXT.replace(*change), "utf-8")
    with pytest.raises(UserError) as error:
        read_watch_settings(file)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "raw, named",
    [
        (b"Subject: Urgent alert 1a2b3c4d, call 1\r\n\r\n1a2b3c4d", "1a2b3c4d"),
        (b"Subject: =?utf-8?q?Urgent_alert_1a2b3c4d=2C_call_1?=\r\n\r\n", "1a2b3c4d"),
        (b"Subject: hello\r\n\r\nalert 1a2b3c4d", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_only_a_subject_names_an_alert(raw: bytes, named: str | None) -> None:
    assert alert_of(raw) == named


def test_mails_are_taken_out_of_a_maildir_once_and_others_left(tmp_path: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    (tmp_path / "new" / "1.x").write_bytes(b"Subject: Urgent alert 1a2b3c4d, call 1\r\n\r\n")
    (tmp_path / "new" / "2.x").write_bytes(b"Subject: invoice\r\n\r\n")
    door = MaildirDoor(tmp_path)
    assert door.take(now=MORNING) == [Arrival("1a2b3c4d", MORNING)]
    assert door.take(now=MORNING) == []
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["2.x"]


def test_a_folder_that_is_no_maildir_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no Maildir"):
        MaildirDoor(tmp_path)


def test_what_a_newer_release_tells_is_read() -> None:
    told_more: dict[str, Any] = {"stages": {"ingest": {"age_s": 1, "mood": "good"}}, "moon": "full"}
    assert Health.model_validate(told_more).stages["ingest"].age_s == 1
