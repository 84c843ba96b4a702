"""`rpm-cloud rules`: look at a rules file, and try it, before it judges anybody."""

from pathlib import Path
from typing import Annotated, Final

import typer

from alerts.rulefile import RulesError, read_rules
from alerts.rules import Rule
from alerts.sentences import label, number
from rpm.commands.rules import trials
from rpm.commands.rules.baseline import baseline
from rpm.errors import UserError
from rpm.settings import read_settings

#: What an amount is, before the words of its measure.
_MEASURED: Final = {
    "gain_since": "gained ",
    "loss_since": "lost ",
    "rise_from_baseline": "up, ",
    "fall_from_baseline": "down, ",
    "rising": "up ",
    "falling": "down ",
    "drift_up": "up, ",
    "drift_down": "down, ",
}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(name="rules", help="Alert rules.", no_args_is_help=True)
    group.command("check")(check)
    trials.register(group)
    group.command("baseline")(baseline)
    app.add_typer(group)


def check(
    file: Annotated[Path | None, typer.Argument(help="Rules (TOML); default: the file RPM_RULES_FILE names")] = None,
) -> None:
    """Read a rules file and print each rule as it would be applied; exit status 2 and one line where it is wrong."""
    try:
        rules = read_rules(file or read_settings().rules_file)
    except RulesError as error:
        raise UserError(str(error)) from error
    for rule in rules:
        print(f"{rule.id}  version {rule.version}  {rule.title}")
        for line in _bands(rule):
            print(f"    {line}")
        if rule.again_after_days:
            print(f"    once closed, not again for {rule.again_after_days} days unless more severe")


def _bands(rule: Rule) -> list[str]:
    lines: list[str] = []
    for band in rule.bands:
        for name, limit in band.limits.items():
            written = " | ".join(f"{number(value, decimals=0)} {label(unit)}" for unit, value in limit.values.items())
            measured = f" {_MEASURED.get(rule.measure_name or '', '')}{rule.measure.words}" if rule.measure else ""
            counted = f",{band.condition.text}" if band.condition else ""
            comparison = limit.comparison.replace("_", " ")
            lines.append(f"{band.severity.word:8} {name} {comparison} {written}{measured}{counted}")
    return lines
