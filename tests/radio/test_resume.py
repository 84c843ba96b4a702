"""A meter whose link drops at any frame: nothing is lost, nothing is doubled, and a context that comes later completes its record.

Method: as in test_quirks_cuffs. Three records with a context each are six notifications; the drop comes after each of them.
"""

import pytest

from devices.virtual.glucometer import Glucometer
from devices.virtual.peripherals import BloodPressureCuff
from schemas.codes import Kind
from schemas.messages import EventName
from tests.radio.household import Household
from tests.radio.listening import listening

RECORDS = 3


@pytest.mark.parametrize("after", range(1, 2 * RECORDS + 1))
async def test_wherever_it_drops_each_record_is_one_reading_with_its_meal(home: Household, after: int) -> None:
    meter = await home.add(Glucometer)
    for number in range(RECORDS):
        meter.prick(mg_dl=101 + number, meal="fasting")
    meter.fall_silent(0.1, after_frames=after)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_sessions(2)
        told = {reading.reading_id: reading for reading in gateway.readings}
        # What came without its context first is told again with it: the same name, and the cloud keeps the later.
        assert [reading.quantities["glucose"].value for reading in told.values()] == [101, 102, 103]
        assert {reading.context.get("meal") for reading in told.values()} == {"fasting"}
        revised = len(gateway.readings) - len(told)
        assert revised <= 1, "only the record that was cut in two is told twice"
        assert gateway.held == []
        assert gateway.outbox.last_sequence(meter.identity.address) == RECORDS


async def test_a_model_and_a_firmware_that_nobody_knows_are_read_and_told(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(131, 84)
    async with listening(home, cuff) as gateway:
        await gateway.until_kept(1)
        assert gateway.readings[0].device.firmware == "1.0"
        assert gateway.told(EventName.DEVICE_UNLISTED) == ["Maker BloodPressureCuff, firmware 1.0"]
