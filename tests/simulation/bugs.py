"""Mistakes that can be planted, so that it is known that the simulation would see them."""

from enum import StrEnum


class Bug(StrEnum):
    """One mistake."""

    RECEIPT_BEFORE_COMMIT = "receipt before commit"
    ACK_BEFORE_COMMIT = "ack before commit"
    NO_GENERATION = "no generation check"
    NO_DEDUPE = "no dedupe"
    PUBACK_DELETES = "PUBACK deletes"
    SESSION_KEPT = "clean session off"
