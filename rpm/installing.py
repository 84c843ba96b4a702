"""An installation in six steps, from the code to a confirmed reading, each with its time (F11). Pure: facts in, steps out.

A box is set up when a reading of it is somebody's for sure, not when it is plugged in: the last step is the confirmation,
and what it was confirmed by is kept as the proof of set-up.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rpm.store.installs import Progress


class Stage(StrEnum):
    """What happens on the way, in its order, as a page says it."""

    CODE = "Code made"
    CERTIFICATE = "Certificate given"
    HEARD = "First message"
    ASSIGNED = "Device assigned"
    READING = "First reading"
    CONFIRMED = "Confirmed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    `at` None where it is not done, or was done at an instant nobody kept. `after_s`: seconds since the code was made,
    below 0 where it was done before.
    """

    stage: Stage
    done: bool
    next: bool
    at: datetime | None
    after_s: float | None
    said: str


def steps(progress: Progress, *, now: datetime) -> list[Step]:
    """The six steps, the first that is not done marked `next`; none is, where the code is over and nobody came in by it."""
    p = progress
    settled = p.reading_at is not None and p.confirmed
    facts = (
        (Stage.CODE, True, p.opened_at, _of_code(p, now=now)),
        (
            Stage.CERTIFICATE,
            p.used_at is not None,
            p.used_at,
            _until(p.used_at, "On the box: rpm-gateway enrol, and the code."),
        ),
        (
            Stage.HEARD,
            p.heard_at is not None,
            p.heard_at,
            _until(p.heard_at, "The box reports by itself once it runs."),
        ),
        (Stage.ASSIGNED, p.assigned, p.assigned_at, _of_assigned(p)),
        (Stage.READING, p.reading_at is not None, p.reading_at, _of_reading(p)),
        (Stage.CONFIRMED, settled, p.confirmed_at if settled else None, _of_confirmed(p, settled=settled)),
    )
    over = p.used_at is None and not p.waits(now=now)
    first_open = None if over else next((stage for stage, done, _, _ in facts if not done), None)
    return [
        Step(
            stage,
            done,
            stage is first_open,
            at if done else None,
            (at - p.opened_at).total_seconds() if done and at is not None else None,
            said,
        )
        for stage, done, at, said in facts
    ]


def finished(found: list[Step]) -> bool:
    """Whether every step is done."""
    return all(step.done for step in found)


def _until(done_at: datetime | None, asked: str) -> str:
    return asked if done_at is None else ""


def _of_code(p: Progress, *, now: datetime) -> str:
    if p.used_at is not None:
        return "It is used up: it lets no other box in."
    if p.withdrawn_at is not None:
        return "It was withdrawn: make a new one."
    return "It waits for its box." if p.waits(now=now) else "Its time is over and no box came: make a new one."


def _of_assigned(p: Progress) -> str:
    if p.assigned:
        return ""
    if p.reading_at is not None:
        return "What was measured waits: say whose device it is."
    return "Give a device to the patient. The page knows which are this box’s from their first reading on."


def _of_reading(p: Progress) -> str:
    if p.reading_at is None:
        return "Have the patient measure once. A reading that is held until it is confirmed counts."
    return "" if p.confirmed else "It is held until it is known whose it is: it counts."


def _of_confirmed(p: Progress, *, settled: bool) -> str:
    if not settled:
        return "The patient reads the number out, or a second person looks."
    if p.proof:
        return "This reading is kept as the proof of set-up."
    return "" if p.confirmed_at is not None else "Its device was somebody’s without a question open."
