"""Each scale of the catalogue at its worst. Method: as in test_quirks_cuffs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.virtual.body_scale import BodyScale
from devices.virtual.device_clock import ClockMode
from devices.virtual.make import Habits, Identity
from devices.virtual.odd_devices import VendorDevice
from devices.virtual.peripherals import WeightScale
from schemas.codes import Kind
from schemas.messages import EventName
from tests.radio.household import Household, now, until
from tests.radio.listening import listening

UC_352 = "A&D_UC-352BLE"
OLD_SERVICE = "23434100-1FE4-1EFF-80CB-00FF78297D8B"
AND_HABITS = Habits(advertise_every_s=0.02, bonded=True, bond_first=True, rest_s=0.5, subscribe_within_s=5.0)
BF_HABITS = Habits(advertise_every_s=0.02, bonded=True, bond_first=True)
BF720 = Identity("C0:00:00:00:21:03", "BF720", "Beurer", "BF720", "3")


async def test_and_uc_352ble_is_two_scales_of_one_name(home: Household) -> None:
    new = await home.add(
        WeightScale,
        identity=Identity("C0:00:00:00:21:01", UC_352, "A&D", "UC-352BLE", "1"),
        habits=AND_HABITS,
        clock=ClockMode.WRONG,
    )
    old = await home.add(
        VendorDevice,
        identity=Identity("C0:00:00:00:21:02", UC_352, "A&D", "UC-352BLE", "2", vendor_service=OLD_SERVICE),
    )
    new.weigh(kg=81.3)
    # Flag 02 says kg; the value is in tenths (the frame's layout is the vendor's own, and stays where it is).
    old.say(bytes.fromhex("022d03"))
    async with listening(home, new, old, kind=Kind.BODY_WEIGHT) as gateway:
        await gateway.until_kept(1)
        await until(lambda: bool(gateway.told(EventName.DEVICE_UNSUPPORTED)), within_s=30)
        (reading,) = gateway.readings
        assert reading.device.address == new.identity.address
        assert reading.quantities["body_weight"].value == 81.3
        assert abs(reading.measured_at - now()) < timedelta(seconds=30), "by the clock that was set before it was asked"
        assert reading.user_slot is None, "it has no slots: whoever the scale is given to"
        unsupported = [event for event in gateway.events if event.name == EventName.DEVICE_UNSUPPORTED]
        assert new.clock.error_s == pytest.approx(0, abs=3)
        assert [(event.address, event.value) for event in unsupported] == [(old.identity.address, "A&D UC-352BLE")]
    assert (new.pending, old.pending) == (0, 1)


async def test_beurer_bf_hands_each_user_over_for_that_users_code_with_what_belongs_together(home: Household) -> None:
    scale = await home.add(BodyScale, identity=BF720, habits=replace(BF_HABITS, fillers=True))
    scale.step_on(kg=72.2, user_slot=1, fat_percent=27.5)
    scale.step_on(kg=72.35, user_slot=1, fat_percent=28.1)
    scale.step_on(kg=90.1, user_slot=2, fat_percent=31.0)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT, consents=((1, "1111"), (2, "2222"))) as gateway:
        await gateway.until_kept(3)
        told = [
            (reading.user_slot, reading.quantities["body_weight"].value, reading.context.get("body_fat_percent"))
            for reading in gateway.readings
        ]
        # Only the newest composition was kept: zeros stand for the others, and become nothing.
        assert told == [(1, 72.2, None), (1, 72.35, None), (2, 90.1, "31.0")]
        assert gateway.held == []
        dropped = {line["reason"] for line in gateway.log_of("frames_dropped")}
        assert dropped == {"weight measurement: a placeholder of zero"}
        assert [line["answer"] for line in gateway.log_of("consent")] == ["given", "given"]
    assert scale.pending == 0


async def test_beurer_bf_whose_batteries_were_changed_knows_no_code_and_says_nothing(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.procedures.QUIET_S_MAX", 0.3)
    scale = await home.add(BodyScale, identity=BF720, habits=BF_HABITS)
    scale.step_on(kg=72.2, user_slot=1)
    scale.change_batteries()
    async with listening(home, scale, kind=Kind.BODY_WEIGHT, consents=((1, "1111"),)) as gateway:
        await gateway.until_sessions(1)
        assert [line["answer"] for line in gateway.log_of("consent")][:1] == ["wrong_pin"]
        assert gateway.told(EventName.DEVICE_CONSENT) == ["user 1: wrong_pin"], "somebody has to enter that user again"
        assert gateway.readings == []
        assert scale.pending == 1, "and the weighing waits in the scale"
        assert scale.clock.error_s == pytest.approx(0, abs=3), "its clock, which started anew too, was set"
        scale.users = {1: 1111}
        await gateway.until_kept(1)
        assert [reading.user_slot for reading in gateway.readings] == [1]
        assert abs(gateway.readings[0].measured_at - now()) < timedelta(seconds=30)


async def test_beurer_bf_that_forgot_its_bond_is_paired_anew(home: Household) -> None:
    scale = await home.add(BodyScale, identity=BF720, habits=BF_HABITS)
    scale.step_on(kg=72.2, user_slot=1)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT, consents=((1, "1111"),)) as gateway:
        await gateway.until_kept(1)
        assert scale.device.keystore is not None
        await scale.device.keystore.delete_all()
        scale.step_on(kg=72.4, user_slot=1)
        await gateway.until_kept(2)
        assert gateway.told(EventName.DEVICE_PAIRED) == [None]


async def test_detecto_below_zero_is_nobodys_weight(home: Household) -> None:
    identity = Identity("C0:00:00:00:21:04", "DETECTO-6800", "Detecto", "6800", "4")
    scale = await home.add(WeightScale, identity=identity, habits=Habits(advertise_every_s=0.02, reserved_flags=0x10))
    scale.weigh(kg=0.4)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT) as gateway:
        await gateway.until_kept(0, held=1)
        assert gateway.held[0]["reason"] == "weight measurement: this scale says that it was below zero"
        assert [line["bit"] for line in gateway.log_of("reserved_flag")] == [4]
        scale.habits = Habits(advertise_every_s=0.02)
        scale.weigh(kg=70.4)
        await gateway.until_kept(1)
        assert gateway.readings[0].quantities["body_weight"].value == 70.4


async def test_detecto_bit_of_another_make_is_ignored_and_logged(home: Household) -> None:
    scale = await home.add(WeightScale, habits=Habits(advertise_every_s=0.02, reserved_flags=0x10))
    scale.weigh(kg=70.4)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT) as gateway:
        await gateway.until_kept(1)
        assert gateway.readings[0].quantities["body_weight"].value == 70.4
        assert [(line["characteristic"], line["bit"]) for line in gateway.log_of("reserved_flag")] == [("2A9D", 4)]


async def test_xiaomi_scale_puts_numbers_of_its_own_into_the_standards_place_and_is_not_read(home: Household) -> None:
    identity = Identity("C0:00:00:00:21:05", "MI_SCALE", "Xiaomi", "MI SCALE", "5")
    scale = await home.add(WeightScale, identity=identity)
    scale.weigh(kg=70.4)
    async with listening(home, scale, kind=Kind.BODY_WEIGHT) as gateway:
        await gateway.until_sessions(1)
        assert gateway.told(EventName.DEVICE_UNSUPPORTED) == ["Xiaomi MI SCALE"]
        assert [line["ending"] for line in gateway.log_of("session_ended")][:1] == ["nothing_offered"]
        assert (gateway.readings, gateway.held) == ([], [])
    assert scale.pending == 1
