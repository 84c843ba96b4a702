"""What is to be done about a certificate, and which of two is shown to the broker. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.identity.certificate import Certificate

#: From here on the next certificate is asked for: a third of its life is left for lines and clouds that are down …
RENEW_AT: Final = 2 / 3
#: … and this share of a life later at most, each certificate at a moment of its own: a hundred boxes that a practice
#: unpacked on one day do not all ask on one day (S1).
RENEW_SPREAD: Final = 1 / 20

#: The newest certificate was refused so often in a row: the one before takes turns with it, or, where there is none, the
#: cloud is asked what is the matter. Not after the first: a broker that is stopped while it greets looks the same.
REFUSALS_TELLING: Final = 2
REFUSALS_TELLING_ALONE: Final = 3


class State(StrEnum):
    """How a certificate stands."""

    #: Its time has not come: the clock of this box is wrong.
    NOT_YET_VALID = "not_yet_valid"
    GOOD = "good"
    DUE = "due"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a certificate stands and why, and from when on it is renewed."""

    state: State
    reason: str
    renew_at: datetime


def standing(certificate: Certificate, *, now: datetime) -> Standing:
    """Whether a certificate can be used, and whether the next one is to be asked for."""
    life = certificate.not_after - certificate.not_before
    renew_at = certificate.not_before + life * (RENEW_AT + RENEW_SPREAD * certificate.mark)
    if now < certificate.not_before:
        return Standing(State.NOT_YET_VALID, "this box's clock is before the certificate's first day", renew_at)
    if now >= certificate.not_after:
        return Standing(State.EXPIRED, f"the certificate ended on {certificate.not_after:%Y-%m-%d}", renew_at)
    if now >= renew_at:
        return Standing(State.DUE, "two thirds of the certificate's life are over", renew_at)
    return Standing(State.GOOD, f"good until {certificate.not_after:%Y-%m-%d}", renew_at)


def shown_next(*, newest: int, proven: int | None, refusals: int) -> int:
    """Which of the two pairs is shown to the broker, by number, when the last `refusals` tries in a row were refused.

    `proven` has worked before; None where none has. A renewal that went wrong must not silence the box: the old pair gets
    its turn, and the new one too, for the old one's end will come.
    """
    if proven is None or proven == newest or refusals < REFUSALS_TELLING:
        return newest
    return proven if (refusals - REFUSALS_TELLING) % 2 == 0 else newest


def why_renew(standing: Standing, *, refusals: int, untried: bool) -> str | None:
    """Why to ask the cloud for another certificate now; None where there is no reason.

    `refusals`: of the newest certificate in a row, by a broker that answers. `untried`: that certificate never worked.
    """
    if standing.state in {State.DUE, State.EXPIRED}:
        return standing.reason
    if standing.state is State.GOOD and refusals >= (REFUSALS_TELLING if untried else REFUSALS_TELLING_ALONE):
        return "the broker refuses the new certificate" if untried else "the broker refuses the certificate"
    return None
