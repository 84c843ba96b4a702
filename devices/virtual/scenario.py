"""A scenario: which homes there are, which devices stand in them, and what their people do.

```toml
seed = 7                            # varies what people measure (default 7)

[[home]]
name = "a"                          # an air of its own: no home hears another's devices
hci_port = 6402                     # where its gateway finds its controller; 0 or absent: any free port
time_zone = "America/New_York"      # what the clocks of its devices show

[[home.device]]
name = "cuff"
model = "cuff"                      # cuff | scale | meter | oximeter | thermometer | captures, and odd ones:
                                    # body_scale | time_keeping_cuff | vendor | recording_cuff | recording_oximeter
                                    # service_clock_meter | own_clock_meter | renumbering_meter, or
                                    # replayed: recording = "a file's name in devices/vectors/captures, or a path"
address = "C0:00:00:00:0A:01"       # random static: the two top bits of the first octet are set
clock = "right"                     # right | wrong | none (a meter always has one)
wrong_by_s = -2220                  # how far off a wrong clock is
manufacturer = "A&D"                # and product, serial: what its Device Information says
advertised_name = "A&D_UA-651BLE"   # otherwise product and serial; two devices may have one name
vendor_service = "FE4A"             # model = "vendor": what it offers; company_id = 526 is advertised beside it
users = {1 = 1111, 2 = 2222}        # model = "body_scale": its users' consent codes
capture = "beurer_cuff"             # model = "captures" only: cuff | beurer_cuff | scale | meter
time_offset_min = -60               # a meter's own offset from its base time
advertise_s = 60                    # how long it advertises after a measurement; 0 or absent: until it is heard
bonded = true                       # pairs before it talks; passkey = 123456 asks for that code
store = {newest_first = true, operators = ["all"]}           # of what is asked for records: StoreHabits
habits = {gap_s = 3.0, repeats = 2}                       # any of devices/virtual/make.py, Habits
usual = {systolic = 134, diastolic = 82, pulse = 71}      # what `act`s vary around:
                                    # scale {weight = 82.5, unit = "kg"}, meter {glucose = 124, unit = "mg/dL"}

[[home.device.play]]                # as many as there is to do
after_s = 20                        # after the air is ready
every_s = 90                        # and again; 0 or absent: once
times = 5                           # at most; 0 or absent: for as long as the air is there
usual = {weight = 84.2, unit = "kg", user_slot = 2}       # another person's than the device's
act = "ordinary"                    # ordinary | double | crisis | weight_gain | low_glucose, or instead, exactly:
command = {do = "measure", systolic = 192, diastolic = 118, pulse = 96}
```
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from devices.gatt import short_uuid
from devices.user_control import CONSENT_CODE_MAX
from devices.virtual.captures import CAPTURES
from devices.virtual.commands import Command
from devices.virtual.device_clock import WRONG_BY_S, ClockMode
from devices.virtual.make import Habits
from devices.virtual.people import Act, Usual
from devices.virtual.record_keeper import StoreHabits
from schemas.ids import Address

_RANDOM_STATIC_BITS = 0xC0


class BadScenario(ValueError):
    """One line that says what to correct."""


def _random_static(address: str) -> str:
    if int(address[:2], 16) & _RANDOM_STATIC_BITS != _RANDOM_STATIC_BITS:
        raise ValueError(f"{address} is not a random static address: let it begin with C0")
    return address


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
    return name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Play(_Part):
    """Something done at a time, and perhaps again."""

    after_s: Annotated[float, Field(ge=0)] = 0.0
    every_s: Annotated[float, Field(ge=0)] = 0.0
    times: Annotated[int, Field(ge=0)] = 0
    act: Act | None = None
    command: Command | None = None
    #: Whose act this is, where several people use one device.
    usual: Usual | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.act is None) == (self.command is None):
            raise ValueError("a play has an act or a command, one of them")
        return self


class DeviceSpec(_Part):
    """One device in a home."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
    model: Literal[
        "cuff",
        "scale",
        "meter",
        "oximeter",
        "thermometer",
        "captures",
        "body_scale",
        "time_keeping_cuff",
        "vendor",
        "recording_cuff",
        "recording_oximeter",
        "service_clock_meter",
        "own_clock_meter",
        "renumbering_meter",
        "replayed",
    ]
    address: Annotated[Address, AfterValidator(_random_static)]
    clock: ClockMode = ClockMode.RIGHT
    wrong_by_s: float = WRONG_BY_S
    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    capture: str | None = None
    recording: str | None = None
    time_offset_min: Annotated[int, Field(ge=-1440, le=1440)] | None = None
    advertise_s: Annotated[float, Field(ge=0)] = 0.0
    bonded: bool = False
    passkey: Annotated[int, Field(ge=0, le=999_999)] | None = None
    advertised_name: Annotated[str, Field(max_length=29)] = ""
    vendor_service: Annotated[str, AfterValidator(short_uuid)] | None = None
    company_id: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    users: dict[Annotated[int, Field(ge=0, le=254)], Annotated[int, Field(ge=0, le=CONSENT_CODE_MAX)]] | None = None
    habits: Habits = Habits()
    store: StoreHabits = StoreHabits()
    usual: Usual | None = None
    play: tuple[Play, ...] = ()

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        if (self.model == "captures") != (self.capture in CAPTURES):
            raise ValueError(f"{self.name}: a device of captures, and only that, names one of {sorted(CAPTURES)}")
        if (self.model == "replayed") != (self.recording is not None):
            raise ValueError(f"{self.name}: a replayed device, and only that, names a recording")
        if self.model == "meter" and self.clock is ClockMode.NONE:
            raise ValueError(f"{self.name}: a glucose meter stamps every record, so it has a clock")
        if (self.users is not None) != (self.model == "body_scale"):
            raise ValueError(f"{self.name}: a body scale, and only that, has users")
        if any(play.act is not None and (play.usual or self.usual) is None for play in self.play):
            raise ValueError(f"{self.name}: an act needs to know what is usual for this person")
        return self


class HomeSpec(_Part):
    """One home: an air of its own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
    hci_port: Annotated[int, Field(ge=0, le=65535)] = 0
    time_zone: Annotated[str, AfterValidator(_zone)] = "America/New_York"
    device: tuple[DeviceSpec, ...] = ()


class Scenario(_Part):
    """Everything there is."""

    seed: int = 7
    home: Annotated[tuple[HomeSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        called: dict[str, list[str]] = {
            "two homes": [home.name for home in self.home],
            "two devices": [device.address for home in self.home for device in home.device],
            "two devices of one home": [f"{home.name}/{device.name}" for home in self.home for device in home.device],
        }
        for what, names in called.items():
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} are called {twice}")
        return self


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file. BadScenario where it cannot be read or played."""
    try:
        return Scenario.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise BadScenario(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadScenario(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadScenario(f"{path}, {place}: {first['msg']}") from error
