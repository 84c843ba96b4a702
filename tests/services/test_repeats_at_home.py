"""A second reading is asked for over a real broker, shown at home, and answered; and what the box is told to take back, it takes back.

Method: the judge, the loop that asks and a worker on one side, the gateway's own uplink, outbox and requests on the other. The
cuff itself squeezes in tests/stories/test_the_whole_path.py.
"""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.health import PatientState, patient_state, status
from gateway.intake import Fresh
from gateway.requests import Requests
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from rpm.ingest.batch import settle
from rpm.ingest.worker import IngestLoop
from rpm.jobs import repeats
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import Event, EventName, Request, Status, StatusKind
from tests.services.judging import Desk
from tests.services.settling import GATEWAY, cuff_of, message_of, two_homes
from tests.services.test_repeats import ASKING, asked
from tests.services.test_requests import WAIT_S_MAX, until
from tests.support.broker import Broker
from tests.support.clock import MORNING
from tests.support.readings import pressure
from tests.support.sender import subscribed
from tests.unit.gateway.frames import open_outbox


async def test_over_the_broker_to_the_box_and_back(database: Database, broker: Broker, tmp_path: Path) -> None:
    """A red is judged, the box shows that it asks, what it sees answers, and the mean of the two is the alert."""
    now = datetime.now(UTC)
    clinic = two_homes(database)
    maria = clinic.patient("Maria", "Quill")
    clinic.now = now
    desk = Desk(database, now=now, judgement=ASKING)
    desk.clinic = clinic
    outbox = open_outbox(tmp_path)
    box = Requests(gateway_id=GATEWAY, outbox=outbox, file=tmp_path / "requests.json", measures={Kind.BLOOD_PRESSURE})
    heard: list[bytes] = []

    def on_request(payload: bytes) -> None:
        heard.append(payload)
        box.receive(payload, now=datetime.now(UTC))

    def say(kind: StatusKind, at: datetime) -> Status:
        return status(kind, gateway_id=GATEWAY, adapter="none", stats=outbox.stats(now=at), uptime_s=1.0, now=at)

    door = BrokerSettings.model_validate(
        {"url": f"mqtt://127.0.0.1:{broker.port}", "password": broker.passwords[GATEWAY]}
    )
    uplink = Uplink(
        gateway_id=GATEWAY, doors=OneDoor(door), outbox=outbox, status=say, heartbeat_s=60,
        utc_now=lambda: datetime.now(UTC), on_request=on_request,
    )  # fmt: skip
    stop, stopping = asyncio.Event(), threading.Event()

    def state() -> list[str]:
        return [one["state"] for one in asked(desk)]

    def squeeze(seq: int, systolic: float, diastolic: float, at: datetime) -> None:
        reading = pressure(systolic, diastolic, at, address=cuff_of(maria))
        settle(database, [message_of(reading, first_seq=seq)], now=at)

    with subscribed(broker) as subscriber:
        worker = threading.Thread(target=IngestLoop(database, subscriber, stopping).run)
        worker.start()
        gateway = asyncio.create_task(uplink.run(stop))
        try:
            squeeze(1, 192, 118, now)
            desk.judge()
            repeats.run_once(database, now=datetime.now(UTC))
            await until("it is asked for at home", lambda: box.due)
            at = datetime.now(UTC)
            shown = patient_state(
                scanning=True, sessions=0, stats=outbox.stats(now=at), last_receipt_at=at - timedelta(seconds=61),
                now=at, due=box.due,
            )  # fmt: skip
            assert shown.state is PatientState.DUE
            assert b"192" not in heard[0]
            assert b"Quill" not in heard[0]
            await until("the practice knows that it is shown", lambda: state() == ["shown"])
            box.measured([Fresh(Kind.BLOOD_PRESSURE, None, at)], now=at)
            squeeze(2, 188, 116, at)
            uplink.wake()
            desk.judge()
            await until("the practice knows that it was done", lambda: state() == ["done"])
            repeats.run_once(database, now=datetime.now(UTC) + timedelta(minutes=1))
            assert state() == ["done"], "nothing to take back"
        finally:
            stop.set()
            await asyncio.wait_for(gateway, WAIT_S_MAX)
            stopping.set()
            await asyncio.to_thread(worker.join)
            outbox.close()
    [alert] = desk.alerts()
    assert (alert["severity"], alert["confirmed"]) == (3, True)
    assert "mean of 2 readings" in alert["reason"]
    assert not box.due


def test_a_box_takes_back_what_it_is_told_to(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    box = Requests(gateway_id=GATEWAY, outbox=outbox, file=tmp_path / "requests.json", measures={Kind.BLOOD_PRESSURE})

    def receive(number: str, asks: str, /, **arguments: str) -> list[tuple[str | None, str]]:
        request = Request(
            gateway_id=GATEWAY, request_id=number, kind=asks, expires_at=MORNING + timedelta(minutes=15),
            arguments=dict(arguments),
        )  # fmt: skip
        before = len(outbox.events(limit=99))
        box.receive(request.model_dump_json().encode(), now=MORNING)
        found = [Event.model_validate_json(one.body) for one in outbox.events(limit=99)[before:]]
        return [(one.request_id, one.name) for one in found]

    receive("r-1", "measure_again", kind="blood_pressure")
    assert box.due
    both = [("r-1", EventName.REQUEST_WITHDRAWN), ("w-1", EventName.REQUEST_DONE)]
    assert receive("w-1", "withdraw", request_id="r-1") == both
    assert not box.due
    assert receive("w-1", "withdraw", request_id="r-1") == [("w-1", EventName.REQUEST_DONE)], "told again, done once"
    assert receive("r-1", "measure_again", kind="blood_pressure") == [("r-1", EventName.REQUEST_WITHDRAWN)]
    receive("w-2", "withdraw", request_id="r-2")
    receive("r-2", "measure_again", kind="blood_pressure")
    assert not box.due, "taken back before it came"
    assert receive("w-3", "withdraw") == [("w-3", EventName.REQUEST_UNKNOWN)]
    outbox.close()
