"""A step of the protocol in the emulator: the same inputs, files and outputs as on the real machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_mpc.emulator.run import TARGETS, Emulation, emulate
from capc_mpc.interface.encoding import Case, decode, input_text
from capc_mpc.interface.protocols import Domain
from capc_mpc.interface.steps import Step, program_file

DOMAINS = {"ring": Domain.RING, "field": Domain.FIELD, "binary": Domain.BOOLEAN, "garbled": Domain.BOOLEAN}
"""The domain of each of the emulator's targets."""


@dataclass(frozen=True)
class EmulatedStep:
    """What came out.

    Attributes:
        emulation: raw openings and printed lines.
        raw: for each party what it printed, name and values.
        learnt: for each party the numbers that it learns, by name, one per case.
    """

    emulation: Emulation
    raw: list[list[tuple[str, list[int]]]]
    learnt: list[dict[str, list[int]]]


def emulate_step(step: Step, cases: Sequence[Case], target: str) -> EmulatedStep:
    """Runs a step's program on complete cases, pads included.

    Args:
        step: program, arguments, inputs and outputs.
        cases: one for each of the batch: see :func:`capc_mpc.interface.encoding.complete`.
        target: `ring`, `field`, `binary` or `garbled`.

    Raises:
        InputError: no such target.
        EmulatorError: the emulator does not run the program.
        MpcError: a party printed what was not due, or an opened value is not reduced.
    """
    if target not in TARGETS:
        raise InputError(f"target {target!r} is unknown: choose one of {', '.join(TARGETS)}")
    parties = range(step.parties)
    inputs = {
        party: [int(word) for word in input_text(step, DOMAINS[target], party, cases).split()] for party in parties
    }
    program = program_file(f"{step.program}.mpc")
    emulation = emulate(program, step.arguments, inputs, TARGETS[target], step.parties)
    raw = [[(str(name), list(values)) for name, values in emulation.printed_to(party)] for party in parties]
    return EmulatedStep(emulation, raw, decode(step, DOMAINS[target], raw, cases))
