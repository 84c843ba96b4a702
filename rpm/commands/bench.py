"""`rpm-cloud bench`: how much this installation takes in, with every reading looked for afterwards."""

import json
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from rpm.errors import UserError
from rpm.settings import Settings, read_settings

HOMES_MAX: Final = 100_000
#: A message of the product holds at most 128 KiB.
PER_MESSAGE_MAX: Final = 150
READINGS: Final = 50_000
CONNECTIONS: Final = 20
CONNECTIONS_MAX: Final = 10_000

bench = typer.Typer(
    help="Load from simulated gateways: how much is taken in, and whether all of it.", no_args_is_help=True
)


@bench.command()
def ingest(
    homes: Annotated[
        int, typer.Option(help="Simulated homes: a gateway, a cuff, a patient each", min=1, max=HOMES_MAX)
    ] = 100,
    per_message: Annotated[
        int, typer.Option("--readings-per-message", help="Readings in one message", min=1, max=PER_MESSAGE_MAX)
    ] = 1,
    rate: Annotated[float, typer.Option(help="Readings a second; 0: as fast as receipts come", min=0)] = 0.0,
    readings: Annotated[
        int, typer.Option(help=f"Readings to send; {READINGS:,} where neither this nor --seconds is given", min=0)
    ] = 0,
    seconds: Annotated[float, typer.Option(help="End after so many seconds", min=0)] = 0.0,
    seed: Annotated[int, typer.Option(help="What is measured, and the pauses in between", min=0, max=2**31)] = 1,
    connections: Annotated[
        int,
        typer.Option(
            help="MQTT connections the gateways share; as many as homes: one each", min=1, max=CONNECTIONS_MAX
        ),
    ] = CONNECTIONS,
    workers: Annotated[int, typer.Option(help="Start so many workers; 0: those that run", min=0, max=64)] = 0,
    under_way: Annotated[
        int, typer.Option(help="Messages that may wait for their receipt at once; 0: 4,000, or 40,000 readings", min=0)
    ] = 0,
    local: Annotated[
        bool, typer.Option("--local", help="On a private broker and database; so where none is named")
    ] = False,
    dsn: Annotated[str, typer.Option(help="The database, instead of RPM_DSN")] = "",
    broker_url: Annotated[str, typer.Option(help="The broker, instead of RPM_BROKER_URL")] = "",
    load_url: Annotated[
        str,
        typer.Option(
            envvar="RPM_LOAD_URL",
            help="As whom simulated gateways sign in: an account that may speak as any gateway; empty: as RPM_BROKER_URL",
        ),
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was measured; `bench clean` takes it away")] = False,
    among_patients: Annotated[
        bool, typer.Option("--among-patients", help="Even though the database holds patients who are not made up")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON on standard output")] = False,
) -> int:
    """Simulate gateways, and look for every reading by its receipt and by its row; status 1 where one is not right.

    What is sent belongs to a practice of its own whose patients are marked as made up: no bill counts them, no list shows
    them, and it is gone afterwards. Named servers must be migrated, and a worker must run (or --workers).
    """
    from rpm.load.run import Wanted
    from rpm.load.run import ingest as carry_out

    settings = _settings(dsn, broker_url)
    if local and (dsn or broker_url):
        raise UserError("--local brings servers of its own: name none beside it")
    wanted = Wanted(
        homes=homes,
        per_message=per_message,
        readings=readings or (0 if seconds else READINGS),
        seconds=seconds,
        per_second=rate,
        seed=seed,
        connections=min(connections, homes),
        workers=workers,
        under_way=under_way,
        keep=keep,
        among_patients=among_patients,
        load_url=load_url,
    )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    here = local or not (settings.dsn or settings.broker_url)
    found = carry_out(wanted, settings, local=here, console=console)
    print(json.dumps(found) if as_json else _told(found))
    return 0 if found["faultless"] else 1


@bench.command()
def clean(dsn: Annotated[str, typer.Option(help="The database, instead of RPM_DSN")] = "") -> None:
    """Take away what an interrupted run, or one with --keep, left behind."""
    from rpm.load.run import clean as carry_out

    print(f"{carry_out(_settings(dsn, '')):,} readings of made-up patients are gone")


def _settings(dsn: str, broker_url: str) -> Settings:
    settings = read_settings()
    given = {name: value for name, value in (("dsn", dsn), ("broker_url", broker_url)) if value}
    return settings.model_copy(update=given)


def _told(found: dict[str, Any]) -> str:
    held = ", ".join(f"{count:,} {reason}" for reason, count in found["held"].items()) or "0"
    waits = "  ".join(f"{name} {found[f'receipt_ms_{name}'] or 0:,.1f} ms" for name in ("p50", "p90", "p99", "max"))
    of = f"{found['homes']:,} homes, {found['readings_per_message']} to a message, {found['connections']} connections"
    right = "every reading has its receipt and stands in the database once"
    lines = [
        f"{found['sent']:,} readings of {of}, in {found['took_s']} s",
        f"  taken in           {found['readings_per_s']:,.0f} readings/s",
        f"  publish → receipt  {waits}",
        f"  lost {found['lost']:,}  doubled {found['doubled']:,}  without receipt {found['unreceipted']:,}  held {held}",
        f"  each message was sent {found['wire_factor']} times",
        right if found["faultless"] else f"NOT {right}",
    ]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(bench, name="bench")
