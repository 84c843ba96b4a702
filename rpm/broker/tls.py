"""By what certificate a program of ours signs in to the broker."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from rpm.errors import UserError
from rpm.identity.certificates import name_of
from rpm.settings import Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, its key, and who vouches for the broker. `name` is account and client id at once."""

    name: str
    certificate: Path
    key: Path
    ca: Path | None

    def context(self) -> ssl.SSLContext:
        """TLS that presents the certificate; UserError where key and certificate do not belong together."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise UserError(f"RPM_BROKER_CERTIFICATE, _KEY or _CA cannot be used: {error.strerror or error}") from error
        return context


def identity_of(settings: Settings) -> Identity | None:
    """The identity the settings name; None where the broker is signed in to by password. UserError where it is unusable."""
    if settings.broker_certificate is None:
        return None
    settings.require("broker_key")
    assert settings.broker_key is not None
    if not settings.broker_url.startswith("mqtts://"):
        raise UserError("RPM_BROKER_URL: a certificate is presented over TLS only, so mqtts:// is wanted")
    try:
        name = name_of(x509.load_pem_x509_certificate(settings.broker_certificate.read_bytes()))
    except (OSError, ValueError, IndexError) as error:
        raise UserError(
            f"RPM_BROKER_CERTIFICATE: {settings.broker_certificate} holds no certificate with a name"
        ) from error
    identity = Identity(name, settings.broker_certificate, settings.broker_key, settings.broker_ca)
    identity.context()
    return identity
