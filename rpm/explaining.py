"""Which rules hold for one patient now, as the judge would apply them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from alerts.explain import HeldRule, explain
from alerts.facts import Facts
from alerts.layers import Layer
from alerts.rules import Rule
from alerts.series import microseconds
from rpm.limits import limits_of
from rpm.store import facts
from rpm.store.database import Connection


def rules_held(
    connection: Connection, rules: Sequence[Rule], patient_id: int, *, layers: Sequence[Layer], now: datetime
) -> list[HeldRule]:
    """Every rule of the installation, with the limits that hold for this patient. Whose patient it is was asked before."""
    limits = limits_of(connection, [patient_id], rules, layers)
    known = Facts.of(facts.of_patients(connection, [patient_id], now=now))
    return explain(rules, limits, known, patient=patient_id, now=now)


def under_18(connection: Connection, patient_id: int, *, now: datetime) -> bool:
    """Whether no limit for adults holds for this patient today."""
    known = Facts.of(facts.of_patients(connection, [patient_id], now=now))
    return bool(known.minor(known.patient, np.array([microseconds(now)])).any())
