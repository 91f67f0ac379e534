"""The only module of the core that uses a library: AES and Ed25519 from `cryptography`, the group from `pynacl`.

The group is the prime-order subgroup of edwards25519 (RFC 8032), of order L = 2^252 +
27742317777372353535851937790883648493, written additively; points travel in their 32-byte compressed form.

Spec: CAPC-WIRE-005, CAPC-NAME-007.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB
from nacl import bindings as sodium

from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.randomness import RandomSource, Seed

Point = NewType("Point", bytes)
"""A compressed point of the prime-order group, never the neutral element."""
Scalar = NewType("Scalar", bytes)
"""A secret scalar in [1, L), 32 bytes, little-endian."""

POINT_BYTES = 32
SIGNATURE_BYTES = 64
SLACK_BYTES = 15
"""What the library wants an output buffer to have beyond its blocks; it does not write there."""


class Permutation:
    """AES-128 under a fixed key, as the public permutation of the garbling hash; 16-byte blocks, side by side."""

    def __init__(self, key: bytes) -> None:
        # ECB is the bare permutation: the hash above it supplies the mode.
        self._encryptor = Cipher(AES128(key), ECB()).encryptor()  # noqa: S305

    def apply(self, blocks: bytes) -> bytes:
        """Permutes each 16-byte block on its own."""
        return self._encryptor.update(blocks)


class BufferPermutation:
    """The same permutation from one buffer into another, without copies: for many blocks at once.

    It keeps the expanded key, and refuses to be copied or stored as the library's cipher does.
    """

    def __init__(self, key: bytes) -> None:
        self.apply_into: Callable[[memoryview, memoryview], int] = (
            Cipher(AES128(key), ECB()).encryptor().update_into  # noqa: S305
        )
        """Permutes the blocks of the first into the second, which is :data:`SLACK_BYTES` longer; they may be the same.

        An attribute and not a method, as a second call costs as much as a block.
        """


def linear_hashes(key: bytes, columns: Sequence[bytes | memoryview]) -> list[bytes]:
    """The hash of each column by AES-GCM, as :mod:`capc.two_party.garbling.transfers.universal_hash` defines it.

    Columns are additional data, and nothing else is given. A tag is this hash XOR what all columns of one length have
    in common, which is the tag of zeros. Nothing is encrypted and the key is public, so all may share a nonce.

    Args:
        key: 16 bytes.
        columns: whole blocks, all of one length.
    """
    if not columns:
        return []
    cipher, nonce = AESGCM(key), bytes(12)
    common = int.from_bytes(cipher.encrypt(nonce, b"", bytes(len(columns[0]))), "little")
    tags = (int.from_bytes(cipher.encrypt(nonce, b"", column), "little") for column in columns)
    return [(tag ^ common).to_bytes(16, "little") for tag in tags]


def random_scalar(source: RandomSource) -> Scalar:
    """A uniform scalar: 64 bytes reduced mod L, drawn again in the (never seen) case of zero."""
    while True:
        scalar = sodium.crypto_core_ed25519_scalar_reduce(source.read(64))
        if any(scalar):
            return Scalar(scalar)


def base_multiply(scalar: Scalar) -> Point:
    """scalar * G."""
    return Point(sodium.crypto_scalarmult_ed25519_base_noclamp(scalar))


def multiply(scalar: Scalar, point: Point) -> Point:
    """scalar * point."""
    return Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, point))


def add(left: Point, right: Point) -> Point:
    """left + right."""
    return Point(sodium.crypto_core_ed25519_add(left, right))


def subtract(left: Point, right: Point) -> Point:
    """left - right."""
    return Point(sodium.crypto_core_ed25519_sub(left, right))


def read_point(data: bytes) -> Point:
    """A peer's point, checked.

    Raises:
        InvalidPayloadError: not 32 bytes, not canonical, or not in the prime-order group (`invalid_point`).
    """
    if len(data) != POINT_BYTES or not sodium.crypto_core_ed25519_is_valid_point(data):
        raise InvalidPayloadError(ErrorCode.INVALID_POINT, "a curve point outside the prime-order group")
    return Point(data)


def signing_public_key(seed: Seed) -> bytes:
    """The Ed25519 public key (32 bytes) of a secret seed (RFC 8032)."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: Seed, message: bytes) -> bytes:
    """The Ed25519 signature (64 bytes), which is deterministic (RFC 8032)."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is a signature of the message under the public key; False for a key that is no point."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
