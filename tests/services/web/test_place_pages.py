"""The order of the worklist on a real database: patients alike but for what was measured of them, and the parts that say so.

Method: the same alert of each, opened at one instant; weeks of readings through the product's own store, summed by its own job.
"""

import re
from datetime import timedelta

from rpm.jobs import rollup
from schemas.codes import Kind
from tests.support.clinic import PRIORITY, Clinic, Person
from tests.support.visitor import Visitor

EVIDENCE = '{"values": [], "limit": {"quantity": "systolic", "comparison": "at_least", "value": 160, "unit": "mm[Hg]"}}'


def measured(clinic: Clinic, person: Person, last_days: dict[int, float]) -> None:
    """Day before today → systolic."""
    clinic.measure_many(
        [
            (
                person,
                Kind.BLOOD_PRESSURE,
                {"systolic": (value, "mm[Hg]"), "diastolic": (80.0, "mm[Hg]")},
                clinic.now - timedelta(days=day, hours=1),
                False,
                (),
            )
            for day, value in last_days.items()
        ]
    )


def raised(clinic: Clinic, person: Person) -> None:
    made = clinic.alert(person, "blood_pressure_high", PRIORITY, "Blood pressure 164/98 mmHg", minutes_ago=60)
    with clinic.database.transaction() as connection:
        connection.execute("update alert set evidence = %s::jsonb where id = %s", [EVIDENCE, made.id])


def test_those_alike_stand_by_silence_and_trend_and_the_page_says_why(clinic: Clinic, rosa: Visitor) -> None:
    steady, rising, silent, away = (clinic.patient(name, "Test") for name in ("Steady", "Rising", "Silent", "Away"))
    usual = {day: 140.0 + day % 3 * 4 for day in range(28)}
    measured(clinic, steady, usual)
    measured(clinic, rising, {day: value + (20 if day < 7 else 0) for day, value in usual.items()})
    for person in (silent, away):
        measured(clinic, person, {day: value for day, value in usual.items() if day >= 10})
    with clinic.database.transaction() as connection:
        connection.execute(
            "insert into patient_pause (practice_id, patient_id, reason, begins_at, ends_at, made_by, made_at)"
            " select %s, %s, 'travel', %s, %s, id, 'epoch' from staff where username = 'rosa'",
            [clinic.practice_id, away.id, clinic.now - timedelta(days=10), clinic.now + timedelta(days=3)],
        )
    for person in (steady, away, rising, silent):
        raised(clinic, person)
    while rollup.run_once(clinic.database).more:
        pass
    html = rosa.page("/worklist")
    names = re.findall(r'class="open"[^>]*>([^<]+)<', html)
    assert names == ["Silent Test", "Rising Test", "Steady Test", "Away Test"], "who is away is not silent"
    for words in (
        "usual spreads worse than the weeks before",
        "last reading 10 days ago",
        "measured on 8 days fewer in two weeks than in the two before",
    ):
        assert words in html, words
    for row in re.split(r'<li class="alert', html)[1:]:
        said = re.search(r"Why here: (\d+)", row)
        assert said
        assert sum(map(int, re.findall(r"<li><b>(\d+)</b>", row))) == int(said[1]), "the parts add up to what is said"
