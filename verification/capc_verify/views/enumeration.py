"""Every outcome of every draw: choices that are replayed depth first, and random streams made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource, Seed
from capc_verify.views.law import Law, Tally

Result = TypeVar("Result")


class Choices:
    """A path through a tree of uniform choices. It is walked once for each leaf, always from the root.

    The walk must be a function of the choices alone: then the leaves are all outcomes, each exactly once.
    """

    def __init__(self) -> None:
        self._path: list[int] = []
        self._radices: list[int] = []
        self._depth = 0

    def choose(self, radix: int) -> int:
        """A uniform value in [0, radix): the next one of the path, or 0 where the path ends."""
        if self._depth == len(self._path):
            self._path.append(0)
            self._radices.append(radix)
        if self._radices[self._depth] != radix:
            raise InputError(
                f"choice {self._depth} has radix {radix} and had {self._radices[self._depth]}: not a replay"
            )
        self._depth += 1
        return self._path[self._depth - 1]

    @property
    def denominator(self) -> int:
        """The probability of this path is 1 / denominator."""
        product = 1
        for radix in self._radices:
            product *= radix
        return product

    def advance(self) -> bool:
        """Goes back to the root, with the next path; False when there is none."""
        if self._depth != len(self._path):
            raise InputError(f"a replay made {self._depth} of {len(self._path)} choices: it depends on something else")
        while self._path and self._path[-1] + 1 == self._radices[-1]:
            self._path.pop()
            self._radices.pop()
        if not self._path:
            return False
        self._path[-1] += 1
        self._depth = 0
        return True


class Draw(NamedTuple):
    """One draw of a stream, before it has a value.

    Attributes:
        key: the seed of the stream.
        label: its label.
        position: how many draws of the stream came before.
        radix: the number of equally likely values.
    """

    key: Seed
    label: bytes
    position: int
    radix: int


class Tape:
    """Makes streams whose draws are enumerated, or fixed.

    Two streams of one key and label give the same values, as they do with SHAKE-256; two ends of a pair draw the same
    masks that way, and a step that used a label twice would be seen to repeat itself.

    Args:
        fix: gives a draw a constant value, or None to have it enumerated. The law is then conditional on the constants.
    """

    def __init__(self, fix: Callable[[Draw], int | None]) -> None:
        self._fix = fix
        self._choices = Choices()
        self._drawn: dict[tuple[Seed, bytes], list[tuple[int, int]]] = {}
        self.enumerated: list[tuple[Draw, int]] = []
        """The enumerated draws of the present outcome, with their values, in order."""

    def expand(self, key: Seed, label: bytes) -> RandomSource:
        """Stands for :class:`capc.foundation.randomness.XofSource`."""
        return _Stream(self, key, label)

    def outcomes(self, play: Callable[[], Result]) -> Iterator[tuple[Result, int]]:
        """Runs ``play`` once for every outcome of its draws.

        Yields:
            what it returned, and the denominator of its probability 1 / n.
        """
        self._choices = Choices()
        more = True
        while more:
            self._drawn.clear()
            self.enumerated.clear()
            yield play(), self._choices.denominator
            more = self._choices.advance()

    def law(self, play: Callable[[], object]) -> Law:
        """The exact law of what ``play`` returns; its results are hashable."""
        tally = Tally()
        for result, denominator in self.outcomes(play):
            tally.add(result, denominator)
        return tally.law()

    def draw(self, key: Seed, label: bytes, position: int, radix: int) -> int:
        """The value of one draw of a stream, the same for every reader of the stream."""
        drawn = self._drawn.setdefault((key, label), [])
        if position < len(drawn):
            known_radix, value = drawn[position]
            if known_radix != radix:
                raise InputError(f"a stream is read as {known_radix} and as {radix} values: it has two uses")
            return value
        site = Draw(key, label, position, radix)
        fixed = self._fix(site)
        if fixed is None:
            value = self._choices.choose(radix)
            self.enumerated.append((site, value))
        else:
            value = fixed % radix
        drawn.append((radix, value))
        return value


class _Stream:
    """A :class:`~capc.foundation.randomness.RandomSource` that reads from a tape."""

    def __init__(self, tape: Tape, key: Seed, label: bytes) -> None:
        self._tape = tape
        self._key = key
        self._label = label
        self._position = 0

    def read(self, length: int) -> bytes:
        """Refused: in the hybrid model no step after set-up reads bytes, and 2^(8 length) outcomes are too many."""
        raise InputError(f"a step reads {length} bytes of {self._label[:40]!r}: this cannot be enumerated")

    def bits(self, width: int) -> int:
        """An enumerated integer in [0, 2^width)."""
        return self.below(1 << width)

    def below(self, bound: int) -> int:
        """An enumerated integer in [0, bound): the exact law of rejection sampling."""
        self._position += 1
        return self._tape.draw(self._key, self._label, self._position - 1, bound)
