"""A session taken down is replayed over the air, and comes out as it was: ours, and each of the published library.

Method: `capture` meets a virtual device, the file it makes is all that a second virtual device is made of, and the gateway's
own watch reads that one.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from devices.catalogue import find
from devices.description import quantities
from devices.procedures import Frame, SessionFacts
from devices.recording import Recording, library
from devices.virtual.body_scale import BodyScale
from devices.virtual.device_clock import ClockMode
from devices.virtual.glucometer import Glucometer
from devices.virtual.make import Habits, Identity
from devices.virtual.peripheral import Peripheral
from devices.virtual.peripherals import BloodPressureCuff
from devices.virtual.replayed import identity_of, replayed
from devices.virtual.thermometer import Thermometer
from gateway.capturing import capture
from gateway.enrolment import Enrolled
from schemas.codes import Kind
from schemas.reading import Reading
from tests.radio.household import NEW_YORK, Household, now
from tests.radio.listening import Listening, listening

#: A device, and the consents it wants.
Made = tuple[Peripheral, tuple[tuple[int, int], ...]]
SERIAL = "5160300123"
SOURCE = "a test, on a virtual device"


async def taken_down(home: Household, device: Peripheral, *consents: tuple[int, int]) -> Recording:
    kept: list[Frame] = []

    def keep(_facts: SessionFacts, frame: Frame) -> None:
        kept.append(frame)

    recording, unread = await capture(
        home.radio,
        await home.seen(device),
        enrolled=Enrolled(1, device.identity.address, Kind.BLOOD_PRESSURE, "cuff", consents=consents),
        real=False,
        source=SOURCE,
        utc_now=now,
        zone=NEW_YORK,
        keep=keep,
    )
    assert len(kept) == len(recording.frames), "each was kept before it was written down"
    assert unread == ()
    return recording


async def replay(home: Household, recording: Recording, check: Callable[[Listening], None]) -> None:
    device = await home.add(replayed(recording), identity=identity_of(recording, "C0:00:00:00:50:01"))
    device.wake()
    consents = ((1, "1111"),) if "2A9F" in recording.characteristics else ()
    async with listening(home, device, consents=consents) as gateway:
        await gateway.until_kept(len(recording.readings), held=len(recording.held))
        check(gateway)
    assert device.pending == 0


def told(reading: Reading) -> dict[str, object]:
    return {
        "kind": reading.kind.value,
        "quantities": quantities(reading.quantities),
        "device_time": reading.device_time,
        "user_slot": reading.user_slot,
        "sequence_number": reading.sequence_number,
        "status": list(reading.status),
        "context": reading.context,
    }


def says_what_was_recorded(recording: Recording, gateway: Listening) -> None:
    assert [told(reading) for reading in gateway.readings] == list(recording.readings)
    assert [row["reason"] for row in gateway.held] == [held["reason"] for held in recording.held]


async def a_cuff(home: Household) -> Made:
    identity = Identity("C0:00:00:00:40:01", f"A&D_UA-651BLE_{SERIAL}", "A&D", "UA-651BLE", SERIAL, company_id=0x0069)
    habits = Habits(advertise_every_s=0.02, bonded=True)
    cuff = await home.add(BloodPressureCuff, identity=identity, clock=ClockMode.WRONG, habits=habits)
    cuff.factory_test()
    cuff.measure(141, 88, pulse=71, status=0b100)
    return cuff, ()


async def a_scale(home: Household) -> Made:
    scale = await home.add(BodyScale, identity=Identity("C0:00:00:00:40:02", "BF720", "Beurer", "BF720", SERIAL))
    scale.step_on(kg=72.35, user_slot=1, fat_percent=28.1)
    return scale, ((1, 1111),)


async def a_meter(home: Household) -> Made:
    meter = await home.add(Glucometer, identity=Identity("C0:00:00:00:40:03", "meter+06204567", "Roche", "929", SERIAL))
    meter.time_offset_min = -60
    meter.prick(mg_dl=111, meal="fasting")
    meter.prick(mg_dl=158)
    return meter, ()


async def a_thermometer(home: Household) -> Made:
    thermometer = await home.add(Thermometer, clock=ClockMode.NONE)
    thermometer.take(fahrenheit=99.1)
    return thermometer, ()


@pytest.mark.parametrize("make", [a_cuff, a_scale, a_meter, a_thermometer])
async def test_a_session_taken_down_comes_out_of_its_file_as_it_was(
    home: Household, make: Callable[[Household], Awaitable[Made]]
) -> None:
    device, consents = await make(home)
    recording = await taken_down(home, device, *consents)
    text = recording.to_json()
    assert Recording.model_validate_json(text) == recording
    for secret in (
        SERIAL,
        "06204567",
        device.identity.address,
        "1111",
        device.identity.system_id.hex(),
        str(now().year),
    ):
        assert secret not in text.replace(SOURCE, ""), f"{secret} tells whose it is"
    assert recording.readings

    await replay(home, recording, lambda gateway: says_what_was_recorded(recording, gateway))


async def test_other_days_leave_the_clocks_error_and_the_time_between(home: Household) -> None:
    cuff, _ = await a_cuff(home)
    recording = await taken_down(home, cuff)

    def right(gateway: Listening) -> None:
        squeeze = gateway.readings[-1]
        # The file's clock stands still at another day; what it was off by then and now corrects the readings all the same.
        assert abs(squeeze.measured_at - now()) < timedelta(seconds=30)
        assert squeeze.device_time is not None
        assert squeeze.device_time.startswith("2024-01-0"), "the week that all recordings are moved to"

    await replay(home, recording, right)


@pytest.mark.parametrize("name", sorted(library()))
async def test_each_published_recording_replays_to_its_readings(home: Household, name: str) -> None:
    recording = library()[name]
    assert recording.judged() == recording, "its readings are what its frames say"
    assert find(recording.text("2A29"), recording.text("2A24"), recording.advertised.name) is recording.model
    await replay(home, recording, lambda gateway: says_what_was_recorded(recording, gateway))
