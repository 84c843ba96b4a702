"""Certificates: what is signed, for whom, for how long. Pure: an authority's key and an instant are arguments.

Of a request only its key counts. Name, purpose and life are ours: a request that asks for the name `#`, or to be an
authority itself, gets the name the registry has and the right to be a client (F4).
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rpm.identity.authority import CLOCK_MARGIN, Authority, key_usage

#: A gateway renews at two thirds of it: a month is left for a box that was unplugged.
GATEWAY_LIFE: Final = timedelta(days=90)
#: Services are renewed by a person (`rpm-cloud broker certify`); an alert says so in time.
SERVICE_LIFE: Final = timedelta(days=365)

PublicKey = ec.EllipticCurvePublicKey


class BadRequest(ValueError):
    """A request for a certificate cannot be used; the text says why, to whoever installs."""


def requested_key(csr: str) -> PublicKey:
    """The key that a PKCS #10 request in PEM proves to hold; BadRequest where it cannot be read, or is not P-256."""
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadRequest("the request's key is not P-256")
        if not request.is_signature_valid:
            raise BadRequest("the request is not signed by its own key")
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, BadRequest):
            raise
        raise BadRequest("the request cannot be read: PKCS #10 in PEM is wanted") from error
    return key


def key_bytes(key: PublicKey) -> bytes:
    """A public key as it is kept and compared: SubjectPublicKeyInfo in DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def client_certificate(
    authority: Authority, key: PublicKey, name: str, *, life: timedelta, now: datetime
) -> x509.Certificate:
    """A certificate to sign in to the broker with: `name` is the account and the client id there."""
    return _signed(authority, key, name, ExtendedKeyUsageOID.CLIENT_AUTH, life=life, now=now).sign(
        authority.key, hashes.SHA256()
    )


def server_certificate(
    authority: Authority, key: PublicKey, hosts: Sequence[str], *, life: timedelta, now: datetime
) -> x509.Certificate:
    """The broker's own certificate, for the names or addresses its clients reach it by. It signs in nowhere."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = _signed(authority, key, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, life=life, now=now)
    return builder.add_extension(names, critical=False).sign(authority.key, hashes.SHA256())


def name_of(certificate: x509.Certificate) -> str:
    """The common name."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def serial_text(serial: int) -> str:
    """A serial number as it is kept: hexadecimal."""
    return f"{serial:x}"


def _signed(
    authority: Authority, key: PublicKey, name: str, purpose: x509.ObjectIdentifier, *, life: timedelta, now: datetime
) -> x509.CertificateBuilder:
    issuer_key = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder(
            authority.certificate.subject,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            key,
            x509.random_serial_number(),
        )
        .not_valid_before(now - CLOCK_MARGIN)
        .not_valid_after(min(now + life, authority.certificate.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key),
            critical=False,
        )
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
