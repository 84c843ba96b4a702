"""Letting a box in and cutting it off, in the browser: a code, its six steps as they happen, revoking and replacing (F11, F22).

The code is shown by the answer that made it and never again: only its hash is kept. The steps keep themselves fresh.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from rpm import claiming
from rpm.access import Actor
from rpm.audit import Action, record
from rpm.claiming import CutOff
from rpm.errors import UserError
from rpm.installing import finished, steps
from rpm.store import gateways, installs
from rpm.store.claims import Opened
from rpm.store.database import Connection
from rpm.store.devices import LABEL_LENGTH_MAX
from rpm.store.gateways import Gateway
from rpm.web.held import told
from rpm.web.pages import render
from rpm.web.problems import NotFound
from rpm.web.session import Admin, Fitter, Now, OwnStore, Store
from rpm.web.shown import showing

router = APIRouter()


@router.post("/fleet/boxes")
def open_new(
    request: Request,
    actor: Fitter,
    store: Store,
    now: Now,
    label: Annotated[str, Form(min_length=1, max_length=LABEL_LENGTH_MAX)],
) -> Response:
    """A new box of the practice, and the code that lets it in."""
    with told(), store.transaction() as connection:
        opened = claiming.open_new(connection, label.strip(), actor=actor, now=now)
    return _code(request, store, actor, opened, now=now)


@router.post("/gateways/{gateway_id}/claim")
def open_claim(request: Request, gateway_id: str, actor: Fitter, store: Store, now: Now) -> Response:
    """A code for a box of the practice; one made before and not used works no more."""
    with told(), store.transaction() as connection:
        _box(connection, gateway_id, actor)
        opened = claiming.open_claim(connection, gateway_id, actor=actor, now=now)
    return _code(request, store, actor, opened, now=now)


@router.get("/gateways/{gateway_id}/install")
def show(request: Request, gateway_id: str, actor: Fitter, store: Store, now: Now) -> Response:
    """How far the box of the newest code has come, without the code."""
    with store.transaction() as connection:
        facts = _facts(connection, gateway_id, actor, now=now)
        record(connection, actor, Action.SAW_FLEET, now=now, gateway=gateway_id)
    showing(request, f"install {gateway_id}").keep((), now=now)
    return render(request, "install.html", now=now, opened=None, **facts)


@router.get("/gateways/{gateway_id}/install/now")
def show_now(request: Request, gateway_id: str, actor: Fitter, store: Store, now: Now) -> Response:
    """The steps without the page around them."""
    page = showing(request, f"install {gateway_id}")
    with store.transaction() as connection:
        facts = _facts(connection, gateway_id, actor, now=now)
        if news := page.news((), now=now):
            record(connection, actor, Action.SAW_FLEET, now=now, gateway=gateway_id)
    if news:
        page.keep((), now=now)
    return render(request, "install_now.html", now=now, **facts)


@router.post("/gateways/{gateway_id}/revoke")
def revoke(
    gateway_id: str,
    actor: Admin,
    store: Store,
    now: Now,
    reason: Annotated[CutOff, Form()],
    sure: Annotated[Literal["", "true"], Form()] = "",
) -> Response:
    """Cut a lost or returned box off: the broker's guard does it."""
    with told(), store.transaction() as connection:
        _box(connection, gateway_id, actor)
        _sure(sure)
        claiming.revoke(connection, gateway_id, actor=actor, reason=reason, now=now)
    return RedirectResponse(f"/gateways/{gateway_id}#identity", status_code=303)


@router.post("/gateways/{gateway_id}/replace")
def replace(
    request: Request,
    gateway_id: str,
    actor: Admin,
    store: Store,
    now: Now,
    reason: Annotated[CutOff, Form()],
    sure: Annotated[Literal["", "true"], Form()] = "",
) -> Response:
    """Another box takes the place of this one, which is cut off: a code for it."""
    with told(), store.transaction() as connection:
        _box(connection, gateway_id, actor)
        _sure(sure)
        opened = claiming.replace(connection, gateway_id, actor=actor, reason=reason, now=now)
    return _code(request, store, actor, opened, now=now)


def _sure(ticked: str) -> None:
    if not ticked:
        raise UserError("say that you mean it: a box that is cut off sends nothing more until it gets a new code")


def _box(connection: Connection, gateway_id: str, actor: Actor) -> Gateway:
    """A box of the practice; NotFound for nobody's id and for another practice's alike."""
    box = gateways.gateway(connection, gateway_id, practice_id=actor.practice_id)
    if box is None:
        raise NotFound
    return box


def _code(request: Request, store: OwnStore, actor: Actor, opened: Opened, *, now: datetime) -> Response:
    """The page with the code on it. It answers the form itself: an address that showed a code again would be a leak."""
    with store.transaction() as connection:
        facts = _facts(connection, opened.gateway_id, actor, now=now)
    showing(request, f"install {opened.gateway_id}").keep((), now=now)
    return render(request, "install.html", now=now, opened=opened, **facts)


def _facts(connection: Connection, gateway_id: str, actor: Actor, *, now: datetime) -> dict[str, Any]:
    box = _box(connection, gateway_id, actor)
    progress = installs.progress(connection, gateway_id, practice_id=actor.practice_id, now=now)
    found = [] if progress is None else steps(progress, now=now)
    return {
        "box": box,
        "progress": progress,
        "steps": found,
        "finished": bool(found) and finished(found),
        "waits": progress is not None and progress.waits(now=now),
    }
