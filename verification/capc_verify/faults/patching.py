"""Replaces a function of the shipped code wherever a module holds it, also under ``from x import y``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from capc.foundation import ring
from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc_verify.faults.planting import modules

State = Any
"""A step's state. Faults handle the states of all roles alike, by field names."""
Step = Callable[..., Any]


def replace_everywhere(correct: Callable[..., Any], faulty: Callable[..., Any]) -> None:
    """Puts ``faulty`` in the place of a module-level function, in every module that is loaded, the tests' as well.

    Raises:
        InputError: no module holds the function: the fault would do nothing.
    """
    holders = [(module, name) for module in modules() for name, value in vars(module).items() if value is correct]
    if not holders:
        raise InputError(f"no module holds {correct!r}: the fault has lost what it replaces")
    for module, name in holders:
        setattr(module, name, faulty)


def replace_in(module: ModuleType, name: str, faulty: object) -> None:
    """Puts ``faulty`` in the place of a function, or of a module of functions, for the callers in one module only.

    Raises:
        InputError: the module has no such name.
    """
    if not hasattr(module, name):
        raise InputError(f"{module.__name__} has no {name}: the fault has lost what it replaces")
    setattr(module, name, faulty)


def with_altered_state(step: Step, alter: Callable[[State], State]) -> Step:
    """A step that works on an altered copy of its state.

    The given state is spent as usual, as its copy shares its mark; the state that the step returns continues with the
    unaltered party.

    Args:
        step: takes a state with a ``party``, and returns the next such state and a message.
        alter: makes the copy.
    """

    def faulty(state: State, *arguments: object) -> tuple[State, bytes]:
        following, message = step(alter(state), *arguments)
        return replace(following, party=state.party), message

    return faulty


def with_suite(state: State, **changes: object) -> State:
    """A copy of a state whose party uses other building blocks."""
    party = state.party
    return replace(state, party=replace(party, suite=replace(party.suite, **changes)))


class FirstDraws:
    """A source whose draws come from a function for as long as that gives any, then from the correct source."""

    def __init__(self, draw: Callable[[int], int | None], correct: RandomSource) -> None:
        self._draw = draw
        self._correct = correct

    def bits(self, width: int) -> int:
        """The function's draw, or a correct one."""
        drawn = self._draw(width)
        return self._correct.bits(width) if drawn is None else ring.reduce(drawn, width)

    def read(self, length: int) -> bytes:
        """Correct bytes."""
        return self._correct.read(length)

    def below(self, bound: int) -> int:
        """A correct draw."""
        return self._correct.below(bound)
