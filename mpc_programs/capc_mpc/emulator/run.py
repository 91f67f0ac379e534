"""Running a program in the emulator: on integers, or on formulas over all its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.emulator.algebra import Algebra, Integers, Word
from capc_mpc.emulator.domains import Domain, Field, Ring
from capc_mpc.emulator.errors import ProgramError
from capc_mpc.emulator.machine import Machine, Opening, Output, run_on
from capc_mpc.emulator.source import Source, program_handle


@dataclass(frozen=True)
class Target:
    """What a program is compiled for: exactly one of the three kinds of domain.

    Attributes:
        ring: k for a protocol over Z_{2^k} (``-R k``).
        prime: for a protocol over a prime field (neither ``-R`` nor ``-B``).
        binary: for a Boolean protocol (``-B``).
        garbled: with ``binary``: a garbled-circuit protocol (``-G``).
    """

    ring: int | None = None
    prime: int | None = None
    binary: bool = False
    garbled: bool = False

    def __post_init__(self) -> None:
        if (self.ring is not None) + (self.prime is not None) + self.binary != 1:
            raise InputError("a target is exactly one of a ring, a prime and binary")

    @property
    def options(self) -> dict[str, object]:
        """The compiler's options, as the program sees them."""
        return {
            "ring": str(self.ring) if self.ring else None,
            "binary": "64" if self.binary else None,
            "garbled": self.garbled,
        }

    def domain(self, algebra: Algebra) -> Domain | None:
        """The arithmetic domain."""
        if self.ring is not None:
            return Ring(algebra, self.ring)
        return None if self.prime is None else Field(self.prime)


RING = Target(ring=64)
FIELD = Target(prime=(1 << 127) - 1)
BINARY = Target(binary=True)
GARBLED = Target(binary=True, garbled=True)
TARGETS = {"ring": RING, "field": FIELD, "binary": BINARY, "garbled": GARBLED}
"""One of each kind."""


@dataclass(frozen=True)
class Emulation:
    """What happened in a run.

    Attributes:
        openings: every value that was opened, raw.
        outputs: every line that was printed.
    """

    openings: tuple[Opening, ...]
    outputs: tuple[Output, ...]

    def printed_to(self, party: int) -> list[tuple[str | tuple[Word, ...], ...]]:
        """The lines that a party reads, as the values at their ``%s``."""
        return [line.parts for line in self.outputs if line.party in {None, party}]


class QueuedInputs:
    """Inputs as a player's input file has them: integers, read one after another."""

    def __init__(self, inputs: Mapping[int, Sequence[int]]) -> None:
        self._left = {party: iter(values) for party, values in inputs.items()}

    def __call__(self, party: int, width: int) -> int:  # noqa: ARG002 - the caller knows the range rule of its type
        """The party's next integer.

        Raises:
            ProgramError: none is left.
        """
        for value in self._left.get(party, ()):
            return value
        raise ProgramError(f"player {party} has no input left")

    def check_consumed(self) -> None:
        """Refuses inputs that the program left unread.

        Raises:
            ProgramError: some are left.
        """
        for party, values in self._left.items():
            if any(True for _ in values):
                raise ProgramError(f"player {party} has inputs that the program did not read")


def emulate(
    program: Path, arguments: Sequence[object], inputs: Mapping[int, Sequence[int]], target: Target, parties: int = 2
) -> Emulation:
    """Runs a program on integers.

    Args:
        program: the `.mpc` file.
        arguments: its arguments.
        inputs: for each party, its private inputs in the order in which the program reads them.
        target: what it is compiled for.
        parties: how many take part.

    Returns:
        The raw openings and the printed lines.

    Raises:
        EmulatorError: the program uses what the emulator does not know, breaks a precondition, or fails.
    """
    queue = QueuedInputs(inputs)
    algebra = Integers()
    result = emulate_on(Machine(algebra, target.domain(algebra), parties, queue), program, arguments, target)
    queue.check_consumed()
    return result


def emulate_on(
    machine: Machine,
    program: Path,
    arguments: Sequence[object],
    target: Target,
    replaced: Mapping[tuple[str, str], object] | None = None,
) -> Emulation:
    """Runs a program on a given machine, with parts of its library replaced: for proofs.

    Raises:
        EmulatorError: as :func:`emulate`.
    """
    with run_on(machine):
        Source(program, program_handle(program, arguments, target.options), replaced).run()
    return Emulation(tuple(machine.openings), tuple(machine.outputs))
