"""One home in one process: a cuff, a scale, a meter and a gateway's radio in the same air.

The radio is the product's own (`gateway.radio.Radio`), the procedure is the product's own (`devices.procedures`); only
the air between them is not there.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from devices.catalogue import Model, find
from devices.procedures import Answer, Assembled, Ending, Frame, Malformed, SessionFacts, assemble, collect, introduce
from devices.virtual.adapter import Adapter, use_device
from devices.virtual.bleak_backend import BumbleClientBackend, BumbleScannerBackend
from devices.virtual.device_clock import ClockMode, DeviceClock
from devices.virtual.ether import EtherController, EtherLink
from devices.virtual.ledger import Ledger
from devices.virtual.make import Habits, Identity
from devices.virtual.peripheral import Peripheral
from gateway.radio import BleakLink, Heard, Radio

NEW_YORK = ZoneInfo("America/New_York")
#: Quick to be found; otherwise as they are.
EAGER = Habits(advertise_every_s=0.02)
SEEN_S_MAX = 30.0
#: Silence is noticed quickly here, so that tests are.
SUPERVISION_S = 0.08

_Kind = TypeVar("_Kind", bound=Peripheral)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Session:
    """What one connection brought."""

    facts: SessionFacts
    ending: Ending
    frames: list[Frame] = field(default_factory=list[Frame])
    #: What the device is taken for; None: what the catalogue says.
    model: Model | None = None
    #: How consents were answered, by user.
    consents: dict[int, Answer] = field(default_factory=dict[int, Answer])

    @property
    def entries(self) -> list[Assembled | Malformed]:
        return assemble(self.frames, model=self.model or self.facts.catalogued)

    @property
    def measurements(self) -> list[Assembled]:
        assert not [entry for entry in self.entries if isinstance(entry, Malformed)]
        return [entry for entry in self.entries if isinstance(entry, Assembled)]

    @property
    def data(self) -> list[str]:
        return [frame.data.hex() for frame in self.frames]


@dataclass
class Household:
    """The air, what stands in it, and the gateway's radio."""

    link: EtherLink
    ledger_folder: Path
    radio: Radio
    #: The gateway's own controller, adapter and address.
    controller: EtherController
    adapter: Adapter
    _ledger: Ledger
    _devices: list[Peripheral] = field(default_factory=list[Peripheral])

    async def add(
        self,
        kind: type[_Kind],
        *,
        clock: ClockMode = ClockMode.RIGHT,
        habits: Habits = EAGER,
        identity: Identity | None = None,
    ) -> _Kind:
        """A device, powered on."""
        number = len(self._devices) + 1
        device = kind(
            self.link,
            identity
            or Identity(f"C0:00:00:00:10:{number:02X}", f"device {number}", "Maker", kind.__name__, f"{number}"),
            DeviceClock(clock, NEW_YORK),
            home="a",
            label=f"{kind.__name__} {number}",
            ledger=self._ledger,
            habits=habits,
        )
        self._devices.append(device)
        await device.power_on()
        return device

    async def seen(self, device: Peripheral) -> Heard:
        """Scan until this device is heard."""
        found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

        def on_seen(heard: Heard) -> None:
            if heard.address == device.identity.address and not found.done():
                found.set_result(heard)

        async with self.radio.scanning(on_seen):
            return await asyncio.wait_for(found, SEEN_S_MAX)

    @asynccontextmanager
    async def connected(self, device: Peripheral) -> AsyncGenerator[BleakLink]:
        """Found, connected, and always disconnected."""
        async with self.radio.connected(await self.seen(device)) as link:
            yield link

    async def session(
        self,
        device: Peripheral,
        *,
        last_sequence: int | None = None,
        on_frame: Callable[[list[Frame]], None] | None = None,
        model: Model | None = None,
        consents: Sequence[tuple[int, int]] = (),
    ) -> Session:
        """One whole session as the gateway has it. `on_frame` sees all frames so far, inside the callback.

        `model`: what the device is taken for, whatever the catalogue says.
        """
        frames: list[Frame] = []

        def keep(frame: Frame) -> None:
            frames.append(frame)
            if on_frame is not None:
                on_frame(frames)

        heard = await self.seen(device)
        answers: dict[int, Answer] = {}
        row = model or find(None, None, heard.name)
        async with self.radio.connected(heard, pair=row.pairs_first) as link:
            facts = await introduce(link, utc_now=now, zone=NEW_YORK, name=heard.name, model=model)
            ending = await collect(
                link,
                keep=keep,
                utc_now=now,
                last_sequence=last_sequence,
                model=model or facts.catalogued,
                zone=NEW_YORK,
                consents=consents,
                on_consent=answers.__setitem__,
            )
        return Session(facts, ending, frames, model, answers)

    async def ledger_lines(self) -> list[str]:
        """Lines of the ledger, once the last confirmation had time to travel."""
        # Turns of the loop, not only time: on a busy machine a hundredth of a second is one turn, and it travels through several.
        for _ in range(50):
            await asyncio.sleep(0.001)
        return self.ledger_folder.joinpath("ledger.jsonl").read_text().splitlines()


@asynccontextmanager
async def household(folder: Path) -> AsyncGenerator[Household]:
    """An empty home with a gateway's radio."""
    link = EtherLink(supervision_s=SUPERVISION_S)
    ledger = Ledger(folder / "ledger")
    controller, device = gateway_device(link, "F0:00:00:00:00:01")
    await device.power_on()
    adapter = use_device(device)
    radio = Radio(scanner_backend=BumbleScannerBackend, client_backend=BumbleClientBackend, name="bumble")
    home = Household(link, folder / "ledger", radio, controller, adapter, ledger)
    try:
        yield home
    finally:
        for peripheral in home._devices:
            await peripheral.power_off()
        await adapter.close()
        controller.vanish()
        ledger.close()


def gateway_device(
    link: EtherLink, address: str, *, public_address: str | None = None
) -> tuple[EtherController, Device]:
    """A bumble host on a controller of its own, not yet powered on."""
    controller = EtherController("gateway", link=link, public_address=public_address)
    configuration = DeviceConfiguration(name="gateway", address=hci.Address(address), irk=bytes(range(16)))
    return controller, Device(config=configuration, host=Host(controller, AsyncPipeSink(controller)))


async def found(device: Peripheral) -> BLEDevice:
    heard = await BleakScanner.find_device_by_address(device.identity.address, SEEN_S_MAX, backend=BumbleScannerBackend)
    assert heard is not None
    return heard


def client_of(device: BLEDevice | str) -> BleakClient:
    return BleakClient(device, backend=BumbleClientBackend)


async def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait for something that is about to be true."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come true"
        await asyncio.sleep(0.005)
