"""From kept frames to rows: what is malformed travels too, a broken-off session is asked for again, a bug holds up nothing."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from devices.procedures import Assembled, Ending, Frame, SessionFacts, assemble
from gateway.intake import facts_text, missing_numbers, next_sequence, settle_session, settle_unfinished
from gateway.outbox import Form, Outbox
from schemas.messages import Event
from tests.unit.gateway.frames import NOON, PLAIN_PRESSURE, open_outbox

ZONE = ZoneInfo("America/New_York")
METER = "C0:00:00:00:10:03"


def glucose(number: int, *, context_follows: bool = False) -> Frame:
    """Record `number`: 104 mg/dL as 104e-5 kg/L (B068), base time 2026-11-22 08:00 (layout: GSS, glucose_measurement)."""
    flags = 0x02 | (0x10 if context_follows else 0)
    data = bytes([flags, number, 0]) + bytes.fromhex("ea070b16080000") + bytes.fromhex("68b011")
    return Frame("2A18", data, NOON + timedelta(milliseconds=number))


def context(number: int) -> Frame:
    """The context of record `number`: before a meal (flags 02, meal 1)."""
    return Frame("2A34", bytes([0x02, number, 0, 1]), NOON + timedelta(milliseconds=number, microseconds=500))


def listen(outbox: Outbox, frames: list[Frame], *, ending: Ending | None = Ending.COMPLETE) -> None:
    session = outbox.begin_session(address=METER, facts=facts_text(SessionFacts()), now=NOON)
    for frame in frames:
        outbox.keep(session, frame)
    settle_session(outbox, session, zone=ZONE, now=NOON, ending=ending)


def test_records_are_kept_and_the_mark_moves(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert outbox.last_sequence(METER) is None
    listen(outbox, [glucose(1), glucose(2)])
    assert outbox.last_sequence(METER) == 2
    assert outbox.stats(now=NOON).depth == 2


@pytest.mark.parametrize("ending", [Ending.HUNG_UP, Ending.BUSY, Ending.TOO_LONG, Ending.QUIET, None])
def test_a_session_that_broke_off_is_asked_for_again(tmp_path: Path, ending: Ending | None) -> None:
    outbox = open_outbox(tmp_path)
    listen(outbox, [glucose(1)], ending=ending)
    assert outbox.last_sequence(METER) is None
    listen(outbox, [glucose(1), glucose(2)])
    assert outbox.stats(now=NOON).depth == 2, "the record that came twice is one reading"
    assert outbox.last_sequence(METER) == 2


def test_a_record_whose_context_is_missing_is_asked_for_once_more_and_not_for_ever(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    listen(outbox, [glucose(4), glucose(5, context_follows=True), glucose(6)])
    assert outbox.last_sequence(METER) == 4
    listen(outbox, [glucose(5, context_follows=True), context(5), glucose(6)])
    assert outbox.last_sequence(METER) == 6
    rows = outbox.due(now=NOON, limit=10)
    assert sum('"meal":"preprandial"' in row.body for row in rows) == 1
    listen(outbox, [glucose(7, context_follows=True)])
    assert outbox.last_sequence(METER) == 6
    listen(outbox, [glucose(7, context_follows=True)])
    assert outbox.last_sequence(METER) == 7


def test_a_meter_that_was_reset_is_followed_from_its_new_start() -> None:
    entries = assemble([glucose(1), glucose(2)])
    assert next_sequence(450, entries) == 2
    assert next_sequence(1, entries) == 2
    assert next_sequence(None, entries) == 2
    assert next_sequence(5, []) is None


@pytest.mark.parametrize(
    "had, numbers, missing",
    [
        (None, [4, 5, 6], 0),
        (None, [4, 6], 1),
        (6, [6, 7, 8], 0),
        (6, [7, 8], 0),
        (6, [9, 10], 2),
        (450, [1, 2], 0),
        (6, [], 0),
    ],
)
def test_numbers_that_are_not_there_are_counted(had: int | None, numbers: list[int], missing: int) -> None:
    assert missing_numbers(had, assemble([glucose(number) for number in numbers])) == missing


def test_a_malformed_frame_travels_to_the_clouds_quarantine_beside_the_good_ones(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    listen(outbox, [Frame("2A35", b"\x00\x78", NOON), Frame("2A35", PLAIN_PRESSURE, NOON)])
    good, bad = outbox.due(now=NOON, limit=10)
    assert (good.form, bad.form) == (Form.READING, Form.UNDECODED)
    assert '"raw":"0078"' in bad.body
    assert "120" not in bad.body


def test_frames_of_a_killed_process_are_assembled_at_the_start(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    session = outbox.begin_session(address=METER, facts=facts_text(SessionFacts()), now=NOON)
    outbox.keep(session, glucose(1))
    still_coming = outbox.begin_session(address=METER, facts=facts_text(SessionFacts()), now=NOON)
    outbox.keep(still_coming, glucose(2))
    (fresh,) = settle_unfinished(outbox, zone=ZONE, now=NOON, listening={still_coming})
    assert fresh.kind == "glucose"
    assert (outbox.stats(now=NOON).depth, outbox.stats(now=NOON).frames) == (1, 1)


def test_a_bug_in_assembly_costs_no_frame_and_holds_up_no_other_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox(tmp_path)

    def broken(*_: object, **__: object) -> list[Assembled]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("gateway.intake.assemble", broken)
        listen(outbox, [glucose(1)])
    listen(outbox, [glucose(2)])
    good, bad = outbox.due(now=NOON, limit=10)
    assert (good.form, bad.form) == (Form.READING, Form.UNDECODED)
    assert "the gateway could not assemble it: ZeroDivisionError" in bad.body
    assert glucose(1).data.hex() in bad.body


def test_missing_records_are_told_once_in_the_transaction_that_moves_the_mark(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    listen(outbox, [glucose(4)])
    for _ in range(2):
        listen(outbox, [glucose(number) for number in (4, 6, 9)])
    told = [Event.model_validate_json(event.body) for event in outbox.events(limit=9)]
    assert [(event.name, event.address, event.value) for event in told] == [("records_missing", METER, 3.0)]


def test_a_gap_is_not_told_while_the_rest_may_still_come(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    listen(outbox, [glucose(1), glucose(4)], ending=Ending.HUNG_UP)
    assert outbox.events(limit=9) == []
