"""The list and the patient's page say of how many readings an alert is: a mean of two, or one that nobody repeated."""

from rpm.jobs import evaluate, repeats
from tests.services.judging import PLAN, SHIPPED
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.visitor import Visitor

ASKING = evaluate.Judgement(SHIPPED, PLAN)


def judge(clinic: Clinic, clock: SettableClock, *, minutes: float = 0) -> None:
    clinic.now = clock.forward(minutes=minutes)
    repeats.run_once(clinic.database, now=clinic.now)
    evaluate.run_once(clinic.database, now=clinic.now, judgement=ASKING)
    repeats.run_once(clinic.database, now=clinic.now)


def test_what_nobody_repeated_says_so(clinic: Clinic, clock: SettableClock, rosa: Visitor, maria: Person) -> None:
    clinic.pressure(maria, 192, 118)
    judge(clinic, clock)
    assert "Nobody needs you right now" in rosa.page("/worklist")
    page = f"/patients/{maria.public_id}"
    assert "Measure again: blood pressure" in rosa.page(page)
    judge(clinic, clock, minutes=15)
    rosa.sign_in("rosa")
    for address in ("/worklist", page):
        html = rosa.page(address)
        assert "unconfirmed: no second reading within 15 minutes" in html
        assert "unconfirmed: no second reading in time" in html
        assert "mean of 2" not in html


def test_the_mean_of_two_says_so(clinic: Clinic, clock: SettableClock, rosa: Visitor, maria: Person) -> None:
    clinic.pressure(maria, 192, 118)
    judge(clinic, clock)
    clinic.now = clock.forward(minutes=2)
    clinic.pressure(maria, 188, 116)
    judge(clinic, clock)
    for address in ("/worklist", f"/patients/{maria.public_id}"):
        html = rosa.page(address)
        assert "190/117 mmHg (mean of 2 readings: 192/118 mmHg, then 188/116 mmHg)" in html
        assert '<span class="badge good">mean of 2 readings</span>' in html
        assert "unconfirmed" not in html.replace('class="badge unconfirmed"', "")
