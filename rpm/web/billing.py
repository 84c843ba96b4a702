"""Billing: a practice's month, what is behind each row, and the file for a spreadsheet."""

import codecs
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm.access import Actor
from rpm.audit import Action, record
from rpm.billing.adjustments import as_csv as adjustments_csv
from rpm.billing.closing import Claim
from rpm.billing.days import first_moment, local_day
from rpm.billing.episode import Practice, ServiceMonth
from rpm.billing.export import as_csv
from rpm.billing.report import month_report
from rpm.store import billing, closing
from rpm.store.database import Connection
from rpm.web import billing_rows
from rpm.web.billing_rows import Show
from rpm.web.held import told
from rpm.web.pages import render
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Now, Store, require

router = APIRouter()

SEARCH_LENGTH_MAX: Final = 60
PAGE_MAX: Final = 10_000

Biller = Annotated[Actor, Depends(require("biller", "admin"))]
MonthText = Annotated[str, Query(alias="month", max_length=7)]


def practice_of(connection: Connection, actor: Actor) -> Practice:
    """The practice of whoever asks."""
    practice = billing.practice(connection, actor.practice_id)
    assert practice is not None, "staff belong to a practice"
    return practice


def chosen_month(text: str, zone: str, *, now: datetime) -> ServiceMonth:
    """The month an address names, this one where it names none; BadInput for one that cannot be shown."""
    current = ServiceMonth(local_day(now, zone).replace(day=1))
    if not text:
        return current
    try:
        month = ServiceMonth.parse(text)
        begun = month.begins(zone) <= now
        # A report looks two months back.
        _ = month.before.before.begins(zone), month.ends(zone)
    except (ValueError, OverflowError) as error:
        raise BadInput("Write the month as 2026-11.") from error
    if not begun:
        raise BadInput("That month has not begun yet.")
    return month


@router.get("/billing")
def show(
    request: Request,
    actor: Biller,
    store: Store,
    now: Now,
    month_text: MonthText = "",
    show: Annotated[Show, Query()] = Show.ALL,
    q: Annotated[str, Query(max_length=SEARCH_LENGTH_MAX)] = "",
    page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1,
) -> Response:
    """Patients of a month: days, minutes, codes, and why not."""
    with store.transaction() as connection:
        practice = practice_of(connection, actor)
        month = chosen_month(month_text, practice.time_zone, now=now)
        closed = closing.closed(connection, practice.practice_id, month)
        if closed is None:
            report = month_report(billing.month_records(connection, practice, month, now=now))
        else:
            closing.notice(connection, practice, month, now=now)
            report = closed.report
        adjusted = closing.adjustments(connection, practice.practice_id, month) if closed else []
        listing = billing_rows.listing(report, show=show, text=q.strip(), page=page)
        shown = [row.episode.patient_id for row in listing.rows] + [patient_id for patient_id, _ in adjusted]
        record(connection, actor, Action.SAW_BILLING, now=now, patients=shown, month=str(month))
    today = local_day(now, practice.time_zone)

    def query_of(**changes: str | int) -> str:
        defaults: dict[str, str | int] = {"show": Show.ALL, "q": "", "page": 1}
        pairs = {"month": str(month), "show": show, "q": q.strip(), "page": page, **changes}
        return urlencode({name: value for name, value in pairs.items() if value != defaults.get(name)})

    return render(
        request,
        "billing.html",
        now=now,
        report=report,
        listing=listing,
        month=month,
        months=billing_rows.months_to_choose(today, month),
        closed=closed,
        over=month.ends(practice.time_zone) <= now,
        adjusted=[one for _, one in adjusted],
        later=month.after if month.after.first <= today else None,
        show=show,
        Show=Show,
        q=q.strip(),
        query_of=query_of,
        rows=billing_rows,
    )


@router.get("/billing/month.csv")
def download(actor: Biller, store: Store, now: Now, month_text: MonthText = "") -> Response:
    """The month of every patient as CSV; a closed one in the bytes that were kept."""
    with told(), store.transaction() as connection:
        practice = practice_of(connection, actor)
        month = chosen_month(month_text, practice.time_zone, now=now)
        closed = closing.closed(connection, practice.practice_id, month)
        if closed:
            closed.check()
        report = closed.report if closed else month_report(billing.month_records(connection, practice, month, now=now))
        patients = [row.episode.patient_id for row in report.rows]
        record(connection, actor, Action.BILLING_EXPORTED, now=now, patients=patients, month=str(month))
    return Response(
        # A spreadsheet takes a file without this mark for one in the machine's old code page.
        codecs.BOM_UTF8 + (closed.frozen.csv if closed else as_csv(report).encode()),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="billing-{month}.csv"'},
    )


@router.post("/billing/close")
def close(
    actor: Biller, store: Store, now: Now, month_text: Annotated[str, Form(alias="month", max_length=7)]
) -> Response:
    """Close the month: it stays as it is reported now."""
    with told(), store.transaction() as connection:
        practice = practice_of(connection, actor)
        month = chosen_month(month_text, practice.time_zone, now=now)
        closing.close(connection, practice, month, actor=actor, now=now)
    return RedirectResponse(f"/billing?month={month}", status_code=303)


@router.get("/billing/adjustments.csv")
def download_adjustments(actor: Biller, store: Store, now: Now, month_text: MonthText = "") -> Response:
    """What is otherwise in a closed month, as CSV."""
    with store.transaction() as connection:
        practice = practice_of(connection, actor)
        month = chosen_month(month_text, practice.time_zone, now=now)
        closing.notice(connection, practice, month, now=now)
        found = closing.adjustments(connection, practice.practice_id, month)
        patients = {patient_id for patient_id, _ in found}
        record(connection, actor, Action.BILLING_EXPORTED, now=now, patients=patients, month=str(month))
    return Response(
        adjustments_csv([one for _, one in found]).encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="billing-{month}-adjustments.csv"'},
    )


@router.get("/billing/patients/{public_id}")
def evidence(
    request: Request, public_id: UUID, actor: Biller, store: Store, now: Now, month_text: MonthText = ""
) -> Response:
    """What one patient's month rests on: each day's readings, each time entry, consent, order and set-up."""
    with store.transaction() as connection:
        practice = practice_of(connection, actor)
        zone = practice.time_zone
        month = chosen_month(month_text, zone, now=now)
        records = billing.month_records(connection, practice, month, now=now, public_id=public_id)
        report = month_report(records)
        if not report.rows:
            raise NotFound
        patient_id = report.rows[0].episode.patient_id
        starts = [period.start for row in report.rows for period in row.periods]
        ends = [period.closes_on for row in report.rows for period in row.periods]
        readings = billing.readings(
            connection,
            practice_id=practice.practice_id,
            patient_id=patient_id,
            since=first_moment(min([month.first, *starts]), zone),
            until=first_moment(max([month.last, *ends]) + timedelta(days=1), zone),
            now=now,
        )
        closed = closing.closed(connection, practice.practice_id, month)
        record(connection, actor, Action.SAW_BILLING, now=now, patient_id=patient_id, month=str(month))
    return render(
        request,
        "billing_evidence.html",
        now=now,
        report=report,
        month=month,
        zone=zone,
        closed=closed,
        reported=[Claim.of(row).words for row in closed.report.rows if row.episode.patient_id == patient_id]
        if closed
        else [],
        parts=[
            (
                row,
                billing_rows.evidence_days(row, readings, away=records.away.get(patient_id, ()), zone=zone, now=now),
                billing_rows.evidence_entries(row, records.time, month, zone),
            )
            for row in report.rows
        ],
        rows=billing_rows,
        readings_max=billing.READINGS_MAX,
        readings_count=len(readings),
    )
