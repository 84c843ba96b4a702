"""`rpm-cloud gateway`: whose a gateway is, and when it was last heard."""

from typing import Annotated

import typer

from rpm import audit
from rpm.access import Role
from rpm.commands.held import As, acting
from rpm.errors import UserError
from rpm.store import gateways, held

known = typer.Typer(help="Gateways: register, list.", no_args_is_help=True)


@known.command("register")
def register_gateway(
    gateway_id: Annotated[str, typer.Argument(help="As in the gateway's settings, e.g. gw-home-a")],
    username: As,
    label: Annotated[str, typer.Option(help="Whose home, in words the staff understand")] = "",
) -> None:
    """Make a gateway your practice's. What it sent before and was held for that is looked at again."""
    with acting(username) as (connection, actor, now):
        if actor.role is not Role.ADMIN:
            raise UserError("gateways are registered by an administrator")
        gateways.register_gateway(
            connection, gateway_id, practice_id=actor.practice_id, label=label or gateway_id, now=now
        )
        done = held.look_again(connection, gateway_id=gateway_id, actor=actor, now=now)
        audit.record(connection, actor, audit.Action.GATEWAY_REGISTERED, now=now, gateway=gateway_id)
    print(f"{gateway_id} is registered; {done.admitted} readings it had sent are used now, {done.still_held} are held")


@known.command("list")
def list_gateways(username: As) -> None:
    """List the practice's gateways; an administrator also sees those nobody has registered."""
    with acting(username) as (connection, actor, now):
        found = gateways.list_gateways(connection, practice_id=actor.practice_id, unclaimed=actor.role is Role.ADMIN)
    for each in found:
        heard = f"heard {round((now - each.heard_at).total_seconds())} s ago" if each.heard_at else "never heard"
        whose = each.label if each.practice_id else "(not registered)"
        print(f"{each.id:32}  {heard:24}  outbox {each.outbox_depth or 0:>6}  {whose}")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(known, name="gateway")
