"""Held readings: what is kept but not used, why, and what a person can do about it."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm.audit import Action, record
from rpm.errors import UserError
from rpm.ingest import replay as replaying
from rpm.ingest.reasons import SENTENCES, Reason
from rpm.ingest.replay import PRESS_MAX, Result
from rpm.store import held, holding, patients
from rpm.store.holding import NOTE_LENGTH_MAX, Held, Wanted
from rpm.store.suggestions import suggestions
from rpm.wall_clock import NoSuchTime, instant_of
from rpm.web.formats import number
from rpm.web.pages import render
from rpm.web.patients import find
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Care, Now, Store, session_of_request
from schemas.codes import BY_NAME, UNIT_LABEL

router = APIRouter()

ROWS_MAX: Final = 200
#: The most a bigint of the database holds.
NUMBER_MAX: Final = 2**63 - 1
#: What the page says after something was done, by the word in its address.
DONE: Final = {
    "released": "The reading is used now, marked as released by hand.",
    "void": "The reading is set aside.",
    "claimed": "The reading and everything held of that device and time now belongs to the patient.",
    "stored": "The reading is used now: nothing speaks against it any more.",
    "duplicate": "The reading was known already.",
    "still_held": "The reading is still held: see why.",
}
#: How the meter says that it has no number.
SHOWN_ABSENT: Final = {"+inf": "HI", "-inf": "LO"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A held reading, its values in words (none where nothing could be read) and what is known of its device."""

    held: Held
    values: tuple[str, ...]
    device: str


@contextmanager
def told() -> Generator[None]:
    """What a store function tells a person, told on a page."""
    try:
        yield
    except UserError as error:
        text = str(error)
        raise BadInput(f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}") from error


def local_instant(text: str, zone: str) -> datetime:
    """What a date-and-time field holds, as an instant; BadInput where it is none."""
    if not text:
        raise BadInput("Give the day and the time.")
    try:
        return instant_of(text, zone)
    except NoSuchTime as error:
        raise BadInput(f"{error}.") from error


def shown(one: Held) -> Shown:
    """A held reading in words, however broken it is."""
    quantities = _inside(one.item, "reading", "quantities")
    address = _inside(one.item, "reading", "device").get("address") or _inside(one.item).get("address")
    device = one.device_label or (address if isinstance(address, str) else None) or one.gateway_id or "unknown"
    return Shown(one, values_of(quantities), device)


def _inside(item: Any, *path: str) -> dict[str, Any]:
    """The object at a path in what arrived; empty where there is none."""
    found: Any = item
    for step in path:
        found = cast(dict[str, Any], found).get(step) if isinstance(found, dict) else None
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def values_of(quantities: dict[str, Any]) -> tuple[str, ...]:
    """The values as people say them: 270/130 mmHg, Pulse 72 /min."""
    rest = dict(quantities)
    systolic, diastolic = _inside(quantities, "systolic"), _inside(quantities, "diastolic")
    said: list[str] = []
    if all(isinstance(one.get("value"), int | float) for one in (systolic, diastolic)):
        unit = str(systolic.get("unit", ""))
        if unit == diastolic.get("unit"):
            decimals = BY_NAME["systolic"].decimals.get(unit, 1)
            pair = "/".join(number(one["value"], decimals) for one in (systolic, diastolic))
            said.append(f"{pair} {UNIT_LABEL.get(unit, unit)}")
            rest = {name: each for name, each in rest.items() if name not in {"systolic", "diastolic"}}
    return (*said, *(_value(name, each) for name, each in rest.items()))


def _value(name: str, quantity: Any) -> str:
    code = BY_NAME.get(name)
    label = code.label if code else name
    if not isinstance(quantity, dict):
        return label
    fields = cast(dict[str, Any], quantity)
    value, unit = fields.get("value"), str(fields.get("unit", ""))
    if isinstance(value, int | float):
        decimals = code.decimals.get(unit, 1) if code else 1
        return f"{label} {number(value, decimals)} {UNIT_LABEL.get(unit, unit)}"
    absent = str(fields.get("absent", ""))
    return f"{label} {SHOWN_ABSENT.get(absent, 'without a number')}"


@router.get("/held")
def show_list(
    request: Request,
    actor: Care,
    store: Store,
    now: Now,
    decided: Annotated[bool, Query()] = False,  # noqa: FBT002 - FastAPI fills it by name
    done: Annotated[str, Query(max_length=10)] = "",
    reason: Annotated[Reason | None, Query()] = None,
    before: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
    tried: Annotated[str, Query(pattern=r"^(\d{1,6},\d{1,6},\d{1,6})?$")] = "",
) -> Response:
    """What waits for a decision, newest first; with `decided`, everything."""
    with store.transaction() as connection:
        found = holding.list_held(
            connection,
            actor=actor,
            state=None if decided else "held",
            wanted=Wanted(reason=reason, before=before),
            limit=ROWS_MAX,
        )
        reasons = holding.count_by_reason(connection, actor=actor)
        waiting = holding.count_held(connection, actor=actor)
        suggested = suggestions(connection, found, actor=actor)
        seen = {each.patient_id for each in found if each.patient_id is not None}
        seen.update(*(each.people for each in suggested.values()))
        record(connection, actor, Action.SAW_HELD, now=now, patients=seen)
    return render(
        request, "held.html", now=now, rows=[shown(each) for each in found], waiting=waiting, decided=decided, full=len(found) == ROWS_MAX,
        done=DONE.get(done, ""), suggested=suggested, reasons=reasons, reason=reason, sentences=SENTENCES,
        tried=dict(zip(Result, map(int, tried.split(",")), strict=True)) if tried else None, note_length_max=NOTE_LENGTH_MAX,
    )  # fmt: skip


@router.get("/held/{held_id}")
def show(
    request: Request,
    held_id: int,
    actor: Care,
    store: Store,
    now: Now,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """One held reading as it came, with what can be done."""
    with store.transaction() as connection:
        try:
            found = holding.show(connection, held_id, actor=actor)
        except UserError as error:
            raise NotFound from error
        people = patients.search(connection, "", practice_id=actor.practice_id) if found.claimable else []
        suggestion = suggestions(connection, [found], actor=actor).get(held_id)
        seen = suggestion.people if suggestion else None
        record(connection, actor, Action.SAW_HELD, now=now, patient_id=found.patient_id, patients=seen, held=held_id)
    likely = suggestion.likely.user if suggestion and suggestion.likely else None
    return render(
        request,
        "held_one.html",
        now=now,
        row=shown(found),
        # Whoever is likely is offered first and marked; nobody is chosen beforehand.
        people=[each for each in people if likely is None or each.public_id != likely.public_id],
        likely=likely,
        suggestion=suggestion,
        note_length_max=NOTE_LENGTH_MAX,
        done=DONE.get(done, ""),
        zone=ZoneInfo(session_of_request(request).time_zone),
    )


@router.post("/held/{held_id}/release")
def release(held_id: int, actor: Care, store: Store, now: Now) -> Response:
    """Use an unlikely value as it is."""
    with told(), store.transaction() as connection:
        held.release(connection, held_id, actor=actor, now=now)
    return RedirectResponse("/held?done=released", status_code=303)


@router.post("/held/{held_id}/void")
def void(
    held_id: int, actor: Care, store: Store, now: Now, note: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = ""
) -> Response:
    """Set it aside for good."""
    with told(), store.transaction() as connection:
        held.void(connection, held_id, actor=actor, note=note, now=now)
    return RedirectResponse("/held?done=void", status_code=303)


@router.post("/held/replay")
def replay_reason(
    actor: Care,
    store: Store,
    now: Now,
    reason: Annotated[Reason, Form()],
    why: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = "",
) -> Response:
    """Take in once more what is held for one reason, the oldest PRESS_MAX of it."""
    counts = Counter(
        one.result
        for one in replaying.replay(store, Wanted(reason=reason), actor=actor, why=why, now=now, limit=PRESS_MAX)
    )
    told_by = ",".join(str(counts[result]) for result in Result)
    return RedirectResponse(f"/held?reason={reason}&tried={told_by}", status_code=303)


@router.post("/held/{held_id}/replay")
def replay_one(
    held_id: int, actor: Care, store: Store, now: Now, why: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = ""
) -> Response:
    """Take it in once more, as it would be today."""
    with told(), store.transaction() as connection:
        tried = replaying.replay_one(connection, held_id, actor=actor, why=why, now=now)
    word = tried.result.name.lower()
    return RedirectResponse(
        f"/held/{held_id}?done={word}" if tried.result is Result.STILL_HELD else f"/held?done={word}", status_code=303
    )


@router.post("/held/{held_id}/claim")
def claim(
    request: Request,
    held_id: int,
    actor: Care,
    store: Store,
    now: Now,
    patient: Annotated[UUID, Form()],
    start: Annotated[str, Form(max_length=32)],
    end: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Say whose it is, and since when the device is theirs."""
    zone = session_of_request(request).time_zone
    since, until = local_instant(start, zone), local_instant(end, zone) if end else None
    with told(), store.transaction() as connection:
        person = find(connection, patient, actor)
        held.claim(connection, held_id, patient_id=person.patient_id, start=since, end=until, actor=actor, now=now)
    return RedirectResponse("/held?done=claimed", status_code=303)
