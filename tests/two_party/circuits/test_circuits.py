"""Circuits against plain integer functions: exhaustively at small widths, at random beyond, and their exact costs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax, relu
from capc.two_party.circuits.argmax import share_differences, vote_circuit, vote_circuit_low_depth
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


@pytest.mark.req("CAPC-ARG-004")
def test_the_vote_is_wrong_outside_of_the_admitted_range() -> None:
    """Documentation: without range analysis the largest logit can lose. 3 - (-3) = 6 wraps to -2 in 3 bits."""
    assert one_hot_argmax([3, -3]) == [1, 0]
    assert run(vote_circuit(2, 3, 2), [0, 0], [3, -3]) == [0, 1]
    assert run(vote_circuit_low_depth(2, 3, 2), [0], [6]) == [0, 1]


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


# The vote.

VOTES = (vote_circuit, vote_circuit_low_depth)


def words_for(circuit: Circuit, shares: Words) -> Words:
    """Shares of logits (cases x classes) as the input words of either vote circuit."""
    if "low_depth" not in circuit.name:
        return shares
    return np.stack([shares[:, c] - shares[:, d] for c, d in combinations(range(shares.shape[1]), 2)], axis=1)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize(("num_classes", "logit_bits"), [(2, 3), (2, 4), (2, 5), (3, 3), (4, 3)])
def test_vote_for_all_logits_and_masks(vote: type[Circuit], num_classes: int, logit_bits: int) -> None:
    circuit = vote(num_classes, logit_bits, 4)
    logits = grid(*[signed_range(logit_bits - 2)] * num_classes)
    masks = grid(*[range(1 << logit_bits)] * num_classes)
    rows = grid(range(len(logits)), range(len(masks)))
    r, m = logits[rows[:, 0]], masks[rows[:, 1]]
    assert (run_many(circuit, words_for(circuit, m), words_for(circuit, r - m)) == first_largest(r)).all()


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@given(st.integers(2, 12), st.integers(3, 59), st.data())
def test_votes_at_any_widths(num_classes: int, logit_bits: int, data: st.DataObject) -> None:
    end = (1 << (logit_bits - 2)) - 1
    logit = st.one_of(st.sampled_from(sorted({-end, 0, end})), st.integers(-end, end))
    word = st.integers(0, (1 << logit_bits) - 1)
    r, masks = (data.draw(st.lists(entry, min_size=num_classes, max_size=num_classes)) for entry in (logit, word))
    theirs = [a - b for a, b in zip(r, masks, strict=True)]
    expected = [int(c == r.index(max(r))) for c in range(num_classes)]
    assert run(vote_circuit(num_classes, logit_bits, 16), masks, theirs) == expected
    differences = [share_differences(words, logit_bits) for words in (masks, theirs)]
    assert run(vote_circuit_low_depth(num_classes, logit_bits, 16), *differences) == expected


@pytest.mark.req("CAPC-ARG-006")
@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("num_classes", [2, 3, 7, 10])
def test_vote_opens_shares_only(vote: type[Circuit], num_classes: int) -> None:
    """The flags leave as shares in the ring of votes, and nothing leaves beside them."""
    circuit = vote(num_classes, 5, 4)
    assert circuit.sharing == Sharing(word_bits=1, width=4)
    assert len(circuit.outputs) == num_classes


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("c", [2, 3, 4, 5, 8, 9, 10, 17])
@pytest.mark.parametrize("k", [3, 12, 32, 37])
def test_vote_cost(c: int, k: int) -> None:
    circuit = vote_circuit(c, k, 16)
    assert circuit.and_count == c * (k - 1) + (c - 1) * (k - 1) + (c - 2) * k + c - 2
    assert circuit.and_depth == (c - 1).bit_length() * (k + 1) - 2
    assert (circuit.garbler_inputs, circuit.evaluator_inputs) == (c * k, c * k)
    low_depth = vote_circuit_low_depth(c, k, 16)
    assert low_depth.and_count == c * (c - 1) // 2 * (k - 1) + (c - 1) * (c - 2)
    assert low_depth.and_depth == k - 1 + (c - 2).bit_length()
    assert low_depth.evaluator_inputs == low_depth.garbler_inputs == c * (c - 1) // 2 * k


@pytest.mark.req("CAPC-ARG-007")
def test_costs_that_are_named_elsewhere() -> None:
    """The numbers that comparisons with other systems name, and those of the default widths."""
    named = [vote_circuit(10, 32, 16), vote_circuit_low_depth(10, 32, 16), relu_circuit(37, 12)]
    assert [(each.and_count, each.and_depth) for each in named] == [(853, 130), (1467, 35), (60, 37)]


# ReLU.


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@pytest.mark.parametrize(("width", "fraction"), [(3, 0), (3, 1), (4, 0), (4, 2), (5, 1), (5, 3), (6, 2)])
def test_relu_for_all_values_and_shares(width: int, fraction: int) -> None:
    """For every z of the ring, not only within the range: the sign of z itself is tested, not of a difference."""
    half = 1 << (width - 1)
    cases = grid(range(-half, half), range(2 * half))
    z, mask = cases[:, :1], cases[:, 1:]
    outputs = run_many(relu_circuit(width, fraction), mask, z - mask)
    assert (outputs == np.maximum(z, 0) // (1 << fraction)).all()


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@given(st.integers(3, 59), st.data())
def test_relu_at_any_width(width: int, data: st.DataObject) -> None:
    fraction = data.draw(st.integers(0, width - 2))
    half = 1 << (width - 1)
    z = data.draw(st.one_of(st.sampled_from([-half, -1, 0, 1, half - 1]), st.integers(-half, half - 1)))
    mask = data.draw(st.integers(0, 2 * half - 1))
    circuit = relu_circuit(width, fraction)
    assert run(circuit, [mask], [z - mask]) == [max(z, 0) // (1 << fraction)] == [relu(z, fraction)]
    assert circuit.sharing == Sharing(width - 1 - fraction, width)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-009")
@pytest.mark.parametrize(("width", "fraction", "window"), [(4, 1, 2), (5, 0, 2), (3, 0, 3), (4, 1, 3), (3, 1, 4)])
def test_relu_of_a_window_for_all_values(width: int, fraction: int, window: int) -> None:
    z = grid(*[signed_range(width - 2)] * window)
    masks = (np.arange(z.size).reshape(z.shape) * 7 + 3) % (1 << width)
    outputs = run_many(relu_circuit(width, fraction, window), masks, z - masks)
    assert (outputs[:, 0] == np.maximum(z.max(axis=1), 0) // (1 << fraction)).all()


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("k", [3, 4, 12, 37, 59])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_relu_cost(k: int, n: int) -> None:
    for fraction in {0, 1, k // 3, k - 2}:
        circuit = relu_circuit(k, fraction, n)
        largest = (n - 1) * (2 * k - 1) - fraction if n > 1 else 0
        assert circuit.and_count == n * (k - 1) + largest + k - 1 - fraction
        assert circuit.and_depth == (k if n == 1 else (n - 1).bit_length() * k + 1)
        assert len(circuit.outputs) == k - 1 - fraction


@pytest.mark.parametrize(
    "circuit", [vote_circuit(4, 6, 3), vote_circuit_low_depth(4, 6, 3), relu_circuit(6, 2)], ids=str
)
def test_gates_use_only_known_wires(circuit: Circuit) -> None:
    for position, gate in enumerate(circuit.gates):
        assert min(gate.left, gate.right) >= 0
        assert max(gate.left, gate.right) < circuit.inputs + position
