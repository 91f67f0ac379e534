"""BFV keys and ciphertexts made from the file's seed, with integers only: no randomness but the seed's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capc.foundation.randomness import BytesSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.packing import pack
from capc.linear.bfv.wire.seal_format import SEED_BYTES, make_seeded_ciphertext, read_pair
from capc_spec.registry import TAGS
from capc_verify.vectors.derive import Source

_SLOT = 12
"""Bytes for a sum of N words below 2^60."""


@dataclass(frozen=True)
class FixedKey:
    """A secret key with given coefficients in {-1, 0, 1}, and what is made under it.

    Attributes:
        context: the parameters.
        coefficients: N of them.
        source: of the file.
    """

    context: HeContext
    coefficients: tuple[int, ...]
    source: Source

    @classmethod
    def drawn(cls, context: HeContext, source: Source) -> FixedKey:
        """The key of the label `secret_key`: one byte mod 3 per coefficient, 2 meaning -1."""
        drawn = source.draw("secret_key", context.degree)
        return cls(context, tuple((0, 1, -1)[byte % 3] for byte in drawn), source)

    def packed(self) -> bytes:
        """The key as the vectors hold it: two bits per coefficient."""
        digits = [value % 3 for value in self.coefficients]
        return bytes(sum(digits[i + j] << 2 * j for j in range(4)) for i in range(0, len(digits), 4))

    def public_key(self, binding: bytes) -> bytes:
        """The encryption of zero of no error; its other half is expanded from the binding."""
        return self._first(hashlib.shake_256(TAGS["public-key"] + binding).digest(SEED_BYTES), [], [])

    def request(self, message: Sequence[int], noise: Sequence[int]) -> bytes:
        """The encryption of 2^h times the first coefficients of a polynomial, with c1 from a seed."""
        seed = self.source.draw("request/seed", SEED_BYTES)
        return self._first(seed, [value << self.context.guard_bits for value in message], noise) + seed

    def _first(self, seed: bytes, message: Sequence[int], noise: Sequence[int]) -> bytes:
        """c0 of an encryption whose c1 comes from a seed."""
        context = self.context
        shape = len(context.data_primes), context.degree
        _, uniform = read_pair(make_seeded_ciphertext(context, np.zeros(shape, np.uint64), seed), *shape)
        scaled = self._scaled(message, noise, context.modulus, range(len(message)))
        first = [
            [(value - product) % prime for value, product in zip(scaled, self._times(row.tolist(), prime), strict=True)]
            for row, prime in zip(uniform, context.data_primes, strict=True)
        ]
        return pack(np.array(first, dtype=np.uint64), context.data_primes)

    def response(self, phases: Sequence[int], positions: Sequence[int]) -> bytes:
        """A response at the last level with these phases c0 + c1 s modulo p at these coefficients."""
        (prime,), degree = self.context.response_primes, self.context.degree
        stream = BytesSource(self.source.draw("response/second", 16 * degree))
        second = [stream.below(prime) for _ in range(degree)]
        product = self._times(second, prime)
        first = [(phase - product[position]) % prime for phase, position in zip(phases, positions, strict=True)]
        one, two = (np.array([words], dtype=np.uint64) for words in (first, second))
        return pack(one, (prime,)) + pack(two, (prime,))

    def _scaled(
        self, message: Sequence[int], noise: Sequence[int], modulus: int, positions: Sequence[int]
    ) -> list[int]:
        """round(modulus m / 2^(l+h)) + noise at the positions, 0 elsewhere."""
        scaled, plain = [0] * self.context.degree, 1 << self.context.plain_bits
        for position, value, error in zip(positions, message, noise, strict=True):
            scaled[position] = (2 * modulus * value + plain) // (2 * plain) + error
        return scaled

    def _times(self, polynomial: Sequence[int], prime: int) -> list[int]:
        """The product with the secret key modulo X^N + 1 and the prime, by two products of large integers."""
        whole = _joined(polynomial)
        degree = self.context.degree
        total = [0] * degree
        for sign in (1, -1):
            product = whole * _joined([int(value == sign) for value in self.coefficients])
            body = product.to_bytes(2 * degree * _SLOT, "little")
            words = [int.from_bytes(body[at : at + _SLOT], "little") for at in range(0, len(body), _SLOT)]
            # X^N is -1.
            total = [t + sign * (words[i] - words[i + degree]) for i, t in enumerate(total)]
        return [value % prime for value in total]


def _joined(values: Sequence[int]) -> int:
    return int.from_bytes(b"".join(value.to_bytes(_SLOT, "little") for value in values), "little")
