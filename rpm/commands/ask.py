"""`rpm-cloud ask`: have a gateway send again, or the person at home measure again or call; and what became of it."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from rpm import audit
from rpm.access import Actor
from rpm.acting import HOMES, NUMBER_MAX, As, acting
from rpm.store import requests
from rpm.store.database import Connection
from schemas.codes import Kind
from schemas.messages import RequestKind

asking = typer.Typer(help="Ask a gateway: measure-again, call-us, replay; list what was asked.", no_args_is_help=True)

Gateway = Annotated[str, typer.Argument(metavar="GATEWAY", help="As `rpm-cloud gateway list` shows it")]
Minutes = Annotated[int, typer.Option(help="How long it is asked for", min=1, max=7 * 24 * 60)]


def _ask(
    connection: Connection,
    actor: Actor,
    now: datetime,
    gateway_id: str,
    kind: RequestKind,
    arguments: dict[str, str | int],
    minutes: int,
) -> UUID:
    number = requests.ask(
        connection, gateway_id, kind, arguments, practice_id=actor.practice_id, staff_id=actor.staff_id,
        expires_at=now + timedelta(minutes=minutes), now=now,
    )  # fmt: skip
    audit.record(connection, actor, audit.Action.GATEWAY_ASKED, now=now, gateway=gateway_id, request=str(number))
    return number


def _told(number: UUID, gateway_id: str, minutes: int) -> None:
    print(
        f"{gateway_id} is asked for {minutes} min: `rpm-cloud ask list {gateway_id} --as …` shows its answer ({number})"
    )


@asking.command("measure-again")
def measure_again(
    gateway_id: Gateway,
    username: As,
    kind: Annotated[Kind, typer.Option(help="What to measure")] = Kind.BLOOD_PRESSURE,
    slot: Annotated[
        int | None, typer.Option(help="Whose place on the device, where it has several", min=0, max=254)
    ] = None,
    minutes: Minutes = 30,
) -> None:
    """Have the box ask the person at home to measure."""
    arguments: dict[str, str | int] = {"kind": kind.value, **({} if slot is None else {"user_slot": slot})}
    with acting(username, HOMES) as (connection, actor, now):
        number = _ask(connection, actor, now, gateway_id, RequestKind.MEASURE_AGAIN, arguments, minutes)
    _told(number, gateway_id, minutes)


@asking.command("call-us")
def call_us(gateway_id: Gateway, username: As, minutes: Minutes = 24 * 60) -> None:
    """Have the box ask the person at home to call the practice."""
    with acting(username, HOMES) as (connection, actor, now):
        number = _ask(connection, actor, now, gateway_id, RequestKind.CALL_US, {}, minutes)
    _told(number, gateway_id, minutes)


@asking.command("replay")
def replay(
    gateway_id: Gateway,
    username: As,
    epoch: Annotated[str, typer.Option(help="The outbox's epoch: 16 hexadecimal digits")],
    from_seq: Annotated[int, typer.Option(help="The first row", min=1, max=NUMBER_MAX)] = 1,
    to_seq: Annotated[int, typer.Option(help="The last row", min=1, max=NUMBER_MAX)] = NUMBER_MAX,
    minutes: Minutes = 60,
) -> None:
    """Have a gateway send receipted rows again, as after a restored backup: what is here already stays as it is."""
    arguments: dict[str, str | int] = {"epoch": epoch, "from_seq": from_seq, "to_seq": to_seq}
    with acting(username, HOMES) as (connection, actor, now):
        number = _ask(connection, actor, now, gateway_id, RequestKind.REPLAY, arguments, minutes)
    _told(number, gateway_id, minutes)


@asking.command("list")
def list_asked(gateway_id: Gateway, username: As) -> None:
    """List what a gateway was asked, and its answers, the newest first."""
    with acting(username, HOMES) as (connection, actor, _now):
        found = requests.list_requests(connection, gateway_id, practice_id=actor.practice_id)
    for each in found:
        print(f"{each.asked_at:%Y-%m-%d %H:%M} UTC  {each.kind:14}  {each.state:8}  by {each.asked_by}  {each.id}")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(asking, name="ask")
