"""Circuits are built as they are written, folded and cut into stages; two evaluations agree."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.two_party.circuits.builder import ONE, ZERO, Builder, Circuit, Gate, Operation, Sharing, evaluate
from support.computations import circuits
from support.oracles import bits_of, evaluate_many


@pytest.mark.slow
@given(circuits(shared=False, small=True), st.data())
def test_both_evaluations_agree_on_any_circuit(circuit: Circuit, data: st.DataObject) -> None:
    word = st.integers(0, (1 << circuit.input_bits) - 1)
    mine = data.draw(st.lists(word, min_size=circuit.garbler_words, max_size=circuit.garbler_words))
    theirs = data.draw(st.lists(word, min_size=circuit.evaluator_words, max_size=circuit.evaluator_words))
    sides = [bits_of(np.array([words]), circuit.input_bits) for words in (mine, theirs)]
    assert evaluate(circuit, mine, theirs) == evaluate_many(circuit, *sides)[0].tolist()


@pytest.mark.parametrize(("name", "truth"), [("xor", operator.xor), ("and_", operator.and_)])
@pytest.mark.parametrize("left", ["zero", "one", "x", "y"])
@pytest.mark.parametrize("right", ["zero", "one", "x", "y"])
def test_constants_are_folded_to_the_same_function(
    name: str, truth: Callable[[int, int], int], left: str, right: str
) -> None:
    builder = Builder(1, 1, 1)
    wires = {"zero": ZERO, "one": ONE, "x": 0, "y": 1}
    result = getattr(builder, name)(wires[left], wires[right])
    for x, y in product((0, 1), repeat=2):
        values = {"zero": 0, "one": 1, "x": x, "y": y}
        expected = truth(values[left], values[right])
        if result in (ZERO, ONE):
            assert (ZERO, ONE).index(result) == expected
        else:
            circuit = builder.build("folded", [result])
            assert evaluate(circuit, [x], [y]) == [expected]
            assert circuit.and_count == int(name == "and_" and {left, right} == {"x", "y"})


def test_inversion_of_constants_and_wires() -> None:
    builder = Builder(1, 1, 0)
    assert (builder.invert(ZERO), builder.invert(ONE)) == (ONE, ZERO)
    circuit = builder.build("not", [builder.invert(0)])
    assert [evaluate(circuit, [bit], []) for bit in (0, 1)] == [[1], [0]]


@given(circuits(shared=False, small=True), st.data())
def test_gates_that_no_output_needs_are_left_out(circuit: Circuit, data: st.DataObject) -> None:
    """Built anew from its gates, a circuit computes the same, and every gate that is left reaches an output."""
    builder = Builder(circuit.input_bits, circuit.garbler_words, circuit.evaluator_words)
    build = {Operation.XOR: builder.xor, Operation.AND: builder.and_}
    wires = list(range(circuit.inputs))
    for operation, left, right in circuit.gates:
        inverted = operation is Operation.INV
        wires.append(builder.invert(wires[left]) if inverted else build[operation](wires[left], wires[right]))
    outputs = [number for number in circuit.outputs if wires[number] not in (ZERO, ONE)]
    built = builder.build("anew", [wires[number] for number in outputs])
    reached = set(built.outputs)
    for position in reversed(range(len(built.gates))):
        assert built.inputs + position in reached
        reached.update(built.gates[position][1:])
    word = st.integers(0, (1 << circuit.input_bits) - 1)
    mine = data.draw(st.lists(word, min_size=circuit.garbler_words, max_size=circuit.garbler_words))
    theirs = data.draw(st.lists(word, min_size=circuit.evaluator_words, max_size=circuit.evaluator_words))
    whole = dict(zip(circuit.outputs, evaluate(circuit, mine, theirs), strict=True))
    assert evaluate(built, mine, theirs) == [whole[number] for number in outputs]


def test_misuse_is_refused() -> None:
    builder = Builder(1, 1, 1)
    with pytest.raises(InputError, match="circuit c has a constant output"):
        builder.build("c", [0, ZERO])
    circuit = builder.build("c", [0])
    with pytest.raises(InputError, match="circuit c takes 1 words of 1 bits, not 2"):
        evaluate(circuit, [0, 1], [0])
    with pytest.raises(InputError, match="circuit c takes 1 words of 1 bits"):
        evaluate(circuit, [0], [2])
    with pytest.raises(InputError, match="its 1 outputs are no whole number of words"):
        builder.build("c", [0], Sharing(word_bits=2, width=3))
    for word_bits, width in ((0, 3), (4, 3), (3, 65)):
        with pytest.raises(InputError, match="choose 1 to width, up to 64"):
            Sharing(word_bits, width)


@given(circuits(shared=False, small=True))
def test_stages_hold_every_gate_once_and_the_depth_is_the_longest_path(circuit: Circuit) -> None:
    order = [wire for stage in circuit.stages for wire in (*stage.ands, *stage.free)]
    assert sorted(order) == list(range(circuit.inputs, circuit.inputs + len(circuit.gates)))
    depth = dict.fromkeys(range(circuit.inputs), 0)
    for wire in order:
        operation, left, right = circuit.gate(wire)
        depth[wire] = max(depth[left], depth[right]) + (operation is Operation.AND)
    assert circuit.and_depth == max(depth.values())
    split = len(circuit.stages) - 1 - circuit.and_depth
    assert split in (0, 1)
    for number, stage in enumerate(circuit.stages):
        at = number if number < 2 else number - split
        assert {depth[wire] for wire in (*stage.ands, *stage.free)} <= {at}


@given(circuits(shared=False, small=True))
def test_products_of_inputs_are_one_stage(circuit: Circuit) -> None:
    """All ANDs of an input of either party, and nothing else; the left operand is the garbler's."""
    between = circuit.garbler_words * circuit.input_bits
    products = [
        circuit.inputs + place
        for place, (operation, *operands) in enumerate(circuit.gates)
        if operation is Operation.AND and min(operands) < between <= max(operands) < circuit.inputs
    ]
    found = [stage for stage in circuit.stages if stage.products]
    assert [list(stage.ands) for stage in found] == ([products] if products else [])
    for stage in found:
        left, right = stage.left, stage.right
        assert max(left) < between <= min(right)
    assert circuit.table_rows == 2 * circuit.and_count - len(products)


def test_and_count_counts_ands() -> None:
    gates = (Gate(Operation.AND, 0, 1), Gate(Operation.XOR, 0, 2), Gate(Operation.AND, 3, 1), Gate(Operation.INV, 4, 4))
    assert Circuit("counted", 1, 1, 1, gates, (5,)).and_count == 2
