"""A draft of the rules tried on the practice's own last weeks, beside the rules in force, before anybody switches it on (F51)."""

from datetime import datetime, timedelta
from typing import Annotated, Final, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from alerts.backtest import Backtest, beside
from alerts.replay import RuleFailed
from alerts.rulefile import Fault, RulesError, parse_rules
from rpm.audit import Action, record
from rpm.backtesting import DRAFT, IN_FORCE, called, compare, some
from rpm.rulebook import speaking
from rpm.settings import Settings
from rpm.store import backtest as past
from rpm.store.backtest import Person
from rpm.web.installed import layers_of, rules_of
from rpm.web.pages import render
from rpm.web.problems import BadInput
from rpm.web.session import Care, Now, Store

router = APIRouter()

#: Encoded in a form it must stay below what a request may bring.
TEXT_LENGTH_MAX: Final = 40_000
SPANS: Final = (30, 90)
#: Some seconds of work; the command goes through everybody.
PATIENTS_MAX: Final = 60


@router.get("/rules/trial")
def show(request: Request, _actor: Care, now: Now) -> Response:
    """The rules in force, to be changed and tried."""
    text = cast(Settings, request.app.state.settings).rules_file.read_text("utf-8")
    return _page(request, now=now, text=text, days=SPANS[-1])


@router.post("/rules/trial")
def try_out(
    request: Request,
    actor: Care,
    store: Store,
    now: Now,
    text: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    days: Annotated[int, Form()] = SPANS[-1],
) -> Response:
    """What the draft would have asked of people, beside what the rules in force would have."""
    if days not in SPANS:
        raise BadInput("There is no such span.")
    try:
        draft = speaking(parse_rules(text.replace("\r\n", "\n"), name="draft"), name="draft")
    except RulesError as error:
        return _page(request, now=now, text=text, days=days, faults=list(error.faults), status=400)
    rules = {IN_FORCE: rules_of(request), DRAFT: draft}
    with store.transaction() as connection:
        found = past.people(connection, practice_id=actor.practice_id, since=now - timedelta(days=days))
        who = some(found, most=PATIENTS_MAX)
        try:
            done = compare(connection, rules, who, days=days, now=now, layers=layers_of(request))
        except RuleFailed as error:
            return _page(request, now=now, text=text, days=days, faults=[Fault(0, str(error))], status=400)
        record(connection, actor, Action.RULES_TRIED, now=now, patients=[one.patient_id for one in who])
    return _page(request, now=now, text=text, days=days, done=done, who=who, of=len(found))


def _page(
    request: Request,
    *,
    now: datetime,
    text: str,
    days: int,
    faults: list[Fault] | None = None,
    done: dict[str, Backtest] | None = None,
    who: list[Person] | None = None,
    of: int = 0,
    status: int = 200,
) -> Response:
    before, after = (done[IN_FORCE], done[DRAFT]) if done else (None, None)
    return render(
        request,
        "backtest.html",
        now=now,
        status=status,
        text=text,
        days=days,
        spans=SPANS,
        faults=faults or [],
        before=before,
        after=after,
        rows=beside(before, after) if before and after else [],
        called=called(done, who or ()) if done else [],
        of=of,
        text_length_max=TEXT_LENGTH_MAX,
    )
