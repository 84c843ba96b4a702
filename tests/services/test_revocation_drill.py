"""Cutting off: a revoked gateway's live session ends within a minute and it never comes back; nobody else notices (F5, F6).

Method: the example configuration, `rpm-cloud broker guard` as a process of its own, gateways that come back by themselves
as a real one does. Measured from the moment the revocation is committed. Then again with everything in the way: a broker
killed with -9, a guard that was killed, a database that is away. Expiry of the lists is judged by a clock that is moved.
"""

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rpm import claiming
from rpm.commands.broker import first_accounts
from rpm.identity.authority import Kind
from rpm.identity.revocation import LIST_ALARM, LIST_LIFE
from rpm.jobs.expiries import run_once
from rpm.outage import KEEPER_SILENT_AFTER, LISTS, NOT_KEPT
from rpm.store import heartbeats
from rpm.store.database import Database
from tests.services.judging import PLAN
from tests.support.database import DatabaseServer
from tests.support.guarded_broker import Credentials, GuardedBroker, eventually
from tests.support.guest import Guest, Refused

CUT_OFF_S_MAX = 60.0
TOPIC = "rpm/v1/gateways/{}/readings"


@pytest.fixture
def broker(database: Database, tmp_path: Path) -> Iterator[GuardedBroker]:
    with GuardedBroker(database, tmp_path) as broker:
        yield broker


def _home(broker: GuardedBroker, name: str) -> tuple[Credentials, Guest]:
    """A gateway that was let in, and is at the broker."""
    credentials = broker.enrol(broker.register(name))
    return credentials, _guest(broker, credentials)


def _guest(broker: GuardedBroker, credentials: Credentials) -> Guest:
    return Guest(broker.gateways, broker.files / "services.crt", credentials, persistent=True)


def _revoke(broker: GuardedBroker, name: str) -> None:
    with broker.database.transaction() as connection:
        assert claiming.revoke(connection, name, actor=broker.actor, now=broker.database.clock()) >= 1


def _cut(broker: GuardedBroker, name: str) -> bool:
    with broker.database.transaction() as connection:
        row = connection.execute(
            "select bool_and(cut_at is not null) as cut from certificate where name = %s and revoked_at is not null",
            [name],
        ).fetchone()
    return bool(row and row["cut"])


def _is_out(broker: GuardedBroker, credentials: Credentials) -> bool:
    """Whether the broker, which is there, refuses this certificate."""
    assert broker.listens()
    try:
        Guest(broker.gateways, broker.files / "services.crt", credentials).close()
    except Refused:
        return True
    return False


def test_a_revoked_gateways_session_ends_within_a_minute_and_the_others_go_on(broker: GuardedBroker) -> None:
    stolen, thief = _home(broker, "gw-stolen")
    _, neighbour = _home(broker, "gw-neighbour")
    assert thief.publish(TOPIC.format("gw-stolen"), b"1") == neighbour.publish(TOPIC.format("gw-neighbour"), b"1")
    before = thief.connections
    _revoke(broker, "gw-stolen")
    eventually(lambda: not thief.connected and _cut(broker, "gw-stolen"), within_s=CUT_OFF_S_MAX)
    assert thief.connections == before, "it came back and was let in again"
    assert _is_out(broker, stolen)
    assert (neighbour.ends, neighbour.connections) == ([], 1)
    broker.kill_broker()
    broker.start_broker()
    assert _is_out(broker, stolen), "a broker that was killed knows it still"
    eventually(lambda: neighbour.connected)
    neighbour.close()
    thief.close()


def test_a_session_that_is_resumed_brings_no_revoked_gateway_back(broker: GuardedBroker) -> None:
    """A resumed TLS session presents no certificate, so no list is asked: what is left is that nothing is granted."""
    stolen, thief = _home(broker, "gw-stolen")
    context = ssl.create_default_context(cafile=broker.files / "services.crt")
    context.load_cert_chain(stolen.certificate, stolen.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session, _ = _handshake(broker, context, None)
    _revoke(broker, "gw-stolen")
    eventually(lambda: _cut(broker, "gw-stolen"))
    try:
        _, resumed = _handshake(broker, context, session)
    except OSError:
        resumed = False
    assert not resumed, "its rights would be gone, and it would still be connected"
    thief.close()


def _handshake(
    broker: GuardedBroker, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool]:
    with (
        socket.create_connection(("127.0.0.1", broker.gateways), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
    ):
        return secure.session, bool(secure.session_reused)


def test_a_revocation_waits_for_a_broker_that_is_down_and_a_guard_that_was_killed(broker: GuardedBroker) -> None:
    stolen, thief = _home(broker, "gw-stolen")
    broker.kill_broker()
    broker.kill_guard()
    _revoke(broker, "gw-stolen")
    broker.start_broker()
    broker.start_guard()
    eventually(lambda: _cut(broker, "gw-stolen"), within_s=CUT_OFF_S_MAX)
    assert _is_out(broker, stolen)
    thief.close()


def test_the_guard_bears_a_database_that_is_away(broker: GuardedBroker, database_server: DatabaseServer) -> None:
    stolen, thief = _home(broker, "gw-stolen")
    database_server.kill()
    eventually(lambda: "guard_waits" in (broker.folder / "guard.log").read_text("utf-8"))
    assert thief.publish(TOPIC.format("gw-stolen"), b"1"), "the broker goes on without"
    database_server.start()
    _revoke(broker, "gw-stolen")
    eventually(lambda: _cut(broker, "gw-stolen"), within_s=CUT_OFF_S_MAX)
    assert _is_out(broker, stolen)
    thief.close()


def test_a_replaced_box_is_thrown_out_although_its_name_is_let_in_again(broker: GuardedBroker) -> None:
    """The next box came in while the guard did not look: the dead one's session must end all the same."""
    dead, ghost = _home(broker, "gw-replaced")
    broker.freeze_guard()
    with broker.database.transaction() as connection:
        opened = claiming.replace(connection, "gw-replaced", actor=broker.actor, now=broker.database.clock())
    assert ghost.connected
    broker.thaw_guard()
    fresh = broker.enrol("gw-replaced", opened.code)
    eventually(lambda: _cut(broker, "gw-replaced") and not ghost.connected, within_s=CUT_OFF_S_MAX)
    assert _is_out(broker, dead)
    ghost.close()
    heir = _guest(broker, fresh)
    assert heir.subscribe("rpm/v1/gateways/gw-replaced/receipts") == "Granted QoS 1"
    heir.close()


def test_a_broker_that_lost_its_accounts_is_told_them_again(broker: GuardedBroker) -> None:
    credentials, guest = _home(broker, "gw-home-a")
    guest.close()
    broker.kill_broker()
    (broker.files / "accounts.json").write_text(first_accounts("guard"))
    broker.start_broker()

    def granted() -> bool:
        again = _guest(broker, credentials)
        answer = again.subscribe("rpm/v1/gateways/gw-home-a/receipts")
        again.close()
        return answer == "Granted QoS 1"

    eventually(granted)


def test_a_worker_is_let_in_by_its_own_certificate_and_cut_off(broker: GuardedBroker) -> None:
    broker.command("broker", "certify", "worker-2", str(broker.files), "--as", "olga")
    files = Credentials.__new__(Credentials)
    files.certificate, files.key = broker.files / "worker-2.crt", broker.files / "worker-2.key"

    def guest() -> Guest:
        return Guest(broker.services, broker.files / "services.crt", files)

    def granted() -> bool:
        one = guest()
        answer = one.subscribe("$share/ingest/rpm/v1/gateways/+/readings")
        one.close()
        return answer == "Granted QoS 1"

    eventually(granted)
    live = guest()
    broker.command("broker", "revoke", "worker-2", "--as", "olga")
    eventually(lambda: not live.connected, within_s=CUT_OFF_S_MAX)
    with pytest.raises(Refused):
        guest()
    live.close()


def test_a_guard_that_is_gone_is_told_while_the_broker_still_lets_everybody_in(broker: GuardedBroker) -> None:
    """Its lists in the database are fresh, and those beside the broker end: nothing else would say so before everybody is out."""
    _home(broker, "gw-home-a")[1].close()
    now = broker.database.clock()

    def told(later: timedelta) -> list[str]:
        with broker.database.transaction() as connection:
            heartbeats.beat(connection, LISTS, now=now + later)
        run_once(broker.database, now=now + later, plan=PLAN, watching_since=now - timedelta(days=1))
        with broker.database.transaction() as connection:
            rows = connection.execute(
                "select rule_id, reason from alert where kind = 'technical' order by id"
            ).fetchall()
        return [f"{row['rule_id']}: {row['reason']}" for row in rows]

    assert told(KEEPER_SILENT_AFTER - timedelta(minutes=1)) == []
    (sentence,) = told(KEEPER_SILENT_AFTER + timedelta(minutes=1))
    assert sentence.startswith(
        "silence.keeper.broker_guard: The guard beside the broker is silent: a box that is revoked stays in"
    )
    assert told(timedelta(hours=5)) == [sentence], "said once, until somebody closes it"


def test_lists_nobody_makes_any_more_are_told_while_three_days_are_left(broker: GuardedBroker) -> None:
    """The clock moves; the one who signs does not. By the eighth day the broker would refuse everybody (F6)."""
    _home(broker, "gw-home-a")[1].close()
    broker.make_no_lists()
    now = broker.database.clock()

    def told(later: timedelta) -> list[str]:
        with broker.database.transaction() as connection:
            for keeper in NOT_KEPT:
                heartbeats.beat(connection, keeper, now=now + later)
        run_once(broker.database, now=now + later, plan=PLAN, watching_since=now - timedelta(days=1))
        with broker.database.transaction() as connection:
            rows = connection.execute("select reason from alert where kind = 'technical' order by id").fetchall()
        return [row["reason"] for row in rows]

    assert told(timedelta()) == []
    assert told(LIST_LIFE - LIST_ALARM - timedelta(hours=1)) == []
    (sentence, other) = told(LIST_LIFE - LIST_ALARM + timedelta(minutes=1))
    assert "revoked certificates" in sentence
    assert told(LIST_LIFE - timedelta(minutes=1)) == [sentence, other], "said once, while it is as it was"
    ended = [each.replace("from 20", "since 20").replace(" UTC on the", " UTC the") for each in (sentence, other)]
    assert told(LIST_LIFE + timedelta(days=1)) == ended, "the same alerts, with what has become of it"
    assert told(LIST_LIFE + timedelta(days=2)) == ended
    with broker.database.transaction() as connection:
        ends = connection.execute("select min(next_update) as ends from revocation_list").fetchone()
    assert ends is not None
    assert ends["ends"] <= now + LIST_LIFE
    assert {kind.value for kind in Kind} == {"gateways", "services"}
