"""`rpm-cloud rules`: look at a rules file, and try it, before it judges anybody."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from alerts.explain import none_apply
from alerts.rules import Limit, Rule
from alerts.sentences import label, number
from rpm.acting import As, acting, patient_of
from rpm.audit import Action, record
from rpm.commands.rules import trials
from rpm.commands.rules.backtest import backtest
from rpm.commands.rules.baseline import baseline
from rpm.commands.rules.files import layers_for, rulebook_at
from rpm.explaining import rules_held


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(name="rules", help="Alert rules.", no_args_is_help=True)
    group.command("check")(check)
    trials.register(group)
    group.command("baseline")(baseline)
    group.command("backtest")(backtest)
    group.command("explain")(explain)
    app.add_typer(group)


def check(
    file: Annotated[Path | None, typer.Argument(help="Rules (TOML); default: the file RPM_RULES_FILE names")] = None,
) -> None:
    """Read a rules file and print each rule as it would be applied; exit status 2 and one line where it is wrong."""
    for rule in rulebook_at(file):
        print(f"{rule.id}  version {rule.version}  {rule.title}")
        for line in _bands(rule):
            print(f"    {line}")
        for line in _repeat(rule):
            print(f"    {line}")
        if rule.quiet_text:
            print(f"    {rule.quiet_text}")


def explain(
    patient: Annotated[UUID, typer.Argument(metavar="PATIENT", help="The id in the address of the patient's page")],
    username: As,
) -> None:
    """Print what holds for a patient: each limit, whose it is, who approved it and when; or why a rule says nothing."""
    rules = rulebook_at()
    layers = layers_for(rules)
    with acting(username) as (connection, actor, now):
        found = patient_of(connection, actor, patient)
        held = rules_held(connection, rules, found.patient_id, layers=layers, now=now)
        record(connection, actor, Action.SAW_RULES, now=now, patient_id=found.patient_id)
    if none_apply(held):
        print("NO RULES APPLY: under 18, and no limits were ordered; nothing this patient measures is judged")
    for one in held:
        print(f"{one.rule.id}  version {one.rule.version}  {one.rule.title}")
        if one.silent:
            print(f"    says nothing: {one.silent}")
        if one.rule.quiet_text:
            print(f"    {one.rule.quiet_text}")
        for line in _repeat(one.rule):
            print(f"    {line}")
        for band in one.bands:
            for limit in band.limits:
                often = f", {band.condition}" if band.condition else ""
                print(f"    {band.severity.word:8} {limit.text}{often}  ({limit.whose}; {limit.approval})")


def _repeat(rule: Rule) -> list[str]:
    if rule.repeat is None:
        return []
    at_once = [
        f"at once, without a second reading: {name} {limit.comparison.replace('_', ' ')} {_written(limit)}"
        for name, limit in rule.repeat.at_once.items()
    ]
    return [rule.repeat.text, *at_once]


def _written(limit: Limit) -> str:
    return " | ".join(f"{number(value, decimals=0)} {label(unit)}" for unit, value in limit.values.items())


def _bands(rule: Rule) -> list[str]:
    lines: list[str] = []
    for band in rule.bands:
        for name, limit in band.limits.items():
            written = " | ".join(f"{number(value, decimals=0)} {label(unit)}" for unit, value in limit.values.items())
            measured = f" {rule.measured}" if rule.measured else ""
            counted = f",{band.condition.text}" if band.condition else ""
            comparison = limit.comparison.replace("_", " ")
            lines.append(f"{band.severity.word:8} {name} {comparison} {written}{measured}{counted}")
    return lines
