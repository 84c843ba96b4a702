"""A spot check and a temperature from the finger to the claim: by the way the first three devices go, and no other.

Method: an air, a gateway, a broker and a worker, each a process of its own and all real; what is there afterwards is said in
SQL. The devices are virtual, their radio is not BlueZ's.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rpm.billing.episode import ServiceMonth
from rpm.store import billing
from rpm.store.database import Database
from schemas.codes import BY_NUMBER, UNIT_BY_NUMBER
from tests.support.broker import Broker
from tests.support.world import Home, VirtualDevice, World, midday_zone

PATIENT = "Maria Alvarez"
OXIMETER = VirtualDevice("oximeter", "oximeter", "C0:00:00:00:0A:05", PATIENT)
THERMOMETER = VirtualDevice("thermometer", "thermometer", "C0:00:00:00:0A:06", PATIENT)
HOME = Home("a", (OXIMETER, THERMOMETER))
#: Everything from the radio to the alert, on a busy machine.
WAIT_S_MAX = 60.0


@pytest.fixture
def world(tmp_path: Path, broker: Broker, dsn: str) -> Iterator[World]:
    with World(tmp_path, homes=[HOME], broker=broker, dsn=dsn, zone=midday_zone()) as started:
        started.start_worker()
        started.start_gateway(HOME)
        yield started


def stored(world: World) -> dict[str, tuple[float, str]]:
    rows = world.rows("select code, value, unit from observation")
    return {BY_NUMBER[code].name: (value, UNIT_BY_NUMBER[unit]) for code, value, unit in rows}


def alerts(world: World) -> dict[str, list[Any]]:
    rows = world.rows("select rule_id, severity, patient_id, reason from alert where kind = 'clinical'")
    return {rule: rest for rule, *rest in rows}


def test_what_an_oximeter_and_a_thermometer_say_is_stored_judged_and_counted(database: Database, world: World) -> None:
    world.ask("a", "oximeter", "clip", percent=87, pulse=96)
    world.ask("a", "thermometer", "take", fahrenheit=103.2)
    expected = {
        "oxygen_saturation": (87.0, "%"),
        "pulse_rate": (96.0, "/min"),
        "body_temperature": (103.2, "[degF]"),
    }
    world.until("every value is an observation", lambda: stored(world) == expected, timeout_s=WAIT_S_MAX)

    maria = world.patients[PATIENT]
    wanted = {
        "oxygen_saturation_low": [3, maria, "Oxygen saturation 87 %; limit below 89 %"],
        "temperature_high": [3, maria, "Temperature 103.2 °F; limit at or above 103 °F"],
    }
    world.until("both are judged", lambda: len(alerts(world)) == len(wanted), timeout_s=WAIT_S_MAX)
    assert alerts(world) == wanted

    readings = world.rows("select kind, context ->> 'body_site', measured_at from reading order by kind")
    assert [kept[:2] for kept in readings] == [("body_temperature", "mouth"), ("oxygen_saturation", None)]

    # What a claim is made of: today is a day with data, whichever of the two devices sent it.
    days = {kept[2].astimezone(ZoneInfo(world.zone)).date() for kept in readings}
    assert billed_days(database, world) == days


def billed_days(database: Database, world: World) -> set[date]:
    now = datetime.now(UTC)
    with database.transaction() as connection:
        practice = billing.practice(connection, world.practice)
        assert practice is not None
        here = now.astimezone(ZoneInfo(world.zone))
        month = ServiceMonth(here.date().replace(day=1))
        records = billing.month_records(connection, practice, month, now=now)
    return {day.day for found in records.days.values() for day in found}


def test_what_the_oximeter_doubts_is_held_and_a_demonstration_is_nobodys(world: World) -> None:
    world.ask("a", "oximeter", "clip", percent=97, pulse=70, sensor_status=32)
    world.ask("a", "oximeter", "clip", percent=85, pulse=70, status=1024)
    held = world.until(
        "both are held",
        lambda: rows if len(rows := world.rows("select reason from held order by reason")) == 2 else None,
        timeout_s=WAIT_S_MAX,
    )
    assert held == [("demonstration",), ("device_doubts",)]
    assert stored(world) == {}
