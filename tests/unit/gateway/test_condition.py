"""What a box's condition is called, and what the person at it is told to do: one row for each thing that can be wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.commands.status import screen
from gateway.condition import Condition, examine, span
from gateway.health import PatientState
from gateway.outbox import Stats
from gateway.pulse import Helped, NoPulse, Pulse, Sighting
from gateway.settings import Device
from schemas.codes import Kind
from schemas.messages import ClockState, Status, StatusKind

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
CUFF = Device(address="C0:00:00:00:10:01", kind=Kind.BLOOD_PRESSURE, label="cuff in the kitchen")
SCALE = Device(address="C0:00:00:00:10:02", kind=Kind.BODY_WEIGHT, label="scale")
BEAT = Status(gateway_id="gw-home-a", kind=StatusKind.HEARTBEAT, version="1.2.3", uptime_s=7200.0, adapter="bluez")
WELL = Pulse(
    pid=7,
    heartbeat=BEAT,
    state=PatientState.SEARCHING,
    reason="listening for the devices of this home",
    scanning=True,
    connected=True,
    last_receipt_at=NOON - timedelta(minutes=3),
    devices=(Sighting(slot=1, heard_s_ago=240, rssi_dbm=-61),),
)
EMPTY = Stats("e", 0, 0.0, 0, 0, 0, 0, 0, 0, 0.0)


def of(
    pulse: Pulse | NoPulse, *, waiting: Stats | None = None, devices: tuple[Device, ...] = (CUFF, SCALE)
) -> Condition:
    return examine(pulse, devices=devices, waiting=waiting, now=NOON)


def but(**facts: Any) -> Pulse:
    """The pulse of a box that is well, but for these facts; those of the heartbeat by their own names."""
    beat = {name: value for name, value in facts.items() if name in Status.model_fields}
    own = {name: value for name, value in facts.items() if name not in beat}
    return WELL.model_copy(update={"heartbeat": BEAT.model_copy(update=beat), **own})


def test_a_box_that_is_well_says_so_and_asks_for_nothing() -> None:
    condition = of(WELL)
    assert condition.well
    told = screen("gw-home-a", condition)
    assert told.splitlines()[0] == "gw-home-a: WELL"
    assert "!" not in told
    for words in (
        "runs, version 1.2.3, for 2 h",
        "READY. You can measure.",
        "last confirmed 3 min ago",
        "0 readings",
        "blood pressure, heard 4 min ago at -61 dBm",
        "body weight, not heard since the program started 2 h ago",
    ):
        assert words in told


@pytest.mark.parametrize(
    "pulse, subject, told, remedy",
    [
        (NoPulse.NOT_RUNNING, "program", "does not run", "journalctl"),
        (NoPulse.HANGS, "program", "does not answer", "watchdog"),
        (but(state=PatientState.CALL_US), "shown here", "PLEASE CALL", "asked to call"),
        (but(connected=False), "practice", "not connected; last confirmed", "network"),
        (but(paused="nobody_listening"), "practice", "nobody there takes", "worker is down"),
        (but(paused="gateway_refused"), "practice", "refused", "gateway list"),
        (but(outbox_depth=3, outbox_oldest_s=7200.0), "waiting", "3 readings, the oldest for 2 h", "safe here"),
        (but(buffer_days=1.5), "room", "1.5 more days", "outbox_mb"),
        (but(scanning=False, adapter="bluez: not scanning"), "radio", "not scanning", "bluetooth"),
        (but(clock=ClockState.UNSET), "clock", "not set", "timedatectl"),
        (but(certificate_not_after=NOON + timedelta(days=13)), "certificate", "until 2026-12-11, 13 days", "renewal"),
        (but(certificate_not_after=NOON - timedelta(seconds=1)), "certificate", "ended on", "rpm-gateway enrol"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(pulse: Pulse | NoPulse, subject: str, told: str, remedy: str) -> None:
    condition = of(pulse)
    assert not condition.well
    (wrong,) = [finding for finding in condition.findings if finding.remedy is not None]
    assert wrong.subject == subject
    assert told in wrong.told
    assert remedy in (wrong.remedy or "")
    shown = screen("gw-home-a", condition)
    assert shown.startswith("gw-home-a: NOT WELL")
    assert f"\n! {subject}" in shown
    assert f"→ {wrong.remedy}" in shown


@pytest.mark.parametrize(
    "pulse",
    [
        but(outbox_depth=3, outbox_oldest_s=3599.0),
        but(connected=False, uptime_s=59.0),
        but(scanning=False, uptime_s=59.0),
        but(clock=ClockState.SYNCHRONISED),
        but(clock=ClockState.UNVERIFIED),
        but(certificate_not_after=NOON + timedelta(days=14)),
        but(outbox_dropped=5),
        but(buffer_days=3.0),
        but(paused="message_refused"),
        but(last_recovery=Helped(rung="power_cycle", reason="scan_fails", at=NOON), recoveries=1),
    ],
)
def test_what_nobody_has_to_mend_calls_nobody(pulse: Pulse) -> None:
    assert of(pulse).well


def test_help_the_radio_had_is_told_with_its_reason() -> None:
    helped = Helped(rung="power_cycle", reason="scanning fails", at=NOON - timedelta(hours=5))
    (radio,) = [each for each in of(but(last_recovery=helped, recoveries=2)).findings if each.subject == "radio"]
    assert radio.told == "bluez, listens; helped 2 times, last by power_cycle 5 h ago (scanning fails)"


def test_a_box_without_devices_is_not_well() -> None:
    assert not of(WELL, devices=()).well


def test_a_gateway_that_does_not_run_still_tells_what_waits() -> None:
    condition = of(NoPulse.NOT_RUNNING, waiting=replace(EMPTY, depth=1, oldest_age_s=90.0))
    assert [finding.told for finding in condition.findings if finding.subject == "waiting"] == [
        "1 reading, the oldest for 90 s"
    ]


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 days"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words
