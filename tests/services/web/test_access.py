"""Who gets in, and who gets what: log-in, sessions, form tokens, roles on every route, other practices' ids.

The matrix below declares for every route who may use it. The test goes over the application's own routes, so a route
nobody declared fails, as does one that lets anybody else in (F104). Another practice's ids answer like ids of nothing.
"""

from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from rpm.store.database import Database
from rpm.web.app import routers
from schemas.enrolment import ENROL_PATH, RENEW_PATH, Refusal
from tests.support.clinic import URGENT, Clinic
from tests.support.visitor import Visitor
from tests.support.website import Website

#: Boxes ask here, by a claim code or a signature: no session gives or takes anything (tests/services/test_enrolment.py).
BY_CODE = frozenset({ENROL_PATH, RENEW_PATH})

#: What a link from a message answers: the link itself is the proof, and nobody can guess one (tests/services/test_contacts.py).
BY_LINK = frozenset({"/a/{token}", "/c/{token}"})

#: What providers of messages bring: their signature is the proof (tests/services/test_texts.py).
BY_SIGNATURE = frozenset({"/hooks/{provider}/report/{token}", "/hooks/{provider}/message"})

ROLES = ("nurse", "support", "biller", "admin")
STAFF = frozenset(ROLES)
EVERYBODY = STAFF | {"anonymous"}
NURSE, ADMIN = frozenset({"nurse"}), frozenset({"admin"})
BILLING, CARE = frozenset({"biller", "admin"}), frozenset({"nurse", "admin"})
#: Support staff look after boxes and devices, and see nothing of what they measure.
KEEPERS = CARE | {"support"}
#: Who lets boxes in.
FITTERS = frozenset({"support", "admin"})

MATRIX: dict[tuple[str, str], frozenset[str]] = {
    ("POST", ENROL_PATH): EVERYBODY,
    ("POST", RENEW_PATH): EVERYBODY,
    ("GET", "/health"): EVERYBODY,
    ("GET", "/"): STAFF,
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("POST", "/logout"): STAFF,
    ("GET", "/live"): NURSE,
    ("POST", "/live/active"): STAFF,
    ("GET", "/worklist"): NURSE,
    ("GET", "/worklist/rows"): NURSE,
    ("GET", "/alerts/{public_id}"): KEEPERS,
    ("GET", "/faults"): KEEPERS,
    ("POST", "/faults/{public_id}/acknowledge"): KEEPERS,
    ("POST", "/faults/{public_id}/close"): KEEPERS,
    ("POST", "/faults/{public_id}/snooze"): KEEPERS,
    ("POST", "/alerts/{public_id}/acknowledge"): NURSE,
    ("POST", "/alerts/{public_id}/close"): NURSE,
    ("GET", "/patients"): NURSE,
    ("GET", "/patients/{public_id}"): NURSE,
    ("GET", "/patients/{public_id}/series"): NURSE,
    ("GET", "/patients/{public_id}/readings/{reading_id}"): NURSE,
    ("POST", "/patients/{public_id}/readings/{reading_id}/void"): NURSE,
    ("POST", "/patients/{public_id}/readings/{reading_id}/restore"): NURSE,
    ("POST", "/patients/{public_id}/readings/{reading_id}/move"): NURSE,
    ("POST", "/patients/{public_id}/timer"): NURSE,
    ("POST", "/timer/stop"): NURSE,
    ("POST", "/timer/discard"): NURSE,
    ("POST", "/patients/{public_id}/minutes"): NURSE,
    ("POST", "/patients/{public_id}/minutes/{entry_id}/reverse"): NURSE,
    ("GET", "/billing"): BILLING,
    ("GET", "/billing/month.csv"): BILLING,
    ("POST", "/billing/close"): BILLING,
    ("GET", "/billing/adjustments.csv"): BILLING,
    ("GET", "/billing/patients/{public_id}"): BILLING,
    ("GET", "/held"): CARE,
    ("GET", "/held/{held_id}"): CARE,
    ("POST", "/held/{held_id}/release"): CARE,
    ("POST", "/held/{held_id}/void"): CARE,
    ("POST", "/held/{held_id}/claim"): CARE,
    ("POST", "/held/{held_id}/replay"): CARE,
    ("POST", "/held/replay"): CARE,
    ("GET", "/devices"): KEEPERS,
    ("GET", "/devices/{device_id}"): KEEPERS,
    ("POST", "/devices"): KEEPERS,
    ("POST", "/devices/{device_id}/assign"): KEEPERS,
    ("POST", "/devices/{device_id}/uses/{assignment_id}/return"): KEEPERS,
    ("POST", "/devices/{device_id}/uses/{assignment_id}/wiped"): KEEPERS,
    ("POST", "/devices/{device_id}/uses/{assignment_id}/confirm"): KEEPERS,
    ("POST", "/devices/{device_id}/uses/{assignment_id}/refuse"): KEEPERS,
    ("POST", "/alerts/{public_id}/snooze"): NURSE,
    ("POST", "/patients/{public_id}/pause"): NURSE,
    ("POST", "/patients/{public_id}/pause/end"): NURSE,
    ("POST", "/patients/{public_id}/pauses/{pause_id}/withdraw"): NURSE,
    ("POST", "/hooks/{provider}/report/{token}"): EVERYBODY,
    ("POST", "/hooks/{provider}/message"): EVERYBODY,
    ("GET", "/review"): CARE,
    ("GET", "/review.csv"): CARE,
    ("POST", "/review/targets"): ADMIN,
    ("GET", "/a/{token}"): EVERYBODY,
    ("POST", "/a/{token}"): EVERYBODY,
    ("GET", "/c/{token}"): EVERYBODY,
    ("POST", "/c/{token}"): EVERYBODY,
    ("GET", "/me/contacts"): KEEPERS,
    ("POST", "/me/contacts"): KEEPERS,
    ("POST", "/me/contacts/{contact_id}/remove"): KEEPERS,
    ("POST", "/me/contacts/{contact_id}/first"): KEEPERS,
    ("POST", "/me/contacts/{contact_id}/ask"): KEEPERS,
    ("POST", "/me/contacts/{contact_id}/code"): KEEPERS,
    ("GET", "/oncall"): KEEPERS,
    ("POST", "/oncall/stand-ins"): KEEPERS,
    ("POST", "/oncall/stand-ins/{stand_in_id}/withdraw"): KEEPERS,
    ("GET", "/oncall/plan"): ADMIN,
    ("POST", "/oncall/plan"): ADMIN,
    ("GET", "/gateways/{gateway_id}"): KEEPERS,
    ("GET", "/gateways/{gateway_id}/now"): KEEPERS,
    ("GET", "/gateways/{gateway_id}/series"): KEEPERS,
    ("POST", "/gateways/{gateway_id}/ask"): KEEPERS,
    ("GET", "/gateways/{gateway_id}/install"): FITTERS,
    ("GET", "/gateways/{gateway_id}/install/now"): FITTERS,
    ("POST", "/gateways/{gateway_id}/claim"): FITTERS,
    ("POST", "/gateways/{gateway_id}/revoke"): ADMIN,
    ("POST", "/gateways/{gateway_id}/replace"): ADMIN,
    ("POST", "/fleet/boxes"): FITTERS,
    ("GET", "/patients/{public_id}/asked"): NURSE,
    ("GET", "/patients/{public_id}/rules"): NURSE,
    ("GET", "/patients/{public_id}/limits"): NURSE,
    ("POST", "/patients/{public_id}/limits"): NURSE,
    ("GET", "/rules/trial"): CARE,
    ("POST", "/rules/trial"): CARE,
    ("POST", "/patients/{public_id}/facts"): NURSE,
    ("POST", "/patients/{public_id}/facts/{fact_id}/end"): NURSE,
    ("POST", "/patients/{public_id}/facts/{fact_id}/withdraw"): NURSE,
    ("POST", "/patients/{public_id}/measure-again"): NURSE,
    ("GET", "/fleet"): KEEPERS,
    ("GET", "/fleet/now"): KEEPERS,
    ("POST", "/gateways"): ADMIN,
    ("GET", "/admin"): ADMIN,
    ("POST", "/admin/users"): ADMIN,
    ("POST", "/admin/users/{staff_id}/password"): ADMIN,
    ("POST", "/admin/users/{staff_id}/active"): ADMIN,
    ("GET", "/admin/audit"): ADMIN,
}


def routes() -> list[tuple[str, str]]:
    """Every route of a page."""
    return [(method, path) for method, path in all_routes() if path not in BY_CODE | BY_SIGNATURE]


def all_routes() -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def concrete(path: str) -> str:
    """An address of that pattern that names nothing."""
    numbered = path.replace("{public_id}", str(uuid4())).replace("{reading_id}", str(uuid4()))
    while "{" in numbered:
        start, end = numbered.index("{"), numbered.index("}")
        numbered = f"{numbered[:start]}999{numbered[end + 1 :]}"
    return numbered


def ask(visitor: Visitor, method: str, path: str) -> httpx.Response:
    return visitor.get(concrete(path)) if method == "GET" else visitor.post(concrete(path))


def refused_for_role(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.FORBIDDEN and "not yours to open" in answer.text


def test_every_route_is_declared() -> None:
    undeclared = sorted(set(all_routes()) - set(MATRIX))
    assert not undeclared, f"declare in MATRIX who may use {undeclared}"


def test_nobody_without_a_session_gets_anything(visitor: Visitor) -> None:
    for method, path in routes():
        answer = ask(visitor, method, path)
        if "anonymous" in MATRIX[method, path]:
            unknown = httpx.codes.NOT_FOUND if "{token}" in path else httpx.codes.OK
            assert answer.status_code in {unknown, httpx.codes.UNAUTHORIZED}, path
        else:
            assert answer.status_code == httpx.codes.SEE_OTHER, path
            assert answer.headers["location"].startswith("/login"), path


def test_where_boxes_ask_a_session_gives_nothing(visitor: Visitor) -> None:
    visitor.sign_in("admin")
    for path in sorted(BY_CODE):
        Refusal.model_validate_json(visitor.post(path).text)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_what_the_matrix_says_and_no_more(visitor: Visitor, role: str) -> None:
    visitor.sign_in(role)
    for method, path in routes():
        if path in {"/live", "/login", "/logout"}:
            continue  # A stream without an end, and the end of the session: both have tests of their own.
        answer = ask(visitor, method, path)
        allowed = role in MATRIX[method, path]
        assert refused_for_role(answer) is not allowed, f"{role} {method} {path}: {answer.status_code}"
        assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, f"{role} {method} {path}"


@pytest.mark.parametrize("role", ["support", "biller", "admin"])
def test_the_live_stream_is_for_nurses(visitor: Visitor, role: str) -> None:
    assert refused_for_role(visitor.sign_in(role).get("/live"))


def test_a_form_without_the_sessions_token_changes_nothing(clinic: Clinic, visitor: Visitor) -> None:
    alert = clinic.alert(clinic.patient("Ann", "Lee"), "glucose_low", URGENT, "Glucose 48 mg/dL")
    visitor.sign_in("nurse")
    path = f"/alerts/{alert.public_id}/acknowledge"
    own = visitor.token
    for token, origin in ((f"{own[:-1]}x", None), ("", None), (own, "http://evil.example"), (own, "null")):
        assert visitor.post(path, token=token, origin=origin).status_code == httpx.codes.FORBIDDEN
    assert visitor.http.post(path, data={"csrf": own}).status_code == httpx.codes.FORBIDDEN, "a browser says its origin"
    assert visitor.post(path).status_code == httpx.codes.SEE_OTHER


def test_every_unsafe_route_wants_the_token(visitor: Visitor) -> None:
    visitor.sign_in("nurse")
    for method, path in routes():
        if method != "GET" and path != "/login" and path not in BY_LINK:
            answer = visitor.post(concrete(path), token="guessed")
            assert answer.status_code == httpx.codes.FORBIDDEN, path


def test_headers_of_every_answer(visitor: Visitor) -> None:
    visitor.sign_in("nurse")
    for path in ("/worklist", "/login", "/nowhere", "/static/app.css"):
        headers = visitor.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == (
            "no-store" if "static" not in path else "public, max-age=31536000, immutable"
        )


def test_a_page_holds_nothing_inline_and_asks_nobody_else(clinic: Clinic, website: Website, visitor: Visitor) -> None:
    patient = clinic.patient("Ann", "Lee")
    clinic.alert(patient, "glucose_low", URGENT, "Glucose 48 mg/dL")
    visitor.sign_in("nurse")
    for path in ("/worklist", "/patients", f"/patients/{patient.public_id}", "/login"):
        text = (Visitor(website) if path == "/login" else visitor).page(path)
        assert " style=" not in text, path
        assert "<style" not in text, path
        assert " onclick=" not in text, path
        assert "<script>" not in text, path
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), path
        assert "https://" not in text, path


def test_too_large_a_form_is_refused(visitor: Visitor) -> None:
    answer = visitor.sign_in("nurse").post("/timer/stop", note="x" * 70_000)
    assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


def test_another_practices_ids_are_ids_of_nothing(clinic: Clinic, visitor: Visitor, database: Database) -> None:
    """P6: every route that takes an id, asked for a stranger's by someone whose role may use it."""
    other = Clinic(database, now=clinic.now, name="Other Clinic")
    stranger = other.patient("Eve", "Foreign")
    reading = other.pressure(stranger, 150, 90)
    alert = other.alert(stranger, "glucose_low", URGENT, "Glucose 48 mg/dL")
    visitor.sign_in("nurse")
    page = f"/patients/{stranger.public_id}"
    for path in (page, f"{page}/series", f"{page}/asked", f"{page}/readings/{reading}", f"/alerts/{alert.public_id}"):
        answer = visitor.get(path)
        assert answer.status_code == httpx.codes.NOT_FOUND, path
        assert "Foreign" not in answer.text
    work = {"day": "2026-06-10", "start": "09:00", "worked": "5", "activity": "call", "note": "why"}
    for path, fields in (
        (f"{page}/readings/{reading}/void", {"reason": "why"}),
        (f"{page}/readings/{reading}/restore", {"reason": "why"}),
        (f"{page}/readings/{reading}/move", {"patient": str(stranger.public_id), "reason": "why"}),
        (f"{page}/timer", dict[str, str]()),
        (f"{page}/minutes", work),
        (f"{page}/minutes/1/reverse", {"note": "why"}),
        (f"{page}/measure-again", {"measure": "blood_pressure"}),
        (f"/gateways/{other.gateway_id}/ask", {"what": "call_us"}),
        (f"/alerts/{alert.public_id}/acknowledge", {}),
        (f"/alerts/{alert.public_id}/close", {"disposition": "called"}),
    ):
        assert visitor.post(path, **fields).status_code == httpx.codes.NOT_FOUND, path
    assert "Foreign" not in visitor.page("/worklist")
    assert "Foreign" not in visitor.page("/patients")
    own = clinic.patient("Ann", "Lee")
    assert visitor.get(f"/patients/{own.public_id}/readings/{reading}").status_code == httpx.codes.NOT_FOUND


def test_an_administrator_manages_only_his_practice(clinic: Clinic, visitor: Visitor, database: Database) -> None:
    other = Clinic(database, now=clinic.now, name="Other Clinic")
    stranger = other.staff("stranger")
    visitor.sign_in("admin")
    assert "stranger" not in visitor.page("/admin")
    password = {"password": "a-new-password-for-you"}
    assert visitor.post(f"/admin/users/{stranger}/password", **password).status_code == httpx.codes.NOT_FOUND
    assert visitor.post(f"/admin/users/{stranger}/active", active="false").status_code == httpx.codes.NOT_FOUND
