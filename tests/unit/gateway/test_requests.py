"""What the cloud asks and how it is answered: each request once done, each time answered, and ended by its expiry.

Method: messages as they come from the wire, a clock that the test moves, a real outbox whose events are the answers.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import OutboxFailed
from gateway.intake import Fresh
from gateway.outbox import Outbox
from gateway.requests import ANSWERED_MAX, LASTING_MAX, OPEN_MAX, Requests
from schemas.codes import Kind
from schemas.messages import Event, Request
from tests.unit.gateway.frames import GATEWAY, NOON, open_outbox

HALF_AN_HOUR = timedelta(minutes=30)
Arguments = dict[str, str | int]
PRESSURE: Arguments = {"kind": "blood_pressure"}


class Desk:
    """The requests of one gateway, and what the cloud hears of them."""

    def __init__(self, folder: Path) -> None:
        self.outbox: Outbox = open_outbox(folder)
        self._file = folder / "requests.json"
        self.changes = 0
        self.begin()

    def begin(self) -> None:
        """The program starts, again."""
        self.requests = Requests(
            gateway_id=GATEWAY,
            outbox=self.outbox,
            file=self._file,
            measures={Kind.BLOOD_PRESSURE, Kind.BODY_WEIGHT},
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1

    def ask(
        self,
        arguments: Arguments,
        *,
        request_id: str = "r-1",
        kind: str = "measure_again",
        after: timedelta = timedelta(),
    ) -> None:
        request = Request(
            gateway_id=GATEWAY,
            request_id=request_id,
            kind=kind,
            expires_at=NOON + HALF_AN_HOUR,
            arguments=arguments,
        )
        self.requests.receive(request.model_dump_json().encode(), now=NOON + after)

    def heard(self) -> list[tuple[str | None, str]]:
        """(request, answer) so far, and forget them."""
        rows = self.outbox.events(limit=1000)
        for row in rows:
            self.outbox.settle_event(row.number, now=NOON)
        events = [Event.model_validate_json(row.body) for row in rows]
        return [(event.request_id, event.name) for event in events]

    def measures(
        self, kind: Kind = Kind.BLOOD_PRESSURE, *, slot: int | None = None, after: timedelta = timedelta(minutes=5)
    ) -> None:
        self.requests.measured([Fresh(kind, slot, NOON + after)], now=NOON + after)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_person_is_asked_and_the_reading_answers(desk: Desk) -> None:
    desk.ask(PRESSURE)
    assert desk.requests.due
    assert desk.heard() == [("r-1", "request_shown")]
    desk.measures(Kind.BODY_WEIGHT)
    assert desk.requests.due, "a weight is no pressure"
    desk.measures()
    assert not desk.requests.due
    assert desk.heard() == [("r-1", "request_done")]
    desk.measures()
    assert desk.heard() == []
    assert desk.changes == 2


def test_the_spouses_reading_does_not_answer(desk: Desk) -> None:
    desk.ask({**PRESSURE, "user_slot": 1})
    desk.measures(slot=2)
    desk.measures(slot=None)
    assert desk.requests.due
    desk.measures(slot=1)
    assert [name for _, name in desk.heard()] == ["request_shown", "request_done"]


def test_what_a_device_had_in_its_memory_does_not_answer(desk: Desk) -> None:
    desk.ask(PRESSURE)
    desk.measures(after=-timedelta(hours=2))
    assert desk.requests.due
    desk.measures(after=-timedelta(seconds=10))
    assert not desk.requests.due, "two clocks never agree to the second"


def test_a_request_ends(desk: Desk) -> None:
    desk.ask(PRESSURE)
    desk.requests.look(now=NOON + HALF_AN_HOUR - timedelta(seconds=1))
    assert desk.requests.due
    desk.requests.look(now=NOON + HALF_AN_HOUR)
    assert not desk.requests.due
    desk.measures(after=HALF_AN_HOUR)
    assert [name for _, name in desk.heard()] == ["request_shown", "request_expired"]


def test_one_that_comes_too_late_is_told_so_and_not_shown(desk: Desk) -> None:
    desk.ask(PRESSURE, after=HALF_AN_HOUR)
    assert not desk.requests.due
    assert desk.heard() == [("r-1", "request_expired")]


def test_asked_twice_it_is_done_once_and_answered_twice(desk: Desk) -> None:
    """An answer may be lost on its way: the cloud asks again until it hears one."""
    desk.ask(PRESSURE)
    desk.ask(PRESSURE)
    desk.measures()
    desk.ask(PRESSURE, after=timedelta(minutes=6))
    assert not desk.requests.due
    assert [name for _, name in desk.heard()] == ["request_shown", "request_shown", "request_done", "request_done"]


def test_an_open_request_survives_the_program(desk: Desk) -> None:
    desk.ask({**PRESSURE, "user_slot": 3})
    desk.begin()
    assert desk.requests.due
    desk.measures(slot=3)
    desk.begin()
    desk.ask({**PRESSURE, "user_slot": 3})
    assert [name for _, name in desk.heard()] == ["request_shown", "request_done", "request_done"]


def test_the_practice_asks_for_a_call(desk: Desk) -> None:
    desk.ask({}, kind="call_us")
    assert desk.requests.called
    assert not desk.requests.due
    desk.requests.look(now=NOON + HALF_AN_HOUR)
    assert not desk.requests.called
    assert [name for _, name in desk.heard()] == ["request_shown", "request_expired"]


@pytest.mark.parametrize(
    "kind, arguments",
    [
        ("dance", {}),
        ("measure_again", {}),
        ("measure_again", {"kind": "glucose"}),
        ("measure_again", {"kind": "shoe_size"}),
        ("measure_again", {"kind": "blood_pressure", "user_slot": "one"}),
        ("replay", {"epoch": "0" * 16, "from_seq": 1}),
    ],
)
def test_what_cannot_be_done_here_is_said(desk: Desk, kind: str, arguments: dict[str, str | int]) -> None:
    desk.ask(arguments, request_id="r-9", kind=kind)
    assert desk.heard() == [("r-9", "request_unknown")]
    assert not desk.requests.due


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b'{"v": 1}', b'{"v": 2, "gateway_id": "gw-home-a"}', b"\xff" * 50]
)
def test_what_cannot_be_read_harms_nothing(desk: Desk, payload: bytes) -> None:
    desk.requests.receive(payload, now=NOON)
    assert desk.heard() == []


def test_another_gateways_request_is_left_alone(desk: Desk) -> None:
    request = Request(gateway_id="gw-home-z", request_id="r", kind="call_us", expires_at=NOON + HALF_AN_HOUR)
    desk.requests.receive(request.model_dump_json().encode(), now=NOON)
    assert desk.heard() == []
    assert not desk.requests.called


def test_every_number_has_a_bound(desk: Desk) -> None:
    for number in range(OPEN_MAX + 5):
        desk.ask(PRESSURE, request_id=f"r-{number}")
    answers = [name for _, name in desk.heard()]
    assert answers.count("request_shown") == OPEN_MAX
    assert answers[OPEN_MAX:] == ["request_unknown"] * 5
    desk.measures()
    assert len(desk.heard()) == OPEN_MAX
    for number in range(ANSWERED_MAX * 2):
        desk.ask(PRESSURE, request_id=f"s-{number}")
        desk.measures(after=timedelta(minutes=7))
    desk.begin()
    assert len(desk.requests._asked) == ANSWERED_MAX


def test_nobody_is_asked_for_a_year(desk: Desk) -> None:
    request = Request(
        gateway_id=GATEWAY, request_id="r", kind="call_us", expires_at=NOON + timedelta(days=365), arguments={}
    )
    desk.requests.receive(request.model_dump_json().encode(), now=NOON)
    desk.requests.look(now=NOON + LASTING_MAX)
    assert not desk.requests.called


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": 1}]', "x" * 100_000])
def test_a_file_nobody_can_read_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "requests.json").write_text(text)
    desk = Desk(tmp_path)
    desk.ask(PRESSURE)
    assert desk.heard() == [("r-1", "request_shown")]


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "requests.json.new").mkdir()
    with pytest.raises(OutboxFailed):
        desk.ask(PRESSURE)
