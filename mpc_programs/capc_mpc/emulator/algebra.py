"""Words: the values that a program computes with, as Python integers or, in `solver`, as bit-vectors of a solver.

A word has a width that its user knows and passes along. Everything above this module is written once, for both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

Word: TypeAlias = Any
"""An unsigned integer below 2^width, or a bit-vector of that width. Only an algebra looks inside."""


class Algebra(ABC):
    """Arithmetic modulo 2^width, and bitwise operations, on words."""

    @abstractmethod
    def constant(self, value: int, width: int) -> Word:
        """The integer modulo 2^width."""

    @abstractmethod
    def add(self, a: Word, b: Word, width: int) -> Word:
        """a + b mod 2^width."""

    @abstractmethod
    def subtract(self, a: Word, b: Word, width: int) -> Word:
        """a - b mod 2^width."""

    @abstractmethod
    def multiply(self, a: Word, b: Word, width: int) -> Word:
        """a * b mod 2^width."""

    @abstractmethod
    def xor(self, a: Word, b: Word) -> Word:
        """Bitwise exclusive or, of words of one width."""

    @abstractmethod
    def conjunction(self, a: Word, b: Word) -> Word:
        """Bitwise and, of words of one width."""

    @abstractmethod
    def extract(self, word: Word, low: int, width: int) -> Word:
        """The ``width`` bits from position ``low`` upwards."""

    @abstractmethod
    def concatenate(self, parts: Sequence[tuple[Word, int]]) -> Word:
        """One word of (word, width) pairs, the first in the lowest bits."""

    def invert(self, word: Word, width: int) -> Word:
        """Every bit flipped."""
        return self.xor(word, self.constant(-1, width))

    def extend(self, word: Word, width: int, target: int) -> Word:
        """The unsigned number in ``target`` bits, at least as many as it has."""
        if target == width:
            return word
        return self.concatenate([(word, width), (self.constant(0, target - width), target - width)])

    def transpose(self, rows: Sequence[Word], width: int) -> list[Word]:
        """``width`` words: word i has bit i of row j at position j."""
        return [self.concatenate([(self.extract(row, i, 1), 1) for row in rows]) for i in range(width)]


class Integers(Algebra):
    """Words are Python integers of any width."""

    def constant(self, value: int, width: int) -> int:
        """The integer modulo 2^width."""
        return value & ((1 << width) - 1)

    def add(self, a: int, b: int, width: int) -> int:
        """a + b mod 2^width."""
        return (a + b) & ((1 << width) - 1)

    def subtract(self, a: int, b: int, width: int) -> int:
        """a - b mod 2^width."""
        return (a - b) & ((1 << width) - 1)

    def multiply(self, a: int, b: int, width: int) -> int:
        """a * b mod 2^width."""
        return (a * b) & ((1 << width) - 1)

    def xor(self, a: int, b: int) -> int:
        """Bitwise exclusive or."""
        return a ^ b

    def conjunction(self, a: int, b: int) -> int:
        """Bitwise and."""
        return a & b

    def extract(self, word: int, low: int, width: int) -> int:
        """The ``width`` bits from position ``low`` upwards."""
        return (word >> low) & ((1 << width) - 1)

    def concatenate(self, parts: Sequence[tuple[int, int]]) -> int:
        """One word, the first part in the lowest bits."""
        result, position = 0, 0
        for word, width in parts:
            result |= word << position
            position += width
        return result

    def transpose(self, rows: Sequence[int], width: int) -> list[int]:
        """The same by way of binary numerals, which is faster for many rows than bit by bit."""
        numerals = [f"{row:0{width}b}" for row in reversed(rows)]
        return [int("".join(column), 2) for column in zip(*numerals, strict=True)][::-1]
