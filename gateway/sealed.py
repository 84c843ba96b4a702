"""A file that leaves the box: readable with a passphrase, and by nobody without it. scrypt makes the key, AES-GCM seals."""

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import UserError

#: The first line names the version, and the version all that follows: salt, nonce, AES-256-GCM over the rest.
HEAD: Final = b"rpm-gateway export 1\n"
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
#: RFC 7914's parameters for a file: 32 MiB and some tenths of a second on a Raspberry Pi, for each guess.
SCRYPT_N: Final = 2**15
SCRYPT_R: Final = 8
SCRYPT_BYTES_MAX: Final = 64 * 1024 * 1024
#: Guessed at leisure by whoever finds the file: a word is not enough.
PASSPHRASE_CHARACTERS_MIN: Final = 12


def seal(content: bytes, passphrase: str) -> bytes:
    """The sealed file; UserError where the passphrase is too short."""
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise UserError(f"the passphrase is too short: at least {PASSPHRASE_CHARACTERS_MIN} characters")
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    head = HEAD + salt + nonce
    return head + AESGCM(_key(passphrase, salt)).encrypt(nonce, content, head)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """What `seal` sealed; UserError where it is no such file, was changed, or the passphrase is another."""
    if not sealed.startswith(HEAD):
        newer = sealed.startswith(HEAD[:-2])
        raise UserError(
            "the file was written by a newer rpm-gateway" if newer else "the file is no export of a gateway"
        )
    at = len(HEAD)
    salt, nonce = sealed[at : at + SALT_BYTES], sealed[at + SALT_BYTES : at + SALT_BYTES + NONCE_BYTES]
    head = sealed[: at + SALT_BYTES + NONCE_BYTES]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed[len(head) :], head)
    except (InvalidTag, ValueError) as error:
        raise UserError("the passphrase is another, or the file was damaged on the way") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=1, maxmem=SCRYPT_BYTES_MAX, dklen=32
    )
