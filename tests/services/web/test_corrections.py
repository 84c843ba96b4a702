"""A nurse finds that a reading is not this patient's: from the reading's own page, without JavaScript."""

import httpx
import pytest

from tests.support.clinic import Clinic, Person
from tests.support.visitor import Visitor


@pytest.fixture
def jose(clinic: Clinic) -> Person:
    return clinic.patient("José", "Alvarez")


def test_set_aside_and_put_back(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    reading = clinic.pressure(maria, 191, 118)
    page = f"/patients/{maria.public_id}/readings/{reading}"
    answer = rosa.post(f"{page}/void", reason="the cuff slipped")
    assert answer.headers["location"] == page
    html = rosa.page(page)
    assert "set it aside: the cuff slipped" in html
    assert "Void since" in html
    rosa.post(f"{page}/restore", reason="it did not")
    html = rosa.page(page)
    assert "put it back: it did not" in html
    assert "Void since" not in html


def test_given_to_whose_it_is_the_page_moves_with_it(
    clinic: Clinic, rosa: Visitor, maria: Person, jose: Person
) -> None:
    reading = clinic.pressure(maria, 165, 101)
    old = f"/patients/{maria.public_id}/readings/{reading}"
    answer = rosa.post(f"{old}/move", patient=str(jose.public_id), reason="he says it was him")
    new = answer.headers["location"]
    assert new == f"/patients/{jose.public_id}/readings/{reading}"
    assert rosa.get(old).status_code == httpx.codes.NOT_FOUND
    assert "gave it to José Alvarez; it was filed under Maria Alvarez: he says it was him" in rosa.page(new)


def test_no_reason_is_told_in_a_line(clinic: Clinic, rosa: Visitor, maria: Person) -> None:
    reading = clinic.pressure(maria, 165, 101)
    answer = rosa.post(f"/patients/{maria.public_id}/readings/{reading}/void", reason=" ")
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "Say why" in answer.text


def test_a_reading_under_another_patients_address_is_a_reading_of_nothing(
    clinic: Clinic, rosa: Visitor, maria: Person, jose: Person
) -> None:
    reading = clinic.pressure(maria, 165, 101)
    page = f"/patients/{jose.public_id}/readings/{reading}"
    assert rosa.post(f"{page}/void", reason="why").status_code == httpx.codes.NOT_FOUND
    assert "Void since" not in rosa.page(f"/patients/{maria.public_id}/readings/{reading}")
