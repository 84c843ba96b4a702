"""What is live, and what is said when something is not: the stream, a database that is away, faults of ours."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress

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
#: A stream asks every ten seconds whether its session lives.
HEARD_S_MAX = 45.0


class Listener:
    """Hears the live stream in a thread."""

    def __init__(self, visitor: Visitor) -> None:
        self.facts: list[dict[str, object]] = []
        self.ended = threading.Event()
        self._news = threading.Condition()
        self._visitor = visitor
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        # Pages that go down at the end of a test may cut the stream off.
        with suppress(httpx.TransportError), self._visitor.http.stream("GET", "/live", timeout=60) as stream:
            for line in stream.iter_lines():
                if line == "event: ended":
                    self.ended.set()
                    return
                if line.startswith("data: "):
                    with self._news:
                        self.facts.append(json.loads(line.removeprefix("data: ")))
                        self._news.notify_all()

    def wait(self, says: Callable[[dict[str, object]], object] = bool) -> dict[str, object]:
        """The last fact, once it is such a one. Which in number it is depends on the time: the stream says something now and then."""
        with self._news:
            assert self._news.wait_for(lambda: self.facts and says(self.facts[-1]), HEARD_S_MAX), self.facts
            return self.facts[-1]


def test_the_stream_tells_of_changes_of_ones_own_practice(clinic: Clinic, website: Website, maria: Person) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    first = listener.wait()
    assert (first["open"], first["silent_since"]) == (0, None)
    clinic.alert(maria, "blood_pressure_high", URGENT, HIGH)
    with clinic.database.transaction() as connection:
        announce(connection, clinic.practice_id)
    second = listener.wait(lambda fact: (fact["urgent"], fact["open"]) == (1, 1))
    assert second["version"] != first["version"]


def test_the_stream_tells_that_the_pipeline_is_silent(clinic: Clinic, clock: SettableClock, website: Website) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    assert listener.wait()["silent_since"] is None
    silent_at = clinic.now
    clock.forward(minutes=2)
    told = listener.wait(lambda fact: fact["silent_since"])
    assert told["silent_since"] == silent_at.isoformat()
    assert told["silent_stage"] in STAGES


def test_the_stream_ends_with_the_session(website: Website, clinic: Clinic) -> None:
    listener = Listener(Visitor(website).sign_in("rosa"))
    listener.wait()
    with clinic.database.transaction() as connection:
        connection.execute("delete from session")
    assert listener.ended.wait(HEARD_S_MAX)


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
    listener.wait()
    database_server.kill()
    answer = rosa.get("/worklist")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "The database does not answer" in answer.text
    database_server.start()
    assert rosa.get("/worklist").status_code == httpx.codes.OK
    clinic.alert(clinic.patient("Ann", "Lee"), "glucose_low", URGENT, "Glucose 48 mg/dL")
    listener.wait(lambda fact: fact["urgent"] == 1)  # the stream hears of changes again
