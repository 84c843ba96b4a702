"""The air process: every home of a scenario, the devices in it, and what their people do."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from devices.recording import find_recording
from devices.virtual.body_scale import BodyScale
from devices.virtual.captures import CAPTURES, replay
from devices.virtual.commands import CommandRefused, perform
from devices.virtual.device_clock import DeviceClock
from devices.virtual.ether import EtherLink
from devices.virtual.glucometer import Glucometer
from devices.virtual.hci_port import Firmware, serve_hci
from devices.virtual.ledger import Ledger
from devices.virtual.make import Identity
from devices.virtual.odd_devices import TimeKeepingCuff, VendorDevice
from devices.virtual.odd_meters import OwnClockMeter, RenumberingMeter, ServiceClockMeter
from devices.virtual.oximeter import PulseOximeter
from devices.virtual.people import Timed, commands
from devices.virtual.peripheral import Peripheral
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from devices.virtual.record_keeper import RecordKeeper
from devices.virtual.recorders import RecordingCuff, RecordingOximeter
from devices.virtual.replayed import identity_of, replayed
from devices.virtual.scenario import DeviceSpec, HomeSpec, Play, Scenario
from devices.virtual.thermometer import Thermometer

_KINDS: Final[dict[str, type[Peripheral]]] = {
    "cuff": BloodPressureCuff,
    "scale": WeightScale,
    "meter": Glucometer,
    "oximeter": PulseOximeter,
    "thermometer": Thermometer,
    "body_scale": BodyScale,
    "time_keeping_cuff": TimeKeepingCuff,
    "vendor": VendorDevice,
    "recording_oximeter": RecordingOximeter,
    "recording_cuff": RecordingCuff,
    "service_clock_meter": ServiceClockMeter,
    "own_clock_meter": OwnClockMeter,
    "renumbering_meter": RenumberingMeter,
    "blood_pressure": BloodPressureCuff,
    "weight_scale": WeightScale,
    "glucose": Glucometer,
}
_MAKES: Final = {
    "cuff": ("A&D", "UA-651BLE"),
    "scale": ("Transtek", "GBS-2104-B"),
    "meter": ("Roche", "929"),
    "oximeter": ("Nonin", "3230"),
    "thermometer": ("A&D", "UT-201BLE"),
    "body_scale": ("Beurer", "BF720"),
    "time_keeping_cuff": ("OMRON HEALTHCARE", "BP5150"),
    "vendor": ("Maker", "Own"),
    "recording_oximeter": ("Maker", "Recording oximeter"),
    "recording_cuff": ("Maker", "Recording cuff"),
    "service_clock_meter": ("Roche", "483"),
    "own_clock_meter": ("Ascensia Diabetes Care", "Contour7830"),
    "renumbering_meter": ("TaiDoc", "TD4289"),
}


class PortTaken(OSError):
    """Another program has the port a scenario asks for."""


@dataclass
class Home:
    """One home's air, and its devices by name."""

    name: str
    link: EtherLink
    hci_port: int
    server: asyncio.Server
    firmware: Firmware
    devices: dict[str, Peripheral] = field(default_factory=dict[str, Peripheral])


class Air:
    """Every home. `async with Air(scenario, ledger_folder)` powers everything on and begins the plays."""

    def __init__(self, scenario: Scenario, ledger_folder: Path | None = None) -> None:
        self.homes: dict[str, Home] = {}
        self._scenario = scenario
        self._ledger = Ledger(ledger_folder) if ledger_folder is not None else None
        self._plays: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for spec in self._scenario.home:
            self.homes[spec.name] = await self._open(spec)
        for spec in self._scenario.home:
            for device in spec.device:
                self._begin(self.homes[spec.name].devices[device.name], device)
        return self

    async def __aexit__(self, *_: object) -> None:
        for play in tuple(self._plays):
            play.cancel()
        await asyncio.gather(*self._plays, return_exceptions=True)
        for home in self.homes.values():
            home.server.close()
            for device in home.devices.values():
                await device.power_off()
        if self._ledger is not None:
            self._ledger.close()

    def devices(self, home: str | None = None, device: str | None = None) -> list[Peripheral]:
        """The devices so named; all where no name is given. KeyError for a name there is not."""
        homes = self.homes.values() if home is None else [self.homes[home]]
        if device is None:
            return [found for each in homes for found in each.devices.values()]
        return [each.devices[device] for each in homes if home is not None or device in each.devices]

    async def _open(self, spec: HomeSpec) -> Home:
        link = EtherLink()
        try:
            firmware = Firmware()
            server, port = await serve_hci(link, port=spec.hci_port, firmware=firmware)
        except OSError as error:
            raise PortTaken(f"port {spec.hci_port} of home {spec.name} is taken: choose another hci_port") from error
        home = Home(spec.name, link, port, server, firmware)
        for device in spec.device:
            home.devices[device.name] = self._make(home, spec, device)
            await home.devices[device.name].power_on()
        return home

    def _make(self, home: Home, spec: HomeSpec, device: DeviceSpec) -> Peripheral:
        clock = DeviceClock(device.clock, ZoneInfo(spec.time_zone), wrong_by_s=device.wrong_by_s)
        if device.capture is not None:
            capture = CAPTURES[device.capture]
            kind, identity = _KINDS[capture.vectors], capture.identity(device.address)
        elif device.recording is not None:
            recording = find_recording(device.recording)
            kind, identity = replayed(recording), identity_of(recording, device.address)
        else:
            kind, identity = _KINDS[device.model], _identity(device)
        made = kind(
            home.link,
            identity,
            clock,
            home=spec.name,
            label=device.name,
            ledger=self._ledger,
            habits=replace(
                device.habits,
                advertise_s=device.advertise_s or device.habits.advertise_s,
                bonded=device.bonded or device.habits.bonded,
                passkey=device.passkey if device.passkey is not None else device.habits.passkey,
            ),
        )
        if isinstance(made, BodyScale) and device.users is not None:
            made.users = dict(device.users)
        if isinstance(made, RecordKeeper):
            made.store = device.store
        if isinstance(made, Glucometer):
            made.time_offset_min = device.time_offset_min
        return made

    def _begin(self, device: Peripheral, spec: DeviceSpec) -> None:
        if spec.capture is not None:
            replay(device, CAPTURES[spec.capture])
        if spec.recording is not None:
            device.wake()
        for number, play in enumerate(spec.play):
            # Seeded by name, so that one device's acts do not depend on another's.
            draw = random.Random(f"{self._scenario.seed}/{device.home}/{spec.name}/{number}")
            task = asyncio.create_task(_play(device, spec, play, draw))
            self._plays.add(task)
            task.add_done_callback(self._plays.discard)


async def _play(device: Peripheral, spec: DeviceSpec, play: Play, draw: random.Random) -> None:
    await asyncio.sleep(play.after_s)
    rounds = 0
    while True:
        begun_s = asyncio.get_running_loop().time()
        for timed in _timed(spec, play, draw):
            await asyncio.sleep(max(begun_s + timed.after_s - asyncio.get_running_loop().time(), 0))
            perform(device, timed.command)
        rounds += 1
        if not play.every_s or rounds == play.times:
            return
        await asyncio.sleep(max(begun_s + play.every_s - asyncio.get_running_loop().time(), 0))


def _timed(spec: DeviceSpec, play: Play, draw: random.Random) -> list[Timed]:
    if play.command is not None:
        return [Timed(0.0, play.command)]
    usual = play.usual or spec.usual
    if play.act is None or usual is None:
        raise CommandRefused("a play without an act")
    return commands(play.act, usual, draw)


def _identity(spec: DeviceSpec) -> Identity:
    manufacturer, product = _MAKES[spec.model]
    serial = spec.serial or spec.address.replace(":", "")[-6:]
    product = spec.product or product
    return Identity(
        address=spec.address,
        name=spec.advertised_name or f"{product}_{serial}",
        manufacturer=spec.manufacturer or manufacturer,
        model=product,
        serial=serial,
        vendor_service=spec.vendor_service,
        company_id=spec.company_id,
    )
