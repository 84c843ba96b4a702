"""Signing in and out, and how long a session lives."""

import httpx

from rpm.access import FAILURES_MAX, SESSION_AGE_MAX, SESSION_IDLE_MAX, ThrottleScope
from rpm.settings import Settings
from rpm.web.login import TOO_MANY, WRONG
from tests.support.clinic import PASSWORD, Clinic
from tests.support.clock import SettableClock
from tests.support.visitor import Visitor
from tests.support.website import Website


def test_a_log_in_from_another_site_is_refused(visitor: Visitor) -> None:
    answer = visitor.http.post(
        "/login", data={"username": "nurse", "password": PASSWORD}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == httpx.codes.FORBIDDEN


def test_unknown_name_and_wrong_password_are_told_alike(visitor: Visitor) -> None:
    texts: list[str] = []
    for name in ("nurse", "nobody-of-that-name"):
        answer = visitor.post("/login", username=name, password="wrong")
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert WRONG in answer.text
        texts.append(answer.text.replace(name, "NAME"))
    assert texts[0] == texts[1]


def test_guessing_waits_and_the_wait_ends(visitor: Visitor, clock: SettableClock) -> None:
    for _ in range(FAILURES_MAX[ThrottleScope.PAIR]):
        assert visitor.post("/login", username="nurse", password="wrong").status_code == httpx.codes.UNAUTHORIZED
    answer = visitor.post("/login", username="nurse", password=PASSWORD)
    assert answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert TOO_MANY in answer.text
    assert visitor.post("/login", username="biller", password=PASSWORD).status_code == httpx.codes.SEE_OTHER
    clock.forward(minutes=16)
    assert visitor.post("/login", username="nurse", password=PASSWORD).status_code == httpx.codes.SEE_OTHER


def test_one_address_cannot_try_many_names(visitor: Visitor) -> None:
    statuses = [
        visitor.post("/login", username=f"name{number}", password="wrong").status_code
        for number in range(FAILURES_MAX[ThrottleScope.ADDRESS] + 1)
    ]
    assert set(statuses[:-1]) == {httpx.codes.UNAUTHORIZED}
    assert statuses[-1] == httpx.codes.TOO_MANY_REQUESTS


def test_a_session_ends_when_nobody_is_there(visitor: Visitor, clock: SettableClock) -> None:
    visitor.sign_in("nurse")
    clock.set(clock() + SESSION_IDLE_MAX / 2)
    assert visitor.get("/worklist").status_code == httpx.codes.OK
    clock.set(clock() + SESSION_IDLE_MAX / 2)
    # The page's own refresh is no sign of a person ...
    assert visitor.get("/worklist/rows", **{"X-Automatic": "1"}).status_code == httpx.codes.OK
    clock.set(clock() + SESSION_IDLE_MAX / 2)
    assert visitor.get("/worklist").headers["location"] == "/login?next=/worklist"
    assert "15 minutes without activity" in visitor.page("/login")


def test_a_session_ends_after_a_working_day(visitor: Visitor, clock: SettableClock) -> None:
    visitor.sign_in("nurse")
    for _ in range(int(SESSION_AGE_MAX / SESSION_IDLE_MAX) * 2 - 1):
        clock.set(clock() + SESSION_IDLE_MAX / 2)
        assert visitor.get("/worklist").status_code == httpx.codes.OK
    clock.set(clock() + SESSION_IDLE_MAX / 2)
    assert visitor.get("/worklist").status_code == httpx.codes.SEE_OTHER


def test_the_token_changes_with_every_log_in_and_only_its_hash_is_kept(clinic: Clinic, visitor: Visitor) -> None:
    first = visitor.sign_in("nurse").http.cookies["rpm_session"]
    visitor.sign_in("nurse")
    second = visitor.http.cookies["rpm_session"]
    assert first != second
    visitor.http.cookies.clear()
    visitor.http.cookies.set("rpm_session", first)
    assert visitor.get("/worklist").status_code == httpx.codes.SEE_OTHER, "the old session is gone"
    with clinic.database.transaction() as connection:
        kept = connection.execute("select token_hash from session").fetchall()
    assert len(kept) == 1
    assert second.encode() not in bytes(kept[0]["token_hash"])


def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    token = visitor.sign_in("nurse").http.cookies["rpm_session"]
    assert visitor.post("/logout").headers["location"] == "/login?why=out"
    visitor.http.cookies.set("rpm_session", token)
    assert visitor.get("/worklist").status_code == httpx.codes.SEE_OTHER


def test_a_disabled_account_is_out_at_once(clinic: Clinic, website: Website, visitor: Visitor) -> None:
    visitor.sign_in("nurse")
    admin = Visitor(website).sign_in("admin")
    with clinic.database.transaction() as connection:
        row = connection.execute("select id from staff where username = 'nurse'").fetchone()
    assert row is not None
    assert admin.post(f"/admin/users/{row['id']}/active", active="false").status_code == httpx.codes.SEE_OTHER
    assert visitor.get("/worklist").status_code == httpx.codes.SEE_OTHER
    assert visitor.post("/login", username="nurse", password=PASSWORD).status_code == httpx.codes.UNAUTHORIZED


def test_the_cookie_is_bound_to_https_where_there_is_https(clinic: Clinic, clock: SettableClock) -> None:
    origin = "https://rpm.example"
    settings = Settings(dsn=clinic.database.dsn, public_url=origin)
    with Website(clinic.database, clock, settings=settings) as website:
        visitor = Visitor(website, origin=origin)
        cookie = visitor.post("/login", username="nurse", password=PASSWORD).headers["set-cookie"]
        assert "max-age" in visitor.get("/login").headers["strict-transport-security"]
    assert cookie.startswith("__Host-rpm_session=")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_no_one_is_sent_to_another_site(visitor: Visitor) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = visitor.post("/login", username="nurse", password=PASSWORD, next=target)
        assert answer.headers["location"] == "/", target
