"""A home from the squeeze to the receipt: virtual devices, the gateway as a process of its own, a real broker.

The devices say what was confirmed to them, the fake worker what reached the cloud, and the gateway's own `outbox` command
what is between the two. A neighbour's cuff stands in the same air.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.reading import Reading, TimeSource
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, silent, stored, worker
from tests.support.leaks import leaked

__all__ = ["worker"]

WAIT_S_MAX = 30.0
CUFF, SCALE, METER, NEIGHBOUR = (f"C0:00:00:00:0{home}:0{n}" for home, n in (("A", 1), ("A", 2), ("A", 3), ("B", 1)))

SCENARIO = f"""
[[home]]
name = "a"
hci_port = 0
time_zone = "America/New_York"
[[home.device]]
name = "cuff"
model = "cuff"
address = "{CUFF}"
clock = "wrong"
wrong_by_s = -2220
[[home.device]]
name = "scale"
model = "scale"
address = "{SCALE}"
clock = "none"
[[home.device]]
name = "meter"
model = "meter"
address = "{METER}"
[[home.device]]
name = "neighbour"
model = "cuff"
address = "{NEIGHBOUR}"
clock = "right"
"""

SETTINGS = """
gateway_id = "gw-home-a"
time_zone = "America/New_York"
[broker]
url = "mqtt://127.0.0.1:{port}"
password = "{password}"
[radio]
backend = "bumble"
hci = "tcp-client:127.0.0.1:{hci}"
[[device]]
address = "{cuff}"
kind = "blood_pressure"
label = "cuff in the kitchen"
[[device]]
address = "{scale}"
kind = "body_weight"
label = "scale"
[[device]]
address = "{meter}"
kind = "glucose"
label = "meter"
"""


def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


class Home:
    """The air, its control port, and a gateway that may be started and killed."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        scenario = folder / "home.toml"
        scenario.write_text(SCENARIO)
        self._air = subprocess.Popen(
            [sys.executable, "-m", "devices.virtual", "air", "--scenario", scenario],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._air.stdout is not None
        ready = json.loads(self._air.stdout.readline())
        self._control = socket.create_connection(("127.0.0.1", ready["control"]))
        self._lines = self._control.makefile("rw")
        self.config = folder / "gateway.toml"
        self.config.write_text(
            SETTINGS.format(
                port=broker.port,
                password=broker.passwords["gw-home-a"],
                hci=ready["homes"]["a"]["hci"],
                cuff=CUFF,
                scale=SCALE,
                meter=METER,
            )
        )
        self.log = folder / "gateway.log"
        self._gateway: subprocess.Popen[bytes] | None = None

    def start(self) -> "Home":
        with self.log.open("ab") as log:
            self._gateway = subprocess.Popen([sys.executable, "-m", "gateway", "run", self.config], stderr=log)
        return self

    def end(self, how: signal.Signals) -> int:
        assert self._gateway is not None
        self._gateway.send_signal(how)
        status = self._gateway.wait(WAIT_S_MAX)
        self._gateway = None
        return status

    def ask(self, device: str, do: str, **details: Any) -> dict[str, Any]:
        self._lines.write(json.dumps({"home": "a", "device": device, "do": do, **details}) + "\n")
        self._lines.flush()
        answer: dict[str, Any] = json.loads(self._lines.readline())
        assert answer["ok"], answer
        return answer

    def outbox(self) -> dict[str, Any]:
        told = subprocess.run(
            [sys.executable, "-m", "gateway", "outbox", self.config], capture_output=True, text=True, check=True
        )
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines() if line.startswith("{")]

    def close(self) -> None:
        if self._gateway is not None:
            self.end(signal.SIGKILL)
        self._lines.close()
        self._control.close()
        self._air.terminate()
        self._air.wait(WAIT_S_MAX)


@pytest.fixture
def home(tmp_path: Path, broker: Broker) -> Iterator[Home]:
    made = Home(tmp_path, broker)
    yield made
    made.close()


def readings(worker: FakeWorker) -> dict[str, list[Reading]]:
    """What reached the cloud, by device; each reading once."""
    found: dict[str, dict[object, Reading]] = {}
    for batch in worker.batches:
        for item in batch.items:
            found.setdefault(item.reading.device.address, {})[item.reading.reading_id] = item.reading
    return {address: list(by_id.values()) for address, by_id in found.items()}


def test_a_squeeze_a_step_and_a_prick_reach_the_cloud_and_the_neighbour_is_left_alone(
    home: Home, worker: FakeWorker
) -> None:
    worker.join()
    home.ask("neighbour", "measure", systolic=120, diastolic=80, mean=93, pulse=70)
    home.ask("cuff", "measure", systolic=192, diastolic=118, mean=143, pulse=88, user_slot=1)
    home.ask("scale", "weigh", kg=80.5)
    home.ask("meter", "prick", mg_dl=48, meal="fasting")
    home.start()
    until("all three are here", lambda: {CUFF, SCALE, METER} <= set(readings(worker)))
    (squeeze,) = readings(worker)[CUFF]
    assert squeeze.quantities["systolic"].value == 192
    assert squeeze.user_slot == 1
    assert squeeze.time_source is TimeSource.DEVICE_CORRECTED
    assert squeeze.clock_offset_s == pytest.approx(2220, abs=2)
    assert abs((squeeze.measured_at - squeeze.received_at).total_seconds()) < WAIT_S_MAX
    (prick,) = readings(worker)[METER]
    assert (prick.context["meal"], prick.raw_context is not None) == ("fasting", True)
    until("all are settled", lambda: home.outbox()["depth"] == 0)
    assert home.outbox()["ring"] == 3
    neighbour = home.ask("neighbour", "state")
    assert (neighbour["connections"], neighbour["pending"], neighbour["advertising"]) == (0, 1, True)
    assert home.end(signal.SIGTERM) == 0
    log = home.log.read_text()
    assert leaked(log, "192", "118", "80.5", CUFF, "kitchen", "000A01") == [], "no value, no address, no name in a log"
    assert "gateway_stopped" in home.events()


def test_a_killed_gateway_loses_nothing_it_had_kept(home: Home, worker: FakeWorker) -> None:
    worker.answer = silent
    worker.join()
    home.start()
    for number in range(3):
        home.ask("cuff", "measure", systolic=120 + number, diastolic=80, mean=93, pulse=70)
        until("it was confirmed", lambda number=number: home.ask("cuff", "state")["confirmed"] == number + 1)
    until("they are in the outbox", lambda: home.outbox()["depth"] + home.outbox()["frames"] == 3)
    home.end(signal.SIGKILL)
    worker.answer = stored
    home.start()
    until("all are settled", lambda: home.outbox()["depth"] == 0)
    assert sorted(reading.quantities["systolic"].value or 0 for reading in readings(worker)[CUFF]) == [120, 121, 122]


def test_a_meter_is_asked_only_for_what_is_new_also_after_a_restart(home: Home, worker: FakeWorker) -> None:
    worker.join()
    home.start()
    for number in (1, 2):
        home.ask("meter", "prick", mg_dl=100 + number)
        until("it is here", lambda number=number: len(readings(worker).get(METER, [])) == number)
        until("it is settled", lambda: home.outbox()["depth"] == 0)
        home.end(signal.SIGKILL)
        home.start()
    # The second time the meter tells its last record again: that is how a reset is noticed. No more than that one.
    assert home.outbox()["repeated"] == 1
    assert sorted(reading.sequence_number or 0 for reading in readings(worker)[METER]) == [1, 2]


def test_a_frame_nobody_can_read_reaches_the_cloud_as_it_came(home: Home, worker: FakeWorker) -> None:
    worker.join()
    home.start()
    home.ask("cuff", "say", frame="007800")
    until("it is here", lambda: any(batch.undecoded for batch in worker.batches))
    (item,) = next(batch.undecoded for batch in worker.batches if batch.undecoded)
    assert (item.raw, item.address, item.characteristic) == ("007800", CUFF, "2A35")
    until("it is settled", lambda: home.outbox()["depth"] == 0)


def test_without_a_broker_readings_are_kept_and_travel_later(home: Home, broker: Broker, worker: FakeWorker) -> None:
    broker.stop()
    home.start()
    home.ask("cuff", "measure", systolic=140, diastolic=90, mean=106, pulse=70)
    until("it is kept", lambda: home.ask("cuff", "state")["confirmed"] == 1 and home.outbox()["depth"] == 1)
    broker.start()
    worker.join()
    until("it is settled", lambda: home.outbox()["depth"] == 0)
    assert len(readings(worker)[CUFF]) == 1
