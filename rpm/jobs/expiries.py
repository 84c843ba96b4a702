"""Tell, while there is time, that lists or services' certificates end or lose their keeper (F6), or that nobody tries the backups (F38).

A broker whose list of revoked certificates has expired refuses every gateway; a worker whose certificate has ended takes
nothing in. Both are days of warning, and then silence at once: so somebody is told in each practice.
"""

from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Plan
from rpm import drills, trouble
from rpm.identity.authority import Kind
from rpm.identity.revocation import Standing, standing
from rpm.jobs import keepers
from rpm.jobs.report import Done
from rpm.store import certificates, plans, revocations
from rpm.store.database import Connection, Database

LOOK_EVERY: Final = timedelta(minutes=10)
#: A look that comes later was held up (the database was away, we slept), and so were the beats of others.
HELD_UP_AFTER: Final = LOOK_EVERY + timedelta(minutes=3)
SERVICE_ALARM: Final = timedelta(days=21)
VERSION: Final = "1"


class Expiries:
    """Knows since when it could have heard who looks after the certificates."""

    def __init__(self, database: Database, *, plan: Plan) -> None:
        self._database, self._plan = database, plan
        self._looked_at: datetime | None = None
        self._since: datetime | None = None

    def turn(self, now: datetime) -> Done:
        """Look; whoever calls waits LOOK_EVERY in between."""
        held_up = self._looked_at is None or not timedelta(0) <= now - self._looked_at <= HELD_UP_AFTER
        if self._since is None or held_up:
            self._since = now
        self._looked_at = now
        return run_once(self._database, now=now, plan=self._plan, watching_since=self._since)


def run_once(database: Database, *, now: datetime, plan: Plan, watching_since: datetime) -> Done:
    """One technical alert for each practice that has gateways with certificates, and each thing that ends or is silent.

    `watching_since`: see `rpm.outage.silent_keepers`.
    """
    with database.transaction() as connection:
        current = plans.current(connection, plan)
        opened, ended = keepers.tell(connection, current, watching_since=watching_since, now=now)
        drill = drills.overdue(connection, now=now)
        if drill is not None:
            opened += drills.tell(connection, drill, plan=plan, now=now)
        ending = _ending(connection, now=now)
        practices = certificates.practices(connection) if ending else []
        for rule_id, reason in ending:
            for practice_id in practices:
                opened += trouble.tell(
                    connection,
                    current,
                    practice_id=practice_id,
                    rule_id=rule_id,
                    rule_version=VERSION,
                    reason=reason,
                    now=now,
                )
    return Done(opened + ended)


def _ending(connection: Connection, *, now: datetime) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for kind in Kind:
        newest = revocations.newest_list(connection, kind)
        stands = Standing.FRESH if newest is None else standing(newest[0].next_update, now=now)
        if newest is not None and stands is not Standing.FRESH:
            ends = f"{newest[0].next_update:%Y-%m-%d %H:%M} UTC"
            when = f"since {ends}" if stands is Standing.EXPIRED else f"from {ends} on"
            reason = (
                f"No new list of revoked certificates is made, and {when} the broker refuses all {kind}:"
                " see that `rpm-cloud serve` or `rpm-cloud ca serve` runs with RPM_CA_FOLDER"
            )
            found.append((f"revocation_list.{kind}", reason))
    for name, not_after in certificates.services_ending(connection, within=SERVICE_ALARM, now=now):
        stands = f"ended {not_after:%Y-%m-%d %H:%M} UTC" if not_after <= now else f"ends {not_after:%Y-%m-%d}"
        reason = f"The certificate of {name} {stands}: `rpm-cloud broker certify` makes its next one"
        found.append((f"service_certificate.{name}", reason))
    return found
