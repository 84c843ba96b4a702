"""The virtual thermometer: one temperature, in the unit it is set to."""

from typing import Final

from devices import gatt
from devices.thermometer import TemperatureMeasurement
from devices.virtual.ledger import Said
from devices.virtual.peripheral import decimal_of
from devices.virtual.peripherals import PushingPeripheral, value

#: Temperature Type: mouth.
_MOUTH: Final = 6


class Thermometer(PushingPeripheral):
    """A thermometer (0x1809), in °C or, where it is an American one, in °F."""

    service = gatt.THERMOMETER_SERVICE
    measurement_uuid = gatt.TEMPERATURE_MEASUREMENT
    feature = (gatt.TEMPERATURE_TYPE, bytes([_MOUTH]))

    def take(self, *, celsius: float | None = None, fahrenheit: float | None = None) -> int:
        """Take a temperature once: `celsius` or `fahrenheit`, as it is set; its number in this device."""
        if (celsius is None) == (fahrenheit is None):
            raise ValueError("a thermometer shows celsius or fahrenheit, one of them")
        temperature = celsius if fahrenheit is None else fahrenheit
        assert temperature is not None
        shown = self.clock.shows()
        frame = TemperatureMeasurement(
            decimal_of(temperature), fahrenheit=fahrenheit is not None, time_stamp=shown, site=_MOUTH
        )
        said = Said(
            0,
            self.measurement_uuid,
            bytes(frame),
            self.clock.now(),
            values={"body_temperature": value(temperature, "Cel" if fahrenheit is None else "[degF]")},
            device_time=shown.text() if shown else None,
        )
        return self._store(said)
