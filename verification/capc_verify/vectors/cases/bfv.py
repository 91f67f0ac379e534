"""BFV keys and ciphertexts made from the file's seed, with integers only: no randomness but the seed's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capc.foundation.randomness import BytesSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.packing import pack
from capc.linear.bfv.wire.seal_format import SEED_BYTES
from capc_spec.registry import TAGS
from capc_verify.vectors.derive import Source
from capc_verify.vectors.operations.worked.bfv_integers import times, uniform_rows


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

    def requests(self, polynomials: Sequence[Sequence[int]]) -> bytes:
        """A request of several ciphertexts, each of 2^h times a polynomial, with errors from -3 to 3."""
        parts = []
        for number, polynomial in enumerate(polynomials):
            seed = self.source.draw(f"request/{number}/seed", SEED_BYTES)
            noise = [byte % 7 - 3 for byte in self.source.draw(f"request/{number}/noise", len(polynomial))]
            parts.append(self._first(seed, [value << self.context.guard_bits for value in polynomial], noise) + seed)
        return b"".join(parts)

    def _first(self, seed: bytes, message: Sequence[int], noise: Sequence[int]) -> bytes:
        """c0 of an encryption whose c1 comes from a seed."""
        context = self.context
        uniform = uniform_rows(context, seed)
        scaled = self._scaled(message, noise, context.modulus, range(len(message)))
        rows = zip(uniform, context.data_primes, strict=True)
        products = [(times(row, self.coefficients, prime), prime) for row, prime in rows]
        first = [
            [(value - other) % prime for value, other in zip(scaled, product, strict=True)]
            for product, prime in products
        ]
        return pack(np.array(first, dtype=np.uint64), context.data_primes)

    def response(self, phases: Sequence[int], positions: Sequence[int]) -> bytes:
        """A response at the last level with these phases c0 + c1 s modulo p at these coefficients."""
        (prime,), degree = self.context.response_primes, self.context.degree
        stream = BytesSource(self.source.draw("response/second", 16 * degree))
        second = [stream.below(prime) for _ in range(degree)]
        product = times(second, self.coefficients, prime)
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
