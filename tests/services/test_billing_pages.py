"""The billing pages on a real database: who sees them, what they say, what they hand out, and what the record keeps.

Method: the application's own routes through a test client; the clinic is told row by row as in test_billing_report.
"""

import asyncio
import csv
import io
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from rpm.settings import Settings
from rpm.store import sessions
from rpm.store.database import Database
from rpm.web.app import create_app
from tests.services.test_billing_report import Clinic

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
BEGUN = datetime(2026, 9, 20, 4, tzinfo=UTC)


class Browser:
    """Asks the application's own routes, with a session's cookie or none; follows no redirect."""

    def __init__(self, app: FastAPI, token: str = "") -> None:
        self.app, self.cookies = app, {"rpm_session": token} if token else {}

    def get(self, path: str, **params: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", cookies=self.cookies) as client:
                return await client.get(path, params=params or None)

        return asyncio.run(ask())


class Office:
    """A clinic and a browser for each role."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as connection:
            self.clinic = Clinic(connection)
            self.tokens = {
                role: sessions.start(connection, staff_id=self.clinic.staff(f"the-{role}", role), now=NOW)
                for role in ("nurse", "biller", "admin")
            }
        self.app = create_app(database, Settings(), lambda: NOW)

    def browser(self, role: str = "biller") -> Browser:
        return Browser(self.app, self.tokens[role])

    def patient(self, name: str, first: str, count: int, **enrolment: Any) -> int:
        with self.database.transaction() as connection:
            self.clinic.connection = connection
            patient = self.clinic.patient(name)
            self.clinic.enrol(patient, started=BEGUN, **enrolment)
            self.clinic.daily(patient, first, count)
        return patient

    def work(self, patient: int, start: str, minutes: float, **facts: object) -> None:
        with self.database.transaction() as connection:
            self.clinic.connection = connection
            self.clinic.work(patient, start, minutes, live=bool(facts.pop("live", False)), **facts)

    def public_id(self, patient: int) -> UUID:
        with self.database.transaction() as connection:
            row = connection.execute("select public_id from patient where id = %s", [patient]).fetchone()
        assert row is not None
        found: UUID = row["public_id"]
        return found

    def audited(self) -> list[tuple[str, dict[str, object]]]:
        with self.database.transaction() as connection:
            rows = connection.execute("select action, detail from audit order by id").fetchall()
        return [(row["action"], row["detail"]) for row in rows]


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def text_of(html: str) -> str:
    """What a reader sees: tags away, white space as one blank."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split()).replace(" ,", ",")


def test_a_row_says_days_minutes_codes_and_why_not(office: Office) -> None:
    weiss = office.patient("Weiss", "2026-10-22", 30)
    office.work(weiss, "2026-11-03T10:00", 25, live=True)
    okafor = office.patient("Okafor", "2026-11-10", 5)
    office.work(okafor, "2026-11-04T10:00", 25)
    office.patient("Novak", "2026-10-26", 2)
    office.patient("Lee", "2026-11-10", 5, consented=None)
    answer = office.browser().get("/billing")
    assert answer.status_code == 200
    page = text_of(answer.text)
    assert "Billing, November 2026" in page
    assert "30 days, 99454 22 Oct 2026 – 20 Nov 2026, closed, late data count to 25 Nov 2026" in page
    assert "99457 so far" in page
    assert "No live contact this month (25 minutes logged)" in page
    assert "11 more days of data needed; 18 days left, starting 29 Nov 2026 at the latest" in page
    assert "16 no longer possible" in page
    assert "No consent on record" in page


def test_filters_hide_rows_and_say_how_many(office: Office) -> None:
    office.patient("Weiss", "2026-10-10", 20)
    office.patient("Lee", "2026-11-10", 5, consented=None)
    browser = office.browser()
    ready = text_of(browser.get("/billing?show=ready").text)
    assert "Weiss, Ann" in ready
    assert "Lee, Ann" not in ready
    assert "This filter hides 1 patient." in ready
    assert "Lee, Ann" in text_of(browser.get("/billing?show=blocked").text)
    assert "Nobody matches" in text_of(browser.get("/billing?q=nobody").text)
    assert "Nobody was monitored in this month" in text_of(browser.get("/billing?month=2026-01").text)


def test_the_evidence_behind_a_row(office: Office) -> None:
    patient = office.patient("Weiss", "2026-10-22", 15)
    with office.database.transaction() as connection:
        office.clinic.connection = connection
        office.clinic.daily(patient, "2026-11-08", 1, automatic=False)
        office.clinic.daily(patient, "2026-11-09", 1, voided=NOW)
    office.work(patient, "2026-11-03T10:00", 12, live=True)
    office.work(patient, "2026-11-03T11:00", 30, service="CCM")
    page = text_of(office.browser().get(f"/billing/patients/{office.public_id(patient)}?month=2026-11").text)
    assert "Consent Sun 20 Sep 2026, 00:00 EDT" in page
    assert "22 Oct 2026 yes 12:00:00, admitted Thu 22 Oct 12:01, blood pressure" in page
    assert "8 Nov 2026 no 12:00:00" in page
    assert "does not count: told or typed by a person, not sent by the device" in page
    assert "does not count: the reading is void, not accepted" in page
    assert "no: entered for CCM, so it never counts for monitoring" in page
    assert "Tue 3 Nov 2026, 10:00 EST 10:12:00 the-" not in page
    assert "Tue 3 Nov 2026, 10:00 EST 10:12:00 rosa-" in page
    assert "15 days of data; 99454 needs 16 or more days" in page


def test_a_day_that_came_after_the_lock_is_shown_as_such(office: Office) -> None:
    patient = office.patient("Weiss", "2026-09-25", 14)
    with office.database.transaction() as connection:
        office.clinic.connection = connection
        office.clinic.daily(patient, "2026-10-20", 2, admitted=datetime(2026, 11, 2, tzinfo=UTC))
    page = text_of(office.browser().get(f"/billing/patients/{office.public_id(patient)}?month=2026-10").text)
    assert "20 Oct 2026 no: admitted after the claim was locked" in page
    assert "16 days would be 99454 instead of 99445; correct the claim, do not edit it" in page


def test_the_file_is_safe_to_open(office: Office) -> None:
    office.patient("=cmd|' /C calc'!A0", "2026-10-10", 20)
    answer = office.browser().get("/billing/month.csv?month=2026-11")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="billing-2026-11.csv"'
    (line,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert line["patient"] == "'=cmd|' /C calc'!A0, Ann"
    assert line["codes"] == "99454x1 on 2026-11-08; 99453x1 on 2026-11-08"
    assert all(cell is not None and "None" not in cell for cell in line.values())


@pytest.mark.parametrize("path", ["/billing", "/billing/month.csv", "/billing/patients/{id}"])
def test_billers_and_administrators_only(office: Office, path: str) -> None:
    patient = office.patient("Weiss", "2026-10-10", 20)
    address = path.format(id=office.public_id(patient))
    assert office.browser("biller").get(address).status_code == 200
    assert office.browser("admin").get(address).status_code == 200
    assert office.browser("nurse").get(address).status_code == 403
    stranger = Browser(office.app).get(address)
    assert (stranger.status_code, stranger.headers["location"].partition("?")[0]) == (303, "/login")


def test_another_practices_patient_does_not_exist(office: Office) -> None:
    foreign = Office(office.database)
    patient = foreign.patient("Weiss", "2026-10-10", 20)
    assert office.browser().get(f"/billing/patients/{foreign.public_id(patient)}").status_code == 404
    assert "Weiss" not in office.browser().get("/billing").text
    assert "Weiss" not in office.browser().get("/billing/month.csv").text


@pytest.mark.parametrize("month", ["2026-13", "november", "0001-01", "2026-12", "9999-12", "2026-1"])
def test_a_month_that_cannot_be_shown_is_said_so(office: Office, month: str) -> None:
    for path in ("/billing", "/billing/month.csv", f"/billing/patients/{UUID(int=1)}"):
        answer = office.browser().get(path, month=month)
        assert answer.status_code in {400, 422}
        assert "month" in answer.text.lower()


def test_who_looked_is_recorded(office: Office) -> None:
    patient = office.patient("Weiss", "2026-10-10", 20)
    browser = office.browser()
    browser.get("/billing?month=2026-11")
    browser.get(f"/billing/patients/{office.public_id(patient)}?month=2026-11")
    browser.get("/billing/month.csv?month=2026-11")
    assert office.audited() == [
        ("saw billing", {"month": "2026-11", "patients": [patient]}),
        ("saw billing", {"month": "2026-11"}),
        ("exported billing", {"month": "2026-11", "patients": [patient]}),
    ]


def test_four_hundred_patients_fit_a_page(office: Office) -> None:
    with office.database.transaction() as connection:
        office.clinic.connection = connection
        for number in range(400):
            patient = office.clinic.patient(f"Wolfeschlegelsteinhausenbergerdorff{number:03}")
            office.clinic.enrol(patient, started=BEGUN)
            for first in ("2026-10-22", "2026-11-20"):
                office.clinic.daily(patient, first, 2)
            office.clinic.work(patient, "2026-11-03T10:00", 25)
    answer = office.browser().get("/billing")
    assert len(answer.content) < 300_000
    assert "Page 1 of 4, 400 patients" in text_of(answer.text)
    last = text_of(office.browser().get("/billing?page=99").text)
    assert "Page 4 of 4" in last
    assert "dorff399" in last
