"""What gateways tell of themselves and of devices: kept as series, found again, and let go in time.

Method: messages through the door every message takes (`settle`), on an injected clock; plain SQL to look with.
"""

from datetime import datetime, timedelta

import pytest

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.jobs import retention
from rpm.settings import Settings
from rpm.store import events
from rpm.store.database import Database
from rpm.store.gateways import gateway, register_gateway
from schemas.codes import Kind
from schemas.messages import Channel, ClockState, Event, EventName, Status, StatusKind, topic
from tests.services.settling import GATEWAY, NOW, OTHER_GATEWAY, count_of, cuff_of, message_of, rows_of, two_homes
from tests.support.clinic import Clinic
from tests.support.readings import pressure

CUFF = "C0:00:00:00:0A:01"


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


def tell(
    database: Database,
    name: str,
    value: float | str | None = None,
    *,
    at: datetime = NOW,
    heard_at: datetime | None = None,
    address: str | None = CUFF,
    gateway_id: str = GATEWAY,
) -> None:
    event = Event(gateway_id=gateway_id, at=at, name=name, address=address, value=value)
    settle(database, [Message(topic(gateway_id, Channel.EVENTS), event.model_dump_json().encode())], now=heard_at or at)


def latest(database: Database, clinic: Clinic, name: EventName) -> list[events.Latest]:
    with database.transaction() as connection:
        return events.latest(connection, [name], practice_id=clinic.practice_id)


def test_a_devices_clock_and_battery_are_series(database: Database, clinic: Clinic) -> None:
    """F5: every offset that was read is kept with its time, oldest first; what is no number has no place in it."""
    for days, behind_s in ((3, 2220.0), (2, 0.4), (1, -1.2)):
        tell(database, EventName.DEVICE_CLOCK, behind_s, at=NOW - timedelta(days=days))
    tell(database, EventName.DEVICE_CLOCK, "never set", at=NOW)
    tell(database, EventName.DEVICE_CLOCK, 7.0, address="C0:00:00:00:0A:02")
    tell(database, EventName.DEVICE_BATTERY, 80.0)
    with database.transaction() as connection:
        found = events.series(
            connection, EventName.DEVICE_CLOCK, [CUFF], practice_id=clinic.practice_id, since=NOW - timedelta(days=30)
        )
    assert {address: [point.value for point in points] for address, points in found.items()} == {
        CUFF: [2220.0, 0.4, -1.2]
    }
    assert [point.at for point in found[CUFF]] == [NOW - timedelta(days=days) for days in (3, 2, 1)]


def test_the_newest_is_the_newest_by_the_gateways_time(database: Database, clinic: Clinic) -> None:
    tell(database, EventName.DEVICE_BATTERY, 40.0, at=NOW)
    tell(database, EventName.DEVICE_BATTERY, 90.0, at=NOW - timedelta(days=9), heard_at=NOW)
    [found] = latest(database, clinic, EventName.DEVICE_BATTERY)
    assert (found.gateway_id, found.address, found.value, found.at) == (GATEWAY, CUFF, "40.0", NOW)
    assert count_of(database, "gateway_event") == 2


def test_an_event_from_the_future_is_not_the_newest_for_ever(database: Database, clinic: Clinic) -> None:
    tell(database, EventName.DEVICE_BATTERY, 90.0, at=NOW + timedelta(days=400), heard_at=NOW)
    tell(database, EventName.DEVICE_BATTERY, 40.0, at=NOW + timedelta(minutes=1))
    assert latest(database, clinic, EventName.DEVICE_BATTERY)[0].value == "40.0"


def test_what_an_unregistered_gateway_told_goes_with_it(database: Database, clinic: Clinic) -> None:
    tell(database, EventName.DEVICE_UNSUPPORTED, "Acme BP-1", gateway_id="gw-found")
    assert latest(database, clinic, EventName.DEVICE_UNSUPPORTED) == []
    with database.transaction() as connection:
        register_gateway(connection, "gw-found", practice_id=clinic.practice_id, label="Found", now=NOW)
    assert [each.value for each in latest(database, clinic, EventName.DEVICE_UNSUPPORTED)] == ["Acme BP-1"]


def test_another_practice_sees_none_of_it(database: Database, clinic: Clinic) -> None:
    other = Clinic(database, now=NOW, name="Elm Street")
    tell(database, EventName.DEVICE_BATTERY, 40.0)
    tell(database, EventName.RADIO_RECOVERY, "restart", address=None)
    theirs, day_ago = other.practice_id, NOW - timedelta(days=1)
    battery = EventName.DEVICE_BATTERY
    with database.transaction() as connection:
        assert events.latest(connection, [battery], practice_id=theirs) == []
        assert events.of_gateway(connection, GATEWAY, practice_id=theirs) == []
        assert events.recoveries(connection, practice_id=theirs, since=day_ago) == {}
        assert events.series(connection, battery, [CUFF], practice_id=theirs, since=day_ago) == {}
        assert gateway(connection, GATEWAY, practice_id=theirs) is None
        mine = events.recoveries(connection, practice_id=clinic.practice_id, since=day_ago)
    assert mine == {GATEWAY: 1}


def test_an_address_is_known_however_it_is_written(database: Database, clinic: Clinic) -> None:
    tell(database, EventName.DEVICE_BATTERY, 40.0, address=CUFF.lower().replace(":", "-"))
    tell(database, EventName.DEVICE_BATTERY, 41.0, address="no address at all", at=NOW + timedelta(seconds=1))
    assert {each.address for each in latest(database, clinic, EventName.DEVICE_BATTERY)} == {CUFF, "no address at all"}


@pytest.mark.usefixtures("clinic")
def test_a_sender_that_shouts_is_cut_short(database: Database) -> None:
    tell(database, "n" * 5000, "v" * 50_000, address="a" * 5000)
    [row] = rows_of(database, "select name, value, address from gateway_event")
    assert [len(row[key]) for key in ("name", "value", "address")] == [
        events.NAME_LENGTH_MAX,
        events.VALUE_LENGTH_MAX,
        events.NAME_LENGTH_MAX,
    ]


@pytest.mark.usefixtures("clinic")
def test_the_oldest_go_in_time_and_no_series_grows_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEPT_MAX", 5)
    keep = retention.Keep.of(Settings())
    old = NOW - keep.events - timedelta(seconds=1)
    tell(database, EventName.CERTIFICATE_RENEWED, address=None, at=old)
    # A box that believes it is 1970 is heard today: its word is not old.
    tell(
        database,
        EventName.GATEWAY_CLOCK,
        3.0,
        address=None,
        at=datetime.fromisoformat("1970-01-01T00:01+00:00"),
        heard_at=NOW,
    )
    for number in range(8):
        at = NOW + timedelta(seconds=number)
        tell(database, EventName.DEVICE_CLOCK, float(number), at=at)
        tell(database, EventName.DEVICE_CLOCK, float(number), at=at, address="C0:00:00:00:0A:02")
        tell(database, EventName.DEVICE_BATTERY, float(number), at=at)
        tell(database, EventName.DEVICE_CLOCK, float(number), at=at, gateway_id=OTHER_GATEWAY)
    retention.run_once(database, keep=keep, now=NOW)
    left = rows_of(
        database,
        "select gateway_id, name, address, array_agg(value order by id) as told from gateway_event group by 1, 2, 3",
    )
    newest = ["3.0", "4.0", "5.0", "6.0", "7.0"]
    assert sorted((row["gateway_id"], row["name"], row["address"] or "") for row in left if row["told"] == newest) == [
        (GATEWAY, "device_battery", CUFF),
        (GATEWAY, "device_clock", CUFF),
        (GATEWAY, "device_clock", "C0:00:00:00:0A:02"),
        (OTHER_GATEWAY, "device_clock", CUFF),
    ]
    assert {row["name"] for row in left if row["told"] != newest} == {"gateway_clock"}
    assert rows_of(database, "select 1 from gateway_event_latest where name = 'certificate_renewed'") == []


def test_a_heartbeats_every_word_is_kept(database: Database, clinic: Clinic) -> None:
    """F9, F14: days of buffer, clock, signal, recoveries, the certificate's end; and a gateway of before tells none."""

    def says(status: Status) -> None:
        payload = status.model_dump_json(exclude_unset=True).encode()
        settle(database, [Message(topic(status.gateway_id, Channel.STATUS), payload)], now=NOW)

    says(
        Status(
            gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, buffer_days=41.5, recoveries=2,
            clock=ClockState.UNSET, rssi_dbm=-91, certificate_not_after=NOW + timedelta(days=12), adapter="scanning",
        )
    )  # fmt: skip
    says(Status(gateway_id=OTHER_GATEWAY, kind=StatusKind.BIRTH, sent_at=NOW))
    with database.transaction() as connection:
        found = gateway(connection, GATEWAY, practice_id=clinic.practice_id)
        before = gateway(connection, OTHER_GATEWAY, practice_id=clinic.practice_id)
    assert found is not None
    assert before is not None
    assert (found.buffer_days, found.recoveries, found.clock, found.rssi_dbm) == (41.5, 2, "unset", -91)
    assert found.certificate_not_after == NOW + timedelta(days=12)
    assert (before.buffer_days, before.recoveries, before.clock, before.rssi_dbm) == (None, 0, None, None)


def test_a_device_is_where_it_was_heard_last(database: Database, clinic: Clinic) -> None:
    """A cuff that moves to the daughter's home is asked for there; a reading that comes late does not move it back."""
    maria = clinic.patient("Maria", "Alvarez")
    where: list[str] = []
    with database.transaction() as connection:
        connection.execute("update device set seen_at = null")
    for gateway_id, minutes, seq in ((GATEWAY, 30, 1), (OTHER_GATEWAY, 10, 1), (GATEWAY, 20, 2)):
        reading = pressure(120 + seq, 80, NOW - timedelta(minutes=minutes), address=cuff_of(maria))
        settle(database, [message_of(reading, gateway_id=gateway_id, first_seq=seq)], now=NOW)
        [row] = rows_of(database, "select gateway_id from device where id = %s", maria.devices[Kind.BLOOD_PRESSURE][0])
        where.append(row["gateway_id"])
    assert where == [GATEWAY, OTHER_GATEWAY, OTHER_GATEWAY]
