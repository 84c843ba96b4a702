"""A clinic at night, told as those on call would: the wall clock moves on, the loops turn, and every mail is written down.

Real are the database, the loops, the rotas and the mail server; the clock is an argument. What a story asserts is the whole
transcript: a message that is missing and one that nobody expected are both another transcript.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.channels.book import read_channels
from alerts.escalation import parse_plan
from alerts.pace import SINGLY_MAX
from rpm.jobs import cover, pauses
from rpm.jobs.evaluate import Judgement
from rpm.store import alerts
from rpm.store.alerts import Outcome
from rpm.store.database import Connection, Database
from schemas.codes import Kind
from tests.services.judging import RULES, Desk
from tests.support.clinic import Person
from tests.support.mail import MailSink

ZONE: Final = ZoneInfo("America/New_York")
TURN: Final = timedelta(minutes=1)
#: Longer than any story: a time that never comes is a mistake in the story.
LONGEST: Final = timedelta(days=2)
_CALL: Final = re.compile(r"(?P<severity>Urgent|Priority|Routine) alert (?P<id>[0-9a-f]{8}), call (?P<call>\d)")


class Night:
    """One practice whose people are on call by `plan` (TOML). `begins`: an aware instant. `staff`: username → role."""

    def __init__(self, database: Database, sink: MailSink, plan: str, *, begins: str, staff: dict[str, str]) -> None:
        parsed = parse_plan(plan)
        at = datetime.fromisoformat(begins)
        self.desk = Desk(database, now=at, plan=parsed, judgement=Judgement(RULES, parsed))
        self.desk.channels = read_channels(None, mail_url=sink.url)
        self.desk.singly_max = SINGLY_MAX
        self.staff = {name: self.desk.clinic.staff(name, role) for name, role in staff.items()}
        self._sink, self._read = sink, 0
        self._people: dict[str, Person] = {}
        #: What was told, one line for each mail: `Sun 02:10 EST nora: urgent Alvarez, call 1`.
        self.told: list[str] = []

    def also(self, *work: Callable[[], object]) -> None:
        """Have these done in every turn, too."""
        self._more = work

    _more: tuple[Callable[[], object], ...] = ()

    @property
    def wall(self) -> str:
        """What the clock on the wall shows: `Sun 02:10 EST`."""
        return f"{self.desk.now.astimezone(ZONE):%a %H:%M %Z}"

    def until(self, wall: str, *, every: timedelta = TURN) -> None:
        """Let the night go on until the wall shows this, turning all loops as it goes."""
        latest = self.desk.now + LONGEST
        while self.wall != wall:
            self.desk.clinic.now += every
            assert self.desk.now < latest, f"the wall never shows {wall}"
            self.turn()

    def turn(self) -> None:
        """All loops, once, at this instant; and read the mail."""
        pauses.run_once(self.desk.database, now=self.desk.now)
        for work in self._more:
            work()
        self.desk.judge()
        self.desk.call()
        self._read_mail()

    def cover(self) -> int:
        """Look for hours that nobody has, as the upkeep does; how many practices were told."""
        opened = cover.run_once(self.desk.database, now=self.desk.now, plan=self.desk.plan).done
        self.turn()
        return opened

    # What happens

    def patient(self, family: str) -> Person:
        """Somebody at home with a cuff and a meter."""
        self._people[family] = self.desk.clinic.patient("Maria", family)
        return self._people[family]

    def pressure(self, family: str, systolic: float = 192, diastolic: float = 118, *, hours_ago: float = 0) -> None:
        """A squeeze; with nothing said a red. It is judged, called and sent at once."""
        person = self._people.get(family) or self.patient(family)
        self.desk.clinic.pressure(person, systolic, diastolic, minutes_ago=60 * hours_ago)
        self.turn()

    def glucose(self, family: str, mg_dl: float) -> None:
        """A prick."""
        person = self._people.get(family) or self.patient(family)
        self.desk.clinic.measure(person, Kind.GLUCOSE, {"glucose": (mg_dl, "mg/dL")}, at=self.desk.now)
        self.turn()

    def takes(self, who: str, family: str) -> None:
        """Somebody has it."""
        self._act(
            family,
            lambda connection, alert_id: alerts.acknowledge(
                connection, alert_id=alert_id, staff_id=self.staff[who], now=self.desk.now
            ),
        )

    def lets_wait(self, who: str, family: str, minutes: int) -> None:
        """Somebody says until when it may wait."""
        self._act(
            family,
            lambda connection, alert_id: alerts.snooze(
                connection,
                alert_id=alert_id,
                staff_id=self.staff[who],
                minutes=minutes,
                reason="she has eaten and measures again",
                now=self.desk.now,
            ),
        )

    def closes(self, who: str, family: str) -> None:
        """It is dealt with."""
        self._act(
            family,
            lambda connection, alert_id: alerts.close(
                connection,
                alert_id=alert_id,
                staff_id=self.staff[who],
                disposition="called",
                note="",
                now=self.desk.now,
            ),
        )

    def _act(self, family: str, act: Callable[[Connection, int], Outcome]) -> None:
        [alert] = self.desk.rows(
            "select id from alert where patient_id = %(id)s and kind = 'clinical' and status <> 'closed'",
            id=self._people[family].id,
        )
        with self.desk.database.transaction() as connection:
            outcome = act(connection, alert["id"])
        assert outcome.done, outcome
        self.turn()

    # What was told

    def _read_mail(self) -> None:
        new = slice(self._read, len(self._sink.messages))
        self._read = len(self._sink.messages)
        for mail, recipients in zip(self._sink.messages[new], self._sink.recipients[new], strict=True):
            for recipient in recipients:
                self.told.append(f"{self.wall} {recipient.split('@')[0]}: {self._about(str(mail['subject']))}")

    def _about(self, subject: str) -> str:
        found = _CALL.fullmatch(subject)
        if found is None:
            return subject
        [row] = self.desk.rows(
            "select coalesce(patient.family_name, alert.rule_id) as what from alert"
            " left join patient on patient.id = alert.patient_id where left(alert.public_id::text, 8) = %(id)s",
            id=found["id"],
        )
        return f"{found['severity'].lower()} {row['what']}, call {found['call']}"
