"""The two certificate authorities of an installation: who vouches for gateways, and who for services.

Two, because one would let a gateway's certificate open the services' listener: with a single authority a gateway read
other patients' readings there (measured). Each is a P-256 key and a self-signed certificate in a folder of its own:

    FOLDER/gateways.key, gateways.crt     signs gateways' certificates and the list of those that are revoked
    FOLDER/services.key, services.crt     the same for workers and the broker's guard, and the broker's own certificate

Only a process that signs needs the keys (`rpm-cloud ca serve`, or `rpm-cloud serve` with RPM_CA_FOLDER); everybody
else needs `*.crt` at most.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rpm.errors import UserError

AUTHORITY_LIFE: Final = timedelta(days=3650)
#: Certificates and lists begin this much earlier than they are made: a clock that is behind finds them valid all the same.
CLOCK_MARGIN: Final = timedelta(hours=1)


class Kind(StrEnum):
    """Whom an authority vouches for."""

    GATEWAYS = "gateways"
    SERVICES = "services"


@dataclass(frozen=True, slots=True)
class Authority:
    """A key that vouches, and its certificate."""

    kind: Kind
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """Its certificate, for those who are to trust it."""
        return pem_of(self.certificate)


def make_authority(kind: Kind, *, now: datetime) -> Authority:
    """A new authority, valid for ten years, that may sign certificates and lists and no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"RPM {kind}")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - CLOCK_MARGIN)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(kind, key, certificate)


def save(authority: Authority, folder: Path) -> None:
    """Write key (for its owner's eyes only) and certificate; UserError where there is one already, or no writing."""
    key_file, certificate_file = _files(folder, authority.kind)
    if key_file.exists() or certificate_file.exists():
        raise UserError(f"{folder} holds an authority already: gateways trust it, so it is not written over")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_private(key_file, key_pem(authority.key))
        certificate_file.write_text(authority.pem, "utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error


def load(folder: Path, kind: Kind) -> Authority:
    """The authority `save` wrote; UserError where it is not there, not whole, or its key is open to others."""
    key_file, certificate_file = _files(folder, kind)
    try:
        mode = key_file.stat().st_mode
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder} holds no authority for {kind}: `rpm-cloud ca make` makes one") from error
    if mode & 0o077:
        raise UserError(f"{key_file} is open to others: chmod 600, and ask who may have read it")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UserError(f"{key_file} is not the key of {certificate_file}")
    return Authority(kind, key, certificate)


def vouched(certificate: x509.Certificate | x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether `issuer`'s key signed this certificate or list."""
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    if certificate.issuer != issuer.subject or certificate.signature_hash_algorithm is None:
        return False
    body = (
        certificate.tbs_certificate_bytes
        if isinstance(certificate, x509.Certificate)
        else certificate.tbs_certlist_bytes
    )
    try:
        key.verify(certificate.signature, body, ec.ECDSA(certificate.signature_hash_algorithm))
    except InvalidSignature:
        return False
    return True


def pem_of(thing: x509.Certificate | x509.CertificateRevocationList) -> str:
    """PEM text."""
    return thing.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key in PEM, PKCS #8, not encrypted: the file's mode guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def write_private(path: Path, text: str) -> None:
    """Write whole or not at all, for the owner's eyes only."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, "utf-8")
    new.replace(path)


def _files(folder: Path, kind: Kind) -> tuple[Path, Path]:
    return folder / f"{kind}.key", folder / f"{kind}.crt"


def key_usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    """What a key is for: signing in a handshake or, an authority's, certificates and lists."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
