"""`rpm-cloud rules`: look at a rules file before it judges anybody."""

from pathlib import Path
from typing import Annotated

import typer

from alerts.rules import Rule, RulesError, read_rules
from alerts.sentences import number
from rpm.errors import UserError
from rpm.settings import read_settings
from schemas.codes import UNIT_LABEL


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(name="rules", help="Alert rules.", no_args_is_help=True)
    # A group of one command would otherwise be that command.
    group.callback()(lambda: None)
    group.command("check")(check)
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


def _bands(rule: Rule) -> list[str]:
    lines: list[str] = []
    for band in rule.bands:
        for name, limit in band.limits.items():
            written = " | ".join(
                f"{number(value, decimals=0)} {UNIT_LABEL[unit]}" for unit, value in limit.values.items()
            )
            gain = ""
            if rule.gain_since:
                since = rule.gain_since
                gain = f" gained since the {since.take} value of {since.from_h:g} to {since.to_h:g} h before"
            counted = (
                f", {band.sessions.breaching} of the last {band.sessions.of_last} sessions" if band.sessions else ""
            )
            lines.append(f"{band.severity.word:8} {name} {limit.comparison.replace('_', ' ')} {written}{gain}{counted}")
    return lines
