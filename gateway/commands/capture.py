"""`rpm-gateway capture`: one session with a device, anonymised, as a file that others can test against."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.commands import Config

if TYPE_CHECKING:
    from devices.procedures import Frame, SessionFacts
    from devices.recording import Recording
    from gateway.enrolment import Enrolment
    from gateway.radio import Radio
    from gateway.settings import Settings

WAIT_S_DEFAULT: Final = 300.0
WAIT_S_MAX: Final = 3600.0
EXAMPLES: Final = """\
Example, with the gateway stopped (`sudo systemctl stop rpm-gateway`): start it, then take a measurement.

  sudo rpm-gateway capture /etc/rpm/gateway.toml C0:00:00:00:10:01 --to my-cuff.json --source "J. Doe, on her own cuff"

The device must be in the settings. What it tells is also kept in the outbox, and travels when the gateway runs again: a
device may forget what it has told once. The file has no address, no serial number, no name and no consent, and other days;
the measured values stay. Look at it before you give it to anybody: devices/vectors/captures/README.md says how.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(capture)


def capture(
    config: Config,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The device, as the settings have it.")],
    *,
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    source: Annotated[str, typer.Option(help="Who met it: a name to be published with it.")] = "not told",
    wait_s: Annotated[float, typer.Option(min=1, max=WAIT_S_MAX, help="How long to listen for it.")] = WAIT_S_DEFAULT,
) -> None:
    """Take down one session with a device, without anything that tells whose it is."""
    from devices.gatt import AttError, LinkLost
    from gateway.errors import UserError
    from gateway.radio import RadioFault
    from gateway.settings import read_settings

    settings = read_settings(config)
    if to.exists():
        raise UserError(f"{to} is there already: name another file")
    try:
        recording, unread = asyncio.run(_capture(settings, address.upper(), source=source, wait_s=wait_s))
    except (RadioFault, LinkLost, AttError) as error:
        raise UserError(f"there was no session: {error}") from error
    try:
        to.write_text(recording.to_json(), "utf-8")
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror}; its readings are in the outbox") from error
    for place in unread:
        print(f"frame {place}: nobody here knows whether it holds a date: look at it yourself", file=sys.stderr)
    print(
        f"{to}: {len(recording.frames)} frames, {len(recording.readings)} readings, {len(recording.held)} held; "
        "compare each with the device's display"
    )


async def _capture(
    settings: "Settings", address: str, *, source: str, wait_s: float
) -> "tuple[Recording, tuple[int, ...]]":
    from gateway.capturing import capture as take_down
    from gateway.capturing import hear
    from gateway.enrolment import Enrolment
    from gateway.errors import UserError
    from gateway.intake import facts_text
    from gateway.outbox import Outbox
    from gateway.radio import Radio
    from gateway.settings import Backend

    enrolment = Enrolment(settings.device)
    enrolled = enrolment.find(address)
    if enrolled is None:
        raise UserError(f"{address} is none of the devices in the settings: a stranger's device is not connected to")
    outbox = Outbox.open(settings.outbox, bytes_max=settings.outbox_bytes_max, gateway_id=settings.gateway_id)
    sessions: list[int] = []

    def keep(facts: "SessionFacts", frame: "Frame") -> None:
        if not sessions:
            sessions.append(outbox.begin_session(address=address, facts=facts_text(facts), now=_now()))
        outbox.keep(sessions[0], frame)

    bonds = settings.outbox.with_name(settings.outbox.name + ".bonds.json")
    radio = Radio.from_settings(settings.radio, passkey_of=enrolment.passkey_of, bonds=bonds)
    with contextlib.closing(outbox):
        print(f"listening for {address}: take a measurement with it", file=sys.stderr)
        async with _agent(radio, enrolment):
            heard = await hear(radio, address, within_s=wait_s)
            # What is kept here becomes readings when the gateway starts, as after a power cut.
            recording, unread = await take_down(
                radio,
                heard,
                enrolled=enrolled,
                real=settings.radio.backend is Backend.BLUEZ,
                source=source,
                utc_now=_now,
                zone=settings.zone,
                keep=keep,
            )
    return recording, unread


@contextlib.asynccontextmanager
async def _agent(radio: "Radio", enrolment: "Enrolment") -> AsyncGenerator[None]:
    """Whoever answers BlueZ's questions about pairing, for the length of the block; a virtual radio asks nobody."""
    if not radio.bluez:
        yield
        return
    from gateway.bluez import Agent

    stop = asyncio.Event()
    answering = asyncio.create_task(Agent(enrolment.find).run(stop))
    try:
        yield
    finally:
        stop.set()
        await answering


def _now() -> datetime:
    return datetime.now(UTC)
