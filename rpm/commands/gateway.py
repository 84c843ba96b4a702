"""`rpm-cloud gateway`: whose a gateway is, how it is let in and cut off, and when it was last heard."""

from typing import Annotated

import typer

from rpm import audit, claiming
from rpm.access import Role
from rpm.acting import HOMES, As, acting
from rpm.errors import UserError
from rpm.store import certificates, claims, gateways, held
from rpm.store.claims import Opened

known = typer.Typer(help="Gateways: register, claim, list, revoke, replace.", no_args_is_help=True)

Gateway = Annotated[str, typer.Argument(help="The gateway's id, e.g. gw-home-a")]


@known.command("register")
def register_gateway(
    gateway_id: Annotated[str, typer.Argument(help="As in the gateway's settings, e.g. gw-home-a")],
    username: As,
    label: Annotated[str, typer.Option(help="Whose home, in words the staff understand")] = "",
) -> None:
    """Make a gateway your practice's. What it sent before and was held for that is looked at again."""
    with acting(username, HOMES) as (connection, actor, now):
        if actor.role is not Role.ADMIN:
            raise UserError("gateways are registered by an administrator")
        gateways.register_gateway(
            connection, gateway_id, practice_id=actor.practice_id, label=label or gateway_id, now=now
        )
        done = held.look_again(connection, gateway_id=gateway_id, actor=actor, now=now)
        audit.record(connection, actor, audit.Action.GATEWAY_REGISTERED, now=now, gateway=gateway_id)
    print(f"{gateway_id} is registered; {done.admitted} readings it had sent are used now, {done.still_held} are held")


@known.command()
def claim(
    username: As,
    gateway_id: Annotated[str, typer.Argument(help="A gateway of the practice; empty: a new one")] = "",
    label: Annotated[str, typer.Option(help="Whose home, in words the staff understand; for a new one")] = "",
) -> None:
    """Make the code by which one box becomes this gateway: `rpm-gateway enrol` asks for it. It works for 15 minutes, once."""
    with acting(username, HOMES) as (connection, actor, now):
        if gateway_id:
            opened = claiming.open_claim(connection, gateway_id, actor=actor, now=now)
        else:
            opened = claiming.open_new(connection, label, actor=actor, now=now)
    _tell(opened)


@known.command("list")
def list_gateways(username: As) -> None:
    """List the practice's gateways; an administrator also sees those nobody has registered."""
    with acting(username, HOMES) as (connection, actor, now):
        found = gateways.list_gateways(connection, practice_id=actor.practice_id, unclaimed=actor.role is Role.ADMIN)
        standing = certificates.newest_certificates(connection, practice_id=actor.practice_id)
        opened = claims.latest_claims(connection, practice_id=actor.practice_id)
    for each in found:
        heard = f"heard {round((now - each.heard_at).total_seconds())} s ago" if each.heard_at else "never heard"
        whose = each.label if each.practice_id else "(not registered)"
        identity = claiming.identity_words(standing.get(each.id), opened.get(each.id), now=now)
        print(f"{each.id:32}  {heard:24}  outbox {each.outbox_depth or 0:>6}  {identity:32}  {whose}")


@known.command()
def revoke(gateway_id: Gateway, username: As) -> None:
    """Cut a lost, stolen or returned gateway off: within a minute its connection ends, and it never gets in again."""
    with acting(username, HOMES) as (connection, actor, now):
        count = claiming.revoke(connection, gateway_id, actor=actor, now=now)
    if not count:
        raise UserError(f"{gateway_id} has no certificate that is good: there is nothing to revoke")
    print(f"{gateway_id} is revoked: the broker's guard cuts it off; `rpm-cloud gateway list` shows when it has")


@known.command()
def replace(gateway_id: Gateway, username: As) -> None:
    """Put another box in a dead one's place: name, devices and people go on, the dead one's certificate does not."""
    with acting(username, HOMES) as (connection, actor, now):
        opened = claiming.replace(connection, gateway_id, actor=actor, now=now)
    _tell(opened)


def _tell(opened: Opened) -> None:
    print(f"{opened.gateway_id}: {opened.code}")
    print(f"Until {opened.expires_at:%H:%M} UTC, on the box: rpm-gateway enrol. The code is not shown again.")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(known, name="gateway")
