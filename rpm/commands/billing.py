"""`rpm-cloud billing`: one case by hand, or a practice's month from the database."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rpm.billing.casefile import format_help, read_case
from rpm.billing.claim import check_claim
from rpm.billing.evaluate import billable_items
from rpm.billing.outcome import plain
from rpm.billing.rules import PAYER_PROFILES, STRICT

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


def evaluate(path: Annotated[Path, typer.Argument(metavar="CASE.json", help="the case")]) -> None:
    """Judge one case (see EVALUATE_HELP)."""
    file = read_case(path)
    answer = plain(billable_items(file.case()))
    assert isinstance(answer, dict)
    lines = tuple(one.line() for one in file.proposed_claim)
    profile = PAYER_PROFILES.get(file.payer_profile, STRICT)
    answer["refusals"] = plain(check_claim(lines, profile=profile))
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def register(app: typer.Typer) -> None:
    """Add `billing evaluate`."""
    billing = typer.Typer(
        help="Days and minutes, and the codes they support.", no_args_is_help=True, rich_markup_mode=None
    )
    billing.command("evaluate", help=EVALUATE_HELP)(evaluate)
    app.add_typer(billing, name="billing")
