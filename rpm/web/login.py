"""Signing in and out."""

from datetime import datetime
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from rpm import access
from rpm.access import ThrottleScope
from rpm.audit import Action, record
from rpm.store import sessions, staff
from rpm.store.audit import append
from rpm.store.database import Database
from rpm.web.pages import HOME, render
from rpm.web.session import (
    Anybody,
    Everything,
    Now,
    drop_cookie,
    find_session,
    own_origin,
    set_cookie,
    settings_of,
    token_of,
)

router = APIRouter()
_log = structlog.get_logger()

#: One answer for a wrong name and a wrong password: nobody learns which names exist.
WRONG: Final = "That name and password do not belong together."
TOO_MANY: Final = "Too many attempts. Wait a quarter of an hour, or ask your administrator for a new password."
NAME_LENGTH_MAX: Final = 100


def local_path(path: str) -> str:
    """`path` where it leads to a page of ours, else the front page: nobody is sent to another site."""
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if safe else "/"


@router.get("/login")
def show(
    request: Request, store: Everything, now: Now, following: Annotated[str, Query(alias="next")] = "/", why: str = ""
) -> Response:
    """The log-in form; somebody already signed in goes on."""
    with store.transaction() as connection:
        session, ended = find_session(connection, token_of(request), now=now)
    if session is not None:
        return RedirectResponse(local_path(following), status_code=303)
    message = str(ended) if ended else ("You are signed out." if why == "out" else "")
    return render(request, "login.html", now=now, next=local_path(following), message=message, wrong="", username="")


@router.post("/login", dependencies=[Depends(own_origin)])
def sign_in(
    request: Request,
    store: Everything,
    now: Now,
    username: Annotated[str, Form(max_length=NAME_LENGTH_MAX)] = "",
    password: Annotated[str, Form()] = "",
    following: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check name and password; a new session where they are right, whatever session there was before."""
    username = username.strip().lower()
    address = request.client.host if request.client else ""
    keys = access.throttle_keys(username=username, address=address)
    account, wrong = _check(store, username, password, keys, now=now)
    if wrong or account is None:
        return _refused(request, username, following, wrong, now=now)
    with store.transaction() as connection:
        sessions.forget_failures(connection, [keys[ThrottleScope.PAIR]])
        old = token_of(request)
        if old:
            sessions.end(connection, old)
        token = sessions.start(connection, staff_id=account.staff_id, now=now)
        actor = access.Actor(account.staff_id, account.practice_id, access.Role(account.role), account.display_name)
        record(connection, actor, Action.SIGNED_IN, now=now)
    answer = RedirectResponse(local_path(following), status_code=303)
    set_cookie(answer, settings_of(request), token)
    return answer


def _check(
    store: Database, username: str, password: str, keys: dict[ThrottleScope, bytes], *, now: datetime
) -> tuple[staff.Account | None, str]:
    """The account and "", or what to answer. No transaction is open while argon2 works."""
    with store.transaction() as connection:
        failures = sessions.failures(connection, list(keys.values()), now=now)
        account = staff.by_username(connection, username)
    if any(access.wait_until(scope, failures.get(key), now=now) for scope, key in keys.items()):
        _log.warning("login_throttled")
        return None, TOO_MANY
    known = account.password_hash if account and account.active else None
    if access.password_matches(password, known):
        return account, ""
    with store.transaction() as connection:
        sessions.count_failure(connection, list(keys.values()), now=now)
        if account is not None:
            append(
                connection,
                practice_id=account.practice_id,
                staff_id=account.staff_id,
                patient_id=None,
                action=Action.SIGN_IN_REFUSED,
                detail={},
                now=now,
            )
    _log.info("login_refused")
    return None, WRONG


def _refused(request: Request, username: str, following: str, wrong: str, *, now: datetime) -> HTMLResponse:
    status = 429 if wrong == TOO_MANY else 401
    return render(
        request,
        "login.html",
        now=now,
        status=status,
        next=local_path(following),
        message="",
        wrong=wrong,
        username=username,
    )


@router.post("/logout")
def sign_out(request: Request, actor: Anybody, store: Everything, now: Now) -> Response:
    """End this session."""
    token = token_of(request)
    assert token is not None, "require found the session by it"
    with store.transaction() as connection:
        sessions.end(connection, token)
        record(connection, actor, Action.SIGNED_OUT, now=now)
    answer = RedirectResponse("/login?why=out", status_code=303)
    drop_cookie(answer, settings_of(request))
    return answer


@router.get("/")
def front(actor: Anybody) -> Response:
    """Everybody's own first page."""
    return RedirectResponse(HOME[actor.role], status_code=303)
