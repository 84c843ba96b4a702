"""How long from an alert's row to its message in the provider's hands: with nothing else open, and with many open alerts.

Method: a database of its own, a worker for the two stages alone (`--only escalate --only send`) with default settings but for the
pace of one contact, and a mail server that notes when it took each message. Urgent alerts of a practice with one nurse are
written one by one, at a steady rate with random pauses; each counts from its commit to the end of its mail. Steps that are due are
counted in this process, by the loop's own turn.
"""

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiosmtpd.smtp import SMTP, Envelope, Session
from typing_extensions import override

from alerts.escalation import read_plan
from rpm.demo.processes import Child
from rpm.jobs import escalate
from rpm.settings import CARE
from rpm.store import worklist
from rpm.store.database import Connection, Database
from rpm.store.migrate import upgrade
from tests.bench.ground import Ground, utc_now, wait_started
from tests.bench.machine import resident_mib
from tests.bench.results import Result
from tests.support.clinic import URGENT, Clinic, Person
from tests.support.mail import MailSink

SEED: Final = 20261128
PERCENTILES: Final = (50, 99)
PER_SECOND: Final = 10.0
MESSAGE_S_MAX: Final = 30.0

_ALERT: Final = """
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at, next_step_at, armed)
values (%(practice)s, %(patient)s, 'clinical', %(rule)s, '1', 'urgent', %(severity)s, 'bench', '{}', %(now)s, %(now)s, %(now)s,
    %(now)s, 1)
returning left(public_id::text, 8) as name
"""
#: Alerts that somebody was told of and nobody has taken: the next step is hours away.
_OPEN: Final = """
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,
    opened_at, updated_at, next_step_at, armed, step)
select %(practice)s, %(patient)s, 'clinical', 'open_' || number, '1', 'urgent', 3, 'bench', '{}', %(now)s, %(now)s, %(now)s,
    %(now)s + interval '6 hours', 1, 1
from generate_series(1, %(count)s) as number
"""


class _Clocked(MailSink):
    """A mail server that notes when it had taken each message, by what its subject names."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, float] = {}

    @override
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        # "Urgent alert 41ff5679, call 1"
        self.taken[str(self.messages[-1]["subject"]).split()[2].rstrip(",")] = time.monotonic()
        return answer


def measure(ground: Ground, *, reps: int, alerts: int, open_alerts: int) -> Iterator[Result]:
    """p50 and p99 from row to provider, idle and beside `open_alerts`; due steps taken a second; the worker's memory."""
    chance = random.Random(SEED)
    dsn = ground.server.dsn(ground.server.create())
    upgrade(dsn)
    database = Database(dsn).open()
    sink = _Clocked()
    sink.start()
    try:
        clinic = Clinic(database, now=utc_now())
        clinic.staff("nora")
        person = clinic.patient("Maria", "Alvarez", measures=False)
        worker = _worker(ground.folder, dsn, sink)
        try:
            yield from _times(ground, "", clinic, person, sink, worker, chance, reps=reps, alerts=alerts)
            with database.transaction() as connection:
                _execute(connection, _OPEN, practice=clinic.practice_id, patient=person.id, count=open_alerts)
                connection.execute("analyze alert")
            which = f", {open_alerts:,} open"
            yield from _times(ground, which, clinic, person, sink, worker, chance, reps=reps, alerts=alerts)
            memory = Result("escalate and send, resident", "MiB")
            with ground.meter(callers=worker.pid) as meter:
                resident = resident_mib(worker.pid)
            memory.add(resident, meter.cpus)
            yield memory
        finally:
            worker.stop()
        yield _claims(ground, database, clinic, person, count=open_alerts, reps=reps)
    finally:
        sink.stop()
        database.close()


def _worker(folder: Path, dsn: str, sink: MailSink) -> Child:
    environment = {
        "RPM_DSN": dsn, "RPM_MAIL_URL": sink.url, "RPM_MESSAGES_SINGLY_MAX": "1000000", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "rpm", "worker", "--only", "escalate", "--only", "send"]
    worker = Child("callers", command, folder / "callers.log", environment).start()
    wait_started(worker)
    return worker


def _times(
    ground: Ground, which: str, clinic: Clinic, person: Person, sink: _Clocked, worker: Child, chance: random.Random,
    *, reps: int, alerts: int,
) -> Iterator[Result]:  # fmt: skip
    found = {percentile: Result(f"alert → provider{which}, p{percentile}", "ms") for percentile in PERCENTILES}
    for rep in range(reps):
        written: dict[str, float] = {}
        with ground.meter(callers=worker.pid) as meter:
            for number in range(alerts):
                time.sleep(chance.expovariate(PER_SECOND))
                facts = {"patient": person.id, "rule": f"bench{which}_{rep}_{number}", "severity": URGENT}
                # As whoever judges does: the row, and a word to those who look.
                with clinic.database.transaction() as connection:
                    row = _execute(connection, _ALERT, practice=clinic.practice_id, **facts)
                    worklist.announce(connection, clinic.practice_id)
                written[row["name"]] = time.monotonic()
            deadline = time.monotonic() + MESSAGE_S_MAX
            while not sink.taken.keys() >= written.keys() and time.monotonic() < deadline:
                time.sleep(0.01)
        times = [sink.taken[name] - at for name, at in written.items() if name in sink.taken]
        counts = {"sent": alerts, "lost": alerts - len(times), "duplicates": 0}
        for percentile, result in found.items():
            value = round(float(np.percentile(times, percentile)) * 1000, 1) if times else 0.0
            result.add(value, meter.cpus, counts)
    yield from found.values()


def _claims(ground: Ground, database: Database, clinic: Clinic, person: Person, *, count: int, reps: int) -> Result:
    """Steps taken a second by one escalator, of alerts that are all due at once."""
    plan = read_plan(CARE / "escalation.toml")
    result = Result(f"due steps taken, of {count:,}", "steps/s")
    for _ in range(reps):
        with database.transaction() as connection:
            _execute(
                connection,
                "update alert set status = 'open', step = 0, armed = armed + 1, next_step_at = %(now)s where patient_id = %(patient)s"
                " and rule_id like 'open%%'",
                practice=clinic.practice_id,
                patient=person.id,
            )
        taken = 0
        with ground.meter() as meter:
            began = time.monotonic()
            while (report := escalate.run_once(database, now=utc_now(), plan=plan)).done:
                taken += report.alerts
            took_s = time.monotonic() - began
        result.add(round(taken / took_s), meter.cpus, {"sent": count, "lost": count - taken, "duplicates": 0})
    return result


def _execute(connection: Connection, statement: str, **values: Any) -> Any:
    cursor = connection.execute(statement.encode(), {**values, "now": utc_now()})
    return cursor.fetchone() if cursor.description else None
