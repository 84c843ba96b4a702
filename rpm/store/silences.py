"""What the silence loop reads, and the technical alerts it writes (`rpm.outage` and `rpm.silence` decide)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from alerts.severity import Severity
from rpm.outage import BOX_EXPECTED_FOR, BOX_QUIET_AFTER, WAITS_TOO_LONG, Boxes, Pipeline, Stage
from rpm.silence import GivenDevice, Silent
from rpm.store import alerts, notifications, worklist
from rpm.store.database import Connection
from rpm.store.heartbeats import heartbeats
from rpm.store.queries import load

_SQL = load("silences")
#: The names under which silences stand among the alerts.
SITE: Final = "silence.pipeline"
UPKEEP: Final = "silence.upkeep"
BOX: Final = "silence.box."
READINGS: Final = "silence.readings"
KEEPER: Final = "silence.keeper."
ALL: Final = "silence.%"
VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class SilentBox:
    """A box that was heard once and has not been for long."""

    id: str
    practice_id: int
    label: str
    heard_at: datetime
    outbox_depth: int


@dataclass(frozen=True, slots=True)
class SilentPatient:
    """Somebody of whom nothing came `since` then, and the practice that looks after them."""

    practice_id: int
    since: datetime
    silent: Silent


@dataclass(frozen=True, slots=True)
class Outage:
    """A practice's open alert of a pipeline that is silent. `back_at`: since when it works again."""

    alert_id: int
    practice_id: int
    severity: Severity
    reason: str
    back_at: datetime | None
    updated_at: datetime
    snoozed: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """An alert to be opened: what is silent since when, as its reader is told."""

    practice_id: int
    rule_id: str
    severity: Severity
    reason: str
    since: datetime
    next_step_at: datetime | None
    patient_id: int | None = None


def pipeline(connection: Connection, *, now: datetime) -> Pipeline:
    """The stages' beats, and what has waited longest at each."""
    row = connection.execute(_SQL["waiting"], {"now": now}).fetchone()
    waiting = {stage: row[stage] for stage in Stage if row is not None and row.get(stage) is not None}
    return Pipeline({one.stage: one.beat_at for one in heartbeats(connection)}, waiting)


def boxes(connection: Connection, *, now: datetime) -> list[Boxes]:
    """Each practice's boxes in four numbers."""
    asked = {
        "expected": now - BOX_EXPECTED_FOR,
        "quiet": now - BOX_QUIET_AFTER,
        "stuck_s": (BOX_QUIET_AFTER + WAITS_TOO_LONG).total_seconds(),
    }
    with connection.cursor(row_factory=class_row(Boxes)) as cursor:
        return cursor.execute(_SQL["boxes"], asked).fetchall()


def silent_boxes(
    connection: Connection, *, before: datetime, quiet_since: datetime, left_out: Collection[int], limit: int,
    now: datetime,
) -> list[SilentBox]:  # fmt: skip
    """At most `limit` boxes not heard since `before` that nobody is told of yet; not those of practices `left_out`.

    Nor those of whose silence somebody has closed the alert since `quiet_since`.
    """
    asked = {
        "before": before,
        "expected": now - BOX_EXPECTED_FOR,
        "quiet_since": quiet_since,
        "left_out": list(left_out),
        "rule": BOX,
        "limit": limit,
        "now": now,
    }
    with connection.cursor(row_factory=class_row(SilentBox)) as cursor:
        return cursor.execute(_SQL["silent_boxes"], asked).fetchall()


def silent_patients(
    connection: Connection, *, before: datetime, calls_before: datetime, quiet_since: datetime,
    left_out: Collection[int], limit: int, now: datetime,
) -> list[SilentPatient]:  # fmt: skip
    """At most `limit` people of whom nothing came since `before` and nobody is told of yet, with their devices.

    Nor those of whose silence somebody has closed the alert since `quiet_since`, unless that could wait and this, which began
    before `calls_before`, cannot.
    """
    asked = {
        "before": before, "calls_before": calls_before, "quiet_since": quiet_since, "left_out": list(left_out),
        "rule": READINGS, "waits": int(Severity.ROUTINE), "now": now, "limit": limit,
    }  # fmt: skip
    rows = connection.execute(_SQL["silent_patients"], asked).fetchall()
    if not rows:
        return []
    given = connection.execute(_SQL["given"], {"patients": [row["patient_id"] for row in rows], "now": now}).fetchall()
    devices = {
        patient: tuple(
            GivenDevice(
                row["device_id"], row["label"], row["address"], row["seen_at"], row["gateway_id"], row["pending"],
                row["held"],
            )
            for row in group
        )
        for patient, group in groupby(given, key=lambda row: row["patient_id"])
    }  # fmt: skip
    return [SilentPatient(row["practice_id"], row["since"], _silent(row, devices)) for row in rows]


def _silent(row: dict[str, Any], devices: dict[int, tuple[GivenDevice, ...]]) -> Silent:
    """Without a name or a number: the reason of an alert has no use for them."""
    public_id: UUID = row["public_id"]
    return Silent(
        patient_id=row["patient_id"],
        public_id=public_id,
        given_name="",
        family_name="",
        phone=None,
        time_zone=row["time_zone"],
        heard_at=row["heard_at"],
        started_at=row["started_at"],
        devices=devices.get(row["patient_id"], ()),
    )


def open_alert(connection: Connection, opening: Opening, *, now: datetime) -> bool:
    """Tell a silence; False where it is told already. One that was back calls anew."""
    name = "open" if opening.patient_id is None else "open_of_patient"
    row = connection.execute(
        _SQL[name],
        {
            "practice_id": opening.practice_id,
            "patient_id": opening.patient_id,
            "rule_id": opening.rule_id,
            "rule_version": VERSION,
            "band": opening.severity.word,
            "severity": int(opening.severity),
            "reason": opening.reason,
            "evidence": Jsonb({"values": []}),
            "since": opening.since,
            "next_step_at": opening.next_step_at,
            "now": now,
        },
    ).fetchone()
    if row is None:
        return False
    _happened(connection, row["id"], opening.practice_id, "opened", opening.reason, now=now)
    return True


def worsen(
    connection: Connection,
    *,
    before: datetime,
    left_out: Collection[int],
    severity: Severity,
    more: str,
    limit: int,
    now: datetime,
) -> list[tuple[int, int]]:
    """Raise the alerts of people silent since `before` to `severity`, with `more` in the reason; alerts and practices.

    Not those of practices `left_out`: while the pipeline is silent nobody can tell who else is. Whoever raises them must set when they call.
    """
    asked = {
        "rule": READINGS, "before": before, "band": severity.word, "severity": int(severity), "more": more,
        "left_out": list(left_out), "limit": limit, "now": now,
    }  # fmt: skip
    rows = connection.execute(_SQL["worsen"], asked).fetchall()
    for row in rows:
        _happened(connection, row["id"], row["practice_id"], "worsened", row["reason"], now=now)
    return [(row["id"], row["practice_id"]) for row in rows]


def outages(connection: Connection, rule_id: str) -> dict[int, Outage]:
    """The open alerts of a silent pipeline (SITE) or of silent upkeep (UPKEEP), by practice."""
    rows = connection.execute(_SQL["outages"], {"rule": rule_id}).fetchall()
    return {
        row["practice_id"]: Outage(
            row["id"], row["practice_id"], Severity(row["severity"]), row["reason"], row["back_in_range_at"],
            row["updated_at"], row["snoozed"],
        )
        for row in rows
    }  # fmt: skip


def retell(connection: Connection, outage: Outage, reason: str, *, now: datetime) -> None:
    """Other parts are silent than the alert says."""
    connection.execute(_SQL["retell"], {"alert_id": outage.alert_id, "reason": reason, "now": now})
    _happened(connection, outage.alert_id, outage.practice_id, "updated", reason, now=now)


def ease(connection: Connection, outage: Outage, reason: str, *, severity: Severity, now: datetime) -> None:
    """What is left of it can wait: nobody is called any more, neither now nor when a wait ends."""
    asked = {
        "alert_id": outage.alert_id, "reason": reason, "severity": int(severity), "band": severity.word, "now": now,
    }  # fmt: skip
    if not connection.execute(_SQL["ease"], asked).rowcount:
        return
    notifications.cancel(connection, alert_id=outage.alert_id, answer="what is left can wait")
    _happened(connection, outage.alert_id, outage.practice_id, "updated", reason, now=now)


def retell_and_call(
    connection: Connection,
    outage: Outage,
    reason: str,
    *,
    severity: Severity,
    next_step_at: datetime | None,
    now: datetime,
) -> None:
    """Another part is silent than whoever let it wait knew of, or one that cannot wait: it calls now."""
    asked = {
        "alert_id": outage.alert_id, "reason": reason, "next_step_at": next_step_at, "now": now,
        "severity": int(max(severity, outage.severity)), "band": max(severity, outage.severity).word,
    }  # fmt: skip
    if not connection.execute(_SQL["retell_and_call"], asked).rowcount:
        return  # Somebody took or closed it meanwhile, or another process has just called.
    _happened(connection, outage.alert_id, outage.practice_id, "worsened", reason, now=now)


def back(connection: Connection, found: Sequence[tuple[int, int]], *, said: str, now: datetime) -> None:
    """These alerts (id, practice) are of something that is heard again: nobody is called any more."""
    if not found:
        return
    connection.execute(_SQL["back"], {"ids": [alert_id for alert_id, _ in found], "now": now})
    for alert_id, practice_id in found:
        notifications.cancel(connection, alert_id=alert_id, answer=f"{said} before it was sent")
        _happened(connection, alert_id, practice_id, "back", said, now=now)


def heard_again(connection: Connection, *, limit: int, now: datetime) -> list[tuple[int, int]]:
    """At most `limit` alerts (id, practice) of boxes and of people that are heard again, locked."""
    rows = [
        *connection.execute(_SQL["boxes_back"], {"rule": BOX, "limit": limit}).fetchall(),
        *connection.execute(_SQL["patients_back"], {"rule": READINGS, "now": now, "limit": limit}).fetchall(),
    ]
    return [(row["id"], row["practice_id"]) for row in rows]


def keepers_back(connection: Connection, heard: Collection[str]) -> list[tuple[int, int]]:
    """The alerts (id, practice) of these keepers of the certificates, which are heard again, locked."""
    rows = connection.execute(_SQL["keepers_back"], {"rules": [KEEPER + name for name in heard]}).fetchall()
    return [(row["id"], row["practice_id"]) for row in rows]


def keeper_closed_in(
    connection: Connection, name: str, *, since: datetime, quiet_since: datetime, now: datetime
) -> set[int]:
    """The practices in which the alert of this keeper's silence since `since` was dealt with after `quiet_since`."""
    asked = {"rule": KEEPER + name, "since": since, "quiet_since": quiet_since, "now": now}
    rows = connection.execute(_SQL["keeper_closed_in"], asked).fetchall()
    return {row["practice_id"] for row in rows}


def close_old(connection: Connection, *, back_for: timedelta, limit: int, now: datetime) -> list[int]:
    """Close what has been heard again for long; the practices."""
    asked = {"rules": ALL, "before": now - back_for, "limit": limit, "now": now}
    rows = connection.execute(_SQL["close_old"], asked).fetchall()
    for row in rows:
        _happened(connection, row["id"], row["practice_id"], "closed", "by itself: heard again since", now=now)
    return [row["practice_id"] for row in rows]


def _happened(
    connection: Connection, alert_id: int, practice_id: int, kind: str, reason: str, *, now: datetime
) -> None:
    alerts.add_event(connection, practice_id=practice_id, alert_id=alert_id, at=now, kind=kind, reason=reason)
    worklist.announce(connection, practice_id)
