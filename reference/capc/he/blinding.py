"""What is added to a product before it leaves the answering party, so that only the result can be read from it.

Without it the key holder divides c1 of the response by c1 of its request and has the weights, or solves for them
from the decryption noise. The sum of three things removes both:

1. a fresh encryption of zero under the querying party's public key: c1 becomes a new RLWE sample;
2. flooding noise, uniform in [-2^b, 2^b], on every released coefficient of c0: it drowns the noise of the product;
3. the caller's addend, which holds a uniform mask, on every released coefficient.

Coefficients of c0 that carry no output are never sent (:mod:`capc.he.scheme`), so nothing of them is to be hidden.
The randomness of 1 is drawn by SEAL from the operating system; 2 comes from the caller's source.

Source: circuit privacy by noise flooding, Gentry 2009. Spec: CAPC-HE-002, CAPC-HE-003, CAPC-HE-004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tenseal import sealapi

from capc.he.context import HeContext
from capc.he.keys import PublicKey
from capc.he.serialisation import make_ciphertext
from capc.randomness import RandomSource


def blinding_ciphertext(
    public_key: PublicKey, positions: Sequence[int], addend: Sequence[int], source: RandomSource
) -> sealapi.Ciphertext:
    """A fresh encryption of the addend, flooded. It serves one response: a second use would cancel out.

    Args:
        public_key: the querying party's.
        positions: the coefficients that will be released.
        addend: for each of them an element of Z_{2^l}, which holds a uniform mask.
        source: the flooding noise is read from it.

    Returns:
        A ciphertext at the level of requests, in coefficient form.
    """
    context = public_key.context
    noise = flooding_noise(source, len(positions), context.flood_bits)
    blinding = fresh_zero(public_key)
    context.evaluator.add_inplace(blinding, _offset(context, positions, addend, noise))
    return blinding


def fresh_zero(public_key: PublicKey) -> sealapi.Ciphertext:
    """An encryption of zero with randomness that SEAL draws from the operating system."""
    zero = sealapi.Ciphertext()
    public_key.encryptor.encrypt_zero(zero)
    return zero


def flooding_noise(source: RandomSource, count: int, bits: int) -> list[int]:
    """``count`` integers, independent and exactly uniform in [-2^bits, 2^bits]."""
    bound = 1 << bits
    return [source.below(2 * bound + 1) - bound for _ in range(count)]


def _offset(
    context: HeContext, positions: Sequence[int], addend: Sequence[int], noise: Sequence[int]
) -> sealapi.Ciphertext:
    """(round(q m / 2^l) + noise, 0): the part of c0 that is known in the clear."""
    half = 1 << (context.plain_bits - 1)
    scaled = [((context.modulus * m + half) >> context.plain_bits) + f for m, f in zip(addend, noise, strict=True)]
    words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
    for row, prime in zip(words[0], context.data_primes, strict=True):
        row[list(positions)] = [value % prime for value in scaled]
    return make_ciphertext(context, context.data_id, words)
