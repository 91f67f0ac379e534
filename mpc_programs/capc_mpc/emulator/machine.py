"""The machine that runs a program: whose inputs it reads, what it opens to whom, and what it prints to whom.

Spec: CAPC-MPC-030, CAPC-MPC-031.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from capc_mpc.emulator.algebra import Algebra, Word
from capc_mpc.emulator.domains import Domain
from capc_mpc.emulator.errors import ProgramError, UnknownConstructError

InputReader = Callable[[int, int], Word]
"""(party, width) -> the party's next input: any integer, or a formula of that width."""


@dataclass(frozen=True)
class Opening:
    """One value that the program opened, as it travels: before anyone reduces, unmasks or formats it.

    Attributes:
        party: who sees it, or None for everybody.
        domain: `ring`, `field` or `binary`.
        width: bits of the value.
        word: the value.
    """

    party: int | None
    domain: str
    width: int
    word: Word


@dataclass(frozen=True)
class Output:
    """One printed line.

    Attributes:
        party: who prints it, or None for everybody.
        text: the format.
        parts: what stands at each ``%s``: text, or the opened words.
    """

    party: int | None
    text: str
    parts: tuple[str | tuple[Word, ...], ...]


@dataclass
class Machine:
    """What a program acts on.

    Attributes:
        algebra: the words of registers.
        domain: the arithmetic numbers; None on a Boolean machine.
        parties: how many take part.
        read_input: the private inputs.
        openings: everything opened so far, in order.
        outputs: everything printed so far, in order.
    """

    algebra: Algebra
    domain: Domain | None
    parties: int
    read_input: InputReader
    openings: list[Opening] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)

    def check_party(self, party: object) -> int:
        """A player that takes part.

        Raises:
            UnknownConstructError: the player is not known at compile time.
            ProgramError: no such player.
        """
        if not isinstance(party, int):
            raise UnknownConstructError(f"a player given as {type(party).__name__}")
        if not 0 <= party < self.parties:
            raise ProgramError(f"player {party}: the run has {self.parties} parties")
        return party

    def next_input(self, party: object, width: int, low: int, high: int) -> Word:
        """The party's next input: an integer, not reduced yet, or a formula of ``width`` bits.

        Raises:
            ProgramError: it is outside [low, high).
        """
        word = self.read_input(self.check_party(party), width)
        if isinstance(word, int) and not low <= word < high:
            raise ProgramError(f"an input of player {party} is out of range")
        return word

    @property
    def numbers(self) -> Domain:
        """The arithmetic domain.

        Raises:
            UnknownConstructError: a Boolean machine has none.
        """
        if self.domain is None:
            raise UnknownConstructError("sint in a Boolean circuit")
        return self.domain


_running: ContextVar[Machine] = ContextVar("machine")


def running() -> Machine:
    """The machine of the program that is being emulated: the dialect's types are global, as in the compiler."""
    return _running.get()


@contextmanager
def run_on(machine: Machine) -> Iterator[None]:
    """Makes the machine the running one."""
    token = _running.set(machine)
    try:
        yield
    finally:
        _running.reset(token)
