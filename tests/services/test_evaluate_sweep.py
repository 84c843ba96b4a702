"""Everybody has news: many are judged at a time, until there are few again."""

import pytest

from rpm.jobs import evaluate
from rpm.store.database import Database
from tests.services.judging import JUDGEMENT, Desk
from tests.support.clock import MORNING


def test_after_a_full_claim_more_are_judged_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "CLAIM_LIMIT", 2)
    monkeypatch.setattr(evaluate, "SWEEP_LIMIT", 5)
    desk = Desk(database, now=MORNING)
    for number in range(12):
        desk.clinic.pressure(desk.clinic.patient("Maria", f"Alvarez {number}"), 192, 118)
    judge = evaluate.Judge(database, JUDGEMENT)
    assert [judge.turn(MORNING).patients for _ in range(5)] == [2, 5, 5, 0, 0]
    assert len(desk.alerts()) == 12
    for number in range(3):
        desk.clinic.pressure(desk.clinic.patient("Joan", f"Alvarez {number}"), 192, 118)
    assert judge.turn(MORNING).patients == 2, "few at a time while there are few"
