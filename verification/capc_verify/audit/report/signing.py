"""Signatures of reports: Ed25519, detached, with keys in PEM, so that openssl makes and checks the same."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from capc.foundation.errors import InputError

SUFFIX = ".sig"
"""Of the signature beside a report: 64 bytes."""
PUBLIC_SUFFIX = ".pub"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_key(file: Path) -> Path:
    """Makes a key for its owner's eyes only, and beside it the public key, which is returned.

    Raises:
        InputError: a file is there, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = file.with_name(file.name + PUBLIC_SUFFIX)
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
        public.write_bytes(key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))
    except FileExistsError:
        raise InputError(f"{file}: is there already, and no key is replaced: name another file") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}): name another file") from None
    return public


def read_key(file: Path) -> Ed25519PrivateKey:
    """The signing key in a file.

    Raises:
        InputError: it is none, it needs a password, or others may read it.
    """
    try:
        mode, content = file.stat().st_mode, file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} (--sign): not readable ({error.strerror}): make one with capc verify key") from None
    if os.name != "nt" and mode & _OTHERS:
        raise InputError(f"{file} (--sign): others may read this signing key: chmod 600 it")
    with suppress(ValueError, TypeError):
        key = serialization.load_pem_private_key(content, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise InputError(f"{file} (--sign): not an Ed25519 key in PEM without a password: make one with capc verify key")


def read_public_key(file: Path) -> Ed25519PublicKey:
    """The public key in a file.

    Raises:
        InputError: it is none.
    """
    with suppress(ValueError, OSError):
        key = serialization.load_pem_public_key(file.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            return key
    raise InputError(f"{file} (--key): not an Ed25519 public key in PEM: name the file that ends with {PUBLIC_SUFFIX}")


def name_of(key: Ed25519PublicKey) -> str:
    """The key itself, as 64 hexadecimal digits."""
    return key.public_bytes_raw().hex()


def key_named(name: str) -> Ed25519PublicKey | None:
    """The key of 64 hexadecimal digits; None if they are none."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(name))
    except ValueError:
        return None


def is_signed(key: Ed25519PublicKey, content: bytes, signature: bytes) -> bool:
    """Whether this is the key's signature of the content."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
