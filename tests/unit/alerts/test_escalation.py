"""Who is called when: rotas through the nights the clocks change, steps, fallbacks, repeats; and messages free of PHI."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.escalation import DueAlert, EscalationError, Plan, Queue, due_step, first_step_at, parse_plan, read_plan
from alerts.notices import Notice
from alerts.rota import MINUTES_PER_WEEK, Rota, week_text
from alerts.severity import Severity
from alerts.staff import StaffMember
from rpm.settings import CARE
from tests.support.on_call import member

NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)
TEXT = """
fallback = ["role:admin"]

[[policy]]
severity = "urgent"
repeat_every_min = 10
repeat_times = 2

[[policy.step]]
after_min = 0
targets = ["rota:days", "staff:nora"]

[[policy.step]]
after_min = 15
targets = ["role:nurse"]

[[rota]]
name = "days"
time_zone = "America/New_York"

[[rota.shift]]
days = ["mon", "tue", "wed", "thu", "fri"]
from = "08:00"
to = "18:00"
who = ["staff:nell"]
"""
PLAN = parse_plan(TEXT)
NORA = member(1, "nora", "nurse")
NELL = member(2, "nell", "nurse")
ADA = member(3, "ada", "admin")
STAFF = (NORA, NELL, ADA)


def step(
    number: int, *staff: StaffMember, now: datetime = NOW, plan: Plan = PLAN
) -> tuple[list[str], datetime | None, str]:
    done = due_step(DueAlert(1, 7, Severity.URGENT, number), plan, staff, now=now)
    return [one.username for one in done.recipients], done.next_step_at, done.reason


def test_the_steps_of_a_policy() -> None:
    assert step(0, *STAFF) == (
        ["nell", "nora"],
        NOW + timedelta(minutes=15),
        "step 1 of the urgent policy: rota:days, staff:nora",
    )
    assert step(1, *STAFF)[:2] == (["nora", "nell"], NOW + timedelta(minutes=10))
    assert step(2, *STAFF)[:2] == (["nora", "nell"], NOW + timedelta(minutes=10))
    assert step(3, *STAFF)[:2] == (["nora", "nell"], None)
    assert step(4, *STAFF)[:2] == ([], None)


def test_nobody_reachable_calls_the_fallback_and_goes_on_at_once() -> None:
    away = [dataclasses.replace(NORA, active=False), dataclasses.replace(NELL, contacts=())]
    recipients, next_step_at, reason = step(0, *away, ADA)
    assert (recipients, next_step_at) == (["ada"], NOW)
    assert reason.endswith("nobody to be reached, fallback role:admin")
    assert step(0, *away)[:2] == ([], NOW)
    assert step(3, *away, ADA)[:2] == (["ada"], None)


def test_only_the_alert_s_own_practice_is_called() -> None:
    elsewhere = [dataclasses.replace(one, practice_id=8) for one in STAFF]
    assert step(0, *elsewhere)[0] == []


def test_a_severity_without_a_policy_calls_nobody() -> None:
    assert first_step_at(PLAN, Severity.ROUTINE, now=NOW) is None
    assert first_step_at(PLAN, Severity.URGENT, now=NOW) == NOW
    done = due_step(DueAlert(1, 7, Severity.ROUTINE, 0), PLAN, STAFF, now=NOW)
    assert (done.recipients, done.next_step_at) == ((), None)


def test_what_does_not_work_and_can_wait_is_not_called_by_a_policy_for_patients() -> None:
    text = """
        fallback = ["role:admin"]
        [[policy]]
        severity = "routine"
        acknowledged_min = 60
        step = [{ after_min = 30, targets = ["role:nurse"] }]
    """
    of_patients = parse_plan(text)
    assert first_step_at(of_patients, Severity.ROUTINE, now=NOW) == NOW + timedelta(minutes=30)
    assert first_step_at(of_patients, Severity.ROUTINE, queue=Queue.TECHNICAL, now=NOW) is None
    assert (Severity.ROUTINE, Queue.TECHNICAL, "") not in of_patients.acknowledged_for
    own = parse_plan(
        text
        + """
        [[policy]]
        severity = "routine"
        queue = "technical"
        step = [{ after_min = 90, targets = ["role:support"] }]
    """
    )
    assert first_step_at(own, Severity.ROUTINE, queue=Queue.TECHNICAL, now=NOW) == NOW + timedelta(minutes=90)


def test_the_shipped_plan_covers_the_week_and_leaves_routine_alone() -> None:
    plan = read_plan(Path(CARE) / "escalation.toml")
    assert plan.warnings() == []
    assert [policy.title for policy in plan.policies] == ["urgent", "priority", "priority, technical"]
    assert all(len(policy.steps) == 2 for policy in plan.policies)


def test_hours_nobody_covers_are_named() -> None:
    assert PLAN.warnings()[:2] == [
        "rota days: nobody from mon 00:00 to mon 08:00 (America/New_York)",
        "rota days: nobody from mon 18:00 to tue 08:00 (America/New_York)",
    ]
    assert PLAN.warnings()[-1] == "rota days: nobody from fri 18:00 to mon 00:00 (America/New_York)"


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"rota:days"', '"rota:nights"', "policy urgent: there is no rota 'nights'"),
        ("America/New_York", "Americas/NY", "rota 'days', time_zone: 'Americas/NY' is no time zone"),
        ('from = "08:00"', 'from = "8 am"', "shift 1, from: '8 am' is no time of day (07:30)"),
        ('fallback = ["role:admin"]', "", "fallback: Field required"),
        ('"role:nurse"', '"nurses"', "String should match pattern"),
        ("after_min = 15", "after_min = -1", "step 2, after_min: Input should be greater than or equal to 0"),
        ("[[policy]]", "[[policy", "not TOML"),
        ('"mon", "tue"', '"mon", "mon"', "a shift names a day twice"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(EscalationError) as caught:
        parse_plan(TEXT.replace(old, new, 1))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


NIGHTS = Rota.model_validate(
    {
        "name": "nights",
        "time_zone": "America/New_York",
        "shift": [
            {"days": ["sat"], "from": "19:00", "to": "07:00", "who": ["staff:nora"]},
            {"days": ["sun"], "from": "07:00", "to": "24:00", "who": ["staff:nell"]},
        ],
    }
)


@pytest.mark.parametrize(
    "evening, hours",
    # 2026-03-07/08 loses an hour, 2026-10-31/11-01 gains one (Energy Policy Act of 2005 dates).
    [("2026-03-07", 11), ("2026-10-31", 13), ("2026-06-06", 12)],
)
def test_a_night_shift_lasts_as_long_as_the_night(evening: str, hours: int) -> None:
    begins = datetime.fromisoformat(f"{evening}T19:00").replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    minutes = [begins + timedelta(minutes=minute) for minute in range(-5, 15 * 60)]
    on_duty = [instant for instant in minutes if NIGHTS.on_duty(instant) == ("staff:nora",)]
    assert on_duty == [begins + timedelta(minutes=minute) for minute in range(hours * 60)]
    assert NIGHTS.on_duty(begins + timedelta(hours=hours)) == ("staff:nell",)


@given(
    starts=st.lists(st.integers(0, 24 * 60 - 1), min_size=1, max_size=5, unique=True),
    at=st.integers(0, 366 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    zone=st.sampled_from(["America/New_York", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
)
def test_shifts_that_meet_cover_every_instant_with_exactly_one(starts: list[int], at: datetime, zone: str) -> None:
    starts.sort()
    text = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in starts]
    rota = Rota.model_validate(
        {
            "name": "round",
            "time_zone": zone,
            "shift": [
                {
                    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                    "from": begins,
                    "to": ends,
                    "who": [f"staff:s{place}"],
                }
                for place, (begins, ends) in enumerate(zip(text, text[1:] + text[:1], strict=True))
            ],
        }
    )
    assert rota.gaps() == []
    assert len(rota.on_duty(at)) == 1


def test_gaps_are_the_minutes_without_anybody() -> None:
    assert NIGHTS.gaps() == [(0, 5 * 1440 + 19 * 60)]
    assert week_text(MINUTES_PER_WEEK) == "mon 00:00"


def test_a_notice_has_no_field_a_patient_could_come_in_by() -> None:
    """P8: adding one must be a decision, not an accident."""
    assert [field.name for field in dataclasses.fields(Notice)] == [
        "severity", "public_id", "step", "url", "clinic", "link", "code", "others"
    ]  # fmt: skip
    notice = Notice(Severity.URGENT, UUID(int=1), 2, "https://clinic.example/alerts/1", "Maple Street Clinic")
    assert notice.subject == "Urgent alert 00000000, call 2"
    assert "https://clinic.example/alerts/1" in notice.body
    assert "call 2" in notice.body


def test_how_long_an_acknowledgement_lasts() -> None:
    lasting = parse_plan(TEXT.replace("repeat_times = 2", "repeat_times = 2\nacknowledged_min = 45"))
    assert lasting.acknowledged_for == {
        (Severity.URGENT, queue, ""): timedelta(minutes=45) for queue in (Queue.CLINICAL, Queue.TECHNICAL)
    }
    assert set(PLAN.acknowledged_for.values()) == {None}
    with pytest.raises(EscalationError, match="acknowledged_min"):
        parse_plan(TEXT.replace("repeat_times = 2", "acknowledged_min = 0"))


def test_the_plan_shipped_waits_for_nobody_without_an_end() -> None:
    shipped = read_plan(CARE / "escalation.toml")
    assert None not in shipped.acknowledged_for.values()
    assert {severity for severity, *_ in shipped.acknowledged_for} == {policy.severity for policy in shipped.policies}
