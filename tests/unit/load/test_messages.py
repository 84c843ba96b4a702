"""Simulated gateways say what real ones could: their messages read back with the product's models, and count up."""

import json
from datetime import timedelta

import pytest

from rpm.load.messages import PARTS_MAX, SPREAD, Run, address, gateway_id, message, messages, number_of
from schemas.messages import ReadingBatch
from tests.support.clock import MORNING


@pytest.mark.parametrize("urgent", [False, True])
def test_a_message_is_one_the_models_would_write(*, urgent: bool) -> None:
    run = Run(7, 10, 4, 3, urgent=urgent, seed=5)
    for gateway, payload in messages(run, now=MORNING):
        batch = ReadingBatch.model_validate_json(payload)
        assert (batch.gateway_id, batch.epoch) == (gateway_id(gateway), run.epoch)
        # Whole numbers and UTC may be written in two ways.
        again = json.loads(batch.model_dump_json().replace('Z"', '+00:00"'))
        assert json.loads(payload) == again
        for item in batch.items:
            reading = item.reading
            assert reading.reading_id == reading.derived_id()
            assert reading.device.address == address(gateway)
            assert reading.measured_at < reading.received_at < MORNING
            assert reading.quantities["systolic"].value is not None
            assert (reading.quantities["systolic"].value > 180) is urgent


@pytest.mark.parametrize("readings, per_message, gateways", [(1, 1, 1), (400, 1, 7), (2000, 100, 3), (250, 100, 4)])
def test_what_is_expected_is_what_is_sent(readings: int, per_message: int, gateways: int) -> None:
    run = Run(1, readings, per_message, gateways)
    sent = dict.fromkeys(range(gateways), 0)
    names: set[str] = set()
    indexes: list[int] = []
    for gateway, payload in messages(run, now=MORNING):
        items = json.loads(payload)["items"]
        assert [item["seq"] for item in items] == list(range(sent[gateway] + 1, sent[gateway] + len(items) + 1))
        indexes += [run.index(gateway, item["seq"]) for item in items]
        sent[gateway] += len(items)
        names |= {item["reading"]["reading_id"] for item in items}
    assert sent == {gateway: run.sent_by(gateway) for gateway in range(gateways)}
    assert len(names) == sum(sent.values()) == readings
    assert indexes == list(range(readings))


def test_a_home_measures_in_its_order_over_two_weeks_and_no_two_at_once() -> None:
    run = Run(1, 600, 10, 3)
    ages = [[run.age(gateway, seq) for seq in range(1, run.sent_by(gateway) + 1)] for gateway in range(3)]
    for of_home in ages:
        first, again = of_home[:PARTS_MAX], of_home[PARTS_MAX:]
        assert first == sorted(first, reverse=True)
        assert again == first, "the next one begins at the oldest again"
        assert SPREAD >= first[0] > SPREAD * 0.98
        assert SPREAD * 0.02 > first[-1] > timedelta()
    assert len({age for of_home in ages for age in of_home}) == 3 * PARTS_MAX


def test_one_seed_says_the_same_and_another_run_is_no_repetition() -> None:
    first, again, other = (Run(number, 20, 5, 2, seed=seed) for number, seed in ((1, 9), (1, 9), (2, 9)))
    assert [*messages(first, now=MORNING)] == [*messages(again, now=MORNING)]
    said = {name for run in (first, other) for _, payload in messages(run, now=MORNING) for name in _names(payload)}
    assert len(said) == 40
    assert message(Run(1, 20, 5, 2, seed=10), 0, now=MORNING) != message(first, 0, now=MORNING)


def test_a_simulated_gateway_is_found_by_its_name() -> None:
    assert [number_of(gateway_id(number)) for number in (0, 7, 99_999)] == [0, 7, 99_999]
    assert address(0x010203) == "C0:BE:00:01:02:03"


def _names(payload: bytes) -> list[str]:
    return [item["reading"]["reading_id"] for item in json.loads(payload)["items"]]
