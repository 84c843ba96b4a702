"""What is worth recording about people who look and act: one word per kind, used by every page."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from rpm.access import Actor
from rpm.store import audit
from rpm.store.database import Connection


class Action(StrEnum):
    """What somebody saw or did, as an administrator reads it."""

    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    SIGN_IN_REFUSED = "sign-in refused"
    SAW_WORKLIST = "saw on the worklist"
    SAW_PATIENT_LIST = "saw in the list of patients"
    SAW_PATIENT = "saw the patient's page"
    SAW_RULES = "saw which rules hold for a patient"
    RULES_TRIED = "tried rules on the past of"
    SAW_READING = "saw where a reading came from"
    SAW_BILLING = "saw billing"
    SAW_HELD = "saw held readings"
    SAW_DEVICES = "saw devices"
    SAW_FLEET = "saw among the homes"
    SAW_AUDIT = "searched this record"
    ACKNOWLEDGED = "acknowledged an alert"
    CLOSED = "closed an alert"
    SNOOZED = "snoozed an alert"
    PAUSED = "said that the patient is away"
    PAUSE_ENDED = "said that the patient is back"
    TARGETS_SET = "set within what time alerts are answered"
    PAUSE_WITHDRAWN = "took back that the patient was away"
    TIMER_STARTED = "started the timer"
    TIMER_STOPPED = "stopped the timer"
    TIMER_DISCARDED = "discarded the timer"
    MINUTES_ADDED = "added minutes by hand"
    MINUTES_REVERSED = "reversed minutes"
    GATEWAY_REGISTERED = "registered a gateway"
    GATEWAY_CLAIMED = "made a code to let a gateway in"
    GATEWAY_ENROLLED = "a gateway was given its certificate"
    GATEWAY_ENROL_REFUSED = "a gateway was refused a certificate"
    GATEWAY_RENEWED = "a gateway was given its next certificate"
    GATEWAY_REVOKED = "cut a gateway off"
    GATEWAY_REPLACED = "gave a gateway's place to another box"
    SERVICE_CERTIFIED = "certified a service"
    SERVICE_REVOKED = "cut a service off"
    GATEWAY_ASKED = "asked a gateway for something"
    DEVICE_REGISTERED = "registered a device"
    DEVICE_ASSIGNED = "assigned a device"
    DEVICE_RETURNED = "took a device back"
    DEVICE_WIPED = "wiped a device that came back"
    DEVICE_CONFIRMED = "confirmed whose device it is"
    DEVICE_REFUSED = "said that a device is not the patient's"
    READING_RELEASED = "released a held reading"
    READING_VOIDED = "voided a held reading"
    READING_CLAIMED = "claimed a held reading"
    READING_REPLAYED = "worked through held readings again"
    READING_SET_ASIDE = "set a stored reading aside"
    READING_PUT_BACK = "put a reading back that was set aside"
    READING_MOVED = "gave a reading to another patient"
    RECORD_EXPORTED = "exported a patient's record"
    PURGE_BEGUN = "began to purge a patient's record"
    PURGED = "purged a patient's record"
    FACT_ENTERED = "entered a fact that rules look at"
    FACT_ENDED = "said until when a fact holds"
    FACT_WITHDRAWN = "withdrew a fact"
    LIMIT_APPROVED = "approved a limit of the patient's own"
    LIMIT_DECLINED = "declined a limit of the patient's own"
    LET_GO = "let go of what was old enough"
    BILLING_EXPORTED = "exported billing"
    MONTH_CLOSED = "closed a month of billing"
    STAND_IN_MADE = "said who stands in on a rota"
    STAND_IN_WITHDRAWN = "withdrew who stands in on a rota"
    PLAN_SAVED = "saved the plan of who is called"
    RESTORED = "the database was restored from a backup"
    CONTACT_ADDED = "added a contact of his own"
    CONTACT_REMOVED = "took out a contact of his own"
    CONTACT_STOPPED = "wrote STOP: no texts go to this contact"
    CONTACT_STARTED = "wrote START: texts go to this contact again"
    USER_ADDED = "added a user"
    USER_ENABLED = "switched a user on"
    USER_DISABLED = "switched a user off"
    PASSWORD_CHANGED = "changed a password"  # noqa: S105 - a sentence, no secret


def record(
    connection: Connection,
    actor: Actor,
    action: Action,
    *,
    now: datetime,
    patient_id: int | None = None,
    patients: Iterable[int] | None = None,
    **detail: str | int,
) -> None:
    """Write down that `actor` did `action`, in the transaction that does it; make it the transaction's last statement.

    `patients` are the inner ids of everybody a list showed. `detail` holds ids and words of ours, never health data.
    """
    shown: dict[str, object] = dict(detail)
    if patients is not None:
        shown["patients"] = sorted(set(patients))
    audit.append(
        connection,
        practice_id=actor.practice_id,
        staff_id=actor.staff_id,
        patient_id=patient_id,
        action=action,
        detail=shown,
        now=now,
    )
