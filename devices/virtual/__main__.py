"""`python -m devices.virtual air|cohort|homes|practice|scenario`: devices and people that are not there, over a radio that is."""

import asyncio
import contextlib
import json
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from devices.recording import BadRecording
from devices.virtual import cohort, synthetic_scenario
from devices.virtual import control as control_port
from devices.virtual import homes as many_homes
from devices.virtual import scenario as scenario_file
from devices.virtual.air import Air, PortTaken
from devices.virtual.cohort import files as cohort_files
from devices.virtual.control import serve_control
from devices.virtual.demo_scenario import HCI_PORT_FIRST, demo_scenario
from devices.virtual.homes import HOMES_MAX
from devices.virtual.practice import DAYS_DEFAULT, PATIENTS_DEFAULT, practice, to_json
from devices.virtual.scenario import BadScenario, Scenario, read_scenario

SEED_DEFAULT: Final = 7
PATIENTS_MAX: Final = 5_000
COHORT_PATIENTS: Final = 120
COHORT_DAYS: Final = 90
COHORT_DAYS_MAX: Final = 1_000

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Virtual homes: cuffs, scales and meters over a virtual radio, and the people who use them.",
)

_AIR_HELP = f"""Run every home of a scenario until it is told to stop (Ctrl-C, SIGTERM).

Prints one JSON line when all is ready: {{"ready": true, "control": PORT, "homes": {{NAME: {{"hci": PORT, "devices":
{{NAME: ADDRESS}}}}}}}}. A gateway opens its controller at tcp-client:127.0.0.1:PORT.

\b
{scenario_file.__doc__ or ""}
\b
{control_port.__doc__ or ""}"""


@app.command(help=_AIR_HELP.replace("\n\n", "\n\n\b\n"))
def air(
    scenario: Annotated[Path, typer.Option(help="The scenario, a TOML file.")],
    ledger: Annotated[Path | None, typer.Option(help="A folder for ledger.jsonl: what devices know delivered.")] = None,
    port: Annotated[int, typer.Option(help="The control port; 0 for any free one.")] = 0,
) -> None:
    """See _AIR_HELP."""
    asyncio.run(_air(read_scenario(scenario), ledger, port))


_COHORT_HELP = f"""Write people whose true episodes are known, and what they measured: what alert rules are judged by.

\b
{cohort.__doc__ or ""}"""


@app.command(name="cohort", help=_COHORT_HELP.replace("\n\n", "\n\n\b\n"))
def cohort_command(
    out: Annotated[Path, typer.Option(help="The folder to write into.")],
    patients: Annotated[int, typer.Option(min=1, max=PATIENTS_MAX)] = COHORT_PATIENTS,
    days: Annotated[int, typer.Option(min=1, max=COHORT_DAYS_MAX)] = COHORT_DAYS,
    seed: Annotated[int, typer.Option(help="The same arguments write the same bytes.")] = SEED_DEFAULT,
    often: Annotated[
        float, typer.Option(min=0, max=100, help="Episodes, as a multiple of how often they truly happen; 0: none.")
    ] = 1.0,
) -> None:
    """See _COHORT_HELP."""
    try:
        cohort_files.write(out, patients=patients, days=days, seed=seed, often=often)
    except OSError as error:
        raise BadScenario(f"cannot write {out}: {error.strerror}") from error


@app.command(name="practice")
def practice_command(
    out: Annotated[
        Path, typer.Option(help="The JSON file to write; its format is told in devices/virtual/practice.py.")
    ],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day that is not in the file.")],
    seed: Annotated[int, typer.Option(help="The same seed and date give the same file.")] = SEED_DEFAULT,
    patients: Annotated[int, typer.Option(min=1, max=PATIENTS_MAX)] = PATIENTS_DEFAULT,
    days: Annotated[int, typer.Option(min=1, max=DAYS_DEFAULT)] = DAYS_DEFAULT,
) -> None:
    """Write a practice's people and what they measured in the days before a date."""
    data = practice(seed=seed, patients=patients, days=days, until=until.date())
    _write(out, to_json(data))


@app.command(name="scenario")
def scenario_command(
    out: Annotated[Path, typer.Option(help="The TOML file to write.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The practice's date: the day of the demo.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The practice's seed.")] = SEED_DEFAULT,
    hci_port: Annotated[int | None, typer.Option(min=0, max=65000, help="The first home's; 0: any.")] = None,
    address: Annotated[str, typer.Option(help="The synthetic cuff's address.")] = synthetic_scenario.ADDRESS,
    every_s: Annotated[
        float, typer.Option(min=1, help="Seconds from one squeeze of the synthetic cuff to the next.")
    ] = synthetic_scenario.EVERY_S,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="The three homes of the demonstration.")] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The synthetic patient's home: a red reading every hour.")
    ] = False,
) -> None:
    """Write the scenario in which a practice's people go on measuring, or that of the synthetic patient."""
    if synthetic and not demo:
        port = synthetic_scenario.HCI_PORT if hci_port is None else hci_port
        try:
            text = synthetic_scenario.synthetic_scenario(address=address, every_s=every_s, hci_port=port)
        except ValueError as error:
            raise BadScenario(f"--address: {error}") from error
        _write(out, text)
        return
    if not demo or synthetic or until is None:
        raise BadScenario("say --demo and --until, or --synthetic")
    data = practice(seed=seed, patients=PATIENTS_DEFAULT, days=DAYS_DEFAULT, until=until.date())
    _write(out, demo_scenario(data, hci_port=HCI_PORT_FIRST if hci_port is None else hci_port))


@app.command(name="homes")
def homes_command(
    out: Annotated[Path, typer.Option(help="The TOML file to write: a scenario for `air`.")],
    homes: Annotated[int, typer.Option(min=1, max=HOMES_MAX, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same homes.")] = SEED_DEFAULT,
    story: Annotated[Path | None, typer.Option(help="A file for what goes on in them, a line each.")] = None,
) -> None:
    """Write a scenario of many homes, with what goes wrong in some: clocks, batteries, bonds, a shared cuff, drop-outs."""
    _write(out, many_homes.scenario(count=homes, seed=seed))
    if story is not None:
        _write(story, many_homes.story(count=homes, seed=seed))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise BadScenario(f"cannot write {path}: {error.strerror}") from error


async def _air(scenario: Scenario, ledger: Path | None, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Air(scenario, ledger) as running:
        try:
            server, control = await serve_control(running, port=port)
        except OSError as error:
            raise PortTaken(f"port {port} is taken: choose another --port") from error
        homes = {
            home.name: {
                "hci": home.hci_port,
                "devices": {name: device.identity.address for name, device in home.devices.items()},
            }
            for home in running.homes.values()
        }
        print(json.dumps({"ready": True, "control": control, "homes": homes}), flush=True)
        await stopped.wait()
        server.close()


def main() -> None:
    """Run a command; what a person can correct is one line on stderr and exit status 2."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            app()
    except (BadScenario, BadRecording, PortTaken) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
