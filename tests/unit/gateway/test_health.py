"""What the gateway says of itself: the heartbeat, and the one word on the box."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.health import UNCONFIRMED_S_MAX, PatientState, patient_state, status
from gateway.outbox import Stats
from schemas.messages import StatusKind
from tests.unit.gateway.frames import GATEWAY, NOON


def stats(*, depth: int = 0, frames: int = 0) -> Stats:
    return Stats("0" * 16, depth, 12.5 if depth else 0.0, 0, frames, 0, 3, 0, 0, 0.1)


def test_sent_is_shown_only_after_the_clouds_receipt() -> None:
    def shown(*, depth: int, receipt: datetime | None, sessions: int = 0, scanning: bool = True) -> PatientState:
        state = patient_state(
            scanning=scanning, sessions=sessions, stats=stats(depth=depth), last_receipt_at=receipt, now=NOON
        )
        assert state.reason
        return state.state

    assert shown(depth=0, receipt=None) is PatientState.SEARCHING
    assert shown(depth=0, receipt=None, scanning=False) is PatientState.NO_RADIO
    assert shown(depth=0, receipt=NOON, sessions=1) is PatientState.MEASURING
    assert shown(depth=1, receipt=NOON) is PatientState.KEPT
    assert shown(depth=0, receipt=NOON) is PatientState.SENT
    assert shown(depth=0, receipt=datetime(2026, 11, 22, 16, 0, tzinfo=UTC)) is PatientState.SEARCHING


@pytest.mark.parametrize(
    "facts, state",
    [
        ({"due": True}, PatientState.DUE),
        ({"due": True, "sessions": 1}, PatientState.MEASURING),
        ({"due": True, "scanning": False}, PatientState.NO_RADIO),
        ({"called": True}, PatientState.CALL_US),
        ({"called": True, "sessions": 1}, PatientState.MEASURING),
        ({"radio_given_up": True, "scanning": False}, PatientState.CALL_US),
        ({"radio_given_up": True}, PatientState.SEARCHING),
        ({"stats": stats(depth=1)}, PatientState.KEPT),
        ({"stats": replace(stats(depth=1), oldest_age_s=UNCONFIRMED_S_MAX)}, PatientState.CALL_US),
    ],
)
def test_what_a_person_is_asked_for(facts: dict[str, Any], state: PatientState) -> None:
    usual: dict[str, Any] = {"scanning": True, "sessions": 0, "stats": stats(), "last_receipt_at": None}
    assert patient_state(**{**usual, **facts}, now=NOON).state is state


def test_a_heartbeat_tells_depth_age_and_drops() -> None:
    beat = status(
        StatusKind.HEARTBEAT,
        gateway_id=GATEWAY,
        adapter="bluez",
        stats=stats(depth=2),
        uptime_s=9.0,
        now=NOON,
        recoveries=2,
        rssi_dbm=-71,
    )
    assert (beat.recoveries, beat.rssi_dbm) == (2, -71)
    assert (beat.outbox_depth, beat.outbox_oldest_s, beat.outbox_dropped) == (2, 12.5, 3)
    assert (beat.sent_at, beat.epoch, beat.adapter) == (NOON, "0" * 16, "bluez")
    assert beat.version
    will = status(StatusKind.WILL, gateway_id=GATEWAY, adapter="bluez", stats=stats(), uptime_s=9.0, now=NOON)
    assert will.sent_at is None
