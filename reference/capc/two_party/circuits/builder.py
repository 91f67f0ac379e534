"""Boolean circuits over XOR, AND and INV, and the builder that folds constants.

The operations are those of the Bristol Fashion format. XOR and INV cost nothing when garbled, so a circuit's
cost is its number of ANDs. Spec: CAPC-ARG-017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from capc.foundation import ring
from capc.foundation.errors import InputError


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
class Sharing:
    """The outputs are unsigned words, which leave the circuit as additive shares in Z_{2^width}, one for each party.

    Attributes:
        word_bits: output wires per word, least significant bit first; at most ``width``.
        width: of the ring, at most 64.
    """

    word_bits: int
    width: int

    def __post_init__(self) -> None:
        if not 1 <= self.word_bits <= self.width <= 64:
            raise InputError(f"words of {self.word_bits} bits shared in Z_2^{self.width}: choose 1 to width, up to 64")


@dataclass(frozen=True)
class Circuit:
    """A circuit between a garbler and an evaluator, whose inputs are words of one width.

    Wires are numbered: the bits of the garbler's words, least significant first, those of the evaluator's words,
    then one per gate.

    Attributes:
        name: for messages and reports.
        input_bits: bits of every input word, at most 64.
        garbler_words: how many words the garbler puts in.
        evaluator_words: how many words the evaluator puts in.
        gates: in an order in which every input is known before it is used.
        outputs: the wires whose values go out.
        sharing: how they go out: as shares of words to both parties, or, if None, in the clear to the evaluator.
    """

    name: str
    input_bits: int
    garbler_words: int
    evaluator_words: int
    gates: tuple[Gate, ...] = field(repr=False)
    outputs: tuple[int, ...] = field(repr=False)
    sharing: Sharing | None = None

    def __post_init__(self) -> None:
        if self.sharing is not None and len(self.outputs) % self.sharing.word_bits:
            raise InputError(f"circuit {self.name}: its {len(self.outputs)} outputs are no whole number of words")

    @property
    def garbler_inputs(self) -> int:
        """Input wires of the garbler."""
        return self.garbler_words * self.input_bits

    @property
    def evaluator_inputs(self) -> int:
        """Input wires of the evaluator."""
        return self.evaluator_words * self.input_bits

    @property
    def inputs(self) -> int:
        """Input wires of both parties together."""
        return self.garbler_inputs + self.evaluator_inputs

    @cached_property
    def and_count(self) -> int:
        """The number of AND gates: what garbling pays for."""
        return sum(gate.operation is Operation.AND for gate in self.gates)

    @cached_property
    def table_rows(self) -> int:
        """Rows of 16 bytes that garbling one instance sends: two for each AND, but one for a product of inputs."""
        return sum(len(stage.ands) * (1 if stage.products else 2) for stage in self.stages)

    @cached_property
    def and_depth(self) -> int:
        """The most ANDs on a path from an input to an output: what garbling one instance waits for."""
        return max(self._depths, default=0)

    @cached_property
    def _depths(self) -> list[int]:
        """The AND depth of every wire: the largest of its gate's inputs', plus one for an AND."""
        depths = [0] * self.inputs
        for operation, left, right in self.gates:
            depths.append(max(depths[left], depths[right]) + (operation is Operation.AND))
        return depths

    @cached_property
    def stages(self) -> tuple[CircuitStage, ...]:
        """The gates by AND depth, which is the order of garbling: stage 0 has free gates only.

        Of depth 1, the products of inputs are a stage of their own, before what else there is. Gates keep their order
        within a stage.
        """
        ands: list[list[int]] = [[] for _ in range(self.and_depth + 1)]
        free: list[list[int]] = [[] for _ in ands]
        products: list[int] = []
        for wire, (operation, *_) in enumerate(self.gates, start=self.inputs):
            if self._is_product(wire):
                products.append(wire)
            else:
                (ands if operation is Operation.AND else free)[self._depths[wire]].append(wire)
        stages = [self._stage(*pair) for pair in zip(ands, free, strict=True)]
        if products and ands[1]:
            stages.insert(1, self._stage(products, []))
        elif products:
            stages[1] = self._stage(products, free[1])
        return tuple(stages)

    def _stage(self, ands: Sequence[int], free: Sequence[int]) -> CircuitStage:
        """ANDs, all of them products of inputs or none, and the free gates that follow."""
        products = bool(ands) and self._is_product(ands[0])
        pairs = [self.gate(wire)[1:] for wire in ands]
        if products:
            pairs = [(min(pair), max(pair)) for pair in pairs]
        left, right = tuple(left for left, _ in pairs), tuple(right for _, right in pairs)
        return CircuitStage(tuple(ands), left, right, tuple(free), products)

    @cached_property
    def xors(self) -> tuple[tuple[tuple[int, int, int], ...], ...]:
        """The free gates of each stage as a wire and the two whose XOR it is.

        An INV is an XOR with a wire of its own, after all others, that carries 1.
        """
        one = self.inputs + len(self.gates)

        def xor(wire: int) -> tuple[int, int, int]:
            operation, left, right = self.gate(wire)
            return wire, left, right if operation is Operation.XOR else one

        return tuple(tuple(map(xor, stage.free)) for stage in self.stages)

    def _is_product(self, wire: int) -> bool:
        """Whether a wire is the AND of an input of the garbler and one of the evaluator."""
        operation, *operands = self.gate(wire)
        return operation is Operation.AND and min(operands) < self.garbler_inputs <= max(operands) < self.inputs

    def gate(self, wire: int) -> Gate:
        """The gate whose output is this wire."""
        return self.gates[wire - self.inputs]

    def output_words(self, bits: Sequence[int]) -> list[int]:
        """The values of the shared words, from the bits of the outputs."""
        size = 1 if self.sharing is None else self.sharing.word_bits
        return [ring.from_bits(bits[start : start + size]) for start in range(0, len(bits), size)]


class CircuitStage(NamedTuple):
    """Gates of one AND depth, as the wires that they drive: the ANDs, then the free gates that follow them.

    Attributes:
        ands: AND gates.
        left: their left operands; of products the garbler's inputs.
        right: their right operands.
        free: XOR and INV gates.
        products: whether each AND is that of an input of the garbler and one of the evaluator, which knows its own.
    """

    ands: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    free: tuple[int, ...]
    products: bool


def evaluate(circuit: Circuit, garbler_words: Sequence[int], evaluator_words: Sequence[int]) -> list[int]:
    """The bits of the circuit's outputs in the clear: the definition that garbling must agree with.

    Raises:
        InputError: a party has another number of input words, or one is too large.
    """
    wires = [*input_wires(circuit, garbler_words, circuit.garbler_words)]
    wires += input_wires(circuit, evaluator_words, circuit.evaluator_words)
    for operation, left, right in circuit.gates:
        if operation is Operation.XOR:
            wires.append(wires[left] ^ wires[right])
        elif operation is Operation.AND:
            wires.append(wires[left] & wires[right])
        else:
            wires.append(wires[left] ^ 1)
    return [wires[wire] for wire in circuit.outputs]


def input_wires(circuit: Circuit, words: Sequence[int], count: int) -> list[int]:
    """The bits of one party's input words, word after word, least significant bit first.

    Raises:
        InputError: there are not ``count`` words, or one does not fit; the word is not printed.
    """
    if len(words) != count or any(word >> circuit.input_bits for word in words):
        raise InputError(f"circuit {circuit.name} takes {count} words of {circuit.input_bits} bits, not {len(words)}")
    return [bit for word in words for bit in ring.to_bits(word, circuit.input_bits)]


Wire = int
"""A wire number, or one of the two constants below."""
ZERO: Wire = -1
ONE: Wire = -2
_CONSTANTS = (ZERO, ONE)


class Builder:
    """Collects gates. Constants never become gates: XOR, AND and INV of a constant are folded away."""

    def __init__(self, input_bits: int, garbler_words: int, evaluator_words: int) -> None:
        self._input_bits = input_bits
        self._garbler_words = garbler_words
        self._evaluator_words = evaluator_words
        self._gates: list[Gate] = []

    def garbler_word(self, number: int) -> list[Wire]:
        """The wires of one of the garbler's words, least significant bit first."""
        return list(range(number * self._input_bits, (number + 1) * self._input_bits))

    def evaluator_word(self, number: int) -> list[Wire]:
        """The wires of one of the evaluator's words, least significant bit first."""
        return self.garbler_word(self._garbler_words + number)

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

    def build(self, name: str, outputs: Sequence[Wire], sharing: Sharing | None = None) -> Circuit:
        """The finished circuit; its outputs go to the evaluator, or as shares to both.

        Gates that no output depends on are left out, as the low bits of a difference of which only the sign counts.

        Raises:
            InputError: an output is a constant, which a correct construction never has.
        """
        if any(wire in _CONSTANTS for wire in outputs):
            raise InputError(f"circuit {name} has a constant output: leave it out")
        widths = self._input_bits, self._garbler_words, self._evaluator_words
        gates, wires = self._used_gates(outputs)
        return Circuit(name, *widths, tuple(gates), tuple(wires), sharing)

    @property
    def _inputs(self) -> int:
        return self._input_bits * (self._garbler_words + self._evaluator_words)

    def _append(self, gate: Gate) -> Wire:
        self._gates.append(gate)
        return self._inputs + len(self._gates) - 1

    def _used_gates(self, outputs: Sequence[Wire]) -> tuple[list[Gate], list[Wire]]:
        """The gates that outputs depend on, renumbered in their order, and the new numbers of the outputs."""
        used = set(outputs)
        for number in range(len(self._gates) - 1, -1, -1):
            if self._inputs + number in used:
                used.update(self._gates[number][1:])
        new_number = list(range(self._inputs))
        gates: list[Gate] = []
        for number, (operation, left, right) in enumerate(self._gates):
            new_number.append(self._inputs + len(gates))
            if self._inputs + number in used:
                gates.append(Gate(operation, new_number[left], new_number[right]))
        return gates, [new_number[wire] for wire in outputs]
