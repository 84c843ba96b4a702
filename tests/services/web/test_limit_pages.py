"""Limits made of a patient's own usual: approved or declined on a page, on record, and refused where they are not what was shown.

Method: four weeks of pressures of one patient, systolic 122 to 134 in turn, through the product's own store; the pages served for
real, and the judge over them.
"""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from alerts.severity import Severity
from rpm.access import Actor, Role
from rpm.commands.rules.files import rulebook_at
from rpm.errors import UserError
from rpm.offering import STALE, Asked, decide, offered
from rpm.store import own_limits
from schemas.codes import Kind
from tests.support.clinic import Clinic, Person
from tests.support.visitor import Visitor

KEY = ("blood_pressure_high", "priority", "systolic")


@pytest.fixture
def measured(clinic: Clinic, maria: Person) -> Person:
    """26 days, two of them high."""
    clinic.measure_many(
        [
            (
                maria,
                Kind.BLOOD_PRESSURE,
                {
                    "systolic": (152.0 if day in (3, 4) else 122.0 + day * 5 % 13, "mm[Hg]"),
                    "diastolic": (80.0, "mm[Hg]"),
                    "pulse_rate": (70.0 + day % 3, "/min"),
                },
                clinic.now - timedelta(days=day),
                False,
                (),
            )
            for day in range(1, 27)
        ]
    )
    return maria


def form(html: str, key: tuple[str, str, str]) -> dict[str, str]:
    """The hidden fields of one offer."""
    for found in re.findall(r"<form method=\"post\" action=\"/patients/[^\"]+/limits\".*?</form>", html, re.DOTALL):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)">', found))
        if (fields.get("rule_id"), fields.get("band"), fields.get("quantity")) == key:
            return {name: fields[name] for name in ("rule_id", "band", "quantity", "basis")}
    raise AssertionError(f"no offer {key}")


def own(clinic: Clinic, person: Person) -> list[tuple[str, str, str, float, str]]:
    with clinic.database.transaction() as connection:
        rows = connection.execute(
            "select rule_id, band, quantity, value, approved_by from patient_limit where patient_id = %s order by id",
            [person.id],
        ).fetchall()
    return [(row["rule_id"], row["band"], row["quantity"], row["value"], row["approved_by"]) for row in rows]


def test_an_offer_is_shown_with_what_it_would_call_and_once_approved_it_holds(
    clinic: Clinic, rosa: Visitor, measured: Person
) -> None:
    path = f"/patients/{measured.public_id}/limits"
    html = rosa.page(path)
    for words in ("128.5 mmHg is usual", "at least <strong>141 mmHg</strong> instead of 160 mmHg", "stricter"):
        assert words in html, words
    assert "0 · 0 · 0 · 0" in html, "as it is"
    assert "0 · 0 · 0 · 1" in html, "two days running above what is usual"
    answer = rosa.post(path, **form(html, KEY), do="approve", reason="treats to her own usual")
    assert answer.status_code == 303
    assert own(clinic, measured) == [(*KEY, 141.0, "Rosa N.")]
    held = unescape(rosa.page(f"/patients/{measured.public_id}/rules"))
    row = next(one for one in held.split("<tr>") if "systolic at least 141 mmHg" in one)
    assert "this patient’s own" in row
    assert f"Rosa N., {clinic.now.date().isoformat()}" in row
    html = rosa.page(path)
    assert "treats to her own usual" in html
    assert "it is the limit that holds" in html
    with clinic.database.transaction() as connection:
        news = connection.execute("select count from patient_news where patient_id = %s", [measured.id]).fetchall()
        said = connection.execute(
            "select detail from audit where action = %s and patient_id = %s",
            ["approved a limit of the patient's own", measured.id],
        ).fetchall()
    assert news, "judged anew by it"
    assert [one["detail"] for one in said] == [dict(zip(("rule", "band", "quantity"), KEY, strict=True))]


def test_one_that_is_declined_holds_nowhere_and_says_why(clinic: Clinic, rosa: Visitor, measured: Person) -> None:
    path = f"/patients/{measured.public_id}/limits"
    fields = form(rosa.page(path), KEY)
    unexplained = rosa.post(path, **fields, do="decline", reason="  ")
    assert unexplained.status_code == 400
    assert "Say why" in unexplained.text
    assert rosa.post(path, **fields, do="decline", reason="titration is under way").status_code == 303
    assert own(clinic, measured) == []
    html = rosa.page(path)
    assert "titration is under way" in html
    assert "declined before" in html
    assert form(html, KEY)["basis"] == fields["basis"], "it may still be approved"


def test_what_was_shown_before_a_reading_came_is_refused(clinic: Clinic, rosa: Visitor, measured: Person) -> None:
    path = f"/patients/{measured.public_id}/limits"
    fields = form(rosa.page(path), KEY)
    clinic.pressure(measured, 131, 80, minutes_ago=5)
    answer = rosa.post(path, **fields, do="approve", reason="her own usual")
    assert answer.status_code == 400
    assert "readings came since" in answer.text
    assert own(clinic, measured) == []
    assert rosa.post(path, **form(rosa.page(path), KEY), do="approve", reason="her own usual").status_code == 303


def test_another_version_of_the_rule_or_another_limit_meanwhile_is_refused(clinic: Clinic, measured: Person) -> None:
    rules = rulebook_at()
    with clinic.database.transaction() as connection:
        row = connection.execute("select id from staff where username = 'rosa'").fetchone()
        assert row is not None
        actor = Actor(row["id"], clinic.practice_id, Role.NURSE, "Rosa N.")
        found = offered(connection, measured.id, rules, (), now=clinic.now)
    one = next(one for one in found.tried if (one.offer.rule_id, one.offer.band.word, one.offer.quantity) == KEY)
    asked = Asked(KEY[0], Severity.PRIORITY, KEY[2], one.basis, approved=True, reason="her own usual")
    newer = [rule.model_copy(update={"version": "99"}) if rule.id == KEY[0] else rule for rule in rules]
    with clinic.database.transaction() as connection, pytest.raises(UserError, match=re.escape(STALE)):
        decide(connection, actor, asked, patient=measured.id, rules=newer, layers=(), now=clinic.now)
    with clinic.database.transaction() as connection:
        connection.execute(
            "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
            " values (%s, %s, 'blood_pressure_high', 'priority', 'systolic', 150, 'mm[Hg]', 'Dr. Shah', 'epoch')",
            [clinic.practice_id, measured.id],
        )
        with pytest.raises(UserError, match=re.escape(STALE)):
            decide(connection, actor, asked, patient=measured.id, rules=rules, layers=(), now=clinic.now)
    with clinic.database.transaction() as connection:
        urgent = replace(one.offer, band=Severity.URGENT)
        with pytest.raises(UserError, match="urgent limit is never"):
            own_limits.decide(
                connection,
                actor,
                urgent,
                rule_version="2",
                patient=measured.id,
                approved=True,
                reason="x",
                now=clinic.now,
            )
    assert own(clinic, measured) == [(*KEY, 150.0, "Dr. Shah")], "nothing of it was taken"


def test_a_red_is_never_offered_nor_taken_and_nothing_of_a_child_or_a_stranger(
    clinic: Clinic, rosa: Visitor, measured: Person
) -> None:
    path = f"/patients/{measured.public_id}/limits"
    fields = form(rosa.page(path), KEY)
    answer = rosa.post(path, **{**fields, "band": "urgent"}, do="approve", reason="looser")
    assert answer.status_code == 400
    assert "no such offer" in answer.text
    child = clinic.patient("Zoe", "Young", born="2018-03-04")
    assert "Nothing is offered" in rosa.page(f"/patients/{child.public_id}/limits")
    elsewhere = Clinic(clinic.database, now=clinic.now, name="Oak Lane").patient("Ana", "Diaz")
    there = f"/patients/{elsewhere.public_id}/limits"
    assert rosa.get(there).status_code == 404
    assert rosa.post(there, **fields, do="approve", reason="not ours").status_code == 404
    assert own(clinic, measured) == []
