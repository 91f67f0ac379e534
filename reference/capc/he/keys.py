"""Keys of the querying party, and the public key in a form whose uniform half nobody chooses.

A public key is (c0, a) with c0 = -(a s + e). Here ``a`` is expanded from a 64-byte seed, as in a request: the
payload halves, and a key holder cannot send an ``a`` with a trapdoor, or zero, which would undo the
re-randomisation of responses.
"""

from __future__ import annotations

import secrets

import numpy as np
from tenseal import sealapi

from capc.he.context import HeContext
from capc.he.packing import check_length, pack, packed_length, unpack
from capc.he.serialisation import (
    SEED_BYTES,
    Words,
    make_secret_key,
    make_seeded_public_key,
    read_pair,
    read_secret_key,
)


class SecretKey:
    """The querying party's key: encrypts requests and decrypts responses."""

    def __init__(self, context: HeContext, key: sealapi.SecretKey) -> None:
        self.context = context
        self._key = key
        self.encryptor = sealapi.Encryptor(context.seal, key)
        self.decryptor = sealapi.Decryptor(context.seal, key)

    def words(self) -> Words:
        """The secret polynomial in NTT form, (primes, N), for other processes of the same party. Secret."""
        return read_secret_key(self._key, len(self.context.key_primes), self.context.degree)

    def __repr__(self) -> str:
        return "SecretKey(<secret>)"


class PublicKey:
    """The querying party's public key, in an answering party's hands: encrypts zero to re-randomise.

    Args:
        context: the parameters.
        key: in SEAL's form.
        payload: as it was received.
    """

    def __init__(self, context: HeContext, key: sealapi.PublicKey, payload: bytes) -> None:
        self.context = context
        self.payload = payload
        self.encryptor = sealapi.Encryptor(context.seal, key)


def public_key_length(context: HeContext) -> int:
    """Bytes of a public key payload: c0 at key level, and the seed of ``a``."""
    return packed_length(context.key_primes, context.degree) + SEED_BYTES


def generate_keys(context: HeContext) -> tuple[SecretKey, bytes]:
    """A fresh key pair: the secret key, and the public key's payload.

    SEAL draws s, ``a`` and e from the operating system and forms c0. ``a`` is then replaced by the expansion a' of a
    fresh seed, and c0 by c0 + (a - a') s = -(a' s + e), with the same s and e.

    Reveals: to the peers, an RLWE sample at the modulus of key level.
    """
    generator = sealapi.KeyGenerator(context.seal)
    secret, public = generator.secret_key(), sealapi.PublicKey()
    generator.create_public_key(public)
    shape = len(context.key_primes), context.degree
    first, drawn = read_pair(public, *shape)
    seed = secrets.token_bytes(SEED_BYTES)
    _, expanded = read_pair(make_seeded_public_key(context, np.zeros(shape, np.uint64), seed), *shape)
    moved = _move(context, first, drawn, expanded, read_secret_key(secret, *shape))
    return SecretKey(context, secret), pack(moved, context.key_primes) + seed


def read_public_key(context: HeContext, payload: bytes) -> PublicKey:
    """A peer's public key.

    Raises:
        InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
    """
    check_length(payload, public_key_length(context), "public key")
    first = unpack(payload[:-SEED_BYTES], context.key_primes, context.degree, "public key")
    return PublicKey(context, make_seeded_public_key(context, first, payload[-SEED_BYTES:]), payload)


def restore_secret_key(context: HeContext, words: Words) -> SecretKey:
    """The key that :meth:`SecretKey.words` described."""
    return SecretKey(context, make_secret_key(context, words))


def _move(context: HeContext, first: Words, drawn: Words, expanded: Words, secret: Words) -> Words:
    # Python integers: products of two 48-bit residues do not fit a word, and this runs once per key.
    primes = np.array(context.key_primes, dtype=object)[:, None]
    difference = drawn.astype(object) - expanded.astype(object)
    return np.asarray((first + difference * secret.astype(object)) % primes, dtype=np.uint64)
