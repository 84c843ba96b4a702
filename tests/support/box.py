"""A box that wants to be a gateway: its keys, its requests, and the plain HTTPS client it asks with. No product code but
the messages."""

import base64
import ssl
from datetime import datetime
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from schemas.enrolment import (
    ENROL_PATH,
    RENEW_PATH,
    Certified,
    EnrolRequest,
    Refusal,
    RenewRequest,
    instant_text,
    renewal_text,
)

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def csr_of(key: Key | rsa.RSAPrivateKey, name: str = "anything") -> str:
    """A request in PEM; `name` is what its subject asks for."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = request.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def renewal(gateway_id: str, old: Key, csr: str, *, now: datetime) -> RenewRequest:
    """A request for the next certificate, signed with the old key."""
    text = renewal_text(gateway_id=gateway_id, csr=csr, signed_at=instant_text(now))
    signature = base64.b64encode(old.sign(text, ec.ECDSA(hashes.SHA256()))).decode()
    return RenewRequest(gateway_id=gateway_id, csr=csr, signed_at=now, signature=signature)


class Office:
    """Where a box asks, by HTTPS; `ca_file` vouches for the server."""

    def __init__(self, url: str, ca_file: Path, *, address: str = "127.0.0.1") -> None:
        context = ssl.create_default_context(cafile=ca_file)
        transport = httpx.HTTPTransport(verify=context, local_address=address)
        self._http = httpx.Client(base_url=url, transport=transport, timeout=20)

    def post(self, path: str, body: str | bytes) -> httpx.Response:
        """Whatever one likes to send."""
        return self._http.post(path, content=body, headers={"Connection": "close"})

    def enrol(self, code: str, csr: str) -> Certified | Refusal:
        """Ask for the first certificate."""
        return self._read(self.post(ENROL_PATH, EnrolRequest(claim_code=code, csr=csr).model_dump_json()))

    def renew(self, request: RenewRequest) -> Certified | Refusal:
        """Ask for the next one."""
        return self._read(self.post(RENEW_PATH, request.model_dump_json()))

    @staticmethod
    def _read(answer: httpx.Response) -> Certified | Refusal:
        kind = Certified if answer.status_code == httpx.codes.OK else Refusal
        assert "date" in answer.headers, "a gateway whose clock is wrong learns the time"
        return kind.model_validate_json(answer.text)
