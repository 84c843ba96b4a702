"""Where boxes ask for certificates: no session, no form, JSON in and out. `schemas.enrolment` is the whole contract.

Who may ask is decided by a claim code or a signature, not by a cookie. Every refusal is a `Refusal`, whatever went wrong,
and none tells more than its reason: an address that guesses learns nothing and is soon locked out.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from rpm import enrolment
from rpm.enrolment import UNAVAILABLE, Registrar
from rpm.errors import UserError
from rpm.identity.authority import Kind, load
from rpm.settings import Settings
from rpm.store.database import DatabaseUnavailable
from rpm.web.session import database_of, now_of
from schemas.enrolment import (
    ENROL_PATH,
    RENEW_PATH,
    Certified,
    EnrolRequest,
    Refusal,
    RefusalReason,
    RenewRequest,
)

_log = structlog.get_logger()

router = APIRouter()

PATHS: Final = frozenset({ENROL_PATH, RENEW_PATH})
STATUS: Final = {
    RefusalReason.CLAIM_REFUSED: HTTPStatus.FORBIDDEN,
    RefusalReason.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    RefusalReason.BAD_CSR: HTTPStatus.BAD_REQUEST,
    RefusalReason.RENEWAL_REFUSED: HTTPStatus.FORBIDDEN,
    RefusalReason.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: What an answer says where the request cannot be read at all.
UNREADABLE: Final = "The request cannot be read: is the program of this box up to date?"


def registrar_of(settings: Settings) -> Registrar | None:
    """Who signs in this process; None where it is to sign nothing. UserError where it is to, and cannot."""
    if settings.ca_folder is None:
        return None
    settings.require("gateway_broker_url")
    authority = load(settings.ca_folder, Kind.GATEWAYS)
    ca_file = settings.gateway_broker_ca or settings.ca_folder / f"{Kind.SERVICES}.crt"
    try:
        broker_ca = ca_file.read_text("utf-8")
    except OSError as error:
        raise UserError(
            f"{ca_file} cannot be read ({error.strerror}): it vouches for the broker to gateways"
        ) from error
    return Registrar(authority, settings.gateway_broker_url, broker_ca, settings.gateway_grant_wait_s)


def refused(refusal: Refusal) -> Response:
    """A refusal as it travels: its reason decides the status."""
    return Response(refusal.model_dump_json(), STATUS[refusal.reason], media_type="application/json")


@router.post(ENROL_PATH)
async def enrol(request: Request) -> Response:
    """A box that was claimed asks for its first certificate."""
    body = await request.body()

    def answer() -> Certified | Refusal:
        return _answer(request, body, EnrolRequest, enrolment.enrol, RefusalReason.CLAIM_REFUSED)

    return await _answered(answer)


@router.post(RENEW_PATH)
async def renew(request: Request) -> Response:
    """A gateway asks for its next certificate."""
    body = await request.body()

    def answer() -> Certified | Refusal:
        return _answer(request, body, RenewRequest, enrolment.renew, RefusalReason.RENEWAL_REFUSED)

    return await _answered(answer)


async def _answered(answer: Callable[[], Certified | Refusal]) -> Response:
    try:
        found = await run_in_threadpool(answer)
    except DatabaseUnavailable:
        _log.error("enrolment_database_unavailable")
        found = UNAVAILABLE
    if isinstance(found, Refusal):
        return refused(found)
    return Response(found.model_dump_json(), media_type="application/json")


def _answer(
    request: Request,
    body: bytes,
    kind: type[EnrolRequest] | type[RenewRequest],
    decide: Callable[..., Certified | Refusal],
    otherwise: RefusalReason,
) -> Certified | Refusal:
    """`otherwise` is the reason where a field that is to be secret cannot be read; a request's own fault is BAD_CSR."""
    database, now = database_of(request), now_of(request)
    registrar: Registrar | None = request.app.state.registrar
    if registrar is None:
        return UNAVAILABLE
    address = request.client.host if request.client else ""
    try:
        asked = kind.model_validate_json(body)
    except ValidationError as error:
        wrong = {str(part["loc"][0]) if part["loc"] else "" for part in error.errors(include_url=False)}
        reason = otherwise if wrong & {"claim_code", "gateway_id", "signed_at", "signature"} else RefusalReason.BAD_CSR
        detail = enrolment.CLAIM_REFUSED.detail if reason is RefusalReason.CLAIM_REFUSED else UNREADABLE
        return enrolment.refuse_malformed(database, reason, detail, address=address, now=now)
    return decide(database, registrar, asked, address=address, now=now)
