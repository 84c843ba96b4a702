"""What became of every reading is told from receipts and rows alone, and no kind of fault passes for another."""

from typing import Any

import pytest

from rpm.load.messages import Run, gateway_id
from rpm.load.tally import Tally, faultless, kept_of

#: Two gateways, three messages of two readings: gateway 0 has seqs 1 to 4, gateway 1 seqs 1 and 2.
RUN = Run(3, readings=6, per_message=2, gateways=2)
ROWS = [(number, gateway_id(gateway), seq) for number, (gateway, seq) in enumerate([(0, 1), (0, 2), (1, 1), (1, 2), (0, 3), (0, 4)], start=10)]  # fmt: skip
VALUES = {number: 4 for number, _, _ in ROWS}


def receipt(gateway: int, *stored: int, **others: Any) -> dict[str, Any]:
    said = {"stored": list(stored), "duplicate": [], "unassigned": [], "quarantined": []}
    return {"gateway_id": gateway_id(gateway), "epoch": RUN.epoch, **said, **others}


@pytest.fixture
def tally() -> Tally:
    made = Tally(RUN)
    for place in range(RUN.messages):
        made.first_sending(place, at=float(place))
    return made


def test_a_run_in_which_all_went_well(tally: Tally) -> None:
    tally.hear(receipt(0, 1, 2), at=10.0)
    tally.hear(receipt(1, 1, 2), at=11.0)
    tally.hear(receipt(0, 3, 4), at=12.0)
    found = tally.result(kept_of(RUN, ROWS, VALUES))
    assert faultless(found)
    assert (found["sent"], found["stored"], found["wire_factor"], found["took_s"]) == (6, 6, 1.0, 12.0)
    assert (found["receipt_ms_p50"], found["receipt_ms_max"]) == (10_000, 10_000)
    assert tally.under_way == 0


def test_a_receipt_without_a_row_is_a_loss(tally: Tally) -> None:
    for gateway, seqs in ((0, (1, 2, 3, 4)), (1, (1, 2))):
        tally.hear(receipt(gateway, *seqs), at=9.0)
    rows = [row for row in ROWS if row[1:] != (gateway_id(1), 2)]
    assert _wrong(tally, rows, VALUES) == {"lost": 1}
    assert _wrong(tally, ROWS, {**VALUES, 12: 3}) == {"lost": 1}, "a value is missing"


def test_a_second_row_or_a_value_too_many_is_a_doubling(tally: Tally) -> None:
    for gateway, seqs in ((0, (1, 2, 3, 4)), (1, (1, 2))):
        tally.hear(receipt(gateway, *seqs), at=9.0)
    assert _wrong(tally, [*ROWS, (99, gateway_id(0), 3)], {**VALUES, 99: 4}) == {"doubled": 1}
    assert _wrong(tally, ROWS, {**VALUES, 11: 8}) == {"doubled": 1}


def test_a_row_without_a_receipt_is_told(tally: Tally) -> None:
    tally.hear(receipt(0, 1, 2, 3, 4), at=9.0)
    tally.hear(receipt(1, 1), at=9.0)
    assert _wrong(tally, ROWS, VALUES) == {"unreceipted": 1}
    assert tally.overdue(before=5.0) == [1], "its message is sent again"
    assert tally.overdue(before=1.0) == []


def test_a_held_reading_is_held_and_not_lost(tally: Tally) -> None:
    tally.hear(receipt(0, 1, 3, 4, quarantined=[{"seq": 2, "reason": "implausible"}]), at=9.0)
    tally.hear(receipt(1, 1, unassigned=[2]), at=9.0)
    rows = [row for row in ROWS if row[2] != 2]
    found = tally.result(kept_of(RUN, rows, VALUES))
    assert found["held"] == {"implausible": 1, "unassigned": 1}
    assert (found["lost"], found["unreceipted"]) == (0, 0)
    assert not faultless(found)


def test_what_was_sent_twice_counts_once_and_shows(tally: Tally) -> None:
    tally.sending(0, at=20.0)
    tally.hear(receipt(0, 1, 2), at=21.0)
    tally.hear(receipt(0, duplicate=[1, 2]), at=22.0)
    tally.hear(receipt(1, duplicate=[1, 2]), at=23.0)
    tally.hear(receipt(0, 3, 4), at=24.0)
    found = tally.result(kept_of(RUN, ROWS, VALUES))
    assert faultless(found)
    assert (found["wire_factor"], found["receipts_repeated"]) == (1.3333, 2)
    assert found["receipt_ms_max"] == 22_000, "from the first sending"


def test_receipts_of_others_are_none_of_ours(tally: Tally) -> None:
    tally.hear(receipt(0, 1, epoch="00000000000000ff"), at=9.0)
    tally.hear(receipt(0, 77), at=9.0)
    assert tally.settled == 0


def test_a_run_without_readings_is_no_success() -> None:
    assert not faultless(Tally(RUN).result(kept_of(RUN, [], {})))


def _wrong(tally: Tally, rows: list[tuple[int, str, int]], values: dict[int, int]) -> dict[str, int]:
    found = tally.result(kept_of(RUN, rows, values))
    assert not faultless(found)
    return {name: found[name] for name in ("lost", "doubled", "unreceipted") if found[name]}
