"""The plan of who is called, as a practice's administrator writes and signs it off: checked, shown what it leaves open, saved."""

from typing import Annotated, Final, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.coverage import AHEAD, Gap, gaps, uncovered_minutes
from alerts.escalation import EscalationError, Plan, parse_plan
from rpm.audit import Action, record
from rpm.settings import Settings
from rpm.store import plans
from rpm.store.database import Connection
from rpm.web.oncall import OnCall
from rpm.web.pages import render
from rpm.web.problems import BadInput
from rpm.web.session import Admin, Now, Store

router = APIRouter()

TEXT_LENGTH_MAX: Final = 30_000
NOTE_LENGTH_MAX: Final = 200
#: Earlier plans shown below the present one.
HISTORY_MAX: Final = 20


@router.get("/oncall/plan")
def edit(request: Request, actor: Admin, store: Store, now: Now) -> Response:
    """The plan in force, to change, and the plans before it."""
    with store.transaction() as connection:
        history = plans.history(connection, actor.practice_id, limit=HISTORY_MAX)
    text = history[0].text if history else _installations(request)
    return _page(request, now=now, text=text, history=history, seen=history[0].id if history else 0)


@router.post("/oncall/plan")
def save(
    request: Request,
    actor: Admin,
    store: Store,
    now: Now,
    text: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)],
    seen: Annotated[int, Form()],
    note: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = "",
    do: Annotated[str, Form(max_length=10)] = "check",
    agreed: Annotated[int, Form(alias="uncovered_minutes")] = 0,
) -> Response:
    """Check a plan; save it where asked to. One that leaves hours open is saved only by who has seen how many (E3)."""
    text = text.replace("\r\n", "\n")
    with store.transaction() as connection:
        history = plans.history(connection, actor.practice_id, limit=HISTORY_MAX)
        try:
            plan = parse_plan(text, name="the plan")
        except EscalationError as error:
            return _page(
                request, now=now, text=text, note=note, history=history, seen=seen, problem=str(error), status=400
            )
        cover = OnCall.of(request, connection, actor, since=now)
        found = gaps(plan, cover.people, [one.override for one in cover.stand_ins], now=now)
        unknown = _unknown(plan, cover)
        minutes = uncovered_minutes(found)
        problem = ""
        if do == "save" and not note.strip():
            problem = "Say what was changed and why: the next reader will ask."
        elif do == "save" and minutes and minutes != agreed:
            problem = "This plan leaves hours open: look at them, and say that you have seen them."
        elif do == "save" and not unknown:
            _keep(connection, actor, text=text, note=note.strip(), seen=seen, now=now)
            return RedirectResponse("/oncall", status_code=303)
        return _page(
            request,
            now=now,
            text=text,
            note=note,
            history=history,
            seen=seen,
            problem=problem,
            checked=True,
            gaps=found,
            uncovered=minutes,
            unknown=unknown,
            status=400 if problem or (do == "save" and unknown) else 200,
        )


def _keep(connection: Connection, actor: Admin, *, text: str, note: str, seen: int, now: Now) -> None:
    made = plans.save(
        connection,
        practice_id=actor.practice_id,
        text=text,
        note=note,
        seen=seen,
        saved_by=actor.staff_id,
        now=now,
    )
    if made is None:
        raise BadInput("Somebody saved another plan meanwhile: go back, load the page again, and look at theirs.")
    record(connection, actor, Action.PLAN_SAVED, now=now, plan=made)


def _unknown(plan: Plan, cover: OnCall) -> list[str]:
    """Accounts a plan names that the practice does not have: a mistyped name would call nobody."""
    named = {target for policy in plan.policies for step in policy.steps for target in step.targets}
    named |= set(plan.fallback)
    for rota in plan.rotas:
        for stretch in (*rota.shifts, *(one for holiday in rota.holidays for one in holiday.shifts)):
            named |= set(stretch.who)
    accounts = {target.removeprefix("staff:") for target in named if target.startswith("staff:")}
    return sorted(accounts - cover.names.keys())


def _installations(request: Request) -> str:
    """The text of the plan every practice begins with."""
    return cast(Settings, request.app.state.settings).escalation_file.read_text("utf-8")


def _page(
    request: Request,
    *,
    now: Now,
    text: str,
    history: list[plans.Saved],
    seen: int,
    note: str = "",
    problem: str = "",
    checked: bool = False,
    gaps: list[Gap] | None = None,
    uncovered: int = 0,
    unknown: list[str] | None = None,
    status: int = 200,
) -> Response:
    return render(
        request,
        "plan.html",
        now=now,
        status=status,
        text=text,
        note=note,
        history=history,
        seen=seen,
        problem=problem,
        checked=checked,
        gaps=gaps or [],
        uncovered=uncovered,
        unknown=unknown or [],
        ahead_days=AHEAD.days,
        text_length_max=TEXT_LENGTH_MAX,
        note_length_max=NOTE_LENGTH_MAX,
    )
