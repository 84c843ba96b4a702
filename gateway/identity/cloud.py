"""The two questions a gateway asks over HTTPS: for its first certificate, and for its next.

The standard library's client: no redirect is followed and no proxy believed, for a claim code goes where the person who
installs said, and nowhere else.
"""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from gateway.errors import GatewayError, UserError
from gateway.identity.certificate import sign, signing_request
from schemas.enrolment import (
    ENROL_PATH,
    RENEW_PATH,
    RENEWAL_SKEW_MAX,
    Certified,
    EnrolRequest,
    Refusal,
    RefusalReason,
    RenewRequest,
    instant_text,
    renewal_text,
)

#: Each wait for the network: connecting, a part of the answer.
WAIT_S_MAX: Final = 20.0
#: Four PEMs of at most 16 KiB.
ANSWER_BYTES_MAX: Final = 131_072
#: OpenSSL's own numbers (x509_vfy.h) for a certificate whose time has not come, or is over.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_UNTRUSTED: Final = frozenset({7, 18, 19, 20, 21})
_WRONG_NAME: Final = frozenset({62, 64})

_PLAINLY: Final = {
    RefusalReason.CLAIM_REFUSED: "the claim code was refused: it is wrong, was used for another box, or its time is over;"
    " ask the practice for a new one",
    RefusalReason.TOO_MANY_TRIES: "too many tries: wait a quarter of an hour",
    RefusalReason.BAD_CSR: "the cloud cannot read this box's request: is one of the two much older than the other?",
    RefusalReason.RENEWAL_REFUSED: "the practice has withdrawn this box's certificate",
    RefusalReason.UNAVAILABLE: "the cloud cannot sign now: try again later",
}


class CloudUnreachable(GatewayError):
    """Nobody who can answer was reached; the text is one line that says what to look at."""


class ClockDiffers(CloudUnreachable):
    """The cloud does not believe what this box signed, for their clocks differ."""


class CertificateRefused(GatewayError):
    """The cloud gives no certificate; `reason` says why."""

    def __init__(self, reason: RefusalReason, told: str) -> None:
        super().__init__(told)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where the practice's cloud is, and who vouches for it (None: whom this machine trusts)."""

    url: str
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """UserError where the address or the CA cannot be used."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise UserError(f"the cloud's address must look like https://clinic.example, not {self.url}")
        try:
            _ = parts.port
            self.context()
        except ValueError as error:
            raise UserError(f"the cloud's address has no such port: {self.url}") from error
        except ssl.SSLError as error:
            raise UserError(f"{self.ca_file} holds no CA certificate (PEM)") from error
        except OSError as error:
            raise UserError(f"cannot read {self.ca_file}: {error.strerror}") from error

    def context(self) -> ssl.SSLContext:
        """What the cloud's own certificate is judged by: its CA, its name, its time."""
        return ssl.create_default_context(cafile=self.ca_file)

    def enrol(self, *, code: str, key: bytes, now: Callable[[], datetime]) -> Certified:
        """The first certificate, for a claim code. CertificateRefused or CloudUnreachable where there is none."""
        request = EnrolRequest(claim_code=code, csr=signing_request(key))
        return self._ask(ENROL_PATH, request.model_dump_json(), now=now)

    def renew(self, *, gateway_id: str, key: bytes, old_key: bytes, now: Callable[[], datetime]) -> Certified:
        """The next certificate, for `key`, vouched for by the key in use. Errors as for `enrol`."""
        csr, signed_at = signing_request(key), now()
        text = renewal_text(gateway_id=gateway_id, csr=csr, signed_at=instant_text(signed_at))
        request = RenewRequest(gateway_id=gateway_id, csr=csr, signed_at=signed_at, signature=sign(old_key, text))
        return self._ask(RENEW_PATH, request.model_dump_json(), now=now)

    def _ask(self, path: str, body: str, *, now: Callable[[], datetime]) -> Certified:
        status, date, answer = self._post(path, body, now=now())
        behind = _behind(date, now=now())
        if status == http.client.OK:
            try:
                return Certified.model_validate_json(answer)
            except ValidationError as error:
                raise CloudUnreachable(f"{self.url} answers, but not as this program's cloud does") from error
        try:
            refusal = Refusal.model_validate_json(answer)
        except ValidationError as error:
            raise CloudUnreachable(f"{self.url} answers {status}: is that the practice's address?") from error
        if refusal.reason is RefusalReason.RENEWAL_REFUSED and behind is not None and abs(behind) > RENEWAL_SKEW_MAX:
            seconds = round(behind.total_seconds())
            side = "behind" if seconds > 0 else "ahead of"
            raise ClockDiffers(f"this box's clock is {abs(seconds)} s {side} the cloud's: set it")
        raise CertificateRefused(refusal.reason, _PLAINLY[refusal.reason])

    def _post(self, path: str, body: str, *, now: datetime) -> tuple[int, str | None, bytes]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=WAIT_S_MAX, context=self.context())
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            connection.request("POST", parts.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Date"), answer.read(ANSWER_BYTES_MAX)
        except ssl.SSLCertVerificationError as error:
            raise CloudUnreachable(self._distrusted(error, parts.hostname, now=now)) from error
        except TimeoutError as error:
            raise CloudUnreachable(f"{self.url} does not answer") from error
        except socket.gaierror as error:
            raise CloudUnreachable(
                f"there is no {parts.hostname}: is the address right, and this box on the internet?"
            ) from error
        except (ConnectionResetError, http.client.IncompleteRead) as error:
            raise CloudUnreachable(f"{self.url} hung up before it had answered: try again") from error
        except (OSError, http.client.HTTPException) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise CloudUnreachable(f"{self.url} cannot be reached: {reason}") from error
        finally:
            connection.close()

    def _distrusted(self, error: ssl.SSLCertVerificationError, host: str, *, now: datetime) -> str:
        if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
            over = "is over" if error.verify_code == _EXPIRED else "has not come yet"
            return (
                f"the time of {host}'s certificate {over} by this box's clock, {now:%Y-%m-%d %H:%M} UTC:"
                " is the clock right?"
            )
        if error.verify_code in _WRONG_NAME:
            return f"whoever answers at {host} is certified for another name: is the address right?"
        if error.verify_code in _UNTRUSTED:
            given = f"is not vouched for by {self.ca_file}" if self.ca_file else "is not one this machine trusts"
            return f"the certificate of {host} {given}: give the practice's own CA with --ca FILE"
        return f"the certificate of {host} cannot be trusted: {error.verify_message}"


def _behind(date: str | None, *, now: datetime) -> timedelta | None:
    """By how much this box's clock is behind the cloud's; None where the answer bears no readable date."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC) - now if date else None
    except ValueError:
        return None
