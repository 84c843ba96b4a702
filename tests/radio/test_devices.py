"""Every virtual device, from the scan to a Measurement, by the product's own radio and procedures.

Goal: what a device was made to measure is what the gateway reads, unit and clock included, and the frames of real devices
come through byte for byte. Method: one process, real HCI, L2CAP, ATT and GATT between two bumble hosts.
"""

import json
from datetime import timedelta

import pytest

from devices.procedures import Assembled, Ending, Malformed
from devices.virtual.captures import CAPTURES, replay
from devices.virtual.device_clock import WRONG_BY_S, ClockMode
from devices.virtual.glucometer import Glucometer
from devices.virtual.make import Identity
from devices.virtual.peripheral import Peripheral
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from schemas.codes import Kind
from tests.radio.household import Household, Session, now

AND = Identity("C0:00:00:00:20:01", "A&D_UA-651BLE", "A&D", "UA-651BLE", "5160300123", "2.1")


def values(entry: Assembled) -> dict[str, tuple[float | None, str]]:
    return {name: (quantity.value, quantity.unit) for name, quantity in entry.measurement.quantities.items()}


async def test_a_squeeze_is_read_with_its_clock_user_and_pulse(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, identity=AND)
    cuff.measure(192, 118, mean=143, pulse=88, user_slot=1, status=0b101)

    session = await home.session(cuff)

    assert session.ending is Ending.HUNG_UP
    (squeeze,) = session.measurements
    assert squeeze.measurement.kind is Kind.BLOOD_PRESSURE
    assert values(squeeze) == {
        "systolic": (192.0, "mm[Hg]"),
        "diastolic": (118.0, "mm[Hg]"),
        "mean_arterial": (143.0, "mm[Hg]"),
        "pulse_rate": (88.0, "/min"),
    }
    assert squeeze.measurement.user_slot == 1
    assert squeeze.measurement.status == ("body_moved", "irregular_pulse")
    assert (session.facts.manufacturer, session.facts.model) == ("A&D", "UA-651BLE")
    assert (session.facts.serial, session.facts.firmware) == ("5160300123", "2.1")
    # EUI-64 of the address, least significant byte first (Device Information Service 1.1, System ID).
    assert session.facts.system_id == "012000feff0000c0"
    assert session.facts.clock_source == "2A08"
    assert session.facts.clock_offset_s == pytest.approx(0, abs=2)


async def test_kilopascals_stay_kilopascals(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, clock=ClockMode.NONE)
    cuff.measure(24.1, 15.9, kpa=True)

    (squeeze,) = (await home.session(cuff)).measurements

    assert values(squeeze)["systolic"] == (24.1, "kPa")
    assert squeeze.measurement.device_time is None


async def test_two_people_step_on_one_scale(home: Household) -> None:
    scale = await home.add(WeightScale)
    scale.weigh(kg=72.35, user_slot=1, height_m=1.77)
    scale.weigh(kg=84.2, user_slot=2)

    first, second = (await home.session(scale)).measurements

    assert values(first) == {
        "body_weight": (72.35, "kg"),
        "bmi": (23.1, "kg/m2"),
        "body_height": (1.77, "m"),
    }
    assert (first.measurement.user_slot, second.measurement.user_slot) == (1, 2)
    assert values(second) == {"body_weight": (84.2, "kg")}


async def test_an_american_scale_says_pounds(home: Household) -> None:
    scale = await home.add(WeightScale)
    scale.weigh(lb=191.6)

    (weighing,) = (await home.session(scale)).measurements

    assert values(weighing) == {"body_weight": (191.6, "[lb_av]")}


async def test_a_meter_reports_every_record_with_its_meal(home: Household) -> None:
    meter = await home.add(Glucometer)
    for number in range(20):
        meter.prick(mg_dl=90 + number, meal="fasting" if number % 2 else None)

    session = await home.session(meter)

    assert session.ending is Ending.COMPLETE
    records = session.measurements
    assert [entry.measurement.sequence_number for entry in records] == list(range(1, 21))
    assert [values(entry)["glucose"] for entry in records] == [(90.0 + n, "mg/dL") for n in range(20)]
    assert [entry.measurement.context.get("meal") for entry in records] == [None, "fasting"] * 10
    assert (meter.confirmed, meter.pending) == (20, 0)


async def test_a_molar_meter_with_an_offset_tells_the_time_its_user_sees(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.time_offset_min = -60
    meter.prick(mmol_l=2.7, meal="postprandial")

    (record,) = (await home.session(meter)).measurements

    assert values(record) == {"glucose": (2.7, "mmol/L")}
    assert record.raw[0] & 1, "the record carries an offset"
    (line,) = await home.ledger_lines()
    assert record.measurement.device_time == json.loads(line)["device_time"]


async def test_a_meter_asked_again_says_that_it_has_nothing_new(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.prick(mg_dl=101)
    assert len((await home.session(meter)).measurements) == 1
    meter.prick(mg_dl=102)

    session = await home.session(meter, last_sequence=1)

    assert [entry.measurement.sequence_number for entry in session.measurements] == [2]


async def test_a_wrong_clock_is_measured_before_the_readings_come(home: Household) -> None:
    scale = await home.add(WeightScale, clock=ClockMode.WRONG)
    scale.weigh(kg=80)

    session = await home.session(scale)

    assert session.facts.clock_offset_s == pytest.approx(-WRONG_BY_S, abs=2)
    assert session.facts.clock_source == "2A2B"
    assert scale.clock.error_s == WRONG_BY_S, "an unknown scale's clock is read, never set"


async def test_the_clock_of_a_known_cuff_is_set_where_it_is_wrong(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, identity=AND, clock=ClockMode.WRONG)
    cuff.measure(120, 80)

    session = await home.session(cuff)

    assert session.facts.clock_was_set
    assert session.facts.clock_offset_s == pytest.approx(-WRONG_BY_S, abs=2)
    assert cuff.clock.error_s == pytest.approx(0, abs=2)


async def test_what_is_measured_while_nobody_listens_is_kept_and_told_oldest_first(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80)
    assert (cuff.taken, cuff.confirmed, cuff.pending, cuff.connections) == (3, 0, 3, 0)

    session = await home.session(cuff)

    assert [values(entry)["systolic"][0] for entry in session.measurements] == [121, 122, 123]
    assert (cuff.confirmed, cuff.pending, cuff.connections) == (3, 0, 1)


async def test_a_device_with_nothing_to_say_is_not_on_the_air(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    assert not cuff.device.is_advertising
    cuff.measure(120, 80)
    await home.session(cuff)
    assert not cuff.device.is_advertising


@pytest.mark.parametrize("name", sorted(CAPTURES))
async def test_captured_frames_come_through_byte_for_byte(home: Household, name: str) -> None:
    capture = CAPTURES[name]
    kind: type[Peripheral] = {"blood_pressure": BloodPressureCuff, "weight_scale": WeightScale, "glucose": Glucometer}[
        capture.vectors
    ]
    device: Peripheral = await home.add(kind, clock=ClockMode.NONE, identity=capture.identity("C0:00:00:00:30:01"))
    replay(device, capture)

    session: Session = await home.session(device)

    assert set(session.data) >= {frame.hex() for frame in capture.frames()}
    assert not [entry for entry in session.entries if isinstance(entry, Malformed)]
    assert len(session.measurements) == len(capture.frames()), "every frame became a measurement"
    assert device.pending == 0
    assert all(now() - entry.received_at < timedelta(seconds=30) for entry in session.measurements)
