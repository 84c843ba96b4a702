"""`rpm-cloud rules baseline`: what is usual of one patient, and the limits that would follow from it, for a clinician to approve."""

from typing import Annotated
from uuid import UUID

import typer

from alerts.baseline import DAYS_MIN, OVER, Baseline, Offer, TooLittle
from alerts.sentences import label, number
from rpm import audit
from rpm.acting import As, acting, patient_of
from rpm.commands.rules.files import layers_for, rulebook_at
from rpm.offering import offered


def baseline(
    patient: Annotated[UUID, typer.Argument(help="The patient's id, as in the address of the patient's page")],
    username: As,
) -> None:
    """Print what is usual of a patient (median and MAD of four weeks), limits of median ± 2.5 MAD, and what they would change.

    Nothing is changed by this: limits hold once a clinician has approved them. An urgent limit is never offered.
    """
    rules = rulebook_at()
    layers = layers_for(rules)
    with acting(username) as (connection, actor, now):
        found = patient_of(connection, actor, patient)
        audit.record(connection, actor, audit.Action.SAW_PATIENT, now=now, patient_id=found.patient_id)
        given = offered(connection, found.patient_id, rules, layers, now=now)
    for one in given.usual:
        print(_usual(one))
        for tried in given.of(one.quantity):
            print(f"    {_offer(tried.offer)}")
    if not given.usual:
        print(f"Nothing was measured in the last {OVER.days} days.")
    if any(tried.offer.refused is None for tried in given.tried):
        before, after = sum(given.before), sum(given.after)
        print(
            f"Calls of these rules in the last {OVER.days} days: {before} with the limits that hold, {after} with these."
        )


def _usual(one: Baseline | TooLittle) -> str:
    if isinstance(one, TooLittle):
        return f"{one.quantity}: not enough yet, readings on {one.days} days of {DAYS_MIN}"
    unit = label(one.unit)
    spread = f"MAD {number(one.mad, decimals=1)}, {one.readings} readings on {one.days} days"
    between = f"{number(one.low, decimals=0)} to {number(one.high, decimals=0)} {unit}"
    return f"{one.quantity}: {number(one.median, decimals=0)} {unit} is usual ({spread}); {between}"


def _offer(one: Offer) -> str:
    comparison = one.comparison.replace("_", " ")
    holds = f"{number(one.holds.value, decimals=0)} ({one.holds.layer})"
    text = f"{one.rule_id} {one.band.word}: {comparison} {number(one.offered, decimals=0)} {label(one.unit)} instead of {holds}"
    if one.refused:
        return f"{text}: not offered, {one.refused}"
    return f"{text}, {'looser' if one.looser else 'stricter'}"
