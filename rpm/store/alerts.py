"""Alerts as rows: what the judge writes, and what a person does with them. Whose call is due: `rpm.store.calls`.

A row is locked before it is changed, so that a worsening, a call and an acknowledgement happen one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts.lifecycle import Alert, AlertKind, Change, Headline, Judged
from alerts.severity import Severity
from alerts.snooze import snoozed_until
from alerts.verify import Verification
from rpm.store import notifications
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("alerts")

#: Band and severity of "a rule cannot be applied": patients go unjudged, so somebody is told the same day.
TECHNICAL: Final = Severity.PRIORITY
#: The largest count of an alert's calls (`armed`).
TOLD_MAX: Final = 32_767


class Disposition(StrEnum):
    """What was done about an alert; one is chosen to close it."""

    CALLED = "called"
    NO_ANSWER = "no_answer"
    MEDICATION_CHANGE = "medication_change"
    EMERGENCY_DEPARTMENT = "emergency_department"
    FALSE_READING = "false_reading"
    NO_ACTION = "no_action"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a person's act changed anything, and why not. `anew`: the alert has called anew since what he was told."""

    done: bool
    reason: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Alerts of the claimed patients: those open, and those closed lately (their readings open no other)."""

    open: tuple[Alert, ...]
    closed: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an alert."""

    at: datetime
    kind: str
    staff_id: int | None
    staff_name: str | None
    reason: str
    detail: Mapping[str, Any]


def of_patients(connection: Connection, patients: Sequence[int], *, since: datetime) -> Known:
    """The alerts of some patients, locked. Closed ones only where closed after `since`."""
    rows = connection.execute(_SQL["of_patients"], {"patients": list(patients), "since": since}).fetchall()
    return Known(
        tuple(_alert(row) for row in rows if row["status"] != "closed"),
        tuple(_alert(row) for row in rows if row["status"] == "closed"),
    )


def _alert(row: Mapping[str, Any]) -> Alert:
    evidence: dict[str, Any] = dict(row["evidence"])
    judged: list[list[Any]] = evidence.pop("judged", [])
    headline = Headline(
        severity=Severity.of(row["band"]),
        late=row["late"],
        measured_at=row["measured_at"],
        reading_no=evidence.pop("reading_no", 0),
        rule_version=row["rule_version"],
        sentence=row["reason"],
        evidence=evidence,
    )
    return Alert(
        patient=row["patient_id"],
        rule_id=row["rule_id"],
        headline=headline,
        judged=tuple(Judged(number, Severity(severity), late) for number, severity, late in judged),
        back_in_range_at=row["back_in_range_at"],
        acknowledged=row["status"] == "acknowledged",
        closed_at=row["closed_at"],
        snoozed=row["snoozed"],
        alert_id=row["id"],
        version=row["version"],
    )


def save(
    connection: Connection,
    change: Change,
    *,
    practice_id: int,
    next_step_at: datetime | None,
    reading_ids: Mapping[int, UUID],
) -> int:
    """Write a change and its event; the alert's id. `next_step_at` counts only where the change arms."""
    alert, headline = change.alert, change.alert.headline
    values = [
        {**value, "reading_id": str(reading_ids[value["reading_no"]])} if value["reading_no"] in reading_ids else value
        for value in headline.evidence.get("values", [])
    ]
    evidence = {
        **headline.evidence,
        "values": values,
        "reading_no": headline.reading_no,
        "judged": [[one.reading_no, int(one.severity), one.late] for one in alert.judged],
    }
    fields = {
        "practice_id": practice_id,
        "patient_id": alert.patient,
        "held_id": None,
        "kind": str(alert.kind),
        "rule_id": alert.rule_id,
        "rule_version": headline.rule_version,
        "band": headline.severity.word,
        "severity": int(alert.severity),
        "confirmed": alert.confirmed,
        "late": alert.late,
        "reason": headline.sentence,
        "evidence": Jsonb(evidence),
        "measured_at": headline.measured_at,
        "back_in_range_at": alert.back_in_range_at,
        "now": change.at,
    }
    if alert.alert_id is None:
        alert_id = _insert(connection, {**fields, "next_step_at": next_step_at})
    else:
        alert_id = alert.alert_id
        written = connection.execute(_SQL["update"], {**fields, "alert_id": alert_id, "version": alert.version})
        assert written.rowcount == 1, "the row was locked when it was read"
        if change.rearm:
            connection.execute(_SQL["rearm"], {"alert_id": alert_id, "next_step_at": next_step_at})
    detail = {
        "severity": int(alert.severity),
        "measured_at": headline.measured_at.isoformat(),
        "readings": len(alert.judged),
    }
    add_event(
        connection,
        practice_id=practice_id,
        alert_id=alert_id,
        at=change.at,
        kind=str(change.reason),
        reason=headline.sentence,
        detail=detail,
    )
    return alert_id


def _insert(connection: Connection, fields: Mapping[str, Any]) -> int:
    row = connection.execute(_SQL["insert"], fields).fetchone()
    assert row is not None
    alert_id: int = row["id"]
    return alert_id


def open_verification(
    connection: Connection,
    found: Verification,
    *,
    practice_id: int,
    patient_id: int | None,
    held_id: int,
    next_step_at: datetime | None,
    now: datetime,
) -> int | None:
    """A held item that would be red has an alert of its own, however often it is judged; its id. None: it was closed."""
    fields = {
        "practice_id": practice_id,
        "patient_id": patient_id,
        "held_id": held_id,
        "kind": str(AlertKind.VERIFY),
        "rule_id": found.rule_id,
        "rule_version": found.rule_version,
        "band": found.band.word,
        "severity": int(found.severity),
        "confirmed": False,
        "late": found.late,
        "reason": found.sentence,
        "evidence": Jsonb(found.evidence),
        "measured_at": found.measured_at,
        "next_step_at": next_step_at,
        "now": now,
    }
    row = connection.execute(_SQL["verify"], fields).fetchone()
    if row is None:
        return None
    alert_id: int = row["id"]
    add_event(connection, practice_id=practice_id, alert_id=alert_id, at=now, kind="opened", reason=found.sentence)
    return alert_id


def open_technical(
    connection: Connection,
    *,
    practice_id: int,
    rule_id: str,
    rule_version: str,
    reason: str,
    state: Sequence[str] | None,
    next_step_at: datetime | None,
    quiet_since: datetime,
    now: datetime,
) -> int | None:
    """Something of ours does not work (`rpm.trouble.tell`); None where that is open, or was dealt with as it is since then."""
    fields = {
        "practice_id": practice_id,
        "rule_id": rule_id,
        "rule_version": rule_version,
        "band": TECHNICAL.word,
        "severity": int(TECHNICAL),
        "reason": reason,
        "evidence": Jsonb({"values": []} if state is None else {"values": [], "state": list(state)}),
        "next_step_at": next_step_at,
        "quiet_since": quiet_since,
        "now": now,
    }
    row = connection.execute(_SQL["open_technical"], fields).fetchone()
    if row is None:
        return None
    kind = "opened" if row["opened"] else "worsened"
    add_event(connection, practice_id=practice_id, alert_id=row["id"], at=now, kind=kind, reason=reason)
    return int(row["id"])


def add_event(
    connection: Connection,
    *,
    practice_id: int,
    alert_id: int,
    at: datetime,
    kind: str,
    reason: str,
    staff_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add to the life of an alert: append-only."""
    connection.execute(
        _SQL["add_event"],
        {
            "practice_id": practice_id,
            "alert_id": alert_id,
            "at": at,
            "kind": kind,
            "staff_id": staff_id,
            "reason": reason,
            "detail": Jsonb(dict(detail or {})),
        },
    )


def events(connection: Connection, alert_id: int) -> list[Event]:
    """The life of an alert, oldest first."""
    return [
        Event(row["at"], row["kind"], row["staff_id"], row["display_name"], row["reason"], row["detail"])
        for row in connection.execute(_SQL["events"], {"alert_id": alert_id}).fetchall()
    ]


def _state_for(connection: Connection, alert_id: int, staff_id: int, told: int | None) -> Mapping[str, Any] | Outcome:
    """An alert as it stands, locked; or why there is nothing to be done about it by who was told of it as `told`."""
    state = connection.execute(_SQL["state_for"], {"alert_id": alert_id, "staff_id": staff_id}).fetchone()
    if state is None:
        return Outcome(False, "there is no such alert")
    if state["status"] == "closed":
        return Outcome(False, "it is closed already")
    anew = Outcome(False, "it has become worse, or called again, since that message", anew=True)
    return state if told in (None, state["armed"]) else anew


def acknowledge(
    connection: Connection, *, alert_id: int, staff_id: int, now: datetime, told: int | None = None
) -> Outcome:
    """Somebody has it. Calls stop: no further step is due, waiting messages are cancelled. Idempotent for one person.

    `told`: as of which of its calls (`armed`) he was told of it; None: he looks at it as it stands.
    """
    state = _state_for(connection, alert_id, staff_id, told)
    if isinstance(state, Outcome):
        return state
    # A snooze is nobody at work: who takes it ends it.
    if state["status"] == "acknowledged" and state["snoozed_until"] is None:
        whose = "you have" if state["acknowledged_by"] == staff_id else "a colleague has"
        return Outcome(False, f"{whose} it already")
    connection.execute(_SQL["acknowledge"], {"alert_id": alert_id, "staff_id": staff_id, "now": now})
    return _stop_calling(connection, state["practice_id"], alert_id, staff_id, "acknowledged", "somebody has it", now)


def snooze(
    connection: Connection, *, alert_id: int, staff_id: int, minutes: int, reason: str, now: datetime,
    told: int | None = None,
) -> Outcome:  # fmt: skip
    """It may wait for so long, says somebody who has it. Calls stop until then; anything worse ends it. `told`: as above."""
    state = _state_for(connection, alert_id, staff_id, told)
    if isinstance(state, Outcome):
        return state
    severity = Severity(state["severity"])
    until = snoozed_until(severity, minutes, now=now)
    if until is None:
        return Outcome(False, f"what is {severity.word} cannot wait that long")
    fields = {"alert_id": alert_id, "staff_id": staff_id, "until": until, "reason": reason, "now": now}
    connection.execute(_SQL["snooze"], fields)
    return _stop_calling(
        connection, state["practice_id"], alert_id, staff_id, "snoozed", f"for {minutes} minutes: {reason}", now
    )


def close(
    connection: Connection, *, alert_id: int, staff_id: int, disposition: Disposition | str, note: str, now: datetime,
    told: int | None = None,
) -> Outcome:  # fmt: skip
    """It is dealt with. ValueError where `disposition` is none. `told`: as above."""
    chosen = Disposition(disposition)
    state = _state_for(connection, alert_id, staff_id, told)
    if isinstance(state, Outcome):
        return state
    fields = {"alert_id": alert_id, "staff_id": staff_id, "disposition": str(chosen), "note": note, "now": now}
    connection.execute(_SQL["close"], fields)
    return _stop_calling(connection, state["practice_id"], alert_id, staff_id, "closed", chosen.replace("_", " "), now)


def _stop_calling(
    connection: Connection, practice_id: int, alert_id: int, staff_id: int, kind: str, reason: str, now: datetime
) -> Outcome:
    cancelled = notifications.cancel(connection, alert_id=alert_id, answer=f"{kind} before it was sent")
    add_event(
        connection, practice_id=practice_id, alert_id=alert_id, at=now, kind=kind, reason=reason, staff_id=staff_id,
        detail={"cancelled": cancelled},
    )  # fmt: skip
    return Outcome(True, kind)
