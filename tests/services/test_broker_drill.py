"""The broker drill: who gets in, and every role by every topic, to say and to hear (F1-F4, F7, F11, L11, P2; F17).

Method: the example configuration with certificates, real clients. Judged by delivery, never by the broker's answer: an
auditor made for this test hears everything and can say everything; a role's word counts as refused where the auditor does
not hear it though it hears what comes after, and as unheard where the role does not get what the auditor did say.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rpm.broker import configuration
from rpm.broker.control import Control
from rpm.broker.tls import Identity
from rpm.identity.authority import Kind, make_authority
from rpm.store.database import Database
from tests.support.database import TEMPLATE, DatabaseServer
from tests.support.guarded_broker import Credentials, GuardedBroker
from tests.support.guest import Guest, Refused
from tests.support.provisioning import ROOT

MINE, OTHER, UNCLAIMED = "gw-drill-a", "gw-drill-b", "gw-drill-never"
ROOT_TOPIC = "rpm/v1/gateways"
UP, DOWN = ("readings", "status", "events"), ("receipts", "requests")
#: Lines that say where things are, and who may reach them: what differs between loopback and a network.
PLACES = re.compile(
    r"^(plugin|plugin_opt_config_file|user|listener|certfile|keyfile|cafile|crlfile|pid_file|require_certificate"
    r"|use_identity_as_username|use_username_as_clientid|tls_version|max_connections|log_\w+)\b"
)


def _settings(text: str) -> set[str]:
    return {line for line in text.splitlines() if line and not line.startswith("#") and not PLACES.match(line)}


@pytest.mark.parametrize("name", ["mosquitto.conf", "mosquitto.compose.conf"])
def test_the_examples_set_what_the_tested_configuration_sets(name: str) -> None:
    tested = configuration(port=1, plugin=Path("/p"), accounts_file=Path("/a"))
    assert _settings((ROOT / "deploy" / name).read_text("utf-8")) == _settings(tested)


def test_every_listener_of_the_example_wants_a_certificate_and_none_is_a_websocket() -> None:
    """The list of revoked certificates is not checked over websockets (mosquitto #3042): F7."""
    text = (ROOT / "deploy" / "mosquitto.conf").read_text("utf-8")
    listeners = re.split(r"^listener ", text, flags=re.MULTILINE)[1:]
    assert len(listeners) == 2
    for listener in listeners:
        lines = set(listener.splitlines())
        assert "max_qos 1" in lines
        assert {"require_certificate true", "use_identity_as_username true", "use_username_as_clientid true"} <= lines
        assert any(line.startswith("crlfile ") for line in lines)
    assert not re.search(r"^\s*(protocol\s+websockets|http_dir)", text, re.MULTILINE)
    authorities = re.findall(r"^cafile (.+)$", text, re.MULTILINE)
    assert len(set(authorities)) == 2, "a gateway's certificate must open nothing at the services' listener"


@pytest.fixture(scope="module")
def broker(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBroker]:
    """A broker with two gateways and a worker let in."""
    name = database_server.create(template=TEMPLATE)
    database = Database(database_server.dsn(name)).open()
    with GuardedBroker(database, tmp_path_factory.mktemp("drill")) as broker:
        yield broker
    database.close()
    database_server.drop(name)


@pytest.fixture(scope="module")
def who(broker: GuardedBroker) -> dict[str, Credentials]:
    """Everybody's certificate, by role."""
    broker.command("broker", "certify", "worker-1", str(broker.files), "--as", "olga")
    found = {
        "gateway": broker.enrol(broker.register(MINE)),
        "other": broker.enrol(broker.register(OTHER)),
        "unclaimed": broker.signed(broker.authority(Kind.GATEWAYS), UNCLAIMED),
        "auditor": broker.signed(broker.authority(Kind.SERVICES), "auditor"),
    }
    for name in ("worker-1", "guard"):
        found[name] = _existing(broker.files, name)
    everything = ["publishClientSend", "publishClientReceive", "subscribePattern"]
    identity = Identity("guard", broker.files / "guard.crt", broker.files / "guard.key", broker.files / "services.crt")
    # The real guard has this name at the broker, and comes back when it is done here.
    control = Control("127.0.0.1", broker.services, identity)
    acls = [{"acltype": kind, "topic": "#", "priority": 0, "allow": True} for kind in everything]
    wrong = control.tell(
        [
            {"command": "createRole", "rolename": "auditor", "acls": acls},
            {"command": "createClient", "username": "auditor", "roles": [{"rolename": "auditor"}]},
        ]
    )
    control.close()
    assert wrong == []
    return found


def _existing(folder: Path, name: str) -> Credentials:
    found = Credentials.__new__(Credentials)
    found.certificate, found.key = folder / f"{name}.crt", folder / f"{name}.key"
    return found


def _guest(
    broker: GuardedBroker, credentials: Credentials | None, *, services: bool = False, client_id: str = "any"
) -> Guest:
    port = broker.services if services else broker.gateways
    return Guest(port, broker.files / "services.crt", credentials, client_id=client_id)


@pytest.fixture
def auditor(broker: GuardedBroker, who: dict[str, Credentials]) -> Iterator[Guest]:
    """Hears everything."""
    guest = _guest(broker, who["auditor"], services=True)
    guest.subscribe("#")
    yield guest
    guest.close()


@pytest.fixture
def guest_of(broker: GuardedBroker, role: str) -> Iterator[str]:
    """The role to play. Two cannot have one name at the broker: while ours plays the guard, the real one stands still."""
    if role != "guard":
        yield role
        return
    broker.freeze_guard()
    yield role
    broker.thaw_guard()


#: Who signs in where, and what each may say and hear: written down here a second time, and not taken from the product.
ROLES = {
    "gateway": (
        False,
        {f"{ROOT_TOPIC}/{MINE}/{channel}" for channel in UP},
        {f"{ROOT_TOPIC}/{MINE}/{channel}" for channel in DOWN},
    ),
    "worker-1": (
        True,
        {f"{ROOT_TOPIC}/{name}/{channel}" for name in (MINE, OTHER, UNCLAIMED) for channel in DOWN},
        {f"$share/ingest/{ROOT_TOPIC}/+/{channel}" for channel in UP},
    ),
    "guard": (True, set[str](), set[str]()),
    "unclaimed": (False, set[str](), set[str]()),
}
TOPICS = [
    *(
        f"{ROOT_TOPIC}/{name}/{channel}"
        for name in (MINE, OTHER, UNCLAIMED)
        for channel in (*UP, *DOWN, "config", "x/y")
    ),
    f"{ROOT_TOPIC}/{MINE}",
    "anything",
    "drill/marker",
]
FILTERS = [
    *TOPICS[:-1],
    *(f"{ROOT_TOPIC}/+/{channel}" for channel in (*UP, *DOWN)),
    *(f"$share/ingest/{ROOT_TOPIC}/+/{channel}" for channel in (*UP, *DOWN)),
    f"$share/other/{ROOT_TOPIC}/+/readings",
    "$share/ingest/#",
    f"{ROOT_TOPIC}/{MINE}/#",
    f"{ROOT_TOPIC}/{MINE}/+",
    "#",
    "+/#",
    "$SYS/#",
    "$CONTROL/#",
    "$CONTROL/dynamic-security/v1/response",
]


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_says_arrives_where_it_may_and_nowhere_else(
    broker: GuardedBroker, who: dict[str, Credentials], auditor: Guest, guest_of: str
) -> None:
    services, may, _ = ROLES[guest_of]
    guest = _guest(broker, who[guest_of], services=services)
    for topic in TOPICS:
        payload = f"{guest_of} on {topic}".encode()
        guest.publish(topic, payload)
        auditor.publish("drill/after", b"the broker is well")
        expected = [(topic, payload)] if topic in may else []
        assert auditor.hears() == [*expected, ("drill/after", b"the broker is well")], topic
    guest.close()


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_hears_is_what_it_may_and_nothing_else(
    broker: GuardedBroker, who: dict[str, Credentials], auditor: Guest, guest_of: str
) -> None:
    services, _, may = ROLES[guest_of]
    for asked in FILTERS:
        guest = _guest(broker, who[guest_of], services=services)
        guest.subscribe(asked)
        auditor.say(TOPICS, b"probe")
        filters = asked.removeprefix("$share/ingest/").replace("+", "[^/]+")
        expected = [topic for topic in TOPICS if re.fullmatch(filters, topic)] if asked in may else []
        assert [topic for topic, _ in guest.hears()] == expected, asked
        guest.close()


def test_a_gateway_cannot_tell_the_broker_who_comes_in(
    broker: GuardedBroker, who: dict[str, Credentials], auditor: Guest
) -> None:
    for role in ("gateway", "worker-1", "unclaimed"):
        guest = _guest(broker, who[role], services=ROLES[role][0])
        guest.publish(
            "$CONTROL/dynamic-security/v1", b'{"commands": [{"command": "deleteRole", "rolename": "worker"}]}'
        )
        guest.close()
    worker = _guest(broker, who["worker-1"], services=True)
    worker.publish(f"{ROOT_TOPIC}/{MINE}/receipts", b"still a worker")
    assert auditor.hears() == [(f"{ROOT_TOPIC}/{MINE}/receipts", b"still a worker")]
    worker.close()


def test_who_has_no_good_certificate_does_not_get_in(broker: GuardedBroker, who: dict[str, Credentials]) -> None:
    now = broker.database.clock()
    gateways, services = broker.authority(Kind.GATEWAYS), broker.authority(Kind.SERVICES)
    foreign = make_authority(Kind.GATEWAYS, now=now)
    ended = broker.signed(gateways, MINE, life=timedelta(days=1), ago=timedelta(days=2))
    strangers = {
        "no certificate": (None, False),
        "another authority of the same name": (broker.signed(foreign, MINE), False),
        "ended": (ended, False),
        "a gateway's, at the services' listener": (who["gateway"], True),
        "a worker's, at the gateways' listener": (who["worker-1"], False),
        "a worker's name by the gateways' authority": (broker.signed(gateways, "worker-1"), True),
        "no certificate, at the services'": (None, True),
        "the broker's own": (_existing(broker.files, "broker"), True),
        "ended, at the services'": (
            broker.signed(services, "worker-1", life=timedelta(days=1), ago=timedelta(days=2)),
            True,
        ),
    }
    got_in = [what for what, (credentials, at) in strangers.items() if _gets_in(broker, credentials, services=at)]
    assert got_in == []
    _guest(broker, who["gateway"]).close()
    _guest(broker, who["worker-1"], services=True).close()


def _gets_in(broker: GuardedBroker, credentials: Credentials | None, *, services: bool) -> bool:
    try:
        _guest(broker, credentials, services=services).close()
    except Refused:
        return False
    return True


def test_nobody_takes_anothers_place_by_its_client_id(
    broker: GuardedBroker, who: dict[str, Credentials], auditor: Guest
) -> None:
    worker = _guest(broker, who["worker-1"], services=True)
    other = _guest(broker, who["other"])
    for stolen in ("worker-1", OTHER, "guard"):
        thief = _guest(broker, who["gateway"], client_id=stolen)
        thief.publish(f"{ROOT_TOPIC}/{OTHER}/readings", b"spoofed")
        thief.close()
    other.publish(f"{ROOT_TOPIC}/{OTHER}/readings", b"mine")
    assert auditor.hears() == [(f"{ROOT_TOPIC}/{OTHER}/readings", b"mine")]
    assert worker.ends == other.ends == []
    worker.close()
    other.close()


@pytest.mark.parametrize("name", ["#", "+", "gw-+", "gw-drill-a/readings"])
def test_a_wildcard_for_a_name_leads_nowhere(broker: GuardedBroker, auditor: Guest, name: str) -> None:
    """The product signs no such name (tests/services/test_enrolment.py); were one signed, it would have no account."""
    wild = broker.signed(broker.authority(Kind.GATEWAYS), name)
    for topic in (f"{ROOT_TOPIC}/{MINE}/readings", f"{ROOT_TOPIC}/{OTHER}/receipts"):
        try:
            guest = _guest(broker, wild)
        except Refused:
            break
        guest.subscribe(topic)
        auditor.publish(topic, b"probe")
        assert guest.hears() == []
        guest.publish(topic, b"spoofed")
        guest.close()
        assert auditor.hears() == [(topic, b"probe")]
