"""Why a reading is held instead of used: a word for programs, a sentence for the staff who must decide.

rejected      no person may make it a patient's value: it can only be voided
doubtful      a person who has looked may release it
owner         nobody, or nobody for certain, is known to own it: it can be claimed for a patient
waiting       its device was given to somebody, and waits for a person to confirm a test reading (rpm.store.confirming)
"""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """What is wrong. The names are kept in the database: add, never rename."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    UNKNOWN_VERSION = "unknown_version"
    GATEWAY_MISMATCH = "gateway_mismatch"
    UNKNOWN_GATEWAY = "unknown_gateway"
    NOT_A_READING = "not_a_reading"
    FRAME_UNDECODED = "frame_undecoded"
    SEQUENCE_REUSED = "sequence_reused"
    NOT_STORABLE = "not_storable"
    ID_MISMATCH = "id_mismatch"
    UNKNOWN_QUANTITY = "unknown_quantity"
    WRONG_UNIT = "wrong_unit"
    VALUE_MISSING = "value_missing"
    CONTROL_SOLUTION = "control_solution"
    DEMONSTRATION = "demonstration"
    METER_HIGH = "meter_high"
    METER_LOW = "meter_low"
    VALUE_IMPOSSIBLE = "value_impossible"
    VALUE_IMPLAUSIBLE = "value_implausible"
    DEVICE_DOUBTS = "device_doubts"
    SYSTOLIC_NOT_ABOVE_DIASTOLIC = "systolic_not_above_diastolic"
    PULSE_PRESSURE_IMPLAUSIBLE = "pulse_pressure_implausible"
    WEIGHT_CHANGE_IMPLAUSIBLE = "weight_change_implausible"
    IN_THE_FUTURE = "in_the_future"
    BEFORE_2020 = "before_2020"
    BEFORE_ASSIGNMENT = "before_assignment"
    UNKNOWN_DEVICE = "unknown_device"
    NOBODY_ASSIGNED = "nobody_assigned"
    NOBODY_AT_THAT_TIME = "nobody_at_that_time"
    USER_UNKNOWN = "user_unknown"
    NEAR_REASSIGNMENT = "near_reassignment"
    WIPED_SINCE = "wiped_since"
    NOT_CONFIRMED = "not_confirmed"
    ANOTHER_DEVICE = "another_device"


SENTENCES: Final[dict[Reason, str]] = {
    Reason.UNREADABLE: "The message could not be read at all. Its bytes are kept.",
    Reason.TOO_LARGE: "The message is larger than any a gateway sends. Its bytes are kept.",
    Reason.UNKNOWN_VERSION: "The gateway speaks a version of the message format that this program does not know.",
    Reason.GATEWAY_MISMATCH: "The message names another gateway than the one that sent it.",
    Reason.UNKNOWN_GATEWAY: "No practice has registered this gateway. What it sends is used once one has.",
    Reason.NOT_A_READING: "Something a reading must have is missing or has the wrong form.",
    Reason.FRAME_UNDECODED: "The device sent bytes from which no reading could be made.",
    Reason.SEQUENCE_REUSED: "The gateway used the same sequence number for two different readings.",
    Reason.NOT_STORABLE: "The message holds something the database refuses. Its bytes are kept.",
    Reason.ID_MISMATCH: "The reading's name does not follow from its contents: something was changed on the way.",
    Reason.UNKNOWN_QUANTITY: "The reading holds a quantity that does not belong to its kind.",
    Reason.WRONG_UNIT: "The value has a unit in which this quantity is not measured.",
    Reason.VALUE_MISSING: "The device gave no number for a value this reading cannot do without.",
    Reason.CONTROL_SOLUTION: "The meter measured its control solution, not the patient.",
    Reason.DEMONSTRATION: "The device was showing what it can do, or testing itself: not the patient.",
    Reason.METER_HIGH: "The meter showed HI: too high for it to measure. Check on the patient.",
    Reason.METER_LOW: "The meter showed LO: too low for it to measure. Check on the patient.",
    Reason.VALUE_IMPOSSIBLE: "The value is outside what can be measured on a person.",
    Reason.VALUE_IMPLAUSIBLE: "The value is very unlikely. Release it if it is right.",
    Reason.DEVICE_DOUBTS: "The device itself says that this measurement may be wrong. Release it if it is right.",
    Reason.SYSTOLIC_NOT_ABOVE_DIASTOLIC: "The systolic value is not above the diastolic one.",
    Reason.PULSE_PRESSURE_IMPLAUSIBLE: "Systolic and diastolic are too close together or too far apart.",
    Reason.WEIGHT_CHANGE_IMPLAUSIBLE: "The weight differs so much from the days before that someone else may have stood there.",
    Reason.IN_THE_FUTURE: "The reading's time lies in the future: a clock is wrong.",
    Reason.BEFORE_2020: "The reading's time lies before 2020: a clock is wrong.",
    Reason.BEFORE_ASSIGNMENT: "The reading is older than the first person's use of this device.",
    Reason.UNKNOWN_DEVICE: "This device is not registered with the practice.",
    Reason.NOBODY_ASSIGNED: "Nobody is known to use this device.",
    Reason.NOBODY_AT_THAT_TIME: "Nobody was using this device at that time.",
    Reason.USER_UNKNOWN: "Several people may use this device, and it does not say which of them this is.",
    Reason.NEAR_REASSIGNMENT: "The device changed hands about then; its clock does not tell on which side this falls.",
    Reason.WIPED_SINCE: "The device was wiped after that time, and yet says it was measured before: its clock is wrong.",
    Reason.NOT_CONFIRMED: "Its device was given to a patient, and nobody has confirmed a test reading with them yet.",
    Reason.ANOTHER_DEVICE: "A device with another serial number answered at this address. Release it if it is the patient's now.",
}

#: A person who has looked at it may say that it is right.
RELEASABLE: Final = frozenset(
    {
        Reason.SEQUENCE_REUSED,
        Reason.VALUE_IMPLAUSIBLE,
        Reason.DEVICE_DOUBTS,
        Reason.PULSE_PRESSURE_IMPLAUSIBLE,
        Reason.WEIGHT_CHANGE_IMPLAUSIBLE,
        Reason.ANOTHER_DEVICE,
        # Once the gateway is registered, nothing speaks against it any more. (A time of the future that has come is as
        # wrong as it was.)
        Reason.UNKNOWN_GATEWAY,
    }
)

#: Only the owner is in doubt: claiming it for a patient settles it.
CLAIMABLE: Final = frozenset(
    {
        Reason.BEFORE_ASSIGNMENT,
        Reason.UNKNOWN_DEVICE,
        Reason.NOBODY_ASSIGNED,
        Reason.NOBODY_AT_THAT_TIME,
        Reason.USER_UNKNOWN,
        Reason.NEAR_REASSIGNMENT,
        Reason.WIPED_SINCE,
    }
)

#: The device is in use then, and only this one reading may be either's: it is claimed alone, and nothing is assigned.
CLAIMED_ALONE: Final = frozenset({Reason.USER_UNKNOWN, Reason.NEAR_REASSIGNMENT, Reason.WIPED_SINCE})
