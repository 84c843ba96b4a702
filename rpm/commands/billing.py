"""`rpm-cloud billing`: one case by hand, or a practice's month from the database."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpm import audit
from rpm.acting import BILLING, As, acting
from rpm.billing.adjustments import as_csv as adjustments_csv
from rpm.billing.adjustments import as_json as adjustments_json
from rpm.billing.casefile import format_help, read_case
from rpm.billing.claim import check_claim
from rpm.billing.episode import Practice, ServiceMonth
from rpm.billing.evaluate import billable_items
from rpm.billing.export import as_csv, as_json
from rpm.billing.outcome import ItemState, plain
from rpm.billing.report import month_report
from rpm.billing.rules import PAYER_PROFILES, STRICT
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import billing, closing
from rpm.store.closing import Closed
from rpm.store.migrate import open_current

Month = Annotated[str, typer.Option("--month", help="calendar month of the practice, e.g. 2026-11")]

EVALUATE_HELP = f"""Judge one case, without a database, and print the answer as JSON.

\b
{format_help()}

\b
The answer: items (may be claimed), so_far (period or month not over), not_billable (every other code, with the name
of why and a sentence), blockers, warnings, still_possible, the periods and months as counted with the ids of the
readings and entries behind them, what was left out or counts in part and why, and refusals of proposed_claim.
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
    month: Month,
    practice: Annotated[
        int | None, typer.Option("--practice", help="its number; needed where there are several")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="csv for a spreadsheet, json with the evidence")
    ] = Format.CSV,
    as_known_now: Annotated[
        bool, typer.Option("--as-known-now", help="of a closed month, what would be reported today")
    ] = False,
) -> None:
    """Print a practice's month from the database: days, minutes, codes, and why not. A closed month as it was closed."""
    wanted = _month(month)
    database = open_current(read_settings().require("dsn").dsn)
    try:
        now = database.clock()
        with database.transaction() as connection:
            chosen = _choose(billing.practices(connection), practice)
            if wanted.begins(chosen.time_zone) > now:
                raise UserError(f"--month {month}: that month has not begun")
            closed = None if as_known_now else closing.closed(connection, chosen.practice_id, wanted)
            if closed is not None:
                _print_closed(closed, form)
                return
            made = month_report(billing.month_records(connection, chosen, wanted, now=now))
    finally:
        database.close()
    if form is Format.JSON:
        typer.echo(json.dumps(as_json(made), indent=2, ensure_ascii=False))
    else:
        # Bytes: a text stream would turn the CSV's own line ends into others.
        typer.echo(as_csv(made).encode(), nl=False)


def _month(text: str) -> ServiceMonth:
    try:
        return ServiceMonth.parse(text)
    except ValueError as error:
        raise UserError(f"--month {text}: write a calendar month as 2026-11") from error


def _print_closed(closed: Closed, form: Format) -> None:
    """The very bytes that were kept. UserError where they are no more what was hashed."""
    closed.check()
    typer.echo(closed.frozen.json if form is Format.JSON else closed.frozen.csv, nl=form is Format.JSON)


def close(month: Month, username: As) -> None:
    """Close a month of your practice: it stays as it is reported now. There is no way back: what is corrected later adjusts it."""
    wanted = _month(month)
    with acting(username, BILLING) as (connection, actor, now):
        own = billing.practice(connection, actor.practice_id)
        assert own is not None, "staff belong to a practice"
        closed = closing.close(connection, own, wanted, actor=actor, now=now)
    rows = closed.report.rows
    waiting = sum(item.state is ItemState.ON_HOLD for row in rows for item in row.codes)
    print(f"{wanted} is closed: {len(rows)} patients, SHA-256 {closed.sha256.hex()}")
    if waiting:
        print(f"{waiting} codes are on hold: data that still come for them will be adjustments")


def adjustments(
    month: Month, username: As, form: Annotated[Format, typer.Option("--format", help="csv or json")] = Format.CSV
) -> None:
    """List what is otherwise in a closed month by what became known since: before, after, and why."""
    wanted = _month(month)
    with acting(username, BILLING) as (connection, actor, now):
        own = billing.practice(connection, actor.practice_id)
        assert own is not None, "staff belong to a practice"
        if closing.closed(connection, own.practice_id, wanted) is None:
            raise UserError(f"{wanted} is not closed")
        closing.notice(connection, own, wanted, now=now)
        found = closing.adjustments(connection, own.practice_id, wanted)
        seen = {patient_id for patient_id, _ in found}
        audit.record(connection, actor, audit.Action.SAW_BILLING, now=now, patients=seen, month=str(wanted))
    told = [one for _, one in found]
    if form is Format.JSON:
        typer.echo(json.dumps(adjustments_json(told), indent=2, ensure_ascii=False))
    else:
        typer.echo(adjustments_csv(told).encode(), nl=False)


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
    """Add the verbs."""
    group = typer.Typer(help="Days and minutes, and the codes they support.", no_args_is_help=True)
    group.command("evaluate", help=EVALUATE_HELP)(evaluate)
    group.command("report")(report)
    group.command("close")(close)
    group.command("adjustments")(adjustments)
    app.add_typer(group, name="billing")
