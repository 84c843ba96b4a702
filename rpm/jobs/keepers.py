"""Who looks after the certificates and falls silent (F6): an alert of each practice that has any, called off when they are heard."""

from datetime import datetime

from rpm.jobs.outages import first_call
from rpm.outage import heard_keepers, silent_keepers
from rpm.store import alerts, certificates, silences
from rpm.store.database import Connection
from rpm.store.heartbeats import heartbeats
from rpm.store.plans import Plans
from rpm.store.silences import KEEPER, Opening
from rpm.trouble import QUIET_FOR


def tell(connection: Connection, current: Plans, *, watching_since: datetime, now: datetime) -> tuple[int, int]:
    """Bring every practice's alerts up to who is heard; how many opened (or call anew) and ended."""
    beats = {one.stage: one.beat_at for one in heartbeats(connection)}
    again = silences.keepers_back(connection, heard_keepers(beats, now=now))
    silences.back(connection, again, said="heard again", now=now)
    opened = 0
    for name, reason in silent_keepers(beats, watching_since=watching_since, now=now).items():
        # Somebody has dealt with this silence: it is told anew a day later, or once they were heard and fall silent again.
        dealt_with = silences.keeper_closed_in(
            connection, name, since=beats[name], quiet_since=now - QUIET_FOR, now=now
        )
        for practice_id in certificates.practices(connection):
            if practice_id not in dealt_with:
                first = first_call(current, practice_id, alerts.TECHNICAL, now=now)
                opening = Opening(practice_id, KEEPER + name, alerts.TECHNICAL, reason, beats[name], first)
                opened += silences.open_alert(connection, opening, now=now)
    return opened, len(again)
