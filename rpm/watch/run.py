"""The watcher's life: look, judge, alarm, remember, tell that it lives; at its own pace until it is stopped."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from alerts.channels import ChannelError
from alerts.channels.providers import AlarmChannel
from rpm.errors import UserError
from rpm.watch import ask
from rpm.watch.arrivals import Arrivals, MaildirDoor, Nowhere, SmtpDoor
from rpm.watch.judge import Alarm, alarm, findings, learn, told
from rpm.watch.settings import Synthetic, WatchSettings
from rpm.watch.state import read_memory, write_memory

_log = structlog.get_logger()


def wall_clock() -> datetime:
    """The clock of this machine: the watcher shares none with what it watches."""
    return datetime.now(UTC)


def channels(settings: WatchSettings) -> list[AlarmChannel]:
    """How alarms leave. UserError that names the first URL that cannot be used by its place, not by its text."""
    made: list[AlarmChannel] = []
    for number, url in enumerate(settings.alarm_urls, start=1):
        try:
            made.append(AlarmChannel(url))
        except ChannelError as error:
            raise UserError(f"alarm_urls: number {number} {error}") from error
    return made


def door(synthetic: Synthetic | None) -> Arrivals:
    """Where the synthetic patient's mail arrives. UserError where it cannot be opened."""
    if synthetic is None:
        return Nowhere()
    if synthetic.smtp is not None:
        return SmtpDoor(synthetic.smtp, synthetic.recipient)
    assert synthetic.maildir is not None, "the settings say one of the two"
    return MaildirDoor(synthetic.maildir)


class Watcher:
    """Everything of one watcher. `turn` is one look."""

    def __init__(
        self, settings: WatchSettings, arrivals: Arrivals, *, clock: Callable[[], datetime] = wall_clock
    ) -> None:
        self._settings = settings
        self._arrivals = arrivals
        self._clock = clock
        self._channels = channels(settings)
        self._trust = ask.trust(settings.health_ca)
        self._memory = read_memory(settings.state)
        self._started_at = clock()
        # Before anything is watched: a disk that refuses is told by the start, not found out in a bad night.
        write_memory(settings.state, self._memory)

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            self.turn()
            stop.wait(self._settings.look_every_s)

    def turn(self) -> None:
        """Look once, tell what is to be told, remember it."""
        look = ask.look(self._settings.health_url, self._trust)
        now = self._clock()
        memory = learn(self._memory, look, self._arrivals.take(now=now), now=now)
        found = findings(memory, look, self._settings, started_at=self._started_at, now=now)
        memory, due = alarm(memory, found, self._settings, now=now)
        sound = True
        if due is not None:
            sound = send(self._channels, due)
            if sound:
                memory = told(memory, due, now=now)
        self._memory = memory
        try:
            write_memory(self._settings.state, memory)
        except UserError as error:
            _log.error("watch.state_not_written", said=str(error))
            sound = False
        # Not while an alarm could not be handed over, or be remembered: then the dead-man service has to call.
        if sound and self._settings.ping_url is not None and not ask.ping(self._settings.ping_url, self._trust):
            _log.warning("watch.ping_not_taken")


def send(ways: Sequence[AlarmChannel], message: Alarm) -> bool:
    """Hand a message to every channel; whether at least one took it."""
    answers = [way.send(subject=message.subject, body=message.body) for way in ways]
    for number, answer in enumerate(answers, start=1):
        if not answer.accepted:
            _log.error("watch.alarm_not_taken", channel=number, said=answer.detail)
    taken = any(answer.accepted for answer in answers)
    _log.warning("watch.alarm", about=list(message.tells), taken=taken)
    return taken
