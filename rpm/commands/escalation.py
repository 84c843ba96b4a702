"""`rpm-cloud escalation`: look at an escalation file before it calls anybody."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alerts.escalation import EscalationError, read_plan
from rpm.errors import UserError
from rpm.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(name="escalation", help="Who is called about alerts.", no_args_is_help=True)
    # A group of one command would otherwise be that command.
    group.callback()(lambda: None)
    group.command("check")(check)
    app.add_typer(group)


def check(
    file: Annotated[
        Path | None, typer.Argument(help="Policies and rotas (TOML); default: the file RPM_ESCALATION_FILE names")
    ] = None,
) -> None:
    """Print who is called when, who is on duty now, and hours no rota covers; exit 2 and one line where it is wrong."""
    try:
        plan = read_plan(file or read_settings().escalation_file)
    except EscalationError as error:
        raise UserError(str(error)) from error
    for policy in plan.policies:
        print(f"{policy.severity.word}")
        for step in policy.steps:
            print(f"    after {step.after_min:g} min: {', '.join(step.targets)}")
        if policy.repeat_times:
            print(f"    then {policy.repeat_times} times more, every {policy.repeat_every_min:g} min")
        if policy.acknowledged_min is not None:
            print(f"    acknowledged and nothing done for {policy.acknowledged_min:g} min: open again")
    print(f"when nobody can be reached: {', '.join(plan.fallback)}")
    for rota in plan.rotas:
        print(f"rota {rota.name}, on duty now: {', '.join(rota.on_duty(datetime.now(UTC))) or 'nobody'}")
    for warning in plan.warnings():
        print(f"uncovered: {warning}")
