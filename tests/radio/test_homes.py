"""Homes of `devices.virtual homes`, each with its trouble, over the air, with the gateway's own watch.

Method: the scenario is the command's; only its plays are hurried. Homes are picked by what their story says.
"""

import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from devices.virtual import homes
from devices.virtual.adapter import use_device
from devices.virtual.air import Air
from devices.virtual.bleak_backend import BumbleClientBackend, BumbleScannerBackend
from devices.virtual.ledger import Ledger
from devices.virtual.peripherals import BloodPressureCuff
from devices.virtual.scenario import HomeSpec, Scenario
from gateway.radio import Radio
from tests.radio.household import Household, gateway_device, now, until
from tests.radio.listening import Listening, listening

HOMES = tomllib.loads(homes.scenario(count=120, seed=7))["home"]
STORIES = [home.story() for home in homes.homes(count=120, seed=7)]


@asynccontextmanager
async def lived_in(trouble: str, folder: Path) -> AsyncGenerator[tuple[Listening, BloodPressureCuff]]:
    """The first home of whose story `trouble` is a part: its gateway, and its cuff."""
    number = next(number for number, told in enumerate(STORIES) if trouble in told)
    spec = HomeSpec.model_validate(HOMES[number])
    hurried = tuple(
        device.model_copy(update={"play": tuple(play.model_copy(update={"after_s": 0.1}) for play in device.play)})
        for device in spec.device
        if device.model == "cuff"
    )
    async with Air(Scenario(home=(spec.model_copy(update={"device": hurried}),))) as air:
        home = air.homes[spec.name]
        controller, device = gateway_device(home.link, "F0:00:00:00:00:01")
        await device.power_on()
        adapter = use_device(device)
        radio = Radio(scanner_backend=BumbleScannerBackend, client_backend=BumbleClientBackend, name="bumble")
        ledger = Ledger(folder)
        try:
            household = Household(home.link, folder, radio, controller, adapter, ledger)
            async with listening(household, *home.devices.values()) as gateway:
                cuff = home.devices["cuff"]
                assert isinstance(cuff, BloodPressureCuff)
                yield gateway, cuff
        finally:
            await adapter.close()
            controller.vanish()
            ledger.close()


@pytest.mark.parametrize("trouble", ["an hour", "began anew", "no clock"])
async def test_whatever_the_cuffs_clock_says_its_reading_is_of_now(trouble: str, tmp_path: Path) -> None:
    async with lived_in(trouble, tmp_path) as (gateway, _cuff):
        await gateway.until_kept(1)
        assert abs(gateway.readings[0].measured_at - now()) < timedelta(seconds=30)


async def test_both_who_use_the_cuff_are_told_apart_by_what_it_says_and_by_nothing_else(tmp_path: Path) -> None:
    async with lived_in("both use the cuff", tmp_path) as (gateway, _cuff):
        await gateway.until_kept(2)
        slots = {reading.user_slot for reading in gateway.readings}
        assert slots in ({1, 2}, {1, 255})


async def test_a_cuff_that_repeats_itself_makes_no_reading_twice(tmp_path: Path) -> None:
    async with lived_in("tells everything twice", tmp_path) as (gateway, cuff):
        await gateway.until_kept(1)
        cuff.measure(151, 93)
        await gateway.until_kept(2)
        assert len({reading.raw for reading in gateway.readings}) == len(gateway.readings) == 2
        assert cuff.taken == 2


async def test_a_cuff_that_forgot_its_bond_is_paired_anew(tmp_path: Path) -> None:
    async with lived_in("forgets its bond", tmp_path) as (gateway, cuff):
        await gateway.until_kept(1)
        cuff.measure(151, 93)
        await gateway.until_kept(2)
        await until(lambda: cuff.pending == 0)
