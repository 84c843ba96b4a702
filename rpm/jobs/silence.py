"""Nothing is silent without somebody being told: the pipeline, boxes, people of whom nothing comes (F46, F61, H3, S4).

Runs in every worker that is not for one part alone, and beside the pages, each for itself; what two of them find is one alert. What a site-wide outage
explains (no box can be heard) is one alert of each practice (`rpm.jobs.outages`), and while it stands no box and no person is told besides.
Only technical alerts are held back: what has been measured is judged, and calls, whatever is silent.

Absence is looked for here and nowhere behind a check that data is fresh (H4).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Plan
from alerts.severity import Severity
from rpm import silence
from rpm.fleet import Home
from rpm.jobs import outages
from rpm.jobs.outages import first_call
from rpm.outage import STAGE_SILENT_AFTER
from rpm.store import calls, homes, plans, silences
from rpm.store.database import Connection, Database
from rpm.store.plans import Plans
from rpm.store.silences import BOX, READINGS, SITE, Opening, SilentBox, SilentPatient
from rpm.trouble import QUIET_FOR
from rpm.upkeep import span

LOOK_EVERY: Final = timedelta(seconds=30)
#: Boxes and people are silent for days: looked for this often.
HOMES_EVERY: Final = timedelta(minutes=10)
#: Alerts opened, raised or ended in one turn, of each kind; the rest at once in the next.
LIMIT: Final = 100
#: Nothing from somebody for so long: their own support is asked to call, and to look at the device.
CALL_AFTER: Final = timedelta(days=6)
#: What has been back for so long closes itself: longer than a box is silent before it is missed, so that one that comes and
#: goes is one alert with a history.
CLOSES_AFTER: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may be silent before somebody is told."""

    box: timedelta = timedelta(hours=24)
    readings: timedelta = silence.MISSED_AFTER


@dataclass(frozen=True, slots=True)
class Report:
    """What one look did."""

    opened: int
    ended: int
    more: bool = False

    @property
    def done(self) -> int:
        """How much there was to do."""
        return self.opened + self.ended


class Silences:
    """Looks every LOOK_EVERY, at homes every HOMES_EVERY; knows since when it could have seen a beat."""

    def __init__(self, database: Database, *, patience: Patience, plan: Plan) -> None:
        self._database = database
        self._patience = patience
        self._plan = plan
        self._looked_at: datetime | None = None
        self._homes_at: datetime | None = None
        self._since: datetime | None = None

    def turn(self, now: datetime) -> Report:
        """Look, if it is time."""
        if self._looked_at is not None and timedelta(0) <= now - self._looked_at < LOOK_EVERY:
            return Report(0, 0)
        # Nobody looked for a while (the database was away, we slept): beats are old because nobody could write them.
        if self._since is None or self._looked_at is None or now - self._looked_at > STAGE_SILENT_AFTER:
            self._since = now
        self._looked_at = now
        homes_too = self._homes_at is None or not timedelta(0) <= now - self._homes_at < HOMES_EVERY
        report = run_once(
            self._database,
            now=now,
            patience=self._patience,
            plan=self._plan,
            watching_since=self._since,
            homes_too=homes_too,
        )
        if homes_too and not report.more:
            self._homes_at = now
        if report.more:
            self._looked_at = now - LOOK_EVERY
        return report


def run_once(
    database: Database,
    *,
    now: datetime,
    patience: Patience,
    plan: Plan,
    watching_since: datetime,
    homes_too: bool = True,
    limit: int = LIMIT,
) -> Report:
    """One look at everything, at most `limit` alerts of each kind. `watching_since`: see `rpm.outage.pipeline_parts`."""
    with database.transaction() as connection:
        current = plans.current(connection, plan)
        opened, ended = outages.tell(connection, current, watching_since=watching_since, now=now)
    if not homes_too:
        return Report(opened, ended)
    with database.transaction() as connection:
        again = silences.heard_again(connection, limit=limit, now=now)
        silences.back(connection, again, said="heard again", now=now)
        closed = silences.close_old(connection, back_for=CLOSES_AFTER, limit=limit, now=now)
        out = [each.practice_id for each in silences.outages(connection, SITE).values() if each.back_at is None]
        quiet = now - QUIET_FOR
        gone = silences.silent_boxes(
            connection, before=now - patience.box, quiet_since=quiet, left_out=out, limit=limit, now=now
        )
        missed = silences.silent_patients(
            connection, before=now - patience.readings, calls_before=now - CALL_AFTER, quiet_since=quiet,
            left_out=out, limit=limit, now=now,
        )  # fmt: skip
        openings = [*_of_boxes(gone, current, now=now), *_of_people(connection, missed, current, now=now)]
        told = sum(silences.open_alert(connection, opening, now=now) for opening in openings)
        raised = silences.worsen(
            connection,
            before=now - CALL_AFTER,
            left_out=out,
            severity=Severity.PRIORITY,
            more=f" {ASK_AND_LOOK}",
            limit=limit,
            now=now,
        )
        for alert_id, practice_id in raised:
            calls.set_next_step(connection, alert_id, first_call(current, practice_id, Severity.PRIORITY, now=now))
    full = limit in {len(gone), len(missed), len(raised), len(closed)} or len(again) >= limit
    return Report(opened + told + len(raised), ended + len(again) + len(closed), full)


#: What support does about somebody of whom nothing has come for CALL_AFTER.
ASK_AND_LOOK: Final = "Now: call them, and have the device looked at."


def _of_boxes(gone: Iterable[SilentBox], current: Plans, *, now: datetime) -> Iterable[Opening]:
    for box in gone:
        waiting = f" When last heard, {box.outbox_depth} readings waited in it." if box.outbox_depth else ""
        reason = (
            f"No word from the box {box.label or box.id} for {span(now - box.heard_at)}.{waiting}"
            " Check its power and the home’s internet."
        )
        yield Opening(
            box.practice_id,
            BOX + box.id,
            Severity.PRIORITY,
            reason,
            box.heard_at,
            first_call(current, box.practice_id, Severity.PRIORITY, now=now),
        )


def _of_people(
    connection: Connection, missed: Iterable[SilentPatient], current: Plans, *, now: datetime
) -> Iterable[Opening]:
    """With the likeliest cause each. Somebody silent for longer than CALL_AFTER is for today at once."""
    known: dict[tuple[int, str], Home] = {}
    for each in missed:
        silent = each.silent
        for device in silent.devices:
            if device.gateway_id is not None and (each.practice_id, device.gateway_id) not in known:
                found = homes.homes(connection, practice_id=each.practice_id, gateway_id=device.gateway_id, now=now)
                known |= {(each.practice_id, home.gateway.id): home for home in found}
        own = {gateway_id: home for (practice_id, gateway_id), home in known.items() if practice_id == each.practice_id}
        cause = silence.guess(silent, own, now=now)
        long = now - each.since >= CALL_AFTER
        reason = f"No readings for {span(now - each.since)}. {cause.said} {ASK_AND_LOOK if long else cause.act}"
        severity = Severity.PRIORITY if long else Severity.ROUTINE
        yield Opening(
            each.practice_id,
            READINGS,
            severity,
            reason,
            each.since,
            first_call(current, each.practice_id, severity, now=now),
            silent.patient_id,
        )
