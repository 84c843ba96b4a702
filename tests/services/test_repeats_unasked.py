"""Of whom nobody can be asked for a second pressure, nothing waits; two who share a cuff are both asked, one after the other.

Method: as in test_repeats.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rpm.store import pauses, requests
from rpm.store.repeats import WITHDRAWN_AFTER
from schemas.codes import Kind
from schemas.messages import Event, EventName, Request, RequestKind
from tests.services.judging import Desk
from tests.services.test_repeats import asked, desk, maria, sent, set_aside, told, turn, waits
from tests.support.clinic import Person

__all__ = ["desk", "maria"]


def nobody_there(desk: Desk, maria: Person) -> None:
    with desk.database.transaction() as connection:
        assert pauses.begin(
            connection, practice_id=desk.clinic.practice_id, patient_id=maria.id, why=pauses.Why.TRAVEL, note="",
            ends_at=desk.now + timedelta(days=3), staff_id=desk.clinic.staff("anna"), now=desk.now,
        )  # fmt: skip


def no_box(desk: Desk, _: Person) -> None:
    desk.rows("update gateway set retired_at = %(now)s returning 1", now=desk.now)


def too_much_asked(desk: Desk, maria: Person) -> None:
    for number in range(requests.OPEN_MAX):
        ask(desk, maria, {"kind": "blood_pressure", "user_slot": 100 + number})


def ask(desk: Desk, maria: Person, arguments: dict[str, str | int], *, staff_id: int | None = None) -> None:
    with desk.database.transaction() as connection:
        requests.ask(
            connection, desk.clinic.gateway_id, RequestKind.MEASURE_AGAIN, arguments, staff_id=staff_id,
            practice_id=desk.clinic.practice_id, patient_id=maria.id, expires_at=desk.now + timedelta(hours=1),
            now=desk.now,
        )  # fmt: skip


@pytest.mark.parametrize("hindered", [nobody_there, no_box, too_much_asked])
def test_where_nobody_can_be_asked_a_red_calls_at_once(
    desk: Desk, maria: Person, hindered: Callable[[Desk, Person], None]
) -> None:
    desk.clinic.staff("nora")
    hindered(desk, maria)
    desk.clinic.pressure(maria, 192, 118)
    desk.judge()
    desk.forward(seconds=1)
    turn(desk)
    desk.forward(seconds=1)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, False)]
    assert desk.alerts()[0]["reason"].endswith("; unconfirmed: nobody there can be asked for a second reading")
    desk.call()
    assert "nora@clinic.example" in desk.outbox.addresses
    assert [one["outcome"] for one in waits(desk)] == ["unanswered"]
    # What comes next of the patient makes it wait no more, nor at its deadline call once more.
    desk.clinic.measure(maria, Kind.BODY_WEIGHT, {"body_weight": (81.0, "kg")}, at=desk.now)
    turn(desk)
    desk.forward(minutes=15)
    turn(desk)
    assert [one["outcome"] for one in waits(desk)] == ["unanswered"]
    assert told(desk) == [("blood_pressure_high", 3, False)]
    assert desk.events(desk.alerts()[0]["id"]).count("opened") == 1


def test_a_box_that_does_not_know_how_to_ask_is_not_waited_for(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 192, 118)
    desk.judge()
    turn(desk)
    [request] = sent(desk)
    desk.forward(seconds=2)
    turn(desk)
    assert told(desk) == [], "it was asked for"
    with desk.database.transaction() as connection:
        said = Event(
            gateway_id=desk.clinic.gateway_id,
            name=EventName.REQUEST_UNKNOWN,
            at=desk.now,
            request_id=request.request_id,
        )
        assert requests.answer(connection, said, now=desk.now)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, False)]


def test_two_who_share_a_cuff_are_asked_one_after_the_other(desk: Desk, maria: Person) -> None:
    """The box asks whoever stands before it, until somebody has measured: then it is asked for the other one."""
    jose = desk.clinic.patient("Jose", "Brown")
    desk.clinic.pressure(maria, 192, 118)
    desk.clinic.pressure(jose, 188, 104)
    desk.judge()
    turn(desk)
    [first] = sent(desk)
    turn(desk)
    assert told(desk) == [], "both wait"
    desk.forward(minutes=2)
    desk.clinic.pressure(maria, 186, 112)
    done(desk, first)
    turn(desk)
    [again] = sent(desk)
    assert (again.kind, again.arguments) == (first.kind, first.arguments)
    [about] = [one["patient_id"] for one in asked(desk) if str(one["id"]) == again.request_id]
    assert about == jose.id
    desk.forward(minutes=2)
    desk.clinic.pressure(jose, 122, 80)
    done(desk, again)
    turn(desk)
    assert {one["patient_id"]: one["outcome"] for one in waits(desk)} == {
        maria.id: "confirmed", jose.id: "not_confirmed",
    }  # fmt: skip


def test_what_a_nurse_asks_for_is_hers(desk: Desk, maria: Person) -> None:
    """Her request is neither the program's to lean on when it ends early, nor to take back."""
    nora = desk.clinic.staff("nora")
    ask(desk, maria, {"kind": "blood_pressure"}, staff_id=nora)
    [hers] = sent(desk)
    desk.clinic.pressure(maria, 192, 118)
    desk.judge()
    turn(desk)
    assert sent(desk) == [], "the box asks already"
    set_aside(desk, maria)
    desk.forward(seconds=WITHDRAWN_AFTER.total_seconds() + 1)
    turn(desk)
    assert [one["outcome"] for one in waits(desk)] == ["gone"]
    assert [(str(one["id"]), one["state"]) for one in asked(desk)] == [(hers.request_id, "sent")]


def done(desk: Desk, request: Request) -> None:
    """The box has ended it: somebody has measured."""
    with desk.database.transaction() as connection:
        said = Event(
            gateway_id=desk.clinic.gateway_id, name=EventName.REQUEST_DONE, at=desk.now, request_id=request.request_id
        )
        assert requests.answer(connection, said, now=desk.now)
