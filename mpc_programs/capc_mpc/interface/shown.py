"""A program for people: what its head says, and, for given arguments, every input in its order and who learns what."""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_mpc.interface.encoding import fields_of
from capc_mpc.interface.protocols import Domain
from capc_mpc.interface.steps import (
    MAX_CLASSES,
    MAX_NUMBERS,
    MAX_PARTIES,
    MAX_WIDTH,
    PROGRAM_NAMES,
    Step,
    program_file,
)

LIMITS = (
    f"2 to {MAX_CLASSES} classes, 1 to {MAX_WIDTH} bits of a number, at most {MAX_PARTIES} parties, and "
    f"{MAX_NUMBERS:,} inputs of all parties and cases together"
)
ORDER = (
    "A party's file has its fields in this order, one number of a field after another, and of each number all cases "
    "before the next number. Numbers that enter as bits are cut into limbs of 32 bits, the lowest first."
)


@dataclass(frozen=True)
class Line:
    """One field of inputs, or one output.

    Attributes:
        party: who gives it, or learns it.
        name: as a column of --inputs, or in the result.
        count: numbers in each case.
        width: bits of a number.
        drawn: whether the runner draws it if it is not given.
    """

    party: int
    name: str
    count: int
    width: int
    drawn: bool = False


def head_of(program: str) -> str:
    """What the head of a program's file says.

    Raises:
        InputError: there is no such program.
    """
    if program not in PROGRAM_NAMES:
        raise InputError(f"program {program!r} is unknown: choose one of {', '.join(PROGRAM_NAMES)}")
    text = program_file(f"{program}.mpc").read_text(encoding="utf-8")
    return text.split('"""')[1].strip()


def inputs_of(step: Step, domain: Domain) -> list[Line]:
    """Every field of a step in its order, pads included."""
    return [
        Line(field.party, field.name, field.count, field.width, drawn=field.uniform)
        for field in sorted(fields_of(step, domain), key=lambda field: field.party)
    ]


def outputs_of(step: Step) -> list[Line]:
    """Every output of a step, by who learns it."""
    return [Line(output.party, output.name, 1, output.width) for output in step.outputs]
