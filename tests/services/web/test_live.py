"""What is live, and what is said when something is not: the stream, a database that is away, faults of ours."""

import json
import threading
import time

import httpx
import pytest
import structlog

from rpm.store.worklist import announce
from rpm.web.live import STAGES
from tests.support.clinic import URGENT, Clinic, Person
from tests.support.clock import SettableClock
from tests.support.database import DatabaseServer
from tests.support.visitor import Visitor
from tests.support.website import Website

HIGH = "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg"


class Listener:
    """Hears the live stream in a thread."""

    def __init__(self, visitor: Visitor) -> None:
        self.facts: list[dict[str, object]] = []
        self.ended = threading.Event()
        self._news = threading.Condition()
        self._visitor = visitor
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._visitor.http.stream("GET", "/live", timeout=60) as stream:
            for line in stream.iter_lines():
                if line == "event: ended":
                    self.ended.set()
                    return
                if line.startswith("data: "):
                    with self._news:
                        self.facts.append(json.loads(line.removeprefix("data: ")))
                        self._news.notify_all()

    def wait(self, count: int, timeout_s: float = 15) -> dict[str, object]:
        """The fact number `count` (from 1)."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.facts) >= count, timeout_s), self.facts
            return self.facts[count - 1]


def test_the_stream_tells_of_changes_of_ones_own_practice(clinic: Clinic, website: Website, maria: Person) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    first = listener.wait(1)
    assert (first["open"], first["silent_since"]) == (0, None)
    clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    with clinic.database.transaction() as connection:
        announce(connection, clinic.practice_id)
    second = listener.wait(2)
    assert (second["urgent"], second["open"]) == (1, 1)
    assert second["version"] != first["version"]


def test_the_stream_tells_that_the_pipeline_is_silent(clinic: Clinic, clock: SettableClock, website: Website) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    assert listener.wait(1)["silent_since"] is None
    silent_at = clinic.now
    clock.forward(minutes=2)
    told = listener.wait(2)
    assert told["silent_since"] == silent_at.isoformat()
    assert told["silent_stage"] in STAGES


def test_the_stream_ends_with_the_session(website: Website, clinic: Clinic) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    listener.wait(1)
    with clinic.database.transaction() as connection:
        connection.execute("delete from session")
    assert listener.ended.wait(25)


def test_faults_of_ours_show_and_log_nothing_of_anybody(
    clinic: Clinic, rosa: Visitor, maria: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    """P3: a driver's message can quote a row; neither the page nor the log repeats it."""
    with clinic.database.transaction() as connection:
        connection.execute("alter table patient rename column family_name to surname")
    with structlog.testing.capture_logs() as logs:
        answer = rosa.get(f"/patients/{maria.public_id}")
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "Something went wrong here" in answer.text
    said = json.dumps(logs, default=str) + capsys.readouterr().err
    assert "web_error" in said
    for secret in ("Alvarez", "surname", "family_name", str(maria.public_id)):
        assert secret not in said, secret
        assert secret not in answer.text, secret


def test_while_the_database_is_away_the_page_says_so_and_comes_back(
    database_server: DatabaseServer, clinic: Clinic, rosa: Visitor, website: Website
) -> None:
    listener = Listener(Visitor(website).sign_in("kim"))
    listener.wait(1)
    database_server.kill()
    answer = rosa.get("/worklist")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "The database does not answer" in answer.text
    heard = len(listener.facts)
    database_server.start()
    assert rosa.get("/worklist").status_code == httpx.codes.OK
    clinic.alert(clinic.patient("Ann", "Lee"), "glucose_low", URGENT, "Glucose 48 mg/dL")
    deadline = time.monotonic() + 30
    while listener.facts[-1]["urgent"] != 1 and time.monotonic() < deadline:
        listener.wait(heard := heard + 1, timeout_s=30)
    assert listener.facts[-1]["urgent"] == 1, "the stream hears of changes again"
