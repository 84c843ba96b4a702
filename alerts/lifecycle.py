"""The life of an alert: one open episode per patient and rule, into which everything new is folded.

    (nothing) ── opened ──▶ open ──▶ acknowledged ──▶ closed         acknowledging and closing are a person's acts
                             │  ▲          │
                             │  └ worsened ┘   a higher severity breaks through an acknowledgement and pages anew
                             ├─ red_again      another red while it was snoozed: the snooze ends, and it pages anew
                             ├─ updated        the same severity again, or late data: the alert's evidence grows
                             └─ back_in_range  its last value is inside every limit by `clear_by`; it stays open (H8)

An episode is a join of its readings: severity, headline and evidence depend on which readings it holds, not on the order
in which they came. A reading that already belongs to an alert, open or closed, never opens or worsens another.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from alerts.findings import Finding, FindingKind, Findings, rule_of
from alerts.repeats import ALONE, DISPUTED, LESSENED, MEAN, SINGLE, UNASKED, UNCONFIRMED, told_as
from alerts.rules import Rule
from alerts.settled import Answered, Settled
from alerts.severity import Severity

#: Readings an episode remembers, the newest by number. Beyond it (a broken sensor) an old reading could open a new alert
#: after this one is closed: one alert too many rather than one too few.
JUDGED_MAX: Final = 1000


#: What an alert's evidence says of a second reading, by how it was judged. Kept in the database: add, never rename.
_REPEATS: Final = {UNCONFIRMED: "none", UNASKED: "unasked", MEAN: "mean", DISPUTED: "disputed", LESSENED: "lessened"}
_HOW: Final = {word: how for how, word in _REPEATS.items()}


class AlertKind(StrEnum):
    """Which queue an alert stands in."""

    CLINICAL = "clinical"
    #: A held value that would be red, or a meter's HI or LO: look at it now.
    VERIFY = "verify"
    #: It was so, some while ago; nobody is called for it.
    REVIEW = "review"
    #: Something of ours does not work.
    TECHNICAL = "technical"


class ChangeReason(StrEnum):
    """Why an alert is written, or not."""

    OPENED = "opened"
    WORSENED = "worsened"
    RED_AGAIN = "red_again"
    UPDATED = "updated"
    BACK_IN_RANGE = "back_in_range"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Judged:
    """A reading that belongs to an episode."""

    reading_no: int
    #: What it was told as: of a reading nobody repeated, less than its band.
    severity: Severity
    late: bool


@dataclass(frozen=True, slots=True)
class Headline:
    """The reading an alert speaks of: the most severe that is not late, and of those the one measured last."""

    severity: Severity
    late: bool
    measured_at: datetime
    reading_no: int
    rule_version: str
    sentence: str
    #: The values and the limit, as they are shown: see `evidence_of`.
    evidence: dict[str, Any]

    @property
    def asks(self) -> bool:
        """Whether it is a question first, and pages nobody."""
        return "ask" in self.evidence

    @property
    def how(self) -> int:
        """SINGLE, MEAN … (alerts.repeats)."""
        return _HOW.get(self.evidence.get("repeat", {}).get("how"), SINGLE)

    @property
    def unconfirmed(self) -> bool:
        """A second reading was asked for, and none came in time; or nobody could be asked."""
        return self.how in ALONE

    @property
    def mean(self) -> bool:
        """It is the mean of two readings."""
        return self.how == MEAN

    @property
    def told(self) -> Severity:
        """What it asks of a person; `severity` is its band's."""
        return told_as(self.severity, self.how)

    @property
    def rank(self) -> tuple[bool, Severity, bool, datetime, int]:
        """What decides between two headlines."""
        return (not self.late, self.told, not self.asks, self.measured_at, self.reading_no)


@dataclass(frozen=True, slots=True)
class Alert:
    """An episode of one patient and one rule. `alert_id` and `version` are the store's; None: not yet stored."""

    patient: int
    rule_id: str
    headline: Headline
    judged: tuple[Judged, ...]
    back_in_range_at: datetime | None = None
    acknowledged: bool = False
    closed_at: datetime | None = None
    snoozed: bool = False
    alert_id: int | None = None
    version: int = 0

    @property
    def late(self) -> bool:
        """All its readings were late."""
        return self.headline.late

    @property
    def kind(self) -> AlertKind:
        """Late readings alone make a review item; anything timely makes it clinical."""
        return AlertKind.REVIEW if self.late else AlertKind.CLINICAL

    @property
    def asks(self) -> bool:
        """Whether it is a question first: it stands on the worklist, and pages nobody."""
        return self.headline.asks

    @property
    def severity(self) -> Severity:
        """What it asks of a person; a review item asks for the next business day, whatever its value."""
        return Severity.ROUTINE if self.late else self.headline.told

    @property
    def confirmed(self) -> bool:
        """False for a red that rests on one reading, and for whatever was asked for again and did not come."""
        if self.headline.mean or (self.severity < Severity.URGENT and not self.headline.unconfirmed):
            return True
        return sum(one.severity == Severity.URGENT and not one.late for one in self.judged) > 1


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one episode, and why. `rearm`: escalation starts from its first step."""

    reason: ChangeReason
    alert: Alert
    before: Alert | None
    at: datetime

    @property
    def rearm(self) -> bool:
        """Opened and worsened alerts call people (if the policy says so for their severity), and reds during a snooze."""
        return self.reason in (ChangeReason.OPENED, ChangeReason.WORSENED, ChangeReason.RED_AGAIN)


def fold(
    open_alerts: Iterable[Alert], findings: Findings, *, now: datetime, rules: Sequence[Rule] = ()
) -> list[Change]:
    """What the findings do to the open alerts of the judged patients, and to patients without one. Idempotent.

    `rules`: by which they were found, for those that another one tells as well (`told_by`).
    """
    alerts = {(alert.patient, alert.rule_id): alert for alert in open_alerts}
    news: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    tellers = {rule.id: rule.told_by for rule in rules if rule.told_by}
    told = {(finding.rule_id, finding.patient, finding.reading_no) for finding in findings if tellers}
    for finding in findings:
        by = tellers.get(finding.rule_id, ())
        if not any((teller, finding.patient, finding.reading_no) in told for teller in by):
            news[(finding.patient, finding.episode)].append(finding)
    changes: list[Change] = []
    for key in sorted(alerts.keys() | news.keys()):
        before = alerts.get(key)
        after = _joined(before, news.get(key, []), findings, *key)
        changes.append(Change(_reason(before, after), after, before, now))
    return changes


def _joined(before: Alert | None, news: Sequence[Finding], findings: Findings, patient: int, rule_id: str) -> Alert:
    judged = {one.reading_no: one for one in before.judged} if before else {}
    new = [finding for finding in news if _news(judged.get(finding.reading_no), finding)]
    headlines = [headline_of(finding) for finding in new]
    if before:
        headlines.append(before.headline)
    judged |= {found.reading_no: Judged(found.reading_no, found.told, found.late) for found in new}
    standing = findings.standing(patient, rule_id)
    back_at = before.back_in_range_at if before else None
    if standing:
        back_at = None if standing.out else standing.at
    alert = Alert(
        patient=patient,
        rule_id=rule_id,
        headline=max(headlines, key=lambda headline: headline.rank),
        judged=tuple(judged[number] for number in sorted(judged)[-JUDGED_MAX:]),
        back_in_range_at=back_at,
    )
    if before is None:
        return alert
    wakes = _worse(before, alert) or _red_again(before, alert)
    return replace(
        alert,
        acknowledged=before.acknowledged and not wakes,
        snoozed=before.snoozed and not wakes,
        alert_id=before.alert_id,
        version=before.version,
    )


def _news(known: Judged | None, finding: Finding) -> bool:
    """A reading belongs to an episode once, unless what came in between made it worse than it was told."""
    return known is None or (finding.how != SINGLE and known.severity < finding.told)


def _worse(before: Alert, after: Alert) -> bool:
    """Higher than before; or as high, and no question any more."""
    return after.severity > before.severity or (before.asks and not after.asks and not after.late)


def _red_again(before: Alert, after: Alert) -> bool:
    """A red that was not there when somebody said that the alert may wait."""
    known = {one.reading_no for one in before.judged}
    return before.snoozed and any(
        one.severity is Severity.URGENT and not one.late and one.reading_no not in known for one in after.judged
    )


def _reason(before: Alert | None, after: Alert) -> ChangeReason:
    if before is None:
        return ChangeReason.OPENED
    if _worse(before, after):
        return ChangeReason.WORSENED
    if _red_again(before, after):
        return ChangeReason.RED_AGAIN
    if after.judged != before.judged:
        return ChangeReason.UPDATED
    if (after.back_in_range_at is None) != (before.back_in_range_at is None):
        return ChangeReason.BACK_IN_RANGE if after.back_in_range_at else ChangeReason.UPDATED
    return ChangeReason.UNCHANGED


def headline_of(finding: Finding) -> Headline:
    """What an alert shows of one finding."""
    return Headline(
        severity=finding.severity,
        late=finding.late,
        measured_at=finding.measured_at,
        reading_no=finding.reading_no,
        rule_version=finding.rule_version,
        sentence=finding.sentence,
        evidence={
            "values": [value.as_json() for value in finding.values],
            "limit": finding.limit.as_json(),
            **({"ask": finding.ask} if finding.kind is FindingKind.ASK else {}),
            **_repeat_of(finding),
        },
    )


def _repeat_of(finding: Finding) -> dict[str, Any]:
    """What an alert shows of a second reading."""
    if finding.how == SINGLE:
        return {}
    mean = {"mean": [value.as_json() for value in finding.mean]} if finding.mean else {}
    return {"repeat": {"how": _REPEATS[finding.how], **mean}}


def settled(alerts: Iterable[Alert], rules: Sequence[Rule] = ()) -> dict[str, Settled]:
    """Per rule, the readings that already belong to one of these alerts, and whose were closed: for `evaluate`.

    What belongs to an alert of a rule that tells it as well (`told_by`, of `rules`) is no news to the rule either. Who has looked
    at what was measured long ago, or at a question, has not looked at how the patient is.
    """
    numbers: dict[str, dict[int, int]] = defaultdict(dict)
    answered: dict[str, list[Answered]] = defaultdict(list)
    for alert in alerts:
        rule_id = rule_of(alert.rule_id)
        known = numbers[rule_id]
        for one in alert.judged:
            known[one.reading_no] = max(known.get(one.reading_no, 0), one.severity)
        if alert.closed_at is not None and not alert.late and not alert.asks:
            answered[rule_id].append(Answered(alert.patient, alert.severity, alert.closed_at))
    own = {rule_id: dict(found) for rule_id, found in numbers.items()}
    for rule in rules:
        for teller in rule.told_by:
            if teller in own:
                numbers[rule.id] |= own[teller]
    return {rule_id: Settled.of(found, answered[rule_id]) for rule_id, found in numbers.items()}
