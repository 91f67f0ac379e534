"""What is added to a product before it leaves the answering party, so that only the result can be read from it.

Without it the key holder divides c1 of the response by c1 of its request and has the weights, or solves for them
from the decryption noise. The sum of three things removes both:

1. a fresh encryption of zero, (c0 u, a u + e) for the public key (c0, a), u ternary and e an error: c1 becomes a new
   RLWE sample. It needs no error of its own on c0, where 2 is larger than any;
2. flooding noise, uniform in [-2^b, 2^b), on every released coefficient of c0: it drowns the noise of the product;
3. the caller's addend, which holds a uniform mask, on every released coefficient.

Coefficients of c0 that carry no output are never sent (:mod:`capc.linear.bfv.wire.responses`), so nothing of them is to
be hidden. All of 1 and 2 is expanded from one seed of the caller's source, and can be made before the request arrives;
they are the :class:`Blinding`, which serves one response and no other.

Source: circuit privacy by noise flooding, Gentry 2009. Spec: CAPC-HE-002, CAPC-HE-003, CAPC-HE-004, CAPC-HE-014.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.errors import InputError, StateReuseError
from capc.foundation.hidden import type_only
from capc.foundation.randomness import SEED_BYTES, RandomSource, Seed, XofSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.sampling import centred_binomial, flooding_noise, ternary
from capc.linear.bfv.wire.seal_format import Words, make_ciphertext, make_plaintext
from capc.models.operators import Operator
from capc_spec.registry import TAGS


class Part(NamedTuple):
    """What hides the weights in one ciphertext of a response. Secret.

    Attributes:
        zero: the public key times a fresh u, in NTT form.
        error: of c1, (N,).
        noise: residues of the flooding noise, (primes of q, released coefficients).
    """

    zero: sealapi.Ciphertext
    error: NDArray[np.int64]
    noise: Words

    def __repr__(self) -> str:
        return type_only(self)


class Blinding:
    """What hides the weights in one response. A second use would cancel it out: :meth:`take` works once.

    Secret. It cannot be copied or pickled; a process that forks must not use it in both halves.

    Args:
        context: of the public key.
        operator: the layer whose response it hides.
        count: queries of the response.
        parts: one for each ciphertext of the response.
    """

    def __init__(self, context: HeContext, operator: Operator, count: int, parts: list[Part]) -> None:
        self.context = context
        self.operator = operator
        self.count = count
        self._unspent = [parts]

    def take(self) -> list[Part]:
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


def blinding_seed(source: RandomSource) -> Seed:
    """The seed of all that hides the weights in one response, from the caller's source."""
    return Seed(source.read(SEED_BYTES))


def blind(public_key: PublicKey, positions: Indices, seed: Seed, number: int) -> Part:
    """A fresh encryption of zero, and flooding noise.

    Args:
        public_key: the querying party's.
        positions: the coefficients of c0 that will be released.
        seed: of the response's blinding.
        number: of the ciphertext in the response; each has randomness of its own.
    """
    context = public_key.context
    zero, error = fresh_zero(public_key, seed, number)
    noise = flooding_noise(_stream(seed, TAGS["flooding"], number), positions.size, context.flood_bits)
    residues = [[value % prime for value in noise] for prime in context.data_primes]
    return Part(zero, error, np.array(residues, dtype=np.uint64))


def fresh_zero(public_key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
    """The public key times a fresh u, in NTT form, and the error of c1."""
    context, zero = public_key.context, sealapi.Ciphertext()
    # SEAL takes residues modulo 2^l, and lifts those above the half to negative numbers.
    residues = np.array([0, 1, (1 << context.plain_bits) - 1], dtype=np.uint64)
    secret = make_plaintext(context, residues[ternary(_stream(seed, TAGS["ternary"], number), context.degree)])
    context.evaluator.transform_to_ntt_inplace(secret, list(context.data_id))
    context.evaluator.multiply_plain(public_key.zero, secret, zero)
    return zero, centred_binomial(_stream(seed, TAGS["error"], number), context.degree)


def add_noise(context: HeContext, total: sealapi.Ciphertext, part: Part, positions: Indices, addend: Words) -> None:
    """Adds flooding noise and addend to c0, and the error to c1, of a ciphertext in coefficient form.

    Args:
        context: the parameters.
        total: the ciphertext, which changes.
        part: the blinding.
        positions: the coefficients of c0 that will be released.
        addend: for each of them an element of Z_{2^l}.
    """
    words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
    # round(q addend / 2^l)
    scaled = (addend.astype(object) * context.modulus + (1 << context.plain_bits >> 1)) >> context.plain_bits
    negative = part.error >> 63
    for first, second, noise, prime in zip(*words, part.noise, context.data_primes, strict=True):
        first[positions] = (noise + (scaled % prime).astype(np.uint64)) % np.uint64(prime)
        second[:] = part.error + (negative & prime)
    context.evaluator.add_inplace(total, make_ciphertext(context, context.data_id, words))


def _stream(seed: Seed, tag: bytes, number: int) -> XofSource:
    return XofSource(seed, tag + number.to_bytes(4, "little"))
