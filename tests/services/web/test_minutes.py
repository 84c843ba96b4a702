"""The minutes: the timer, work written down by hand, overlaps, and taking an entry back (F85, F86)."""

import re
from datetime import timedelta

import httpx
import pytest

from tests.support.clinic import URGENT, Clinic, Person
from tests.support.clock import SettableClock
from tests.support.visitor import Visitor
from tests.support.website import Website

HIGH = "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg"


def test_the_timer_becomes_minutes(
    clinic: Clinic, clock: SettableClock, rosa: Visitor, kim: Visitor, maria: Person
) -> None:
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    page = f"/patients/{maria.public_id}"
    assert rosa.post(f"{page}/timer?alert={alert.public_id}").status_code == httpx.codes.SEE_OTHER
    assert "Rosa N. is with the patient" in kim.page("/worklist")
    clock.forward(minutes=12, seconds=30)
    assert "12:30" in rosa.page("/patients"), "the running timer is seen on every page"
    saved = rosa.post("/timer/stop", activity="call", interactive="true", note="spoke about salt")
    html = rosa.page(saved.headers["location"])
    for words in ("Minutes saved", "Minutes this month: 12", "12:30", "live contact", "spoke about salt"):
        assert words in html, words
    assert "no live contact yet" not in html
    with clinic.database.transaction() as connection:
        entry = connection.execute("select * from time_entry").fetchone()
    assert entry is not None
    assert (entry["ended_at"] - entry["started_at"], entry["interactive"], entry["manual"], entry["alert_id"]) == (
        timedelta(minutes=12, seconds=30),
        True,
        False,
        alert.id,
    )


def test_one_timer_a_nurse(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    other = clinic.patient("Ann", "Lee")
    rosa.post(f"/patients/{maria.public_id}/timer")
    refused = rosa.post(f"/patients/{other.public_id}/timer")
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "no minute counts for two people" in refused.text
    assert rosa.post("/timer/discard").status_code == httpx.codes.SEE_OTHER
    assert rosa.post("/timer/stop", activity="call").status_code == httpx.codes.BAD_REQUEST
    with clinic.database.transaction() as connection:
        assert connection.execute("select id from time_entry").fetchall() == []


def test_a_forgotten_timer_asks_and_is_kept_until_told(
    clock: SettableClock, rosa: Visitor, website: Website, maria: Person
) -> None:
    rosa.post(f"/patients/{maria.public_id}/timer")
    clock.forward(hours=9)
    rosa = Visitor(website).sign_in("rosa")
    refused = rosa.post("/timer/stop", activity="call")
    assert "how many minutes" in refused.text
    assert "Minutes of work" in rosa.page(f"/patients/{maria.public_id}")
    saved = rosa.post("/timer/stop", activity="call", worked="7")
    html = rosa.page(saved.headers["location"])
    assert "07:00" in html
    assert "typed in" in html


def test_minutes_by_hand_overlap_openly_and_count_once(rosa: Visitor, kim: Visitor, maria: Person) -> None:
    work = {"day": "2026-06-10", "activity": "review of readings", "note": "phone was dead"}
    path = f"/patients/{maria.public_id}/minutes"
    assert rosa.post(path, **{**work, "note": " "}, start="09:00", worked="10").status_code == httpx.codes.BAD_REQUEST
    rosa.post(path, **work, start="09:00", worked="10")
    saved = kim.post(path, **work, start="09:05", worked="10")
    html = kim.page(saved.headers["location"])
    assert "overlap Rosa N.’s entry 09:00:00–09:10:00: they count once" in html
    assert "Minutes this month: 15" in html
    assert html.count("overlaps another entry by 05:00") == 2


def test_minutes_are_taken_back_by_another_row(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    path = f"/patients/{maria.public_id}/minutes"
    saved = rosa.post(path, day="2026-06-10", start="09:00", worked="10", activity="call", note="by hand")
    entry = re.search(r"saved=(\d+)", saved.headers["location"])
    assert entry is not None
    assert rosa.post(f"{path}/{entry[1]}/reverse").status_code == httpx.codes.BAD_REQUEST
    assert rosa.post(f"{path}/{entry[1]}/reverse", note="wrong patient").status_code == httpx.codes.SEE_OTHER
    assert rosa.post(f"{path}/{entry[1]}/reverse", note="twice").status_code == httpx.codes.NOT_FOUND
    html = rosa.page(f"/patients/{maria.public_id}")
    assert "Minutes this month: 0" in html
    assert "taken back" in html
    with clinic.database.transaction() as connection:
        rows = connection.execute("select reverses from time_entry order by id").fetchall()
    assert [row["reverses"] for row in rows] == [None, int(entry[1])]


def test_the_months_minutes_are_those_the_bill_counts(
    clinic: Clinic, rosa: Visitor, website: Website, maria: Person
) -> None:
    """She was in hospital until the morning of the tenth: a call on the ninth, one over its midnight, and one since."""
    clinic.staff("bill", "biller")
    page = f"/patients/{maria.public_id}"
    work = {"activity": "call", "note": "phone was dead", "interactive": "true"}
    for day, start, worked in (("09", "09:00", "10"), ("09", "23:50", "20"), ("10", "09:00", "15")):
        assert rosa.post(f"{page}/minutes", **work, day=f"2026-06-{day}", start=start, worked=worked).status_code == 303
    whole = rosa.page(page)
    assert "Minutes this month: 45" in whole
    assert "worked" not in whole.split('id="minutes"')[1].split("Add minutes by hand")[0]
    assert rosa.post(f"{page}/pause", why="hospital", since="2026-06-08", until="2026-06-10").status_code == 303
    html = rosa.page(page)
    assert "Minutes this month: 25" in html
    assert "45 were worked." in html
    assert html.count("Does not count: the patient was in hospital") == 1
    assert html.count("Counts in part, not the rest: the patient was in hospital") == 1
    assert "<b>25</b> min" in Visitor(website).sign_in("bill").page(f"/billing{page}?month=2026-06")


@pytest.mark.parametrize(
    "change, said",
    [
        ("update enrolment set consented_at = null", "no consent on record"),
        ("update enrolment set ended_at = '2026-05-01T00:00:00Z'", "nothing is billed for this patient"),
        ("update enrolment set set_up_at = '2026-06-10T18:00:00Z'", ""),
        (
            "update enrolment set set_up_at = '2026-06-11T18:00:00Z'",
            "before consent, order and set-up were all in place",
        ),
    ],
)
def test_what_keeps_minutes_from_the_bill_is_said(
    clinic: Clinic, rosa: Visitor, maria: Person, change: str, said: str
) -> None:
    page = f"/patients/{maria.public_id}"
    rosa.post(f"{page}/minutes", day="2026-06-10", start="09:00", worked="15", activity="call", note="by hand")
    with clinic.database.transaction() as connection:
        connection.execute(change.encode())
    html = rosa.page(page)
    assert f"Minutes this month: {0 if said else 15}" in html
    assert ("15 were worked" in html) is bool(said)
    assert said in html


def test_one_person_with_two_patients_at_one_moment_is_told_on_both_pages(
    clinic: Clinic, rosa: Visitor, maria: Person
) -> None:
    other = clinic.patient("Ann", "Lee")
    for person, start in ((maria, "09:00"), (other, "09:05")):
        work = {"day": "2026-06-10", "start": start, "worked": "10", "activity": "call", "note": "by hand"}
        rosa.post(f"/patients/{person.public_id}/minutes", **work)
    for person in (maria, other):
        html = rosa.page(f"/patients/{person.public_id}")
        assert "Minutes this month: 0" in html
        assert "Does not count: the same person has time for another patient at the same moment" in html
