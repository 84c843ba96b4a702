"""What may wait because a nurse said so: until its end, and not a moment longer than it may (F56, F64).

Time passes by telling the loops a later time.
"""

import re
from datetime import timedelta

import httpx
import pytest

from rpm.jobs import pauses, silence
from rpm.jobs.silence import Patience
from rpm.store import alerts
from rpm.store import pauses as kept_pauses
from rpm.store.alerts import Outcome
from rpm.store.database import Database
from rpm.store.pauses import Why
from rpm.store.silences import READINGS
from schemas.codes import Kind
from tests.services.judging import PLAN, Desk
from tests.services.test_escalate import ADMIN, NURSE, act, crisis, staff_id
from tests.support.clock import MORNING, SettableClock
from tests.support.visitor import Visitor
from tests.support.website import Website


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    return desk


def snooze(desk: Desk, alert_id: int, minutes: int) -> Outcome:
    with desk.database.transaction() as connection:
        return alerts.snooze(
            connection,
            alert_id=alert_id,
            staff_id=staff_id(desk, "nora"),
            minutes=minutes,
            reason="she measures again after her tablet",
            now=desk.now,
        )


def test_a_snooze_ends_when_it_was_said_to(desk: Desk) -> None:
    alert_id = crisis(desk)
    desk.call()
    assert snooze(desk, alert_id, 30).done
    desk.forward(minutes=29, seconds=59)
    desk.call()
    assert desk.outbox.addresses == [NURSE], "neither the next step nor a forgotten acknowledgement"
    desk.forward(seconds=1)
    desk.call()
    assert desk.outbox.addresses == [NURSE, NURSE]
    assert desk.events(alert_id)[-4:] == ["snoozed", "snooze_ended", "called", "notified"]
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("open", None)
    desk.forward(minutes=15)
    desk.call()
    assert desk.outbox.addresses[2:] == [ADMIN], "and so on, as if it had just come"


def test_what_is_urgent_does_not_wait_for_the_next_shift(desk: Desk) -> None:
    alert_id = crisis(desk)
    assert snooze(desk, alert_id, 240) == Outcome(False, "what is urgent cannot wait that long")
    assert desk.alerts()[0]["status"] == "open"


def test_another_red_ends_a_snooze_and_calls(desk: Desk) -> None:
    """The same severity again folds silently into an alert that somebody has; during a snooze nobody is looking."""
    patient = desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.pressure(patient, 192, 118)
    desk.judge()
    desk.call()
    alert_id = int(desk.alerts()[0]["id"])
    act(desk, alert_id, "nora")
    desk.forward(minutes=5)
    desk.clinic.pressure(patient, 194, 119)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == [NURSE], "Nora has it"
    snooze(desk, alert_id, 60)
    desk.forward(minutes=5)
    desk.clinic.pressure(patient, 191, 117)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == [NURSE, NURSE]
    assert "red_again" in desk.events(alert_id)
    desk.forward(minutes=14)
    desk.call()
    assert desk.outbox.addresses == [NURSE, NURSE], "the old end is forgotten, and the first step has its time"


def test_worsening_ends_a_snooze_and_calls(desk: Desk) -> None:
    patient = desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (65.0, "mg/dL")}, at=desk.now)
    desk.judge()
    desk.call()
    [alert] = desk.alerts()
    assert alert["band"] == "priority"
    assert snooze(desk, alert["id"], 240).done
    told = len(desk.outbox.sent)
    desk.forward(minutes=5)
    desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (50.0, "mg/dL")}, at=desk.now)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses[told:] == [NURSE]
    assert desk.alerts()[0]["status"] == "open"


def test_who_takes_it_ends_the_snooze(desk: Desk) -> None:
    alert_id = crisis(desk)
    snooze(desk, alert_id, 15)
    assert act(desk, alert_id, "ada").done
    desk.forward(minutes=15)
    desk.call()
    assert desk.outbox.sent == []


@pytest.mark.parametrize("how", ["ended", "taken", "closed"])
def test_of_a_snooze_that_is_over_only_the_record_is_left(desk: Desk, how: str) -> None:
    """Nothing of it stands on the alert, which may be opened or let wait anew; until when and why stays in its life."""
    alert_id = crisis(desk)
    assert snooze(desk, alert_id, 30).done
    if how == "ended":
        desk.forward(minutes=30)
        desk.call()
    elif how == "taken":
        assert act(desk, alert_id, "ada").done
    else:
        with desk.database.transaction() as connection:
            closed = alerts.close(
                connection,
                alert_id=alert_id,
                staff_id=staff_id(desk, "nora"),
                disposition="called",
                note="",
                now=desk.now,
            )
        assert closed.done
    [alert] = desk.rows("select snoozed_until, snooze_reason from alert where id = %(id)s", id=alert_id)
    assert (alert["snoozed_until"], alert["snooze_reason"]) == (None, None)
    reasons = desk.rows("select reason from alert_event where alert_id = %(id)s order by id", id=alert_id)
    said = [row["reason"] for row in reasons if "she measures again" in row["reason"]]
    assert said[0] == "for 30 minutes: she measures again after her tablet"
    assert said[1:] == (["it was to wait until now: she measures again after her tablet"] if how == "ended" else [])


def test_on_the_page_with_its_end_and_its_reason(desk: Desk, clock: SettableClock) -> None:
    alert_id = crisis(desk)
    path = desk.rows("select public_id from alert where id = %(id)s", id=alert_id)[0]["public_id"]
    with Website(desk.database, clock) as website:
        nora = Visitor(website).sign_in("nora")
        assert nora.post(f"/alerts/{path}/snooze", minutes="15", reason=" ").status_code == httpx.codes.BAD_REQUEST
        assert nora.post(f"/alerts/{path}/snooze", minutes="240", reason="x").status_code == httpx.codes.BAD_REQUEST
        assert nora.post(f"/alerts/{path}/snooze", minutes="15", reason="on the phone").status_code == 303
        assert "waits until" in nora.page("/worklist")
        assert "on the phone" in nora.page("/worklist")


def away(desk: Desk, clock: SettableClock, days: int = 3) -> str:
    patient = desk.clinic.patient("Maria", "Alvarez")
    with Website(desk.database, clock) as website:
        nora = Visitor(website).sign_in("nora")
        path = f"/patients/{patient.public_id}"
        for wrong in ("", "2020-01-01", str((MORNING + timedelta(days=90)).date())):
            assert nora.post(f"{path}/pause", why="travel", until=wrong).status_code == httpx.codes.BAD_REQUEST
        until = str((MORNING + timedelta(days=days)).date())
        assert nora.post(f"{path}/pause", why="hospital", until=until, note="hip").status_code == 303
        assert nora.post(f"{path}/pause", why="travel", until=until).status_code == httpx.codes.BAD_REQUEST
        assert "Hospital: hip" in nora.page(path)
        desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (65.0, "mg/dL")}, at=desk.now)
        desk.judge()
        assert "away until" in nora.page("/worklist")
        assert "Let it wait" in nora.page(path)
    desk.call()
    assert [one["band"] for one in desk.alerts()] == ["priority"]
    assert desk.outbox.sent == [], "it stands on the list, and calls nobody"
    desk.clinic.pressure(patient, 192, 118)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == [NURSE], "a red calls as ever"
    return path


def test_a_pause_ends_by_itself_and_says_so(desk: Desk, clock: SettableClock) -> None:
    away(desk, clock)
    desk.forward(days=1)
    assert pauses.run_once(desk.database, now=desk.now).done == 0
    desk.forward(days=2)
    assert pauses.run_once(desk.database, now=desk.now).done == 1
    assert pauses.run_once(desk.database, now=desk.now).done == 0
    [said] = [one for one in desk.alerts() if one["rule_id"] == "pause_ended"]
    assert (said["kind"], said["severity"], said["next_step_at"]) == ("review", 1, None)
    assert "2 alerts came meanwhile" in said["reason"]
    patient = desk.rows("select * from patient")[0]
    desk.rows(
        "insert into patient_news (patient_id, practice_id, since) values (%(id)s, %(practice)s, %(now)s)"
        " on conflict do nothing returning patient_id",
        id=patient["id"], practice=patient["practice_id"], now=desk.now,
    )  # fmt: skip
    desk.judge()
    assert [one["status"] for one in desk.alerts() if one["rule_id"] == "pause_ended"] == ["open"], "judging leaves it"


def test_back_before_the_day(desk: Desk, clock: SettableClock) -> None:
    path = away(desk, clock)
    with Website(desk.database, clock) as website:
        nora = Visitor(website).sign_in("nora")
        assert nora.post(f"{path}/pause/end").status_code == 303
        assert nora.post(f"{path}/pause/end").status_code == httpx.codes.BAD_REQUEST
    desk.forward(days=3)
    assert pauses.run_once(desk.database, now=desk.now).done == 0


def test_while_somebody_is_away_an_earlier_stay_is_entered_and_the_pause_taken_back(
    desk: Desk, clock: SettableClock
) -> None:
    """By what the page offers, and nothing else: its forms and their buttons."""
    path = away(desk, clock)
    with Website(desk.database, clock) as website:
        nora = Visitor(website).sign_in("nora")
        html = nora.page(path)
        for words in ("Back already", "A mistake: hospital from 10 Jun 2026", "Was away before"):
            assert words in html, words
        assert forms(html, f"{path}/pause")[0] >= {"since", "until", "why", "note"}
        earlier = {"why": "hospital", "since": "2026-06-01", "until": "2026-06-03", "note": "fall"}
        assert nora.post(f"{path}/pause", **earlier).status_code == 303
        refused = nora.post(f"{path}/pause", **{**earlier, "until": "2026-06-11"})
        assert refused.status_code == httpx.codes.BAD_REQUEST
        assert "End that first, or take it back." in refused.text
        html = nora.page(path)
        assert "Back already" in html, "who is away stays so"
        assert "hospital, 1 Jun 2026 – " in html
        [running, _] = sorted(re.findall(rf"{path}/pauses/\d+/withdraw", html), key=html.index)
        assert nora.post(running).status_code == 303
        html = nora.page(path)
        assert "Back already" not in html
        assert "hospital, 1 Jun 2026 – " in html, "the other stays"
    desk.forward(days=3)
    assert pauses.run_once(desk.database, now=desk.now).done == 0, "nobody was away: nothing is over"


def forms(html: str, action: str) -> list[set[str]]:
    """The names of the fields of each form that goes there."""
    found = re.findall(rf'<form method="post" action="{action}".*?</form>', html, re.DOTALL)
    return [set(re.findall(r'name="(\w+)"', form)) for form in found]


@pytest.mark.parametrize("days_late, ended", [(0, "now"), (2, "its day")])
def test_a_pause_taken_back_is_kept_as_long_as_it_was_one(
    desk: Desk, clock: SettableClock, days_late: int, ended: str
) -> None:
    """Also where its day had come, and nobody had ended it yet: it put nothing off after that."""
    away(desk, clock, days=3)
    desk.forward(days=1 if ended == "now" else 3 + days_late)
    [pause] = desk.rows("select id, practice_id, patient_id, ends_at from patient_pause")
    with desk.database.transaction() as connection:
        assert kept_pauses.withdraw(
            connection, pause["id"], practice_id=pause["practice_id"], patient_id=pause["patient_id"],
            staff_id=staff_id(desk, "nora"), now=desk.now,
        )  # fmt: skip
    [kept] = desk.rows("select ended_at, withdrawn_at from patient_pause")
    assert kept == {"ended_at": desk.now if ended == "now" else pause["ends_at"], "withdrawn_at": desk.now}


def test_nobody_misses_readings_of_who_is_away(desk: Desk, clock: SettableClock) -> None:
    away(desk, clock, days=10)

    def missed() -> int:
        silence.run_once(desk.database, now=desk.now, patience=Patience(), plan=PLAN, watching_since=desk.now)
        return len(desk.rows("select 1 from alert where rule_id = %(rule)s", rule=READINGS))

    desk.forward(days=9)
    assert missed() == 0
    desk.forward(days=2)
    assert missed() == 0, "the wait begins on the day they are back"
    desk.forward(days=5)
    assert missed() == 1


def test_a_pause_that_was_a_mistake_puts_nothing_off(desk: Desk, clock: SettableClock) -> None:
    away(desk, clock, days=10)
    desk.forward(days=9)
    desk.rows("update patient_pause set ended_at = %(now)s, withdrawn_at = %(now)s returning id", now=desk.now)
    silence.run_once(desk.database, now=desk.now, patience=Patience(), plan=PLAN, watching_since=desk.now)
    assert len(desk.rows("select 1 from alert where rule_id = %(rule)s", rule=READINGS)) == 1


def test_what_never_called_does_not_begin_to_when_its_snooze_ends(desk: Desk) -> None:
    """A review item that became worse while the patient was away: it stood on the list, and there it stays."""
    patient = desk.clinic.patient("Maria", "Alvarez")
    with desk.database.transaction() as connection:
        kept_pauses.begin(
            connection, practice_id=desk.clinic.practice_id, patient_id=patient.id, why=Why.TRAVEL, note="",
            ends_at=desk.now + timedelta(days=2), staff_id=staff_id(desk, "nora"), now=desk.now,
        )  # fmt: skip
    for hours_ago in (5, 0):
        at = desk.now - timedelta(hours=hours_ago)
        desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (65.0, "mg/dL")}, at=at)
        desk.judge()
    [alert] = desk.alerts()
    assert "worsened" in desk.events(alert["id"])
    assert snooze(desk, alert["id"], 60).done
    desk.forward(minutes=60)
    desk.call()
    assert desk.alerts()[0]["status"] == "open"
    assert desk.outbox.sent == []
