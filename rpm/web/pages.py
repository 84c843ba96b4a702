"""Templates made into answers. Every page knows who looks, where he may go, and what instant it was made at."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rpm.access import Role
from rpm.store.sessions import Session
from rpm.upkeep import event_words
from rpm.web import formats
from rpm.web.clocks import BY_CLOCK

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

SEVERITY_WORD: Final = {3: "urgent", 2: "priority", 1: "routine"}
SEVERITY_SHAPE: Final = {3: "●", 2: "▲", 1: "○"}


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    path: str
    label: str
    roles: frozenset[Role]


#: What each role finds at the top, in the order of its day. A path without a route is left out.
PLACES: Final = (
    Place("/worklist", "Worklist", frozenset({Role.NURSE})),
    Place("/patients", "Patients", frozenset({Role.NURSE})),
    Place("/billing", "Billing", frozenset({Role.BILLER, Role.ADMIN})),
    Place("/held", "Held readings", frozenset({Role.NURSE, Role.ADMIN})),
    Place("/faults", "Faults", frozenset({Role.SUPPORT, Role.ADMIN})),
    Place("/fleet", "Homes", frozenset({Role.NURSE, Role.SUPPORT, Role.ADMIN})),
    Place("/devices", "Devices", frozenset({Role.NURSE, Role.SUPPORT, Role.ADMIN})),
    Place("/oncall", "On call", frozenset({Role.NURSE, Role.SUPPORT, Role.ADMIN})),
    Place("/admin", "Administration", frozenset({Role.ADMIN})),
)

HOME: Final = {Role.NURSE: "/worklist", Role.SUPPORT: "/fleet", Role.BILLER: "/billing", Role.ADMIN: "/admin"}


#: What the pages take from npm; copied in at build, never committed.
VENDORED: Final = ("vendor/htmx.min.js", "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css")


def missing_assets() -> list[str]:
    """Which of the vendored files are not there."""
    return [name for name in VENDORED if not (STATIC / name).is_file()]


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its contents: browsers may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words: dict[str, Any] = made.globals
    words.update(
        {
            "asset": asset,
            "severity_word": SEVERITY_WORD,
            "severity_shape": SEVERITY_SHAPE,
            "age_years": formats.age_years,
            "initials": formats.initials,
            "plural": formats.plural,
            "quantity": formats.quantity,
            "unit_label": formats.unit_label,
        }
    )
    filters: dict[str, Any] = made.filters
    filters.update(
        {
            "absolute": formats.absolute,
            "by_clock": BY_CLOCK.__getitem__,
            "short": formats.short,
            "day": formats.day,
            "ago": formats.ago,
            "moment": formats.moment,
            "there": formats.there,
            "words": formats.words,
            "give_or_take": formats.give_or_take,
            "event_words": event_words,
            "due": formats.due,
            "span": formats.span,
            "clock": formats.clock,
        }
    )
    return made


_TEMPLATES = _environment()


def places_of(request: Request, role: Role) -> list[Place]:
    """The navigation of a role: only pages this installation has."""
    paths = cast(frozenset[str], request.app.state.paths)
    return [place for place in PLACES if role in place.roles and place.path in paths]


def session_of(request: Request) -> Session | None:
    """The session `require` found, or None on a page for everybody."""
    return cast(Session | None, getattr(request.state, "session", None))


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page; otherwise a browser asks for a whole one."""
    return request.headers.get("hx-request") == "true"


def render(
    request: Request,
    template: str,
    *,
    now: datetime,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page or fragment. Templates that extend `base.html` also get `session`, `csrf`, `places`, `here` and `now`."""
    session = session_of(request)
    html = _TEMPLATES.get_template(template).render(
        now=now,
        session=session,
        csrf=session.csrf_token if session else "",
        places=places_of(request, session.actor.role) if session else [],
        here=request.url.path,
        **context,
    )
    return HTMLResponse(html, status_code=status, headers=headers)
