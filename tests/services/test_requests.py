"""What a gateway is asked goes out until it is answered, and the answer is written to the request it belongs to.

Method: the store's decisions on an injected clock; then the whole way over a real broker: `rpm-cloud ask`, a worker's loop,
the gateway's own uplink and requests, and the reading that answers.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from os import environ
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from gateway.health import status
from gateway.intake import Fresh
from gateway.requests import Requests
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from rpm.errors import UserError
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.ingest.worker import IngestLoop
from rpm.store import requests
from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from rpm.store.requests import OPEN_MAX, SILENT_AFTER
from schemas.codes import Kind
from schemas.messages import Channel, Event, EventName, Request, RequestKind, Status, StatusKind, topic
from tests.services.settling import GATEWAY, NOW, OTHER_GATEWAY, rows_of, two_homes
from tests.support.broker import Broker
from tests.support.clinic import Clinic
from tests.support.sender import subscribed
from tests.unit.gateway.frames import open_outbox

HALF_AN_HOUR = timedelta(minutes=30)
WAIT_S_MAX = 45.0


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


def ask(
    database: Database,
    clinic: Clinic,
    *,
    gateway_id: str = GATEWAY,
    staff: str = "rosa",
    kind: Kind = Kind.BLOOD_PRESSURE,
) -> UUID:
    with database.transaction() as connection:
        return requests.ask(
            connection,
            gateway_id,
            RequestKind.MEASURE_AGAIN,
            {"kind": str(kind)},
            practice_id=clinic.practice_id,
            staff_id=clinic.staff(staff, "nurse"),
            expires_at=NOW + HALF_AN_HOUR,
            now=NOW,
        )


def claim(database: Database, *, after_s: float = 0) -> list[Request]:
    with database.transaction() as connection:
        return requests.claim(connection, now=NOW + timedelta(seconds=after_s), limit=10)


def told(database: Database, request_id: object, name: str, *, gateway_id: str = GATEWAY, after_s: float = 1) -> None:
    """A gateway answers: through the same door as every message."""
    event = Event(gateway_id=gateway_id, at=NOW + timedelta(seconds=after_s), name=name, request_id=str(request_id))
    message = Message(topic(gateway_id, Channel.EVENTS), event.model_dump_json().encode())
    settle(database, [message], now=NOW + timedelta(seconds=after_s))


def state(database: Database, request_id: UUID) -> str:
    [row] = rows_of(database, "select state from gateway_request where id = %s", request_id)
    return row["state"]


def test_a_request_goes_out_until_it_is_answered_ever_more_rarely(database: Database, clinic: Clinic) -> None:
    number = ask(database, clinic)
    [request] = claim(database)
    assert (request.request_id, request.gateway_id, request.kind) == (str(number), GATEWAY, "measure_again")
    assert request.arguments == {"kind": "blood_pressure"}
    assert claim(database, after_s=4) == []
    sent = [after_s for after_s in range(5, 1800) if claim(database, after_s=after_s)]
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps[:3] == [10, 20, 40]
    assert max(gaps) == 300
    assert claim(database, after_s=1800) == [], "one that has ended is not sent"


@pytest.mark.parametrize(
    "answers, becomes",
    [
        (["request_shown"], "shown"),
        (["request_shown", "request_done"], "done"),
        (["request_shown", "request_expired"], "expired"),
        (["request_unknown"], "unknown"),
        (["replaying"], "done"),
        (["request_done", "request_shown"], "done"),
        (["request_shown", "request_shown", "request_done", "request_expired"], "done"),
        (["device_clock"], "sent"),
    ],
)
def test_an_answer_is_noted_and_the_last_word_stands(
    database: Database, clinic: Clinic, answers: list[str], becomes: str
) -> None:
    number = ask(database, clinic)
    claim(database)
    for after_s, answer in enumerate(answers, start=1):
        told(database, number, answer, after_s=after_s)
    assert state(database, number) == becomes
    assert bool(claim(database, after_s=600)) == (becomes == "sent"), "what is answered is not asked again"


def test_nobody_else_answers(database: Database, clinic: Clinic) -> None:
    number = ask(database, clinic)
    told(database, number, "request_done", gateway_id=OTHER_GATEWAY)
    told(database, uuid4(), "request_done")
    told(database, "'; drop table gateway_request", "request_done")
    assert state(database, number) == "asked"
    assert len(rows_of(database, "select 1 from gateway_event where request_id is not null")) == 3


def test_two_answers_at_one_instant_are_two(database: Database, clinic: Clinic) -> None:
    numbers = [ask(database, clinic), ask(database, clinic, staff="nora", kind=Kind.BODY_WEIGHT)]
    for number in numbers:
        told(database, number, "request_shown")
    assert [state(database, number) for number in numbers] == ["shown", "shown"]


def test_a_silent_gateway_is_not_waited_for(database: Database, clinic: Clinic) -> None:
    number = ask(database, clinic)
    for after, ended in ((HALF_AN_HOUR, 0), (HALF_AN_HOUR + SILENT_AFTER + timedelta(seconds=1), 1)):
        with database.transaction() as connection:
            assert requests.expire(connection, now=NOW + after) == ended
    assert state(database, number) == "expired"


def test_what_was_done_was_done_also_where_nobody_waited_any_more(database: Database, clinic: Clinic) -> None:
    """A home without a line for hours: the person measured in time, and the word of it comes late."""
    number = ask(database, clinic)
    late_s = (HALF_AN_HOUR + SILENT_AFTER).total_seconds() + 1
    with database.transaction() as connection:
        requests.expire(connection, now=NOW + timedelta(seconds=late_s))
    told(database, number, "request_shown", after_s=late_s + 1)
    assert state(database, number) == "expired"
    told(database, number, "request_done", after_s=late_s + 2)
    assert state(database, number) == "done"


def test_a_gateway_that_has_just_connected_is_asked_at_once(database: Database, clinic: Clinic) -> None:
    ask(database, clinic)
    for after_s in (0, 5, 15, 35):
        assert claim(database, after_s=after_s)
    assert claim(database, after_s=40) == []
    for gateway_id, kind, asked in (
        (OTHER_GATEWAY, StatusKind.BIRTH, 0),
        (GATEWAY, StatusKind.HEARTBEAT, 0),
        (GATEWAY, StatusKind.BIRTH, 1),
    ):
        now = NOW + timedelta(seconds=40)
        born = Status(gateway_id=gateway_id, kind=kind, sent_at=now)
        settle(database, [Message(topic(gateway_id, Channel.STATUS), born.model_dump_json().encode())], now=now)
        assert len(claim(database, after_s=40)) == asked, (gateway_id, kind)


def test_the_same_is_not_asked_twice_at_one_time(database: Database, clinic: Clinic) -> None:
    """Two nurses, or one finger that slips: one request, and the second is told so."""
    first = ask(database, clinic)
    with pytest.raises(UserError, match="asked already"):
        ask(database, clinic, staff="nora")
    ask(database, clinic, staff="ned", kind=Kind.GLUCOSE)
    told(database, first, "request_done")
    ask(database, clinic, staff="nina")
    assert len(rows_of(database, "select 1 from gateway_request")) == 3


def test_two_who_ask_at_once_ask_one_after_the_other(database: Database, clinic: Clinic) -> None:
    staff = {name: clinic.staff(name, "nurse") for name in ("rosa", "nora", "ned", "nina")}
    refused: list[UserError] = []
    together = threading.Barrier(len(staff))

    def asks(staff_id: int) -> None:
        together.wait()
        try:
            with database.transaction() as connection:
                requests.ask(
                    connection, GATEWAY, RequestKind.CALL_US, {}, practice_id=clinic.practice_id, staff_id=staff_id,
                    expires_at=NOW + HALF_AN_HOUR, now=NOW,
                )  # fmt: skip
        except UserError as error:
            refused.append(error)

    threads = [threading.Thread(target=asks, args=(staff_id,)) for staff_id in staff.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == len(staff) - 1
    assert len(rows_of(database, "select 1 from gateway_request")) == 1


def test_a_box_is_not_asked_for_more_than_it_can_show(database: Database, clinic: Clinic) -> None:
    rosa = clinic.staff("rosa", "nurse")

    def asks(slot: int) -> None:
        with database.transaction() as connection:
            requests.ask(
                connection, GATEWAY, RequestKind.MEASURE_AGAIN, {"kind": "body_weight", "user_slot": slot},
                practice_id=clinic.practice_id, staff_id=rosa, expires_at=NOW + HALF_AN_HOUR, now=NOW,
            )  # fmt: skip

    for slot in range(OPEN_MAX):
        asks(slot)
    with pytest.raises(UserError, match=f"{OPEN_MAX} things are being asked"):
        asks(OPEN_MAX)


def test_another_practices_gateway_is_not_asked(database: Database, clinic: Clinic) -> None:
    other = Clinic(database, now=NOW, name="Elm Street")
    with database.transaction() as connection:
        register_gateway(connection, "gw-elsewhere", practice_id=other.practice_id, label="Home", now=NOW)
    with pytest.raises(UserError, match="there is no gateway gw-elsewhere"):
        ask(database, clinic, gateway_id="gw-elsewhere")
    number = ask(database, clinic, staff="nora")
    with database.transaction() as connection:
        assert requests.list_requests(connection, GATEWAY, practice_id=other.practice_id) == []
        [shown] = requests.list_requests(connection, GATEWAY, practice_id=clinic.practice_id)
    assert (shown.id, shown.state, shown.asked_by) == (number, "asked", "Nora")


def test_two_workers_do_not_both_send(database: Database, clinic: Clinic) -> None:
    kinds = (Kind.BLOOD_PRESSURE, Kind.BODY_WEIGHT, Kind.GLUCOSE)
    for name, kind in zip(("rosa", "nora", "ned"), kinds, strict=True):
        ask(database, clinic, staff=name, kind=kind)
    with database.transaction() as first:
        mine = requests.claim(first, now=NOW, limit=2)
        with database.transaction() as second:
            theirs = requests.claim(second, now=NOW, limit=10)
    assert (len(mine), len(theirs)) == (2, 1)


async def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"never: {what}"
        await asyncio.sleep(0.05)


def command(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rpm", "ask", *arguments],
        env={**environ, "RPM_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_a_nurse_asks_and_the_person_at_home_measures(
    database: Database, dsn: str, broker: Broker, tmp_path: Path
) -> None:
    """From the command to the box to the reading and back, over a real broker, with the gateway's own parts."""
    clinic = two_homes(database)
    clinic.staff("rosa", "nurse")
    done = await asyncio.to_thread(command, dsn, "measure-again", GATEWAY, "--as", "rosa", "--minutes", "5")
    assert done.returncode == 0, done.stderr
    outbox = open_outbox(tmp_path)
    asked = Requests(gateway_id=GATEWAY, outbox=outbox, file=tmp_path / "requests.json", measures={Kind.BLOOD_PRESSURE})

    def say(kind: StatusKind, now: datetime) -> Status:
        return status(kind, gateway_id=GATEWAY, adapter="none", stats=outbox.stats(now=now), uptime_s=1.0, now=now)

    uplink = Uplink(
        gateway_id=GATEWAY,
        doors=OneDoor(
            BrokerSettings.model_validate(
                {"url": f"mqtt://127.0.0.1:{broker.port}", "password": broker.passwords[GATEWAY]}
            )
        ),
        outbox=outbox,
        status=say,
        heartbeat_s=60,
        utc_now=lambda: datetime.now(UTC),
        on_request=lambda payload: asked.receive(payload, now=datetime.now(UTC)),
    )
    stop, stopping = asyncio.Event(), threading.Event()
    with subscribed(broker) as subscriber:
        worker = threading.Thread(target=IngestLoop(database, subscriber, stopping).run)
        worker.start()
        gateway = asyncio.create_task(uplink.run(stop))
        try:
            await until("it is shown at home", lambda: asked.due)
            listed = await asyncio.to_thread(command, dsn, "list", GATEWAY, "--as", "rosa")
            assert "measure_again" in listed.stdout
            now = datetime.now(UTC)
            asked.measured([Fresh(Kind.BLOOD_PRESSURE, None, now)], now=now)
            uplink.wake()
            await until(
                "it is known to be done",
                lambda: [row["state"] for row in rows_of(database, "select state from gateway_request")] == ["done"],
            )
        finally:
            stop.set()
            await asyncio.wait_for(gateway, WAIT_S_MAX)
            stopping.set()
            await asyncio.to_thread(worker.join)
            outbox.close()
    [entry] = rows_of(database, "select action from audit where action like 'asked%%'")
    assert entry["action"] == "asked a gateway for something"


@pytest.mark.parametrize(
    "arguments, told_in",
    [
        (("measure-again", "gw-nowhere", "--as", "rosa"), "there is no gateway gw-nowhere"),
        (("measure-again", GATEWAY, "--as", "nobody"), "there is no user nobody"),
        (("measure-again", GATEWAY, "--as", "bella"), "is a biller"),
        (("measure-again", GATEWAY, "--as", "rosa", "--kind", "shoe_size"), "--kind"),
        (("call-us", GATEWAY, "--as", "rosa", "--minutes", "0"), "--minutes"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    database: Database, dsn: str, arguments: tuple[str, ...], told_in: str
) -> None:
    clinic = two_homes(database)
    clinic.staff("rosa", "nurse")
    clinic.staff("bella", "biller")
    done = command(dsn, *arguments)
    assert done.returncode == 2
    assert told_in in done.stderr
    assert "Traceback" not in done.stderr
    assert rows_of(database, "select 1 from gateway_request") == []


def test_every_answer_of_a_gateway_has_a_meaning() -> None:
    answers = {name for name in EventName if name.startswith("request_")} | {EventName.REPLAYING}
    assert set(requests.STATES) == answers
