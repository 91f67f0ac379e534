"""What hides the weights in a response, so that only the result can be read from it.

Without it the key holder divides c1 of the response by c1 of its request and has the weights, or reads them off the
phase of c0. Two things remove both:

1. a fresh encryption of zero, (c0 u, a u + e) for the public key (c0, a), u ternary and e an error: c1 becomes a new
   RLWE sample, plus what depends on weights and request;
2. after the switch to the response prime p, a mask uniform in Z_p on every coefficient of c0 that is sent. It makes
   each of them uniform whatever the request and the key are. Coefficients that carry no output are never sent.

The mask is the answering party's share: the querying party decrypts y = product + mask to round(2^T y / p), and
round(2^T (p - r) / p) of the mask r takes it off again, up to the roundings that the guard bits absorb
(:mod:`capc.foundation.guarded`). All of it is expanded from one seed of the caller's source, for one response.

Source: approximate re-sharing, Huang, Lu, Hong, Ding, USENIX Security 2022 (Cheetah), made exact by guard bits. Spec:
CAPC-HE-002, CAPC-HE-004, CAPC-HE-008, CAPC-HE-012, CAPC-HE-014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import SEED_BYTES, RandomSource, Seed, XofSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.sampling import below, centred_binomial, ternary
from capc.linear.bfv.wire.seal_format import Words, make_plaintext
from capc_spec.registry import TAGS


def response_seed(source: RandomSource) -> Seed:
    """The seed of all that hides the weights in one response, from the caller's source."""
    return Seed(source.read(SEED_BYTES))


def fresh_zero(public_key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
    """The public key times a fresh u, in NTT form, and the error e of c1.

    Args:
        public_key: the querying party's.
        seed: of the response.
        number: of the ciphertext in the response; each has randomness of its own.
    """
    context, zero = public_key.context, sealapi.Ciphertext()
    # SEAL takes residues modulo 2^T, and lifts those above the half to negative numbers.
    residues = np.array([0, 1, (1 << context.plain_bits) - 1], dtype=np.uint64)
    secret = make_plaintext(context, residues[ternary(_stream(seed, TAGS["ternary"], number), context.degree)])
    context.evaluator.transform_to_ntt_inplace(secret, list(context.data_id))
    context.evaluator.multiply_plain(public_key.zero, secret, zero)
    return zero, centred_binomial(_stream(seed, TAGS["error"], number), context.degree)


def draw_masks(context: HeContext, seed: Seed, number: int, count: int) -> Words:
    """For one ciphertext of a response, ``count`` masks uniform in Z_p."""
    (prime,) = context.response_primes
    return below(_stream(seed, TAGS["mask"], number), count, prime)


def shares_of(context: HeContext, masks: Words) -> Words:
    """The answering party's shares, round(2^T (p - r) / p) mod 2^T, exactly."""
    (prime,) = context.response_primes
    bits = context.plain_bits
    # Integers of more than 64 bits.
    rounded = ((prime - masks.astype(object) << bits) + prime // 2) // prime
    shares: Words = (rounded & ((1 << bits) - 1)).astype(np.uint64)
    return shares


def _stream(seed: Seed, tag: bytes, number: int) -> XofSource:
    return XofSource(seed, tag + number.to_bytes(4, "little"))
