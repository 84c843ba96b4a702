"""`rpm-cloud quarantine`: what is kept but not used; look, replay, release, void, claim. Each look and decision names a person."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from rpm import audit
from rpm.acting import NUMBER_MAX, As, acting, instant, patient_of, signed_in
from rpm.errors import UserError
from rpm.ingest import replay as replaying
from rpm.ingest.reasons import Reason
from rpm.ingest.replay import Result, Tried
from rpm.store import held, holding
from rpm.store.holding import LIST_MAX, Held, Wanted
from rpm.store.suggestions import suggestions

readings = typer.Typer(help="Readings that are held: list, show, replay, release, void, claim.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The number that `rpm-cloud quarantine list` shows", min=1, max=NUMBER_MAX)]
Why = Annotated[str, typer.Option("--why", help="Why, for whoever looks later")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for a program")]
OfReason = Annotated[Reason | None, typer.Option("--reason", help="Only what is held for this reason")]
OfGateway = Annotated[str | None, typer.Option("--gateway", help="Only what this gateway sent")]
OfDevice = Annotated[str | None, typer.Option("--device", help="Only of this address, or of a device called so")]
Since = Annotated[str | None, typer.Option("--since", help="Only what is held since (2026-06-10T14:00+00:00)")]
Unclaimed = Annotated[bool, typer.Option("--unclaimed", help="Only what no practice has claimed (administrators)")]


@readings.command("list")
def list_held(
    username: As,
    everything: Annotated[bool, typer.Option("--all", help="Decided ones too")] = False,
    reason: OfReason = None,
    gateway: OfGateway = None,
    device: OfDevice = None,
    since: Since = None,
    unclaimed: Unclaimed = False,
    before: Annotated[
        int | None, typer.Option("--before", help="Only smaller numbers: turns the page", min=1, max=NUMBER_MAX)
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many", min=1, max=LIST_MAX)] = LIST_MAX,
    as_json: AsJson = False,
) -> None:
    """List what waits for a decision, newest first."""
    wanted = Wanted(reason, gateway, device, instant(since) if since else None, unclaimed, before)
    with acting(username) as (connection, actor, now):
        found = holding.list_held(
            connection, actor=actor, state=None if everything else "held", wanted=wanted, limit=limit
        )
        seen = {each.patient_id for each in found if each.patient_id is not None}
        audit.record(connection, actor, audit.Action.SAW_HELD, now=now, patients=seen, count=len(found))
    _print_list(found, full=len(found) == limit, as_json=as_json)


def _print_list(found: Sequence[Held], *, full: bool, as_json: bool) -> None:
    if as_json:
        for each in found:
            print(json.dumps(_plain(each)))
        return
    for each in found:
        device = each.device_label or each.gateway_id or "?"
        print(f"{each.id:>7}  {each.held_at:%Y-%m-%d %H:%M}  {each.state:8}  {device:20}  {each.sentence}")
    if not found:
        print("Nothing is held.")
    if full:
        print(f"There may be more: --before {found[-1].id} turns the page.")


def _plain(one: Held) -> dict[str, Any]:
    """A held row as a program reads it."""
    return {
        "number": one.id,
        "state": one.state,
        "reason": one.reason,
        "sentence": one.sentence,
        "pointer": one.pointer,
        "topic": one.topic,
        "gateway": one.gateway_id,
        "epoch": one.epoch,
        "seq": one.seq,
        "reading_id": str(one.reading_id) if one.reading_id else None,
        "device": one.device_address,
        "patient": str(one.patient_public_id) if one.patient_public_id else None,
        "measured_at": one.measured_at.isoformat() if one.measured_at else None,
        "held_at": one.held_at.isoformat(),
        "decided_at": one.decided_at.isoformat() if one.decided_at else None,
        "decided_by": one.decided_by_name,
        "decision": one.decision,
    }


@readings.command()
def show(number: Number, username: As, as_json: AsJson = False) -> None:
    """Show one held reading as it came, and what can be done with it."""
    with acting(username) as (connection, actor, now):
        found = holding.show(connection, number, actor=actor)
        if as_json:
            bytes_of = found.raw.hex() if found.raw is not None else None
            print(json.dumps({**_plain(found), "item": found.item, "raw": bytes_of}))
            audit.record(connection, actor, audit.Action.SAW_HELD, now=now, patient_id=found.patient_id, held=number)
            return
        print(found.sentence)
        print(f"where: {found.pointer or 'the whole item'}   topic: {found.topic}   state: {found.state}")
        can = [word for word, may in (("release", found.releasable), ("claim", found.claimable)) if may]
        print(f"can be: {', '.join([*can, 'replay', 'void']) if found.state == 'held' else 'nothing more'}")
        suggestion = suggestions(connection, [found], actor=actor).get(number)
        if suggestion:
            print(f"whose it may be: {suggestion.sentence}")
            for standing in suggestion.ranking:
                who = f"{standing.user.name}, born {standing.user.birth_date}"
                print(f"  {who}: {standing.confidence}", *standing.reasons, sep="\n    ")
        print(json.dumps(found.item, indent=2) if found.item is not None else (found.raw or b"").hex())
        seen = suggestion.people if suggestion else None
        audit.record(
            connection, actor, audit.Action.SAW_HELD, now=now, patient_id=found.patient_id, patients=seen, held=number
        )


@readings.command()
def release(number: Number, username: As, why: Why = "") -> None:
    """Use an unlikely value as it is, marked as released by hand."""
    with acting(username) as (connection, actor, now):
        held.release(connection, number, actor=actor, note=why, now=now)
    print(f"reading {number} is released")


@readings.command()
def void(
    number: Number,
    username: As,
    why: Annotated[str, typer.Option("--why", "--note", help="Why, for whoever looks later")] = "",
) -> None:
    """Set a held reading aside for good."""
    with acting(username) as (connection, actor, now):
        held.void(connection, number, actor=actor, note=why, now=now)
    print(f"reading {number} is void")


@readings.command()
def claim(
    number: Number,
    username: As,
    patient: Annotated[UUID, typer.Option(help="The patient's id, as in the address of the patient's page")],
    since: Annotated[
        str, typer.Option("--from", help="Since when the patient uses the device (2026-06-10T14:00+00:00)")
    ],
    until: Annotated[str, typer.Option("--until", help="Until when; empty: still")] = "",
    why: Why = "",
) -> None:
    """Say whose a reading is, and since when the device is theirs; everything held of that time becomes theirs."""
    start, end = instant(since), instant(until) if until else None
    with acting(username) as (connection, actor, now):
        found = patient_of(connection, actor, patient)
        done = held.claim(
            connection, number, patient_id=found.patient_id, start=start, end=end, actor=actor, note=why, now=now
        )
    print(f"{done.admitted} readings are the patient's now; {done.still_held} are still held for another reason")


@readings.command()
def replay(
    username: As,
    number: Annotated[
        int | None, typer.Argument(help="The number that `rpm-cloud quarantine list` shows", min=1, max=NUMBER_MAX)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is held")] = False,
    reason: OfReason = None,
    gateway: OfGateway = None,
    device: OfDevice = None,
    since: Since = None,
    unclaimed: Unclaimed = False,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Take in once more, as it would be today, one held reading or all that the options say.

    For what a mended rule, a registered device or a newer program can use. What is still wrong stays held. Told for each:
    stored, known already, or still held and why.
    """
    wanted = Wanted(reason, gateway, device, instant(since) if since else None, unclaimed)
    if (number is None) == (wanted == Wanted() and not everything):
        raise UserError("say which: a number, or --reason, --gateway, --device, --since, --unclaimed, or --all")
    counts = Counter[Result]()
    with signed_in(username) as (database, actor):
        if number is not None:
            with database.transaction() as connection:
                tried = [replaying.replay_one(connection, number, actor=actor, why=why, now=database.clock())]
        else:
            tried = replaying.replay(database, wanted, actor=actor, why=why, now=database.clock())
        for one in tried:
            counts[one.result] += 1
            print(_told(one, as_json=as_json))
    if not as_json:
        print(", ".join(f"{counts[result]} {result}" for result in Result))


def _told(one: Tried, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"number": one.held_id, "result": one.result, "words": one.words})
    return f"{one.held_id:>7}  {one.result:10}  {one.words}".rstrip()


def register(app: typer.Typer) -> None:
    """Add the verbs. `held`, as it was called before, goes on for those who have written it into a script."""
    app.add_typer(readings, name="quarantine")
    app.add_typer(readings, name="held", hidden=True)
