"""Keys, requests and certificates: P-256, PEM. A private key is made here and never leaves this machine."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

_FRACTION_BYTES = 4


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. `mark` in [0, 1) is its own, drawn by its bytes: certificates of one day are told apart."""

    gateway_id: str
    not_before: datetime
    not_after: datetime
    mark: float


def new_key() -> bytes:
    """A private key of this box's own, unencrypted PEM: what runs without a person can ask nobody for a passphrase."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signing_request(key: bytes) -> str:
    """PKCS #10 in PEM. Without a subject: the cloud takes the name from its registry (F4). ValueError: not a P-256 key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(_private(key), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def read_certificate(pem: bytes) -> Certificate:
    """The first certificate of a chain; ValueError where there is none, or it names nobody."""
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names:
        raise ValueError("the certificate names nobody")
    drawn = certificate.fingerprint(hashes.SHA256())[:_FRACTION_BYTES]
    return Certificate(
        gateway_id=str(names[0].value),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        mark=int.from_bytes(drawn) / 2 ** (8 * _FRACTION_BYTES),
    )


def belong_together(key: bytes, certificate: bytes) -> bool:
    """Whether the certificate is for this key; ValueError where either cannot be read."""
    theirs = x509.load_pem_x509_certificate(certificate).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return theirs.public_bytes(*form) == _private(key).public_key().public_bytes(*form)


def sign(key: bytes, text: bytes) -> str:
    """ECDSA-SHA256 in base64; ValueError where the key is none."""
    return base64.b64encode(_private(key).sign(text, ec.ECDSA(hashes.SHA256()))).decode()


def fingerprint(key: bytes) -> str:
    """Sixteen digits by which two people can tell whether they mean the same key; nothing can be done with them."""
    spki = _private(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()[:16]


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    loaded = load_pem_private_key(key, password=None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and isinstance(loaded.curve, ec.SECP256R1):
        return loaded
    raise ValueError("not a P-256 key")
