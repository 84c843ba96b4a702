"""Where each open alert stands on the worklist, and why: the rows of the store as the columns `alerts.risk` counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from alerts.findings import rule_of
from alerts.risk import Part, Standings, order, parts, points
from alerts.rules import Rule
from alerts.series import Ints, microseconds
from alerts.severity import Severity
from rpm.store import risk
from rpm.store.database import Connection
from rpm.store.risk import Seen, Trend
from rpm.store.worklist import OpenAlert
from rpm.web.arrangement import taken
from rpm.web.due import ANSWER_WITHIN
from schemas.codes import BY_NAME

#: Patients whose trend and silence are looked up, those of the most severe alerts first; of others these count nothing.
LOOKED_UP_MAX: Final = 1000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Placed:
    """Open alerts in the order in which they are to be looked at, and the points each place rests on."""

    alerts: tuple[OpenAlert, ...]
    _standings: Standings
    _points: Ints
    _row: dict[int, int]

    def why(self, alert: OpenAlert) -> tuple[Part, ...]:
        """The parts of an alert's place."""
        return parts(self._standings, self._points, self._row[alert.alert_id])


def quantity_of(alert: OpenAlert) -> int | None:
    """The number of the quantity an alert speaks of first; None where its evidence names none."""
    for value in alert.evidence.get("values", ()):
        code = BY_NAME.get(value.get("quantity", ""))
        if code is not None:
            return code.number
    return None


def worse_ways(rules: Sequence[Rule]) -> dict[str, int]:
    """Rule → which way its quantity goes when it goes worse: 1 up, -1 down; what has no way (a variation, a silence) is not in it."""
    return {
        rule.id: -1 if rule.downward or rule.lessening else 1
        for rule in rules
        if rule.variability is None and rule.missed is None
    }


def read(
    connection: Connection, alerts: Sequence[OpenAlert], rules: Sequence[Rule], *, practice_id: int, now: datetime
) -> Placed:
    """The open alerts of a practice (most severe first), each in its place."""
    people = list(dict.fromkeys(alert.subject.patient_id for alert in alerts if alert.subject))[:LOOKED_UP_MAX]
    looked_up = set(people)
    pairs = {pair for alert in alerts if (pair := limit_of(alert)) is not None and pair[0] in looked_up}
    seen = risk.seen(connection, practice_id=practice_id, patients=people, now=now) if people else {}
    trends = risk.trends(connection, practice_id=practice_id, wanted=pairs, now=now) if pairs else {}
    return place(alerts, seen, trends, ways=worse_ways(rules), now=now)


def limit_of(alert: OpenAlert) -> tuple[int, int] | None:
    """The patient and the quantity whose limit was crossed; None where the alert is of nobody or of no limit."""
    code = BY_NAME.get(alert.evidence.get("limit", {}).get("quantity", ""))
    return (alert.subject.patient_id, code.number) if alert.subject and code else None


def place(
    alerts: Sequence[OpenAlert],
    seen: Mapping[int, Seen],
    trends: Mapping[tuple[int, int], Trend],
    *,
    ways: Mapping[str, int],
    now: datetime,
) -> Placed:
    """The order of these alerts, by what is known of their patients."""
    count = Counter((alert.subject.patient_id, alert.severity) for alert in alerts if alert.subject)
    standings = Standings(
        severity=np.array([alert.severity for alert in alerts], np.int64),
        free=np.array([not taken(alert) for alert in alerts], bool),
        waited=np.array([_waited(alert, now) for alert in alerts], np.float64),
        out=np.array([alert.back_in_range_at is None for alert in alerts], bool),
        readings=np.array([max(1, len(alert.evidence.get("judged", ()))) for alert in alerts], np.int64),
        others=np.array([_others(alert, count) for alert in alerts], np.int64).reshape(-1, len(Severity)),
        spreads=np.array([_spreads(alert, trends, ways) for alert in alerts], np.float64),
        silent_days=np.array([_silent(alert, seen, now) for alert in alerts], np.float64),
        missed_days=np.array([_missed(alert, seen) for alert in alerts], np.float64),
    )
    scored = points(standings)
    opened = np.array([microseconds(alert.opened_at) for alert in alerts], np.int64)
    number = np.array([alert.alert_id for alert in alerts], np.int64)
    first: list[int] = order(scored.sum(axis=1), opened, number).tolist()
    row = {alert.alert_id: index for index, alert in enumerate(alerts)}
    return Placed(tuple(alerts[index] for index in first), standings, scored, row)


def _waited(alert: OpenAlert, now: datetime) -> float:
    return 0.0 if taken(alert) else (now - alert.opened_at) / ANSWER_WITHIN[alert.severity]


def _others(alert: OpenAlert, count: Counter[tuple[int, int]]) -> list[int]:
    if alert.subject is None:
        return [0] * len(Severity)
    patient = alert.subject.patient_id
    return [count[patient, int(severity)] - (severity == alert.severity) for severity in Severity]


def _spreads(alert: OpenAlert, trends: Mapping[tuple[int, int], Trend], ways: Mapping[str, int]) -> float:
    """How far the quantity went the way that is worse for the rule that called."""
    pair, way = limit_of(alert), ways.get(rule_of(alert.rule_id))
    trend = trends.get(pair) if pair else None
    return float("nan") if trend is None or trend.rise is None or way is None else way * trend.rise


def _silent(alert: OpenAlert, seen: Mapping[int, Seen], now: datetime) -> float:
    found = seen.get(alert.subject.patient_id) if alert.subject else None
    return float("nan") if found is None or found.seen_at is None else (now - found.seen_at) // _DAY


def _missed(alert: OpenAlert, seen: Mapping[int, Seen]) -> float:
    found = seen.get(alert.subject.patient_id) if alert.subject else None
    return (
        float("nan") if found is None or found.lately is None or found.before is None else found.before - found.lately
    )
