"""Each meter of the catalogue at its worst. Method: as in test_quirks_cuffs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices import gatt
from devices.date_time import DateTime
from devices.glucose import KETONE_MEAL, GlucoseContext, GlucoseMeasurement
from devices.virtual.device_clock import WRONG_BY_S, ClockMode
from devices.virtual.glucometer import Glucometer
from devices.virtual.make import Habits, Identity
from devices.virtual.odd_meters import OwnClockMeter, RenumberingMeter, ServiceClockMeter
from devices.virtual.peripheral import decimal_of
from schemas.codes import Kind
from schemas.messages import EventName
from schemas.reading import TimeSource
from tests.radio.household import EAGER, Household, now, until
from tests.radio.listening import Listening, listening

CONTOUR = Identity("C0:00:00:00:22:01", "Contour7830H5001234", "Ascensia Diabetes Care", "Contour7830", "1")
GUIDE = Identity("C0:00:00:00:22:02", "meter+06204567", "Roche", "929", "2")
AVIVA = Identity("C0:00:00:00:22:03", "Accu-Chek Aviva", "Roche", "483", "3")
TAIDOC = Identity("C0:00:00:00:22:04", "TAIDOC TD4289", "TaiDoc", "TD4289", "4")
CARESENS = Identity("C0:00:00:00:22:05", "CareSens 0012", "i-SENS", "CareSens Dual", "5")
BOND_FIRST = Habits(advertise_every_s=0.02, bonded=True, bond_first=True)


def glucoses(gateway: Listening) -> list[float | None]:
    return [reading.quantities["glucose"].value for reading in gateway.readings]


def record(number: int, mg_dl: float, when: DateTime, *, context_follows: bool = False) -> bytes:
    concentration = decimal_of(mg_dl).scaleb(-5)
    return bytes(
        GlucoseMeasurement(
            number, when, concentration=concentration, sample_type=1, location=1, context_follows=context_follows
        )
    )


async def test_contour_next_one_bonds_at_once_and_is_asked_from_the_last_number_on(home: Household) -> None:
    meter = await home.add(OwnClockMeter, identity=CONTOUR, habits=BOND_FIRST, clock=ClockMode.WRONG)
    for mg_dl in (101, 102, 103):
        meter.prick(mg_dl=mg_dl)
    told: list[bytes] = []
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(3)
        meter.prick(mg_dl=104)
        say = meter.frames
        meter.frames = lambda said: (told.append(said.frame), say(said))[1]
        await gateway.until_kept(4)
        assert glucoses(gateway) == [101, 102, 103, 104]
        numbers = {GlucoseMeasurement.from_bytes(frame).sequence_number for frame in told}
        assert numbers == {3, 4}, "its last record, to notice a reset, and the new one; not its whole history"
        assert {reading.time_source for reading in gateway.readings} == {TimeSource.DEVICE}
        assert {reading.clock_offset_s for reading in gateway.readings} == {None}, "its clock cannot be read"
    assert meter.writes == [], "and the vendor's own clock is left alone"
    assert meter.clock.error_s == WRONG_BY_S


async def test_contour_next_one_that_tells_everything_again_doubles_nothing(home: Household) -> None:
    meter = await home.add(OwnClockMeter, identity=CONTOUR, habits=BOND_FIRST)
    meter.store = replace(meter.store, operators=("all",))
    for mg_dl in (101, 102, 103):
        meter.prick(mg_dl=mg_dl)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(3)
        meter.prick(mg_dl=104)
        await gateway.until_kept(4)
        assert glucoses(gateway) == [101, 102, 103, 104]
        assert [line["repeated"] for line in gateway.log_of("session_ended")][:2] == [0, 3]


async def test_accu_chek_wants_its_six_digits_hangs_up_at_once_and_is_there_again(home: Household) -> None:
    habits = replace(BOND_FIRST, passkey=123456, hang_ups=2)
    meter = await home.add(Glucometer, identity=GUIDE, habits=habits, clock=ClockMode.WRONG)
    meter.time_offset_min = -60
    meter.prick(mg_dl=111)
    async with listening(home, meter, kind=Kind.GLUCOSE, passkey="123456") as gateway:
        await gateway.until_kept(1)
        (reading,) = gateway.readings
        assert meter.connections > 2
        assert abs(reading.measured_at - now()) < timedelta(seconds=30), (
            "base time and offset, by the offset of its clock"
        )
        assert GlucoseMeasurement.from_bytes(bytes.fromhex(reading.raw)).time_offset_min == -60
    assert meter.clock.error_s == WRONG_BY_S, "nobody is known to write its clock"


async def test_accu_chek_with_the_wrong_digits_is_let_alone_and_a_person_is_told(home: Household) -> None:
    habits = Habits(advertise_every_s=0.02, bonded=True, passkey=123456)
    meter = await home.add(Glucometer, identity=GUIDE, habits=habits)
    meter.prick(mg_dl=111)
    async with listening(home, meter, kind=Kind.GLUCOSE, passkey="654321") as gateway:
        await until(lambda: EventName.DEVICE_NOT_PAIRED in {event.name for event in gateway.events}, within_s=20)
        assert gateway.readings == []
        assert "654321" not in str(gateway.logged)
    assert meter.pending == 1


async def test_roche_aviva_has_its_clock_within_the_glucose_service(home: Household) -> None:
    meter = await home.add(ServiceClockMeter, identity=AVIVA, habits=BOND_FIRST, clock=ClockMode.WRONG)
    meter.prick(mmol_l=5.4)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(1)
        (reading,) = gateway.readings
        assert reading.time_source is TimeSource.DEVICE_CORRECTED
        assert reading.clock_offset_s == pytest.approx(-WRONG_BY_S, abs=3)
        assert abs(reading.measured_at - now()) < timedelta(seconds=30)
    assert meter.clock.error_s == WRONG_BY_S, "read, never written"


async def test_taidoc_numbers_that_run_backwards_lose_and_double_nothing(home: Household) -> None:
    meter = await home.add(RenumberingMeter, identity=TAIDOC)
    meter.prick(mg_dl=101)
    meter.prick(mg_dl=102, meal="fasting")
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(2)
        # The new record is number 1 now, and the others have moved.
        meter.prick(mg_dl=103)
        await gateway.until_kept(3)
        assert glucoses(gateway) == [102, 101, 103]
        assert len({reading.reading_id for reading in gateway.readings}) == 3
        assert {reading.sequence_number for reading in gateway.readings} == {None}
        assert [reading.context.get("meal") for reading in gateway.readings] == ["fasting", None, None]
        assert {reading.time_source for reading in gateway.readings} == {TimeSource.DEVICE}, "no clock to read"
        assert [line["repeated"] for line in gateway.log_of("session_ended")][:2] == [0, 2]


async def test_taidoc_records_that_are_nobodys_are_held_with_their_reason_each_once(home: Household) -> None:
    meter = await home.add(RenumberingMeter, identity=TAIDOC)
    shown = meter.clock.shows()
    assert shown is not None
    ketone = GlucoseContext(sequence_number=1, meal=KETONE_MEAL)
    meter.say(record(1, 450, DateTime(2037, 12, 31, 23, 59, 0)))
    meter.say(record(1, 118, DateTime(shown.year, 13, 1, 8, 0, 0)))
    meter.say(record(1, 27, shown, context_follows=True), bytes(ketone))
    meter.say(record(1, 99, DateTime(0, 0, 0)))
    meter.prick(mg_dl=104)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(1, held=4)
        assert glucoses(gateway) == [104]
        # Newest first, as this meter tells them.
        assert [row["reason"].removeprefix("glucose measurement: ") for row in gateway.held] == [
            "it has neither a time nor a number that stays, so it would be another reading each time it is fetched",
            "its context says that it is a ketone",
            "its month is 13, by which meters mark a control solution",
            "its year is 2037, which this make fills its memory with",
        ]
        meter.prick(mg_dl=105)
        await gateway.until_kept(2)
        assert len(gateway.held) == 4, "told again under other numbers, and known"


async def test_caresens_ketone_control_and_clock(home: Household) -> None:
    meter = await home.add(OwnClockMeter, identity=CARESENS, habits=EAGER)
    shown = meter.clock.shows()
    assert shown is not None
    meter.prick(mg_dl=133, meal="preprandial")
    meter.say(record(2, 27, shown, context_follows=True), bytes(GlucoseContext(sequence_number=2, meal=KETONE_MEAL)))
    meter.say(record(3, 118, DateTime(shown.year, 13, 1, 8, 0, 0)))
    meter.say(record(4, 450, DateTime(2037, 1, 1)))
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(1, held=3)
        assert glucoses(gateway) == [133]
        assert [row["reason"].split(", ")[0] for row in gateway.held] == [
            "glucose measurement: its context says that it is a ketone",
            "glucose measurement: its month is 13",
            "glucose measurement: its year is 2037",
        ]
        meter.prick(mg_dl=134)
        await gateway.until_kept(2)
        assert len(gateway.held) == 3, "what is held is not asked for again"
    assert meter.writes == []


async def test_an_unknown_meters_control_solution_is_held_too(home: Household) -> None:
    meter = await home.add(Glucometer)
    shown = meter.clock.shows()
    assert shown is not None
    meter.say(record(1, 118, DateTime(shown.year, 13, 1, 8, 0, 0)))
    meter.prick(mg_dl=104)
    async with listening(home, meter, kind=Kind.GLUCOSE) as gateway:
        await gateway.until_kept(1, held=1)
        assert glucoses(gateway) == [104]
        assert gateway.held[0]["characteristic"] == gatt.GLUCOSE_MEASUREMENT
