"""The virtual cuff and scale: they keep each record until its indication is confirmed, and hang up after the last.

The manners are those of an A&D UA-651BLE: it advertises after a measurement, pushes what it has stored oldest first once
its CCCD is set, forgets a record when the ATT confirmation arrives, and hangs up. While nobody listens it stores.
"""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
from collections import deque
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar, Final

from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from typing_extensions import override

from devices import gatt
from devices.blood_pressure import BloodPressureMeasurement
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Peripheral, Properties, decimal_of, service
from devices.weight_scale import WeightMeasurement
from schemas.quantity import Absent

#: Blood Pressure Feature: body movement, cuff fit, irregular pulse, pulse range, position, several bonds.
_BLOOD_PRESSURE_FEATURE: Final = (0x003F).to_bytes(2, "little")
#: Weight Scale Feature: time stamp, several users, body mass index; weight in 5 g, height in 1 mm.
_WEIGHT_SCALE_FEATURE: Final = (0x0000_0000 | 0b111 | 7 << 3 | 3 << 7).to_bytes(4, "little")

#: The bit of a Client Characteristic Configuration that asks for indications.
_INDICATIONS: Final = 2

Value = dict[str, float | str]


def value(number: Decimal | float, unit: str) -> Value:
    """One true value, as the ledger writes it."""
    return {"value": float(number), "unit": unit}


class PushingPeripheral(Peripheral):
    """Pushes stored records by indication, oldest first."""

    measurement_uuid: ClassVar[str]
    feature: ClassVar[tuple[str, bytes]]
    #: What it sends for nothing, where it has the habit.
    filler: ClassVar[bytes] = b""

    @override
    def services(self) -> tuple[Service, ...]:
        self._stored: deque[Said] = deque()
        #: Confirmed long ago, and sent again each time where it keeps its history.
        self._history: list[Said] = []
        self._pushing_to: Connection | None = None
        self._measurement = self._characteristic(self.measurement_uuid, Properties.INDICATE)
        self._measurement.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        feature, bits = self.feature
        characteristics = [self._measurement, self._characteristic(feature, Properties.READ, read=bits)]
        return (service(self.service, [*characteristics, *self._own_clock()]),)

    def _own_clock(self) -> "tuple[Characteristic[bytes], ...]":
        """A clock inside the measurement's own service, where a device has it there."""
        return ()

    @property
    @override
    def pending(self) -> int:
        return len(self._stored)

    @override
    def say(self, frame: bytes) -> int:
        return self._store(Said(0, self.measurement_uuid, frame, self.clock.now()))

    def _store(self, said: Said) -> int:
        self.taken += 1
        frame = bytes([said.frame[0] | self.habits.reserved_flags]) + said.frame[1:]
        self._stored.append(replace(said, number=self.taken, frame=frame))
        self.wake()
        return self.taken

    def _on_subscription(self, connection: Connection, *wanted: bool) -> None:
        """`wanted`: notifications, indications."""
        if wanted[1] and self._pushing_to is not connection and not self.mute and self._in_peace():
            self._pushing_to = connection
            self._spawn(self._push(connection))

    async def _push(self, connection: Connection) -> None:
        """Everything stored, one at a time, then a moment for more, then good-bye."""
        if self.habits.fillers and self.filler:
            await self._indicate(connection, self._measurement, self.filler)
        for said in tuple(self._history):
            await self._indicate(connection, self._measurement, said.frame)
        while connection is self.connection:
            if not self._stored:
                await asyncio.sleep(self.habits.linger_s)
                if not self._stored:
                    break
            if not self._is_wanted(connection):
                # The reader died, and its system ended the subscription but kept the link: what is left is kept.
                self._pushing_to = None
                return
            said = self._stored[0]
            if not await self._hand_over(connection, said):
                break  # kept: the next connection gets it
            self._confirm(said)
            self._stored.popleft()
            if self.habits.keeps_history:
                self._history.append(said)
            await asyncio.sleep(self.habits.gap_s if self._stored else 0)
        if connection is self.connection:
            await self.hang_up()

    def _is_wanted(self, connection: Connection) -> bool:
        """Whether its reader is still subscribed."""
        return bool(self.device.gatt_server.read_cccd(connection, self._measurement)[0] & _INDICATIONS)

    async def _hand_over(self, connection: Connection, said: Said) -> bool:
        """Send one record; whether it was confirmed."""
        sent = [await self._indicate(connection, self._measurement, said.frame) for _ in range(self.habits.repeats)]
        return sent[0]


class BloodPressureCuff(PushingPeripheral):
    """A blood pressure cuff (0x1810)."""

    service = gatt.BLOOD_PRESSURE_SERVICE
    measurement_uuid = gatt.BLOOD_PRESSURE_MEASUREMENT
    feature = (gatt.BLOOD_PRESSURE_FEATURE, _BLOOD_PRESSURE_FEATURE)

    @override
    def _own_clock(self) -> "tuple[Characteristic[bytes], ...]":
        return () if self.clock.shows() is None else (self._clock_characteristic(gatt.DATE_TIME),)

    @override
    def _current_time(self) -> tuple[Service, ...]:
        return ()

    def factory_test(self) -> int:
        """A record from the end of the assembly line: no number at all. Its number in this device."""
        nothing = Absent.NAN
        return self.say(bytes(BloodPressureMeasurement(nothing, nothing, nothing, time_stamp=self.clock.shows())))

    def measure(
        self,
        systolic: float,
        diastolic: float,
        *,
        mean: float | None = None,
        pulse: float | None = None,
        user_slot: int | None = None,
        status: int | None = 0,
        kpa: bool = False,
    ) -> int:
        """Squeeze once, values in mmHg or kPa; the mean is reckoned where none is given. Its number in this device."""
        unit = "kPa" if kpa else "mm[Hg]"
        pressures = [decimal_of(systolic), decimal_of(diastolic)]
        reckoned = (pressures[0] + 2 * pressures[1]) / 3
        pressures.append(decimal_of(mean) if mean is not None else round(reckoned, 1 if kpa else 0))
        shown = self.clock.shows()
        frame = BloodPressureMeasurement(
            systolic=pressures[0],
            diastolic=pressures[1],
            mean_arterial=pressures[2],
            kpa=kpa,
            time_stamp=shown,
            pulse_rate=None if pulse is None else decimal_of(pulse),
            user=user_slot,
            status=status,
        )
        names = ("systolic", "diastolic", "mean_arterial")
        values = {name: value(number, unit) for name, number in zip(names, pressures, strict=True)}
        if pulse is not None:
            values["pulse_rate"] = value(pulse, "/min")
        said = Said(
            0,
            self.measurement_uuid,
            bytes(frame),
            self.clock.now(),
            values=values,
            device_time=shown.text() if shown else None,
            user_slot=user_slot,
        )
        return self._store(said)


class WeightScale(PushingPeripheral):
    """A weight scale (0x181D), in kg or, where it is an American one, in lb."""

    service = gatt.WEIGHT_SCALE_SERVICE
    measurement_uuid = gatt.WEIGHT_MEASUREMENT
    feature = (gatt.WEIGHT_SCALE_FEATURE, _WEIGHT_SCALE_FEATURE)
    filler = bytes(WeightMeasurement(Decimal(0)))

    def weigh(
        self,
        *,
        kg: float | None = None,
        lb: float | None = None,
        user_slot: int | None = None,
        height_m: float | None = None,
    ) -> int:
        """Step on once: `kg` or `lb`, as the scale is set; its number in this device."""
        if (kg is None) == (lb is None):
            raise ValueError("a scale shows kg or lb, one of them")
        imperial = lb is not None
        step = Decimal("0.01") if imperial else Decimal("0.005")
        weight = round(decimal_of(lb if lb is not None else kg or 0.0) / step) * step
        height = bmi = None
        if height_m is not None and not imperial:
            height = decimal_of(height_m)
            bmi = round(weight / (height * height), 1)
        shown = self.clock.shows()
        frame = WeightMeasurement(
            weight=weight, imperial=imperial, time_stamp=shown, user=user_slot, body_mass_index=bmi, height=height
        )
        values = {"body_weight": value(weight, "[lb_av]" if imperial else "kg")}
        if bmi is not None and height is not None:
            values |= {"bmi": value(bmi, "kg/m2"), "body_height": value(height, "m")}
        said = Said(
            0,
            self.measurement_uuid,
            bytes(frame),
            self.clock.now(),
            values=values,
            device_time=shown.text() if shown else None,
            user_slot=user_slot,
        )
        return self._store(said)
