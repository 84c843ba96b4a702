"""A bad line between a home and the cloud, in every way lines are bad; then the oracle looks.

Goal: whatever the line does, no reading is lost, doubled, misfiled or misdated, and what waited arrives by itself. Method: the
gateway runs in a network namespace of its own; the kernel drops, refuses and narrows (nft, tc), a forwarder delays, resets
and swallows; people go on measuring; 30 s of outage among it (half an hour by hand: RPM_OUTAGE_S=1800). The oracle
shares no code with the pipeline. A run in which a fault did not bite fails.
"""

import json
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.broker import Broker
from tests.support.forwarder import Forwarder
from tests.support.network import Network
from tests.support.network_keeper import STREET
from tests.support.oracle import Verdict, judge
from tests.support.people import People
from tests.support.provisioning import free_port
from tests.support.tls import server_certificate
from tests.support.world import Home, VirtualDevice, World

SEED = 20261123
OUTAGE_S = float(os.environ.get("RPM_OUTAGE_S", "30"))
FAULT_S = 6.0
RESETS = 3
DRAIN_S_MAX = 180.0
#: After a connection that lived so long the gateway comes back at once (gateway.uplink).
STABLE_S = 10.5
MEASURE_EVERY_S = 0.8
#: Sendings a reading needs, over a run that consists of little but faults.
WIRE_FACTOR_MAX = 4.0
REPORT = Path(__file__).resolve().parents[2] / "build" / "network.json"

HOME = Home(
    "a",
    (
        VirtualDevice("cuff", "cuff", "C0:00:00:00:0A:01", "Maria Alvarez"),
        VirtualDevice("scale", "scale", "C0:00:00:00:0A:02", "Maria Alvarez"),
        VirtualDevice("meter", "meter", "C0:00:00:00:0A:03", "Joan Okafor"),
    ),
)


class Outbox(NamedTuple):
    """Rows without a receipt, all rows, and how often they were sent."""

    waiting: int
    rows: int
    sendings: int


class TlsBroker(Broker):
    """The broker, with a listener for other machines beside the loopback one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tls_port = free_port()
        self.ca_file = server_certificate(folder, STREET)

    def _more_configuration(self) -> str:
        lines = (
            f"listener {self.tls_port} 127.0.0.1",
            f"certfile {self.ca_file}",
            f"keyfile {self.folder / 'broker.key'}",
        )
        return "\n".join(lines) + "\n"


class Remote(World):
    """A world whose one gateway lives behind a line."""

    broker: TlsBroker

    def behind(self, network: Network, *prefix: str) -> None:
        """Start the gateway in the home's network, with its settings saying what it reaches from there."""
        config = self.folder / f"{HOME.gateway_id}.toml"
        if not config.exists():
            url = f'url = "mqtts://{network.broker}"\nca_file = "{self.broker.ca_file}"'
            text = self._gateway_settings(HOME).replace(f'url = "mqtt://127.0.0.1:{self.broker.port}"', url)
            config.write_text(text.replace(f"127.0.0.1:{self._hci['a']}", network.hci), "utf-8")
        command = network.enter([*prefix, sys.executable, "-m", "gateway", "run", str(config)])
        self._start(HOME.gateway_id, command, {})

    @contextmanager
    def lines(self, network: Network) -> Generator[Forwarder]:
        """The line to the broker, and (never at fault) the cable to the radio."""
        with Forwarder(network.street, self.broker.tls_port) as line, Forwarder(network.home, self._hci["a"]):
            yield line

    def outbox(self) -> Outbox:
        """What the gateway's own file says."""
        path = self.folder / f"{HOME.gateway_id}.sqlite3"
        counted = "select count(*) filter (where state < 2), count(*), coalesce(sum(attempts), 0) from row"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            return Outbox(*connection.execute(counted).fetchone())


@pytest.fixture
def tls_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    """A broker reached over TLS as well."""
    started = TlsBroker(tmp_path_factory.mktemp("broker"))
    started.start()
    yield started
    started.stop()


def _faults(network: Network, line: Forwarder, world: Remote) -> Iterator[str]:
    """Let one fault after the other bite; the name of each, once it is over.

    Each begins on a line that works: a gateway that is waiting for its next try would not notice it.
    """

    def working() -> None:
        before = world.outbox().rows
        world.until(
            "readings go through",
            lambda: world.outbox().rows > before and not world.outbox().waiting,
            timeout_s=DRAIN_S_MAX,
        )

    def lasting(name: str, seconds: float = FAULT_S) -> str:
        time.sleep(seconds)
        network.heal()
        line.faults.delay_s, line.faults.swallow_up = 0.0, False
        working()
        return name

    working()
    network.lose(30)
    yield lasting("30 % lost")
    network.narrow(16)
    yield lasting("16 kbit/s")
    line.faults.delay_s = 0.4
    yield lasting("0.4 s late")
    for _ in range(RESETS):
        before = line.connections
        line.reset()
        world.until("it connects again", lambda before=before: line.connections > before, timeout_s=DRAIN_S_MAX)
        working()
        time.sleep(STABLE_S)
        yield "reset"
    network.refuse()
    line.reset()
    yield lasting("refused")
    before = line.connections
    line.faults.swallow_up = True
    yield lasting("half open", 2 * FAULT_S)
    assert line.connections > before, "what was swallowed left a connection that nothing can be said on"
    # First the cut: what was kept a moment before it may still go through.
    network.cut()
    kept = world.outbox()
    time.sleep(OUTAGE_S)
    during = world.outbox()
    assert during.rows - kept.rows > OUTAGE_S / MEASURE_EVERY_S / 3, "people measured on, and it was kept"
    assert during.waiting >= during.rows - kept.rows, "nothing went through a line that was cut"
    yield lasting("cut", 0.0)


@pytest.mark.timeout(OUTAGE_S + 800)
def test_a_bad_line_costs_time_and_nothing_else(tmp_path: Path, tls_broker: TlsBroker, dsn: str) -> None:
    """Loss, delay, a narrow line, resets, refusal, a half-open connection and an outage: the ledger is complete."""
    faults: Counter[str] = Counter()
    with Network() as network, Remote(tmp_path, homes=[HOME], broker=tls_broker, dsn=dsn) as world:
        world.start_worker()
        with world.lines(network) as line:
            world.behind(network)
            with People(world, [HOME], seed=SEED, every_s=MEASURE_EVERY_S) as people:
                world.wait_confirmed(3)
                faults.update(_faults(network, line, world))
            world.wait_delivered(timeout_s=DRAIN_S_MAX)
            world.until("the outbox is empty", lambda: world.outbox().waiting == 0, timeout_s=DRAIN_S_MAX)
            judged = _judged(world, faults)
            outbox, connections = world.outbox(), line.connections
        report = {
            "seed": SEED,
            "faults": dict(faults),
            "outage_s": OUTAGE_S,
            "records": judged.records,
            "wire_factor": round(outbox.sendings / outbox.rows, 2),
            "connections": connections,
        }
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps(report) + "\n", "utf-8")
        assert judged.sound, judged.faults()
        assert judged.records == people.taken == outbox.rows
        assert faults["reset"] == RESETS
        assert 1.0 < outbox.sendings / outbox.rows < WIRE_FACTOR_MAX, "some was sent again, and not without bound"


def _judged(world: Remote, faults: Counter[str]) -> Verdict:
    """The oracle's word, once it is good or time is up."""
    deadline = time.monotonic() + DRAIN_S_MAX
    while True:
        verdict = judge(world.ledger, world.dsn, owners=world.owners, kills=faults, gateway_kills=[])
        if verdict.sound or time.monotonic() > deadline:
            return verdict
        time.sleep(1.0)
