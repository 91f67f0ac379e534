"""Vectors of numbers of the arithmetic domain: `sint`, and what `reveal_to` gives a party."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capc_mpc.emulator.algebra import Word
from capc_mpc.emulator.binary import sbits
from capc_mpc.emulator.errors import UnknownConstructError
from capc_mpc.emulator.machine import Opening, running
from capc_mpc.emulator.values import Value


class sint(Value):  # noqa: N801 - the dialect's name
    """A vector of secret numbers.

    Attributes:
        words: one element of the domain for each entry.
    """

    def __init__(self, words: list[Word]) -> None:
        self.words = words

    @classmethod
    def get_input_from(cls, player: int, size: int = 1) -> sint:
        """The party's next inputs, integers in [-2^63, 2^64): beyond, machines disagree."""
        machine = running()
        domain = machine.numbers
        words = [machine.next_input(player, domain.width, -(1 << 63), 1 << 64) for _ in range(size)]
        return cls([domain.constant(word) if isinstance(word, int) else word for word in words])

    @classmethod
    def conv(cls, value: object) -> sint:
        """The bits of a register of lanes, as numbers 0 and 1; a vector of numbers as it is."""
        if isinstance(value, sint):
            return value
        if not isinstance(value, sbits):
            raise UnknownConstructError(f"sint.conv of {type(value).__name__}")
        machine = running()
        return cls([machine.numbers.from_bit(machine.algebra.extract(value.word, i, 1)) for i in range(value.n)])

    @classmethod
    def bit_compose(cls, bits: Iterable[sbits]) -> sint:
        """In every lane the number with these bits, lowest first."""
        total, *others = [cls.conv(register) * (1 << position) for position, register in enumerate(bits)]
        for number in others:
            total = total + number
        return total

    def _with(self, other: object, operation: Callable[[Word, Word], Word]) -> sint:
        if isinstance(other, int):
            words = [running().numbers.constant(other)] * len(self.words)
        elif isinstance(other, sint):
            words = other.words
        else:
            raise UnknownConstructError(f"an operation of sint and {type(other).__name__}")
        if len(words) != len(self.words):
            raise UnknownConstructError(f"an operation on vectors of {len(self.words)} and {len(words)} entries")
        return sint([operation(a, b) for a, b in zip(self.words, words, strict=True)])

    def __add__(self, other: object) -> sint:
        return self._with(other, running().numbers.add)

    def __sub__(self, other: object) -> sint:
        return self._with(other, running().numbers.subtract)

    def __rsub__(self, other: object) -> sint:
        return self._with(other, _subtracted_from)

    def __mul__(self, other: object) -> sint:
        return self._with(other, running().numbers.multiply)

    __radd__, __rmul__ = __add__, __mul__

    def less_than(self, other: object, bit_length: int) -> sint:
        """1 where self - other, a signed number of ``bit_length`` + 1 bits, is negative, else 0."""
        difference = self - other
        return sintbit([running().numbers.is_negative(word, bit_length + 1) for word in difference.words])

    def reveal_to(self, player: int) -> personal:
        """Opened to one party, as whole elements of the domain."""
        machine = running()
        domain = machine.numbers
        party = machine.check_party(player)
        machine.openings.extend(Opening(party, domain.name, domain.width, word) for word in self.words)
        return personal(party, self.words)


class sintbit(sint):  # noqa: N801 - the dialect's name
    """What a comparison gives: numbers 0 and 1. The compiler compares them with their like only."""

    def __rsub__(self, other: object) -> sint:
        difference = self._with(other, _subtracted_from)
        return sintbit(difference.words) if isinstance(other, int) and other == 1 else difference

    def less_than(self, other: object, bit_length: int) -> sint:
        """As of any number, where the other one is no wider type."""
        if not isinstance(other, sintbit | int):
            raise UnknownConstructError(f"a comparison of sintbit and {type(other).__name__}")
        return super().less_than(other, bit_length)


def _subtracted_from(a: Word, b: Word) -> Word:
    return running().numbers.subtract(b, a)


class personal(Value):  # noqa: N801 - the dialect's name
    """A vector of numbers that one party knows."""

    def __init__(self, player: int, words: list[Word]) -> None:
        self.player = player
        self.words = words
