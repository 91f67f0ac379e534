"""Circuits against plain integer functions: exhaustively at small widths, at random beyond, and their exact costs."""

from __future__ import annotations

from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc import ring
from capc.circuits.arithmetic import add, less_than, mask_with, select, subtract
from capc.circuits.builder import ONE, ZERO, Builder, Circuit, Operation, evaluate
from capc.circuits.relu import relu, relu_circuit
from capc.circuits.tournament import argmax_flags, maximum
from capc.circuits.vote import one_hot_argmax, vote_circuit
from capc.circuits.words import bits_to_words, words_to_bits
from capc.errors import InputError
from support.builders import circuits
from support.oracles import bits_of, evaluate_many, first_largest, grid, words_of


def signed_range(magnitude_bits: int) -> range:
    """All integers r with |r| < 2^magnitude_bits."""
    return range(1 - (1 << magnitude_bits), 1 << magnitude_bits)


def run(circuit: Circuit, garbler: list[tuple[int, int]], evaluator: list[tuple[int, int]]) -> list[int]:
    """Evaluates on (value, width) pairs, negative values wrapped."""
    sides = [
        [bit for value, width in side for bit in ring.to_bits(value % (1 << width), width)]
        for side in (garbler, evaluator)
    ]
    return evaluate(circuit, sides[0], sides[1])


# The builder.


@given(circuits(), st.data())
def test_both_evaluations_agree_on_any_circuit(circuit: Circuit, data: st.DataObject) -> None:
    bit = st.integers(0, 1)
    mine = data.draw(st.lists(bit, min_size=circuit.garbler_inputs, max_size=circuit.garbler_inputs))
    theirs = data.draw(st.lists(bit, min_size=circuit.evaluator_inputs, max_size=circuit.evaluator_inputs))
    expected = evaluate_many(circuit, np.array([mine], np.uint8), np.array([theirs], np.uint8))
    assert evaluate(circuit, mine, theirs) == expected[0].tolist()


TRUTH = {
    "xor": lambda a, b: a ^ b,
    "and_": lambda a, b: a & b,
}


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("left", ["zero", "one", "x", "y"])
@pytest.mark.parametrize("right", ["zero", "one", "x", "y"])
def test_constants_are_folded_to_the_same_function(name: str, left: str, right: str) -> None:
    builder = Builder(1, 1)
    wires = {"zero": ZERO, "one": ONE, "x": 0, "y": 1}
    result = getattr(builder, name)(wires[left], wires[right])
    for x, y in product((0, 1), repeat=2):
        values = {"zero": 0, "one": 1, "x": x, "y": y}
        expected = TRUTH[name](values[left], values[right])
        if result in (ZERO, ONE):
            assert (ZERO, ONE).index(result) == expected
        else:
            assert evaluate(builder.build("folded", [result]), [x], [y]) == [expected]
    assert builder.build("gates", [0]).and_count == int(name == "and_" and {left, right} == {"x", "y"})


def test_inversion_of_constants_and_wires() -> None:
    builder = Builder(1, 0)
    assert (builder.invert(ZERO), builder.invert(ONE)) == (ONE, ZERO)
    circuit = builder.build("not", [builder.invert(0)])
    assert [evaluate(circuit, [bit], []) for bit in (0, 1)] == [[1], [0]]


def test_misuse_is_refused() -> None:
    builder = Builder(1, 1)
    with pytest.raises(InputError, match="circuit c has a constant output"):
        builder.build("c", [0, ZERO])
    circuit = builder.build("c", [0])
    with pytest.raises(InputError, match=r"circuit c takes 1 \+ 1 bits, not 2 \+ 0"):
        evaluate(circuit, [0, 1], [])


# Arithmetic.


@pytest.mark.req("CAPC-ARG-001")
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_arithmetic_for_all_words(width: int) -> None:
    builder = Builder(width, width)
    x, y = builder.garbler_word(0, width), builder.evaluator_word(0, width)
    outputs = [*add(builder, x, y), *subtract(builder, x, y)] if width > 1 else add(builder, x, y)
    cases = grid(range(1 << width), range(1 << width))
    circuit = builder.build("arithmetic", outputs)
    results = words_of(evaluate_many(circuit, bits_of(cases[:, :1], width), bits_of(cases[:, 1:], width)), width)
    assert (results[:, 0] == (cases[:, 0] + cases[:, 1]) % (1 << width)).all()
    if width > 1:
        assert (results[:, 1] == (cases[:, 0] - cases[:, 1]) % (1 << width)).all()


@given(st.integers(2, 64), st.data())
def test_selection_and_masking(width: int, data: st.DataObject) -> None:
    element = st.integers(0, (1 << width) - 1)
    x, y, condition = data.draw(element), data.draw(element), data.draw(st.integers(0, 1))
    builder = Builder(width + 1, width)
    left, right, bit = builder.garbler_word(0, width), builder.evaluator_word(0, width), width
    circuit = builder.build("s", [*select(builder, bit, left, right), *mask_with(builder, bit, left)])
    outputs = bits_to_words(run(circuit, [(x, width), (condition, 1)], [(y, width)]), width)
    assert outputs == [x if condition else y, x if condition else 0]
    assert circuit.and_count == 2 * width


@pytest.mark.req("CAPC-ARG-004")
@pytest.mark.parametrize("width", [2, 3, 4, 5, 6])
def test_comparison_is_right_exactly_when_the_difference_fits(width: int) -> None:
    """Inside of |x - y| < 2^(k-1) always; outside wrong for every pair (but x - y = -2^(k-1), which has its sign)."""
    builder = Builder(width, width)
    circuit = builder.build(
        "less", [less_than(builder, builder.garbler_word(0, width), builder.evaluator_word(0, width))]
    )
    assert circuit.and_count == width - 1
    half = 1 << (width - 1)
    cases = grid(range(-half, half), range(-half, half))
    found = evaluate_many(circuit, bits_of(cases[:, :1], width), bits_of(cases[:, 1:], width))[:, 0]
    difference = cases[:, 0] - cases[:, 1]
    right = found == (difference < 0)
    assert right[np.abs(difference) < half].all()
    assert not right[(difference >= half) | (difference < -half)].any()
    assert (difference >= half).any()


@pytest.mark.req("CAPC-ARG-004")
def test_the_vote_is_wrong_outside_of_the_admitted_range() -> None:
    """Documentation: without range analysis the largest logit can lose. 3 - (-3) = 6 wraps to -2 in 3 bits."""
    circuit = vote_circuit(2, 3, 2)
    outputs = bits_to_words(run(circuit, [(0, 3), (0, 3), (0, 2), (0, 2)], [(3, 3), (-3, 3)]), 2)
    assert one_hot_argmax([3, -3]) == [1, 0]
    assert outputs == [0, 1]


# The tournament.


def tournament_circuit(num_classes: int, width: int) -> Circuit:
    builder = Builder(num_classes * width, 1)
    values = [builder.garbler_word(c * width, width) for c in range(num_classes)]
    return builder.build("tournament", [*argmax_flags(builder, values), *maximum(builder, values)])


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize(("num_classes", "width"), [(2, 3), (2, 5), (3, 3), (3, 4), (4, 3), (5, 3), (6, 3), (7, 3)])
def test_tournament_for_all_values_within_the_range(num_classes: int, width: int) -> None:
    cases = grid(*[signed_range(width - 2)] * num_classes)
    outputs = evaluate_many(
        tournament_circuit(num_classes, width), bits_of(cases, width), np.zeros((len(cases), 1), np.uint8)
    )
    assert (outputs[:, :num_classes] == first_largest(cases)).all()
    assert (words_of(outputs[:, num_classes:], width)[:, 0] == cases.max(axis=1) % (1 << width)).all()


@pytest.mark.req("CAPC-ARG-002")
@given(st.integers(2, 40), st.integers(3, 64), st.data())
def test_ties_go_to_the_lowest_index(num_classes: int, width: int, data: st.DataObject) -> None:
    """Few different values, the ends of the range among them, so that nearly every case is a tie."""
    end = (1 << (width - 2)) - 1
    level = st.sampled_from(sorted({-end, 0, end}))
    values = data.draw(st.lists(level, min_size=num_classes, max_size=num_classes))
    outputs = run(tournament_circuit(num_classes, width), [(value, width) for value in values], [(0, 1)])
    assert outputs[:num_classes].index(1) == values.index(max(values))
    assert sum(outputs[:num_classes]) == 1
    assert ring.signed(ring.from_bits(outputs[num_classes:]), width) == max(values)
    assert one_hot_argmax(values) == outputs[:num_classes]


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("num_classes", range(2, 18))
@pytest.mark.parametrize("width", [3, 8, 37])
def test_tournament_costs(num_classes: int, width: int) -> None:
    builder = Builder(num_classes * width, 0)
    values = [builder.garbler_word(c * width, width) for c in range(num_classes)]
    argmax_flags(builder, values)
    flags = builder.build("flags", [0]).and_count
    maximum(builder, values)
    both = builder.build("both", [0]).and_count
    c = num_classes
    assert flags == (c - 1) * (width - 1) + (c - 2) * width + c - 2
    assert both - flags == (c - 1) * (2 * width - 1)


# The vote.


def vote_cases(num_classes: int, logit_bits: int, vote_bits: int, shares: np.ndarray) -> bool:
    """Checks the vote circuit for all logits in range and all masks, with the given fresh shares."""
    logits = grid(*[signed_range(logit_bits - 2)] * num_classes)
    masks = grid(*[range(1 << logit_bits)] * num_classes)
    rows = grid(range(len(logits)), range(len(masks)), range(len(shares)))
    r, m, s = logits[rows[:, 0]], masks[rows[:, 1]], shares[rows[:, 2]]
    garbler = np.concatenate([bits_of(m, logit_bits), bits_of(s, vote_bits)], axis=1)
    evaluator = bits_of(r - m, logit_bits)
    outputs = words_of(evaluate_many(vote_circuit(num_classes, logit_bits, vote_bits), garbler, evaluator), vote_bits)
    return bool((outputs == (first_largest(r) - s) % (1 << vote_bits)).all())


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
def test_vote_for_all_logits_masks_and_shares() -> None:
    assert vote_cases(2, 3, 2, grid(range(4), range(4)))
    assert vote_cases(2, 4, 3, grid(range(8), range(8)))
    assert vote_cases(3, 3, 2, grid(range(4), range(4), range(4))[::7])


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@given(st.integers(2, 12), st.integers(3, 59), st.integers(2, 64), st.data())
def test_vote_at_any_widths(num_classes: int, logit_bits: int, vote_bits: int, data: st.DataObject) -> None:
    end = (1 << (logit_bits - 2)) - 1
    logit = st.one_of(st.sampled_from(sorted({-end, 0, end})), st.integers(-end, end))
    words = st.integers(0, (1 << max(logit_bits, vote_bits)) - 1)
    r, m, s = (
        data.draw(st.lists(entry, min_size=num_classes, max_size=num_classes)) for entry in (logit, words, words)
    )
    masks, shares = [x % (1 << logit_bits) for x in m], [x % (1 << vote_bits) for x in s]
    outputs = run(
        vote_circuit(num_classes, logit_bits, vote_bits),
        [*((x, logit_bits) for x in masks), *((x, vote_bits) for x in shares)],
        [(a - b, logit_bits) for a, b in zip(r, masks, strict=True)],
    )
    winner = r.index(max(r))
    expected = [(int(c == winner) - share) % (1 << vote_bits) for c, share in enumerate(shares)]
    assert bits_to_words(outputs, vote_bits) == expected


@pytest.mark.req("CAPC-ARG-006")
@pytest.mark.parametrize("num_classes", [2, 3, 7, 10])
def test_vote_opens_shares_only(num_classes: int) -> None:
    """Each output word depends on a garbler share of its own: for every output a fresh share exists that hides it."""
    logit_bits, vote_bits = 5, 4
    circuit = vote_circuit(num_classes, logit_bits, vote_bits)
    assert len(circuit.outputs) == num_classes * vote_bits
    logits = [(c, logit_bits) for c in range(num_classes)]
    seen = set()
    for share in range(1 << vote_bits):
        garbler = [(0, logit_bits)] * num_classes + [(share, vote_bits)] * num_classes
        seen.add(tuple(bits_to_words(run(circuit, garbler, logits), vote_bits)))
    for c in range(num_classes):
        assert {words[c] for words in seen} == set(range(1 << vote_bits))


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 10, 17])
@pytest.mark.parametrize("logit_bits", [3, 12, 37])
@pytest.mark.parametrize("vote_bits", [2, 11, 16])
def test_vote_cost(num_classes: int, logit_bits: int, vote_bits: int) -> None:
    c, k = num_classes, logit_bits
    circuit = vote_circuit(c, k, vote_bits)
    assert circuit.and_count == (2 * c - 1) * (k - 1) + (c - 2) * (k + 1) + c * (vote_bits - 1)
    by_step = c * (k - 1) + (c - 1) * (k - 1) + (c - 2) * k + c - 2 + c * (vote_bits - 1)
    assert circuit.and_count == by_step
    assert (circuit.garbler_inputs, circuit.evaluator_inputs) == (c * (k + vote_bits), c * k)


# ReLU.


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@pytest.mark.parametrize(("width", "fraction"), [(3, 0), (3, 1), (4, 0), (4, 2), (5, 1), (5, 3), (6, 2)])
def test_relu_for_all_values_and_shares(width: int, fraction: int) -> None:
    """For every z of the ring, not only within the range: the sign of z itself is tested, not of a difference."""
    words = range(1 << width)
    cases = grid(words, words, words)
    z, mask, fresh = cases.T
    signed = np.where(z >= 1 << (width - 1), z - (1 << width), z)
    outputs = evaluate_many(
        relu_circuit(width, fraction),
        bits_of(np.stack([mask, fresh], axis=1), width),
        bits_of((z - mask)[:, None], width),
    )
    expected = (np.maximum(signed, 0) // (1 << fraction) - fresh) % (1 << width)
    assert (words_of(outputs, width)[:, 0] == expected).all()


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@given(st.integers(3, 59), st.data())
def test_relu_at_any_width(width: int, data: st.DataObject) -> None:
    fraction = data.draw(st.integers(0, width - 2))
    half = 1 << (width - 1)
    z = data.draw(st.one_of(st.sampled_from([-half, -1, 0, 1, half - 1]), st.integers(-half, half - 1)))
    mask, fresh = data.draw(st.integers(0, 2 * half - 1)), data.draw(st.integers(0, 2 * half - 1))
    (output,) = bits_to_words(
        run(relu_circuit(width, fraction), [(mask, width), (fresh, width)], [(z - mask, width)]), width
    )
    assert (output + fresh) % (1 << width) == max(z, 0) // (1 << fraction) == relu(z, fraction)


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("width", [3, 4, 12, 37, 59])
def test_relu_cost(width: int) -> None:
    for fraction in range(width - 1):
        circuit = relu_circuit(width, fraction)
        assert circuit.and_count == 3 * (width - 1) - fraction
        assert len(circuit.outputs) == width


def test_and_count_counts_ands() -> None:
    circuit = vote_circuit(3, 5, 4)
    counted = reduce(lambda count, gate: count + (gate.operation == Operation.AND), circuit.gates, 0)
    assert circuit.and_count == counted


def test_gates_use_only_known_wires() -> None:
    for circuit in (vote_circuit(4, 6, 3), relu_circuit(6, 2)):
        for position, gate in enumerate(circuit.gates):
            assert min(gate.left, gate.right) >= 0
            assert max(gate.left, gate.right) < circuit.inputs + position
        assert words_to_bits([5], 3) == [1, 0, 1]
