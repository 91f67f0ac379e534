"""What is added to a product before it leaves the answering party, so that only the result can be read from it.

Without it the key holder divides c1 of the response by c1 of its request and has the weights, or solves for them
from the decryption noise. The sum of three things removes both:

1. a fresh encryption of zero under the querying party's public key: c1 becomes a new RLWE sample;
2. flooding noise, uniform in [-2^b, 2^b), on every released coefficient of c0: it drowns the noise of the product;
3. the caller's addend, which holds a uniform mask, on every released coefficient.

Coefficients of c0 that carry no output are never sent (:mod:`capc.he.responses`), so nothing of them is to be hidden.
The randomness of 1 is drawn by SEAL from the operating system; 2 is expanded from a seed of the caller's source. Both
can be made before the request arrives; they are the :class:`Blinding`, which serves one response and no other.

Source: circuit privacy by noise flooding, Gentry 2009. Spec: CAPC-HE-002, CAPC-HE-003, CAPC-HE-004.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from tenseal import sealapi

from capc.errors import InputError, StateReuseError
from capc.he.axis import Indices
from capc.he.context import HeContext
from capc.he.keys import PublicKey
from capc.he.serialisation import make_ciphertext
from capc.operators import Operator
from capc.randomness import SEED_BYTES, RandomSource, Seed, XofSource


class Blinding:
    """What hides the weights in one response. A second use would cancel it out: :meth:`take` works once.

    Secret. It cannot be copied or pickled; a process that forks must not use it in both halves.

    Args:
        context: of the public key.
        operator: the layer whose response it hides.
        count: queries of the response.
        parts: one for each ciphertext of the response.
    """

    def __init__(self, context: HeContext, operator: Operator, count: int, parts: list[sealapi.Ciphertext]) -> None:
        self.context = context
        self.operator = operator
        self.count = count
        self._unspent = [parts]

    def take(self) -> list[sealapi.Ciphertext]:
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
        return f"Blinding({self.operator}, {self.count}, <secret>)"


def noise_seed(source: RandomSource) -> Seed:
    """The seed of the flooding noise of one response, from the caller's source."""
    return Seed(source.read(SEED_BYTES))


def blind(public_key: PublicKey, positions: Indices, seed: Seed, number: int) -> sealapi.Ciphertext:
    """A fresh encryption of zero, with flooding noise on c0.

    Args:
        public_key: the querying party's.
        positions: the coefficients of c0 that will be released.
        seed: of the response's flooding noise.
        number: of the ciphertext in the response; each has noise of its own.
    """
    context = public_key.context
    source = XofSource(seed, b"flooding/" + number.to_bytes(4, "little"))
    noise = flooding_noise(source, positions.size, context.flood_bits)
    words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
    for row, prime in zip(words[0], context.data_primes, strict=True):
        row[positions] = [value % prime for value in noise]
    blinded = fresh_zero(public_key)
    context.evaluator.add_inplace(blinded, make_ciphertext(context, context.data_id, words))
    return blinded


def fresh_zero(public_key: PublicKey) -> sealapi.Ciphertext:
    """An encryption of zero with randomness that SEAL draws from the operating system."""
    zero = sealapi.Ciphertext()
    public_key.encryptor.encrypt_zero(zero)
    return zero


def flooding_noise(source: RandomSource, count: int, bits: int) -> list[int]:
    """``count`` integers, independent and exactly uniform in [-2^bits, 2^bits): ``source.bits(bits + 1)`` - 2^bits."""
    bound, width = 1 << bits, bits // 8 + 1
    data, mask = source.read(count * width), 2 * bound - 1
    starts = range(0, count * width, width)
    return [(int.from_bytes(data[start : start + width], "little") & mask) - bound for start in starts]
