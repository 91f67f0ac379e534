"""Boolean circuits over XOR, AND and INV, and the builder that folds constants.

The operations are those of the Bristol Fashion format. XOR and INV cost nothing when garbled, so a circuit's
cost is its number of ANDs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from capc.errors import InputError


class Operation(IntEnum):
    """What a gate computes."""

    XOR = 0
    AND = 1
    INV = 2


class Gate(NamedTuple):
    """One gate. The output wire's number is the gate's position after the input wires.

    Attributes:
        operation: XOR, AND or INV.
        left: number of the first input wire.
        right: number of the second input wire; for INV the same as ``left``.
    """

    operation: Operation
    left: int
    right: int


@dataclass(frozen=True)
class Circuit:
    """A circuit between a garbler and an evaluator.

    Wires are numbered: the garbler's inputs, the evaluator's inputs, then one per gate.

    Attributes:
        name: for messages and reports.
        garbler_inputs: how many input bits the garbler has.
        evaluator_inputs: how many input bits the evaluator has.
        gates: in an order in which every input is known before it is used.
        outputs: the wires whose values the evaluator learns, and nobody else.
    """

    name: str
    garbler_inputs: int
    evaluator_inputs: int
    gates: tuple[Gate, ...] = field(repr=False)
    outputs: tuple[int, ...] = field(repr=False)

    @property
    def inputs(self) -> int:
        """Input wires of both parties together."""
        return self.garbler_inputs + self.evaluator_inputs

    @cached_property
    def and_count(self) -> int:
        """The number of AND gates: what garbling pays for."""
        return sum(gate.operation is Operation.AND for gate in self.gates)


def evaluate(circuit: Circuit, garbler_bits: Sequence[int], evaluator_bits: Sequence[int]) -> list[int]:
    """The circuit's outputs on bits in the clear: the definition that garbling must agree with.

    Raises:
        InputError: a party has another number of input bits.
    """
    if len(garbler_bits) != circuit.garbler_inputs or len(evaluator_bits) != circuit.evaluator_inputs:
        raise InputError(
            f"circuit {circuit.name} takes {circuit.garbler_inputs} + {circuit.evaluator_inputs} bits, "
            f"not {len(garbler_bits)} + {len(evaluator_bits)}"
        )
    wires = [*garbler_bits, *evaluator_bits]
    for operation, left, right in circuit.gates:
        if operation is Operation.XOR:
            wires.append(wires[left] ^ wires[right])
        elif operation is Operation.AND:
            wires.append(wires[left] & wires[right])
        else:
            wires.append(wires[left] ^ 1)
    return [wires[wire] for wire in circuit.outputs]


Wire = int
"""A wire number, or one of the two constants below."""
ZERO: Wire = -1
ONE: Wire = -2
_CONSTANTS = (ZERO, ONE)


class Builder:
    """Collects gates. Constants never become gates: XOR, AND and INV of a constant are folded away."""

    def __init__(self, garbler_inputs: int, evaluator_inputs: int) -> None:
        self._garbler_inputs = garbler_inputs
        self._evaluator_inputs = evaluator_inputs
        self._gates: list[Gate] = []

    def garbler_word(self, position: int, width: int) -> list[Wire]:
        """``width`` wires of the garbler's inputs from ``position`` on, least significant bit first."""
        return list(range(position, position + width))

    def evaluator_word(self, position: int, width: int) -> list[Wire]:
        """``width`` wires of the evaluator's inputs from ``position`` on, least significant bit first."""
        start = self._garbler_inputs + position
        return list(range(start, start + width))

    def xor(self, left: Wire, right: Wire) -> Wire:
        """left XOR right."""
        if left == right:
            return ZERO
        if left in _CONSTANTS:
            left, right = right, left
        if right == ZERO:
            return left
        if right == ONE:
            return self.invert(left)
        return self._append(Gate(Operation.XOR, left, right))

    def and_(self, left: Wire, right: Wire) -> Wire:
        """left AND right."""
        if left == right or right == ONE:
            return left
        if left == ONE:
            return right
        if ZERO in (left, right):
            return ZERO
        return self._append(Gate(Operation.AND, left, right))

    def invert(self, wire: Wire) -> Wire:
        """NOT wire."""
        if wire in _CONSTANTS:
            return ONE if wire == ZERO else ZERO
        return self._append(Gate(Operation.INV, wire, wire))

    def build(self, name: str, outputs: Sequence[Wire]) -> Circuit:
        """The finished circuit.

        Raises:
            InputError: an output is a constant, which a correct construction never has.
        """
        if any(wire in _CONSTANTS for wire in outputs):
            raise InputError(f"circuit {name} has a constant output: leave it out")
        return Circuit(name, self._garbler_inputs, self._evaluator_inputs, tuple(self._gates), tuple(outputs))

    def _append(self, gate: Gate) -> Wire:
        self._gates.append(gate)
        return self._garbler_inputs + self._evaluator_inputs + len(self._gates) - 1
