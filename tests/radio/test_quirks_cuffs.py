"""Each cuff of the catalogue at its worst: the quirk happens over the air, and the readings arrive right all the same.

Method: a virtual device that does what its row says, and the gateway's own watch. A test's name begins with its row's id
(`tests/tidy/test_catalogue.py` sees to it that every row has one).
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.virtual.captures import CAPTURES, replay
from devices.virtual.device_clock import WRONG_BY_S, ClockMode
from devices.virtual.make import Habits, Identity
from devices.virtual.odd_devices import TimeKeepingCuff, VendorDevice
from devices.virtual.peripherals import BloodPressureCuff
from schemas.messages import EventName
from schemas.reading import TimeSource
from tests.radio.household import Household, now, until
from tests.radio.listening import listening

AND = Identity("C0:00:00:00:20:01", "A&D_UA-651BLE", "A&D", "UA-651BLE", "5160300123", "2.1")
#: Its manners, hurried: in the air for a while after a measurement, bonds first, forgets a subscription that comes too soon.
AND_HABITS = Habits(
    advertise_every_s=0.02, advertise_s=1.5, bonded=True, bond_first=True, rest_s=0.5, subscribe_within_s=5.0
)
BOND_FIRST = Habits(bonded=True, bond_first=True)
OMRON = Identity(
    "C0:00:00:00:20:02", "BLEsmart_00000116E7123456", "OMRON HEALTHCARE", "BP5150", "20210012", company_id=0x020E
)


async def test_and_ua_651ble_in_pairing_mode_is_bonded_and_has_nothing_to_say(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.procedures.FIRST_VALUE_S_MAX", 0.3)
    cuff = await home.add(BloodPressureCuff, identity=AND, habits=AND_HABITS)
    assert home.adapter.device.keystore is not None
    async with listening(home, cuff) as gateway:
        cuff.press_button()
        await gateway.until_sessions(1)
        assert gateway.log_of("session_ended")[0]["new"] == 0
        assert len(await home.adapter.device.keystore.get_all()) == 1, "paired before there is anything to read"
        assert not cuff.device.is_advertising, "it is in the air in pairing mode and after a measurement only"
        cuff.measure(131, 84)
        await gateway.until_kept(1)
        assert len(await home.adapter.device.keystore.get_all()) == 1, "by the same bond"


async def test_and_ua_651ble_pushes_what_it_stored_oldest_first_by_a_clock_that_was_set_before(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, identity=AND, habits=AND_HABITS, clock=ClockMode.WRONG)
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80, pulse=70)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(3)
        assert [reading.quantities["systolic"].value for reading in gateway.readings] == [121, 122, 123]
        for reading in gateway.readings:
            assert reading.time_source is TimeSource.DEVICE_CORRECTED
            assert abs(reading.measured_at - now()) < timedelta(seconds=30), "37 minutes slow, and corrected"
            assert reading.clock_offset_s == pytest.approx(-WRONG_BY_S, abs=3)
        assert cuff.clock.error_s == pytest.approx(0, abs=3), "and set right, before the subscription"
    assert cuff.connections == 1, "bond, clock and subscription fitted into its five seconds"


async def test_and_ua_651ble_that_is_slow_is_not_asked_everything_before_its_five_seconds_are_over(
    home: Household,
) -> None:
    habits = replace(AND_HABITS, slow_s=0.8, gap_s=1.7)
    cuff = await home.add(BloodPressureCuff, identity=AND, habits=habits)
    cuff.measure(121, 80)
    cuff.measure(122, 80)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        assert [line["ending"] for line in gateway.log_of("session_ended")] == ["hung_up"], (
            "it takes its time between two"
        )
        assert gateway.readings[0].device.model == "UA-651BLE"
    assert cuff.connections == 1


async def test_and_ua_651ble_tells_no_time_where_it_never_had_one_and_no_number_of_its_assembly_line(
    home: Household,
) -> None:
    cuff = await home.add(BloodPressureCuff, identity=AND, habits=AND_HABITS, clock=ClockMode.NONE)
    cuff.factory_test()
    cuff.measure(118, 77)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        factory, measured = gateway.readings
        assert {quantity.absent for quantity in factory.quantities.values()} == {"nan"}
        assert {quantity.value for quantity in factory.quantities.values()} == {None}, "never 2047 over 2047"
        assert measured.quantities["systolic"].value == 118
        assert (measured.device_time, measured.time_source) == (None, TimeSource.GATEWAY)
        assert measured.measured_at == measured.received_at


async def test_omron_standard_forgets_what_it_transferred_and_nothing_of_it_is_lost(home: Household) -> None:
    cuff = await home.add(TimeKeepingCuff, identity=OMRON, clock=ClockMode.WRONG, habits=BOND_FIRST)
    cuff.measure(141, 91)
    cuff.measure(142, 92)
    # The second reading is heard; then it is out of reach, and the gateway never sees the session's proper end.
    cuff.fall_silent(0.3, after_frames=2)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        assert [reading.quantities["systolic"].value for reading in gateway.readings] == [141, 142]
        await until(lambda: cuff.pending == 0, within_s=30)
        await gateway.until_idle()
        assert [reading.quantities["systolic"].value for reading in gateway.readings] == [141, 142], "told again, known"


async def test_omron_standard_takes_a_time_only_as_an_answer_to_its_own(home: Household) -> None:
    cuff = await home.add(TimeKeepingCuff, identity=OMRON, clock=ClockMode.WRONG, habits=BOND_FIRST)
    cuff.measure(141, 91)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(1)
        await until(lambda: abs(cuff.clock.error_s) < 3)
        (reading,) = gateway.readings
        assert reading.clock_offset_s == pytest.approx(-WRONG_BY_S, abs=3), "by the clock it had when it measured"
        assert abs(reading.measured_at - now()) < timedelta(seconds=30)


async def test_omron_vendor_is_named_as_unsupported_and_keeps_its_readings(home: Household) -> None:
    identity = Identity(
        "C0:00:00:00:20:03", "BLESmart_0000", "OMRON HEALTHCARE", "HEM-7322T", "7", vendor_service="FE4A"
    )
    cuff = await home.add(VendorDevice, identity=identity)
    cuff.say(b"\x01")
    async with listening(home, cuff) as gateway:
        await gateway.until_sessions(1)
        assert gateway.told(EventName.DEVICE_UNSUPPORTED) == ["OMRON HEALTHCARE HEM-7322T"]
        assert [line["value"] for line in gateway.log_of("device_unsupported")] == ["OMRON HEALTHCARE HEM-7322T"]
        assert (gateway.readings, gateway.held) == ([], [])
    assert cuff.pending == 1


async def test_beurer_bm_puts_pulse_and_status_the_other_way_round_and_wants_a_moment(home: Household) -> None:
    capture = CAPTURES["beurer_cuff"]
    habits = Habits(advertise_every_s=0.02, rest_s=0.08)
    cuff = await home.add(
        BloodPressureCuff, identity=capture.identity("C0:00:00:00:20:04"), clock=ClockMode.NONE, habits=habits
    )
    replay(cuff, capture)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        # What the display of the BM85 showed (devices/vectors/blood_pressure.json).
        assert [
            (each.quantities["systolic"].value, each.quantities["pulse_rate"].value, each.user_slot)
            for each in gateway.readings
        ] == [(113, 65, 1), (119, 87, 1)]
        assert [each.raw for each in gateway.readings] == [frame.hex() for frame in capture.frames()]


async def test_beurer_bm_frames_of_another_make_are_held_and_never_guessed_at(home: Household) -> None:
    capture = CAPTURES["beurer_cuff"]
    cuff = await home.add(BloodPressureCuff, clock=ClockMode.NONE)
    replay(cuff, capture)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(0, held=2)
        assert gateway.readings == []
        assert [row["raw"] for row in gateway.held] == [frame.hex() for frame in capture.frames()]


async def test_transtek_bp_is_listened_to_until_it_hangs_up(home: Household) -> None:
    identity = Identity("C0:00:00:00:20:05", "TMB-1585", "Transtek", "TMB-1585-BS", "5")
    cuff = await home.add(BloodPressureCuff, identity=identity, habits=Habits(advertise_every_s=0.02, gap_s=2.2))
    cuff.measure(128, 81)
    cuff.measure(129, 82)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(2)
        assert [reading.quantities["systolic"].value for reading in gateway.readings] == [128, 129]
        assert [line["ending"] for line in gateway.log_of("session_ended")] == ["hung_up"], "never 'quiet' in between"
    assert cuff.connections == 1
