"""What the operations of the programs' library mean: `Words` stands where a program expects one of its domains.

It has the operations of `capc_lib.Ring`, `Field` and `Boolean` that `argmax` and `label_release` use, by their names.
It records which of them were called, on which kinds of operands, and what they require: the lemmas to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import z3

from capc_mpc.emulator.errors import UnknownConstructError
from capc_mpc.emulator.values import Value
from capc_verify.proofs.programs.meaning import Meaning


@dataclass(frozen=True, eq=False)
class Word(Value):
    """A number mod 2^width.

    Attributes:
        number: its value in the theory of the meaning.
        width: bits.
    """

    number: z3.ExprRef
    width: int


@dataclass(frozen=True, eq=False)
class Flag(Value):
    """A bit."""

    bit: z3.BoolRef


@dataclass(frozen=True)
class Opened:
    """What is opened: a function of this number mod 2^width alone, to this party.

    Attributes:
        party: the receiver.
        name: the output's name.
        word: the number.
    """

    party: int
    name: str
    word: Word


@dataclass
class Words:
    """The meanings.

    Attributes:
        meaning: the theory.
        calls: which operations were called on what: see :func:`kind`.
        requirements: what the operations require of their operands, with the operation's name.
        inputs: words of each party, in the order of reading.
        flags: likewise.
        ranges: the conditions that inputs are numbers of their widths.
        opened: in the order of opening.
    """

    meaning: Meaning
    calls: dict[tuple[object, ...], tuple[object, ...]] = field(default_factory=dict)
    requirements: list[tuple[str, z3.BoolRef]] = field(default_factory=list)
    inputs: dict[int, list[Word]] = field(default_factory=dict)
    flags: dict[int, list[Flag]] = field(default_factory=dict)
    ranges: list[z3.BoolRef] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)

    def _called(self, method: str, *operands: object) -> None:
        call = (method, *map(kind, operands))
        self.calls.setdefault(call, (method, *operands))

    def _require(self, method: str, condition: z3.BoolRef) -> None:
        self.requirements.append((method, condition))

    def _numbers(self, width: int, *words: object) -> list[z3.ExprRef]:
        """The numbers of words of this width.

        Raises:
            UnknownConstructError: an operand is no such word.
        """
        numbers = []
        for word in words:
            if not isinstance(word, Word) or word.width != width:
                raise UnknownConstructError(f"an operand that is no word of {width} bits")
            numbers.append(word.number)
        return numbers

    def input_words(self, player: int, count: int, width: int) -> list[Word]:
        """Inputs that may be any numbers."""
        self._called("input_words", player, count, width)
        mine = self.inputs.setdefault(player, [])
        for _ in range(count):
            number, is_number = self.meaning.variable(f"input_{player}_{len(mine)}", width)
            self.ranges.append(is_number)
            mine.append(Word(number, width))
        return mine[-count:]

    def input_flags(self, player: int, count: int) -> list[Flag]:
        """Inputs that may be any flags."""
        self._called("input_flags", player, count)
        mine = self.flags.setdefault(player, [])
        mine += [Flag(z3.Bool(f"flag_{player}_{len(mine) + number}")) for number in range(count)]
        return mine[-count:]

    def add_halves(self, left: Word, left_half: Flag, right: Word, right_half: Flag, width: int) -> Word:
        """(left + left_half / 2) + (right + right_half / 2), rounded down, mod 2^width."""
        self._called("add_halves", left, left_half, right, right_half, width)
        a, b = self._numbers(width, left, right)
        return Word(rounded_sum(self.meaning, (a, left_half.bit), (b, right_half.bit), width), width)

    def add(self, left: Word, right: Word, width: int) -> Word:
        """left + right mod 2^width."""
        self._called("add", left, right, width)
        a, b = self._numbers(width, left, right)
        return Word(self.meaning.add(a, b, width), width)

    def subtract(self, left: Word, right: Word, width: int) -> Word:
        """left - right mod 2^width."""
        self._called("subtract", left, right, width)
        a, b = self._numbers(width, left, right)
        return Word(self.meaning.subtract(a, b, width), width)

    def less(self, left: Word, right: Word, width: int) -> Flag:
        """left < right, where their difference fits the width."""
        self._called("less", left, right, width)
        a, b = self._numbers(width, left, right)
        self._require("less", self.meaning.difference_fits(a, b, width))
        return Flag(self.meaning.less(a, b))

    def less_any(self, left: Word, right: Word, width: int) -> Flag:
        """left < right, whatever they are."""
        self._called("less_any", left, right, width)
        return Flag(self.meaning.less(*self._numbers(width, left, right)))

    def select(self, flag: Flag, if_one: Word, if_zero: Word) -> Word:
        """One of two words."""
        self._called("select", flag, if_one, if_zero)
        width = if_one.width
        return Word(self.meaning.select(flag.bit, *self._numbers(width, if_one, if_zero)), width)

    def both(self, first: Flag, second: Flag) -> Flag:
        """first AND second."""
        self._called("both", first, second)
        return Flag(z3.And(first.bit, second.bit))

    def neither(self, flag: Flag, other: Flag) -> Flag:
        """flag AND NOT other, where other implies flag."""
        self._called("neither", flag, other)
        self._require("neither", z3.Implies(other.bit, flag.bit))
        return Flag(z3.And(flag.bit, z3.Not(other.bit)))

    def invert(self, flag: Flag) -> Flag:
        """NOT flag."""
        self._called("invert", flag)
        return Flag(z3.Not(flag.bit))

    def number(self, flag: Flag, width: int) -> Word:
        """1 where the flag is set, else 0."""
        self._called("number", flag, width)
        one, zero = self.meaning.constant(1, width), self.meaning.constant(0, width)
        return Word(self.meaning.select(flag.bit, one, zero), width)

    def index_word(self, flags: list[Flag], width: int) -> Word:
        """The position of the flag that is set, of which there is one at most."""
        self._called("index_word", flags, width)
        bits = [flag.bit for flag in flags]
        self._require("index_word", z3.AtMost(*bits, 1))
        return Word(self.meaning.position(bits, width), width)

    def mask(self, flag: Flag, word: Word) -> Word:
        """The word where the flag is set, else 0."""
        self._called("mask", flag, word)
        zero = self.meaning.constant(0, word.width)
        return Word(self.meaning.select(flag.bit, word.number, zero), word.width)

    def open_to(self, player: int, name: str, word: Word, width: int) -> None:
        """Tells one party the number mod 2^width, and nobody else anything."""
        self._called("open_to", player, name, word, width)
        self._numbers(width, word)
        self.opened.append(Opened(player, name, word))

    def print_outputs(self) -> None:
        """Prints what was opened: values do not change."""


def rounded_sum(
    meaning: Meaning, left: tuple[z3.ExprRef, z3.BoolRef], right: tuple[z3.ExprRef, z3.BoolRef], width: int
) -> z3.ExprRef:
    """The sum of two numbers with halves, rounded down, mod 2^width: two halves are one."""
    (a, a_half), (b, b_half) = left, right
    carry = meaning.select(z3.And(a_half, b_half), meaning.constant(1, width), meaning.constant(0, width))
    return meaning.add(meaning.add(a, b, width), carry, width)


def kind(operand: object) -> object:
    """What a lemma depends on: a word's width, how many flags; everything else as it is.

    Raises:
        UnknownConstructError: a program passes what is no operand of the library.
    """
    if isinstance(operand, Word):
        return ("word", operand.width)
    if isinstance(operand, Flag):
        return ("flag",)
    if isinstance(operand, list | tuple):
        return ("list", *map(kind, operand))
    if isinstance(operand, str):
        return ("text",)
    if isinstance(operand, int):
        return operand
    raise UnknownConstructError(f"an operand of type {type(operand).__name__}")
