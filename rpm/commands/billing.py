"""`rpm-cloud billing`: one case by hand, or a practice's month from the database."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpm.billing.casefile import format_help, read_case
from rpm.billing.claim import check_claim
from rpm.billing.episode import Practice, ServiceMonth
from rpm.billing.evaluate import billable_items
from rpm.billing.export import as_csv, as_json
from rpm.billing.outcome import plain
from rpm.billing.report import month_report
from rpm.billing.rules import PAYER_PROFILES, STRICT
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import billing
from rpm.store.migrate import open_current

EVALUATE_HELP = f"""Judge one case, without a database, and print the answer as JSON.

\b
{format_help()}

\b
The answer: items (may be claimed), so_far (period or month not over), not_billable (every other code, with the name
of why and a sentence), blockers, warnings, still_possible, the periods and months as counted with the ids of the
readings and entries behind them, what was left out and why, and refusals of proposed_claim.
Examples, one for each shape of case: rpm/billing/examples/*.json
A file that cannot be used: one line that names the field, and exit status 2.
"""


class Format(StrEnum):
    """How a report is written."""

    CSV = "csv"
    JSON = "json"


def evaluate(path: Annotated[Path, typer.Argument(metavar="CASE.json", help="the case")]) -> None:
    """Judge one case (see EVALUATE_HELP)."""
    file = read_case(path)
    answer = plain(billable_items(file.case()))
    assert isinstance(answer, dict)
    lines = tuple(one.line() for one in file.proposed_claim)
    profile = PAYER_PROFILES.get(file.payer_profile, STRICT)
    answer["refusals"] = plain(check_claim(lines, profile=profile))
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def report(
    month: Annotated[str, typer.Option("--month", help="calendar month of the practice, e.g. 2026-11")],
    practice: Annotated[
        int | None, typer.Option("--practice", help="its number; needed where there are several")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="csv for a spreadsheet, json with the evidence")
    ] = Format.CSV,
) -> None:
    """Print a practice's month from the database: days, minutes, codes, and why not."""
    try:
        wanted = ServiceMonth.parse(month)
    except ValueError as error:
        raise UserError(f"--month {month}: write a calendar month as 2026-11") from error
    database = open_current(read_settings().require("dsn").dsn)
    try:
        now = database.clock()
        with database.transaction() as connection:
            chosen = _choose(billing.practices(connection), practice)
            if wanted.begins(chosen.time_zone) > now:
                raise UserError(f"--month {month}: that month has not begun")
            made = month_report(billing.month_records(connection, chosen, wanted, now=now))
    finally:
        database.close()
    if form is Format.JSON:
        typer.echo(json.dumps(as_json(made), indent=2, ensure_ascii=False))
    else:
        # Bytes: a text stream would turn the CSV's own line ends into others.
        typer.echo(as_csv(made).encode(), nl=False)


def _choose(known: Sequence[Practice], number: int | None) -> Practice:
    """The practice of that number, or the only one there is."""
    numbers = ", ".join(str(one.practice_id) for one in known) or "none yet"
    if number is None and len(known) != 1:
        raise UserError(f"--practice is needed: one of {numbers}")
    for one in known:
        if number in (None, one.practice_id):
            return one
    raise UserError(f"--practice {number}: there is no such practice; known: {numbers}")


def register(app: typer.Typer) -> None:
    """Add `billing evaluate` and `billing report`."""
    group = typer.Typer(help="Days and minutes, and the codes they support.", no_args_is_help=True)
    group.command("evaluate", help=EVALUATE_HELP)(evaluate)
    group.command("report")(report)
    app.add_typer(group, name="billing")
