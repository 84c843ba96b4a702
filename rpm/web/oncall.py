"""On call: who is told now, the hours ahead in which nobody would be, who stands in for whom, and a plan played through."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, cast

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alerts.coverage import AHEAD, Gap, gaps
from alerts.escalation import Plan, Policy, Queue, reached
from alerts.rota import MINUTES_PER_DAY
from alerts.severity import Severity
from alerts.simulation import Simulation, simulate
from alerts.staff import StaffMember
from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.store import contacts, notifications, plans
from rpm.store import staff as accounts
from rpm.store.database import Connection
from rpm.wall_clock import NoSuchTime, instant_of
from rpm.web.pages import render
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Keeper, Now, Store, session_of_request

router = APIRouter()

REASON_LENGTH_MAX: Final = 200
#: What the database's own numbers go up to.
NUMBER_MAX: Final = 2**63 - 1
TIME_LENGTH_MAX: Final = 32
#: A stand-in is for a shift or a holiday; what lasts longer is a change of the plan.
STAND_IN_MAX: Final = timedelta(days=60)
#: Who can be named in a plan: staff who sign in to look after patients or boxes.
ON_CALL_ROLES: Final = frozenset({Role.NURSE, Role.SUPPORT, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Stopped:
    """Whose texts have ended, since when, and by what else he can be called."""

    name: str
    at: datetime
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnCall:
    """What decides who is called in one practice."""

    plan: Plan
    own: bool
    people: list[StaffMember]
    names: dict[str, str]
    stand_ins: list[plans.StandIn]
    stopped: list[Stopped]

    @classmethod
    def of(cls, request: Request, connection: Connection, actor: Actor, *, since: datetime) -> "OnCall":
        """As it stands now; stand-ins that hold at `since` or later."""
        current = plans.current(connection, cast(Plan, request.app.state.plan))
        members = accounts.of_practice(connection, actor.practice_id)
        reached_by = contacts.of_practice(connection, actor.practice_id)
        people = notifications.staff_of(connection, [actor.practice_id], now=since)
        left = {one.staff_id: tuple(dict.fromkeys(each.channel.word for each in one.contacts)) for one in people}
        return cls(
            plan=current.of(actor.practice_id),
            own=actor.practice_id in current.own,
            people=people,
            names={member.username: member.display_name for member in members},
            stand_ins=plans.stand_ins(connection, [actor.practice_id], since=since)[actor.practice_id],
            stopped=[
                Stopped(member.display_name, one.stopped_at, left.get(member.staff_id, ()))
                for member in members
                for one in reached_by.get(member.staff_id, [])
                if one.stopped_at is not None
            ],
        )

    def now_by(self, policy: Policy, now: datetime) -> list[str]:
        """The names of those a policy's first step reaches at an instant."""
        overrides = [one.override for one in self.stand_ins]
        found = reached(policy.steps[0].targets, self.plan, self.people, overrides, now=now)
        return [self.names[one.username] for one in found]

    def gaps(self, now: datetime) -> list[Gap]:
        """The hours ahead in which a first call reaches nobody."""
        return gaps(self.plan, self.people, [one.override for one in self.stand_ins], now=now)

    def simulated(
        self, severity: Severity, queue: Queue, program: str, *, at: datetime, practice_id: int
    ) -> Simulation:
        """An alert nobody answers, played through."""
        overrides = [one.override for one in self.stand_ins]
        return simulate(
            self.plan,
            severity,
            self.people,
            overrides,
            at=at,
            practice_id=practice_id,
            queue=queue,
            program=program,
        )

    def words(self, target: str) -> str:
        """A target for people: `rota nurses`, `every nurse`, `Nora N.`."""
        kind, _, name = target.partition(":")
        if kind == "role":
            return "everybody in support" if name == Role.SUPPORT else f"every {name}"
        return f"rota {name}" if kind == "rota" else self.names.get(name, f"{name} (no such account)")


def time_of_day(minute: int) -> str:
    """A minute of the day as clocks show it; the end of the day as 24:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}" if minute < MINUTES_PER_DAY else "24:00"


@router.get("/oncall")
def show(
    request: Request,
    actor: Keeper,
    store: Store,
    now: Now,
    at: Annotated[str, Query(max_length=TIME_LENGTH_MAX)] = "",
    severity: Annotated[str, Query(max_length=10)] = "",
    queue: Annotated[Queue, Query()] = Queue.CLINICAL,
    program: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Everything about who is called. With `severity`: also who would be, about an alert that opens at `at`."""
    zone = session_of_request(request).time_zone
    opens = _instant(at, zone) if at else now
    with store.transaction() as connection:
        cover = OnCall.of(request, connection, actor, since=min(now, opens))
    asked = _severity(severity) if severity else None
    played = (
        cover.simulated(asked, queue, program, at=opens, practice_id=actor.practice_id) if asked is not None else None
    )
    return render(
        request,
        "oncall.html",
        now=now,
        cover=cover,
        gaps=cover.gaps(now),
        ahead_days=AHEAD.days,
        people=[one for one in cover.people if one.active and one.role in ON_CALL_ROLES],
        time_of_day=time_of_day,
        severities=[severity.word for severity in sorted(Severity, reverse=True)],
        queues=list(Queue),
        asked={"at": at, "severity": severity or Severity.URGENT.word, "queue": queue, "program": program},
        opens=opens,
        played=played,
        editable=actor.role is Role.ADMIN,
        reason_length_max=REASON_LENGTH_MAX,
    )


@router.post("/oncall/stand-ins")
def stand_in(
    request: Request,
    actor: Keeper,
    store: Store,
    now: Now,
    rota: Annotated[str, Form(max_length=42)],
    begins: Annotated[str, Form(max_length=TIME_LENGTH_MAX)],
    ends: Annotated[str, Form(max_length=TIME_LENGTH_MAX)],
    reason: Annotated[str, Form(max_length=REASON_LENGTH_MAX)],
    who: Annotated[str, Form(max_length=20)] = "",
    instead_of: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Somebody is on duty in place of another, or too; or is away."""
    zone = session_of_request(request).time_zone
    begins_at, ends_at = _instant(begins, zone), _instant(ends, zone)
    if not begins_at < ends_at:
        raise BadInput("The end must be later than the beginning.")
    if ends_at <= now:
        raise BadInput("That is over already: nobody can be called in the past.")
    if ends_at - begins_at > STAND_IN_MAX:
        raise BadInput(f"At most {STAND_IN_MAX.days} days: what lasts longer is a change of the plan.")
    if not who and not instead_of:
        raise BadInput("Say who is on duty, or who is away.")
    if who == instead_of:
        raise BadInput("Nobody stands in for himself.")
    if not reason.strip():
        raise BadInput("Say why: whoever is called at night will ask.")
    with store.transaction() as connection:
        cover = OnCall.of(request, connection, actor, since=now)
        if rota not in {one.name for one in cover.plan.rotas}:
            raise BadInput("There is no such rota in the plan.")
        made = plans.make_override(
            connection,
            practice_id=actor.practice_id,
            rota=rota,
            begins_at=begins_at,
            ends_at=ends_at,
            who=_number(who),
            instead_of=_number(instead_of),
            reason=reason.strip(),
            made_by=actor.staff_id,
            now=now,
        )
        if made is None:
            raise BadInput("There is no such person in the practice.")
        record(connection, actor, Action.STAND_IN_MADE, now=now, stand_in=made)
    return RedirectResponse("/oncall#stand-ins", status_code=303)


@router.post("/oncall/stand-ins/{stand_in_id}/withdraw")
def withdraw(stand_in_id: int, actor: Keeper, store: Store, now: Now) -> Response:
    """It holds no more."""
    with store.transaction() as connection:
        done = plans.withdraw_override(
            connection, stand_in_id, practice_id=actor.practice_id, staff_id=actor.staff_id, now=now
        )
        if not done:
            raise NotFound
        record(connection, actor, Action.STAND_IN_WITHDRAWN, now=now, stand_in=stand_in_id)
    return RedirectResponse("/oncall#stand-ins", status_code=303)


def _instant(text: str, zone: str) -> datetime:
    try:
        return instant_of(text, zone)
    except NoSuchTime as error:
        raise BadInput("That is no time of the practice's clock: in spring an hour is left out.") from error


def _severity(word: str) -> Severity:
    try:
        return Severity.of(word)
    except ValueError as error:
        raise BadInput("Choose how severe the alert is.") from error


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or (number := int(text)) > NUMBER_MAX:
        raise BadInput("There is no such person in the practice.")
    return number
