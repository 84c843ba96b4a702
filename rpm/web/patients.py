"""Patients: the list, one patient's page, its charts, and where each value came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from alerts.explain import none_apply
from alerts.snooze import CHOICES
from rpm.access import Actor
from rpm.audit import Action, record
from rpm.billing.days import local_day
from rpm.billing.episode import ServiceMonth
from rpm.billing.report import month_report
from rpm.explaining import rules_held, under_18
from rpm.limits import limits_of
from rpm.store import archive, billing, charts, corrections, minutes, patients, pauses, requests
from rpm.store.corrections import REASON_LENGTH_MAX
from rpm.store.database import Connection
from rpm.store.patients import Patient, PatientAlert
from rpm.store.pauses import Why
from rpm.web.alerts import LABELS
from rpm.web.asked import ASK_MINUTES, SHOWN_FOR, askable, asked_lines
from rpm.web.chart import CODES, DEFAULT_SPAN, SPANS, Chart
from rpm.web.chart import charts as build_charts
from rpm.web.installed import layers_of, rules_of
from rpm.web.month_minutes import MonthMinutes, month_minutes
from rpm.web.pages import render
from rpm.web.problems import NotFound
from rpm.web.session import Now, Nurse, Store, session_of_request
from rpm.web.spent import UNASKED_MAX, Activity, counted, month_start, shared

router = APIRouter()

SEARCH_LENGTH_MAX: Final = 60
#: "Days with readings" is counted over this span, as a supply period is.
DAYS_SPAN: Final = timedelta(days=30)
#: The newest readings are looked for this far back.
READINGS_SPAN: Final = timedelta(days=365)


def find(connection: Connection, public_id: UUID, actor: Actor) -> Patient:
    """The patient behind an address; NotFound for nobody's id and for another practice's alike."""
    patient = patients.by_public_id(connection, public_id, practice_id=actor.practice_id)
    if patient is None:
        raise NotFound
    return patient


def checked_span(days: int) -> int:
    """A span the page offers; the default where an address asks for another."""
    return days if days in SPANS else DEFAULT_SPAN


@router.get("/patients")
def show_list(
    request: Request,
    actor: Nurse,
    store: Store,
    now: Now,
    q: Annotated[str, Query(max_length=SEARCH_LENGTH_MAX)] = "",
) -> Response:
    """Everybody the practice looks after, or those a search finds."""
    with store.transaction() as connection:
        lines = patients.search(connection, q, practice_id=actor.practice_id)
        record(connection, actor, Action.SAW_PATIENT_LIST, now=now, patients=[line.patient_id for line in lines])
    full = len(lines) == patients.SEARCH_MAX
    return render(request, "patients.html", now=now, lines=lines, q=q, full=full)


def read_charts(
    request: Request, connection: Connection, actor: Actor, patient: Patient, days: int, *, now: datetime
) -> list[Chart]:
    """The patient's charts over the last `days`."""
    who = {"practice_id": actor.practice_id, "patient_id": patient.patient_id}
    points = charts.points(connection, **who, codes=CODES, since=now - timedelta(days=days), until=now)
    rules = rules_of(request)
    limits = limits_of(connection, [patient.patient_id], rules, layers_of(request))
    minor = under_18(connection, patient.patient_id, now=now)
    return build_charts(points, rules, limits, patient_id=patient.patient_id, zone=patient.time_zone, minor=minor)


@dataclass(frozen=True, slots=True)
class SpentLine:
    """A time entry, and the minutes of it that others of this patient's entries claim too."""

    entry: minutes.Entry
    overlap: timedelta


def spent_lines(entries: list[minutes.Entry]) -> list[SpentLine]:
    """Each entry with what it shares with the standing others."""
    standing = [one for one in entries if not one.reversed and one.reverses is None]
    return [
        SpentLine(
            one,
            counted(
                (max(one.started_at, other.started_at), min(one.ended_at, other.ended_at))
                for other in standing
                if other is not one and one in standing and shared(span_of(one), span_of(other))
            ),
        )
        for one in entries
    ]


def span_of(entry: minutes.Entry | minutes.Overlap) -> tuple[datetime, datetime]:
    """From when to when."""
    return entry.started_at, entry.ended_at


@router.get("/patients/{public_id}")
def show(
    request: Request,
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    days: int = DEFAULT_SPAN,
    alert: UUID | None = None,
    saved: int | None = None,
) -> Response:
    """One patient: charts, open alerts, what was done, devices and the newest readings."""
    session = session_of_request(request)
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        who = {"practice_id": actor.practice_id, "patient_id": patient.patient_id}
        context = _page(connection, who, now=now, zone=session.time_zone)
        context["spent"] = _billed(connection, patient, context["entries"], now=now, actor=actor)
        context["charts"] = read_charts(request, connection, actor, patient, checked_span(days), now=now)
        held = rules_held(connection, rules_of(request), patient.patient_id, layers=layers_of(request), now=now)
        context["unjudged"] = none_apply(held)
        context["overlaps"] = _overlaps_of(connection, who, saved, context["entries"])
        record(connection, actor, Action.SAW_PATIENT, now=now, patient_id=patient.patient_id)
    return render(
        request,
        "patient.html",
        now=now,
        patient=patient,
        days=checked_span(days),
        spans=SPANS,
        chosen=alert,
        saved=saved,
        activities=list(Activity),
        dispositions=LABELS,
        snooze_choices=CHOICES,
        whys=list(Why),
        unasked_max=UNASKED_MAX,
        back=f"/worklist?at=a-{quote(str(alert))}" if alert else "/worklist",
        **context,
    )


@router.get("/patients/{public_id}/asked")
def show_asked(request: Request, public_id: UUID, actor: Nurse, store: Store, now: Now) -> Response:
    """What the patient was asked for lately and what came of it, for a page that keeps itself fresh."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        who = {"practice_id": actor.practice_id, "patient_id": patient.patient_id}
        found = requests.about_patient(connection, **who, since=now - SHOWN_FOR)
        readings = charts.readings(connection, **who, since=now - READINGS_SPAN, until=now)
        record(connection, actor, Action.SAW_PATIENT, now=now, patient_id=patient.patient_id)
    asked = asked_lines(found, readings=readings, now=now)
    return render(request, "patient_asked.html", now=now, patient=patient, asked=asked)


def _page(connection: Connection, who: dict[str, int], *, now: datetime, zone: str) -> dict[str, Any]:
    alerts = patients.alerts(connection, **who)
    entries = minutes.of_patient(connection, **who, since=month_start(now, zone))
    by_status: dict[bool, list[PatientAlert]] = {
        closed: list(group) for closed, group in groupby(alerts, key=lambda one: one.status == "closed")
    }
    devices = patients.devices(connection, **who)
    readings = charts.readings(connection, **who, since=now - READINGS_SPAN, until=now)
    asked = requests.about_patient(connection, **who, since=now - SHOWN_FOR)
    return {
        "away": pauses.of_patient(connection, **who),
        "was_away": pauses.lately(connection, **who, now=now),
        "asked": asked_lines(asked, readings=readings, now=now),
        "askable": askable(devices, now=now),
        "ask_minutes": ASK_MINUTES,
        "version": version_of(alerts),
        "open_alerts": by_status.get(False, []),
        "closed_alerts": by_status.get(True, []),
        "entries": spent_lines(entries),
        "latest": {one.code: one for one in charts.latest(connection, **who)},
        "devices": devices,
        "readings": readings,
        "measured_days": charts.days_with_readings(connection, **who, time_zone=zone, since=now - DAYS_SPAN, until=now),
    }


def _billed(
    connection: Connection, patient: Patient, entries: list[SpentLine], *, actor: Actor, now: datetime
) -> MonthMinutes:
    practice = billing.practice(connection, actor.practice_id)
    assert practice is not None, "staff belong to a practice"
    month = ServiceMonth(local_day(now, practice.time_zone).replace(day=1))
    records = billing.month_records(connection, practice, month, now=now, public_id=patient.public_id)
    return month_minutes([line.entry for line in entries], month_report(records))


def _overlaps_of(
    connection: Connection, who: dict[str, int], saved: int | None, entries: list[SpentLine]
) -> list[minutes.Overlap]:
    """What the entry just saved shares with others: told at once, counted once."""
    entry = next((line.entry for line in entries if line.entry.entry_id == saved), None)
    if entry is None:
        return []
    found = minutes.overlapping(
        connection, **who, staff_id=entry.staff_id, started_at=entry.started_at, ended_at=entry.ended_at
    )
    return [one for one in found if one.entry_id != saved]


@router.get("/patients/{public_id}/series")
def series(
    request: Request, public_id: UUID, actor: Nurse, store: Store, now: Now, days: int = DEFAULT_SPAN
) -> Response:
    """The charts as data. It names its patient: a page draws nothing that is not its own (A6)."""
    days = checked_span(days)
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        drawn = read_charts(request, connection, actor, patient, days, now=now)
        alerts = patients.alerts(connection, practice_id=actor.practice_id, patient_id=patient.patient_id)
        record(connection, actor, Action.SAW_PATIENT, now=now, patient_id=patient.patient_id, days=days)
    since = now - timedelta(days=days)
    return JSONResponse(
        {
            "patient": str(patient.public_id),
            "zone": patient.time_zone,
            "days": days,
            "from": since.timestamp(),
            "to": now.timestamp(),
            "charts": [chart.as_json() for chart in drawn],
            "version": version_of(alerts),
            "alerts": [_mark(one) for one in alerts if one.measured_at > since],
        }
    )


def version_of(alerts: list[PatientAlert]) -> str:
    """A word that differs whenever the patient's alerts would look different."""
    facts = "|".join(f"{one.alert_id}/{one.status}/{one.severity}/{len(one.events)}" for one in alerts)
    return sha256(facts.encode()).hexdigest()[:16]


def _mark(alert: PatientAlert) -> dict[str, Any]:
    values: list[dict[str, Any]] = alert.evidence.get("values", [])
    return {
        "id": str(alert.public_id),
        "at": alert.measured_at.timestamp(),
        "severity": alert.severity,
        "reason": alert.reason,
        "quantity": values[0].get("quantity", "") if values else "",
    }


def stored_of(connection: Connection, reading_id: UUID, patient: Patient, actor: Actor) -> Mapping[str, Any]:
    """Every fact kept of one reading of this patient; NotFound where it is not theirs."""
    facts = charts.provenance(connection, reading_id, practice_id=actor.practice_id, patient_id=patient.patient_id)
    if facts is None:
        raise NotFound
    return facts


@router.get("/patients/{public_id}/readings/{reading_id}")
def provenance(request: Request, public_id: UUID, reading_id: UUID, actor: Nurse, store: Store, now: Now) -> Response:
    """Where one reading came from: every clock, the device, the gateway, the bytes; and what was corrected of it."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        facts = stored_of(connection, reading_id, patient, actor)
        history = corrections.corrections(connection, reading_id, practice_id=actor.practice_id)
        people = patients.search(connection, "", practice_id=actor.practice_id)
        source = archive.source_of(facts)
        message = archive.message_of(connection, source, practice_id=actor.practice_id, until=facts["admitted_at"])
        record(
            connection,
            actor,
            Action.SAW_READING,
            now=now,
            patient_id=patient.patient_id,
            reading_id=str(reading_id),
        )
    return render(
        request,
        "provenance.html",
        now=now,
        patient=patient,
        facts=facts,
        message=message,
        item=message.item(source.item) if message and source.item is not None else None,
        history=history,
        people=[person for person in people if person.public_id != public_id],
        reason_length_max=REASON_LENGTH_MAX,
    )
