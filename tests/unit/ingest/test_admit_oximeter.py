"""Spot checks and temperatures: what is a patient's, what waits for a person, what is nobody's."""

from datetime import UTC, datetime, timedelta

import pytest

from rpm.ingest.admit import Admitted, Decision, Known, Quarantined, admit
from rpm.ingest.attribution import Assignment, Device
from rpm.ingest.reasons import Reason
from schemas.codes import BY_NAME, UNIT_NUMBER
from schemas.reading import Reading
from tests.support.readings import OXIMETER, THERMOMETER, named, pressure, saturation, temperature

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
AT = NOW - timedelta(minutes=1)
GATEWAY, PRACTICE, MARIA = "gw-home-a", 7, 11
KNOWN = Known(
    {GATEWAY: PRACTICE},
    {
        (PRACTICE, address): Device(number, PRACTICE, address, single_person=True)
        for number, address in enumerate((OXIMETER, THERMOMETER), start=1)
    },
    {number: [Assignment(None, MARIA, NOW - timedelta(days=30), None)] for number in (1, 2)},
    {},
)


def decide(reading: Reading, *, released: bool = False) -> Decision:
    return admit(reading, gateway_id=GATEWAY, known=KNOWN, now=NOW, released=released)


def values(decision: Decision) -> dict[tuple[int, int], float]:
    assert isinstance(decision, Admitted)
    return {(seen.code, seen.unit): seen.value for seen in decision.observations}


def test_a_spot_check_is_a_saturation_and_a_pulse() -> None:
    assert values(decide(saturation(96, AT, pulse=88))) == {
        (BY_NAME["oxygen_saturation"].number, UNIT_NUMBER["%"]): 96,
        (BY_NAME["pulse_rate"].number, UNIT_NUMBER["/min"]): 88,
    }


@pytest.mark.parametrize("shown, unit", [(38.0, "Cel"), (100.4, "[degF]")])
def test_a_temperature_keeps_its_unit(shown: float, unit: str) -> None:
    assert values(decide(temperature(shown, AT, unit=unit))) == {
        (BY_NAME["body_temperature"].number, UNIT_NUMBER[unit]): shown
    }


@pytest.mark.parametrize(
    "reading, reason, pointer",
    [
        (saturation(101, AT), Reason.VALUE_IMPOSSIBLE, "/reading/quantities/oxygen_saturation/value"),
        (saturation(69, AT), Reason.VALUE_IMPLAUSIBLE, "/reading/quantities/oxygen_saturation/value"),
        (saturation(96, AT, pulse=230), Reason.VALUE_IMPLAUSIBLE, "/reading/quantities/pulse_rate/value"),
        # Fahrenheit that says it is Celsius.
        (temperature(98.6, AT), Reason.VALUE_IMPOSSIBLE, "/reading/quantities/body_temperature/value"),
        (
            named(saturation(96, AT).model_copy(update={"quantities": pressure(128, 79, AT).quantities})),
            Reason.UNKNOWN_QUANTITY,
            "/reading/quantities/systolic",
        ),
        (saturation(96, AT, status=("low_perfusion_detected",)), Reason.DEVICE_DOUBTS, "/reading/status"),
    ],
)
def test_what_cannot_be_so_is_held_with_its_place(reading: Reading, reason: Reason, pointer: str) -> None:
    decision = decide(reading)
    assert isinstance(decision, Quarantined)
    assert (decision.reason, decision.pointer, decision.patient_id) == (reason, pointer, MARIA)


def test_what_an_oximeter_doubted_is_marked_when_a_person_released_it() -> None:
    doubted = saturation(84, AT, status=("low_perfusion_detected", "poor_signal_detected"))
    released = decide(doubted, released=True)
    assert isinstance(released, Admitted)
    assert set(released.flags) == {"low_perfusion_detected", "poor_signal_detected", "oxygen_saturation_unusual"}


def test_a_poor_signal_is_used_and_marked() -> None:
    poor = decide(saturation(96, AT, status=("poor_signal_detected",)))
    assert isinstance(poor, Admitted)
    assert poor.flags == ("poor_signal_detected",)


@pytest.mark.parametrize("word", ["data_for_demonstration", "data_for_testing"])
def test_nobody_can_release_a_demonstration(word: str) -> None:
    decision = decide(saturation(85, AT, status=(word,)), released=True)
    assert isinstance(decision, Quarantined)
    assert decision.reason is Reason.DEMONSTRATION
