"""The worklist: who needs a nurse now, why, by when, and who has it already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.risk import Part
from alerts.rules import Rule
from rpm.access import Actor
from rpm.audit import Action, record
from rpm.store import worklist
from rpm.store.database import Connection
from rpm.store.worklist import OpenAlert
from rpm.web import placing
from rpm.web.arrangement import Arrangement, Filter, Tab, Who, arrange
from rpm.web.due import due_at
from rpm.web.installed import rules_of
from rpm.web.pages import render
from rpm.web.session import Now, Nurse, OwnStore, Store
from rpm.web.sparkline import Sparkline, sparkline
from schemas.codes import UNIT_BY_NUMBER
from schemas.quantity import converted

router = APIRouter()

#: A sparkline shows what led to the alert.
TREND_SPAN: Final = timedelta(days=14)
TREND_POINTS: Final = 30
SEARCH_LENGTH_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the alert, its deadline while nobody has it, the trend of what it speaks of, and why it stands here."""

    alert: OpenAlert
    due_at: datetime
    trend: Sparkline | None
    why: tuple[Part, ...]

    @property
    def points(self) -> int:
        """What the parts add up to."""
        return sum(part.points for part in self.why)


@dataclass(frozen=True, slots=True)
class View:
    """Everything the list's template needs."""

    arrangement: Arrangement
    pinned: tuple[Row, ...]
    rows: tuple[Row, ...]
    filter: Filter

    @property
    def query(self) -> str:
        """The address parameters that show this list again."""
        return query_of(self.filter)


def query_of(wanted: Filter, *, tab: str | None = None, page: int | None = None) -> str:
    """A filter as address parameters, with another tab or page where given."""
    pairs = {
        "tab": tab or wanted.tab,
        "who": wanted.who,
        "q": wanted.text,
        "page": page or (1 if tab else wanted.page),
    }
    defaults = {"tab": Tab.CLINICAL, "who": Who.ALL, "q": "", "page": 1}
    return urlencode({name: value for name, value in pairs.items() if value != defaults[name]})


def filter_of(
    tab: Annotated[Tab, Query()] = Tab.CLINICAL,
    who: Annotated[Who, Query()] = Who.ALL,
    q: Annotated[str, Query(max_length=SEARCH_LENGTH_MAX)] = "",
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Filter:
    """The filter an address asks for."""
    return Filter(tab=tab, who=who, text=q, page=page)


def _trend(points: list[worklist.Point]) -> Sparkline | None:
    """The line, in the unit of its newest value: a scale that changed from lb to kg is no loss of weight."""
    if not points:
        return None
    unit = UNIT_BY_NUMBER[points[-1].unit]
    return sparkline([(one.measured_at, converted(one.value, UNIT_BY_NUMBER[one.unit], unit)) for one in points])


def read_view(connection: Connection, actor: Actor, rules: Sequence[Rule], wanted: Filter, *, now: datetime) -> View:
    """The list as `actor` sees it with this filter, and the record that he saw it."""
    found = worklist.open_alerts(connection, actor.practice_id)
    placed = placing.read(connection, found, rules, practice_id=actor.practice_id, now=now)
    arrangement = arrange(placed.alerts, wanted, staff_id=actor.staff_id)
    shown = (*arrangement.pinned, *arrangement.rows)
    pairs = {
        alert.alert_id: (alert.subject.patient_id, code)
        for alert in shown
        if alert.subject and (code := placing.quantity_of(alert)) is not None
    }
    values = worklist.recent_values(
        connection,
        practice_id=actor.practice_id,
        wanted=pairs.values(),
        since=now - TREND_SPAN,
        points=TREND_POINTS,
    )

    def row(alert: OpenAlert) -> Row:
        pair = pairs.get(alert.alert_id)
        trend = _trend(values.get(pair, [])) if pair else None
        return Row(alert, due_at(alert.severity, alert.opened_at), trend, placed.why(alert))

    patients = [alert.subject.patient_id for alert in shown if alert.subject]
    record(connection, actor, Action.SAW_WORKLIST, now=now, patients=patients)
    return View(
        arrangement=arrangement,
        pinned=tuple(map(row, arrangement.pinned)),
        rows=tuple(map(row, arrangement.rows)),
        filter=wanted,
    )


def answer_rows(request: Request, store: OwnStore, actor: Actor, wanted: Filter, *, now: datetime) -> Response:
    """The list alone, for a page that is open already."""
    with store.transaction() as connection:
        standing = worklist.standings(connection).get(actor.practice_id)
        view = read_view(connection, actor, rules_of(request), wanted, now=now)
    return render(request, "worklist_rows.html", now=now, **_context(view, standing))


def _context(view: View, standing: worklist.Standing | None) -> dict[str, Any]:
    # The version is read before the rows: a change in between shows as a newer version, never as a missed one.
    return {"view": view, "version": standing.version if standing else "", "query_of": query_of, "Tab": Tab, "Who": Who}


@router.get("/worklist")
def show(
    request: Request, actor: Nurse, store: Store, now: Now, wanted: Annotated[Filter, Depends(filter_of)]
) -> Response:
    """The whole page."""
    with store.transaction() as connection:
        standing = worklist.standings(connection).get(actor.practice_id)
        view = read_view(connection, actor, rules_of(request), wanted, now=now)
    return render(request, "worklist.html", now=now, **_context(view, standing))


@router.get("/worklist/rows")
def rows(
    request: Request, actor: Nurse, store: Store, now: Now, wanted: Annotated[Filter, Depends(filter_of)]
) -> Response:
    """The list alone: what a live page asks for when it hears of a change."""
    return answer_rows(request, store, actor, wanted, now=now)
