"""Arithmetic in Z_{2^k}, and the two's-complement reading of its elements (CAPC-PARAM-020).

An element is a Python ``int`` in [0, 2^k). Every function names the width, and wraps. Sums and differences of vectors
reduce by a mask of their own: layers have 10^5 elements, and a call for each would take most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.randomness import RandomSource


def reduce(value: int, width: int) -> int:
    """The element of Z_{2^width} congruent to ``value``; wraps, any integer is admitted."""
    return value & ((1 << width) - 1)


def signed(element: int, width: int) -> int:
    """The two's-complement reading in [-2^(width-1), 2^(width-1)) of an element of Z_{2^width}."""
    return element - (1 << width) if element >> (width - 1) & 1 else element


def add(left: Sequence[int], right: Sequence[int], width: int) -> list[int]:
    """The element-wise sum in Z_{2^width}; both have the same length."""
    mask = (1 << width) - 1
    return [a + b & mask for a, b in zip(left, right, strict=True)]


def subtract(left: Sequence[int], right: Sequence[int], width: int) -> list[int]:
    """The element-wise difference in Z_{2^width}; both have the same length."""
    mask = (1 << width) - 1
    return [a - b & mask for a, b in zip(left, right, strict=True)]


def sum_shares(shares: Sequence[Sequence[int]], width: int) -> list[int]:
    """The element-wise sum in Z_{2^width} of one or more share vectors."""
    total = list(shares[0])
    for share in shares[1:]:
        total = add(total, share, width)
    return total


def scale(elements: Sequence[int], factor: int, width: int) -> list[int]:
    """Each element times the public integer ``factor``, in Z_{2^width}."""
    return [reduce(a * factor, width) for a in elements]


def uniform(source: RandomSource, count: int, width: int) -> list[int]:
    """``count`` uniform elements of Z_{2^width}, in order."""
    return [source.bits(width) for _ in range(count)]


def to_bits(element: int, width: int) -> list[int]:
    """The ``width`` bits of an element, least significant first."""
    return [element >> position & 1 for position in range(width)]


def from_bits(bits: Sequence[int]) -> int:
    """The number whose bits, least significant first, are given."""
    return sum(bit << position for position, bit in enumerate(bits))
