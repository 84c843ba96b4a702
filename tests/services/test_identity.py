"""A box with a certificate at a real broker that takes nothing else: renewed in time, refused, revoked, expired.

Method: Mosquitto with a listener for certificates of a CA made here; the cloud's office is `certifier`. Whatever becomes of the
certificate, no reading is lost: each story ends with the ledger of what the worker was sent.
"""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from typing_extensions import override

from gateway.health import PatientState, patient_state, status
from gateway.identity.cloud import Cloud
from gateway.identity.doors import IdentityDoors
from gateway.identity.folder import IdentityFolder
from gateway.identity.renewal import Renewal
from gateway.uplink import Uplink
from gateway.uplink.door import Door
from schemas.enrolment import RefusalReason
from schemas.messages import Status, StatusKind
from tests.services.test_gateway_uplink import depth, put, until
from tests.support.certifier import Authority, Certifier, HttpsServer
from tests.support.fake_worker import FakeWorker, stored
from tests.support.mutual_broker import MutualBroker
from tests.unit.gateway.frames import GATEWAY, open_outbox

CODE = "7K2M-9QXA-B3TD-01ZE"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same back-off, in tenths: what is tested is what is done, not how long it rests."""
    monkeypatch.setattr("gateway.uplink.batches.RESEND_FIRST_S", 0.5)
    monkeypatch.setattr("gateway.uplink.uplink.RECONNECT_FIRST_S", 0.1)
    monkeypatch.setattr("gateway.uplink.uplink.RECONNECT_MAX_S", 0.2)
    monkeypatch.setattr("gateway.identity.renewal.LOOK_S", 0.05)
    monkeypatch.setattr("gateway.identity.renewal.ASK_FIRST_S", 0.2)
    monkeypatch.setattr("gateway.identity.renewal.ASK_MAX_S", 0.4)


class Doors(IdentityDoors):
    """With a memory of which certificates the broker let in."""

    def __init__(self, folder: IdentityFolder) -> None:
        super().__init__(folder, gateway_id=GATEWAY)
        self.opened_by: list[int] = []

    @override
    def opened(self, door: Door) -> None:
        self.opened_by.append(door.number)
        super().opened(door)


class Home:
    """One enrolled box, the office that certifies it, and the broker."""

    def __init__(
        self, folder: Path, broker: MutualBroker, worker: FakeWorker, certifier: Certifier, cloud: Cloud
    ) -> None:
        self.broker, self.worker, self.certifier, self.cloud = broker, worker, certifier, cloud
        self.identity = IdentityFolder(folder / "identity")
        self.outbox = open_outbox(folder)
        self.doors = Doors(self.identity)
        self.renewed: list[datetime] = []
        self.renewal = Renewal(
            folder=self.identity,
            doors=self.doors,
            utc_now=lambda: datetime.now(UTC),
            on_renewed=self._on_renewed,
            chance=random.Random(1),
        )
        self.uplink = Uplink(
            gateway_id=GATEWAY,
            doors=self.doors,
            outbox=self.outbox,
            status=self._status,
            heartbeat_s=60,
            utc_now=lambda: datetime.now(UTC),
        )

    def enrol(self, *, age: timedelta = timedelta(0)) -> None:
        """Its first certificate, which began `age` ago."""
        self.certifier.begins = lambda: datetime.now(UTC) - timedelta(minutes=1) - age
        certified = self.cloud.enrol(code=CODE, key=self.identity.next_key(), now=lambda: datetime.now(UTC))
        self.identity.install(certified, cloud=self.cloud.url, cloud_ca=self.cloud.ca_file, keep_proven=False)
        self.certifier.begins = lambda: datetime.now(UTC) - timedelta(minutes=1)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(each.run(stop)) for each in (self.uplink, self.renewal)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 20)

    def put(self, count: int) -> None:
        put(self.outbox, count)
        self.uplink.wake()

    @property
    def waiting(self) -> int:
        return depth(self.outbox)

    @property
    def shown(self) -> PatientState:
        """What the people at home see."""
        now = datetime.now(UTC)
        return patient_state(
            scanning=True,
            sessions=0,
            stats=self.outbox.stats(now=now),
            last_receipt_at=self.uplink.state.last_receipt_at,
            now=now,
            identity_trouble=self.renewal.state.trouble,
        ).state

    def _on_renewed(self, not_after: datetime) -> None:
        self.renewed.append(not_after)
        self.uplink.change_doors()

    def _status(self, kind: StatusKind, now: datetime) -> Status:
        return status(
            kind,
            gateway_id=GATEWAY,
            adapter="none",
            stats=self.outbox.stats(now=now),
            uptime_s=1.0,
            now=now,
            certificate_not_after=self.renewal.state.not_after,
        )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    gateways, clinic = Authority("gateways", begins=datetime.now(UTC) - 400 * DAY), Authority("Clinic CA")
    broker = MutualBroker(tmp_path, gateways=gateways, services=clinic).start()
    worker = FakeWorker(broker, stored).join()
    certifier = Certifier(gateways, clinic.pem, broker.url_of_boxes, {CODE: GATEWAY})
    with HttpsServer(certifier, *clinic.certify_server(tmp_path, "web", "127.0.0.1")) as server:
        yield Home(tmp_path, broker, worker, certifier, Cloud(server.url, clinic.write(tmp_path, "ca.pem")))
    worker.leave()
    broker.stop()


async def test_an_enrolled_box_needs_no_password(home: Home) -> None:
    home.enrol()
    home.put(3)
    async with home.running():
        await until(lambda: home.waiting == 0)
        known = home.identity.known()
        assert known is not None
        assert (known.newest, known.proven) == (1, 1)
        await until(lambda: any(told.kind is StatusKind.BIRTH for told in home.worker.statuses))
    assert set(home.worker.seqs) == {1, 2, 3}
    assert home.certifier.renewed == []


async def test_a_certificate_due_is_renewed_while_readings_flow(home: Home) -> None:
    home.enrol(age=70 * DAY)
    async with home.running():
        home.put(20)
        await until(lambda: bool(home.renewed) and home.doors.in_use == 2)
        home.put(20)
        await until(lambda: home.waiting == 0)
        known = home.identity.known()
        assert known is not None
        assert known.proven == 2
        await until(lambda: home.worker.statuses[-1].certificate_not_after == home.renewed[0])
    assert set(home.worker.seqs) == set(range(1, 41))
    assert home.renewed[0] - datetime.now(UTC) > 85 * DAY
    assert not (home.identity.path / "1").exists(), "the old one is of no more use"


async def test_a_new_certificate_the_broker_refuses_does_not_silence_the_box(home: Home) -> None:
    """It goes back to the one that worked, and asks for a third."""
    home.enrol(age=70 * DAY)
    home.certifier.refuse = RefusalReason.UNAVAILABLE
    async with home.running():
        await until(lambda: home.doors.opened_by == [1])
        ours = home.certifier.gateways
        home.certifier.gateways = Authority(
            "gateways"
        )  # the same name, and not the broker's: its office made a mistake
        home.certifier.refuse = None
        await until(lambda: len(home.renewed) == 1)
        home.certifier.gateways, home.certifier.refuse = ours, RefusalReason.UNAVAILABLE
        home.put(5)
        await until(lambda: home.waiting == 0)
        assert home.doors.opened_by == [1, 1], "the readings went by the certificate that had worked"
        home.certifier.refuse = None
        await until(lambda: home.doors.in_use == 3)
    assert home.doors.opened_by == [1, 1, 3]
    assert set(home.worker.seqs) == set(range(1, 6))


async def test_a_lost_answer_of_a_renewal_is_asked_for_again_with_the_same_key(home: Home) -> None:
    home.enrol(age=70 * DAY)
    home.certifier.lose_answers = 2
    async with home.running():
        await until(lambda: home.doors.in_use == 2)
    assert len(home.certifier.renewed) == 3
    assert len({asked.signature for asked in home.certifier.renewed}) == 3, "signed anew each time"
    assert len(home.certifier.given) == 2, "one first certificate and one renewal"


async def test_a_revoked_box_keeps_its_readings_and_asks_the_people_to_call(home: Home) -> None:
    home.enrol()
    async with home.running():
        home.put(1)
        await until(lambda: home.waiting == 0)
        home.certifier.revoked.add(GATEWAY)
        home.broker.refuse(home.certifier.given[0].certificate)
        home.broker.kill()
        home.worker.leave()
        home.broker.start()
        home.worker.join()
        home.put(4)
        await until(lambda: "withdrawn" in (home.renewal.state.trouble or ""))
        assert home.shown is PatientState.CALL_US
        assert home.waiting == 4
        tries = len(home.certifier.renewed)
        await until(lambda: len(home.certifier.renewed) > tries)
        # Somebody mends it: nothing has to be done at the box.
        home.certifier.revoked.clear()
        await until(lambda: home.waiting == 0)
        await until(lambda: home.renewal.state.trouble is None)
    assert set(home.worker.seqs) == {1, 2, 3, 4, 5}


async def test_an_expired_box_keeps_its_readings_and_goes_on_asking(home: Home) -> None:
    home.enrol(age=91 * DAY)
    home.certifier.refuse = RefusalReason.UNAVAILABLE
    home.put(2)
    async with home.running():
        await until(lambda: "ended on" in (home.renewal.state.trouble or ""))
        assert home.shown is PatientState.CALL_US
        assert home.waiting == 2
        home.certifier.refuse = None
        await until(lambda: home.waiting == 0)
        assert home.shown is not PatientState.CALL_US


async def test_a_box_whose_clock_is_wrong_asks_for_nothing_and_blames_nobody(home: Home) -> None:
    home.enrol()
    await home.renewal.look(now=datetime(1970, 1, 1, tzinfo=UTC))
    assert home.renewal.state.trouble is None
    assert home.certifier.renewed == []


async def test_what_is_cancelled_ends(home: Home) -> None:
    """As when another part of the gateway ends the program: nothing here may hold that up."""
    home.enrol(age=70 * DAY)
    home.certifier.refuse = RefusalReason.UNAVAILABLE
    for pause_s in (0.0, 0.01, 0.1, 0.3):
        stop = asyncio.Event()
        tasks = [asyncio.create_task(each.run(stop)) for each in (home.uplink, home.renewal)]
        await asyncio.sleep(pause_s)
        for task in tasks:
            task.cancel()
        _done, pending = await asyncio.wait(tasks, timeout=30)
        assert not pending


async def test_an_end_of_the_program_does_not_wait_for_a_cloud_that_hangs(home: Home) -> None:
    home.enrol(age=70 * DAY)
    place = home.identity.path / "1" / "place.json"
    stop = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent, structlog.testing.capture_logs() as logs:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        place.write_text(place.read_text("utf-8").replace(home.cloud.url, url), "utf-8")
        running = asyncio.create_task(home.renewal.run(stop))
        await until(lambda: any(entry["event"] == "certificate_renewal" for entry in logs))
        stop.set()
        await asyncio.wait_for(running, 5)
