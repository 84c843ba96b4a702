"""Faults of stores and bonds that can be asked of a virtual device; `commands` has the rest."""

from typing import Annotated, Literal

from bumble.att import ErrorCode
from bumble.keys import MemoryKeyStore
from pydantic import BaseModel, ConfigDict, Field

from devices.virtual.peripheral import Peripheral
from devices.virtual.record_keeper import RecordKeeper, Torn

_Times = Annotated[int, Field(ge=1, le=1000)]


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refuse(_Fault):
    """A control point refuses its next requests with this ATT error: 253 not subscribed, 254 a procedure runs."""

    do: Literal["refuse"]
    att_error: Annotated[int, Field(ge=1, le=255)] = ErrorCode.PROCEDURE_ALREADY_IN_PROGRESS
    times: _Times = 1


class Busy(_Fault):
    """A control point answers its next requests "busy"."""

    do: Literal["busy"]
    times: _Times = 1


class Tear(_Fault):
    """The records of the next report come with a frame lost, frames swapped, or one repeated."""

    do: Literal["tear"]
    how: Torn


class Lose(_Fault):
    """A record is lost in the air so often when it is reported next; -1: for ever, as if it had been overwritten."""

    do: Literal["lose"]
    number: Annotated[int, Field(ge=0, le=0xFFFF)]
    times: Annotated[int, Field(ge=-1, le=1000)] = 1


class Reset(_Fault):
    """A store is emptied, and counts from the start."""

    do: Literal["reset"]


class ForgetBond(_Fault):
    """New batteries: it knows nobody any more."""

    do: Literal["forget_bond"]


class AskSecurity(_Fault):
    """Whoever is connected is asked for an encrypted link (Security Request)."""

    do: Literal["ask_security"]


Fault = Refuse | Busy | Tear | Lose | Reset | ForgetBond | AskSecurity


def make_fault(device: Peripheral, fault: Fault) -> None:
    """From now on, or at once. ValueError where the device has no records to fail with."""
    match fault:
        case ForgetBond():
            device.device.keystore = MemoryKeyStore()
        case AskSecurity():
            if device.connection is not None:
                device.connection.request_pairing()
        case Refuse(att_error=error, times=times):
            _keeper(device).refusals.extend([error] * times)
        case Busy(times=times):
            _keeper(device).busy = times
        case Tear(how=how):
            _keeper(device).torn = how
        case Lose(number=number, times=times):
            _keeper(device).lost[number] = times
        case Reset():
            _keeper(device).forget_records()


def _keeper(device: Peripheral) -> RecordKeeper:
    if not isinstance(device, RecordKeeper):
        raise ValueError(f"{device.label} has no records to ask for")  # noqa: TRY004 - told to whoever asked, as one line
    return device
