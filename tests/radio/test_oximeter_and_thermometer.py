"""A spot check and a temperature, from the scan to a Measurement, by the product's own radio and procedures."""

import pytest

from devices.procedures import Assembled, Ending
from devices.virtual.device_clock import ClockMode
from devices.virtual.oximeter import PulseOximeter
from devices.virtual.thermometer import Thermometer
from schemas.codes import Kind
from tests.radio.household import Household


def values(entry: Assembled) -> dict[str, tuple[float | None, str]]:
    return {name: (quantity.value, quantity.unit) for name, quantity in entry.measurement.quantities.items()}


async def test_spot_checks_are_told_oldest_first_with_what_the_oximeter_thinks_of_them(home: Household) -> None:
    oximeter = await home.add(PulseOximeter)
    oximeter.clip(96, 72)
    oximeter.clip(87.5, 104, sensor_status=0b10_0000)

    session = await home.session(oximeter)

    first, second = session.measurements
    assert session.ending is Ending.HUNG_UP
    assert first.measurement.kind is Kind.OXYGEN_SATURATION
    assert values(first) == {"oxygen_saturation": (96.0, "%"), "pulse_rate": (72.0, "/min")}
    assert values(second)["oxygen_saturation"] == (87.5, "%")
    assert first.measurement.status == ("fully_qualified_data",)
    assert second.measurement.status == ("fully_qualified_data", "low_perfusion_detected")
    assert first.measurement.device_time is not None
    assert (oximeter.confirmed, oximeter.pending) == (2, 0)


@pytest.mark.parametrize("unit, shown", [("celsius", (38.4, "Cel")), ("fahrenheit", (101.1, "[degF]"))])
async def test_a_temperature_keeps_the_unit_of_its_thermometer(
    home: Household, unit: str, shown: tuple[float, str]
) -> None:
    thermometer = await home.add(Thermometer, clock=ClockMode.NONE)
    thermometer.take(**{unit: shown[0]})

    (taken,) = (await home.session(thermometer)).measurements

    assert taken.measurement.kind is Kind.BODY_TEMPERATURE
    assert values(taken) == {"body_temperature": shown}
    assert taken.measurement.device_time is None
    assert taken.measurement.context == {"body_site": "mouth"}


async def test_a_thermometer_shows_one_unit(home: Household) -> None:
    thermometer = await home.add(Thermometer)
    with pytest.raises(ValueError, match="one of them"):
        thermometer.take(celsius=38, fahrenheit=100)
    assert thermometer.taken == 0
