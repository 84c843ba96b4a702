"""`rpm-cloud rules baseline`: what is usual of one patient, and the limits that would follow from it, for a clinician to approve."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import numpy as np
import typer

from alerts.baseline import DAYS_MIN, OVER, Baseline, Offer, TooLittle, baselines, offers
from alerts.evaluate import window_of
from alerts.facts import Facts
from alerts.layers import PatientLimit
from alerts.limits import Limits
from alerts.observations import Observations
from alerts.replay import replay
from alerts.rules import Rule
from alerts.sentences import label, number
from alerts.series import microseconds
from rpm import audit
from rpm.acting import As, acting, patient_of
from rpm.commands.rules.files import layers_for, rulebook_at
from rpm.errors import UserError
from rpm.limits import arranged
from rpm.store import facts as known
from rpm.store import series
from schemas.codes import CODES

#: What the judge knows of a patient: everything a limit may be of.
_VITALS = tuple(code for code in CODES if code.vital)


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
        since = now - OVER - window_of(rules)
        measured = series.window(
            connection,
            patients=[found.patient_id],
            codes=[code.number for code in _VITALS],
            since=since,
            until=now,
        )
        own = series.own_limits(connection, [found.patient_id])
        group = series.groups(connection, [found.patient_id])
        facts = Facts.of(known.of_patients(connection, [found.patient_id], now=now))
    if facts.minor(facts.patient, np.array([microseconds(now)])).any():
        raise UserError(
            "this patient is under 18: no adult limit holds, and none is derived; limits are a clinician's orders"
        )
    usual = baselines(measured, [code.name for code in _VITALS], patient=found.patient_id, facts=facts, now=now)
    limits = arranged(own, rules, layers, group)
    offered: list[Offer] = []
    for one in usual:
        print(_usual(one))
        if isinstance(one, Baseline):
            mine = offers(one, rules, limits, patient=found.patient_id)
            offered += [offer for offer in mine if offer.refused is None]
            for offer in mine:
                print(f"    {_offer(offer)}")
    if not usual:
        print(f"Nothing was measured in the last {OVER.days} days.")
    if offered:
        rows = [
            PatientLimit(found.patient_id, one.rule_id, one.band.word, one.quantity, one.unit, one.offered)
            for one in offered
        ]
        touched = [rule for rule in rules if rule.id in {one.rule_id for one in offered}]
        observed = Observations.of_series(measured)
        held = (arranged(each, rules, layers, group) for each in (own, [*own, *rows]))
        before, after = (_calls(observed, touched, limits, facts, now) for limits in held)
        print(
            f"Calls of these rules in the last {OVER.days} days: {before} with the limits that hold, {after} with these."
        )


def _calls(observed: Observations, rules: Sequence[Rule], limits: Limits, facts: Facts, now: datetime) -> int:
    return sum(call.at > now - OVER for call in replay(observed, rules, limits=limits, facts=facts))


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
