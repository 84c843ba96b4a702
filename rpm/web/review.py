"""Hand-over and review: what is open now, and how what came was answered. No word about a patient."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alerts.quality import ANSWERED_MIN, SHARE_MIN, by_month
from alerts.review import Target, answered, as_csv
from alerts.severity import Severity
from rpm.audit import Action, record
from rpm.store import review, worklist
from rpm.store.review import LINES_MAX
from rpm.web.pages import render
from rpm.web.problems import BadInput
from rpm.web.session import Admin, Care, Now, Store, session_of_request

router = APIRouter()

SPANS: Final = (1, 7, 28)
#: Of those that came to the last step or that nobody had, the newest so many are named.
NAMED_MAX: Final = 100
#: Months of which rules are told.
RULES_OVER: Final = timedelta(days=92)

#: 30 days: a target beyond is none.
TARGET_MINUTES_MAX: Final = 30 * 24 * 60

Days = Annotated[Literal["1", "7", "28"], Query()]


@router.get("/review")
def show(request: Request, actor: Care, store: Store, now: Now, days: Days = "7") -> Response:
    """What one shift tells the next, and a practice itself every week."""
    with store.transaction() as connection:
        lines = review.lines(connection, practice_id=actor.practice_id, since=now - timedelta(days=int(days)))
        standing = worklist.open_alerts(connection, actor.practice_id)
        targets = review.targets(connection, practice_id=actor.practice_id)
        closed = review.closed(connection, practice_id=actor.practice_id, since=now - RULES_OVER)
    told = [one for one in lines if one.last_step or one.had_at is None]
    return render(
        request,
        "review.html",
        now=now,
        days=int(days),
        spans=SPANS,
        rows=answered(lines, zone=session_of_request(request).time_zone, now=now, targets=targets),
        targets=sorted(targets.items(), reverse=True),
        target_minutes_max=TARGET_MINUTES_MAX,
        open_alerts=[one for one in standing if one.owner_id is None],
        had=[one for one in standing if one.owner_id is not None],
        told=told[:NAMED_MAX],
        more=max(0, len(told) - NAMED_MAX),
        full=len(lines) == LINES_MAX,
        quality=by_month(closed),
        quality_min=ANSWERED_MIN,
        quality_share=SHARE_MIN,
    )


@router.get("/review.csv")
def export(request: Request, actor: Care, store: Store, now: Now, days: Days = "7") -> Response:
    """The table alone."""
    with store.transaction() as connection:
        lines = review.lines(connection, practice_id=actor.practice_id, since=now - timedelta(days=int(days)))
        targets = review.targets(connection, practice_id=actor.practice_id)
    rows = answered(lines, zone=session_of_request(request).time_zone, now=now, targets=targets)
    return Response(
        as_csv(rows).encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="alerts-{now:%Y-%m-%d}-{days}-days.csv"'},
    )


@router.post("/review/targets")
def set_targets(
    actor: Admin,
    store: Store,
    now: Now,
    severity: Annotated[int, Form(ge=int(Severity.ROUTINE), le=int(Severity.URGENT))],
    had: Annotated[int, Form()],
    closed: Annotated[int, Form()],
) -> Response:
    """Within how many minutes alerts of a severity are to be had and closed."""
    if not 1 <= had <= closed <= TARGET_MINUTES_MAX:
        raise BadInput(f"Give whole minutes, 1 to {TARGET_MINUTES_MAX}, and no fewer for closing than for having it.")
    wanted = {Severity(severity): Target(timedelta(minutes=had), timedelta(minutes=closed))}
    with store.transaction() as connection:
        review.set_targets(connection, wanted, practice_id=actor.practice_id, staff_id=actor.staff_id, now=now)
        record(connection, actor, Action.TARGETS_SET, now=now, severity=Severity(severity).word, had=had, closed=closed)
    return RedirectResponse("/review", status_code=303)
