"""A certificate authority of a test, and an HTTPS server that certifies gateways as `schemas.enrolment` says.

It keeps the rules of that page's docstring, and does on request what clouds and lines do at their worst: refuse, lose the
answer, answer as somebody else would. The product's own cloud is met in the stories.
"""

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from schemas.enrolment import ENROL_PATH, Certified, EnrolRequest, Refusal, RefusalReason, RenewRequest

STATUS = {
    RefusalReason.CLAIM_REFUSED: 403,
    RefusalReason.TOO_MANY_TRIES: 429,
    RefusalReason.BAD_CSR: 400,
    RefusalReason.RENEWAL_REFUSED: 403,
    RefusalReason.UNAVAILABLE: 503,
}


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """One CA: `pem` is its certificate."""

    def __init__(self, name: str, *, begins: datetime | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.begins = begins or datetime.now(UTC) - timedelta(days=1)
        self._certificate = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(self.begins)
            .not_valid_after(self.begins + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()

    def write(self, folder: Path, name: str) -> Path:
        """Its certificate in a file; the path."""
        path = folder / name
        path.write_text(self.pem, "utf-8")
        return path

    def certify(self, key: ec.EllipticCurvePublicKey, name: str, *, begins: datetime, life: timedelta) -> str:
        """A client's certificate."""
        return self._sign(
            self._builder(key, name, begins=begins, life=life).add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True
            )
        )

    def certify_server(
        self, folder: Path, name: str, *hosts: str, begins: datetime | None = None, life: timedelta = timedelta(days=2)
    ) -> tuple[Path, Path]:
        """A server's certificate and key for these addresses or names, in two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = []
        for host in hosts:
            address = host.replace(".", "").isdigit()
            alternatives.append(x509.IPAddress(ipaddress.ip_address(host)) if address else x509.DNSName(host))
        builder = self._builder(
            key.public_key(), name, begins=begins or datetime.now(UTC) - timedelta(days=1), life=life
        )
        pem = self._sign(builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False))
        certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text(pem, "utf-8")
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def revoke(self, *certificates: str) -> str:
        """The list of those certificates, signed: what a broker reads at SIGHUP."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder(self._name).last_update(now).next_update(now + timedelta(days=7))
        )
        for pem in certificates:
            serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
            revoked = x509.RevokedCertificateBuilder(serial, now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def _builder(
        self, key: ec.EllipticCurvePublicKey, name: str, *, begins: datetime, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(self._name, _named(name), key, x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> str:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@dataclass
class Certifier:
    """The cloud's part. `codes` is what a practice claimed; every list is what was asked."""

    gateways: Authority
    broker_ca: str
    broker_url: str
    codes: dict[str, str]
    life: timedelta = timedelta(days=90)
    begins: Callable[[], datetime] = lambda: datetime.now(UTC) - timedelta(minutes=1)
    #: Refuse everything for this reason.
    refuse: RefusalReason | None = None
    #: Do what was asked, and hang up instead of answering, so many times.
    lose_answers: int = 0
    #: Answer with these bytes and this status instead, whoever asks.
    instead: tuple[int, bytes] | None = None
    revoked: set[str] = field(default_factory=set)
    enrolled: list[EnrolRequest] = field(default_factory=list)
    renewed: list[RenewRequest] = field(default_factory=list)
    given: list[Certified] = field(default_factory=list)
    _of_code: dict[str, tuple[bytes, Certified]] = field(default_factory=dict)
    _of_key: dict[bytes, Certified] = field(default_factory=dict)
    _keys: dict[str, list[ec.EllipticCurvePublicKey]] = field(default_factory=dict)

    def answer(self, path: str, body: bytes) -> Certified | RefusalReason:
        """What a cloud that keeps the rules says."""
        if self.refuse is not None:
            return self.refuse
        if path == ENROL_PATH:
            return self._enrol(EnrolRequest.model_validate_json(body))
        return self._renew(RenewRequest.model_validate_json(body))

    def _enrol(self, request: EnrolRequest) -> Certified | RefusalReason:
        self.enrolled.append(request)
        key, spki = _public(request.csr)
        if request.claim_code in self._of_code:
            before, certified = self._of_code[request.claim_code]
            return certified if before == spki else RefusalReason.CLAIM_REFUSED
        if request.claim_code not in self.codes:
            return RefusalReason.CLAIM_REFUSED
        certified = self._certify(self.codes[request.claim_code], key)
        self._of_code[request.claim_code] = (spki, certified)
        return certified

    def _renew(self, request: RenewRequest) -> Certified | RefusalReason:
        self.renewed.append(request)
        signature = base64.b64decode(request.signature)
        if request.gateway_id in self.revoked or not any(
            _is_signed(key, signature, request.signed()) for key in self._keys.get(request.gateway_id, [])
        ):
            return RefusalReason.RENEWAL_REFUSED
        key, spki = _public(request.csr)
        if spki not in self._of_key:
            self._of_key[spki] = self._certify(request.gateway_id, key)
        return self._of_key[spki]

    def _certify(self, gateway_id: str, key: ec.EllipticCurvePublicKey) -> Certified:
        begins = self.begins()
        self._keys.setdefault(gateway_id, []).append(key)
        certified = Certified(
            gateway_id=gateway_id,
            certificate=self.gateways.certify(key, gateway_id, begins=begins, life=self.life),
            not_after=begins + self.life,
            broker_url=self.broker_url,
            broker_ca=self.broker_ca,
            time_zone="America/New_York",
        )
        self.given.append(certified)
        return certified


def _public(csr: str) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    request = x509.load_pem_x509_csr(csr.encode())
    key = request.public_key()
    assert request.is_signature_valid
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us hangs up: that is the point."""


class HttpsServer:
    """A `Certifier` behind TLS on loopback; use as a context manager."""

    def __init__(self, certifier: Certifier, certificate: Path, key: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = certifier.answer(self.path, body)
                if certifier.lose_answers:
                    certifier.lose_answers -= 1
                    self.close_connection = True
                    return
                status, answer = certifier.instead or _written(said)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's own name
                """Nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _written(said: Certified | RefusalReason) -> tuple[int, bytes]:
    if isinstance(said, Certified):
        return 200, said.model_dump_json().encode()
    return STATUS[said], json.dumps(Refusal(reason=said).model_dump(mode="json")).encode()
