"""Hand-over and review (F66): what is open, how long answers took, what reached the last step, and what nobody had."""

import httpx
import pytest

from rpm.store import alerts
from rpm.store.database import Database
from tests.services.judging import Desk
from tests.services.test_escalate import act, crisis, staff_id
from tests.support.clock import MORNING, SettableClock
from tests.support.leaks import leaked
from tests.support.visitor import Visitor
from tests.support.website import Website


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    return desk


def test_what_one_shift_tells_the_next(desk: Desk, clock: SettableClock) -> None:
    taken, left = crisis(desk, "Alvarez"), crisis(desk, "Brown")
    desk.call()
    desk.forward(minutes=4)
    act(desk, taken, "nora")
    desk.forward(minutes=6)
    with desk.database.transaction() as connection:
        assert alerts.close(
            connection, alert_id=taken, staff_id=staff_id(desk, "nora"), disposition="called", note="", now=desk.now
        ).done
    for _ in range(4):
        desk.forward(minutes=15)
        desk.call()
    clock.set(desk.now)
    public = {row["id"]: str(row["public_id"])[:8] for row in desk.alerts()}
    with Website(desk.database, clock) as website:
        page = Visitor(website).sign_in("nora").page("/review?days=1")
        table = Visitor(website).sign_in("ada").get("/review.csv?days=1").text
        assert Visitor(website).sign_in("nora").get("/review?days=3").status_code in {400, 404, 422}
        assert Visitor(website).get("/review").status_code == httpx.codes.SEE_OTHER
    assert public[left] in page
    assert public[taken] not in page, "it is closed, and was answered"
    assert "reached the last step, nobody had it" in page
    assert leaked(page, "Maria", "Alvarez", "Brown", "192", "118") == []
    [_head, row] = table.strip().splitlines()
    queue, severity, _shift, count, *times, last, nobody = row.split(",")[:-6]
    assert (queue, severity, count, last, nobody) == ("clinical", "urgent", "2", "1", "1")
    assert times == ["4.0", "4.0", "10.0", "10.0"]
    assert row.split(",")[-6:] == ["15", "1", "2", "60", "1", "2"]
    assert "1 of 2, 50 %" in page


def test_another_practices_alerts_are_not_counted(desk: Desk, clock: SettableClock) -> None:
    crisis(desk)
    desk.call()
    other = desk.rows("insert into practice (name, time_zone, created_at) values ('Other', 'UTC', now()) returning id")
    desk.rows("update staff set practice_id = %(id)s where username = 'nora' returning id", id=other[0]["id"])
    with Website(desk.database, clock) as website:
        assert "No alert called anybody." in Visitor(website).sign_in("nora").page("/review?days=28")


def test_a_rule_whose_alerts_need_nobody_is_named(desk: Desk, clock: SettableClock) -> None:
    maria = desk.clinic.patient("Maria", "Alvarez")
    for number in range(12):
        desk.clinic.alert(maria, f"weight_gain_24h_{number}", 2, "Weight up")
    desk.rows(
        "update alert set rule_id = 'weight_gain_24h', status = 'closed', closed_at = %(now)s,"
        " disposition = case when id %% 12 = 0 then 'called' else 'no_action' end returning id",
        now=desk.now,
    )
    clock.set(desk.now)
    with Website(desk.database, clock) as website:
        page = Visitor(website).sign_in("nora").page("/review")
    assert "1 of 12, 8 %" in page
    assert "look at this rule" in page
    assert leaked(page, "Maria", "Alvarez") == []


def test_a_practice_sets_its_own_targets(desk: Desk, clock: SettableClock) -> None:
    taken = crisis(desk)
    desk.call()
    desk.forward(minutes=4)
    act(desk, taken, "nora")
    desk.forward(minutes=60)
    clock.set(desk.now)
    with Website(desk.database, clock) as website:
        ada, nora = (Visitor(website).sign_in(who) for who in ("ada", "nora"))
        assert "1 of 1, 100 %" in nora.page("/review")
        assert "Targets" not in nora.page("/review")
        assert "Had within, min" in ada.page("/review")
        fields = {"severity": "3", "had": "3", "closed": "90"}
        nora.page("/review")
        assert nora.post("/review/targets", **fields).status_code == httpx.codes.FORBIDDEN
        for wrong in ({"had": "0"}, {"had": "91"}, {"closed": "43201"}, {"severity": "4"}, {"had": "soon"}):
            assert ada.post("/review/targets", **{**fields, **wrong}).status_code in {httpx.codes.BAD_REQUEST, 422}, (
                wrong
            )
        assert ada.post("/review/targets", **fields).status_code == httpx.codes.SEE_OTHER
        page = nora.page("/review")
        assert "0 of 1, 0 %" in page
        assert "not known yet" in page, "it is open, and there are 26 minutes left"
        row = nora.get("/review.csv").text.strip().splitlines()[1]
    assert row.split(",")[-6:] == ["3", "0", "1", "90", "0", "0"]
    [said] = desk.rows("select action from audit order by id desc limit 1")
    assert said["action"] == "set within what time alerts are answered"
