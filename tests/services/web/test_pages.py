"""The nurse's pages on a real database: the list, an alert's way to its end, the minutes, and the record of it all.

Method: the pages served for real, asked without a browser, so that everything here also holds without JavaScript.
"""

import json
import re
from datetime import timedelta

import httpx
import pytest

from rpm.store import audit
from tests.support.clinic import PRIORITY, ROUTINE, URGENT, Clinic, Person
from tests.support.visitor import Visitor
from tests.support.website import Website

HIGH = "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg"


def names(html: str) -> list[str]:
    return re.findall(r'class="open"[^>]*>([^<]+)<', html)


def test_the_list_says_who_why_how_long_and_by_when(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    clinic.pressure(maria, 150, 90, minutes_ago=3000)
    clinic.pressure(maria, 192, 118, minutes_ago=4)
    clinic.alert(maria, "blood_pressure_high", URGENT, HIGH, minutes_ago=4, quantity="systolic", confirmed=False)
    html = rosa.page("/worklist")
    assert "<title>(1 urgent, 1 open) Worklist</title>" in html
    for words in ("Maria Alvarez", "71", HIGH, "4 min", "due in 11 min", "one reading, not repeated yet", "I have it"):
        assert words in html, words
    assert '<svg class="trend"' in html
    assert 'title="Wed 10 Jun 2026, 09:56 EDT"' in html, "the instant, in the patient's zone"


def test_an_empty_list_says_so(rosa: Visitor) -> None:
    assert "Nobody needs you right now" in rosa.page("/worklist")


def test_most_severe_first_then_nobodys_then_oldest(clinic: Clinic, rosa: Visitor) -> None:
    kim = clinic.staff("kim2")
    for name, severity, minutes, taken_by in (
        ("Ann", ROUTINE, 900, None),
        ("Ben", PRIORITY, 10, None),
        ("Cleo", PRIORITY, 90, None),
        ("Dan", URGENT, 30, kim),
        ("Eve", URGENT, 2, None),
    ):
        patient = clinic.patient(name, "Test", measures=False)
        clinic.alert(patient, "glucose_low", severity, "Glucose", minutes_ago=minutes, taken_by=taken_by)
    assert names(rosa.page("/worklist")) == ["Eve Test", "Dan Test", "Cleo Test", "Ben Test", "Ann Test"]


def test_a_filter_never_hides_an_urgent_one_and_counts_the_rest(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    clinic.alert(clinic.patient("Ann", "Lee"), "glucose_high", ROUTINE, "Glucose 281 mg/dL")
    clinic.alert(None, "rule_failed", PRIORITY, "A rule could not be applied", kind="technical")
    html = rosa.page("/worklist?q=nobody+of+that+name&who=mine")
    assert names(html) == ["Maria Alvarez"]
    assert "This filter hides 1 alert; urgent ones are always shown" in html
    technical = rosa.page("/worklist?tab=technical")
    assert names(technical) == ["Maria Alvarez", "Equipment"]


def test_acknowledge_is_seen_by_the_colleague(clinic: Clinic, rosa: Visitor, kim: Visitor, maria: Person) -> None:
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    answer = rosa.post(f"/alerts/{alert.public_id}/acknowledge", back="q=maria")
    assert answer.headers["location"] == "/worklist?q=maria"
    assert "You have it" in rosa.page("/worklist")
    assert "Rosa N. is on it" in kim.page("/worklist")
    late = kim.post(f"/alerts/{alert.public_id}/acknowledge")
    assert late.status_code == httpx.codes.BAD_REQUEST
    assert "a colleague has it already" in late.text


@pytest.mark.parametrize(
    "page, act, said",
    [
        ("/worklist", "acknowledge", {}),
        ("/patients/{}", "acknowledge", {}),
        ("/patients/{}", "snooze", {"minutes": "30", "reason": "she sleeps"}),
        ("/patients/{}", "close", {"disposition": "called", "note": "well"}),
    ],
)
def test_what_has_become_worse_since_the_page_was_drawn_is_left_alone_by_it(
    clinic: Clinic, rosa: Visitor, maria: Person, page: str, act: str, said: dict[str, str]
) -> None:
    """A browser that slept for an hour, or a note that took long, shows an orange that is a red by now."""
    alert = clinic.alert(maria, "blood_pressure_high", PRIORITY, HIGH)
    address = page.format(maria.public_id)

    def button() -> str:
        found = re.search(rf'action="(/alerts/{alert.public_id}/{act}[^"]*)"', rosa.page(address))
        assert found is not None
        return found[1]

    drawn = button()
    with clinic.database.transaction() as connection:
        connection.execute("update alert set severity = 3, armed = armed + 1 where id = %s", [alert.id])
    refused = rosa.post(drawn, **said)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "it has become worse, or called again, since this page was drawn" in refused.text
    with clinic.database.transaction() as connection:
        row = connection.execute("select status, snoozed_until from alert where id = %s", [alert.id]).fetchone()
    assert row == {"status": "open", "snoozed_until": None}
    assert rosa.post(button(), **said).status_code == httpx.codes.SEE_OTHER


def test_with_htmx_the_answer_is_the_list_alone(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    path = f"/alerts/{alert.public_id}/acknowledge"
    answer = rosa.swap(path, back="who=mine")
    assert answer.status_code == httpx.codes.OK
    assert answer.text.lstrip().startswith("<section")
    assert "/worklist/rows?who=mine" in answer.text
    again = rosa.swap(path)
    assert again.headers["hx-retarget"] == "#notice"
    assert "you have it already" in again.text


def test_closing_needs_what_was_done_and_stays_in_the_history(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    path = f"/alerts/{alert.public_id}/close"
    refused = rosa.post(path, patient=str(maria.public_id), note="no")
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "Choose what was done" in refused.text
    assert HIGH in rosa.page("/worklist")
    done = rosa.post(path, patient=str(maria.public_id), disposition="called", note="Felt well, took her tablet")
    assert done.headers["location"] == f"/patients/{maria.public_id}"
    html = rosa.page(done.headers["location"])
    for words in (
        "No open alerts",
        "Spoke with the patient: Felt well, took her tablet",
        "Rosa N.",
        "closed by Rosa N.",
    ):
        assert words in html, words
    assert "Nobody needs you" in rosa.page("/worklist")


def test_a_message_leads_to_the_alerts_patient(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    held = clinic.alert(None, "held", URGENT, "A held reading would be urgent", kind="verify")
    assert (
        rosa.get(f"/alerts/{alert.public_id}").headers["location"]
        == f"/patients/{maria.public_id}?alert={alert.public_id}"
    )
    assert rosa.get(f"/alerts/{held.public_id}").headers["location"] == "/held"


def test_charts_name_their_patient_and_keep_its_own_limits(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    other = clinic.patient("Ann", "Lee")
    clinic.pressure(other, 111, 71, minutes_ago=60)
    reading = clinic.pressure(maria, 192, 118, minutes_ago=4)
    clinic.pressure(maria, 144, 88, minutes_ago=60 * 24 * 40)
    with clinic.database.transaction() as connection:
        connection.execute(
            "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
            " values (%s, %s, 'blood_pressure_high', 'urgent', 'systolic', 170, 'mm[Hg]', 'Dr. Shah', 'epoch')",
            [clinic.practice_id, maria.id],
        )
    month = json.loads(rosa.get(f"/patients/{maria.public_id}/series?days=30").text)
    quarter = json.loads(rosa.get(f"/patients/{maria.public_id}/series?days=90").text)
    assert month["patient"] == str(maria.public_id)
    assert month["zone"] == "America/New_York"
    pressure = month["charts"][0]
    assert pressure["series"][0] == {"label": "Systolic", "values": [192.0]}
    assert "systolic above 170 (own)" in {limit["label"] for limit in pressure["limits"]}
    assert quarter["charts"][0]["series"][0]["values"] == [144.0, 192.0]
    html = rosa.page(f"/patients/{maria.public_id}")
    assert '192/118 mmHg<span class="with"> pulse 72</span>' in html, "readable without a script"
    assert "111" not in re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|v=[0-9a-f]+", "", html).split("<main")[1]
    assert f"/readings/{reading}" in html


def test_a_reading_tells_where_it_comes_from(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    reading = clinic.pressure(maria, 192, 118, minutes_ago=4)
    html = rosa.page(f"/patients/{maria.public_id}/readings/{reading}")
    for words in (str(reading), clinic.gateway_id, "Wed 10 Jun 2026, 09:56 EDT", "2A35:", "C0:00:", "not read"):
        assert words in html, words


def test_an_estimated_time_says_so_and_how_far_it_may_be_off(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    reading = clinic.pressure(maria, 132, 78, minutes_ago=400)
    page = f"/patients/{maria.public_id}/readings/{reading}"
    assert "estimated" not in rosa.page(page)
    with clinic.database.transaction() as connection:
        connection.execute("update reading set time_source = 'estimated', uncertainty_s = 12300")
    html = rosa.page(page)
    assert "estimated: the gateway’s own clock was not set, within 4 h either way" in html


def test_values_are_shown_in_the_unit_the_device_used(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    from schemas.codes import Kind

    clinic.measure(maria, Kind.GLUCOSE, {"glucose": (7.8, "mmol/L")}, at=clinic.now - timedelta(hours=1))
    clinic.measure(maria, Kind.BODY_WEIGHT, {"body_weight": (181.4, "[lb_av]")}, at=clinic.now - timedelta(hours=2))
    html = rosa.page(f"/patients/{maria.public_id}")
    assert "7.8 mmol/L" in html
    assert "181.4 lb" in html


def test_every_sight_of_a_patient_is_on_record(clinic: Clinic, rosa: Visitor, website: Website, maria: Person) -> None:
    """F103: queryable by patient, whether seen alone or among others; the chain is whole."""
    reading = clinic.pressure(maria, 192, 118, minutes_ago=4)
    alert = clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    clinic.alert(clinic.patient("Ann", "Lee"), "glucose_low", URGENT, "Glucose 48 mg/dL")
    page = f"/patients/{maria.public_id}"
    for path in ("/worklist", "/patients?q=alv", page, f"{page}/series", f"{page}/readings/{reading}"):
        rosa.page(path)
    rosa.post(f"/alerts/{alert.public_id}/acknowledge")
    with clinic.database.transaction() as connection:
        entries = audit.of_patient(connection, practice_id=clinic.practice_id, patient_id=maria.id, limit=50)
        broken = audit.broken_links(connection)
    assert [entry.action for entry in entries] == [
        "acknowledged an alert",
        "saw where a reading came from",
        "saw the patient's page",
        "saw the patient's page",
        "saw in the list of patients",
        "saw on the worklist",
    ]
    assert {entry.who for entry in entries} == {"Rosa N."}
    assert broken == []
    shown = Visitor(website).sign_in("admin").page(f"/admin/audit?patient={maria.public_id}")
    assert "saw where a reading came from" in shown


def test_a_changed_record_is_noticed(clinic: Clinic, rosa: Visitor) -> None:
    rosa.page("/worklist")
    with clinic.database.transaction() as connection:
        connection.execute("alter table audit disable trigger audit_append_only")
        connection.execute("update audit set action = 'saw nothing' where id = (select min(id) from audit)")
        broken = audit.broken_links(connection)
    assert len(broken) == 1


def test_searching_finds_by_name_and_birth_date(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    del maria
    clinic.patient("Åsa", "Öberg", born="1948-12-24")
    assert "1 patient found" in rosa.page("/patients?q=ALVAREZ")
    assert "Öberg" in rosa.page("/patients?q=1948-12-24")
    assert "Nobody found" in rosa.page("/patients?q=100%25")


def test_what_people_type_is_never_markup(clinic: Clinic, rosa: Visitor) -> None:
    evil = '<script>alert("x")</script>'
    patient = clinic.patient(evil, "Lee")
    clinic.alert(patient, "glucose_low", URGENT, evil)
    for path in ("/worklist", f"/patients/{patient.public_id}", "/patients", "/worklist?q=%3Cscript%3Ealert"):
        html = rosa.page(path)
        assert "<script>alert" not in html, path


def test_no_page_of_400_alerts_is_larger_than_300_kb(clinic: Clinic, rosa: Visitor) -> None:
    for number in range(400):
        patient = clinic.patient("Wilhelmina-Constance", f"Featherstonehaugh {number}", measures=False)
        clinic.alert(patient, "glucose_high", URGENT if number < 5 else 1 + number % 2, HIGH, minutes_ago=number)
    html = rosa.page("/worklist")
    assets = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    total = len(html.encode()) + sum(len(rosa.get(path).content) for path in assets)
    assert total < 300_000, f"{total} bytes"
    assert "Page 1 of 4, 395 alerts" in html
    assert "<title>(5 urgent, 400 open)" in html


def test_the_patients_page_is_no_larger_either(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    for day in range(30):
        clinic.pressure(maria, 140 + day % 9, 88, minutes_ago=day * 1440)
    html = rosa.page(f"/patients/{maria.public_id}")
    assets = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    series = len(rosa.get(f"/patients/{maria.public_id}/series").content)
    assert len(html.encode()) + series + sum(len(rosa.get(path).content) for path in assets) < 300_000
