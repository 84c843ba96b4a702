"""Nights on call, told by the wall clock: who was woken, when, about whom, and by nothing else.

Each story ends with the whole transcript of the mail server (tests/stories/nights.py): it fails on a message that is missing, on
one nobody expected, and on one a minute late.
"""

from datetime import timedelta

import pytest

from rpm.store import plans
from rpm.store.database import Database
from tests.stories.nights import Night
from tests.support.mail import MailSink

STAFF = {"nora": "nurse", "omar": "nurse", "ada": "admin", "sam": "support"}
#: Nora has the nights, Omar the days; Ada is the second to be called, and once more.
CALLS = """
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
acknowledged_min = 30
repeat_every_min = 15
repeat_times = 1
step = [{ after_min = 0, targets = ["rota:nurses"] }, { after_min = 15, targets = ["role:admin"] }]
[[policy]]
severity = "priority"
step = [{ after_min = 0, targets = ["rota:nurses"] }]
[[policy]]
severity = "priority"
queue = "technical"
step = [{ after_min = 0, targets = ["role:support"] }]
[[rota]]
name = "nurses"
time_zone = "America/New_York"
"""
EVERY_DAY = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'


def shift(who: str, begins: str, ends: str, *, days: str = EVERY_DAY) -> str:
    return f'[[rota.shift]]\ndays = {days}\nfrom = "{begins}"\nto = "{ends}"\nwho = ["staff:{who}"]\n'


ORDINARY = CALLS + shift("nora", "19:00", "07:00") + shift("omar", "07:00", "19:00")


def night(database: Database, sink: MailSink, plan: str, begins: str) -> Night:
    return Night(database, sink, plan, begins=begins, staff=STAFF)


def test_nora_sleeps_through_it_and_ada_takes_it(database: Database, mail_sink: MailSink) -> None:
    """An ordinary night: a red nobody hears, a box that delivers what is old, a sugar, and the hand-over at seven."""
    story = night(database, mail_sink, ORDINARY, "2026-06-10T01:58:00-04:00")
    story.until("Wed 02:10 EDT")
    story.pressure("Alvarez")
    story.until("Wed 02:27 EDT")
    story.takes("ada", "Alvarez")
    story.until("Wed 02:40 EDT")
    story.closes("ada", "Alvarez")
    story.pressure("Brown", hours_ago=9)
    story.until("Wed 03:30 EDT")
    story.glucose("Chen", 65)
    story.until("Wed 03:34 EDT")
    story.takes("nora", "Chen")
    story.until("Wed 06:50 EDT")
    story.pressure("Dietz")
    story.until("Wed 06:52 EDT")
    story.takes("nora", "Dietz")
    story.until("Wed 07:40 EDT")
    assert story.told == [
        "Wed 02:10 EDT nora: urgent Alvarez, call 1",
        "Wed 02:25 EDT ada: urgent Alvarez, call 2",
        "Wed 03:30 EDT nora: priority Chen, call 1",
        "Wed 06:50 EDT nora: urgent Dietz, call 1",
        # Nora went home with it: after half an hour it is nobody's, and Omar's.
        "Wed 07:22 EDT omar: urgent Dietz, call 1",
        "Wed 07:37 EDT ada: urgent Dietz, call 2",
    ]


def test_a_hand_over_that_nobody_took(database: Database, mail_sink: MailSink) -> None:
    """On Sundays the night ends at six and the day begins at seven: said on Thursday, and the red of 06:30 does not wait."""
    days = '["mon", "tue", "wed", "thu", "fri", "sat"]'
    plan = (
        CALLS
        + shift("nora", "19:00", "07:00", days='["sun", "mon", "tue", "wed", "thu", "fri"]')
        + shift("nora", "19:00", "06:00", days='["sat"]')
        + shift("omar", "07:00", "19:00", days=days)
        + shift("omar", "07:00", "19:00", days='["sun"]')
    )
    story = night(database, mail_sink, plan, "2026-06-11T10:00:00-04:00")
    story.patient("Alvarez")
    assert story.cover() == 1
    assert (
        "120 minutes in which a first call reaches nobody, the first from Sun 2026-06-14 06:00"
        in (story.desk.alerts()[0]["reason"])
    )
    story.desk.forward(days=2, hours=19)
    assert story.cover() == 0, "it was told once"
    story.until("Sun 05:59 EDT", every=timedelta(minutes=1))
    story.pressure("Brown")
    story.takes("nora", "Brown")
    story.closes("nora", "Brown")
    story.until("Sun 06:30 EDT")
    story.pressure("Alvarez")
    story.until("Sun 06:31 EDT")
    story.takes("ada", "Alvarez")
    story.closes("ada", "Alvarez")
    story.until("Sun 07:00 EDT")
    story.pressure("Chen")
    story.takes("omar", "Chen")
    story.until("Sun 07:20 EDT")
    assert story.told == [
        "Thu 10:00 EDT sam: priority no_cover, call 1",
        "Sun 05:59 EDT nora: urgent Brown, call 1",
        # Nobody is on duty: the fallback, and the next step without a wait.
        "Sun 06:30 EDT ada: urgent Alvarez, call 1",
        "Sun 06:30 EDT ada: urgent Alvarez, call 2",
        "Sun 07:00 EDT omar: urgent Chen, call 1",
    ]


#: Nora until half past two, Omar from then on.
AT_HALF_PAST_TWO = CALLS + shift("nora", "19:00", "02:30") + shift("omar", "02:30", "19:00")


def test_the_night_in_spring_whose_half_past_two_never_comes(database: Database, mail_sink: MailSink) -> None:
    """At 02:00 it is 03:00: Nora is relieved then, and a quarter of an hour is still one."""
    story = night(database, mail_sink, AT_HALF_PAST_TWO, "2026-03-08T01:40:00-05:00")
    story.until("Sun 01:50 EST")
    story.pressure("Alvarez")
    story.until("Sun 01:59 EST")
    story.glucose("Brown", 65)
    story.until("Sun 03:00 EDT")
    story.glucose("Chen", 65)
    story.until("Sun 03:06 EDT")
    story.takes("ada", "Alvarez")
    story.until("Sun 03:34 EDT")
    assert story.told == [
        "Sun 01:50 EST nora: urgent Alvarez, call 1",
        "Sun 01:59 EST nora: priority Brown, call 1",
        "Sun 03:00 EDT omar: priority Chen, call 1",
        "Sun 03:05 EDT ada: urgent Alvarez, call 2",
    ]


def test_the_night_in_autumn_with_two_half_past_ones(database: Database, mail_sink: MailSink) -> None:
    """At 02:00 it is 01:00 once more: Nora's night is an hour longer, and nobody is called twice for one quarter of an hour."""
    story = night(database, mail_sink, AT_HALF_PAST_TWO, "2026-11-01T01:20:00-04:00")
    story.until("Sun 01:30 EDT")
    story.glucose("Alvarez", 65)
    story.until("Sun 01:50 EDT")
    story.pressure("Brown")
    story.until("Sun 01:06 EST")
    story.takes("ada", "Brown")
    story.closes("ada", "Brown")
    story.until("Sun 01:30 EST")
    story.glucose("Chen", 65)
    story.until("Sun 02:29 EST")
    story.glucose("Dietz", 65)
    story.until("Sun 02:30 EST")
    story.glucose("Evans", 65)
    story.until("Sun 02:50 EST")
    assert story.told == [
        "Sun 01:30 EDT nora: priority Alvarez, call 1",
        "Sun 01:50 EDT nora: urgent Brown, call 1",
        "Sun 01:05 EST ada: urgent Brown, call 2",
        "Sun 01:30 EST nora: priority Chen, call 1",
        "Sun 02:29 EST nora: priority Dietz, call 1",
        "Sun 02:30 EST omar: priority Evans, call 1",
    ]


def test_thanksgiving_and_who_stands_in_for_whom(database: Database, mail_sink: MailSink) -> None:
    """On the holiday Ada has the day in place of Omar; in the afternoon Sam stands in for her until five."""
    holiday = (
        '[[rota.holiday]]\ndate = 2026-11-26\nshift = [{ from = "07:00", to = "19:00", who = ["staff:ada"] },'
        ' { from = "19:00", to = "07:00", who = ["staff:nora"] }]\n'
    )
    story = night(database, mail_sink, ORDINARY + holiday, "2026-11-26T06:50:00-05:00")
    with story.desk.database.transaction() as connection:
        plans.make_override(
            connection,
            practice_id=story.desk.clinic.practice_id,
            rota="nurses",
            begins_at=story.desk.now + timedelta(hours=7, minutes=10),
            ends_at=story.desk.now + timedelta(hours=10, minutes=10),
            who=story.staff["sam"],
            instead_of=story.staff["ada"],
            reason="the turkey",
            made_by=story.staff["ada"],
            now=story.desk.now,
        )
    half = timedelta(minutes=5)
    for wall, family in (
        ("Thu 06:55 EST", "Alvarez"),
        ("Thu 07:00 EST", "Brown"),
        ("Thu 13:55 EST", "Chen"),
        ("Thu 14:00 EST", "Dietz"),
        ("Thu 17:00 EST", "Evans"),
        ("Thu 19:00 EST", "Fox"),
        ("Fri 07:00 EST", "Gray"),
    ):
        story.until(wall, every=half)
        story.glucose(family, 65)
    story.until("Fri 07:30 EST", every=half)
    assert story.told == [
        "Thu 06:55 EST nora: priority Alvarez, call 1",
        "Thu 07:00 EST ada: priority Brown, call 1",
        "Thu 13:55 EST ada: priority Chen, call 1",
        "Thu 14:00 EST sam: priority Dietz, call 1",
        "Thu 17:00 EST ada: priority Evans, call 1",
        "Thu 19:00 EST nora: priority Fox, call 1",
        "Fri 07:00 EST omar: priority Gray, call 1",
    ]


def test_it_becomes_worse_while_it_was_to_wait(database: Database, mail_sink: MailSink) -> None:
    """A low sugar may wait for an hour; it falls, and falls again, and what was said of the hour is forgotten."""
    story = night(database, mail_sink, ORDINARY, "2026-06-10T01:00:00-04:00")
    story.glucose("Alvarez", 65)
    story.lets_wait("nora", "Alvarez", 60)
    story.until("Wed 01:20 EDT")
    story.glucose("Alvarez", 64)
    story.until("Wed 01:30 EDT")
    story.glucose("Alvarez", 45)
    story.lets_wait("nora", "Alvarez", 30)
    story.until("Wed 01:40 EDT")
    story.glucose("Alvarez", 44)
    story.until("Wed 01:41 EDT")
    story.takes("nora", "Alvarez")
    story.closes("nora", "Alvarez")
    story.glucose("Brown", 65)
    story.lets_wait("nora", "Brown", 60)
    story.until("Wed 03:30 EDT")
    assert story.told == [
        "Wed 01:00 EDT nora: priority Alvarez, call 1",
        # 64 is no worse than 65 was; 45 is, and 44 is another red that Nora did not know of.
        "Wed 01:30 EDT nora: urgent Alvarez, call 1",
        "Wed 01:40 EDT nora: urgent Alvarez, call 1",
        "Wed 01:41 EDT nora: priority Brown, call 1",
        "Wed 02:41 EDT nora: priority Brown, call 1",
    ]


@pytest.mark.parametrize("fault", ["missing", "unexpected"])
def test_a_transcript_notices_both_faults(database: Database, mail_sink: MailSink, fault: str) -> None:
    """A story in which nobody is called, or somebody whom nobody meant: the transcript is another one."""
    story = night(database, mail_sink, ORDINARY, "2026-06-10T02:10:00-04:00")
    if fault == "missing":
        story.desk.rows("update staff set active = false where username = 'nora' returning id")
    else:
        story.desk.clinic.staff("rosa", "admin")
    story.pressure("Alvarez")
    story.until("Wed 02:25 EDT")
    assert story.told != ["Wed 02:10 EDT nora: urgent Alvarez, call 1", "Wed 02:25 EDT ada: urgent Alvarez, call 2"]
