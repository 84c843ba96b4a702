"""The virtual body scale: several users, each behind a code; a weighing and what the scale makes of it (Beurer BF720).

It hands a user's records to whoever gives that user's code, and to nobody else; the composition of a record that is not the
newest was not kept, and zeros stand for it. New batteries wipe users and clock.
"""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
from decimal import Decimal
from typing import Final

from bumble.device import Connection
from bumble.gatt import Service
from typing_extensions import override

from devices import gatt
from devices.body_composition import BodyComposition
from devices.date_time import DateTime
from devices.encoding import MalformedFrame
from devices.user_control import Opcode, Result, UserControl
from devices.virtual.device_clock import ClockMode
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Properties, decimal_of, service
from devices.virtual.peripherals import WeightScale

#: Body Composition Feature: several users, basal metabolism, muscle, water mass, impedance; weight in 5 g, height in 1 mm.
_FEATURE: Final = (0b10 | 1 << 2 | 1 << 3 | 1 << 7 | 1 << 8 | 7 << 11 | 3 << 15).to_bytes(4, "little")
#: What a real one sends where it kept no composition (vectors/body_composition.json).
_NO_COMPOSITION: Final = bytes.fromhex("9803000096230000000000000000")


class BodyScale(WeightScale):
    """A scale (0x181D, 0x181B) with a User Data Service. `users`: user index → consent code."""

    @override
    def services(self) -> tuple[Service, ...]:
        self.users: dict[int, int] = {1: 1111, 2: 2222}
        #: How each consent was answered.
        self.answers: list[int] = []
        self._compositions: dict[int, bytes] = {}
        self._user: int | None = None
        self._composition = self._characteristic(gatt.BODY_COMPOSITION, Properties.INDICATE)
        self._control = self._characteristic(
            gatt.USER_CONTROL_POINT, Properties.WRITE | Properties.INDICATE, write=self._on_control
        )
        feature = self._characteristic(gatt.BODY_COMPOSITION_FEATURE, Properties.READ, read=_FEATURE)
        return (
            *super().services(),
            service(gatt.BODY_COMPOSITION_SERVICE, [self._composition, feature]),
            service(gatt.USER_DATA_SERVICE, [self._control]),
        )

    def step_on(self, *, kg: float, user_slot: int, fat_percent: float | None = None) -> int:
        """Step on once, in kg; its number in this device. Without `fat_percent`: in socks."""
        number = self.weigh(kg=kg, user_slot=user_slot)
        self._compositions = {}  # only the newest is kept
        if fat_percent is not None:
            self._compositions[number] = bytes(
                BodyComposition(decimal_of(fat_percent), basal_metabolism_kj=Decimal(6879), impedance_ohm=Decimal(452))
            )
        return number

    def change_batteries(self) -> None:
        """Users, codes and clock are gone; what it measured is not."""
        self.users = {}
        if self.clock.mode is not ClockMode.NONE:
            self.clock.set(DateTime(2018, 1, 1))

    def _on_control(self, connection: Connection, data: bytes) -> None:
        try:
            request = UserControl.from_bytes(data)
        except MalformedFrame:
            request = UserControl(data[0] if data else 0)
        result, user = Result.OPCODE_NOT_SUPPORTED, None
        if request.opcode == Opcode.CONSENT and len(request.parameter) > 1:
            user = request.parameter[0]
            told = int.from_bytes(request.parameter[1:], "little")
            result = Result.SUCCESS if self.users.get(user) == told else Result.USER_NOT_AUTHORIZED
        self.answers.append(result)
        self._spawn(self._answer(connection, request.opcode, result, user))

    async def _answer(self, connection: Connection, opcode: int, result: Result, user: int | None) -> None:
        said = bytes([Opcode.RESPONSE, opcode, result])
        if await self._indicate(connection, self._control, said) and result is Result.SUCCESS and not self.mute:
            self._user = user
            await self._push_of_user(connection, user)

    @override
    def _on_subscription(self, connection: Connection, *wanted: bool) -> None:
        """Nothing comes before a consent."""

    async def _push_of_user(self, connection: Connection, user: int | None) -> None:
        if self.habits.fillers:
            await self._indicate(connection, self._measurement, self.filler)
        for said in [said for said in self._stored if said.user_slot == user]:
            if user != self._user or not await self._hand_over(connection, said):
                return
            self._confirm(said)
            self._stored.remove(said)
        await asyncio.sleep(self.habits.linger_s)
        if user == self._user and connection is self.connection:
            await self.hang_up()

    @override
    async def _hand_over(self, connection: Connection, said: Said) -> bool:
        if not await super()._hand_over(connection, said):
            return False
        composition = self._compositions.get(said.number, _NO_COMPOSITION)
        if not self.device.gatt_server.read_cccd(connection, self._composition)[0] & 2:
            return True
        return await self._indicate(connection, self._composition, composition)
