"""The gateway's outbox against the cloud's database, without the line between them: what is one reading, and what is never lost.

Method: real frames through the real intake and outbox, rendered as the uplink renders them, settled by the real ingest in a
real database; its receipts settle the outbox. The line itself is test_gateway_uplink's and the stories' matter.
"""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from devices.procedures import Ending, Frame, SessionFacts
from gateway.intake import facts_text, settle_session
from gateway.outbox import Outbox
from gateway.requests import Requests
from gateway.uplink.batches import render
from rpm.ingest.batch import settle
from rpm.ingest.receipts import receipts
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from schemas.messages import Channel, Request, RequestKind, topic
from tests.services.settling import GATEWAY, NOW, OTHER_GATEWAY, count_of, cuff_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person
from tests.unit.gateway.frames import MEGABYTE

ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def outbox_in(folder: Path) -> Outbox:
    return Outbox.open(folder / "outbox.sqlite3", bytes_max=8 * MEGABYTE, gateway_id=GATEWAY)


def pressure(number: int, *, at: datetime) -> bytes:
    """(110 + number)/80 mmHg with a time stamp (flags 02; layout: GSS, blood_pressure) of a cuff that is right."""
    wall = at.astimezone(ZONE)
    stamp = wall.year.to_bytes(2, "little") + bytes([wall.month, wall.day, wall.hour, wall.minute, wall.second])
    return bytes([0x02, 110 + number, 0, 80, 0, 90, 0]) + stamp


def hear(outbox: Outbox, cuff: str, *frames: bytes, at: datetime, cuff_behind_s: float = 0.0) -> None:
    """One session; `at` is when the gateway received it."""
    facts = facts_text(SessionFacts(clock_offset_s=cuff_behind_s))
    number = outbox.begin_session(address=cuff, facts=facts, now=at)
    for each in frames:
        outbox.keep(number, Frame("2A35", each, at))
    settle_session(outbox, number, zone=ZONE, now=at, ending=Ending.HUNG_UP)


def travel(outbox: Outbox, database: Database, *, gateway_id: str = GATEWAY) -> Counter[str]:
    """All that is due goes up and is receipted: by outcome, how many."""
    outcomes: Counter[str] = Counter()
    while due := outbox.due(now=NOW, limit=100):
        outbox.mark_sent([(row.seq, NOW + timedelta(seconds=5)) for row in due], now=NOW)
        payload = render(due, gateway_id=gateway_id, epoch=outbox.epoch)
        settlements = settle(database, [Message(topic(gateway_id, Channel.READINGS), payload)], now=NOW)
        outcomes.update(each.outcome for each in settlements)
        assert sum(outbox.settle(receipt, now=NOW) for receipt in receipts(settlements)) == len(due)
    return outcomes


def systolics(database: Database) -> list[float]:
    return sorted(
        row["value"] for row in rows_of(database, "select value from observation where value between 111 and 199")
    )


def test_a_cloud_restored_from_an_older_state_asks_again_and_has_everything(
    database: Database, maria: Person, tmp_path: Path
) -> None:
    """L19: thirty were committed and receipted; the database comes back as it was after eighteen."""
    outbox, cuff = outbox_in(tmp_path), cuff_of(maria)
    for number in range(1, 31):
        at = NOW - timedelta(minutes=31 - number)
        hear(outbox, cuff, pressure(number, at=at), at=at)
    assert travel(outbox, database) == {"stored": 30}
    assert outbox.stats(now=NOW).ring == 30
    with database.transaction() as connection:
        lost = "(select reading_no from reading where seq > 18)"
        for statement in (
            f"delete from observation where reading_no in {lost}",
            "delete from latest",
            "delete from delivery where seq > 18",
            "delete from reading_key where reading_id in (select reading_id from reading where seq > 18)",
            "delete from reading where seq > 18",
        ):
            connection.execute(statement.encode())
    assert systolics(database) == [110 + number for number in range(1, 19)]

    asked = Requests(gateway_id=GATEWAY, outbox=outbox, file=tmp_path / "requests.json", measures=())
    request = Request(
        gateway_id=GATEWAY,
        request_id="restored",
        kind=RequestKind.REPLAY,
        expires_at=NOW + timedelta(hours=1),
        arguments={"epoch": outbox.epoch, "from_seq": 16},
    )
    asked.receive(request.model_dump_json().encode(), now=NOW)
    assert travel(outbox, database) == {"duplicate": 3, "stored": 12}
    assert systolics(database) == [110 + number for number in range(1, 31)]
    assert count_of(database, "reading") == 30
    asked.receive(request.model_dump_json().encode(), now=NOW)
    assert travel(outbox, database) == {}, "asked twice, done once"
    answers = [event.body for event in outbox.events(limit=9)]
    assert ["replaying" in body and '"value":15.0' in body for body in answers] == [True, True]


def test_a_box_that_was_flashed_anew_counts_from_one_and_loses_nothing(
    database: Database, maria: Person, tmp_path: Path
) -> None:
    """L18: the same numbers of another epoch are other rows."""
    for epoch in range(3):
        outbox = outbox_in(tmp_path / str(epoch))
        at = NOW - timedelta(hours=3 - epoch)
        hear(outbox, cuff_of(maria), *(pressure(10 * epoch + n, at=at) for n in (1, 2)), at=at)
        assert [row.seq for row in outbox.due(now=NOW, limit=9)] == [2, 1]
        assert travel(outbox, database) == {"stored": 2}
    assert systolics(database) == [111, 112, 121, 122, 131, 132]


def test_a_cuff_that_tells_all_it_has_again_after_a_battery_change_doubles_nothing(
    database: Database, maria: Person, tmp_path: Path
) -> None:
    """D3: told again with a clock that began anew, to the same box and to the one that replaced it."""
    first, cuff = outbox_in(tmp_path / "first"), cuff_of(maria)
    memory = [pressure(number, at=NOW - timedelta(hours=9 - number)) for number in range(1, 9)]
    hear(first, cuff, *memory, at=NOW)
    assert travel(first, database) == {"stored": 8}
    began_anew_s = (NOW - datetime(2020, 1, 1, tzinfo=NOW.tzinfo)).total_seconds()
    hear(first, cuff, *memory, at=NOW + timedelta(minutes=5), cuff_behind_s=began_anew_s)
    assert first.stats(now=NOW).repeated == 8
    assert travel(first, database) == {}
    second = outbox_in(tmp_path / "second")
    hear(second, cuff, *memory, at=NOW + timedelta(minutes=9), cuff_behind_s=began_anew_s)
    assert travel(second, database) == {"duplicate": 8}
    times = [row["measured_at"] for row in rows_of(database, "select measured_at from reading order by measured_at")]
    assert times == [NOW - timedelta(hours=9 - number) for number in range(1, 9)], "and the first, right time stands"


def test_two_boxes_that_hear_one_cuff_bring_one_reading(database: Database, maria: Person, tmp_path: Path) -> None:
    """D4: received at another instant, by another clock, through another gateway: the same squeeze."""
    squeeze = pressure(9, at=NOW - timedelta(minutes=2))
    outcomes: list[Counter[str]] = []
    for gateway_id, late_s, behind_s in ((GATEWAY, 0, 0.0), (OTHER_GATEWAY, 40, -2.0)):
        outbox = outbox_in(tmp_path / gateway_id)
        at = NOW - timedelta(minutes=1) + timedelta(seconds=late_s)
        hear(outbox, cuff_of(maria), squeeze, at=at, cuff_behind_s=behind_s)
        outcomes.append(travel(outbox, database, gateway_id=gateway_id))
    assert outcomes == [{"stored": 1}, {"duplicate": 1}]
    assert systolics(database) == [119]
    assert count_of(database, "reading") == 1
