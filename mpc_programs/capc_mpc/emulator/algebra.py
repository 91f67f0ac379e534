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
    """Arithmetic modulo 2^width, and bitwise operations, on words: Python's operators, and what makes words of them."""

    @abstractmethod
    def constant(self, value: int, width: int) -> Word:
        """The integer modulo 2^width."""

    @abstractmethod
    def wrap(self, value: Word, width: int) -> Word:
        """What an operator of arithmetic gave, modulo 2^width."""

    @abstractmethod
    def extract(self, word: Word, low: int, width: int) -> Word:
        """The ``width`` bits from position ``low`` upwards."""

    @abstractmethod
    def concatenate(self, parts: Sequence[tuple[Word, int]]) -> Word:
        """One word of (word, width) pairs, the first in the lowest bits."""

    def gate(self, output: Word) -> Word:
        """What a bitwise operator gave."""
        return output

    def add(self, a: Word, b: Word, width: int) -> Word:
        """a + b mod 2^width."""
        return self.wrap(a + b, width)

    def subtract(self, a: Word, b: Word, width: int) -> Word:
        """a - b mod 2^width."""
        return self.wrap(a - b, width)

    def multiply(self, a: Word, b: Word, width: int) -> Word:
        """a * b mod 2^width."""
        return self.wrap(a * b, width)

    def xor(self, a: Word, b: Word) -> Word:
        """Bitwise exclusive or, of words of one width."""
        return self.gate(a ^ b)

    def conjunction(self, a: Word, b: Word) -> Word:
        """Bitwise and, of words of one width."""
        return self.gate(a & b)

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

    def wrap(self, value: int, width: int) -> int:
        """The lowest bits."""
        return value & ((1 << width) - 1)

    constant = wrap

    def extract(self, word: int, low: int, width: int) -> int:
        """The ``width`` bits from position ``low`` upwards."""
        return self.wrap(word >> low, width)

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
