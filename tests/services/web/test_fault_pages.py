"""Support staff have a list of what does not work: they take it and close it, and see and touch no clinical alert."""

import re

import httpx
import pytest

from tests.support.clinic import PRIORITY, URGENT, Clinic, Person
from tests.support.visitor import Visitor

SILENT = "No readings for 3 days. Probably the box: no word from it for 3 days."


def test_a_message_leads_support_staff_to_what_they_can_take_and_close(
    clinic: Clinic, maria: Person, visitor: Visitor
) -> None:
    fault = clinic.alert(maria, "silence.readings", PRIORITY, SILENT, kind="technical")
    support = visitor.sign_in("support")
    assert support.get(f"/alerts/{fault.public_id}").headers["location"] == "/faults"
    page = support.page("/faults")
    assert "Alvarez, Maria" in page
    assert SILENT in page
    assert support.post(f"/faults/{fault.public_id}/acknowledge").status_code == httpx.codes.SEE_OTHER
    assert "You have it" in support.page("/faults")
    assert support.post(f"/faults/{fault.public_id}/close", disposition="called").status_code == httpx.codes.SEE_OTHER
    assert "Nothing is amiss" in support.page("/faults")


@pytest.mark.parametrize(
    "act, fields",
    [("acknowledge", {}), ("snooze", {"minutes": "60", "reason": "x"}), ("close", {"disposition": "called"})],
    ids=lambda word: word if isinstance(word, str) else "",
)
def test_what_has_become_worse_since_the_page_was_drawn_is_not_taken_by_it(
    clinic: Clinic, visitor: Visitor, act: str, fields: dict[str, str]
) -> None:
    """One loop that was silent is a whole pipeline by now: who let the one wait has not seen the other."""
    fault = clinic.alert(None, "silence.pipeline", PRIORITY, "Nothing is judged.", kind="technical")
    support = visitor.sign_in("support")
    found = re.search(rf'action="(/faults/{fault.public_id}/{act}[^"]*)"', support.page("/faults"))
    assert found is not None
    with clinic.database.transaction() as connection:
        connection.execute("update alert set armed = armed + 1 where id = %s", [fault.id])
    refused = support.post(found[1], **fields)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "it has become worse, or called again, since this page was drawn" in refused.text
    again = re.search(rf'action="(/faults/{fault.public_id}/{act}[^"]*)"', support.page("/faults"))
    assert again is not None
    assert support.post(again[1], **fields).status_code == httpx.codes.SEE_OTHER


def test_a_clinical_alert_is_not_there_for_them(clinic: Clinic, maria: Person, visitor: Visitor) -> None:
    red = clinic.alert(maria, "blood_pressure_high", URGENT, "Blood pressure 192/118 mmHg")
    support = visitor.sign_in("support")
    assert "192" not in support.page("/faults")
    for act in ("acknowledge", "close"):
        answer = support.post(f"/faults/{red.public_id}/{act}", disposition="called")
        assert answer.status_code == httpx.codes.NOT_FOUND
    with clinic.database.transaction() as connection:
        rows = connection.execute("select status from alert").fetchall()
    assert [row["status"] for row in rows] == ["open"]


def test_a_nurse_is_led_to_the_technical_list(clinic: Clinic, rosa: Visitor) -> None:
    fault = clinic.alert(None, "silence.pipeline", PRIORITY, "Nothing is judged.", kind="technical")
    assert rosa.get(f"/alerts/{fault.public_id}").headers["location"] == "/worklist?tab=technical"


def test_another_practices_faults_are_not_there(clinic: Clinic, visitor: Visitor) -> None:
    other = Clinic(clinic.database, now=clinic.now, name="Other Clinic")
    fault = other.alert(None, "silence.pipeline", PRIORITY, "Nothing is judged.", kind="technical")
    support = visitor.sign_in("support")
    assert "Nothing is judged" not in support.page("/faults")
    assert support.post(f"/faults/{fault.public_id}/acknowledge").status_code == httpx.codes.NOT_FOUND


def test_a_fault_is_let_wait_with_its_end_and_its_reason(clinic: Clinic, maria: Person, visitor: Visitor) -> None:
    fault = clinic.alert(maria, "silence.readings", PRIORITY, SILENT, kind="technical")
    red = clinic.alert(maria, "blood_pressure_high", URGENT, "Blood pressure 192/118 mmHg")
    support = visitor.sign_in("support")
    path = f"/faults/{fault.public_id}/snooze"
    for wrong in ({"minutes": "60", "reason": " "}, {"minutes": "15", "reason": "x"}, {"minutes": "x", "reason": "x"}):
        assert support.post(path, **wrong).status_code in {httpx.codes.BAD_REQUEST, 422}, wrong
    assert (
        support.post(f"/faults/{red.public_id}/snooze", minutes="60", reason="x").status_code == httpx.codes.NOT_FOUND
    )
    assert support.post(path, minutes="60", reason="the electrician is there").status_code == httpx.codes.SEE_OTHER
    page = support.page("/faults")
    assert "waits until" in page
    assert "the electrician is there" in page
    assert "I have it" in page, "a snooze is nobody at work"
    assert support.post(f"/faults/{fault.public_id}/acknowledge").status_code == httpx.codes.SEE_OTHER
    assert "waits until" not in support.page("/faults")
