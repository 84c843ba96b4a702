"""A red by a device's clock that nobody could read: it may be hours slow, so it calls as what it is, news.

Method: one squeeze settled as a gateway sends it and judged, once with a clock that was read (old indeed) and once with one that was not.
"""

from datetime import timedelta

import pytest

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from tests.services.judging import Desk
from tests.support import readings
from tests.support.clock import MORNING

_OWNED = """
with gateway as (
    insert into gateway (id, practice_id, label, created_at) values ('gw-home-a', %(practice)s, 'home', 'epoch')
), cuff as (
    insert into device (practice_id, address, kind, label, created_at)
    values (%(practice)s, %(address)s, 'blood_pressure', 'cuff', 'epoch') returning id
)
insert into device_assignment (practice_id, device_id, patient_id, during)
select %(practice)s, id, %(patient)s, tstzrange('2020-01-01', null) from cuff
"""


@pytest.mark.parametrize("source, kind, severity", [("device", "clinical", 3), ("device_corrected", "review", 1)])
def test_a_slow_clock_hides_no_red(database: Database, source: str, kind: str, severity: int) -> None:
    """Six hours slow, measured just now: urgent. Truly six hours old: a review item."""
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora")
    patient = desk.clinic.patient("Maria", "Alvarez")
    facts = {"practice": desk.clinic.practice_id, "address": readings.CUFF, "patient": patient.id}
    with database.transaction() as connection:
        connection.execute(_OWNED, facts)
    squeeze = readings.pressure(
        192, 118, MORNING - timedelta(hours=6), time_source=source, received_at=MORNING - timedelta(seconds=2)
    )
    topic, payload = readings.batch("gw-home-a", squeeze)
    [settled] = settle(database, [Message(topic, payload)], now=MORNING)
    assert settled.outcome == "stored"
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["kind"], alert["severity"]) == (kind, severity)
