"""The whole product as real processes on one machine: air, gateways, broker, worker, pages, each killable.

A story says which homes there are; the world starts everything, hands over the devices' control port, and ends what it
started. People and assignments are written by plain SQL, so that a mistake in the product cannot hide in its own set-up.
"""

import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg
from pwdlib import PasswordHash

from rpm.demo.processes import Child, free_port, page_answers
from tests.support.broker import Broker
from tests.support.small_disk import SmallDisk

READY_S_MAX = 60.0
PASSWORD = "a-password-of-the-tests"
STAFF = (("rosa", "Rosa N.", "nurse"), ("bella", "Bella K.", "biller"), ("ada", "Ada M.", "admin"))
POLL_S = 0.05
_Found = TypeVar("_Found")

_DEVICE_KIND = {
    "cuff": "blood_pressure",
    "scale": "body_weight",
    "meter": "glucose",
    "oximeter": "oxygen_saturation",
    "thermometer": "body_temperature",
}
_CAPTURE_KIND = {"cuff": "blood_pressure", "beurer_cuff": "blood_pressure", "scale": "body_weight", "meter": "glucose"}

_PRACTICE = """
insert into practice (name, time_zone, created_at) values ('Maple Street Clinic', %(zone)s, 'epoch') returning id
"""
_STAFF = """
with made as (
    insert into staff (practice_id, username, display_name, role, email, password_hash, created_at)
    values (%(practice)s, %(name)s, %(shown)s, %(role)s, %(name)s || '@clinic.example', %(hash)s, 'epoch') returning id, practice_id
)
insert into contact (practice_id, staff_id, channel, address, verified_at, created_at)
select practice_id, id, 'email', %(name)s || '@clinic.example', '2200-01-01', 'epoch' from made returning staff_id as id
"""
_PATIENT = """
insert into patient (practice_id, given_name, family_name, birth_date, time_zone, created_at)
values (%(practice)s, %(given)s, %(family)s, '1950-03-01', 'America/New_York', 'epoch') returning id
"""
_ENROLMENT = """
insert into enrolment (practice_id, patient_id, established_patient, consented_at, ordered_at, ordered_by, condition_icd10,
    set_up_at, started_at)
values (%(practice)s, %(patient)s, true, '2026-01-05', '2026-01-05', 'Dr. Shah', 'I10', '2026-01-06', '2026-01-05')
"""
_GATEWAY = "insert into gateway (id, practice_id, label, created_at) values (%(id)s, %(practice)s, %(id)s, 'epoch')"
_DEVICE = """
insert into device (practice_id, address, kind, label, created_at)
values (%(practice)s, %(address)s, %(kind)s, %(label)s, 'epoch') returning id
"""
#: Theirs for long, and confirmed now: nobody has waited for a reading yet, so nobody is told that none came.
_ASSIGNMENT = """
insert into device_assignment (practice_id, device_id, user_slot, patient_id, during, confirmed_at)
values (%(practice)s, %(device)s, %(slot)s, %(patient)s, tstzrange('2020-01-01', null), now())
"""


def midday_zone() -> str:
    """A zone where it is between noon and one now: neither the day nor the month can turn during the story."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


@dataclass(frozen=True, slots=True)
class VirtualDevice:
    """One device of a home, and whose it is. `settings` are further keys of its table in the scenario."""

    name: str
    model: str
    address: str
    patient: str = ""
    enrolled: bool = True
    settings: str = ""
    slot: int | None = None

    @property
    def kind(self) -> str:
        """What it measures."""
        if self.model != "captures":
            return _DEVICE_KIND[self.model]
        return next(kind for name, kind in _CAPTURE_KIND.items() if f'"{name}"' in self.settings)


@dataclass(frozen=True, slots=True)
class Home:
    """One home: a gateway, and the devices in its air."""

    name: str
    devices: tuple[VirtualDevice, ...]

    @property
    def gateway_id(self) -> str:
        """The gateway's name."""
        return f"gw-home-{self.name}"


class World:
    """Everything, started. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        homes: Iterable[Home],
        broker: Broker,
        dsn: str,
        mail_url: str = "",
        zone: str = "America/New_York",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.homes, self.broker, self.dsn = folder, tuple(homes), broker, dsn
        self.ledger, self.zone = folder / "ledger", zone
        self.port = free_port()
        self.children: dict[str, Child] = {}
        self.patients: dict[str, int] = {}
        self.owners: dict[tuple[str, int | None], int] = {}
        self.kills: dict[str, int] = {}
        #: Of a home: its gateway keeps its outbox there. A story mounts it before it starts the gateway.
        self.disks: dict[str, SmallDisk] = {}
        self._control = 0
        self._environment = {
            "RPM_DSN": dsn,
            "RPM_BROKER_URL": broker.url(),
            "RPM_MAIL_URL": mail_url,
            "RPM_WEB_PORT": str(self.port),
            "RPM_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        self._people()
        self._air()
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(list(self.children.values())):
            child.stop()

    # The parts -------------------------------------------------------------------------------------------------------

    def start_worker(self, name: str = "worker") -> Child:
        """Start a cloud worker: ingest, judgement, escalation, sending."""
        return self._start(name, [sys.executable, "-m", "rpm", "worker"], self._environment)

    def start_program(self, name: str, arguments: list[str]) -> Child:
        """Start another program of the installation, with its settings."""
        return self._start(name, arguments, self._environment)

    def start_pages(self) -> str:
        """Start the pages; their URL."""
        pages = self._start("pages", [sys.executable, "-m", "rpm", "serve", "--web-only"], self._environment)
        url = f"http://127.0.0.1:{self.port}"
        self.until("the pages answer", lambda: page_answers(self.port) or self._died(pages))
        return url

    def start_gateway(self, home: Home, config: Path | None = None) -> Child:
        """Start the gateway of a home; its outbox stays from one start to the next. `config`: those of another box."""
        name = home.gateway_id if config is None else f"{home.gateway_id}-{config.parent.name}"
        config = config or self.folder / f"{home.gateway_id}.toml"
        if not config.exists():
            config.write_text(self._gateway_settings(home), "utf-8")
        disk, command = self.disks.get(home.name), [sys.executable, "-m", "gateway", "run", str(config)]
        return self._start(name, disk.inside(command) if disk else command, {})

    def outbox_file(self, home: Home) -> Path:
        """The file of a home's gateway; a copy where that is on a disk of its own."""
        if disk := self.disks.get(home.name):
            # SQLite follows links, and the one to another's namespace leads it back to ours.
            for file in ("", "-wal"):
                shutil.copy(disk.seen_at / f"{home.gateway_id}.sqlite3{file}", self.folder)
        return self.folder / f"{home.gateway_id}.sqlite3"

    def command(self, *arguments: str) -> None:
        """Run one `rpm-cloud` command to its end; AssertionError with its words where it fails."""
        child = Child(
            "command", [sys.executable, "-m", "rpm", *arguments], self.folder / "command.log", self._environment
        )
        child.start()
        assert child.process is not None
        assert child.process.wait(READY_S_MAX) == 0, child.last_words()

    def kill(self, name: str) -> None:
        """kill -9 one of our processes, and count it."""
        self.children[name].kill()

    # The people ------------------------------------------------------------------------------------------------------

    def ask(self, home: str, device: str, do: str, **details: Any) -> dict[str, Any]:
        """Ask a device for something over the control port; AssertionError where it refuses."""
        return self._ask({"home": home, "device": device, "do": do, **details})

    def wait_confirmed(self, number: int, *, timeout_s: float = READY_S_MAX) -> None:
        """Wait until so many records are confirmed in all homes together."""
        self._ask({"do": "wait", "confirmed": number, "timeout_s": timeout_s})

    def wait_delivered(self, *, timeout_s: float = READY_S_MAX) -> None:
        """Wait until no device holds anything unconfirmed."""
        self._ask({"do": "wait", "pending": 0, "timeout_s": timeout_s})

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database directly."""
        with psycopg.connect(self.dsn, connect_timeout=5) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    @staticmethod
    def until(what: str, look: Callable[[], _Found], *, timeout_s: float = READY_S_MAX) -> _Found:
        """What `look` finds as soon as it finds something; AssertionError where that takes too long."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
            time.sleep(POLL_S)
        return found

    # Inside ----------------------------------------------------------------------------------------------------------

    def _start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        child = Child(name, arguments, self.folder / f"{name}.log", {**environment, "PYTHONUNBUFFERED": "1"})
        self.children[name] = child.start()
        return child

    @staticmethod
    def _died(child: Child) -> bool:
        assert child.running(), f"{child.name} ended:\n{child.last_words()}"
        return False

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        # A connection for each question: a wait of one thread must not hold up the measuring of another.
        line = b""
        with socket.create_connection(("127.0.0.1", self._control), timeout=READY_S_MAX * 4) as control:
            control.sendall(json.dumps(request).encode() + b"\n")
            while not line.endswith(b"\n"):
                received = control.recv(65536)
                assert received, "the air has gone"
                line += received
        answer: dict[str, Any] = json.loads(line)
        assert answer.pop("ok"), f"{request}: {answer}"
        return answer

    def _air(self) -> None:
        scenario = self.folder / "scenario.toml"
        scenario.write_text("\n".join(_scenario(self.homes)), "utf-8")
        arguments = ["-m", "devices.virtual", "air", "--scenario", str(scenario), "--ledger", str(self.ledger)]
        air = self._start("air", [sys.executable, *arguments], {})

        def ready() -> str | None:
            self._died(air)
            return next((line for line in air.log.read_text("utf-8").splitlines() if line.startswith("{")), None)

        told = json.loads(self.until("the air is ready", ready) or "")
        self._hci = {name: home["hci"] for name, home in told["homes"].items()}
        self._control = told["control"]

    def _people(self) -> None:
        with psycopg.connect(self.dsn) as connection:

            def insert(statement: str, **facts: Any) -> int:
                row = connection.execute(statement.encode(), facts).fetchone()
                assert row is not None
                number: int = row[0]
                return number

            self.practice = insert(_PRACTICE, zone=self.zone)
            hashed = PasswordHash.recommended().hash(PASSWORD)
            for name, shown, role in STAFF:
                insert(_STAFF, practice=self.practice, name=name, shown=shown, role=role, hash=hashed)
            for home in self.homes:
                connection.execute(_GATEWAY.encode(), {"id": home.gateway_id, "practice": self.practice})
                for device in home.devices:
                    if not device.patient:
                        continue
                    if device.patient not in self.patients:
                        given, _, family = device.patient.partition(" ")
                        number = insert(_PATIENT, practice=self.practice, given=given, family=family)
                        self.patients[device.patient] = number
                        connection.execute(_ENROLMENT.encode(), {"practice": self.practice, "patient": number})
                    patient = self.patients[device.patient]
                    facts = {"practice": self.practice, "address": device.address, "kind": device.kind}
                    number = insert(_DEVICE, **facts, label=device.name)
                    assignment = {"practice": self.practice, "device": number, "slot": device.slot, "patient": patient}
                    connection.execute(_ASSIGNMENT.encode(), assignment)
                    self.owners[(device.address, device.slot)] = patient

    def _gateway_settings(self, home: Home) -> str:
        kept_in = self.disks[home.name].folder if home.name in self.disks else Path()
        lines = [
            f'gateway_id = "{home.gateway_id}"',
            'time_zone = "America/New_York"',
            f'outbox = "{kept_in / home.gateway_id}.sqlite3"',
            "heartbeat_s = 5",
            "[broker]",
            f'url = "mqtt://127.0.0.1:{self.broker.port}"',
            f'password = "{self.broker.passwords[home.gateway_id]}"',
            "[radio]",
            'backend = "bumble"',
            f'hci = "tcp-client:127.0.0.1:{self._hci[home.name]}"',
        ]
        for device in home.devices:
            if device.enrolled:
                lines += [
                    "[[device]]",
                    f'address = "{device.address}"',
                    f'kind = "{device.kind}"',
                    f'label = "{device.name}"',
                ]
        return "\n".join(lines) + "\n"


def _scenario(homes: Iterable[Home]) -> Iterable[str]:
    for home in homes:
        yield "[[home]]"
        yield f'name = "{home.name}"'
        for device in home.devices:
            yield "[[home.device]]"
            yield f'name = "{device.name}"'
            yield f'model = "{device.model}"'
            yield f'address = "{device.address}"'
            if device.settings:
                yield device.settings
