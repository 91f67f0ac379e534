"""A uniform number in [0, 1) whose digits are drawn only when a comparison or a rounding needs them.

Spec: CAPC-NOISE-001, CAPC-NOISE-003, CAPC-NOISE-008.
"""

from __future__ import annotations

from capc.foundation.randomness import RandomSource

DIGIT_BITS = 8
"""Bits of one digit. One byte per digit wastes no byte of the stream."""


class LazyUniform:
    """A uniform real number in [0, 1), known up to the digits drawn so far.

    Args:
        source: where the digits come from, one ``bits(8)`` each.
    """

    def __init__(self, source: RandomSource) -> None:
        self._source = source
        self._digits: list[int] = []

    def digit(self, index: int) -> int:
        """Digit ``index`` (0 is the most significant), drawn now if it was not needed before."""
        while len(self._digits) <= index:
            self._digits.append(self._source.bits(DIGIT_BITS))
        return self._digits[index]

    def interval(self, count: int) -> tuple[int, int]:
        """(X, b) such that the number lies in [X / 2^b, (X + 1) / 2^b), from its first ``count`` digits."""
        prefix = 0
        for index in range(count):
            prefix = (prefix << DIGIT_BITS) | self.digit(index)
        return prefix, count * DIGIT_BITS

    def __repr__(self) -> str:
        return "LazyUniform(<secret>)"


def bernoulli_uniform(source: RandomSource, x: LazyUniform) -> bool:
    """True with probability exactly x: whether a fresh uniform number is below x.

    1. For index = 0, 1, ...: draw the fresh number's digit, then take x's digit (drawn if it is new).
    2. At the first index where they differ, return whether the fresh digit is the smaller one.
    """
    index = 0
    while True:
        fresh = source.bits(DIGIT_BITS)
        own = x.digit(index)
        if fresh != own:
            return fresh < own
        index += 1
