"""`rpm-cloud rules run` and `rules score`: rules tried on files, without a database."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts import observations
from alerts.evaluate import evaluate
from alerts.facts import NO_FACTS
from alerts.findings import Finding
from alerts.limits import Limits
from alerts.observations import Observations, ObservationsError, read_observations, read_patients
from alerts.repeats import MEAN, Waiting
from alerts.replay import RuleFailed, replay
from alerts.scoring import score, table
from alerts.sentences import Value
from rpm.care.trial import Trial
from rpm.commands.rules.files import rules_at
from rpm.errors import UserError
from rpm.ingest.checks import DISTURBING_STATUS

_RUN_HELP = f"""Print what the rules of FILE find at an instant, as JSON lines. No database is needed.

Findings are those of the seven days before --now, each explained, and no alert is known yet. A patient under 18 is named in a line
of its own: adult limits say nothing there. So is a reading of kind "waits": a second one is asked for until then. Nothing is held back as implausible, as it would be on its way into the database.

\b
{observations.__doc__ or ""}"""


def register(group: typer.Typer) -> None:
    """Add the commands to `rpm-cloud rules`."""
    group.command("run", help=_as_written(_RUN_HELP))(run)
    group.command("score")(score_command)


def _as_written(text: str) -> str:
    """Help whose lines stay lines and whose brackets stay: `[lb_av]` is a unit."""
    return text.replace("\n\n", "\n\n\b\n").replace("[", "\\[")


def run(
    observations: Annotated[Path, typer.Option(help="The observations, a CSV file.")],
    now: Annotated[str, typer.Option(help="The instant to judge at, with its offset: 2026-03-08T12:00:00Z.")],
    file: Annotated[Path | None, typer.Argument(help="Rules (TOML); default: the file RPM_RULES_FILE names")] = None,
    patients: Annotated[Path | None, typer.Option(help="What is known of the patients, a CSV file.")] = None,
) -> None:
    """See _RUN_HELP."""
    rules = rules_at(file)
    try:
        at = datetime.fromisoformat(now)
    except ValueError as error:
        raise UserError("--now: an instant like 2026-03-08T12:00:00Z, please") from error
    if at.tzinfo is None:
        raise UserError("--now: say its offset, as in 2026-03-08T12:00:00Z")
    try:
        observed = read_observations(observations, disturbing=DISTURBING_STATUS).come_by(at)
        facts = read_patients(patients, observed.patients) if patients else NO_FACTS
    except (ObservationsError, OSError) as error:
        raise UserError(_words(error)) from error
    found = evaluate(observed.series, rules, limits=Limits.of((), rules), now=at, facts=facts)
    for finding in found:
        print(json.dumps(_line(finding, observed), ensure_ascii=False))
    for waiting in found.waiting():
        print(json.dumps(_waits(waiting, observed), ensure_ascii=False))
    for patient in found.unruled:
        print(json.dumps({"patient": observed.patients[int(patient)], "no_rule_applies": "under 18"}))
    for failure in found.failures:
        print(f"{failure.rule_id} could not be applied: {failure.error}", file=sys.stderr)
    if found.failures:
        raise typer.Exit(1)


def score_command(
    cohort: Annotated[Path, typer.Option(help="The folder `python -m devices.virtual cohort` wrote.")],
    rules: Annotated[Path | None, typer.Option(help="Rules (TOML); default: the file RPM_RULES_FILE names")] = None,
) -> None:
    """Judge a cohort as its readings came, hold the alerts against its truth, and print two tables (Markdown).

    What is implausible is held, as in the product. An alert stays open until somebody has answered: one hour where it is urgent,
    eight where it is to be seen the same day, else a day. A call is an alert that opened or worsened, questions and review items
    too; it is true from the onset of an episode that shows in what the rule looks at to three days after its end. Medians are of
    the first call about each episode that was found; false calls are per month of a patient who measures what the rule looks at.
    """
    judged = rules_at(rules)
    try:
        trial = Trial.read(cohort)
        calls = list(replay(trial.observed, judged, limits=Limits.of((), judged), facts=trial.facts))
    except (ObservationsError, OSError, RuleFailed) as error:
        raise UserError(_words(error)) from error
    scores = score(
        trial.observed, [rule for rule in judged if rule.missed is None], calls, trial.truths, facts=trial.facts
    )
    print(table(scores), end="")


def _words(error: ObservationsError | OSError | RuleFailed) -> str:
    return f"cannot read {error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


def _named(value: Value, observed: Observations) -> dict[str, Any]:
    named = {**value.as_json(), "reading": observed.readings[value.reading_no]}
    del named["reading_no"]
    return named


def _waits(one: Waiting, observed: Observations) -> dict[str, Any]:
    """A reading that is no finding yet: a second one is asked for."""
    return {
        "patient": observed.patients[one.patient],
        "rule": one.rule_id,
        "severity": one.severity.word,
        "kind": "waits",
        "measured_at": one.measured_at.isoformat(),
        "reading": observed.readings[one.reading_no],
        "until": one.until.isoformat(),
    }


def _line(finding: Finding, observed: Observations) -> dict[str, Any]:
    """A finding with the names of the file."""
    values = [_named(value, observed) for value in finding.values]
    return {
        "patient": observed.patients[finding.patient],
        "rule": finding.rule_id,
        "version": finding.rule_version,
        "severity": finding.told.word,
        "kind": str(finding.kind),
        "late": finding.late,
        "measured_at": finding.measured_at.isoformat(),
        "reading": observed.readings[finding.reading_no] if finding.reading_no > 0 else None,
        "sentence": finding.sentence,
        "limit": finding.limit.as_json(),
        "values": values,
        **({"ask": finding.ask} if finding.ask else {}),
        **({"band": finding.severity.word, "unconfirmed": True} if finding.unconfirmed else {}),
        **({"mean": [_named(value, observed) for value in finding.mean]} if finding.how == MEAN else {}),
    }
