"""`rpm-cloud policy`: who is called about alerts: look at it before it calls anybody."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from alerts.channels import Name
from alerts.coverage import AHEAD, gaps
from alerts.escalation import Queue
from alerts.severity import Severity
from alerts.simulation import simulate
from alerts.staff import StaffMember
from rpm.calling import installation_plan
from rpm.commands.user import the_practice
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import notifications, plans, staff
from rpm.store.migrate import open_current
from rpm.wall_clock import NoSuchTime, instant_of

DAYS_MAX: Final = 366
#: How far back somebody may ask who would have been called.
PAST_MAX: Final = timedelta(days=366)
#: Exit status where hours are uncovered: a script that asks nightly can tell.
UNCOVERED: Final = 1

File = Annotated[Path | None, typer.Option(help="A plan (TOML) to try instead of the one in force")]
Practice = Annotated[int | None, typer.Option(help="Number of the practice, where there is more than one")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(name="policy", help="Who is called about alerts, and who next.", no_args_is_help=True)
    group.command("check")(check)
    group.command("simulate")(show_simulation)
    group.command("coverage")(coverage)
    app.add_typer(group)


def check(
    file: Annotated[
        Path | None, typer.Argument(help="Policies and rotas (TOML); default: the file RPM_ESCALATION_FILE names")
    ] = None,
) -> None:
    """Print who is called when, who is on duty now, and hours no rota covers; exit 2 and one line where it is wrong."""
    plan = installation_plan(file or read_settings().escalation_file)
    for policy in plan.policies:
        print(policy.title)
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


def show_simulation(
    at: Annotated[str, typer.Option(help="When the alert opens, by the practice's clock: 2026-11-29T02:10")] = "",
    severity: Annotated[str, typer.Option(help="urgent, priority or routine")] = "urgent",
    queue: Annotated[Queue, typer.Option(help="A patient's state, or something that does not work")] = Queue.CLINICAL,
    program: Annotated[str, typer.Option(help="The patient's care programme")] = "",
    practice: Practice = None,
    file: File = None,
) -> None:
    """Say who would be told about an alert that nobody acknowledges: when, by what, in what order, and why."""
    try:
        asked = Severity.of(severity)
    except ValueError as error:
        raise UserError(f"--severity: {error}") from error
    ground = _Ground(practice, file)
    opens = ground.instant(at) if at else ground.now
    played = simulate(
        ground.plan,
        asked,
        ground.people,
        ground.overrides,
        at=opens,
        practice_id=ground.practice_id,
        queue=queue,
        program=program,
    )
    print(f"{asked.word}, {queue} alert that opens {ground.local(opens)}:")
    if played.policy is None:
        print("    calls nobody: it waits on the list")
        return
    for call in played.calls:
        whom = ", ".join(f"{one.username} ({_by(channels)})" for one, channels in call.tellings) or "NOBODY"
        print(f"    {ground.local(call.at)}  {whom}")
        print(f"        {call.reason}")
    print("    then no further call: it stays on the list")


def _by(channels: Sequence[Name]) -> str:
    return ", ".join(one.word for one in channels) or "no contact"


def coverage(
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How many days ahead")] = AHEAD.days,
    practice: Practice = None,
    file: File = None,
) -> None:
    """List the hours ahead in which a first call would reach nobody; exit status 1 where there are any."""
    ground = _Ground(practice, file)
    found = gaps(
        ground.plan,
        ground.people,
        ground.overrides,
        now=ground.now,
        ahead=timedelta(days=days),
    )
    for gap in found:
        instead = "the fallback is called" if gap.fallback else "NOR BY THE FALLBACK"
        print(
            f"{gap.policy}: {ground.local(gap.begins)} to {ground.local(gap.ends)}"
            f" ({gap.minutes} min): {gap.reason}; {instead}"
        )
    if found:
        raise typer.Exit(UNCOVERED)
    print(f"covered: somebody can be reached by every policy for the next {days} days")


class _Ground:
    """One practice's plan, people and clock, as the database has them now."""

    def __init__(self, practice: int | None, file: Path | None) -> None:
        settings = read_settings().require("dsn")
        default = installation_plan(file or settings.escalation_file)
        database = open_current(settings.dsn)
        try:
            self.now = database.clock()
            with database.transaction() as connection:
                chosen = the_practice(staff.practices(connection), practice)
                self.practice_id = chosen
                self.zone = staff.practice(connection, chosen).time_zone
                self.plan = default if file else plans.current(connection, default).of(chosen)
                self.people: list[StaffMember] = notifications.staff_of(connection, [chosen], now=self.now)
                # Those that are over do no harm: what is asked may lie in the past.
                stand_ins = plans.stand_ins(connection, [chosen], since=self.now - PAST_MAX)[chosen]
                self.overrides = [one.override for one in stand_ins]
        finally:
            database.close()

    def instant(self, text: str) -> datetime:
        """An instant by the practice's wall clock; UserError where that shows no such time."""
        try:
            return instant_of(text, self.zone)
        except NoSuchTime as error:
            raise UserError(f"--at: {error}") from error

    def local(self, at: datetime) -> str:
        """An instant as the practice's clock shows it."""
        return f"{at.astimezone(ZoneInfo(self.zone)):%a %Y-%m-%d %H:%M %Z}"
