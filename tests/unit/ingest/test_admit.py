"""One reading, one answer: golden cases in the order of the checks, then: whatever a valid reading holds, there is one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings

from rpm.ingest.admit import (
    LATE_AFTER,
    Admitted,
    Decision,
    Known,
    Quality,
    Quarantined,
    Unassigned,
    admit,
)
from rpm.ingest.attribution import Assignment, Device
from rpm.ingest.plausibility import Weighing
from rpm.ingest.reasons import CLAIMABLE, RELEASABLE, SENTENCES, Reason
from schemas.codes import BY_NAME, UNIT_NUMBER
from schemas.quantity import Absent, Quantity
from schemas.reading import Reading, TimeSource
from tests.support.readings import CUFF, METER, SCALE, a_reading, glucose, named, pressure, weight

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
AT = NOW - timedelta(minutes=1)
GATEWAY = "gw-home-a"
PRACTICE, MARIA = 7, 11
START = NOW - timedelta(days=30)

DEVICES = {
    (PRACTICE, address): Device(number, PRACTICE, address, single_person=True)
    for number, address in enumerate((CUFF, SCALE, METER), start=1)
}
USES = {number: [Assignment(None, MARIA, START, None)] for number in (1, 2, 3)}


def _known(**weighings_kg: float) -> Known:
    weighings = [Weighing(AT - timedelta(hours=float(hours.lstrip("h"))), kg) for hours, kg in weighings_kg.items()]
    return Known({GATEWAY: PRACTICE}, DEVICES, USES, {MARIA: weighings})


def _admit(
    reading: Reading, known: Known | None = None, *, gateway_id: str = GATEWAY, released: bool = False
) -> Decision:
    return admit(reading, gateway_id=gateway_id, known=known or _known(), now=NOW, released=released)


def _reason(decision: Decision) -> Reason:
    assert not isinstance(decision, Admitted)
    return decision.reason


def _values(decision: Decision) -> dict[tuple[int, int], tuple[float, int]]:
    assert isinstance(decision, Admitted)
    return {(seen.code, seen.unit): (seen.value, seen.quality) for seen in decision.observations}


def test_an_ordinary_pressure_is_marias() -> None:
    decision = _admit(pressure(128, 79, AT, mean=95, pulse=64))
    assert isinstance(decision, Admitted)
    assert (decision.practice_id, decision.patient_id, decision.device_id) == (PRACTICE, MARIA, 1)
    assert decision.flags == ()
    assert not decision.late
    mmhg = UNIT_NUMBER["mm[Hg]"]
    assert _values(decision) == {
        (BY_NAME["systolic"].number, mmhg): (128, 0),
        (BY_NAME["diastolic"].number, mmhg): (79, 0),
        (BY_NAME["mean_arterial"].number, mmhg): (95, 0),
        (BY_NAME["pulse_rate"].number, UNIT_NUMBER["/min"]): (64, 0),
    }


def test_a_missing_mean_pressure_is_derived_and_marked() -> None:
    values = _values(_admit(pressure(120, 90, AT)))
    assert values[BY_NAME["mean_arterial"].number, UNIT_NUMBER["mm[Hg]"]] == (100.0, Quality.DERIVED)


@pytest.mark.parametrize("mean", [79, 128, 200])
def test_a_mean_pressure_outside_the_others_is_dropped_and_the_rest_kept(mean: float) -> None:
    decision = _admit(pressure(128, 79, AT, mean=mean))
    assert isinstance(decision, Admitted)
    assert "mean_arterial_dropped" in decision.flags
    assert BY_NAME["mean_arterial"].number not in {seen.code for seen in decision.observations}
    assert BY_NAME["systolic"].number in {seen.code for seen in decision.observations}


def test_units_stay_as_the_device_sent_them() -> None:
    assert (BY_NAME["systolic"].number, UNIT_NUMBER["kPa"]) in _values(_admit(pressure(17.1, 10.5, AT, unit="kPa")))
    assert (BY_NAME["glucose"].number, UNIT_NUMBER["mmol/L"]) in _values(_admit(glucose(10.0, AT, unit="mmol/L")))
    assert _values(_admit(weight(183.2, AT, unit="[lb_av]"))) == {
        (BY_NAME["body_weight"].number, UNIT_NUMBER["[lb_av]"]): (183.2, 0)
    }


def _with(reading: Reading, **change: object) -> Reading:
    return named(reading.model_copy(update=change))


ORDINARY = pressure(128, 79, AT)
QUARANTINED = {
    "a name that does not follow": (
        ORDINARY.model_copy(update={"raw": "00"}),
        Reason.ID_MISMATCH,
        "/reading/reading_id",
    ),
    "a quantity of another kind": (
        _with(ORDINARY, quantities={**ORDINARY.quantities, "glucose": Quantity(value=100, unit="mg/dL")}),
        Reason.UNKNOWN_QUANTITY,
        "/reading/quantities/glucose",
    ),
    "a quantity nobody knows": (
        _with(ORDINARY, quantities={**ORDINARY.quantities, "a/b~c": Quantity(value=1, unit="kg")}),
        Reason.UNKNOWN_QUANTITY,
        "/reading/quantities/a~1b~0c",
    ),
    "a unit nobody measures it in": (
        pressure(128, 79, AT, unit="mg/dL"),
        Reason.WRONG_UNIT,
        "/reading/quantities/systolic/unit",
    ),
    "glucose in kilograms": (glucose(100, AT, unit="kg"), Reason.WRONG_UNIT, "/reading/quantities/glucose/unit"),
    "two units in one squeeze": (
        _with(
            ORDINARY,
            quantities={
                "systolic": Quantity(value=128, unit="mm[Hg]"),
                "diastolic": Quantity(value=10.5, unit="kPa"),
            },
        ),
        Reason.WRONG_UNIT,
        "/reading/quantities/diastolic/unit",
    ),
    "no systolic": (
        _with(ORDINARY, quantities={"diastolic": Quantity(value=79, unit="mm[Hg]")}),
        Reason.VALUE_MISSING,
        "/reading/quantities/systolic",
    ),
    "a systolic without a number": (
        _with(
            ORDINARY,
            quantities={
                "systolic": Quantity(value=None, unit="mm[Hg]", absent=Absent.NRES),
                "diastolic": Quantity(value=79, unit="mm[Hg]"),
            },
        ),
        Reason.VALUE_MISSING,
        "/reading/quantities/systolic",
    ),
    "an unsuccessful weighing": (
        _with(
            weight(80, AT),
            quantities={"body_weight": Quantity(value=None, unit="kg", absent=Absent.UNSUCCESSFUL)},
        ),
        Reason.VALUE_MISSING,
        "/reading/quantities/body_weight",
    ),
    "control solution": (
        glucose(40, AT, context={"sample_location": "control_solution"}),
        Reason.CONTROL_SOLUTION,
        "/reading/context",
    ),
    "control solution beyond the meter": (
        glucose(Absent.POSITIVE_INFINITY, AT, context={"sample_type": "control_solution"}),
        Reason.CONTROL_SOLUTION,
        "/reading/context",
    ),
    "HI": (glucose(Absent.POSITIVE_INFINITY, AT), Reason.METER_HIGH, "/reading/quantities/glucose"),
    "LO": (glucose(Absent.NEGATIVE_INFINITY, AT), Reason.METER_LOW, "/reading/quantities/glucose"),
    "HI by its status bit": (
        glucose(600, AT, status=("result_too_high",)),
        Reason.METER_HIGH,
        "/reading/quantities/glucose",
    ),
    "LO by its status bit": (
        glucose(Absent.NAN, AT, status=("result_too_low",)),
        Reason.METER_LOW,
        "/reading/quantities/glucose",
    ),
    "impossible": (pressure(301, 90, AT), Reason.VALUE_IMPOSSIBLE, "/reading/quantities/systolic/value"),
    "systolic 12": (pressure(12, 8, AT), Reason.VALUE_IMPOSSIBLE, "/reading/quantities/systolic/value"),
    "700 kg": (weight(700, AT), Reason.VALUE_IMPOSSIBLE, "/reading/quantities/body_weight/value"),
    "implausible": (pressure(270, 130, AT), Reason.VALUE_IMPLAUSIBLE, "/reading/quantities/systolic/value"),
    "an implausible pulse": (
        pressure(128, 79, AT, pulse=230),
        Reason.VALUE_IMPLAUSIBLE,
        "/reading/quantities/pulse_rate/value",
    ),
    "systolic below diastolic": (
        pressure(80, 90, AT),
        Reason.SYSTOLIC_NOT_ABOVE_DIASTOLIC,
        "/reading/quantities/systolic/value",
    ),
    "no pulse pressure to speak of": (
        pressure(90, 80, AT),
        Reason.PULSE_PRESSURE_IMPLAUSIBLE,
        "/reading/quantities/systolic/value",
    ),
    "six minutes ahead": (
        pressure(128, 79, NOW + timedelta(minutes=6)),
        Reason.IN_THE_FUTURE,
        "/reading/measured_at",
    ),
    "measured six minutes after it was received": (
        pressure(128, 79, AT, time_source=TimeSource.DEVICE, received_at=AT - timedelta(minutes=6)),
        Reason.IN_THE_FUTURE,
        "/reading/measured_at",
    ),
    "a clock never set": (
        pressure(128, 79, datetime(2019, 12, 31, 23, 59, tzinfo=UTC)),
        Reason.BEFORE_2020,
        "/reading/measured_at",
    ),
    "older than anybody's use": (
        pressure(128, 79, START - timedelta(days=1)),
        Reason.BEFORE_ASSIGNMENT,
        "/reading/measured_at",
    ),
}


@pytest.mark.parametrize("case", QUARANTINED)
def test_quarantined_with_its_reason_and_place(case: str) -> None:
    reading, reason, pointer = QUARANTINED[case]
    decision = _admit(reading)
    assert isinstance(decision, Quarantined)
    assert (decision.reason, decision.pointer) == (reason, pointer)
    assert decision.practice_id == PRACTICE


def test_four_minutes_ahead_is_another_clock_not_the_future() -> None:
    assert isinstance(_admit(pressure(128, 79, NOW + timedelta(minutes=4))), Admitted)


def test_a_held_value_still_names_its_patient() -> None:
    """Quarantine never silences a red: the judge must know whose value it is."""
    decision = _admit(pressure(290, 130, AT))
    assert isinstance(decision, Quarantined)
    assert decision.patient_id == MARIA


def test_someone_else_on_the_scale() -> None:
    assert _reason(_admit(weight(62, AT), _known(h24=80.0))) is Reason.WEIGHT_CHANGE_IMPLAUSIBLE
    flagged = _admit(weight(83, AT), _known(h24=80.0))
    assert isinstance(flagged, Admitted)
    assert flagged.flags == ("weight_change_large",)
    assert [seen.quality for seen in flagged.observations] == [Quality.FLAGGED]


def test_unknown_gateway_and_device() -> None:
    assert _reason(_admit(ORDINARY, gateway_id="gw-nobody")) is Reason.UNKNOWN_GATEWAY
    stranger = _admit(pressure(128, 79, AT, address="C0:00:00:00:99:99"))
    assert isinstance(stranger, Unassigned)
    assert stranger.reason is Reason.UNKNOWN_DEVICE


def test_a_user_number_nobody_has() -> None:
    decision = _admit(pressure(128, 79, AT, user_slot=2))
    assert decision == Unassigned(Reason.NOBODY_ASSIGNED, PRACTICE, 1)


def test_old_readings_from_a_devices_memory_are_late_not_wrong() -> None:
    in_time, late = (_admit(pressure(128, 79, NOW - LATE_AFTER - timedelta(seconds=s))) for s in (0, 1))
    assert isinstance(in_time, Admitted)
    assert isinstance(late, Admitted)
    assert (in_time.late, late.late) == (False, True)
    assert all(seen.quality & Quality.LATE for seen in late.observations)


@pytest.mark.parametrize(
    "source, came_ago, doubted",
    [
        (TimeSource.DEVICE, timedelta(seconds=2), True),
        (TimeSource.DEVICE, timedelta(days=2), False),  # kept by the gateway, whose clock is right: old indeed
        (TimeSource.ESTIMATED, timedelta(seconds=2), True),  # within a week, says a gateway that does not say how far
        (TimeSource.DEVICE_CORRECTED, timedelta(seconds=2), False),
        (TimeSource.GATEWAY, timedelta(seconds=2), False),
    ],
)
def test_a_clock_nobody_could_read_is_doubted_where_the_reading_came_at_once(
    source: TimeSource, came_ago: timedelta, *, doubted: bool
) -> None:
    decision = _admit(
        pressure(192, 118, NOW - timedelta(days=2, hours=6), time_source=source, received_at=NOW - came_ago)
    )
    assert isinstance(decision, Admitted)
    assert {bool(seen.quality & Quality.CLOCK_DOUBTED) for seen in decision.observations} == {doubted}


@pytest.mark.parametrize("bounds_h, doubted", [(None, True), (53, True), (52, False), (0, False)])
def test_an_estimate_is_flagged_and_doubted_where_its_bounds_reach_to_the_present(
    bounds_h: float | None, *, doubted: bool
) -> None:
    """Measured 54 hours ago by the estimate: a red of it calls where it may as well have been an hour ago."""
    uncertain = None if bounds_h is None else bounds_h * 3600.0
    decision = _admit(
        pressure(192, 118, NOW - timedelta(hours=54), time_source=TimeSource.ESTIMATED, uncertainty_s=uncertain)
    )
    assert isinstance(decision, Admitted)
    assert decision.flags == ("time_estimated",)
    assert {bool(seen.quality & Quality.CLOCK_DOUBTED) for seen in decision.observations} == {doubted}
    assert all(seen.quality & Quality.FLAGGED for seen in decision.observations)


def test_what_the_device_says_of_itself_is_flagged() -> None:
    decision = _admit(pressure(128, 79, AT, status=("cuff_loose", "reserved_bit_9"), clock_offset_s=-121.0))
    assert isinstance(decision, Admitted)
    assert decision.flags == ("cuff_loose", "clock_offset")


@pytest.mark.parametrize("case", [case for case, (_, reason, _) in QUARANTINED.items() if reason in RELEASABLE])
def test_a_person_can_release_the_unlikely(case: str) -> None:
    reading, _, _ = QUARANTINED[case]
    decision = _admit(reading, released=True)
    assert isinstance(decision, Admitted)
    assert all(seen.quality & Quality.RELEASED_BY_HAND for seen in decision.observations)


@pytest.mark.parametrize("case", [case for case, (_, reason, _) in QUARANTINED.items() if reason not in RELEASABLE])
def test_nobody_can_release_the_impossible(case: str) -> None:
    reading, reason, _ = QUARANTINED[case]
    assert _reason(_admit(reading, released=True)) is reason


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
    assert not CLAIMABLE & RELEASABLE


@settings(max_examples=400)
@given(a_reading())
def test_whatever_a_valid_reading_holds_there_is_an_answer(reading: Reading) -> None:
    decision = _admit(reading)
    if isinstance(decision, Admitted):
        assert decision.patient_id == MARIA
        for seen in decision.observations:
            assert seen.value == seen.value
    else:
        assert SENTENCES[decision.reason]
    released = _admit(reading, released=True)
    assert isinstance(released, Admitted) or not isinstance(decision, Admitted)
