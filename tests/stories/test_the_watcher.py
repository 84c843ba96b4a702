"""The watcher is watched: a red from a virtual cuff arrives as a mail at the watcher; then one part after another is switched off.

Method: everything is a process of its own and real: the air, the gateway, the broker, the database, one worker for each part, the
pages, `rpm-cloud watch`; the mail provider is a real SMTP server that relays to the watcher's own door. Instead of an hour
the watcher is told to wait for seconds; how those times add up is what deploy/watch/README.md states. One installation for
all tests, in the order of the file: each part is on again before the next is switched off, and is told by name.
"""

import re
import smtplib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from rpm.demo.processes import Child, free_port, port_answers
from rpm.outage import CAN_WAIT, NOT_DONE, UPKEEP, WAY, Stage
from rpm.watch.state import read_memory
from tests.support.broker import Broker
from tests.support.database import TEMPLATE, DatabaseServer
from tests.support.leaks import leaked
from tests.support.mail import MailSink
from tests.support.world import Home, VirtualDevice, World

HOME = Home("synthetic", (VirtualDevice("cuff", "cuff", "C0:00:00:00:5E:01"),))
CONTACT = "synthetic@watch.example"
#: Of the watcher's settings. A stage beats every five seconds.
LOOK_EVERY_S, SILENT_AFTER_S, WITHIN_S = 0.5, 12.0, 8.0
#: What a machine that is busy with other tests may need besides.
PATIENCE_S = 30.0
READY_S_MAX = 60.0
WORKERS = ("ingest", "evaluate", "escalate", "send", "upkeep")
#: Chores beat once they were due.
BEAT_SOON = set(Stage) - {Stage.ADJUST, Stage.SESSIONS}
#: What the watcher tells where nobody looks after the rest; whoever misses the silent runs beside the pages as well.
LOOKED_AFTER = tuple(stage for stage in UPKEEP if stage not in CAN_WAIT and stage is not Stage.SILENCE)


class Relay(MailSink):
    """The practice's mail provider: hands what it takes on to the watcher's door, or takes nothing."""

    def __init__(self, onward: int) -> None:
        super().__init__()
        self._onward = onward

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = await super().handle_DATA(server, session, envelope)
        if self.refuse is None and envelope.mail_from is not None and envelope.content is not None:
            with smtplib.SMTP("127.0.0.1", self._onward, timeout=10) as door:
                door.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return answer


class Installation(World):
    """A world without a practice of its own: `rpm-cloud synthetic set-up` makes the one there is."""

    def _people(self) -> None:
        """Nobody."""


@dataclass
class Night:
    """Everything that runs, and what the watcher's owner was told."""

    world: Installation
    database: DatabaseServer
    provider: Relay
    alarms: MailSink
    watch_file: Path

    def worker(self, part: str) -> Child:
        """A worker that does one part."""
        return self.world.start_program(part, [sys.executable, "-m", "rpm", "worker", "--only", part])

    def squeeze(self) -> None:
        """The cuff measures a red, and once more: one alone waits to be repeated."""
        for systolic in (221, 223):
            self.world.ask("synthetic", "cuff", "measure", systolic=systolic, diastolic=131, mean=161, pulse=88)

    def told(self, since: int = 0) -> str:
        """What the alarms from number `since` on say."""
        return "\n".join(f"{mail['subject']}\n{mail.get_content()}" for mail in self.alarms.messages[since:]).lower()

    def missed(self, switch_off: Callable[[], object], said: str, *, within_s: float) -> None:
        """Switch a part off, and wait until the owner is told of it by name."""
        before = len(self.alarms.messages)
        assert said not in self.told(before), "told before it was switched off"
        switch_off()
        self.world.until(f"told that {said}", lambda: said in self.told(before), timeout_s=within_s + PATIENCE_S)

    def arrived(self) -> list[str]:
        """The alerts whose mail the watcher knows of."""
        return [one.alert for one in read_memory(self.world.folder / "watch-state.json").arrivals]

    def well_again(self) -> None:
        """Wait until the watcher finds nothing, and has said so."""
        state = self.world.folder / "watch-state.json"

        def told_so() -> bool:
            last = self.alarms.messages[-1:]
            return not read_memory(state).standing and all("works again" in str(mail["subject"]) for mail in last)

        self.world.until("told that it works again", told_so, timeout_s=READY_S_MAX)

    def status(self) -> tuple[int, str]:
        """What `rpm-cloud watch --status` says."""
        child = Child(
            "status", [sys.executable, "-m", "rpm", "watch", str(self.watch_file), "--status"], self.log("status")
        )
        child.log.unlink(missing_ok=True)
        assert child.start().process is not None
        code = child.process.wait(READY_S_MAX) if child.process else -1
        return code, child.log.read_text("utf-8")

    def log(self, name: str) -> Path:
        return self.world.folder / f"{name}.log"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, database_server: DatabaseServer) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("watched")
    door = free_port()
    provider, alarms = Relay(door), MailSink().start()
    provider.start()
    broker = Broker(tmp_path_factory.mktemp("broker"), gateways=(HOME.gateway_id,)).start()
    name = database_server.create(template=TEMPLATE)
    try:
        with Installation(
            folder, homes=[HOME], broker=broker, dsn=database_server.dsn(name), mail_url=provider.url
        ) as world:
            world.command("synthetic", "set-up", "--mail", CONTACT, "--gateway", HOME.gateway_id)
            url = world.start_pages()
            watch_file = folder / "watch.toml"
            watch_file.write_text(
                _settings(url, door, alarms.url.replace("{to}", "oncall@ops.example"), folder), "utf-8"
            )
            night = Night(world, database_server, provider, alarms, watch_file)
            for part in WORKERS:
                night.worker(part)
            # A gateway that finds nobody listening pauses for half a minute, as it should.
            world.until("every part beats", lambda: _beating(world) >= BEAT_SOON, timeout_s=2 * READY_S_MAX)
            world.start_program("watch", [sys.executable, "-m", "rpm", "watch", str(watch_file)])
            # A mail that comes before its door is open is refused, and sent again.
            world.until("the watcher's door is open", lambda: port_answers(door))
            world.start_gateway(HOME)
            yield night
            for child in world.children.values():
                child.kill()
    finally:
        broker.stop()
        provider.stop()
        alarms.stop()
        database_server.drop(name)


def _beating(world: World) -> set[str]:
    return {stage for (stage,) in world.rows("select stage from heartbeat")}


def _settings(url: str, door: int, alarm_url: str, folder: Path) -> str:
    return f"""
name = "The story"
health_url = "{url}/health"
alarm_urls = ["{alarm_url}"]
state = "{folder / "watch-state.json"}"
look_every_s = {LOOK_EVERY_S}
silent_after_s = {SILENT_AFTER_S}
repeat_every_min = 60
[synthetic]
recipient = "{CONTACT}"
smtp = "127.0.0.1:{door}"
every_min = 30
within_min = {WITHIN_S / 60}
"""


def test_a_squeeze_arrives_at_the_watcher(night: Night) -> None:
    """From the cuff's bytes to the mail; then the alert closes itself, so that the next red is another one."""
    night.squeeze()
    [mail] = night.provider.wait(1, timeout_s=READY_S_MAX)
    assert night.provider.recipients == [(CONTACT,)]
    named = re.fullmatch(r"Urgent alert ([0-9a-f]{8}), call 1", str(mail["subject"]))
    assert named is not None
    night.world.until("the watcher knows of its arrival", lambda: night.arrived() == [named.group(1)])
    night.world.until(
        "the alert has closed itself",
        lambda: not night.world.rows("select 1 from alert where kind = 'clinical' and status <> 'closed'"),
    )
    assert night.status()[0] == 0, night.status()
    assert night.alarms.messages == []
    assert leaked(f"{mail.as_string()}\n{mail.get_content()}", "221", "131", "Synthetic Patient", "C0:00") == []


@pytest.mark.parametrize(
    "part, silent",
    [
        ("evaluate", [Stage.EVALUATE]),
        ("escalate", [Stage.ESCALATE]),
        ("send", [Stage.SEND]),
        ("upkeep", LOOKED_AFTER),
        ("ingest", [Stage.INGEST]),
    ],
)
def test_a_part_that_is_killed_is_missed(night: Night, part: str, silent: Sequence[Stage]) -> None:
    before = len(night.alarms.messages)
    night.missed(lambda: night.world.kill(part), NOT_DONE[silent[0]], within_s=SILENT_AFTER_S + LOOK_EVERY_S)
    night.world.until("each of it is named", lambda: all(NOT_DONE[stage] in night.told(before) for stage in silent))
    night.worker(part)
    if part == "ingest":
        # Until it has been let in, nobody knows how the broker is.
        night.well_again()


def test_one_loop_that_cannot_go_on_is_missed_by_name_while_all_others_do(night: Night) -> None:
    """Somebody holds the table that this loop writes: its turns fail, and everything else of the same process beats."""
    night.well_again()
    holder = psycopg.connect(night.world.dsn)
    try:
        night.missed(
            lambda: holder.execute("lock table repeat_wait in exclusive mode"),
            NOT_DONE[Stage.REPEATS],
            within_s=SILENT_AFTER_S + LOOK_EVERY_S,
        )
        last = str(night.alarms.messages[-1].get_content()).lower()
        assert [stage for stage in Stage if NOT_DONE[stage] in last] == [Stage.REPEATS]
    finally:
        holder.close()
    night.well_again()


def test_all_workers_killed_at_once_are_missed(night: Night) -> None:
    """As when their host is gone. Of the broker nothing is said: nobody can ask it."""

    def switch_off() -> None:
        for part in WORKERS:
            night.world.kill(part)

    before = len(night.alarms.messages)
    night.missed(switch_off, NOT_DONE[Stage.INGEST], within_s=SILENT_AFTER_S + LOOK_EVERY_S)
    expected = [NOT_DONE[stage].lower() for stage in (*WAY, *LOOKED_AFTER) if stage is not Stage.BROKER]
    night.world.until("every stage is named", lambda: all(said in night.told(before) for said in expected))
    assert NOT_DONE[Stage.BROKER] not in night.told(before)
    for part in WORKERS:
        night.worker(part)
    night.well_again()


def test_a_broker_that_is_killed_is_missed(night: Night) -> None:
    said = NOT_DONE[Stage.BROKER]
    night.missed(night.world.broker.kill, said, within_s=SILENT_AFTER_S + LOOK_EVERY_S)
    night.world.broker.start()


def test_a_database_that_is_killed_is_missed(night: Night) -> None:
    said = "the pages answer that the database does not"
    night.missed(night.database.kill, said, within_s=SILENT_AFTER_S + LOOK_EVERY_S)
    night.database.start()
    night.well_again()


def test_pages_that_are_killed_are_missed_and_all_is_told_to_be_well_again(night: Night) -> None:
    night.missed(lambda: night.world.kill("pages"), "the pages do not answer", within_s=SILENT_AFTER_S + LOOK_EVERY_S)
    assert night.status()[0] == 1
    night.world.start_pages()
    night.well_again()


def test_a_provider_that_takes_no_mail_is_missed(night: Night) -> None:
    """Every part beats, and the message does not arrive: only the synthetic patient finds it."""
    night.provider.refuse = "451 try later"
    said = "was raised, and its message did not arrive"
    night.missed(night.squeeze, said, within_s=WITHIN_S + LOOK_EVERY_S)
    night.provider.refuse = None
    night.well_again()
