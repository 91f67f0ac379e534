"""The lemmas: the library's text, executed on formulas, does what `words` says, in each domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import z3

from capc.foundation.errors import CapcError
from capc_mpc.emulator.machine import Machine, run_on
from capc_mpc.emulator.run import TARGETS
from capc_mpc.emulator.solver import Formulas, FreshInputs
from capc_mpc.emulator.source import Source, program_handle
from capc_verify.proofs.programs.meaning import BitVectors
from capc_verify.proofs.programs.representation import REPRESENTATIONS, Representation
from capc_verify.proofs.programs.words import Flag, Word, Words

PARTIES = 2


class NotProvedError(CapcError):
    """The solver found a counterexample, or gave up. The message says for what."""


@dataclass(frozen=True)
class Proved:
    """One thing that the solver showed.

    Attributes:
        what: in words.
        seconds: how long it took.
    """

    what: str
    seconds: float


def prove(what: str, claims: Iterable[z3.BoolRef], assumptions: Iterable[z3.BoolRef], solver: z3.Solver) -> Proved:
    """Shows that the claims follow from the assumptions, each with the help of those before it.

    Raises:
        NotProvedError: one does not, or the solver gave up.
    """
    begin = perf_counter()
    solver.add(*assumptions)
    for claim in claims:
        solver.push()
        solver.add(z3.Not(claim))
        answer = solver.check()
        if answer != z3.unsat:
            raise NotProvedError(f"{what}: {'a counterexample exists' if answer == z3.sat else 'the solver gave up'}")
        solver.pop()
        solver.add(claim)
    return Proved(what, perf_counter() - begin)


def prove_call(library: Path, target: str, call: Sequence[object], seconds: int) -> Proved:
    """Shows that an operation of the library means what `words` says, on any operands of the call's kinds.

    Args:
        library: a program beside the library file.
        target: a name of the emulator's targets.
        call: the operation's name, then operands as `words` recorded them.
        seconds: until the solver gives up.

    Raises:
        NotProvedError: it does not.
    """
    method, *recorded = call
    words = Words(BitVectors())
    operands: list[Any] = [_fresh(operand, f"operand{i}") for i, operand in enumerate(recorded)]
    expected = getattr(words, str(method))(*operands)
    assumptions = [condition for _, condition in words.requirements]

    formulas, reader = Formulas(), FreshInputs()
    holds = REPRESENTATIONS[target](formulas)
    machine = Machine(formulas, holds.domain(), PARTIES, reader)
    options = TARGETS[target].options
    with run_on(machine):
        capc_lib = Source(library, program_handle(library, [], options)).load("capc_lib")
        actual = capc_lib.domain_of(SimpleNamespace(**options), 1)
        values = []
        for i, operand in enumerate(operands):
            value, condition = _represented(holds, operand, f"operand{i}")
            values.append(value)
            assumptions.append(condition)
        result = getattr(actual, str(method))(*values)
    if method == "input_words":
        numbers, admitted = holds.inputs(reader.variables[operands[0]], operands[2])
        assumptions.append(admitted)
        given = [Word(number, operands[2]) for number in numbers]
        claims = [fact for value, word in zip(result, given, strict=True) for fact in holds.is_word(value, word)]
    elif method == "input_flags":
        bits, admitted = holds.flags(reader.variables[operands[0]])
        assumptions.append(admitted)
        claims = [holds.is_flag(value, bit) for value, bit in zip(result, bits, strict=True)]
    elif method == "open_to":
        player, _, word, _ = operands
        claims = [holds.is_opened(machine.openings, player, word, reader.variables)]
    elif isinstance(expected, Flag):
        claims = [holds.is_flag(result, expected.bit)]
    else:
        claims = holds.is_word(result, expected)
    assumptions += formulas.definitions
    claims = formulas.obligations + claims
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", seconds * 1000)
    return prove(f"{target}: {describe(call)}", claims, assumptions, solver)


def describe(call: Sequence[object]) -> str:
    """A call's name and the kinds of its operands, for people."""
    return f"{call[0]}({', '.join(_described(operand) for operand in call[1:])})"


def _described(operand: object) -> str:
    if isinstance(operand, Word):
        return f"{operand.width}-bit word"
    if isinstance(operand, list | tuple):
        return f"{len(operand)} flags"
    return "flag" if isinstance(operand, Flag) else str(operand)


def _fresh(operand: object, name: str) -> object:
    """Any operand of this kind."""
    if isinstance(operand, Word):
        return Word(z3.BitVec(name, operand.width), operand.width)
    if isinstance(operand, Flag):
        return Flag(z3.Bool(name))
    if isinstance(operand, list | tuple):
        return [_fresh(entry, f"{name}_{i}") for i, entry in enumerate(operand)]
    return operand


def _represented(holds: Representation, operand: object, name: str) -> tuple[object, z3.BoolRef]:
    if isinstance(operand, Word):
        return holds.word(operand, name)
    if isinstance(operand, Flag):
        return holds.flag(operand.bit), z3.BoolVal(True)
    if isinstance(operand, list):
        return [holds.flag(flag.bit) for flag in operand], z3.BoolVal(True)
    return operand, z3.BoolVal(True)
