"""deploy/mosquitto.conf, the example for a network, started as it stands and spoken to over TLS.

Method: only its paths, its private address and its ports are replaced; the certificate comes from a CA made here. That
the settings other than TLS are those of the tested loopback configuration is compared line by line.
"""

import getpass
import queue
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rpm.broker import WORKER, accounts, configuration
from tests.support.broker import wait_for_port
from tests.support.provisioning import ROOT, free_port, run_script
from tests.support.tls import server_certificate

GATEWAY = "gw-home-a"
ARRIVES_S_MAX = 5.0
#: Lines that say where things are, and who may reach them: what differs between loopback and a network.
PLACES = re.compile(
    r"^(plugin|plugin_opt_config_file|user|listener|certfile|keyfile|tls_version|max_connections|log_\w+)\b"
)


def _settings(text: str) -> set[str]:
    return {line for line in text.splitlines() if line and not line.startswith("#") and not PLACES.match(line)}


@pytest.mark.parametrize("name", ["mosquitto.conf", "mosquitto.compose.conf"])
def test_the_examples_set_what_the_tested_configuration_sets(name: str) -> None:
    tested = configuration(port=1, plugin=Path("/p"), accounts_file=Path("/a"))
    assert _settings((ROOT / "deploy" / name).read_text("utf-8")) == _settings(tested)


@dataclass(frozen=True, slots=True)
class NetworkBroker:
    """Where the example listens: gateways' port, services' port, and the CA file."""

    gateways: int
    services: int
    ca_file: Path


@pytest.fixture(scope="module")
def network_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkBroker]:
    """Mosquitto on the example's text, its places moved into a temporary folder."""
    folder = tmp_path_factory.mktemp("network")
    server_certificate(folder, "127.0.0.1")
    (folder / "accounts.json").write_text(accounts(worker_password="w", gateways={GATEWAY: "g"}), "utf-8")
    gateways, services = free_port(), free_port()
    moved = {
        "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so": run_script("provision.sh", "dynsec"),
        "/var/lib/mosquitto": str(folder),
        "/etc/rpm": str(folder),
        "listener 8883": f"listener {gateways} 127.0.0.1",
        "listener 8884 10.0.0.5": f"listener {services} 127.0.0.1",
    }
    text = (ROOT / "deploy" / "mosquitto.conf").read_text("utf-8")
    for place, here in moved.items():
        assert place in text
        text = text.replace(place, here)
    (folder / "mosquitto.conf").write_text(f"user {getpass.getuser()}\n{text}", "utf-8")
    program = run_script("provision.sh", "mosquitto")
    with (folder / "mosquitto.log").open("wb") as output:
        process = subprocess.Popen([program, "-c", folder / "mosquitto.conf"], stdout=output, stderr=output)
    try:
        assert wait_for_port(gateways, process), (folder / "mosquitto.log").read_text("utf-8")
        yield NetworkBroker(gateways, services, folder / "broker.crt")
    finally:
        process.kill()
        process.wait()


def _sign_in(port: int, username: str, password: str, client_id: str, ca_file: Path) -> ReasonCode:
    answers: queue.Queue[ReasonCode] = queue.Queue()

    def connected(
        _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        answers.put(reason)

    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(username, password)
    client.tls_set_context(ssl.create_default_context(cafile=ca_file))  # pyright: ignore[reportUnknownMemberType]
    client.on_connect = connected
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        return answers.get(timeout=ARRIVES_S_MAX)
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_gateway_and_a_worker_sign_in_over_tls(network_broker: NetworkBroker) -> None:
    gateway = _sign_in(network_broker.gateways, GATEWAY, "g", GATEWAY, network_broker.ca_file)
    worker = _sign_in(network_broker.services, WORKER, "w", "worker-1", network_broker.ca_file)
    assert not gateway.is_failure
    assert not worker.is_failure


def test_a_gateway_is_nobody_else_on_the_services_listener_either(network_broker: NetworkBroker) -> None:
    assert _sign_in(network_broker.services, GATEWAY, "g", "worker-1", network_broker.ca_file).is_failure


def test_nothing_is_said_in_clear(network_broker: NetworkBroker) -> None:
    for port in (network_broker.gateways, network_broker.services):
        client = Client(CallbackAPIVersion.VERSION2, client_id=GATEWAY, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set(GATEWAY, "g")
        client.connect("127.0.0.1", port)
        for _ in range(100):
            if client.loop(timeout=0.05) != 0:
                break
        assert not client.is_connected()
