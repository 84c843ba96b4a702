"""What an outbox has room for, and that one of an older format goes on."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from gateway.intake import settle_unfinished
from gateway.outbox.file import APPLICATION_ID, SCHEMA
from tests.unit.gateway.frames import CUFF, FACTS, MEGABYTE, NOON, both_forms, open_outbox, row

__all__ = ["both_forms"]

pytestmark = pytest.mark.usefixtures("both_forms")


def test_an_outbox_of_the_first_format_is_brought_up_to_date_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    old = sqlite3.connect(path, isolation_level=None)
    for statement in SCHEMA.split(";"):
        old.execute(statement)
    old.execute("insert into meta values ('epoch', '0123456789abcdef')")
    old.execute(f"pragma application_id = {APPLICATION_ID}")
    old.execute("pragma user_version = 1")
    old.execute("insert into session values (1, ?, ?, 1795366800000000)", (CUFF, FACTS))
    old.execute("insert into frame values (1, 1, '2A35', x'00780050005d00', 1795366801000000)")
    old.execute("insert into row(form, name, context, body, received_us) values ('reading', 'a', '', '{}', 1)")
    old.close()
    outbox = open_outbox(tmp_path)
    assert outbox.epoch == "0123456789abcdef"
    (session,) = outbox.unfinished()
    assert (session.opened, session.kept_ns) == (None, (None,))
    assert settle_unfinished(outbox, zone=ZoneInfo("UTC"), now=NOON)[0].measured_at == NOON + timedelta(seconds=1)
    assert outbox.stats(now=NOON).depth == 2
    outbox.close()
    assert open_outbox(tmp_path).stats(now=NOON).depth == 2


def test_days_of_buffer_are_the_days_until_a_reading_must_go(tmp_path: Path) -> None:
    """Four readings a day for a week; then as many a day until the first is dropped: the figure said when."""
    outbox = open_outbox(tmp_path, bytes_max=MEGABYTE)
    assert outbox.buffer_days(now=NOON) is None
    per_day, now, number = 4, NOON, 0

    def one_day() -> None:
        nonlocal now, number
        session = outbox.begin_session(address=CUFF, facts=FACTS, now=now)
        rows = [
            replace(row(0, body_bytes=900), name=str(UUID(int=number + n)), received_at=now) for n in range(per_day)
        ]
        outbox.finish_session(session, rows, now=now)
        number += per_day
        now += timedelta(days=1)

    one_day()
    assert outbox.buffer_days(now=now) is None, "too few to tell"
    for _ in range(6):
        one_day()
    said = outbox.buffer_days(now=now)
    assert said is not None
    lasted = 0
    while not outbox.stats(now=now).dropped:
        one_day()
        lasted += 1
    assert lasted == pytest.approx(said, rel=0.15)
    nearly_none = outbox.buffer_days(now=now)
    assert nearly_none is not None
    assert nearly_none < said / 5
