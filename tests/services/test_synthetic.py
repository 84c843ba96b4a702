"""The synthetic patient, and what the pages tell a watcher: nobody's bill, nobody's list, one message for each red, no health data."""

from typing import Any

import httpx
import pytest

from alerts.channels import Name
from rpm.billing.episode import ServiceMonth
from rpm.errors import UserError
from rpm.health import Health
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.jobs import escalate, evaluate, send
from rpm.jobs import synthetic as job
from rpm.outage import Stage
from rpm.settings import CARE, read_settings
from rpm.store import billing, heartbeats, synthetic, worklist
from rpm.store.database import Database
from tests.services.judging import BASE_URL, PLAN, RULES, Outbox
from tests.support.clock import SettableClock
from tests.support.readings import batch, pressure
from tests.support.website import Website

CUFF, BOX, MAIL = "C0:00:00:00:5E:01", "gw-synthetic", "synthetic@watch.example"


class Proof:
    """The synthetic patient over a database, with the loops turned by hand."""

    def __init__(self, database: Database, clock: SettableClock) -> None:
        self.database, self.clock, self.mail, self._seq = database, clock, Outbox(), 0
        with database.transaction() as connection:
            synthetic.set_up(connection, email=MAIL, gateway_id=BOX, address=CUFF, now=clock())
        clock.forward(minutes=1)

    def squeeze(self) -> None:
        """A red, from the message to the mail; then what closes it."""
        self._seq += 1
        topic, payload = batch(BOX, pressure(221, 131, self.clock(), address=CUFF), first_seq=self._seq)
        settle(self.database, [Message(topic, payload)], now=self.clock())
        evaluate.run_once(self.database, now=self.clock(), judgement=evaluate.Judgement(RULES, PLAN))
        escalate.run_once(self.database, now=self.clock(), plan=PLAN)
        while send.run_once(self.database, now=self.clock(), channels={Name.EMAIL: self.mail}, base_url=BASE_URL).more:
            pass

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def proof(database: Database, clock: SettableClock) -> Proof:
    return Proof(database, clock)


def test_each_red_of_a_day_is_one_message_to_the_test_contact(proof: Proof) -> None:
    for hour in range(1, 25):
        proof.squeeze()
        assert proof.mail.addresses == [MAIL] * hour
        job.run_once(proof.database, now=proof.clock())
        proof.clock.forward(hours=1)
    assert len({subject for _, subject, _ in proof.mail.sent}) == 24, "each names an alert of its own"
    assert proof.rows("select 1 from alert where status <> 'closed'") == []


def test_a_red_whose_message_nobody_takes_is_kept_until_it_is_old(proof: Proof) -> None:
    proof.mail.answer = type(proof.mail.answer)(False, "not taken")
    proof.squeeze()
    assert job.run_once(proof.database, now=proof.clock()).done == 0
    proof.clock.forward(minutes=20)
    assert job.run_once(proof.database, now=proof.clock()).done == 1


def test_it_is_on_no_list_and_no_bill(proof: Proof) -> None:
    proof.squeeze()
    [patient] = proof.rows("select practice_id from patient")
    assert len(proof.rows("select 1 from alert where kind = 'clinical' and status <> 'closed'")) == 1
    with proof.database.transaction() as connection:
        assert worklist.open_alerts(connection, patient["practice_id"]) == []
        assert worklist.standings(connection) == {}
        practice = billing.practice(connection, patient["practice_id"])
        assert practice is not None
        month = ServiceMonth(proof.clock().date().replace(day=1))
        assert billing.month_records(connection, practice, month, now=proof.clock()).episodes == ()


def test_an_account_or_a_box_that_is_taken_is_one_line(proof: Proof) -> None:
    with pytest.raises(UserError, match="synthetic-contact"), proof.database.transaction() as connection:
        synthetic.set_up(connection, email=MAIL, gateway_id="gw-other", address=CUFF, now=proof.clock())
    assert len(proof.rows("select 1 from patient")) == 1


# What the pages tell -------------------------------------------------------------------------------------------------


def _health(website: Website) -> Health:
    answer = httpx.get(f"{website.url}/health", timeout=20)
    assert answer.status_code == httpx.codes.OK
    return Health.model_validate_json(answer.content)


def test_health_tells_ages_and_nothing_else(proof: Proof, clock: SettableClock) -> None:
    proof.squeeze()
    with proof.database.transaction() as connection:
        for stage in (Stage.INGEST, Stage.BROKER, Stage.EVALUATE):
            heartbeats.beat(connection, stage, now=clock())
    clock.forward(seconds=42)
    with Website(proof.database, clock) as website:
        told = _health(website)
        text = httpx.get(f"{website.url}/health", timeout=20).text
    assert told.stages["ingest"].age_s == 42.0
    assert told.stages["send"].age_s is None
    assert told.synthetic is not None
    assert (told.synthetic.raised_age_s, told.synthetic.alert) == (42.0, proof.mail.sent[0][1].split()[2].rstrip(","))
    assert sorted(Health.model_validate_json(text).model_dump()) == ["stages", "synthetic"]
    for word in ("Synthetic", "221", CUFF, BOX, MAIL):
        assert word not in text


def test_health_tells_what_waits(proof: Proof, clock: SettableClock) -> None:
    proof.mail.answer = type(proof.mail.answer)(False, "not taken")
    proof.squeeze()
    clock.forward(seconds=90)
    with proof.database.transaction() as connection:
        for stage in Stage:
            heartbeats.beat(connection, stage, now=clock())
    with Website(proof.database, clock) as website:
        assert _health(website).stages["send"].waiting_s == 90.0


def test_the_settings_of_silence_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPM_BOX_SILENT_HOURS", "0")
    with pytest.raises(UserError, match="RPM_BOX_SILENT_HOURS"):
        read_settings()
    assert (CARE / "escalation.toml").is_file()
