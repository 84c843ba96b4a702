"""`rpm-gateway scan`: what is in the air around this box. It listens, and connects to nothing."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.radio import Radio
    from gateway.settings import Settings
    from gateway.survey import Found, Survey
    from schemas.codes import Kind

LOOK_EVERY_S: Final = 0.25
#: Of the table, where nobody's terminal says.
WIDTH: Final = 160
PAIRS: Final = {"yes": "yes, now", "perhaps": "perhaps", "no": "no", "unknown": "not told"}
#: What helps a radio that does not scan, by whether it is BlueZ's.
REMEDIES: Final = {
    True: "is Bluetooth there and on? systemctl status bluetooth, then rfkill list",
    False: "does the virtual radio run?",
}
EXAMPLES: Final = """\
Examples:

  rpm-gateway scan                                    what this machine's Bluetooth hears, for 15 s

  sudo rpm-gateway scan /etc/rpm/gateway.toml         the same, with this home's devices marked

  sudo rpm-gateway scan /etc/rpm/gateway.toml --add C0:00:00:00:10:01 --label "cuff in the kitchen"

A device is in the air while it is used, or while its button is held. `pairs`: "yes, now" is a device that says its button is
held; many never say so. Nothing is connected to: a cuff that is connected to may forget what it stored.
"""
Config = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG.toml", help="The home's settings; without them this machine's Bluetooth is used."),
]
Seconds = Annotated[float, typer.Option(min=1, max=600, help="How long to listen.")]
Add = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Add this device to the settings once it was heard.")]
AskedKind = Annotated[
    str | None, typer.Option(metavar="KIND", help="With --add: what it measures, where it does not advertise that.")
]
Label = Annotated[str | None, typer.Option(help="With --add: what the people here call it.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(scan)


def scan(
    config: Config = None,
    *,
    seconds: Seconds = 15.0,
    add: Add = None,
    kind: AskedKind = None,
    label: Label = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --add: do not ask.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also phones, watches, lamps …")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object for each device, at the end.")] = False,
) -> None:
    """List the devices in the air: of what use each is, how well it is heard, and whether it is this home's."""
    from gateway.enrolment import Enrolment
    from gateway.radio import RadioFault
    from gateway.settings import read_settings
    from gateway.survey import Survey

    settings = None if config is None else read_settings(config)
    if add is None and (kind or label or yes):
        raise UserError("--kind, --label and --yes say something of a device that is added: --add ADDRESS")
    if add is not None and (config is None or settings is None):
        raise UserError("--add puts a device into a home's settings: name the file, such as /etc/rpm/gateway.toml")
    wanted = None if add is None else _address(add)
    asked = None if kind is None else _kind(kind)
    devices = () if settings is None else settings.device
    survey = Survey(Enrolment(devices))
    radio = _radio(settings)
    try:
        asyncio.run(_listen(radio, survey, seconds=seconds, every=every, quiet=json_, until=wanted))
    except KeyboardInterrupt:
        pass
    except RadioFault as error:
        raise UserError(f"{error}; {REMEDIES[radio.bluez]}") from error
    _print(survey, settings, every=every, json_=json_)
    if wanted is not None and config is not None:
        _add(config, survey, wanted, kind=asked, label=label, yes=yes)


def _radio(settings: "Settings | None") -> "Radio":
    from gateway.pulse import Pulse, ask, socket_of
    from gateway.radio import Radio
    from gateway.settings import Backend
    from gateway.settings import Radio as RadioSettings

    if settings is None:
        return Radio.from_settings(RadioSettings())
    if settings.radio.backend is Backend.BUMBLE and isinstance(ask(socket_of(settings.outbox)), Pulse):
        raise UserError(
            "a virtual radio serves one program: stop the gateway that runs, or ask it with rpm-gateway status"
        )
    return Radio.from_settings(settings.radio)


async def _listen(
    radio: "Radio", survey: "Survey", *, seconds: float, every: bool, quiet: bool, until: str | None
) -> None:
    """Listen for so long, or until `until` was heard naming what it measures; on a terminal the list is live."""
    console = Console(stderr=True)
    live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal and not quiet else None
    loop = asyncio.get_running_loop()
    async with radio.scanning(survey.hear):
        with live or contextlib.nullcontext():
            ends_at = loop.time() + seconds
            while (left_s := ends_at - loop.time()) > 0:
                await asyncio.sleep(min(left_s, LOOK_EVERY_S))
                if live is not None:
                    live.update(Group(_table(survey, every=every), f"listening for {left_s:.0f} s more"), refresh=True)
                if until is not None and (found := survey.find(until)) is not None and found.kinds:
                    return


def _table(survey: "Survey", *, every: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("address", "name", "signal", "kind", "this home's", "pairs", "what can be had of it"):
        table.add_column(name, overflow="fold", no_wrap=name in {"address", "signal"})
    for found in survey.found():
        if every or found.matters:
            table.add_row(
                found.address,
                found.name or "–",
                f"{found.rssi_dbm} dBm",
                " or ".join(kind.replace("_", " ") for kind in found.kinds) or "–",
                found.enrolled.label if found.enrolled else "no",
                PAIRS[found.pairing],
                found.advice,
            )
    return table


def _print(survey: "Survey", settings: "Settings | None", *, every: bool, json_: bool) -> None:
    from gateway.survey import not_heard

    found = survey.found()
    if json_:
        for each in found:
            print(json.dumps(_facts(each)))
        return
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(survey, every=every))
    others = sum(not each.matters for each in found)
    if others and not every:
        print(f"{others} other devices were heard that do not say what they measure; --all lists them")
    if not found:
        print("Nothing was heard. Use the device, or hold its button, while this listens.")
    for device in not_heard(() if settings is None else settings.device, found):
        print(f"not heard: {device.label} ({device.address}): it sleeps until it is used, or is out of reach")


def _facts(found: "Found") -> dict[str, Any]:
    row = found.verdict.row
    return {
        "address": found.address,
        "name": found.name,
        "services": sorted(found.services),
        "kinds": found.kinds,
        "rssi_dbm": found.rssi_dbm,
        "pairing": found.pairing,
        "standing": found.verdict.standing,
        "reason": found.verdict.reason,
        "model": None if row is None else row.id,
        "remark": None if row is None else row.remark,
        "enrolled": None if found.enrolled is None else found.enrolled.slot,
    }


def _add(config: Path, survey: "Survey", address: str, *, kind: "Kind | None", label: str | None, yes: bool) -> None:
    """Add a device that was heard to the settings, shown first; UserError where it cannot be read, or does not say what it is."""
    from devices.catalogue import Standing
    from gateway.new_device import append, table

    found = survey.find(address)
    if found is None:
        raise UserError(f"{address} was not heard: use the device, or hold its button, while this listens")
    if found.enrolled is not None:
        print(f"{address} is in {config} already, as {found.enrolled.label!r}")
        return
    if found.verdict.standing is Standing.UNSUPPORTED:
        raise UserError(f"{address} {found.advice}")
    kinds = (kind,) if kind is not None else found.kinds
    if len(kinds) != 1:
        told = "does not say what it measures" if not kinds else "names more than one kind"
        raise UserError(f"{address} {told}: add --kind, one of {', '.join(_kinds())}")
    text = table(address=address, kind=kinds[0], label=label or found.name or kinds[0].replace("_", " "))
    print(f"\n{text}")
    if not yes:
        typer.confirm(f"Add this to {config}?", abort=True)
    append(config, text)
    print(f"{config} has it now. A gateway that runs knows it after: systemctl restart rpm-gateway")


def _kinds() -> list[str]:
    from schemas.codes import Kind

    return [str(kind) for kind in Kind]


def _kind(text: str) -> "Kind":
    from schemas.codes import Kind

    if text not in _kinds():
        raise UserError(f"--kind {text}: one of {', '.join(_kinds())}")
    return Kind(text)


def _address(text: str) -> str:
    from schemas.ids import normal_address

    try:
        return normal_address(text)
    except ValueError as error:
        raise UserError(f"--add {text}: {error}") from error
