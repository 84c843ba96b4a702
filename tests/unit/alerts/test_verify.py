"""Held items of every sort: `verify` answers and never raises, whatever arrived (the cases by name run on the database)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.limits import Limits, PatientLimit
from alerts.rulefile import read_rules
from alerts.severity import Severity
from alerts.verify import verify
from rpm.settings import CARE
from schemas.messages import ReadingItem
from tests.support import readings

RULES = read_rules(Path(CARE) / "rules.toml")
NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)

_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
_keys = [
    "quantities",
    "glucose",
    "systolic",
    "value",
    "unit",
    "status",
    "context",
    "measured_at",
    "absent",
    "kind",
    "reading",
]


def item(**facts: Any) -> dict[str, Any]:
    reading: dict[str, Any] = {
        "kind": "glucose",
        "measured_at": NOW.isoformat(),
        "time_source": "gateway",
        "quantities": {},
        **facts,
    }
    return {"seq": 1, "reading": reading}


@given(
    thing=st.recursive(_json, lambda inner: st.dictionaries(st.sampled_from(_keys), inner, max_size=4), max_leaves=20)
)
def test_anything_gets_an_answer(thing: object) -> None:
    found = verify(thing, RULES, patient=None, now=NOW)
    assert found is None or found.sentence.endswith("verify now")


@given(reading=readings.a_reading())
def test_every_wire_reading_gets_an_answer(reading: Any) -> None:
    sent = ReadingItem(seq=1, reading=reading).model_dump(mode="json")
    found = verify(sent, RULES, patient=None, now=NOW)
    assert found is None or found.severity in (Severity.ROUTINE, Severity.URGENT)


def test_the_unit_the_device_used_is_compared() -> None:
    def glucose(value: float, unit: str) -> bool:
        return (
            verify(item(quantities={"glucose": {"value": value, "unit": unit}}), RULES, patient=None, now=NOW)
            is not None
        )

    assert glucose(33.4, "mmol/L")
    assert not glucose(33.3, "mmol/L")
    assert glucose(601, "mg/dL")
    assert not glucose(601, "furlong")


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), "601", True, None])
def test_what_is_no_number_is_not_judged(value: object) -> None:
    assert verify(item(quantities={"glucose": {"value": value, "unit": "mg/dL"}}), RULES, patient=None, now=NOW) is None


@pytest.mark.parametrize("measured_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday", 5])
def test_a_time_nobody_can_read_counts_as_now(measured_at: object) -> None:
    found = verify(
        item(quantities={"glucose": {"value": 40, "unit": "mg/dL"}}, measured_at=measured_at),
        RULES,
        patient=None,
        now=NOW,
    )
    assert found is not None
    assert (found.late, found.measured_at) == (False, NOW)


def test_own_limits_hold_for_held_values_too() -> None:
    limits = Limits.of([PatientLimit(5, "glucose_low", "urgent", "glucose", "mg/dL", 60)], RULES)
    sent = item(quantities={"glucose": {"value": 58, "unit": "mg/dL"}})
    assert verify(sent, RULES, patient=5, limits=limits, now=NOW) is not None
    assert verify(sent, RULES, patient=6, limits=limits, now=NOW) is None


@pytest.mark.parametrize(
    "measured_at, source, late",
    [
        (NOW - timedelta(hours=5), "device_corrected", True),
        (NOW - timedelta(hours=3), "device_corrected", False),
        # Times that cannot be believed must not make a red look old.
        (NOW - timedelta(hours=5), "device", False),
        (datetime(2019, 1, 1, tzinfo=UTC), "device_corrected", False),
        (NOW + timedelta(days=1), "device_corrected", False),
    ],
)
def test_only_a_time_that_can_be_believed_makes_a_red_late(measured_at: datetime, source: str, late: bool) -> None:  # noqa: FBT001 - pytest hands it over by name
    sent = item(
        quantities={"glucose": {"value": 40, "unit": "mg/dL"}}, measured_at=measured_at.isoformat(), time_source=source
    )
    found = verify(sent, RULES, patient=None, now=NOW)
    assert found is not None
    assert found.late is late


@pytest.mark.parametrize("word, calls", [("low_perfusion_detected", True), ("data_for_demonstration", False)])
def test_a_doubted_red_calls_and_a_demonstration_does_not(word: str, calls: bool) -> None:  # noqa: FBT001 - pytest hands it over by name
    sent = item(
        kind="oxygen_saturation", quantities={"oxygen_saturation": {"value": 82, "unit": "%"}}, status=[word, 5, None]
    )
    found = verify(sent, RULES, patient=None, now=NOW)
    assert (found is not None) is calls
    assert found is None or found.sentence == "Held reading 82 %; limit below 89 %: verify now"
