"""A session with a peripheral, from the first read to its end, over a link in memory.

Real GATT is met in tests/radio; here stand the order of what is said, the waits, and what a dropped link leaves.
"""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from devices import catalogue, gatt, inbox, procedures
from devices.blood_pressure import BloodPressureMeasurement
from devices.date_time import DateTime
from devices.procedures import Ending, Frame, Malformed, assemble, collect, introduce
from devices.weight_scale import WeightMeasurement
from schemas.quantity import Quantity
from tests.unit.devices.peripheral import Peripheral

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 22, 13, 1, 30, tzinfo=UTC)
LOCAL = datetime(2026, 11, 22, 8, 1, 30)  # noqa: DTZ001 - what a clock on the wall of that home shows
SQUEEZE = bytes(BloodPressureMeasurement(Decimal(192), Decimal(118), Decimal(143), pulse_rate=Decimal(88)))
WEIGHING = bytes(WeightMeasurement(Decimal("82.4")))
AND = {gatt.MANUFACTURER_NAME: b"A&D Medical\0", gatt.MODEL_NUMBER: b"UA-651BLE "}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedures, "FIRST_VALUE_S_MAX", 0.05)
    monkeypatch.setattr(procedures, "QUIET_S_MAX", 0.02)
    monkeypatch.setattr(procedures, "READ_S_MAX", 0.05)


def now() -> datetime:
    return NOW


async def collected(peripheral: Peripheral) -> tuple[list[Frame], Ending]:
    kept: list[Frame] = []
    return kept, await collect(peripheral, keep=kept.append, utc_now=now, last_sequence=None)


async def test_a_cuff_gives_all_it_stored_and_hangs_up() -> None:
    cuff = Peripheral(stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE, SQUEEZE]})
    kept, ending = await collected(cuff)
    assert kept == [Frame("2A35", SQUEEZE, NOW)] * 2
    assert ending is Ending.HUNG_UP


async def test_a_scale_that_does_not_hang_up_is_left_after_a_quiet_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long wait is for the first value only: others wait for the radio."""
    monkeypatch.setattr(procedures, "FIRST_VALUE_S_MAX", 60.0)
    scale = Peripheral(stored={gatt.WEIGHT_MEASUREMENT: [WEIGHING]}, hangs_up=False)
    async with asyncio.timeout(10):
        kept, ending = await collected(scale)
    assert [frame.data for frame in kept] == [WEIGHING]
    assert ending is Ending.QUIET


async def test_a_link_lost_in_the_middle_leaves_what_was_kept() -> None:
    cuff = Peripheral(stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE] * 3}, values_until_lost=2)
    kept, ending = await collected(cuff)
    assert len(kept) == 2
    assert ending is Ending.HUNG_UP


async def test_a_peripheral_that_is_gone_at_once_is_no_error() -> None:
    cuff = Peripheral(stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE]})
    cuff.gone.set()
    assert await collected(cuff) == ([], Ending.HUNG_UP)


async def test_nothing_is_subscribed_to_where_nothing_is_known() -> None:
    stranger = Peripheral(values={"2A19": b"\x64"})
    assert await collected(stranger) == ([], Ending.NOTHING_OFFERED)
    assert stranger.log == []


async def test_a_frame_that_cannot_be_kept_ends_the_session() -> None:
    """The peripheral must not go on giving away what nobody keeps (a full disk)."""

    def full(_frame: Frame) -> None:
        raise OSError("no space left on device")

    cuff = Peripheral(stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE]}, hangs_up=False)
    with pytest.raises(inbox.NotKept):
        await collect(cuff, keep=full, utc_now=now, last_sequence=None)
    assert [str(error) for error in cuff.raised] == ["no space left on device"]


async def test_a_refused_subscription_is_told_to_the_caller() -> None:
    cuff = Peripheral(
        stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE]}, refuses={gatt.BLOOD_PRESSURE_MEASUREMENT: 0x05}
    )
    with pytest.raises(gatt.AttError, match="2A35: refused with ATT error 0x05"):
        await collected(cuff)


async def test_a_peripheral_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedures, "SESSION_S_MAX", 0.1)
    cuff = Peripheral(stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE] * 1_000_000})
    kept, ending = await collected(cuff)
    assert ending is Ending.TOO_LONG
    assert kept


async def test_a_device_says_who_it_is_and_how_far_its_clock_is_off() -> None:
    cuff = Peripheral(
        values={
            **AND,
            gatt.SERIAL_NUMBER: b"5160800123",
            gatt.SYSTEM_ID: bytes.fromhex("0123456789abcdef"),
            gatt.DATE_TIME: bytes(DateTime(2026, 11, 22, 8, 0, 0)),
        }
    )
    facts = await introduce(cuff, utc_now=now, zone=NEW_YORK)
    assert (facts.manufacturer, facts.model, facts.serial) == ("A&D Medical", "UA-651BLE", "5160800123")
    assert facts.system_id == "0123456789abcdef"
    assert facts.firmware is None
    assert (facts.clock_offset_s, facts.clock_source, facts.clock_was_set) == (90.0, "2A08", False)


async def test_a_wrong_clock_is_set_where_the_catalogue_allows_and_the_offset_is_the_old_one() -> None:
    """The readings in memory were stamped by the clock as it was."""
    cuff = Peripheral(values={**AND, gatt.DATE_TIME: bytes(DateTime(2026, 11, 21, 8, 1, 30))})
    facts = await introduce(cuff, utc_now=now, zone=NEW_YORK)
    assert facts.clock_offset_s == 86_400.0
    assert facts.clock_was_set
    assert DateTime.from_bytes(cuff.values[gatt.DATE_TIME]).wall() == LOCAL


async def test_a_clock_never_set_is_set_and_has_no_offset() -> None:
    cuff = Peripheral(values={**AND, gatt.DATE_TIME: bytes(7)})
    facts = await introduce(cuff, utc_now=now, zone=NEW_YORK)
    assert facts.clock_offset_s is None
    assert facts.clock_was_set


async def test_the_clock_of_an_unknown_device_is_read_and_never_written() -> None:
    current_time = bytes(DateTime(2020, 1, 1)) + bytes([3, 128, 0])
    stranger = Peripheral(values={gatt.CURRENT_TIME: current_time})
    facts = await introduce(stranger, utc_now=now, zone=NEW_YORK)
    assert facts.clock_offset_s == (LOCAL - datetime(2020, 1, 1)).total_seconds() - 0.5  # noqa: DTZ001
    assert facts.clock_source == "2A2B"
    assert stranger.log == ["read 2A2B"]


async def test_a_current_time_is_written_with_its_day_of_week() -> None:
    clock = Peripheral(values={**AND, gatt.CURRENT_TIME: bytes(10)})
    await introduce(clock, utc_now=now, zone=NEW_YORK)
    assert clock.values[gatt.CURRENT_TIME] == bytes(DateTime.of(LOCAL)) + bytes(
        [7, 0, 2]
    )  # a Sunday; external reference


async def test_what_a_device_refuses_is_unknown_and_stops_nothing() -> None:
    cuff = Peripheral(
        values={**AND, gatt.DATE_TIME: bytes(7), gatt.SERIAL_NUMBER: b"1"},
        refuses={gatt.MODEL_NUMBER: 0x02, gatt.DATE_TIME: 0x05},
    )
    facts = await introduce(cuff, utc_now=now, zone=NEW_YORK)
    assert (facts.manufacturer, facts.model, facts.serial) == ("A&D Medical", None, "1")
    assert (facts.clock_offset_s, facts.clock_was_set) == (None, False)


async def test_the_clock_comes_before_serial_numbers_and_all_before_a_subscription() -> None:
    """A&D UA-651BLE gives five seconds for clock and subscription together (LivecareBluetoothSDK)."""
    cuff = Peripheral(
        values={**AND, gatt.DATE_TIME: bytes(7), gatt.SERIAL_NUMBER: b"1"},
        stored={gatt.BLOOD_PRESSURE_MEASUREMENT: [SQUEEZE]},
    )
    facts = await introduce(cuff, utc_now=now, zone=NEW_YORK)
    await collect(cuff, keep=lambda _: None, utc_now=now, last_sequence=None, model=facts.catalogued)
    assert cuff.log == ["read 2A29", "read 2A24", "read 2A08", "write 2A08", "read 2A25", "subscribe 2A35"]


async def test_a_hang_up_while_introducing_is_told_to_the_caller() -> None:
    cuff = Peripheral(values=dict(AND))
    cuff.gone.set()
    with pytest.raises(gatt.LinkLost):
        await introduce(cuff, utc_now=now, zone=NEW_YORK)


def test_a_device_is_found_by_the_beginning_of_what_it_says() -> None:
    assert catalogue.find("A&D Medical", "UA-651BLE-V").may_set_clock
    assert catalogue.find("a&d medical", "ua-651ble").may_set_clock
    assert catalogue.find(None, None) is catalogue.STANDARD


def test_a_measurement_has_the_time_and_the_words_of_its_frame() -> None:
    """Captured from a meter that showed 104 mg/dL (vectors/glucose.json): base time 12:49:29 and 334 minutes."""
    raw = bytes.fromhex("0b0400e407050e0c311d4e0168b0f80000")
    (entry,) = assemble([Frame("2A18", raw, NOW)])
    assert not isinstance(entry, Malformed)
    assert entry.measurement.device_time == "2020-05-14T18:23:29"
    assert entry.measurement.sequence_number == 4
    assert entry.measurement.quantities == {"glucose": Quantity(value=104.0, unit="mg/dL")}
    assert (entry.raw, entry.received_at, entry.frame_index) == (raw, NOW, 0)
    assert "104" not in repr(entry.measurement)


def test_a_frame_of_a_known_model_keeps_its_raw_bytes() -> None:
    raw = bytes.fromhex("56710049000000ea07080b1438000041010000")  # vectors/blood_pressure.json, a Beurer BM85
    (entry,) = assemble([Frame("2A35", raw, NOW)], model=catalogue.find("Beurer GmbH", "BM85"))
    assert not isinstance(entry, Malformed)
    assert entry.raw == raw
    assert entry.measurement.quantities["pulse_rate"].value == 65
    (refused,) = assemble([Frame("2A35", raw, NOW)])
    assert refused == Malformed(
        0, "blood pressure measurement: at byte 18, 1 byte left over after the last field the flags announce"
    )


@pytest.mark.parametrize("text", ["2a35", "0x2A35", "0X2a35", "00002A35-0000-1000-8000-00805f9b34fb", " 2A35 "])
def test_a_uuid_has_one_short_form(text: str) -> None:
    assert gatt.short_uuid(text) == "2A35"
    assert gatt.long_uuid(text) == "00002a35-0000-1000-8000-00805f9b34fb"


def test_a_vendors_uuid_stays_long() -> None:
    assert gatt.short_uuid("23434100-1fe4-1eff-80cb-00ff78297d8b") == "23434100-1FE4-1EFF-80CB-00FF78297D8B"
    assert gatt.long_uuid("23434100-1FE4-1EFF-80CB-00FF78297D8B") == "23434100-1fe4-1eff-80cb-00ff78297d8b"


@pytest.mark.parametrize("text", ["", "2A3", "2A355", "glucose", "00002A35-0000-1000-8000"])
def test_what_is_no_uuid_is_said_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="not a UUID") as refused:
        gatt.short_uuid(text)
    assert "\n" not in str(refused.value)
