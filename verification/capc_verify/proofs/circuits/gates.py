"""The bits' half of a proof: the gates of a circuit compute the words of its model, for all inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import z3
from z3 import z3util

from capc.foundation import ring
from capc.foundation.randomness import Seed, XofSource
from capc.two_party.circuits.builder import Circuit, Operation
from capc_verify.proofs.circuits.algebra import BitVectors, Landmark
from capc_verify.proofs.circuits.solver import prove

LANES = 256
"""Random inputs by which wires are guessed; a guess is proved before it is used."""


class Gates:
    """A circuit's wires as formulas, over its inputs and over the words that some wires were proved to carry."""

    def __init__(self, circuit: Circuit, words: BitVectors) -> None:
        self._circuit = circuit
        self._inputs = [words.garbler[i] for i in range(circuit.garbler_words)]
        self._inputs += [words.evaluator[i] for i in range(circuit.evaluator_words)]
        bits = [bit for word in self._inputs for bit in bits_of(word)]
        self._formulas: dict[int, z3.BoolRef] = dict(enumerate(bits))
        self._guessing = _Guessing(circuit, self._inputs)

    def formula(self, wire: int) -> z3.BoolRef:
        """The wire's value."""
        pending = [wire]
        while pending:
            current = pending[-1]
            if current in self._formulas:
                pending.pop()
                continue
            operation, left, right = self._circuit.gate(current)
            missing = [source for source in (left, right) if source not in self._formulas]
            if missing:
                pending += missing
                continue
            a, b = self._formulas[left], self._formulas[right]
            if operation is Operation.INV:
                self._formulas[current] = z3.Not(a)
            else:
                self._formulas[current] = z3.Xor(a, b) if operation is Operation.XOR else z3.And(a, b)
        return self._formulas[wire]

    def cut(self, landmark: Landmark) -> None:
        """Proves that some wires carry the landmark's bits, and describes them by its constant from now on.

        A bit that no wire carries stays without one: a proof that needs it fails later.
        """
        found = self._guessing.wires(landmark)
        expected, named = bits_of(landmark.definition), bits_of(landmark.constant)
        equal = [self.formula(wire) == expected[position] for position, wire in found.items()]
        prove(f"wires of {self._circuit.name} carry {landmark.constant}", [], z3.And(equal))
        for position, wire in found.items():
            if wire >= self._circuit.inputs:
                self._formulas[wire] = named[position]


class _Guessing:
    """Which wires look like a landmark: those with the same bits on random inputs, admitted or not."""

    def __init__(self, circuit: Circuit, inputs: Sequence[z3.BitVecRef]) -> None:
        source = XofSource(Seed(bytes(32)), b"proofs")
        values = [ring.uniform(source, len(inputs), circuit.input_bits) for _ in range(LANES)]
        # The largest of many random sums is hardly ever negative: in every second lane all of them but one are.
        top, sums = 1 << (circuit.input_bits - 1), circuit.evaluator_words or circuit.garbler_words
        for number, lane in enumerate(values[1::2]):
            for i, value in enumerate(lane):
                negative = i < circuit.garbler_words and i % sums != number % (sums + 1)
                lane[i] = value >> 3 | top * negative
        self._lanes: list[dict[str, z3.ExprRef]] = [
            {
                word.decl().name(): z3.BitVecVal(value, circuit.input_bits)
                for word, value in zip(inputs, lane, strict=True)
            }
            for lane in values
        ]
        wires = [
            ring.from_bits([lane[number] >> position & 1 for lane in values])
            for number in range(len(inputs))
            for position in range(circuit.input_bits)
        ]
        for operation, left, right in circuit.gates:
            if operation is Operation.INV:
                wires.append(wires[left] ^ ((1 << LANES) - 1))
            else:
                wires.append(wires[left] ^ wires[right] if operation is Operation.XOR else wires[left] & wires[right])
        self._first: dict[int, int] = {}
        for wire, signature in enumerate(wires):
            self._first.setdefault(signature, wire)

    def wires(self, landmark: Landmark) -> dict[int, int]:
        """The first wire that looks like each of the landmark's bits, where there is one."""
        signatures = [ring.from_bits(column) for column in zip(*self._values(landmark), strict=True)]
        return {
            position: self._first[signature]
            for position, signature in enumerate(signatures)
            if signature in self._first
        }

    def _values(self, landmark: Landmark) -> Iterator[list[int]]:
        """The landmark's bits in each lane, which are kept for later landmarks."""
        variables = z3util.get_vars(landmark.definition)
        names = [variable.decl().name() for variable in variables]
        own_name = landmark.constant.decl().name()
        for lane in self._lanes:
            known = [lane[name] for name in names]
            value = z3.simplify(z3.substitute(landmark.definition, *zip(variables, known, strict=True)))
            lane[own_name] = value
            yield [int(z3.is_true(value))] if z3.is_bool(value) else ring.to_bits(value.as_long(), value.size())


def bits_of(expression: z3.ExprRef) -> list[z3.BoolRef]:
    """A bit itself, or a word's bits, least significant first."""
    if z3.is_bool(expression):
        return [expression]
    return [z3.Extract(position, position, expression) == 1 for position in range(expression.size())]


def outputs_equal(gates: Gates, circuit: Circuit, outputs: Iterable[z3.ExprRef]) -> z3.BoolRef:
    """That the circuit's output wires carry these bits and words; bits of words beyond the circuit's are 0."""
    size = 1 if circuit.sharing is None else circuit.sharing.word_bits
    wires = [circuit.outputs[start : start + size] for start in range(0, len(circuit.outputs), size)]
    equal = []
    for expression, word in zip(outputs, wires, strict=True):
        bits = bits_of(expression)
        equal += [gates.formula(wire) == bit for wire, bit in zip(word, bits, strict=False)]
        equal += [z3.Not(bit) for bit in bits[len(word) :]]
    return z3.And(equal)
