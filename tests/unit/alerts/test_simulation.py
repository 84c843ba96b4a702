"""What a plan would do, played through: who, when, why; by severity, queue and care programme."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.escalation import EscalationError, Queue, parse_plan
from alerts.rota import Override
from alerts.severity import Severity
from alerts.simulation import CALLS_MAX, simulate
from tests.support.on_call import member

#: A Sunday, ten past two in New York.
AT = datetime(2026, 11, 29, 7, 10, tzinfo=UTC)
TEXT = """
fallback = ["role:admin"]

[[policy]]
severity = "urgent"
repeat_every_min = 10
repeat_times = 1
step = [{ after_min = 0, targets = ["rota:nights"] }, { after_min = 15, targets = ["role:nurse"] }]

[[policy]]
severity = "urgent"
programs = ["heart_failure"]
step = [{ after_min = 5, targets = ["staff:nora"] }]

[[policy]]
severity = "priority"
queue = "technical"
step = [{ after_min = 60, targets = ["role:support"] }]

[[rota]]
name = "nights"
time_zone = "America/New_York"
shift = [{ days = ["sat"], from = "19:00", to = "07:00", who = ["staff:nell"] }]
"""
PLAN = parse_plan(TEXT)
NORA = member(1, "nora", "nurse")
NELL = member(2, "nell", "nurse")
ADA = member(3, "ada", "admin")
SAM = member(4, "sam", "support")
STAFF = (NORA, NELL, ADA, SAM)


def played(
    severity: Severity, *overrides: Override, queue: Queue = Queue.CLINICAL, program: str = "", at: datetime = AT
) -> list[tuple[float, list[str]]]:
    found = simulate(PLAN, severity, STAFF, overrides, at=at, practice_id=7, queue=queue, program=program)
    return [((call.at - at) / timedelta(minutes=1), [one.username for one in call.recipients]) for call in found.calls]


def test_ten_past_two_on_sunday() -> None:
    assert played(Severity.URGENT) == [(0, ["nell"]), (15, ["nora", "nell"]), (25, ["nora", "nell"])]
    found = simulate(PLAN, Severity.URGENT, STAFF, at=AT, practice_id=7)
    assert found.calls[0].reason == "step 1 of the urgent policy: rota:nights"


def test_it_says_by_what_each_is_told() -> None:
    found = simulate(PLAN, Severity.URGENT, STAFF, at=AT, practice_id=7)
    assert [(person.username, [name.word for name in by]) for person, by in found.calls[0].tellings] == [
        ("nell", ["e-mail"])
    ]


def test_nobody_on_duty_is_the_fallback_and_the_next_step_at_once() -> None:
    assert played(Severity.URGENT, at=AT + timedelta(days=1)) == [
        (0, ["ada"]),
        (0, ["nora", "nell"]),
        (10, ["nora", "nell"]),
    ]


def test_a_stand_in_is_called_instead() -> None:
    swap = Override("nights", AT - timedelta(hours=1), AT + timedelta(hours=1), "staff:nora", "staff:nell")
    assert played(Severity.URGENT, swap)[0] == (0, ["nora"])


def test_a_programme_has_a_policy_of_its_own() -> None:
    assert played(Severity.URGENT, program="heart_failure") == [(5, ["nora"])]
    assert played(Severity.URGENT, program="diabetes") == played(Severity.URGENT)


def test_what_does_not_work_calls_those_who_mend_it() -> None:
    assert played(Severity.PRIORITY, queue=Queue.TECHNICAL) == [(60, ["sam"])]
    assert played(Severity.PRIORITY) == []
    # Without a technical policy of that severity, the clinical one: somebody must be told.
    assert played(Severity.URGENT, queue=Queue.TECHNICAL) == played(Severity.URGENT)


def test_a_severity_without_a_policy_waits_on_the_list() -> None:
    found = simulate(PLAN, Severity.ROUTINE, STAFF, at=AT, practice_id=7)
    assert (found.policy, found.calls) == (None, ())


def test_the_longest_plan_ends() -> None:
    steps = ", ".join('{ after_min = 1, targets = ["role:admin"] }' for _ in range(10))
    longest = parse_plan(
        f'fallback = ["role:admin"]\n[[policy]]\nseverity = "urgent"\nrepeat_times = 20\nstep = [{steps}]'
    )
    assert len(simulate(longest, Severity.URGENT, STAFF, at=AT, practice_id=7).calls) == 30 < CALLS_MAX


@pytest.mark.parametrize(
    "added, said",
    [
        ('severity = "urgent"', "two clinical policies of severity urgent"),
        (
            'severity = "urgent"\nprograms = ["copd", "heart_failure"]',
            "two clinical policies of severity urgent for heart_failure",
        ),
        ('severity = "priority"\nqueue = "technical"', "two technical policies of severity priority"),
        ('severity = "priority"\nqueue = "other"', "queue"),
    ],
)
def test_two_policies_for_one_alert_are_named(added: str, said: str) -> None:
    step = 'step = [{ after_min = 0, targets = ["role:nurse"] }]'
    with pytest.raises(EscalationError, match=said):
        parse_plan(f"{TEXT}\n[[policy]]\n{added}\n{step}\n")
