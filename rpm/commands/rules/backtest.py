"""`rpm-cloud rules backtest`: what a draft would have asked of people in the last days, beside the rules in force."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from alerts.backtest import Backtest, Line, beside
from alerts.replay import RuleFailed
from rpm import audit
from rpm.acting import As, signed_in
from rpm.backtesting import DAYS_MAX, DRAFT, IN_FORCE, called, compare, some
from rpm.commands.rules.files import layers_for, rulebook_at
from rpm.errors import UserError
from rpm.store import backtest as past


def backtest(
    file: Annotated[Path, typer.Argument(help="The draft (TOML)")],
    username: As,
    days: Annotated[int, typer.Option(help="How far back", min=1, max=DAYS_MAX)] = 90,
    patients: Annotated[int, typer.Option(help="At most so many patients, evenly taken; 0: all", min=0)] = 0,
) -> None:
    """Print what a draft would have asked of people in the last days, beside the rules in force. Nothing is changed by it.

    Each alert counts as answered after a while (urgent an hour, priority 8, routine 24), limits and facts of patients are
    those of today, and silence is left out.
    """
    rules = {IN_FORCE: rulebook_at(), DRAFT: rulebook_at(file)}
    layers = layers_for(rules[IN_FORCE])
    with signed_in(username) as (database, actor):
        now = database.clock()
        with database.transaction() as connection:
            found = past.people(connection, practice_id=actor.practice_id, since=now - timedelta(days=days))
            who = some(found, most=patients) if patients else found
            if not who:
                raise UserError(f"nothing was measured in the last {days} days")
            audit.record(connection, actor, audit.Action.RULES_TRIED, now=now, patients=[one.patient_id for one in who])
        with database.transaction() as connection:
            try:
                done = compare(
                    connection,
                    rules,
                    who,
                    days=days,
                    now=now,
                    layers=layers,
                    told=lambda count: _progress(count, of=len(who)),
                )
            except RuleFailed as error:
                raise UserError(str(error)) from error
    print(f"{len(who)} of {len(found)} patients with readings, {days} days to {now:%Y-%m-%d %H:%M} UTC")
    for line in _table(done):
        print(line)
    print("\nWho would be called most by the draft (in force → draft):")
    for one, was, would in called(done, who):
        print(f"  {was:>4} → {would:<4} {one.family_name}, {one.given_name}  {one.public_id}")
    if not done[DRAFT].calls:
        print("  nobody")


def _progress(count: int, *, of: int) -> None:
    if sys.stderr.isatty():
        print(f"{count} of {of} patients …\r", end="", file=sys.stderr, flush=True)


def _table(done: Mapping[str, Backtest]) -> list[str]:
    before, after = done[IN_FORCE], done[DRAFT]
    rows = [
        ("", IN_FORCE, DRAFT),
        ("calls", str(before.calls), str(after.calls)),
        ("calls a day", f"{before.a_day:.1f}", f"{after.a_day:.1f}"),
        ("calls a day of 100 patients", f"{before.a_day_of_100:.1f}", f"{after.a_day_of_100:.1f}"),
        ("questions among them", str(before.questions), str(after.questions)),
        ("people called about", str(len(before.people)), str(len(after.people))),
    ]
    rows += [
        (f"{rule_id} {severity.word}", _cell(one), _cell(other))
        for rule_id, severity, one, other in beside(before, after)
    ]
    lines = [f"{first:40} {second:>34} {third:>34}" for first, second, third in rows]
    lines.insert(6, "\ncalls / people / in range by a later reading (median after)")
    return lines


def _cell(line: Line | None) -> str:
    if line is None:
        return "0"
    after = "" if line.answered_after_h is None else f" ({line.answered_after_h:.0f} h)"
    return f"{line.calls} / {line.people} / {line.answered}{after}"
