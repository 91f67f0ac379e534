"""Registers of bits: `sbits` and their opened form `cbits`.

A register of n bits is one word of n bits: a number, or one bit of each of n lanes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import ClassVar

from capc_mpc.emulator.algebra import Word
from capc_mpc.emulator.errors import ProgramError, UnknownConstructError
from capc_mpc.emulator.machine import Opening, running
from capc_mpc.emulator.values import Value


class sbits(Value):  # noqa: N801 - the dialect's name
    """Secret bits.

    Attributes:
        n: how many.
        word: their value; None until an input fills the register.
    """

    n: ClassVar[int] = 0

    def __init__(self, value: int | None = None) -> None:
        if self.n == 0:
            raise UnknownConstructError("sbits without a length: use get_type")
        if value is not None and value != 0:
            raise UnknownConstructError(f"a register with the constant {value!r}")
        self._word = None if value is None else running().algebra.constant(0, self.n)

    @classmethod
    def get_type(cls, n: int) -> type[sbits]:
        """The type of registers of n bits."""
        return _sized(n)

    @classmethod
    def of(cls, word: Word, n: int) -> sbits:
        """A register with this word."""
        register = _sized(n)()
        register._word = word
        return register

    @property
    def word(self) -> Word:
        """The value.

        Raises:
            ProgramError: nothing was written to the register.
        """
        if self._word is None:
            raise ProgramError("a register is read before it is written")
        return self._word

    @classmethod
    def trans(cls, rows: Iterable[sbits]) -> list[sbits]:
        """The transposed matrix of bits: register i has bit i of row j at position j."""
        given = list(rows)
        widths = {row.n for row in given}
        if len(widths) != 1:
            raise UnknownConstructError(f"trans of registers of {sorted(widths)} bits")
        words = running().algebra.transpose([row.word for row in given], given[0].n)
        return [sbits.of(word, len(given)) for word in words]

    def fill(self, player: object) -> None:
        """The party's next input, an integer in [-2^n, 2^n), of which n bits are kept; for one bit, 0 or 1."""
        machine = running()
        low, high = (0, 2) if self.n == 1 else (-(1 << self.n), 1 << self.n)
        word = machine.next_input(player, self.n, low, high)
        self._word = machine.algebra.constant(word, self.n) if isinstance(word, int) else word

    def reveal(self) -> cbits:
        """Opened to everybody: a Boolean protocol cannot open to one party."""
        running().openings.append(Opening(None, "binary", self.n, self.word))
        return cbits(self.word, self.n)

    def _word_of(self, other: object) -> Word:
        if not isinstance(other, sbits):
            raise UnknownConstructError(f"an operation of sbits and {type(other).__name__}")
        if other.n != self.n:
            raise UnknownConstructError(f"an operation on registers of {self.n} and {other.n} bits")
        return other.word

    def __xor__(self, other: object) -> sbits:
        return sbits.of(running().algebra.xor(self.word, self._word_of(other)), self.n)

    def __and__(self, other: object) -> sbits:
        return sbits.of(running().algebra.conjunction(self.word, self._word_of(other)), self.n)

    def __invert__(self) -> sbits:
        return sbits.of(running().algebra.invert(self.word, self.n), self.n)


class cbits(Value):  # noqa: N801 - the dialect's name
    """Opened bits: they can be printed."""

    def __init__(self, word: Word, n: int) -> None:
        self.word = word
        self.n = n


@cache
def _sized(n: int) -> type[sbits]:
    """One type for each length, as in the compiler."""
    if not isinstance(n, int) or n < 1:
        raise UnknownConstructError(f"a register of {n!r} bits")
    return type(f"sbits{n}", (sbits,), {"n": n})


def inputb(*arguments: object) -> None:
    """Private inputs: any number of (player, bits, exponent 0, register)."""
    if len(arguments) % 4:
        raise UnknownConstructError(f"inputb with {len(arguments)} arguments")
    for player, bits, exponent, register in zip(*[iter(arguments)] * 4, strict=True):
        if exponent != 0 or not isinstance(register, sbits) or register.n != bits:
            raise UnknownConstructError("inputb of a number that is no integer, or into a register of another length")
        register.fill(player)
