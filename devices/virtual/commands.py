"""What can be asked of a virtual device, over the control port or by a scenario, and the doing of it."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from devices.oximeter import OximeterStatus
from devices.virtual.body_scale import BodyScale
from devices.virtual.faults import AskSecurity, Busy, ForgetBond, Lose, Refuse, Reset, Tear, make_fault
from devices.virtual.glucometer import Glucometer
from devices.virtual.make import Habits
from devices.virtual.oximeter import PulseOximeter
from devices.virtual.peripheral import Peripheral
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from devices.virtual.recorders import RecordingCuff, RecordingOximeter
from devices.virtual.thermometer import Thermometer

Answer = dict[str, str | int | float | bool]
Slot = Annotated[int, Field(ge=0, le=255)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2})+$")]
Word = Annotated[int, Field(ge=0, le=0xFFFF)]
_Kind = TypeVar("_Kind", bound=Peripheral)
Meal = Literal["preprandial", "postprandial", "fasting", "casual", "bedtime"]


class CommandRefused(ValueError):
    """The device cannot do that; the message says which kind of device can."""


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Command):
    """One squeeze of a cuff, in mmHg or, with `kpa`, in kPa. `mean` is reckoned where it is not given."""

    do: Literal["measure"]
    systolic: float
    diastolic: float
    mean: float | None = None
    pulse: float | None = None
    user_slot: Slot | None = None
    status: Word | None = 0
    kpa: bool = False


class Weigh(_Command):
    """One weighing: `kg`, or `lb` on an American scale."""

    do: Literal["weigh"]
    kg: float | None = None
    lb: float | None = None
    user_slot: Slot | None = None
    height_m: float | None = None


class Prick(_Command):
    """One drop of blood: `mg_dl`, or `mmol_l` on a meter of that unit. `status` 32 is HI, 64 is LO."""

    do: Literal["prick"]
    mg_dl: float | None = None
    mmol_l: float | None = None
    meal: Meal | None = None
    status: Word | None = None


class Clip(_Command):
    """One spot check of an oximeter. `status` 1024 is a demonstration, `sensor_status` 32 low perfusion."""

    do: Literal["clip"]
    percent: float
    pulse: float
    status: Word = OximeterStatus.FULLY_QUALIFIED_DATA
    sensor_status: Annotated[int, Field(ge=0, le=0xFFFFFF)] = 0


class Take(_Command):
    """One temperature: `celsius`, or `fahrenheit` on an American thermometer."""

    do: Literal["take"]
    celsius: float | None = None
    fahrenheit: float | None = None


class Say(_Command):
    """Store these bytes as a record. `context`: a glucose record's context frame."""

    do: Literal["say"]
    frame: Hex
    context: Hex | None = None


class StepOn(_Command):
    """One weighing of a body scale's user, in kg, with what it makes of it where the feet are bare."""

    do: Literal["step_on"]
    kg: float
    user_slot: Slot
    fat_percent: float | None = None


class FactoryTest(_Command):
    """A record from a cuff's assembly line: no number at all, as if somebody had measured nothing."""

    do: Literal["factory_test"]


class ChangeBatteries(_Command):
    """Of a body scale: it forgets its users, their codes and what time it is."""

    do: Literal["change_batteries"]


class Behave(_Command):
    """From now on it has these habits beside those it has: {"battery_percent": 12, "gap_s": 3}."""

    do: Literal["behave"]
    habits: dict[str, Any]


class Silence(_Command):
    """Out of range for `seconds`, at once or right after the Nth frame of the next connection was sent."""

    do: Literal["silence"]
    seconds: Annotated[float, Field(gt=0)]
    after_frames: Annotated[int, Field(ge=0)] = 0


class Mute(_Command):
    """A fault: accepts every connection and subscription and says nothing, until it is taken back."""

    do: Literal["mute"]
    on: bool = True


class Press(_Command):
    """Switch it on: a meter whose reader died is asked again, though it believes to have told everything."""

    do: Literal["press"]


class State(_Command):
    """How many records were taken, confirmed and are pending; connections ever made."""

    do: Literal["state"]


Command = Annotated[
    Measure
    | Weigh
    | Prick
    | Clip
    | Take
    | StepOn
    | FactoryTest
    | ChangeBatteries
    | Behave
    | Say
    | Silence
    | Mute
    | Press
    | Refuse
    | Busy
    | Tear
    | Lose
    | Reset
    | ForgetBond
    | AskSecurity
    | State,
    Field(discriminator="do"),
]
command_adapter: TypeAdapter[Command] = TypeAdapter(Command)
_habits: Final = TypeAdapter(Habits)
#: What a device is made with, and cannot be changed in.
_MADE_WITH: Final = frozenset({"advertise_every_s", "name_in_scan_response", "bonded", "passkey"})


def perform(device: Peripheral, command: Command) -> Answer:
    """Do it now; a measurement's number in its device, or the device's state. CommandRefused where it cannot."""
    try:
        number = _measure(device, command)
    except ValueError as error:
        raise CommandRefused(str(error)) from error
    return state(device) if number is None else {"measurement": number}


def state(device: Peripheral) -> Answer:
    """What the device knows of its own records."""
    return {
        "taken": device.taken,
        "confirmed": device.confirmed,
        "pending": device.pending,
        "connections": device.connections,
        "connected": device.connection is not None,
        "advertising": device.device.is_advertising,
    }


def _measure(device: Peripheral, command: Command) -> int | None:
    match command:
        case Measure():
            if isinstance(device, RecordingCuff):
                return device.measure(**command.model_dump(include={"systolic", "diastolic", "pulse", "user_slot"}))
            return _as(device, BloodPressureCuff, "cuff").measure(**command.model_dump(exclude={"do"}))
        case Weigh():
            return _as(device, WeightScale, "scale").weigh(**command.model_dump(exclude={"do"}))
        case Prick():
            return _as(device, Glucometer, "meter").prick(**command.model_dump(exclude={"do"}))
        case Clip():
            if isinstance(device, RecordingOximeter):
                return device.clip(**command.model_dump(exclude={"do"}))
            return _as(device, PulseOximeter, "pulse oximeter").clip(**command.model_dump(exclude={"do"}))
        case Take():
            return _as(device, Thermometer, "thermometer").take(**command.model_dump(exclude={"do"}))
        case StepOn():
            return _as(device, BodyScale, "body scale").step_on(**command.model_dump(exclude={"do"}))
        case FactoryTest():
            return _as(device, BloodPressureCuff, "cuff").factory_test()
        case ChangeBatteries():
            _as(device, BodyScale, "body scale").change_batteries()
        case Behave(habits=changed):
            device.habits = _changed(device.habits, changed)
        case Say(frame=frame, context=context):
            if context is None:
                return device.say(bytes.fromhex(frame))
            return _as(device, Glucometer, "meter").say(bytes.fromhex(frame), bytes.fromhex(context))
        case Silence(seconds=seconds, after_frames=frames):
            device.fall_silent(seconds, after_frames=frames)
        case Mute(on=on):
            device.mute = on
        case Press():
            device.press_button()
        case Refuse() | Busy() | Tear() | Lose() | Reset() | ForgetBond() | AskSecurity():
            make_fault(device, command)
        case State():
            pass
    return None


def _changed(habits: Habits, changed: dict[str, Any]) -> Habits:
    made_with = sorted(_MADE_WITH & changed.keys())
    if made_with:
        raise CommandRefused(f"a device is made with {made_with[0]}: say so in the scenario")
    try:
        valid = _habits.validate_python(changed)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CommandRefused(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    return replace(habits, **{name: getattr(valid, name) for name in changed})


def _as(device: Peripheral, kind: type[_Kind], name: str) -> _Kind:
    if not isinstance(device, kind):
        raise CommandRefused(f"{device.label} is not a {name}")
    return device
