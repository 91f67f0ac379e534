"""What is added to a product before it leaves the answering party, so that only the result can be read from it.

Without it the key holder divides c1 of the response by c1 of its request and has the weights, or solves for them
from the decryption noise. The sum of three things removes both:

1. a fresh encryption of zero under the querying party's public key: c1 becomes a new RLWE sample;
2. flooding noise, uniform in [-2^b, 2^b], on every released coefficient of c0: it drowns the noise of the product;
3. the caller's addend, which holds a uniform mask, on every released coefficient.

Coefficients of c0 that carry no output are never sent (:mod:`capc.he.scheme`), so nothing of them is to be hidden.
The randomness of 1 is drawn by SEAL from the operating system; 2 comes from the caller's source. Both can be made
before the request arrives; they are the :class:`Blinding`, which serves one response and no other.

Source: circuit privacy by noise flooding, Gentry 2009. Spec: CAPC-HE-002, CAPC-HE-003, CAPC-HE-004.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import numpy as np
from tenseal import sealapi

from capc.errors import InputError, StateReuseError
from capc.he.axis import Indices
from capc.he.context import HeContext
from capc.he.encoding import Encoding
from capc.he.keys import PublicKey
from capc.he.serialisation import Words, make_ciphertext
from capc.operators import Operator
from capc.randomness import RandomSource


class BlindingPart(NamedTuple):
    """For one ciphertext of a response: the encryption of zero, and the noise of each released coefficient."""

    zero: sealapi.Ciphertext
    noise: list[int]


class Blinding:
    """What hides the weights in one response. A second use would cancel it out: :meth:`take` works once.

    Secret. It cannot be copied or pickled; a process that forks must not use it in both halves.

    Args:
        context: of the public key.
        operator: the layer whose response it hides.
        parts: one for each ciphertext of the response.
    """

    def __init__(self, context: HeContext, operator: Operator, parts: list[BlindingPart]) -> None:
        self.context = context
        self.operator = operator
        self._unspent = [parts]

    def take(self) -> list[BlindingPart]:
        """The parts, which this object then no longer holds.

        Raises:
            StateReuseError: they were taken before.
        """
        try:
            # One step of the interpreter: of two threads, one fails.
            return self._unspent.pop()
        except IndexError:
            raise StateReuseError("a blinding was used before: prepare one for each response") from None

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise InputError("a blinding serves one response and cannot be copied: prepare another one")

    def __repr__(self) -> str:
        return f"Blinding({self.operator}, <secret>)"


def make_blinding(public_key: PublicKey, operator: Operator, encoding: Encoding, source: RandomSource) -> Blinding:
    """Fresh encryptions of zero and flooding noise for one response.

    Args:
        public_key: the querying party's.
        operator: the layer.
        encoding: of the layer.
        source: the flooding noise is read from it.
    """
    context = public_key.context
    parts = [
        BlindingPart(fresh_zero(public_key), flooding_noise(source, response.positions.size, context.flood_bits))
        for response in encoding.responses
    ]
    return Blinding(context, operator, parts)


def fresh_zero(public_key: PublicKey) -> sealapi.Ciphertext:
    """An encryption of zero with randomness that SEAL draws from the operating system."""
    zero = sealapi.Ciphertext()
    public_key.encryptor.encrypt_zero(zero)
    return zero


def flooding_noise(source: RandomSource, count: int, bits: int) -> list[int]:
    """``count`` integers, independent and exactly uniform in [-2^bits, 2^bits]."""
    bound = 1 << bits
    return [source.below(2 * bound + 1) - bound for _ in range(count)]


def offset(context: HeContext, positions: Indices, addend: Words, noise: Sequence[int]) -> sealapi.Ciphertext:
    """(round(q m / 2^l) + noise, 0): the part of c0 that the answering party knows in the clear.

    Args:
        context: the parameters.
        positions: the coefficients that will be released.
        addend: m, an element of Z_{2^l} for each of them, which holds a uniform mask.
        noise: flooding noise for each of them.
    """
    half = 1 << (context.plain_bits - 1)
    scaled = [
        ((context.modulus * m + half) >> context.plain_bits) + f for m, f in zip(addend.tolist(), noise, strict=True)
    ]
    words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
    for row, prime in zip(words[0], context.data_primes, strict=True):
        row[positions] = [value % prime for value in scaled]
    return make_ciphertext(context, context.data_id, words)
