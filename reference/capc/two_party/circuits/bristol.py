"""Circuits as text in the Bristol Fashion format, so that other garbling libraries can run them.

Layout, fields separated by spaces: a line with the number of gates and of wires; a line with the number of input
values and their widths in bits; the same for the output values; an empty line; one line per gate,

    2 1 left right out XOR        2 1 left right out AND        1 1 wire out INV        1 1 wire out EQW

in an order in which every wire is set before it is used. Wires 0, 1, ... are the bits of the input values, least
significant first, and the last wires are those of the output values. EQW copies a wire; EQ (a constant) and MAND are
no gates of this package, and are refused.

What the format does not say: the first input values are the garbler's, and output values may leave as shares.

Source: https://nigelsmart.github.io/MPC-Circuits/ ("Bristol Fashion"). Spec: CAPC-ARG-012, CAPC-ARG-020, CAPC-ARG-010.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from capc.foundation.errors import InputError
from capc.two_party.circuits.builder import Circuit, Gate, Operation, Sharing

_COPY = "EQW"
_ARITY = {Operation.XOR.name: 2, Operation.AND.name: 2, Operation.INV.name: 1, _COPY: 1}
_MAX_DIGITS = 9
_MAX_INPUT_BITS = 64


def to_bristol(circuit: Circuit) -> str:
    """The circuit as text.

    Input values are the garbler's words, then the evaluator's. Output values are the words to be shared or, where
    outputs are not shared, one value of all of them. Gates keep their order; the wires that are outputs get the last
    numbers, and an output that is an input or occurs twice is copied.
    """
    outputs = circuit.outputs
    first_output = circuit.inputs + len(circuit.gates) - len(set(outputs) - set(range(circuit.inputs)))
    number: dict[int, int] = {wire: wire for wire in range(circuit.inputs)}
    copies: list[tuple[int, int]] = []
    for position, wire in enumerate(outputs):
        if wire in number:
            copies.append((wire, first_output + position))
        else:
            number[wire] = first_output + position
    inner = (wire for wire in range(circuit.inputs, circuit.inputs + len(circuit.gates)) if wire not in number)
    number.update({wire: circuit.inputs + position for position, wire in enumerate(inner)})

    words = circuit.garbler_words + circuit.evaluator_words
    size = len(outputs) if circuit.sharing is None else circuit.sharing.word_bits
    lines = [
        _join(len(circuit.gates) + len(copies), circuit.inputs + len(circuit.gates) + len(copies)),
        _join(words, *[circuit.input_bits] * words),
        _join(len(outputs) // size, *[size] * (len(outputs) // size)),
        "",
    ]
    for position, gate in enumerate(circuit.gates):
        sources = [number[wire] for wire in gate[1 : 1 + _ARITY[gate.operation.name]]]
        lines.append(_join(len(sources), 1, *sources, number[circuit.inputs + position], gate.operation.name))
    lines += [_join(1, 1, number[wire], copy, _COPY) for wire, copy in copies]
    return "\n".join(lines) + "\n"


def from_bristol(text: str, name: str, garbler_words: int, shared_width: int | None = None) -> Circuit:
    """The circuit of a text; of :func:`to_bristol` exactly the circuit that was exported.

    Args:
        text: the file's contents.
        name: of the circuit, also for messages.
        garbler_words: how many of the input values are the garbler's; the rest are the evaluator's.
        shared_width: the ring Z_{2^width} in which the output values leave as shares; None where their bits go to
            the evaluator.

    Raises:
        InputError: the text is malformed, or holds what this package has not: input values of different widths or
            of more than 64 bits, shared output values of different widths, EQ, MAND; the line is named.
    """
    reader = _Reader(name, text)
    gate_count, wire_count = reader.header("the numbers of gates and of wires", 2)
    input_bits = reader.widths("input")
    if len(set(input_bits)) != 1 or input_bits[0] > _MAX_INPUT_BITS:
        reader.refuse(f"input values need one width of at most {_MAX_INPUT_BITS} bits, not {input_bits}")
    if not 0 <= garbler_words <= len(input_bits):
        raise InputError(f"{name}: the garbler cannot have {garbler_words} of {len(input_bits)} input values")
    output_bits = reader.widths("output")
    if shared_width is not None and len(set(output_bits)) != 1:
        reader.refuse(f"shared output values need one width, not {output_bits}")
    inputs, outputs = sum(input_bits), sum(output_bits)
    if wire_count != inputs + gate_count or outputs > wire_count:
        reader.refuse(f"{gate_count} gates, {inputs} inputs and {outputs} outputs make no {wire_count} wires")
    gates, known = reader.gates(inputs, wire_count)
    if len(known) != wire_count:
        reader.refuse(f"the text ends after {len(known) - inputs} of {gate_count} gates")
    wires = tuple(known[wire] for wire in range(wire_count - outputs, wire_count))
    sharing = None if shared_width is None else Sharing(output_bits[0], shared_width)
    words = garbler_words, len(input_bits) - garbler_words
    return Circuit(name, input_bits[0], *words, tuple(gates), wires, sharing)


def _join(*fields: int | str) -> str:
    return " ".join(map(str, fields))


class _Line(NamedTuple):
    number: int
    fields: list[str]


class _Reader:
    """Reads line after line; empty lines do not count."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = self._fields_of(text)
        self._line = _Line(0, [])

    @staticmethod
    def _fields_of(text: str) -> Iterator[_Line]:
        for number, line in enumerate(text.split("\n"), start=1):
            if fields := line.split():
                yield _Line(number, fields)

    def header(self, what: str, count: int | None = None) -> list[int]:
        """The numbers of the next line, ``count`` of them if that is given."""
        line = next(self._lines, None)
        if line is None:
            self.refuse(f"the text ends before {what}")
        self._line = line
        numbers = [self._number(field) for field in line.fields]
        if count not in (None, len(numbers)):
            self.refuse(f"{what} are {count} numbers, not {len(numbers)}")
        return numbers

    def widths(self, side: str) -> list[int]:
        """The widths of the input or output values, of which there is at least one."""
        count, *widths = self.header(f"the widths of the {side} values")
        if count != len(widths) or not widths or 0 in widths:
            self.refuse(f"{count} {side} values need as many widths, at least one and none of them 0: {widths}")
        return widths

    def gates(self, inputs: int, wire_count: int) -> tuple[list[Gate], dict[int, int]]:
        """The gates, and which wire of the circuit each wire of the text is; copies are folded away."""
        gates: list[Gate] = []
        known = {wire: wire for wire in range(inputs)}
        for line in self._lines:
            self._line = line
            operation, sources, out = self._gate()
            if out in known or out >= wire_count:
                self.refuse(f"wire {out} is set already, or is none of {wire_count}")
            for wire in sources:
                if wire not in known:
                    self.refuse(f"wire {wire} is used before it is set")
            left, right = known[sources[0]], known[sources[-1]]
            if operation == _COPY:
                known[out] = left
            else:
                known[out] = inputs + len(gates)
                gates.append(Gate(Operation[operation], left, right))
        return gates, known

    def _gate(self) -> tuple[str, list[int], int]:
        *fields, operation = self._line.fields
        if operation not in _ARITY:
            self.refuse(f"the gate {operation!r} is not supported: use XOR, AND, INV or EQW")
        numbers = [self._number(field) for field in fields]
        arity = _ARITY[operation]
        if len(numbers) != arity + 3 or numbers[:2] != [arity, 1]:
            self.refuse(f"{operation} needs '{arity} 1', {arity} input wires and an output wire")
        return operation, numbers[2:-1], numbers[-1]

    def _number(self, field: str) -> int:
        if not (field.isascii() and field.isdecimal() and len(field) <= _MAX_DIGITS):
            self.refuse(f"{field[:20]!r} is no number of at most {_MAX_DIGITS} digits")
        return int(field)

    def refuse(self, problem: str) -> NoReturn:
        """Refuses the text at the line that was read last."""
        raise InputError(f"{self._name}, line {self._line.number}: {problem}")
