"""Records that do not arrive although the meter says that it told all: asked for once more, or counted and told.

Method: as in test_quirks_cuffs, with a meter that loses a notification in the air, once or for ever.
"""

from dataclasses import replace

from devices.virtual.glucometer import Glucometer
from schemas.codes import Kind
from schemas.messages import EventName
from tests.radio.household import Household
from tests.radio.listening import listening


async def test_a_notification_lost_in_the_air_is_asked_for_again(home: Household) -> None:
    meter = await home.add(Glucometer)
    for mg_dl in range(101, 109):
        meter.prick(mg_dl=mg_dl)
    meter.lost = {3: 1, 4: 1, 7: 1}
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(8)
        assert sorted(reading.sequence_number or 0 for reading in gateway.readings) == list(range(1, 9))
        assert gateway.told(EventName.RECORDS_MISSING) == []
        assert gateway.outbox.last_sequence(meter.identity.address) == 8


async def test_what_a_meter_no_longer_has_is_counted_and_told(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.prick(mg_dl=101)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(1)
        # Nobody was near for a long time: the oldest were overwritten, and one was deleted by hand.
        meter.lost = {2: -1, 3: -1, 6: -1}
        for mg_dl in range(102, 108):
            meter.prick(mg_dl=mg_dl)
        await gateway.until_kept(4)
        assert gateway.told(EventName.RECORDS_MISSING) == [3]
        assert [line["numbers"] for line in gateway.log_of("records_missing")] == [3]
        meter.prick(mg_dl=109)
        await gateway.until_kept(5)
        assert gateway.told(EventName.RECORDS_MISSING) == [3], "told once: the next number is there"


async def test_a_meter_that_cannot_be_asked_for_a_range_is_asked_once(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.store = replace(meter.store, operators=("all", "last", "greater_or_equal"))
    for mg_dl in range(101, 104):
        meter.prick(mg_dl=mg_dl)
    meter.lost = {2: 1}
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(2)
        assert gateway.told(EventName.RECORDS_MISSING) == [1]
