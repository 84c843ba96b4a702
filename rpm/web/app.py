"""The web application: pages put together from every module of this package that has a `router`."""

import importlib
import pkgutil
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from alerts.channels import ChannelError
from alerts.channels.book import read_hooks
from alerts.channels.carriers import Carrier
from alerts.layers import Layer
from alerts.rulefile import RulesError
from alerts.rules import Rule
from rpm import web
from rpm.access import Role
from rpm.calling import installation_plan
from rpm.enrolment import UNAVAILABLE
from rpm.errors import UserError
from rpm.rulebook import read_layers, read_rulebook
from rpm.settings import Settings
from rpm.store.database import Clock, Database, DatabaseUnavailable
from rpm.web import enrol, health
from rpm.web.live import Watcher
from rpm.web.pages import STATIC, is_fragment, render
from rpm.web.problems import BadInput, Forbidden, ForeignForm, NotFound, NotSignedIn
from rpm.web.session import is_https, now_of
from rpm.web.shown import Shown
from schemas.enrolment import Refusal, RefusalReason

_log = structlog.get_logger()

#: The largest form is a note; nobody posts more.
BODY_BYTES_MAX: Final = 65_536
STATIC_AGE_S: Final = 31_536_000

#: Everything comes from us, nothing is inline, nobody frames us, a form goes nowhere else.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


#: How a page speaks of the people of a role.
_PEOPLE: Final = {
    Role.NURSE: "nurses",
    Role.SUPPORT: "support staff",
    Role.BILLER: "billing staff",
    Role.ADMIN: "administrators",
}


class SecurityHeaders:
    """Adds the headers every answer carries, and refuses bodies larger than any form of ours."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, https: bool) -> None:
        self.app = app
        self.headers = {
            "content-security-policy": CONTENT_SECURITY_POLICY,
            "x-content-type-options": "nosniff",
            # `no-referrer` would make browsers send `Origin: null` with our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        if https:
            self.headers["strict-transport-security"] = f"max-age={STATIC_AGE_S}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded body, and the answer back with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"])
        length = given.get(b"content-length", b"0")
        if b"transfer-encoding" in given or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            await _too_much(scope)(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                cacheable = scope["path"].startswith("/static/") and message["status"] in (200, 304)
                cache = f"public, max-age={STATIC_AGE_S}, immutable" if cacheable else "no-store"
                added = {**self.headers, "cache-control": cache}
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.encode(), value.encode()) for name, value in added.items()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        # A request's outer edge: a driver's message can quote a row, so neither page nor log repeats it.
        except Exception as error:  # noqa: BLE001
            _log.error("web_error", route=_route_of(scope), **where(error))
            if started:
                raise ConnectionAbortedError from None
            page = _failed(scope)
            await page(scope, receive, send_with_headers)


def _too_much(scope: Scope) -> Response:
    if scope["path"] in enrol.PATHS:
        return enrol.refused(Refusal(reason=RefusalReason.BAD_CSR, detail="This is more than any request takes."))
    return Response("This is more than any form here takes.", 413)


def _failed(scope: Scope) -> Response:
    if scope["path"] in enrol.PATHS:
        return enrol.refused(UNAVAILABLE)
    return _error_page(
        Request(scope), 500, "Something went wrong here", "It is noted. Try again; if it stays, tell support."
    )


def where(error: BaseException) -> dict[str, str]:
    """Kind and place of an error, for the log: never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"kind": type(error).__name__, "place": place}


def routers() -> list[APIRouter]:
    """The `router` of every module in `rpm.web`, by module name."""
    names = sorted(found.name for found in pkgutil.iter_modules(web.__path__))
    modules = (importlib.import_module(f"{web.__name__}.{name}") for name in names)
    return [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]


def paths(router: APIRouter) -> list[str]:
    """The path patterns of a router's routes."""
    return [route.path for route in router.routes if isinstance(route, APIRoute)]


def create_app(database: Database, settings: Settings, clock: Clock) -> FastAPI:
    """The pages over one database. `clock` is the database's own in production, a story's in a story."""
    watcher = Watcher(database, clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        watcher.start()
        yield
        await run_in_threadpool(watcher.stop)

    app = FastAPI(title="Remote monitoring", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.watcher = watcher
    app.state.database = database
    app.state.settings = settings
    app.state.clock = clock
    app.state.rules = _rules(settings)
    app.state.layers = _layers(settings, app.state.rules)
    app.state.plan = installation_plan(settings.escalation_file)
    app.state.hooks = _hooks(settings)
    app.state.shown = Shown()
    app.state.health = health.Desk(database)
    app.state.registrar = enrol.registrar_of(settings)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.state.paths = frozenset(path for router in routers() for path in paths(router))
    for router in routers():
        app.include_router(router)
    app.add_middleware(SecurityHeaders, https=is_https(settings))
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    for kind in (Forbidden, ForeignForm, BadInput, NotFound, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _explained)
    app.add_exception_handler(DatabaseUnavailable, _database_away)
    return app


def create_enrolment_app(database: Database, settings: Settings, clock: Clock) -> FastAPI:
    """Only what boxes ask for certificates: for the host that has the authorities' keys, where that is not the pages'."""
    app = FastAPI(title="Enrolment", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.database = database
    app.state.settings = settings
    app.state.clock = clock
    app.state.registrar = enrol.registrar_of(settings)
    app.include_router(enrol.router)
    app.add_middleware(SecurityHeaders, https=is_https(settings))
    return app


def _rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules whose limits the charts show; UserError where the file cannot be used."""
    try:
        return read_rulebook(settings.rules_file)
    except RulesError as error:
        raise UserError(f"RPM_RULES_FILE: {error}") from error


def _layers(settings: Settings, rules: tuple[Rule, ...]) -> tuple[Layer, ...]:
    """What replaces limits of the rules; UserError where a file cannot be used."""
    try:
        return read_layers(settings.limits_folder, rules)
    except RulesError as error:
        raise UserError(f"RPM_LIMITS_FOLDER: {error}") from error


def _hooks(settings: Settings) -> Mapping[str, Carrier]:
    """Providers of messages that report to these pages, by name; UserError where the file cannot be used."""
    try:
        return read_hooks(settings.channels_file)
    except ChannelError as error:
        raise UserError(f"RPM_CHANNELS_FILE: {error}") from error


def _not_signed_in(request: Request, _error: Exception) -> Response:
    """To the log-in page, and back to where one was."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/login?next={quote(path)}" if request.method == "GET" and not is_fragment(request) else "/login"
    if is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": target})
    if request.headers.get("accept", "").startswith(("application/json", "text/event-stream")):
        return JSONResponse({"error": "not signed in"}, status_code=401)
    return RedirectResponse(target, status_code=303)


def _explanation(error: Exception) -> tuple[int, str, str]:
    """Status, headline and what to do, without a word of what was asked for."""
    match error:
        case Forbidden():
            who = " and ".join(_PEOPLE[role] for role in error.roles)
            return 403, "This page is not yours to open", f"It is for {who}. Ask your administrator if you need it."
        case ForeignForm():
            return 403, "This form is out of date", "Go back, load the page again, and repeat what you did."
        case BadInput():
            return 400, "That did not work", str(error)
        case RequestValidationError() if any(part["loc"][0] == "path" for part in error.errors()):
            return 404, "There is no such page", "The address may be mistyped, or what it showed is gone."
        case RequestValidationError():
            fields = ", ".join(sorted({str(part["loc"][-1]) for part in error.errors()}))
            return 400, "That did not work", f"Check what you entered in: {fields}."
        case NotFound() | HTTPException(status_code=404):
            return 404, "There is no such page", "The address may be mistyped, or what it showed is gone."
        case HTTPException():
            return error.status_code, "That did not work", "Go back and try again."
        case _:
            raise AssertionError from error


def _explained(request: Request, error: Exception) -> Response:
    status, headline, advice = _explanation(error)
    return _error_page(request, status, headline, advice)


def _database_away(request: Request, _error: Exception) -> Response:
    _log.error("web_database_unavailable", route=_route_of(request.scope))
    return _error_page(request, 503, "The database does not answer", "Readings are kept. Try again in a minute.")


def _route_of(scope: Scope) -> str:
    """The route's pattern, never its address: an address can hold somebody's id."""
    route: Any = scope.get("route")
    return getattr(route, "path", "")


def _error_page(request: Request, status: int, headline: str, advice: str) -> Response:
    try:
        now = now_of(request)
    except DatabaseUnavailable:
        return Response(f"{headline}. {advice}\n", status, media_type="text/plain")
    if is_fragment(request):
        headers = {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
        return render(
            request, "error_notice.html", now=now, status=status, headers=headers, headline=headline, advice=advice
        )
    return render(request, "error.html", now=now, status=status, headline=headline, advice=advice)
