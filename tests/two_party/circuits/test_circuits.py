"""Circuits against plain integer functions: exhaustively at small widths, at random beyond, and their exact costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.arithmetic import add, all_of, less_than, less_than_any, mask_with, select, subtract
from capc.two_party.circuits.builder import Builder, Circuit, Sharing, evaluate
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.circuits.tournament import argmax_flags, maximum
from support.oracles import Words, bits_of, evaluate_many, first_largest, grid, words_of


def signed_range(magnitude_bits: int) -> range:
    """All integers r with |r| < 2^magnitude_bits."""
    return range(1 - (1 << magnitude_bits), 1 << magnitude_bits)


def run(circuit: Circuit, garbler: list[int], evaluator: list[int]) -> list[int]:
    """The output words for input words of either sign."""
    sides = [[ring.reduce(word, circuit.input_bits) for word in side] for side in (garbler, evaluator)]
    return circuit.output_words(evaluate(circuit, *sides))


def run_many(circuit: Circuit, garbler: Words, evaluator: Words) -> Words:
    """The same for many cases, by another evaluator."""
    outputs = evaluate_many(circuit, bits_of(garbler, circuit.input_bits), bits_of(evaluator, circuit.input_bits))
    return words_of(outputs, circuit.sharing.word_bits if circuit.sharing else 1)


# Arithmetic.


def two_words(width: int) -> tuple[Builder, list[int], list[int]]:
    builder = Builder(width, 1, 1)
    return builder, builder.garbler_word(0), builder.evaluator_word(0)


@pytest.mark.req("CAPC-ARG-001")
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_arithmetic_for_all_words(width: int) -> None:
    builder, x, y = two_words(width)
    outputs = [*add(builder, x, y), *subtract(builder, x, y)]
    circuit = builder.build("arithmetic", outputs, Sharing(width, width))
    assert circuit.and_count == 2 * (width - 1)
    cases = grid(range(1 << width), range(1 << width))
    results = run_many(circuit, cases[:, :1], cases[:, 1:])
    assert (results[:, 0] == (cases[:, 0] + cases[:, 1]) % (1 << width)).all()
    assert (results[:, 1] == (cases[:, 0] - cases[:, 1]) % (1 << width)).all()


@given(st.integers(2, 64), st.data())
def test_selection_and_masking(width: int, data: st.DataObject) -> None:
    element = st.integers(0, (1 << width) - 1)
    x, y, condition = data.draw(element), data.draw(element), data.draw(st.integers(0, 1))
    builder = Builder(width, 2, 1)
    left, bit, right = builder.garbler_word(0), builder.garbler_word(1)[0], builder.evaluator_word(0)
    outputs = [*select(builder, bit, left, right), *mask_with(builder, bit, left)]
    circuit = builder.build("s", outputs, Sharing(width, width))
    assert run(circuit, [x, condition], [y]) == [x if condition else y, x if condition else 0]
    assert circuit.and_count == 2 * width


@pytest.mark.parametrize("count", range(1, 12))
def test_conjunction(count: int) -> None:
    builder = Builder(count, 1, 0)
    circuit = builder.build("all", [all_of(builder, builder.garbler_word(0))])
    assert [word for word in range(1 << count) if evaluate(circuit, [word], []) == [1]] == [(1 << count) - 1]
    assert circuit.and_count == count - 1
    assert circuit.and_depth == (count - 1).bit_length()


def compared(circuit: Circuit) -> tuple[Words, Words, Words]:
    """All signed words of both sides, and what the circuit says of them."""
    half = 1 << (circuit.input_bits - 1)
    cases = grid(range(-half, half), range(-half, half))
    return cases[:, 0], cases[:, 1], run_many(circuit, cases[:, :1], cases[:, 1:])[:, 0]


@pytest.mark.req("CAPC-ARG-004")
@pytest.mark.parametrize("width", [2, 3, 4, 5, 6])
def test_comparison_is_right_exactly_when_the_difference_fits(width: int) -> None:
    """Inside of |x - y| < 2^(k-1) always; outside wrong for every pair (but x - y = -2^(k-1), which has its sign)."""
    builder, x, y = two_words(width)
    circuit = builder.build("less", [less_than(builder, x, y)])
    assert circuit.and_count == width - 1
    half = 1 << (width - 1)
    left, right_side, found = compared(circuit)
    difference = left - right_side
    right = found == (difference < 0)
    assert right[np.abs(difference) < half].all()
    assert not right[(difference >= half) | (difference < -half)].any()
    assert (difference >= half).any()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6])
def test_full_range_comparison_is_right_for_all_words(width: int) -> None:
    builder, x, y = two_words(width)
    circuit = builder.build("less", [less_than_any(builder, x, y)])
    assert circuit.and_count == width
    left, right, found = compared(circuit)
    assert (found == (left < right)).all()


def test_one_hot_of_one_class_and_of_equals() -> None:
    assert one_hot_argmax([5]) == [1]
    assert one_hot_argmax([3, 3, 3]) == [1, 0, 0]


# The tournament.


def tournament_circuit(num_classes: int, width: int) -> Circuit:
    builder = Builder(width, num_classes, 0)
    values = [builder.garbler_word(c) for c in range(num_classes)]
    return builder.build("tournament", [*argmax_flags(builder, values), *maximum(builder, values)])


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize(("num_classes", "width"), [(2, 3), (2, 5), (3, 3), (3, 4), (4, 3), (5, 3), (6, 3), (7, 3)])
def test_tournament_for_all_values_within_the_range(num_classes: int, width: int) -> None:
    cases = grid(*[signed_range(width - 2)] * num_classes)
    outputs = run_many(tournament_circuit(num_classes, width), cases, np.zeros((len(cases), 0), np.int64))
    assert (outputs[:, :num_classes] == first_largest(cases)).all()
    largest = (outputs[:, num_classes:] << np.arange(width)).sum(axis=1)
    assert (largest == cases.max(axis=1) % (1 << width)).all()


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-002")
@given(st.integers(2, 20), st.integers(3, 64), st.data())
def test_ties_go_to_the_lowest_index(num_classes: int, width: int, data: st.DataObject) -> None:
    """Few different values, the ends of the range among them, so that nearly every case is a tie."""
    end = (1 << (width - 2)) - 1
    level = st.sampled_from(sorted({-end, 0, end}))
    values = data.draw(st.lists(level, min_size=num_classes, max_size=num_classes))
    outputs = run(tournament_circuit(num_classes, width), values, [])
    assert outputs[:num_classes].index(1) == values.index(max(values))
    assert sum(outputs[:num_classes]) == 1
    assert ring.signed(ring.from_bits(outputs[num_classes:]), width) == max(values)
    assert one_hot_argmax(values) == outputs[:num_classes]


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("c", range(2, 18))
@pytest.mark.parametrize("k", [3, 8, 37])
def test_tournament_costs(c: int, k: int) -> None:
    builder = Builder(k, c, 0)
    values = [builder.garbler_word(number) for number in range(c)]
    flags = builder.build("flags", argmax_flags(builder, values)).and_count
    assert flags == (c - 1) * (k - 1) + (c - 2) * k + c - 2
    assert builder.build("maximum", maximum(builder, values)).and_count == (c - 1) * (2 * k - 1)


@pytest.mark.parametrize(
    "circuit", [vote_circuit(4, 6, 3), vote_circuit_low_depth(4, 6, 3), relu_circuit(6, 2)], ids=str
)
def test_gates_use_only_known_wires(circuit: Circuit) -> None:
    for position, gate in enumerate(circuit.gates):
        assert min(gate.left, gate.right) >= 0
        assert max(gate.left, gate.right) < circuit.inputs + position
