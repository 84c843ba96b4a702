"""`rpm-gateway capture`, as somebody with a cuff runs it: the air, and the command as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.recording import read_recording
from gateway.outbox import Outbox

CUFF, NEIGHBOUR = "C0:00:00:00:0A:01", "C0:00:00:00:0B:01"
SCENARIO = f"""
[[home]]
name = "a"
[[home.device]]
name = "cuff"
model = "cuff"
serial = "5160300123"
address = "{CUFF}"
play = [{{after_s = 0.2, every_s = 1, command = {{do = "measure", systolic = 131, diastolic = 84, pulse = 70}}}}]
[[home.device]]
name = "again"
model = "replayed"
recording = "and_ua_651ble"
address = "{NEIGHBOUR}"
"""
SETTINGS = """
gateway_id = "gw-home-a"
time_zone = "America/New_York"
[broker]
url = "mqtt://127.0.0.1:1883"
password = "not-asked-for"
[radio]
backend = "bumble"
hci = "tcp-client:127.0.0.1:{hci}"
[[device]]
address = "{cuff}"
kind = "blood_pressure"
label = "cuff"
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    scenario = tmp_path / "home.toml"
    scenario.write_text(SCENARIO)
    air = subprocess.Popen(
        [sys.executable, "-m", "devices.virtual", "air", "--scenario", scenario], stdout=subprocess.PIPE, text=True
    )
    try:
        assert air.stdout is not None
        ready = json.loads(air.stdout.readline())
        settings = tmp_path / "gateway.toml"
        settings.write_text(SETTINGS.format(hci=ready["homes"]["a"]["hci"], cuff=CUFF))
        yield settings
    finally:
        air.terminate()
        air.wait(10)


def capture(config: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway", "capture", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_session_is_taken_down_and_its_readings_are_kept_for_the_practice(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    ended = capture(config, CUFF.lower(), "--to", str(file), "--source", "J. Doe", "--wait-s", "20")
    assert ended.returncode == 0, ended.stderr
    recording = read_recording(file)
    assert recording.readings[0]["quantities"]["systolic"] == {"value": 131.0, "unit": "mm[Hg]"}
    assert (recording.real, recording.checked, recording.source) == (False, False, "J. Doe")
    assert "5160300123" not in file.read_text()
    assert CUFF not in file.read_text()
    outbox = Outbox.open(tmp_path / "outbox.sqlite3", bytes_max=8 << 20, gateway_id="gw-home-a")
    (left,) = outbox.unfinished()
    assert (left.address, len(left.frames)) == (CUFF, len(recording.frames)), "the gateway goes on from there"
    outbox.close()

    again = capture(config, CUFF, "--to", str(file))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    "address, told", [(NEIGHBOUR, "none of the devices in the settings"), ("C0:00:00:00:0A", "none of the devices")]
)
def test_a_strangers_device_is_not_connected_to(config: Path, tmp_path: Path, address: str, told: str) -> None:
    ended = capture(config, address, "--to", str(tmp_path / "x.json"))
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "x.json").exists()
