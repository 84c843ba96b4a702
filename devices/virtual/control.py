"""The control port: one JSON object a line asks a virtual device for something, one line answers.

{"home": "a", "device": "cuff", "do": "measure", "systolic": 192, "diastolic": 118, "pulse": 88, "user_slot": 1}
{"ok": true, "measurement": 1}
{"do": "wait", "confirmed": 3, "timeout_s": 20}          # of all devices; of one with "home" and "device"
{"ok": true, "taken": 3, "confirmed": 3, "pending": 0}      # "taken" and "pending": 0 can be waited for as well
{"home": "a", "do": "hang", "on": true}                      # the gateway's controller takes everything and answers nothing
{"ok": true, "hangs": true}
{"home": "a", "device": "cuff", "do": "weigh", "kg": 80}
{"ok": false, "error": "cuff is not a scale"}
"""

import asyncio
import json
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from devices.virtual.air import Air
from devices.virtual.commands import Answer, CommandRefused, command_adapter, perform
from devices.virtual.hci_port import LOOPBACK
from devices.virtual.peripheral import Peripheral

WAIT_S_DEFAULT: Final = 20.0
_POLL_S: Final = 0.02


class Wait(BaseModel):
    """Wait until at least so many records were taken and confirmed, and at most so many are pending."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["wait"]
    taken: int = 0
    confirmed: int = 0
    pending: int | None = None
    timeout_s: float = WAIT_S_DEFAULT

    def is_over(self, counts: dict[str, int]) -> bool:
        """Whether these counts were waited for."""
        few_pending = self.pending is None or counts["pending"] <= self.pending
        return few_pending and counts["taken"] >= self.taken and counts["confirmed"] >= self.confirmed


class Hang(BaseModel):
    """A home's controllers hang, until it is taken back. What they were told meanwhile is lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["hang"]
    home: str
    on: bool = True


async def serve_control(air: Air, *, port: int = 0) -> tuple[asyncio.Server, int]:
    """Open the port (0: any free one) on loopback; the server and its port."""

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await answer(air, line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # gone, or no line of text: nobody is left to be told
        finally:
            writer.close()

    server = await asyncio.start_server(answer_all, LOOPBACK, port)
    return server, server.sockets[0].getsockname()[1]


async def answer(air: Air, line: bytes) -> Answer:
    """The answer to one line. Never raises for what the line says."""
    try:
        request: Any = json.loads(line)
        if not isinstance(request, dict):
            return _refused("want a JSON object")
        return {"ok": True, **await _do(air, cast("dict[str, Any]", request))}
    except json.JSONDecodeError:
        return _refused("want one JSON object a line")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return _refused(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    except KeyError as error:
        return _refused(f"there is no {error.args[0]!r} in this scenario")
    except (CommandRefused, TimeoutError) as error:
        return _refused(str(error))


async def _do(air: Air, request: dict[str, Any]) -> Answer:
    if request.get("do") == "hang":
        hang = Hang.model_validate(request)
        air.homes[hang.home].firmware.hangs = hang.on
        return {"hangs": hang.on}
    devices = air.devices(request.pop("home", None), request.pop("device", None))
    if request.get("do") == "wait":
        return await _wait(devices, Wait.model_validate(request))
    if len(devices) != 1:
        raise CommandRefused("name one home and one device")
    return perform(devices[0], command_adapter.validate_python(request))


async def _wait(devices: list[Peripheral], wait: Wait) -> Answer:
    try:
        async with asyncio.timeout(wait.timeout_s):
            while not wait.is_over(_counts(devices)):  # noqa: ASYNC110 - a person or a test is waiting
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise TimeoutError(f"not yet: {_counts(devices)}") from error
    return dict(_counts(devices))


def _counts(devices: list[Peripheral]) -> dict[str, int]:
    return {
        "taken": sum(device.taken for device in devices),
        "confirmed": sum(device.confirmed for device in devices),
        "pending": sum(device.pending for device in devices),
    }


def _refused(why: str) -> Answer:
    return {"ok": False, "error": why}
