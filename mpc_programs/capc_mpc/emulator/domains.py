"""What `sint` computes in: a ring Z_{2^k} or a prime field. A Boolean machine has neither."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from capc_mpc.emulator.algebra import Algebra, Word
from capc_mpc.emulator.errors import UnknownConstructError


class Domain(ABC):
    """Elements of the domain, as words of ``width`` bits.

    Attributes:
        name: `ring` or `field`, as openings are labelled.
        width: bits of an element's representative.
    """

    name: str
    width: int

    @abstractmethod
    def constant(self, value: int) -> Word:
        """The integer, reduced."""

    def reduced(self, word: Word) -> Word:
        """What Python's operator gave, as an element."""
        return self.constant(word)

    def add(self, a: Word, b: Word) -> Word:
        """The sum."""
        return self.reduced(a + b)

    def subtract(self, a: Word, b: Word) -> Word:
        """The difference."""
        return self.reduced(a - b)

    def multiply(self, a: Word, b: Word) -> Word:
        """The product."""
        return self.reduced(a * b)

    @abstractmethod
    def from_bit(self, bit: Word) -> Word:
        """The element 0 or 1 of a one-bit word."""

    def is_negative(self, a: Word, length: int) -> Word:  # noqa: ARG002 - a ring's alone
        """The element 1 if a, as a signed number of ``length`` bits, is negative, else 0.

        Raises:
            UnknownConstructError: the domain is a field, in which the programs compare nothing.
        """
        raise UnknownConstructError(f"a comparison in a {self.name}")


@dataclass
class Ring(Domain):
    """Z_{2^width}. Operations on numbers of fewer bits read those bits, whatever stands above them.

    The comparison of MP-SPDZ (Dalskov, Escudero, Keller, ePrint 2019/889, and its split variant) opens a masked value
    from which everything above bit ``length`` - 1 is shifted out: it gives that bit, for every element.
    """

    algebra: Algebra
    width: int = 64
    name: str = "ring"

    def constant(self, value: int) -> Word:
        """The integer mod 2^width."""
        return self.algebra.constant(value, self.width)

    def reduced(self, word: Word) -> Word:
        """Mod 2^width."""
        return self.algebra.wrap(word, self.width)

    def from_bit(self, bit: Word) -> Word:
        """The bit with zeros above it."""
        return self.algebra.extend(bit, 1, self.width)

    def is_negative(self, a: Word, length: int) -> Word:
        """Bit ``length`` - 1."""
        return self.from_bit(self.algebra.extract(a, length - 1, 1))


class Field(Domain):
    """The integers mod a prime, in [0, prime).

    Args:
        prime: an odd prime. The machine picks one.
    """

    name = "field"

    def __init__(self, prime: int) -> None:
        self.prime = prime
        self.width = prime.bit_length()

    def constant(self, value: int) -> int:
        """The integer mod the prime."""
        return value % self.prime

    def from_bit(self, bit: int) -> int:
        """The bit itself."""
        return bit
