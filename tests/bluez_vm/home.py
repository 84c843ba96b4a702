"""A home on BlueZ: virtual devices in the air, the kernel's Bluetooth, bluetoothd, and the whole gateway as it is sold.

The gateway runs in this process (`gateway.program.Gateway`, bleak's stock backend), or as the program itself. There is no
broker in this machine: what it keeps is looked at in its outbox.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from devices.virtual.device_clock import ClockMode, DeviceClock
from devices.virtual.ether import EtherLink
from devices.virtual.ledger import Ledger
from devices.virtual.make import Habits, Identity
from devices.virtual.peripheral import Peripheral
from gateway.enrolment import Enrolment
from gateway.machine import Machine
from gateway.outbox import Outbox
from gateway.program import Gateway
from gateway.radio import Radio
from gateway.settings import Settings, read_settings
from gateway.systemd import Systemd
from tests.bluez_vm.bluetoothd import Bluetoothd, Vhci, bluez, until

ZONE: Final = "America/New_York"
#: Quick to be found; otherwise as they are.
EAGER: Final = Habits(advertise_every_s=0.05)
#: A session takes one to three seconds here.
READ_S_MAX: Final = 40.0
STOP_S_MAX: Final = 30.0
ROWS_MAX: Final = 1000

_Kind = TypeVar("_Kind", bound=Peripheral)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Home:
    """The air, what stands in it, and BlueZ."""

    folder: Path
    link: EtherLink
    daemon: Bluetoothd
    adapter: Vhci
    ledger: Ledger
    _devices: list[Peripheral] = field(default_factory=list[Peripheral])
    _tables: list[str] = field(default_factory=list[str])

    @property
    def config(self) -> Path:
        """The settings file of this home."""
        return self.folder / "home.toml"

    async def add(
        self,
        kind: type[_Kind],
        measures: str | None,
        *,
        name: str | None = None,
        habits: Habits = EAGER,
        passkey: str | None = None,
    ) -> _Kind:
        """A device, powered on, and enrolled as one that `measures` this; None: a neighbour's."""
        number = len(self._devices) + 1
        identity = Identity(
            f"C0:00:00:00:10:{number:02X}", name or f"device {number}", "Maker", kind.__name__, f"{number}"
        )
        clock = DeviceClock(ClockMode.RIGHT, ZoneInfo(ZONE))
        label = f"{kind.__name__} {number}"
        device = kind(self.link, identity, clock, home="a", label=label, ledger=self.ledger, habits=habits)
        self._devices.append(device)
        if measures is not None:
            table = f'[[device]]\naddress = "{identity.address}"\nkind = "{measures}"\nlabel = "{label}"\n'
            self._tables.append(table + (f'passkey = "{passkey}"\n' if passkey else ""))
        await device.power_on()
        return device

    def settings(self) -> Settings:
        """The settings, as the program reads them. Nobody listens at the broker's port."""
        self.config.write_text(
            f'gateway_id = "gw-home-a"\ntime_zone = "{ZONE}"\noutbox = "outbox.sqlite3"\n'
            '[broker]\nurl = "mqtt://127.0.0.1:9"\npassword = "none"\n[radio]\nbackend = "bluez"\n'
            + "".join(self._tables)
        )
        return read_settings(self.config)

    @asynccontextmanager
    async def gateway(self) -> AsyncGenerator[Gateway]:
        """The gateway at work, until the block ends; it has to end by itself then."""
        settings = self.settings()
        outbox = Outbox.open(settings.outbox, bytes_max=settings.outbox_bytes_max, gateway_id=settings.gateway_id)
        radio = Radio.from_settings(settings.radio, passkey_of=Enrolment(settings.device).passkey_of)
        gateway, stop = Gateway(settings, outbox, radio, Systemd({}), Machine()), asyncio.Event()
        running = asyncio.create_task(gateway.run(stop))
        try:
            await until(lambda: gateway.watch.scanning or running.done(), within_s=READ_S_MAX)
            assert not running.done()
            yield gateway
        finally:
            stop.set()
            await asyncio.wait_for(running, STOP_S_MAX)
            outbox.close()

    def rows(self, device: Peripheral | None = None) -> list[dict[str, Any]]:
        """Readings in the outbox, in the order they were kept; of one device."""
        settings = self.settings()
        if not settings.outbox.exists():
            return []
        outbox = Outbox.read_only(settings.outbox, bytes_max=settings.outbox_bytes_max, gateway_id="gw-home-a")
        try:
            rows = [json.loads(row.body) for row in outbox.due(now=now() + timedelta(days=1), limit=ROWS_MAX)]
        finally:
            outbox.close()
        rows.reverse()
        return [row for row in rows if device is None or row["device"]["address"] == device.identity.address]

    def lost(self) -> list[str]:
        """Records a device was told we have (its ledger, as hex), and that are nowhere here."""
        lines = self.ledger.path.read_text().splitlines() if self.ledger.path.exists() else []
        here = {row["raw"] for row in self.rows()}
        return [raw for raw in (json.loads(line)["raw"] for line in lines) if raw not in here]

    def events(self) -> list[str]:
        """Names of what the gateway wants to tell, in order."""
        settings = self.settings()
        outbox = Outbox.read_only(settings.outbox, bytes_max=settings.outbox_bytes_max, gateway_id="gw-home-a")
        try:
            return [json.loads(row.body)["name"] for row in outbox.events(limit=ROWS_MAX)]
        finally:
            outbox.close()

    async def kept(self, device: Peripheral, count: int, *, within_s: float = READ_S_MAX) -> float:
        """Wait until so many readings of a device are in the outbox; how many seconds that took."""
        return await until(lambda: len(self.rows(device)) >= count, within_s=within_s)


@asynccontextmanager
async def home(folder: Path, *, name: str) -> AsyncGenerator[Home]:
    """An empty home with a BlueZ that never met anybody."""
    link, ledger = EtherLink(), Ledger(folder / "ledger")
    async with bluez(link, log_as=name) as (daemon, adapter):
        made = Home(folder, link, daemon, adapter, ledger)
        try:
            yield made
        finally:
            for device in made._devices:
                await device.power_off()
            ledger.close()
