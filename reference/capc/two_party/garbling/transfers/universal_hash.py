"""A linear universal hash of columns of bits: GHASH without its length block; 128 bits are a field element.

For blocks A_1 ... A_n and a point H the hash is the sum over i of A_i H^(n + 2 - i). It is linear over XOR for a fixed
number of blocks. Two different columns collide for at most n + 1 of all 2^128 points, and for a point that is not 0
the last block alone gives every hash once: a last block that is uniform and secret hides all others.

The same hash, from a library: :func:`capc.foundation.primitives.linear_hashes`.

Source: McGrew and Viega 2004; SP 800-38D, section 6. As a check of transfers: Roy, "SoftSpokenOT" (CRYPTO 2022),
section 4.

Spec: CAPC-OT-009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.primitives import Permutation
from capc.two_party.garbling.transfers.ot_messages import BLOCK_BYTES


@dataclass(frozen=True)
class Field:
    """GF(2^bits). The highest bit of an element is the coefficient of 1, the lowest that of x^(bits - 1).

    Attributes:
        bits: of an element.
        reduction: x^bits as an element.
    """

    bits: int
    reduction: int

    def multiples(self, point: int) -> list[int]:
        """point x^i for i from 0 to bits - 1."""
        found = [point]
        for _ in range(self.bits - 1):
            last = found[-1]
            found.append(last >> 1 ^ (self.reduction if last & 1 else 0))
        return found

    def multiply(self, element: int, multiples: Sequence[int]) -> int:
        """The element times the point whose multiples these are."""
        total = 0
        for i, multiple in enumerate(multiples):
            if element >> self.bits - 1 - i & 1:
                total ^= multiple
        return total

    def hash(self, blocks: Sequence[int], multiples: Sequence[int]) -> int:
        """The sum over i of blocks[i] H^(n + 1 - i), for the point H whose multiples these are, and n blocks."""
        total = 0
        for block in blocks:
            total = self.multiply(total ^ block, multiples)
        return self.multiply(total, multiples)


GHASH_FIELD = Field(128, 0xE1 << 120)
"""x^128 = x^7 + x^2 + x + 1."""


def column_hashes(key: bytes, columns: Sequence[bytes]) -> list[bytes]:
    """The hash of each column at the point that AES gives for a block of zeros.

    Args:
        key: 16 bytes, public.
        columns: whole blocks, all of one length.
    """
    point = _element(Permutation(key).apply(bytes(BLOCK_BYTES)))
    multiples = GHASH_FIELD.multiples(point)
    return [GHASH_FIELD.hash(_blocks(column), multiples).to_bytes(BLOCK_BYTES, "big") for column in columns]


def _blocks(column: bytes) -> list[int]:
    return [_element(column[start : start + BLOCK_BYTES]) for start in range(0, len(column), BLOCK_BYTES)]


def _element(block: bytes) -> int:
    return int.from_bytes(block, "big")
