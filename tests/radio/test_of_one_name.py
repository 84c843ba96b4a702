"""Two devices of one make, and so of one name, in one air: never mixed up, and the neighbour's never touched (A4, F10).

Method: whole peripherals over the virtual radio, met by the gateway's own watch. Names, models and makes are the same; what
differs is address and serial number, as with two boxes from one shelf.
"""

from dataclasses import replace

from devices.virtual.make import Habits, Identity
from devices.virtual.peripherals import BloodPressureCuff
from schemas.messages import EventName
from tests.radio.household import EAGER, Household, until
from tests.radio.listening import Listening, listening

OURS, ALSO_OURS, NEIGHBOURS = (
    Identity(f"C0:00:00:00:31:0{number}", "BP-100", "Northlight", "BP-100", f"SN-{number}") for number in (1, 2, 3)
)
BONDED = Habits(advertise_every_s=0.02, bonded=True)


def of(gateway: Listening, identity: Identity) -> list[float | None]:
    """The pressures that came under this device's address, each with its own serial number."""
    readings = [reading for reading in gateway.readings if reading.device.address == identity.address]
    assert {reading.device.serial for reading in readings} <= {identity.serial}
    return [reading.quantities["systolic"].value for reading in readings]


async def test_the_neighbours_device_of_the_same_name_is_not_ours(home: Household) -> None:
    ours = await home.add(BloodPressureCuff, identity=OURS)
    neighbours = await home.add(BloodPressureCuff, identity=NEIGHBOURS)
    neighbours.measure(171, 101)
    async with listening(home, ours) as gateway:
        for number in range(3):
            ours.measure(121 + number, 81)
            await gateway.until_kept(number + 1)
        assert of(gateway, OURS) == [121, 122, 123]
        assert {reading.device.address for reading in gateway.readings} == {OURS.address}
    assert (neighbours.connections, neighbours.pending, neighbours.device.is_advertising) == (0, 1, True)


async def test_two_of_this_home_with_one_name_stay_two(home: Household) -> None:
    """Both are in the air at once, and connected to at once."""
    first = await home.add(BloodPressureCuff, identity=OURS, habits=replace(EAGER, gap_s=0.05))
    second = await home.add(BloodPressureCuff, identity=ALSO_OURS, habits=replace(EAGER, gap_s=0.05))
    for number in range(3):
        first.measure(121 + number, 81)
        second.measure(161 + number, 91)
    async with listening(home, first, second) as gateway:
        await gateway.until_kept(6)
        first.measure(124, 81)
        second.measure(164, 91)
        await gateway.until_kept(8)
        assert (of(gateway, OURS), of(gateway, ALSO_OURS)) == ([121, 122, 123, 124], [161, 162, 163, 164])
        assert gateway.told(EventName.DEVICE_CHANGED) == [], "neither is taken for the other"
        assert len({reading.reading_id for reading in gateway.readings}) == 8
    assert (first.pending, second.pending) == (0, 0)


async def test_two_of_this_home_that_say_the_same_at_the_same_time_stay_two_readings(home: Household) -> None:
    """The same bytes: what tells them apart is whose they are."""
    first = await home.add(BloodPressureCuff, identity=OURS)
    second = await home.add(BloodPressureCuff, identity=ALSO_OURS)
    squeeze = bytes.fromhex("02780050006400ea07060a0c0000")
    first.say(squeeze)
    second.say(squeeze)
    async with listening(home, first, second) as gateway:
        await gateway.until_kept(2)
        assert (of(gateway, OURS), of(gateway, ALSO_OURS)) == ([120], [120])
        assert len({reading.reading_id for reading in gateway.readings}) == 2


async def test_while_ours_is_paired_the_neighbours_is_let_alone(home: Household) -> None:
    """F10: it stands closer, wants a bond as well, has the same name; and once more when ours has lost its bond."""
    ours = await home.add(BloodPressureCuff, identity=OURS, habits=BONDED)
    neighbours = await home.add(BloodPressureCuff, identity=NEIGHBOURS, habits=BONDED)
    neighbours.measure(171, 101)
    async with listening(home, ours) as gateway:
        await until(lambda: gateway.watch.scanning)
        ours.measure(121, 81)
        await gateway.until_kept(1)
        assert ours.device.keystore is not None
        await ours.device.keystore.delete_all()
        ours.measure(122, 81)
        await gateway.until_kept(2)
        assert gateway.told(EventName.DEVICE_PAIRED) == [None]
        assert of(gateway, OURS) == [121, 122]
    assert (neighbours.connections, neighbours.pending, neighbours.device.is_advertising) == (0, 1, True)
    assert home.adapter.device.keystore is not None
    assert [name.split("/")[0] for name, _ in await home.adapter.device.keystore.get_all()] == [OURS.address]
    assert neighbours.device.keystore is not None
    assert await neighbours.device.keystore.get_all() == []
