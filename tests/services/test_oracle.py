"""The oracle sees what it must: each kind of fault is planted in a sound run, and found under its own name.

Method: one cuff and one meter, three records in a ledger, and the rows a faultless pipeline would have stored, written by
plain SQL. Each test breaks one thing.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.support.oracle import GatewayKill, Owners, Verdict, judge

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CUFF, METER = "C0:00:00:00:10:01", "C0:00:00:00:10:03"
KILLS = {"gateway": 1, "worker": 1, "broker": 1, "database": 1}

PEOPLE = """
insert into practice (name, time_zone, created_at) values ('Clinic', 'America/New_York', 'epoch');
insert into patient (practice_id, given_name, family_name, birth_date, time_zone, created_at)
    values (1, 'A', 'One', '1950-01-01', 'UTC', 'epoch'), (1, 'B', 'Two', '1951-01-01', 'UTC', 'epoch');
insert into device (practice_id, address, kind, label, created_at)
    values (1, 'C0:00:00:00:10:01', 'blood_pressure', 'cuff', 'epoch'), (1, 'C0:00:00:00:10:03', 'glucose', 'meter', 'epoch');
"""
READING = """
insert into reading (reading_no, reading_id, practice_id, patient_id, device_id, gateway_id, epoch, seq, kind, characteristic,
    measured_at, device_time, time_source, sequence_number, received_at, admitted_at, backfill, late, status, flags, context, raw)
select %(number)s, gen_random_uuid(), 1, %(patient)s, id, 'gw-home-a', '0123456789abcdef', %(number)s, kind, '2A35',
    %(at)s, %(device_time)s, 'device', %(sequence)s, %(at)s, %(at)s, false, false, '{}', '{}', '{}', decode(%(raw)s, 'hex')
from device where address = %(address)s
"""
OBSERVATION = """
insert into observation (measured_at, value, reading_no, patient_id, practice_id, code, unit, quality)
values (%(at)s, %(value)s, %(number)s, %(patient)s, 1, %(code)s, %(unit)s, 0)
"""
ALERT = """
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at, opened_at,
    updated_at) values (1, %(patient)s, 'clinical', %(rule)s, '1', 'urgent', 3, 'x', '{}', %(at)s, %(at)s, %(at)s)
"""


class Run:
    """A finished run: a ledger folder and a database, sound until something is broken."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn, self.lines = folder, dsn, 0
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute(PEOPLE)  # pyright: ignore[reportArgumentType] - several statements in one literal
        self.devices_say(CUFF, 1, "16800051", NOON, {"systolic": (128.0, "mm[Hg]"), "diastolic": (81.0, "mm[Hg]")})
        self.devices_say(CUFF, 2, "16c00076", NOON + timedelta(minutes=5), {"systolic": (192.0, "mm[Hg]")})
        self.devices_say(METER, 1, "0b01", NOON, {"glucose": (104.0, "mg/dL")})
        self.stored(1, CUFF, "16800051", NOON, patient=1, values=[(1, 128.0, 1), (2, 81.0, 1)])
        self.stored(2, CUFF, "16c00076", NOON + timedelta(minutes=5), patient=1, values=[(1, 192.0, 1)])
        self.stored(3, METER, "0b01", NOON, patient=2, sequence=1, values=[(8, 104.0, 9)])
        self.alert(1)

    def devices_say(
        self,
        address: str,
        number: int,
        raw: str,
        at: datetime,
        values: dict[str, tuple[float, str]],
    ) -> None:
        """Append a line to the ledger."""
        line = {
            "address": address,
            "number": number,
            "characteristic": "2A18" if address == METER else "2A35",
            "raw": raw,
            "user_slot": None,
            "values": {name: {"value": value, "unit": unit} for name, (value, unit) in values.items()},
            "taken_at": at.isoformat(),
            "confirmed_at": (at + timedelta(seconds=30)).isoformat(),
        }
        with (self.folder / "ledger.jsonl").open("a") as ledger:
            ledger.write(json.dumps(line) + "\n")

    def stored(
        self,
        number: int,
        address: str,
        raw: str,
        at: datetime,
        *,
        patient: int,
        sequence: int | None = None,
        values: list[tuple[int, float, int]],
    ) -> None:
        """Write the rows of one reading."""
        facts = {"number": number, "address": address, "raw": raw, "at": at, "patient": patient, "sequence": sequence}
        self.connection.execute(READING, {**facts, "device_time": at.strftime("%Y-%m-%dT%H:%M:%S")})
        for code, value, unit in values:
            self.connection.execute(OBSERVATION, {**facts, "code": code, "value": value, "unit": unit})

    def alert(self, patient: int, rule: str = "bp_high") -> None:
        """Write an urgent alert."""
        self.connection.execute(ALERT, {"patient": patient, "rule": rule, "at": NOON})

    def verdict(self, kills: dict[str, int] = KILLS, *, gateway_killed: timedelta = timedelta(hours=1)) -> Verdict:
        """What the oracle says now. `gateway_killed` so long after noon."""
        killed = GatewayKill(NOON + gateway_killed, frozenset({CUFF, METER}))
        owners: Owners = {(CUFF, None): 1, (METER, None): 2}
        return judge(self.folder, self.dsn, owners=owners, kills=kills, gateway_kills=[killed])


@pytest.fixture
def run(tmp_path: Path, dsn: str) -> Iterator[Run]:
    """A sound run."""
    finished = Run(tmp_path, dsn)
    yield finished
    finished.connection.close()


def test_a_faultless_run_is_sound(run: Run) -> None:
    """Nothing planted, nothing found."""
    verdict = run.verdict()
    assert verdict.sound, verdict.faults()
    assert verdict.records == 3


def broken(statement: str) -> Callable[[Run], None]:
    """Break the database by one statement."""

    def act(run: Run) -> None:
        run.connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue] - a test's own literal

    return act


FAULTS: dict[str, tuple[str, Callable[[Run], None]]] = {
    "a meter's record is gone": ("lost", broken("delete from reading where reading_no = 3")),
    "a reading is stored twice": (
        "doubled",
        lambda run: run.stored(9, CUFF, "16800051", NOON, patient=1, values=[(1, 128.0, 1), (2, 81.0, 1)]),
    ),
    "a reading nobody took": (
        "invented",
        lambda run: run.stored(9, CUFF, "1699", NOON, patient=1, values=[(1, 150.0, 1)]),
    ),
    "the spouse's chart": ("misattributed", broken("update reading set patient_id = 2 where reading_no = 1")),
    "another value": ("misread", broken("update observation set value = 129 where reading_no = 1 and code = 1")),
    "another unit": ("misread", broken("update observation set unit = 2 where reading_no = 1 and code = 1")),
    "a value left out": ("misread", broken("delete from observation where reading_no = 1 and code = 2")),
    "another time": (
        "misdated",
        broken(
            "with moved as (update reading set measured_at = measured_at + interval '1 h' where reading_no = 3)"
            " update observation set measured_at = measured_at + interval '1 h' where reading_no = 3"
        ),
    ),
    "a red value without an alert": ("alerts", broken("delete from alert")),
    "an alert without a red value": ("alerts", lambda run: run.alert(2)),
    "two alerts for one episode": (
        "alerts",
        lambda run: (run.connection.execute("update alert set status = 'closed'"), run.alert(1))[-1],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_under_its_name(run: Run, name: str) -> None:
    """One fault, one name, and the run is not sound."""
    kind, plant = FAULTS[name]
    plant(run)
    verdict = run.verdict()
    assert list(verdict.faults()) == [kind], name


def test_one_frame_in_flight_is_counted_apart(run: Run) -> None:
    """A cuff's reading may vanish in the moment its gateway is killed; at any other moment it is lost."""
    run.connection.execute("delete from reading where reading_no = 1")
    in_that_moment = run.verdict(gateway_killed=timedelta(seconds=30.4))
    assert in_that_moment.sound, in_that_moment.faults()
    assert len(in_that_moment.in_flight) == 1
    assert list(run.verdict(gateway_killed=timedelta(seconds=33)).faults()) == ["lost"]


def test_one_kill_excuses_one_record_of_a_cuff_and_none_of_a_meter(run: Run) -> None:
    """Two records gone with one kill: one of them was lost. A meter would have been asked again."""
    run.devices_say(CUFF, 7, "1699", NOON + timedelta(seconds=0.2), {"systolic": (130.0, "mm[Hg]")})
    run.connection.execute("delete from reading where reading_no = 1")
    verdict = run.verdict(gateway_killed=timedelta(seconds=30.1))
    assert (len(verdict.in_flight), len(verdict.lost)) == (1, 1)
    run.connection.execute("delete from reading where reading_no = 3")
    assert len(run.verdict(gateway_killed=timedelta(seconds=30.1)).lost) == 2


def test_a_run_without_a_kill_proves_nothing(run: Run) -> None:
    """Neither does one in which some part was spared."""
    assert "no proof" in run.verdict(kills={}).faults()
    assert "no proof" in run.verdict(kills={**KILLS, "broker": 0}).faults()


def test_a_run_without_a_reading_proves_nothing(run: Run) -> None:
    """An empty ledger agrees with everything."""
    (run.folder / "ledger.jsonl").unlink()
    assert "no proof" in run.verdict().faults()
