"""One alert of each practice while the way from a reading to a call, or most of its boxes, is silent; one for the other loops.

They are two, for what they mean differs: of the way, patients may be unwell without an alert, and silent boxes and people are
no finding while it stands; of the upkeep, what can wait calls nobody (`rpm.outage.CAN_WAIT`). While the way is silent, its
alert names the upkeep with it: where all workers are gone one call is enough.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from alerts.escalation import Queue, first_step_at
from alerts.severity import Severity
from rpm.outage import Part, adds_to, boxes_part, pipeline_parts, sentence, upkeep_parts
from rpm.store import silences
from rpm.store.database import Connection
from rpm.store.plans import Plans
from rpm.store.silences import SITE, UPKEEP, Opening, Outage

_log = structlog.get_logger()

#: An outage that comes and goes is told again no sooner than this.
FLAPS_FOR: Final = timedelta(minutes=5)
#: An alert of an outage says what else has become silent, or less so, this often.
RETOLD_EVERY: Final = timedelta(hours=1)


def tell(connection: Connection, current: Plans, *, watching_since: datetime, now: datetime) -> tuple[int, int]:
    """Bring every practice's two alerts up to what is silent now; how many opened (or call anew) and ended."""
    known = silences.pipeline(connection, now=now)
    way = pipeline_parts(known, watching_since=watching_since, now=now)
    upkeep = upkeep_parts(known, watching_since=watching_since, now=now)
    sites, upkeeps = silences.outages(connection, SITE), silences.outages(connection, UPKEEP)
    opened = ended = 0
    for counted in silences.boxes(connection, now=now):
        practice_id = counted.practice_id
        of_boxes = boxes_part(counted)
        # Boxes that are quiet because nobody can hear them are no second finding.
        found = [*way, *upkeep] if way else [of_boxes] if of_boxes else []
        site = _bring(connection, current, SITE, practice_id, sites.pop(practice_id, None), found, now=now)
        standing = upkeeps.pop(practice_id, None)
        known_already = way and (standing is None or standing.back_at is not None)
        rest = _bring(connection, current, UPKEEP, practice_id, standing, [] if known_already else upkeep, now=now)
        opened += (site > 0) + (rest > 0)
        ended += (site < 0) + (rest < 0)
    for parts, left in ((way, sites), (upkeep, upkeeps)):
        # Of practices whose boxes were all given back meanwhile.
        over = [outage for outage in left.values() if not parts and outage.back_at is None]
        for outage in over:
            silences.back(connection, [(outage.alert_id, outage.practice_id)], said="it works again", now=now)
        ended += len(over)
    return opened, ended


def _bring(
    connection: Connection,
    current: Plans,
    rule_id: str,
    practice_id: int,
    outage: Outage | None,
    parts: list[Part],
    *,
    now: datetime,
) -> int:
    """Open, retell or end one practice's alert: 1 where it was opened or calls anew, -1 where it ended, else 0."""
    stands = outage if outage is not None and outage.back_at is None else None
    if not parts:
        if stands is None or now - stands.updated_at < FLAPS_FOR:
            return 0
        silences.back(connection, [(stands.alert_id, practice_id)], said="it works again", now=now)
        return -1
    reason = sentence(parts)
    calling = [part for part in parts if not part.can_wait]
    severity = Severity.PRIORITY if calling else Severity.ROUTINE
    # Not by the severity alone: a practice may have routine findings about patients called, and a chart is none.
    first = first_call(current, practice_id, severity, now=now) if calling else None
    if stands is None:
        since = min((part.since for part in parts if part.since), default=now)
        opening = Opening(practice_id, rule_id, severity, reason, since, first)
        if not silences.open_alert(connection, opening, now=now):
            return 0
        _log.error("pipeline_silent", said=reason)
        return 1
    if severity > stands.severity or (stands.snoozed and adds_to(stands.reason, calling)):
        silences.retell_and_call(connection, stands, reason, severity=severity, next_step_at=first, now=now)
        return 1
    if severity < stands.severity and now - stands.updated_at >= FLAPS_FOR:
        silences.ease(connection, stands, reason, severity=severity, now=now)
    elif stands.reason != reason and now - stands.updated_at >= RETOLD_EVERY:
        silences.retell(connection, stands, reason, now=now)
    return 0


def first_call(current: Plans, practice_id: int, severity: Severity, *, now: datetime) -> datetime | None:
    """When a technical alert of this severity first calls; None where it calls nobody."""
    return first_step_at(current.of(practice_id), severity, queue=Queue.TECHNICAL, now=now)
