"""Keys: SEAL's secret key, and a public key whose uniform half nobody chooses.

A public key is an encryption of zero, (c0, a) with c0 = -(a s + e) under q. Both parties expand ``a`` from what the
answering party drew in set-up, so that it is nobody's choice: an ``a`` with a trapdoor, or zero, would undo the
re-randomisation of responses. So there is one public key for each answering party, of which c0 travels. Nothing is ever
published at key level. Spec: CAPC-HE-005, CAPC-HE-014, CAPC-HE-016, CAPC-HE-020, CAPC-HE-021.
"""

from __future__ import annotations

import hashlib

import numpy as np
from tenseal import sealapi

from capc.foundation.randomness import RandomSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.sampling import centred_binomial
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.seal_format import (
    SEED_BYTES,
    Words,
    make_ciphertext,
    make_secret_key,
    make_seeded_ciphertext,
    read_pair,
    read_secret_key,
)
from capc_spec.registry import TAGS


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
    """The querying party's public key, in an answering party's hands: re-randomises responses.

    Args:
        context: the parameters.
        zero: the encryption of zero, in NTT form.
        payload: as it was received.
        binding: what its uniform half is expanded from.
    """

    def __init__(self, context: HeContext, zero: sealapi.Ciphertext, payload: bytes, binding: bytes) -> None:
        self.context = context
        self.zero = zero
        self.payload = payload
        self.binding = binding
        self._elsewhere: dict[HeContext, PublicKey] = {}

    def under(self, context: HeContext) -> PublicKey:
        """The same key in another context of the same primes."""
        if context is self.context:
            return self
        if context not in self._elsewhere:
            self._elsewhere[context] = read_public_key(context, self.payload, self.binding)
        return self._elsewhere[context]


def generate_secret_key(context: HeContext) -> SecretKey:
    """A fresh secret key, which SEAL draws from the operating system."""
    return SecretKey(context, sealapi.KeyGenerator(context.seal).secret_key())


def public_key_length(context: HeContext) -> int:
    """Bytes of a public key's payload: c0 under q."""
    return packed_length(context.data_primes, context.degree)


def public_key(secret: SecretKey, binding: bytes, source: RandomSource) -> bytes:
    """The payload of the public key for one peer.

    Args:
        secret: this party's key.
        binding: what the key's uniform half is expanded from: something that this party did not choose.
        source: for the error.

    Reveals: to the peer, an RLWE sample at the modulus q.
    """
    context = secret.context
    nothing = np.zeros((len(context.data_primes), context.degree), dtype=np.uint64)
    uniform = make_seeded_ciphertext(context, nothing, _seed(binding))
    context.evaluator.transform_to_ntt_inplace(uniform)
    transformed = read_pair(uniform, *nothing.shape)
    # a s, prime by prime, in NTT form; products of more than 64 bits.
    pairs = zip(transformed[1].astype(object), secret.words().astype(object), context.data_primes, strict=False)
    product = np.array([(a * s % prime).astype(np.uint64) for a, s, prime in pairs])
    masked = make_ciphertext(context, context.data_id, np.stack([product, transformed[1]]), ntt=True)
    context.evaluator.transform_from_ntt_inplace(masked)
    error = centred_binomial(source, context.degree).astype(object)
    rows = zip(read_pair(masked, *nothing.shape)[0].astype(object), context.data_primes, strict=True)
    first = np.array([(-(row + error) % prime).astype(np.uint64) for row, prime in rows])
    return pack(first, context.data_primes)


def read_public_key(context: HeContext, payload: bytes, binding: bytes) -> PublicKey:
    """A peer's public key.

    Raises:
        InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
    """
    first = unpack(payload, context.data_primes, context.degree, "public key")
    zero = make_seeded_ciphertext(context, first, _seed(binding))
    context.evaluator.transform_to_ntt_inplace(zero)
    return PublicKey(context, zero, payload, binding)


def _seed(binding: bytes) -> bytes:
    return hashlib.shake_256(TAGS["public-key"] + binding).digest(SEED_BYTES)


def restore_secret_key(context: HeContext, words: Words) -> SecretKey:
    """The key that :meth:`SecretKey.words` described."""
    return SecretKey(context, make_secret_key(context, words))
