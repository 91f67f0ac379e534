"""Words of a circuit's model in two readings: bit vectors that wrap, and unbounded integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import z3

Word: TypeAlias = z3.BitVecRef | z3.ArithRef
Bit: TypeAlias = z3.BoolRef


@dataclass(frozen=True)
class Landmark:
    """A word or bit of the model: a constant of the solver, and what it stands for in terms of earlier ones."""

    constant: z3.ExprRef
    definition: z3.ExprRef


class Algebra(ABC):
    """The operations of which models are made. Each gives a name to its result, in order."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.landmarks: list[Landmark] = []

    @abstractmethod
    def word(self, name: str) -> Word:
        """Any word."""

    @abstractmethod
    def value(self, name: str, garbler: int, evaluator: int | None) -> Word:
        """What two parties' input words of these numbers share, or one party's input word itself."""

    @abstractmethod
    def opened(self, name: str, number: int) -> Word:
        """What both parties' input words of this number stand for: half of their sum, rounded down."""

    @abstractmethod
    def negative(self, word: Word) -> Bit:
        """Whether the word is negative, by its sign bit."""

    @abstractmethod
    def floor_divided(self, word: Word, bits: int) -> Word:
        """floor(word / 2^bits)."""

    def less(self, left: Word, right: Word) -> Bit:
        """Whether the left word is less, by the sign of the difference."""
        return self.negative(left - right)

    @abstractmethod
    def less_any(self, left: Word, right: Word) -> Bit:
        """Whether the left word is less, whatever both are."""

    @abstractmethod
    def fits(self, word: Word) -> Bit:
        """Whether the word is in [-2^(width-1), 2^(width-1))."""

    @abstractmethod
    def difference_fits(self, left: Word, right: Word) -> Bit:
        """Whether |left - right| < 2^(width-1)."""

    def select(self, condition: Bit, if_one: Word, if_zero: Word) -> Word:
        """One of two words."""
        return self._define(self.word(self._new_name()), z3.If(condition, if_one, if_zero))

    def _new_name(self) -> str:
        return f"step{len(self.landmarks)}"

    def _define(self, constant: z3.ExprRef, definition: z3.ExprRef) -> z3.ExprRef:
        self.landmarks.append(Landmark(constant, definition))
        return constant

    @property
    def definitions(self) -> list[Bit]:
        """All landmarks as equations."""
        return [landmark.constant == landmark.definition for landmark in self.landmarks]


class BitVectors(Algebra):
    """Words of ``width`` bits, as they are on wires.

    Args:
        width: of the words of the model.
        input_bits: of the parties' input words: as many, or one more, which is dropped.
    """

    def __init__(self, width: int, input_bits: int) -> None:
        super().__init__(width)
        self.input_bits = input_bits
        self.garbler: dict[int, z3.BitVecRef] = {}
        self.evaluator: dict[int, z3.BitVecRef] = {}

    def word(self, name: str) -> z3.BitVecRef:
        """A free bit vector."""
        return z3.BitVec(name, self.width)

    def value(self, name: str, garbler: int, evaluator: int | None) -> z3.BitVecRef:
        """The sum of both input words, mod 2^width."""
        mine = self._input(self.garbler, "garbler", garbler)
        if evaluator is None:
            return mine
        return self._define(self.word(name), mine + self._input(self.evaluator, "evaluator", evaluator))

    def opened(self, name: str, number: int) -> z3.BitVecRef:
        """The sum without its lowest bit: both are on wires, and each has a name."""
        mine, theirs = self._input(self.garbler, "garbler", number), self._input(self.evaluator, "evaluator", number)
        total = self._define(z3.BitVec(f"{name}_and_bit", self.input_bits), mine + theirs)
        return self._define(self.word(name), z3.Extract(self.width, 1, total))

    def _input(self, words: dict[int, z3.BitVecRef], side: str, number: int) -> z3.BitVecRef:
        return words.setdefault(number, z3.BitVec(f"{side}{number}", self.input_bits))

    def negative(self, word: Word) -> Bit:
        """The highest bit; of a difference it gets a name, because the difference's other bits are on no wire."""
        sign = z3.Extract(self.width - 1, self.width - 1, word) == 1
        return sign if z3.is_const(word) else self._define(z3.Bool(self._new_name()), sign)

    def floor_divided(self, word: Word, bits: int) -> Word:
        """The arithmetic shift."""
        return word >> bits

    def less_any(self, left: Word, right: Word) -> Bit:
        """The order of signed words."""
        return self._define(z3.Bool(self._new_name()), left < right)

    def fits(self, word: Word) -> Bit:  # noqa: ARG002
        """Always."""
        return z3.BoolVal(True)

    def difference_fits(self, left: Word, right: Word) -> Bit:
        """For the signed readings of both words."""
        exact = z3.BVSubNoOverflow(left, right), z3.BVSubNoUnderflow(left, right, signed=True)
        return z3.And(*exact, left - right != 1 << (self.width - 1))


class Integers(Algebra):
    """Integers, with what must hold so that words of ``width`` bits do the same."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.obligations: list[Bit] = []

    def word(self, name: str) -> z3.ArithRef:
        """Any integer."""
        return z3.Int(name)

    def value(self, name: str, garbler: int, evaluator: int | None) -> z3.ArithRef:  # noqa: ARG002
        """The integer of which the parties have shares mod 2^width."""
        return self.word(name)

    def opened(self, name: str, number: int) -> z3.ArithRef:  # noqa: ARG002
        """The integer z of which the parties have words that add up to 2 z or 2 z + 1 mod 2^(width + 1)."""
        return self.word(name)

    def negative(self, word: Word) -> Bit:
        """word < 0; the sign bit says so if the width holds the word."""
        self.obligations.append(self.fits(word))
        return self._define(z3.Bool(self._new_name()), word < 0)

    def floor_divided(self, word: Word, bits: int) -> Word:
        """Division by a positive number rounds down."""
        return word / (1 << bits)

    def less_any(self, left: Word, right: Word) -> Bit:
        """The order of integers; words have the same if the width holds both."""
        self.obligations += [self.fits(left), self.fits(right)]
        return self._define(z3.Bool(self._new_name()), left < right)

    def fits(self, word: Word) -> Bit:
        """As it says."""
        half = 1 << (self.width - 1)
        return z3.And(word >= -half, word < half)

    def difference_fits(self, left: Word, right: Word) -> Bit:
        """As it says."""
        half = 1 << (self.width - 1)
        return z3.And(left - right > -half, left - right < half)
