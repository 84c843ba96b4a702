"""Nights on which everything comes at once: a thousand reds, and a network that takes five hundred homes with it.

As in test_nights_on_call.py, what is asserted is the whole transcript of the mail server.
"""

from datetime import timedelta

import pytest

from alerts.pace import SINGLY_MAX
from rpm.jobs.silence import Patience, Silences
from rpm.outage import Stage
from rpm.store import heartbeats
from rpm.store.database import Database
from schemas.codes import Kind
from tests.stories.nights import TURN, Night
from tests.stories.test_nights_on_call import ORDINARY, night
from tests.support.mail import MailSink

MANY = 1000
BOXES = 500


@pytest.mark.timeout(180)
def test_a_thousand_reds_at_once(database: Database, mail_sink: MailSink) -> None:
    """Nora's telephone rings five times, and a minute later once for all others; a quarter of an hour later Ada's does.

    Every one of the thousand is told to each of them, none twice; Ada takes them all, and nobody is told of anything more.
    """
    story = night(database, mail_sink, ORDINARY, "2026-06-10T02:10:00-04:00")
    clinic = story.desk.clinic
    people = [clinic.patient("P", f"{number:04d}") for number in range(MANY)]
    red = {"systolic": (192.0, "mm[Hg]"), "diastolic": (118.0, "mm[Hg]"), "pulse_rate": (72.0, "/min")}
    clinic.measure_many([(one, Kind.BLOOD_PRESSURE, red, clinic.now, False, ()) for one in people])
    while story.desk.judge().done:
        pass
    assert len(story.desk.alerts()) == MANY
    story.turn()
    story.until("Wed 02:25 EDT")
    story.until("Wed 02:26 EDT", every=timedelta(seconds=20))
    _everybody_was_told(story, "nora")
    _everybody_was_told(story, "ada")
    story.desk.rows(
        "update alert set status = 'acknowledged', acknowledged_at = %(now)s, acknowledged_by = %(ada)s,"
        " next_step_at = null returning id",
        now=story.desk.now,
        ada=story.staff["ada"],
    )
    story.until("Wed 02:50 EDT")
    singly = [line.split(" call ")[0][:18].strip() for line in story.told if "call" in line]
    assert singly == ["Wed 02:10 EDT nora"] * SINGLY_MAX + ["Wed 02:25 EDT ada:"] * SINGLY_MAX
    assert [line for line in story.told if "call" not in line] == [
        f"Wed 02:11 EDT nora: {MANY - SINGLY_MAX} alerts, urgent and less",
        f"Wed 02:26 EDT ada: {MANY - SINGLY_MAX} alerts, urgent and less",
    ]


def _everybody_was_told(story: Night, who: str) -> None:
    counted = story.desk.rows(
        "select alert_id, count(*) as times from notification where recipient_id = %(who)s and state = 'sent' group by 1",
        who=story.staff[who],
    )
    assert [row["times"] for row in counted] == [1] * MANY


def test_five_hundred_homes_are_gone_and_one_line_says_so(database: Database, mail_sink: MailSink) -> None:
    """A provider's network fails at ten past two. One message; a red that comes another way calls as ever; and they are back."""
    story = night(database, mail_sink, ORDINARY, "2026-06-10T02:00:00-04:00")
    desk = story.desk
    gone = {"are": False}
    watcher = Silences(database, patience=Patience(), plan=desk.plan)
    desk.rows(
        "insert into gateway (id, practice_id, label, created_at) select 'gw-flood-' || n, %(practice)s, 'Home ' || n,"
        " 'epoch' from generate_series(1, %(boxes)s) as n returning id",
        practice=desk.clinic.practice_id,
        boxes=BOXES,
    )

    def everything_beats() -> None:
        with database.transaction() as connection:
            for stage in Stage:
                heartbeats.beat(connection, stage, now=desk.now)
            if not gone["are"]:
                connection.execute(
                    "insert into gateway_status (gateway_id, practice_id, heard_at, kind, version, uptime_s, outbox_depth,"
                    " outbox_oldest_s, outbox_dropped, adapter) select id, practice_id, %(now)s, 'heartbeat', '1', 1, 0,"
                    " 0, 0, 'x' from gateway where practice_id = %(practice)s"
                    " on conflict (gateway_id) do update set heard_at = excluded.heard_at",
                    {"now": desk.now, "practice": desk.clinic.practice_id},
                )
        watcher.turn(desk.now)

    story.also(everything_beats)
    for family in ("Alvarez", "Brown"):
        story.pressure(family, 128, 80)
    story.until("Wed 02:10 EDT")
    gone["are"] = True
    story.until("Wed 02:40 EDT")
    story.pressure("Alvarez")
    story.until("Wed 02:41 EDT")
    story.takes("nora", "Alvarez")
    story.closes("nora", "Alvarez")
    story.until("Wed 02:50 EDT")
    story.until("Thu 02:50 EDT", every=60 * TURN)
    standing = "select rule_id from alert where kind = 'technical' and status <> 'closed' and back_in_range_at is null"
    assert [row["rule_id"] for row in desk.rows(standing)] == ["silence.pipeline"], "none for a box, after a day of it"
    gone["are"] = False
    story.until("Thu 03:20 EDT")
    assert desk.rows(standing) == []
    story.pressure("Brown")
    story.takes("nora", "Brown")
    story.closes("nora", "Brown")
    story.until("Thu 04:00 EDT")
    assert story.told == [
        # A box may be quiet for a quarter of an hour.
        "Wed 02:25 EDT sam: priority silence.pipeline, call 1",
        "Wed 02:40 EDT nora: urgent Alvarez, call 1",
        "Thu 03:20 EDT nora: urgent Brown, call 1",
    ]
