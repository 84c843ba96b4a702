"""The virtual pulse oximeter: a spot check is indicated with everything else it has stored, and then it hangs up."""

from typing import Final

from devices import gatt
from devices.oximeter import OximeterStatus, SpotMeasurement
from devices.virtual.ledger import Said
from devices.virtual.peripheral import decimal_of
from devices.virtual.peripherals import PushingPeripheral, value

#: PLX Features: measurement status, device and sensor status, storage, time stamp; and which of their bits it knows.
_FEATURE: Final = bytes.fromhex("0f00") + bytes.fromhex("0081") + bytes.fromhex("200000")


class PulseOximeter(PushingPeripheral):
    """A pulse oximeter (0x1822) for spot checks."""

    service = gatt.OXIMETER_SERVICE
    measurement_uuid = gatt.OXIMETER_SPOT
    feature = (gatt.OXIMETER_FEATURE, _FEATURE)

    def clip(
        self, percent: float, pulse: float, *, status: int = OximeterStatus.FULLY_QUALIFIED_DATA, sensor_status: int = 0
    ) -> int:
        """Clip it to a finger once; its number in this device. `sensor_status` 32 is low perfusion."""
        shown = self.clock.shows()
        frame = SpotMeasurement(
            oxygen_saturation=decimal_of(percent),
            pulse_rate=decimal_of(pulse),
            time_stamp=shown,
            status=status,
            sensor_status=sensor_status,
        )
        said = Said(
            0,
            self.measurement_uuid,
            bytes(frame),
            self.clock.now(),
            values={"oxygen_saturation": value(percent, "%"), "pulse_rate": value(pulse, "/min")},
            device_time=shown.text() if shown else None,
        )
        return self._store(said)
