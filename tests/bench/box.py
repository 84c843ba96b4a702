"""What the box in the home needs: memory with the devices of three homes, and what it writes to its card in a day.

Method: the gateway as a process of its own over the virtual radio, with three cuffs, three scales and three meters, a real broker,
and a worker that receipts. It idles, then its devices measure, round after round. Resident memory is read twice a second
(VmRSS), bytes that went to the storage layer before and after each part (write_bytes of /proc/PID/io: a page counts each time
it is written; what the file system adds of its own is not in it). A day is what idling for a day writes, and DAY's readings.

The virtual radio lives in the gateway's process here and nowhere else: on a box the memory is what is measured less that.
"""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from gateway.pulse import Pulse, ask, socket_of
from tests.bench.ground import BenchFailed
from tests.bench.machine import Meter
from tests.bench.results import Result
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, stored

GATEWAY: Final = "gw-home-a"
HOMES: Final = 3
#: model → what one of them is asked to do, and the kind its settings name.
DEVICES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "cuff": ({"do": "measure", "systolic": 128, "diastolic": 82, "mean": 97, "pulse": 70}, "blood_pressure"),
    "scale": ({"do": "weigh", "kg": 80.5}, "body_weight"),
    "meter": ({"do": "prick", "mg_dl": 104}, "glucose"),
}
#: Readings of three homes in a day: two blood pressures, a weighing and three pricks each.
DAY: Final = HOMES * 6
DAY_S: Final = 86_400.0
SAMPLE_EVERY_S: Final = 0.5
WAIT_S_MAX: Final = 90.0


def measure(folder: Path, *, idle_s: float, rounds: int, rest_s: float, step: Callable[[str], None]) -> list[Result]:
    """Resident memory and bytes to the card; each round is one reading of each device, `rest_s` after the one before."""
    memory = Result(f"gateway, devices of {HOMES} homes: resident", "MiB")
    written = Result(f"gateway, a day of {DAY} readings: to the card", "MiB")
    with _home(folder) as home:
        step(memory.name)
        home.until(lambda pulse: pulse.connected and pulse.scanning)
        with Meter({"gateway": home.pid, "broker": home.broker.pid}) as meter, _Resident(home.pid) as resident:
            began = home.written
            time.sleep(idle_s)
            idle = (home.written - began) / idle_s
            step(written.name)
            began = home.written
            readings = 0
            for _ in range(rounds):
                readings += home.round()
                time.sleep(rest_s)
            took_s = home.round_s + rest_s * rounds
            each = max(home.written - began - idle * took_s, 0.0) / readings
    for mib in resident.samples:
        memory.add(mib, meter.cpus)
    memory.detail = {"first_mib": resident.samples[0], "last_mib": resident.samples[-1], "readings": readings}
    memory.counts = {"sent": readings, "lost": readings - home.received}
    written.add((idle * DAY_S + each * DAY) / 2**20, meter.cpus)
    written.detail = {"idle_bytes_per_s": round(idle, 1), "bytes_per_reading": round(each)}
    return [memory, written]


class _Home:
    """The air, the gateway and whoever receipts."""

    def __init__(self, folder: Path, broker: Broker, worker: FakeWorker, control: Any, gateway: int) -> None:
        self.broker = broker
        self.pid = gateway
        #: How long rounds took, rests left out.
        self.round_s = 0.0
        self._socket = socket_of(folder / "outbox.sqlite3")
        self._worker = worker
        self._control = control
        self._expected = 0

    @property
    def written(self) -> int:
        """Bytes the gateway has had written so far."""
        io = Path(f"/proc/{self.pid}/io").read_text("ascii")
        return int(io.split("\nwrite_bytes: ", 1)[1].split("\n", 1)[0])

    @property
    def received(self) -> int:
        """Readings that were receipted, each once."""
        return len({item.reading.reading_id for batch in self._worker.batches for item in batch.items})

    def round(self) -> int:
        """One reading of each device, all of them settled when this returns; how many that were."""
        began = time.monotonic()
        for number in range(HOMES):
            for model, (does, _) in DEVICES.items():
                self._control.write(json.dumps({"home": "a", "device": f"{model}{number}", **does}) + "\n")
                self._control.flush()
                answer = json.loads(self._control.readline())
                if not answer["ok"]:
                    raise BenchFailed(f"a virtual {model} refused: {answer}")
        self._expected += HOMES * len(DEVICES)
        self.until(lambda pulse: self.received == self._expected and pulse.heartbeat.outbox_depth == 0)
        self.round_s += time.monotonic() - began
        return HOMES * len(DEVICES)

    def until(self, holds: Callable[[Pulse], bool]) -> None:
        """Wait for it; BenchFailed where it does not come about."""
        deadline = time.monotonic() + WAIT_S_MAX
        while not (isinstance(pulse := ask(self._socket), Pulse) and holds(pulse)):
            if time.monotonic() > deadline:
                raise BenchFailed(
                    f"the home did not come to rest: {self.received} of {self._expected} readings arrived"
                )
            time.sleep(0.1)


class _Resident:
    """Reads a process's resident memory while a block runs, in MiB."""

    def __init__(self, pid: int) -> None:
        self.samples: list[float] = []
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        while True:
            kib = self._status.read_text("ascii").split("\nVmRSS:", 1)[1].split("kB", 1)[0]
            self.samples.append(round(int(kib) / 1024, 1))
            if self._over.wait(SAMPLE_EVERY_S):
                return


def _address(model: int, number: int) -> str:
    return f"C0:00:00:00:{number + 1:02X}:{model + 1:02X}"


@contextmanager
def _home(folder: Path) -> Generator[_Home]:
    """A home with the devices of three, and its end."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    devices = [(model, index, number) for index, model in enumerate(DEVICES) for number in range(HOMES)]
    scenario = folder / "home.toml"
    scenario.write_text(
        '[[home]]\nname = "a"\nhci_port = 0\ntime_zone = "America/New_York"\n'
        + "".join(
            f'[[home.device]]\nname = "{model}{number}"\nmodel = "{model}"\naddress = "{_address(index, number)}"\n'
            for model, index, number in devices
        )
    )
    broker = Broker(folder)
    worker = FakeWorker(broker, stored)
    air = subprocess.Popen(
        [sys.executable, "-m", "devices.virtual", "air", "--scenario", scenario], stdout=subprocess.PIPE, text=True
    )
    gateway: subprocess.Popen[bytes] | None = None
    try:
        assert air.stdout is not None
        ready = json.loads(air.stdout.readline())
        broker.start()
        worker.join()
        config = folder / "gateway.toml"
        config.write_text(
            f'gateway_id = "{GATEWAY}"\ntime_zone = "America/New_York"\noutbox = "outbox.sqlite3"\n'
            f'[broker]\nurl = "mqtt://127.0.0.1:{broker.port}"\npassword = "{broker.passwords[GATEWAY]}"\n'
            f'[radio]\nbackend = "bumble"\nhci = "tcp-client:127.0.0.1:{ready["homes"]["a"]["hci"]}"\n'
            + "".join(
                f'[[device]]\naddress = "{_address(index, number)}"\nkind = "{DEVICES[model][1]}"\nlabel = "{model}"\n'
                for model, index, number in devices
            )
        )
        with (folder / "gateway.log").open("wb") as log:
            gateway = subprocess.Popen([sys.executable, "-m", "gateway", "run", config], stderr=log)
        with socket.create_connection(("127.0.0.1", ready["control"])) as control, control.makefile("rw") as lines:
            yield _Home(folder, broker, worker, lines, gateway.pid)
    finally:
        for process in (gateway, air):
            if process is not None:
                process.terminate()
                process.wait()
        worker.leave()
        broker.stop()
