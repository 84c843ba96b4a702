"""Who is asking, and whether he may: the dependencies every route declares.

    router = APIRouter()

    @router.get("/held")
    def held(request: Request, actor: Annotated[Actor, Depends(require("nurse", "admin"))], store: Store, now: Now): ...

`require` also refuses an unsafe request that did not come from one of our own forms: each form carries
`<input type="hidden" name="csrf" value="{{ csrf }}">`. A test goes over all routes and fails on one without it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from rpm.access import SESSION_AGE_MAX, SESSION_TOUCH_EVERY, Actor, Role, SessionEnd, same_secret, session_end
from rpm.settings import Settings
from rpm.store import sessions
from rpm.store.database import Clock, Connection, Database
from rpm.web.problems import Forbidden, ForeignForm, NotSignedIn

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
#: Sent by a page that refreshes itself: such a request is no sign of a person.
AUTOMATIC_HEADER: Final = "x-automatic"


def database_of(request: Request) -> Database:
    """The application's database."""
    return cast(Database, request.app.state.database)


def settings_of(request: Request) -> Settings:
    """The application's settings."""
    return cast(Settings, request.app.state.settings)


def now_of(request: Request) -> datetime:
    """The instant of this request, by the one clock; everything below takes it as an argument."""
    return cast(Clock, request.app.state.clock)()


class OwnStore:
    """What a page may reach: the rows of the practice of who is signed in; none before somebody is."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """One transaction of that practice; as Database.transaction otherwise."""
        session: sessions.Session | None = getattr(self._request.state, "session", None)
        practice_id = None if session is None else session.actor.practice_id
        with database_of(self._request).of_practice(practice_id) as connection:
            yield connection


Store = Annotated[OwnStore, Depends(OwnStore)]
#: Every practice's rows: to find out who somebody is.
Everything = Annotated[Database, Depends(database_of)]
Now = Annotated[datetime, Depends(now_of)]


def is_https(settings: Settings) -> bool:
    """Whether people reach the pages by https: then the cookie is bound to it."""
    return urlsplit(settings.public_url).scheme == "https"


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this host and to https, where there is https."""
    return "__Host-rpm_session" if is_https(settings) else "rpm_session"


def set_cookie(response: Response, settings: Settings, token: str) -> None:
    """Hand a session's token to the browser."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(SESSION_AGE_MAX.total_seconds()),
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, settings: Settings) -> None:
    """Make the browser forget its token."""
    response.delete_cookie(cookie_name(settings), path="/", secure=is_https(settings), httponly=True, samesite="lax")


def token_of(request: Request) -> str | None:
    """The session token the browser sent, if any."""
    return request.cookies.get(cookie_name(settings_of(request)))


def find_session(
    connection: Connection, token: str | None, *, now: datetime
) -> tuple[sessions.Session | None, SessionEnd | None]:
    """The living session behind a token, or None with the reason why it ended (no reason: there never was one)."""
    session = sessions.find(connection, token) if token else None
    if session is None:
        return None, None
    ended = session_end(seen_at=session.seen_at, expires_at=session.expires_at, active=session.active, now=now)
    return (None, ended) if ended else (session, None)


def current_session(request: Request, store: Everything, now: Now) -> sessions.Session:
    """The session of this request; raises NotSignedIn. A person's request keeps it alive, a page's own does not."""
    token = token_of(request)
    with store.transaction() as connection:
        session, _ended = find_session(connection, token, now=now)
        if session is None:
            raise NotSignedIn
        if AUTOMATIC_HEADER not in request.headers and now - session.seen_at >= SESSION_TOUCH_EVERY:
            assert token is not None, "a session was found by it"
            sessions.touch(connection, token, now=now)
    request.state.session = session
    return session


def same_origin(request: Request) -> bool:
    """Whether the browser says the request comes from a page of ours. A browser that says nothing is not believed."""
    origin = request.headers.get("origin")
    if origin is not None:
        hosts = {request.headers.get("host", ""), urlsplit(settings_of(request).public_url).netloc}
        return urlsplit(origin).netloc in hosts
    return request.headers.get("sec-fetch-site") == "same-origin"


def own_origin(request: Request) -> None:
    """Refuse an unsafe request from another site; for the one form that has no session yet."""
    if request.method not in SAFE_METHODS and not same_origin(request):
        raise ForeignForm


async def own_form(request: Request, session: Annotated[sessions.Session, Depends(current_session)]) -> None:
    """Refuse an unsafe request that does not carry this session's token, or comes from another site."""
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else ""
    if not same_origin(request) or not same_secret(given, session.csrf_token):
        raise ForeignForm


class Require:
    """A dependency that lets in the roles it names and answers with the Actor."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        self.roles = roles

    def __call__(
        self,
        session: Annotated[sessions.Session, Depends(current_session)],
        _form: Annotated[None, Depends(own_form)],
    ) -> Actor:
        """The person who asks; raises NotSignedIn, ForeignForm or Forbidden."""
        if session.actor.role not in self.roles:
            raise Forbidden(self.roles)
        return session.actor


def require(*roles: str) -> Require:
    """`Depends(require("nurse", "admin"))`: only these roles, only with a living session, only from our own forms."""
    return Require(tuple(Role(role) for role in roles))


def session_of_request(request: Request) -> sessions.Session:
    """The session `require` found for this request."""
    return cast(sessions.Session, request.state.session)


Nurse = Annotated[Actor, Depends(require("nurse"))]
Admin = Annotated[Actor, Depends(require("admin"))]
Care = Annotated[Actor, Depends(require("nurse", "admin"))]
#: Who looks after boxes and devices.
Keeper = Annotated[Actor, Depends(require("nurse", "support", "admin"))]
#: Who lets boxes in.
Fitter = Annotated[Actor, Depends(require("support", "admin"))]
Anybody = Annotated[Actor, Depends(require("nurse", "support", "biller", "admin"))]
