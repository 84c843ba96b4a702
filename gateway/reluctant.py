"""Devices that are heard and do not connect, or do not pair: counted, their bond forgotten, and at last let alone."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from gateway.bonds import REST_S, Bonds, Refused
from gateway.enrolment import Enrolled
from gateway.ladder import CONNECTS_FAILED_MAX
from gateway.radio import Radio, RadioFault
from schemas.messages import EventName

log = structlog.get_logger()

#: A device that is heard and connects so often in vain has perhaps lost its bond: ours is deleted, and it pairs anew. On
#: BlueZ such a device shows nothing but time-outs.
FORGET_AFTER_FAILURES: Final = 3
#: … and that is tried this often a day: a device out of reach looks the same.
FORGET_AGAIN_S: Final = 6 * 3600.0
FORGET_S_MAX: Final = 30.0


class Reluctant:
    """What is known of them since this program started. `tell` is for the cloud."""

    def __init__(self, radio: Radio, tell: Callable[[EventName, Enrolled], None]) -> None:
        #: Set where so many connections failed in a row that the radio itself is to be doubted.
        self.failing = asyncio.Event()
        #: Failed connections in a row, of all devices together.
        self.failures = 0
        self._radio = radio
        self._tell = tell
        self._bonds = Bonds()
        self._unconnected: dict[int, int] = {}
        self._forgotten_at: dict[int, float] = {}

    async def connect_failed(self, enrolled: Enrolled) -> None:
        """Count it; where this device alone fails, delete our bond with it, for it may have lost its own."""
        self.failures += 1
        in_vain = self._unconnected[enrolled.slot] = self._unconnected.get(enrolled.slot, 0) + 1
        if self.failures % CONNECTS_FAILED_MAX == 0:
            self.failing.set()
        now = asyncio.get_running_loop().time()
        last = self._forgotten_at.get(enrolled.slot)
        rested = last is None or now - last >= FORGET_AGAIN_S
        if in_vain >= FORGET_AFTER_FAILURES and self._radio.control is not None and rested:
            self._forgotten_at[enrolled.slot] = now
            await self._forget(enrolled)

    async def pairing_failed(self, enrolled: Enrolled) -> float:
        """Forget a bond that may be stale; say once that a person has to look. How long to let the device alone."""
        match self._bonds.refused(enrolled.slot):
            case Refused.AGAIN:
                return 0.0
            case Refused.FORGET:
                await self._forget(enrolled)
                return 0.0
            case Refused.REST:
                if self._bonds.first_rest(enrolled.slot):
                    self._tell(EventName.DEVICE_NOT_PAIRED, enrolled)
                return REST_S

    def connected(self, enrolled: Enrolled) -> None:
        """The radio works, and so does this device."""
        self.failures = 0
        if self._unconnected.pop(enrolled.slot, 0) >= FORGET_AFTER_FAILURES and enrolled.slot in self._forgotten_at:
            self._tell(EventName.DEVICE_PAIRED, enrolled)

    def talked(self, enrolled: Enrolled) -> None:
        """It let itself be asked and subscribed to: whatever bond there is holds."""
        if self._bonds.paired(enrolled.slot):
            self._tell(EventName.DEVICE_PAIRED, enrolled)

    async def _forget(self, enrolled: Enrolled) -> None:
        if self._radio.control is None:
            return
        try:
            async with asyncio.timeout(FORGET_S_MAX):
                await self._radio.control.forget(enrolled.address)
        except (RadioFault, TimeoutError) as error:
            log.warning("bond_not_forgotten", device=enrolled.slot, reason=str(error))
        else:
            log.warning("bond_forgotten", device=enrolled.slot)
