"""Programs are made once per circuit and number of lanes, and lent to one user at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from capc.two_party.circuits.builder import Circuit

Program = TypeVar("Program")

IDLE_PROGRAMS = 8
"""As many as a batch under LeNet-5 needs, with two sizes of chunks for a circuit; some 10 MB each, none above 13 MB."""


class ProgramPool(Generic[Program]):
    """Keeps the programs that were used last.

    A program's buffers hold labels while it runs, so that two batches must never share it: one that is lent is not in
    the pool, and a second user at the same time is given another.

    Args:
        make: builds a program for a circuit and a number of lanes.
        kept: how many programs wait for their next user.
    """

    def __init__(self, make: Callable[[Circuit, int], Program], kept: int = IDLE_PROGRAMS) -> None:
        self._make = make
        self._kept = kept
        self._idle: list[tuple[Circuit, int, Program]] = []

    @contextmanager
    def lend(self, circuit: Circuit, lanes: int) -> Iterator[Program]:
        """A program that nobody else uses inside the block."""
        program = self._take(circuit, lanes) or self._make(circuit, lanes)
        yield program
        self._idle.append((circuit, lanes, program))
        del self._idle[: -self._kept]

    def _take(self, circuit: Circuit, lanes: int) -> Program | None:
        # By identity: comparing circuits costs as much as garbling one.
        for index, (known, size, program) in enumerate(self._idle):
            if known is circuit and size == lanes:
                del self._idle[index]
                return program
        return None
