"""How a gateway comes to its certificate: the only messages that travel by HTTPS and not by MQTT.

    POST {cloud}/gateway/enrol    EnrolRequest → Certified    once, by the claim code on the box's label
    POST {cloud}/gateway/renew    RenewRequest → Certified    at two thirds of a certificate's life
    any other answer              Refusal                     with the HTTP status its reason has

The key is made on the gateway and never leaves it. The cloud takes the name from its registry, never from the request
(F4), and answers with everything the gateway needs to reach the broker. A renewal is signed with the key of the
certificate in use, for a web server behind a proxy cannot see who presented which certificate.

An answer may be lost, and a box may lose its power at any instruction; neither may leave a box that nobody can get in.
So the gateway keeps a key on its disk before it asks, and asks with that key until it is answered; and the cloud holds that

- the same claim code with the same public key, while the code's time lasts, is the same request again: the same
  certificate is the answer, however often it is asked for. The same code with another key is refused;
- the same public key in a renewal that was granted is the same request again, and gets the same certificate. The old
  certificate stays good until the new one was seen at the broker, or its own end;
- a certificate that has expired can be renewed for `RENEWAL_GRACE` more: what counts is the registry, in which a
  revoked or replaced gateway is none. After that it takes a new claim code.

Every answer bears the `Date` of HTTP, by which a gateway whose own clock is wrong can say so.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.ids import GatewayId

ENROL_PATH: Final = "/gateway/enrol"
RENEW_PATH: Final = "/gateway/renew"
#: A PEM of a P-256 request or a short chain is below 4 KiB.
PEM_CHARACTERS_MAX: Final = 16_384
#: Crockford's base 32: no I, L, O or U, so that a label can be read aloud. 16 characters are 80 bits (F8).
CLAIM_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CLAIM_CHARACTERS: Final = 16
#: A person may lie in hospital while the box is switched off: so long after its end a certificate can still be renewed.
RENEWAL_GRACE: Final = timedelta(days=90)
#: How far apart the clocks of gateway and cloud may be at a renewal: an older signature may have been overheard.
RENEWAL_SKEW_MAX: Final = timedelta(minutes=10)
_ALIKE: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})


def normal_claim_code(text: str) -> str:
    """A claim code as `7K2M-9QXA-B3TD-0WZE`, however it was typed; ValueError where it cannot be one."""
    code = re.sub(r"[\s-]", "", text.upper()).translate(_ALIKE)
    if len(code) != CLAIM_CHARACTERS or any(character not in CLAIM_ALPHABET for character in code):
        raise ValueError("a claim code is 16 letters and digits, such as 7K2M-9QXA-B3TD-0WZE")
    return "-".join(code[start : start + 4] for start in range(0, CLAIM_CHARACTERS, 4))


ClaimCode = Annotated[str, AfterValidator(normal_claim_code)]
Pem = Annotated[str, StringConstraints(max_length=PEM_CHARACTERS_MAX, pattern=r"^-----BEGIN [A-Z ]+-----\n")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1


class EnrolRequest(_Message):
    """A box that was claimed asks for its certificate. `csr` is PKCS #10; its subject is ignored."""

    claim_code: Annotated[ClaimCode, Field(repr=False)]
    csr: Pem


class RenewRequest(_Message):
    """A gateway asks for its next certificate. `signature`: base64 of ECDSA-SHA256 over `renewal_text`, old key."""

    gateway_id: GatewayId
    csr: Pem
    signed_at: AwareDatetime
    signature: Annotated[str, StringConstraints(max_length=256)]

    def signed(self) -> bytes:
        """What `signature` is over, however the instant was written on the way."""
        return renewal_text(gateway_id=self.gateway_id, csr=self.csr, signed_at=instant_text(self.signed_at))


def instant_text(instant: datetime) -> str:
    """An instant as the old key signs it: UTC, microseconds and all, such as `2026-03-01T12:00:00.000000+00:00`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def renewal_text(*, gateway_id: str, csr: str, signed_at: str) -> bytes:
    """What the old key signs. `signed_at` is what `instant_text` makes of the instant."""
    return f"rpm renewal v1\n{gateway_id}\n{signed_at}\n{csr}".encode()


class Certified(_Message):
    """A certificate and where to use it. `certificate` is the gateway's own, then its issuers, in PEM."""

    gateway_id: GatewayId
    certificate: Pem
    not_after: AwareDatetime
    #: mqtts://host:port
    broker_url: str
    #: Who vouches for the broker's own certificate.
    broker_ca: Pem
    #: The home's zone, as the practice knows it: what the device clocks show.
    time_zone: str


class RefusalReason(StrEnum):
    """Why no certificate was given."""

    #: No such code, used, or its time is over: one reason, so that guessing learns nothing. 403
    CLAIM_REFUSED = "claim_refused"
    #: Too many tries from here, or at this code. 429
    TOO_MANY_TRIES = "too_many_tries"
    #: The request for a certificate cannot be read, or its key is not P-256. 400
    BAD_CSR = "bad_csr"
    #: Not signed by the key in use, too old, or revoked. 403
    RENEWAL_REFUSED = "renewal_refused"
    #: The cloud cannot sign now: try again later. 503
    UNAVAILABLE = "unavailable"


class Refusal(_Message):
    """Why there is no certificate, in one line for the person who installs."""

    reason: RefusalReason
    detail: str = ""
