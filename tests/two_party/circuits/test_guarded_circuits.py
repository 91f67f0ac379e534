"""Circuits of step 1 on words with a bit that is dropped: for all shares, and for all errors within the room."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation import guarded, ring
from capc.foundation.cleartext import relu
from capc.two_party.circuits.argmax import share_differences, vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit, Sharing, evaluate
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from support.guarded import WIDTHS, errors_within, near_errors, share_pairs, signed_range, winner_of, words_of_shares
from support.oracles import Words, bits_of, evaluate_many, first_largest, grid, words_of

VOTES = (vote_circuit, vote_circuit_low_depth)
Vote = Callable[[int, int, int], Circuit]


def run_many(circuit: Circuit, garbler: Words, evaluator: Words) -> Words:
    outputs = evaluate_many(circuit, bits_of(garbler, circuit.input_bits), bits_of(evaluator, circuit.input_bits))
    return words_of(outputs, circuit.sharing.word_bits if circuit.sharing else 1)


def run(circuit: Circuit, garbler: list[int], evaluator: list[int]) -> list[int]:
    return circuit.output_words(evaluate(circuit, garbler, evaluator))


# Words.


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize(("logit_bits", "guard_bits"), WIDTHS)
def test_words_stand_for_the_value_for_all_shares_and_all_errors_within_the_room(
    logit_bits: int, guard_bits: int
) -> None:
    """Their sum is 2 z or 2 z + 1, and both occur; at the first errors outside some shares give the next value."""
    modulus, within = 1 << logit_bits, errors_within(guard_bits)
    for error in range(within[0] - 2, within[-1] + 3):
        z, evaluator, garbler = share_pairs(logit_bits, guard_bits, error)
        mine, theirs = words_of_shares(garbler, evaluator, logit_bits, guard_bits)
        total = (mine + theirs) % (2 * modulus)
        off = (total >> 1) - z
        if error in within:
            assert not off.any()
            assert set(total & 1) == {0, 1} or error in (within[0], within[-1])
        else:
            assert set(off % modulus) <= {0, 1 if error > 0 else modulus - 1}
            assert off.any()
        assert [
            guarded.opened(a, b, logit_bits) for a, b in zip(theirs[:99].tolist(), mine[:99].tolist(), strict=True)
        ] == (total[:99] >> 1).tolist()


def test_scalars_and_arrays_give_the_same_words() -> None:
    shares = np.arange(1 << 8, dtype=np.uint64)
    assert guarded.evaluator_word(shares, 4).tolist() == [guarded.evaluator_word(n, 4) for n in range(1 << 8)]
    assert guarded.garbler_word(shares, 4, 4).tolist() == [guarded.garbler_word(n, 4, 4) for n in range(1 << 8)]


# The vote.


def vote_words(vote: Vote, shares: Words, share_bits: int) -> Words:
    """Shares of logits (cases x classes) as what either vote circuit compares."""
    if vote is vote_circuit:
        return shares
    return np.stack(share_differences(list(shares.T), share_bits), axis=1)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize(("logit_bits", "guard_bits"), [(3, 3), (3, 4), (4, 3)])
def test_vote_of_two_for_all_errors_within_the_room(vote: Vote, logit_bits: int, guard_bits: int) -> None:
    """By all pairs the difference of the errors must be within it. Of shares of the garbler every third, or all."""
    share_bits, circuit = logit_bits + guard_bits, vote(2, logit_bits, 4)
    masks = grid(range(1 << share_bits), range(share_bits % 3, 1 << share_bits, 3))
    within = errors_within(guard_bits)
    room = errors_within(guard_bits) if vote is vote_circuit else range(within[0] // 2, within[-1] // 2 + 1)
    checked = 0
    for r in grid(*[signed_range(logit_bits - 2)] * 2):
        for v in product(room, repeat=2):
            if vote is vote_circuit_low_depth and v[0] - v[1] not in within:
                continue
            evaluator = ((r << guard_bits) + np.array(v) - masks) % (1 << share_bits)
            pair = (vote_words(vote, share, share_bits) for share in (masks, evaluator))
            words = words_of_shares(*pair, logit_bits, guard_bits)
            assert (run_many(circuit, *words) == first_largest(r[None])).all()
            checked += 1
    assert checked >= 9 * 4


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize(("classes", "logit_bits"), [(2, 3), (2, 5), (3, 3), (3, 4)])
def test_vote_by_tournament_for_all_words(classes: int, logit_bits: int) -> None:
    """Whatever bits are dropped, ties go to the lowest index."""
    assert_votes(vote_circuit(classes, logit_bits, 4), grid(*[signed_range(logit_bits - 2)] * classes), logit_bits)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@pytest.mark.parametrize(("classes", "logit_bits"), [(2, 3), (2, 5), (3, 3), (4, 3)])
def test_vote_by_all_pairs_for_all_words(classes: int, logit_bits: int) -> None:
    """Each difference has a bit of its own."""
    logits = grid(*[signed_range(logit_bits - 2)] * classes)
    values = vote_words(vote_circuit_low_depth, logits, 60)
    assert_votes(vote_circuit_low_depth(classes, logit_bits, 4), values, logit_bits, first_largest(logits))


def assert_votes(circuit: Circuit, values: Words, logit_bits: int, expected: Words | None = None) -> None:
    """For all bits beside the values; all words of the garbler, or 512 of them."""
    count, bits = values.shape[1], logit_bits + 1
    source = np.random.default_rng(count)
    size = min(512, 1 << bits * count)
    masks = np.arange(1 << bits * count) if size < 512 else source.integers(0, 1 << bits * count, size)
    mine = masks[:, None] >> bits * np.arange(count) & (1 << bits) - 1
    wanted = first_largest(values) if expected is None else expected
    for dropped in product((0, 1), repeat=count):
        for row, flags in zip(values, wanted, strict=True):
            theirs = (2 * row + np.array(dropped) - mine) % (1 << bits)
            assert (run_many(circuit, mine, theirs) == flags).all()


@pytest.mark.req("CAPC-ARG-004")
def test_the_vote_is_wrong_outside_of_the_admitted_range() -> None:
    """Documentation: without range analysis the largest logit can lose. 3 - (-3) = 6 wraps to -2 in 3 bits."""
    assert run(vote_circuit(2, 3, 2), [0, 0], [6, 16 - 6]) == [0, 1]
    assert run(vote_circuit_low_depth(2, 3, 2), [0], [12]) == [0, 1]


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-002")
def test_the_vote_is_wrong_outside_of_the_room() -> None:
    """A tie of three whose errors are one too large, or one too small, goes to another class for some shares."""
    least, most = errors_within(3)[0], errors_within(3)[-1]
    masks = np.arange(1 << 18)[:, None] >> 6 * np.arange(3) & 63
    for errors, lost in (((least - 1, 0, 0), True), ((0, most + 1, 0), True), ((least, most, 0), False)):
        words = words_of_shares(masks, (np.array(errors) - masks) % 64, 3, 3)
        flags = run_many(vote_circuit(3, 3, 4), *words)
        assert (flags.sum(axis=1) == 1).all()
        assert (flags[:, 0] == 1).all() != lost


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
@given(st.integers(2, 12), st.integers(3, 58), st.integers(1, 16), st.data())
@example(10, 37, 8, None)
def test_votes_at_any_widths(classes: int, logit_bits: int, guard_bits: int, data: st.DataObject | None) -> None:
    """From shares with errors at the ends of the room, which decide no tie."""
    logit_bits = min(logit_bits, 59 - guard_bits)
    share_bits, end = logit_bits + guard_bits, (1 << (logit_bits - 2)) - 1
    logit = st.one_of(st.sampled_from(sorted({-end, 0, end})), st.integers(-end, end))
    if data is None:
        r, masks, errors = [5] * classes, [1 << 44] * classes, [0, *[guarded.room(guard_bits)] * (classes - 1)]
    else:
        columns = logit, st.integers(0, (1 << share_bits) - 1), near_errors(guard_bits)
        r, masks, errors = (data.draw(st.lists(each, min_size=classes, max_size=classes)) for each in columns)
    expected = [int(c == r.index(max(r))) for c in range(classes)]
    theirs = [((a << guard_bits) + v - b) % (1 << share_bits) for a, v, b in zip(r, errors, masks, strict=True)]
    mine = [guarded.garbler_word(share, logit_bits, guard_bits) for share in masks]
    assert run(
        vote_circuit(classes, logit_bits, 16), mine, [guarded.evaluator_word(n, guard_bits) for n in theirs]
    ) == (expected)
    garbler, evaluator = (share_differences(shares, share_bits) for shares in (masks, theirs))
    words = [guarded.garbler_word(share, logit_bits, guard_bits) for share in garbler]
    others = [guarded.evaluator_word(share, guard_bits) for share in evaluator]
    assert run(vote_circuit_low_depth(classes, logit_bits, 16), words, others) == expected


@pytest.mark.req("CAPC-ARG-006")
@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("num_classes", [2, 3, 7, 10])
def test_vote_opens_shares_only(vote: Vote, num_classes: int) -> None:
    """The flags leave as shares in the ring of votes, and nothing leaves beside them."""
    circuit = vote(num_classes, 5, 4)
    assert circuit.sharing == Sharing(word_bits=1, width=4)
    assert len(circuit.outputs) == num_classes


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("c", [2, 3, 4, 5, 8, 9, 10, 17])
@pytest.mark.parametrize("k", [3, 12, 32, 37])
def test_vote_cost(c: int, k: int) -> None:
    circuit = vote_circuit(c, k, 16)
    assert circuit.and_count == (2 * c - 1) * (k - 1) + c + (c - 2) * (k + 1)
    assert circuit.and_depth == (c - 1).bit_length() * (k + 1) - 1
    assert (circuit.garbler_inputs, circuit.evaluator_inputs) == (c * (k + 1), c * (k + 1))
    low_depth = vote_circuit_low_depth(c, k, 16)
    assert low_depth.and_count == c * (c - 1) // 2 * k + (c - 1) * (c - 2)
    assert low_depth.and_depth == k + (c - 2).bit_length()
    assert low_depth.evaluator_inputs == low_depth.garbler_inputs == c * (c - 1) // 2 * (k + 1)


@pytest.mark.req("CAPC-ARG-007", "CAPC-ROUND-002")
def test_costs_that_are_named_elsewhere() -> None:
    """The numbers that comparisons with other systems name, and those of the default widths."""
    named = [vote_circuit(10, 32, 16), vote_circuit_low_depth(10, 32, 16), relu_circuit(37, 12)]
    assert [(each.and_count, each.and_depth) for each in named] == [(863, 131), (1512, 36), (61, 38)]
    default = [relu_circuit(37, 12, 4), vote_circuit(10, 37, 16), vote_circuit_low_depth(10, 37, 16)]
    assert [each.and_count for each in default] == [379, 998, 1737]
    *signs, last = matches_per_round(10)
    rounds = [*(signs_circuit(n, 37, 45) for n in signs), final_circuit(10, 37, 16)]
    assert (last, sum(each.and_count for each in rounds)) == (1, 341)


# The vote in rounds.


@pytest.mark.req("CAPC-ROUND-001")
@pytest.mark.parametrize(("logit_bits", "guard_bits"), WIDTHS)
def test_signs_for_all_shares_and_errors_within_the_room(logit_bits: int, guard_bits: int) -> None:
    """Of every difference that fits; a difference of 0 is no win of the right side, whatever the error."""
    circuit = signs_circuit(1, logit_bits, logit_bits + guard_bits)
    for error in errors_within(guard_bits):
        z, evaluator, garbler = share_pairs(logit_bits, guard_bits, error)
        words = words_of_shares(garbler[:, None], evaluator[:, None], logit_bits, guard_bits)
        assert (run_many(circuit, *words)[:, 0] == z >> logit_bits - 1).all()


@pytest.mark.req("CAPC-ROUND-001")
@pytest.mark.parametrize(("classes", "logit_bits"), [(2, 3), (3, 3), (4, 3)])
def test_last_round_for_all_words_and_signs(classes: int, logit_bits: int) -> None:
    """The flags follow the signs of earlier matches and that of the last difference, whatever bit is dropped."""
    circuit, bits = final_circuit(classes, logit_bits, 4), logit_bits + 1
    cases = grid(*[range(1 << bits)] * 2, *[range(2)] * (classes - 2))
    mine, theirs, signs = cases[:, :1], cases[:, 1:2], cases[:, 2:]
    evaluator = np.concatenate([bits_of(theirs, bits), signs.astype(np.uint8)], axis=1)
    flags = evaluate_many(circuit, bits_of(mine, bits), evaluator)
    last = ((mine + theirs) % (1 << bits) >> bits - 1)[:, 0]
    expected = np.array([winner_of(classes, [*row, int(sign)]) for row, sign in zip(signs.tolist(), last, strict=True)])
    assert (flags.argmax(axis=1) == expected).all()
    assert (flags.sum(axis=1) == 1).all()


# ReLU.


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@pytest.mark.parametrize("fraction", [0, 1])
@pytest.mark.parametrize(("logit_bits", "guard_bits"), WIDTHS)
def test_relu_for_all_values_shares_and_errors(logit_bits: int, guard_bits: int, fraction: int) -> None:
    """For every z of the ring, not only within the range: the sign of z itself is tested, not of a difference."""
    circuit = relu_circuit(logit_bits, fraction)
    for error in errors_within(guard_bits):
        z, evaluator, garbler = share_pairs(logit_bits, guard_bits, error)
        words = words_of_shares(garbler[:, None], evaluator[:, None], logit_bits, guard_bits)
        value = z - (z >> logit_bits - 1 << logit_bits)
        assert (run_many(circuit, *words)[:, 0] == np.maximum(value, 0) // (1 << fraction)).all()


@pytest.mark.req("CAPC-ARG-001", "CAPC-PARAM-042")
@given(st.integers(3, 58), st.integers(1, 16), st.data())
def test_relu_at_any_width(logit_bits: int, guard_bits: int, data: st.DataObject) -> None:
    logit_bits = min(logit_bits, 59 - guard_bits)
    fraction, half = data.draw(st.integers(0, logit_bits - 2)), 1 << (logit_bits - 1)
    z = data.draw(st.one_of(st.sampled_from([-half, -1, 0, 1, half - 1]), st.integers(-half, half - 1)))
    mask, share_bits = data.draw(st.integers(0, (1 << logit_bits + guard_bits) - 1)), logit_bits + guard_bits
    rest = ring.reduce((z << guard_bits) + data.draw(near_errors(guard_bits)) - mask, share_bits)
    words = [guarded.garbler_word(mask, logit_bits, guard_bits)], [guarded.evaluator_word(rest, guard_bits)]
    circuit = relu_circuit(logit_bits, fraction)
    assert run(circuit, *words) == [max(z, 0) // (1 << fraction)] == [relu(z, fraction)]
    assert circuit.sharing == Sharing(logit_bits - 1 - fraction, logit_bits)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-009")
@pytest.mark.parametrize(("width", "fraction", "window"), [(4, 1, 2), (5, 0, 2), (3, 0, 3), (4, 1, 3), (3, 1, 4)])
def test_relu_of_a_window_for_all_values_and_dropped_bits(width: int, fraction: int, window: int) -> None:
    z = grid(*[signed_range(width - 2)] * window)
    masks = (np.arange(z.size).reshape(z.shape) * 7 + 3) % (2 << width)
    for dropped in product((0, 1), repeat=window):
        outputs = run_many(relu_circuit(width, fraction, window), masks, 2 * z + np.array(dropped) - masks)
        assert (outputs[:, 0] == np.maximum(z.max(axis=1), 0) // (1 << fraction)).all()


@pytest.mark.req("CAPC-ARG-023")
@pytest.mark.parametrize(("logit_bits", "fraction", "cap"), [(4, 0, 1), (4, 1, 1), (5, 0, 2), (5, 1, 2), (5, 0, 3)])
def test_capped_relu_for_all_values_shares_and_errors(logit_bits: int, fraction: int, cap: int) -> None:
    """For every z of the ring; the widest cap leaves one bit above it."""
    circuit, guard_bits = relu_circuit(logit_bits, fraction, cap_bits=cap), 3
    for error in errors_within(guard_bits):
        z, evaluator, garbler = share_pairs(logit_bits, guard_bits, error)
        words = words_of_shares(garbler[:, None], evaluator[:, None], logit_bits, guard_bits)
        value = z - (z >> logit_bits - 1 << logit_bits)
        expected = np.minimum(np.maximum(value, 0) // (1 << fraction), (1 << cap) - 1)
        assert (run_many(circuit, *words)[:, 0] == expected).all()


@pytest.mark.req("CAPC-ARG-023")
@pytest.mark.parametrize(("width", "fraction", "window", "cap"), [(5, 1, 2, 1), (5, 0, 2, 2), (4, 0, 3, 1)])
def test_capped_relu_of_a_window_for_all_values_and_dropped_bits(
    width: int, fraction: int, window: int, cap: int
) -> None:
    z = grid(*[signed_range(width - 2)] * window)
    masks = (np.arange(z.size).reshape(z.shape) * 7 + 3) % (2 << width)
    for dropped in product((0, 1), repeat=window):
        circuit = relu_circuit(width, fraction, window, cap)
        outputs = run_many(circuit, masks, 2 * z + np.array(dropped) - masks)
        assert (outputs[:, 0] == np.minimum(np.maximum(z.max(axis=1), 0) // (1 << fraction), (1 << cap) - 1)).all()


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-023")
@given(st.integers(3, 58), st.data())
def test_capped_relu_at_any_width(logit_bits: int, data: st.DataObject) -> None:
    cap = data.draw(st.integers(1, logit_bits - 2))
    fraction = data.draw(st.integers(0, logit_bits - 2 - cap))
    edge, half = (1 << cap + fraction) - 1, 1 << (logit_bits - 1)
    near = st.sampled_from([-half, -1, 0, edge - 1, edge, edge + 1, half - 1])
    z = data.draw(st.one_of(near, st.integers(-half, half - 1)))
    mask = data.draw(st.integers(0, (2 << logit_bits) - 1))
    circuit = relu_circuit(logit_bits, fraction, cap_bits=cap)
    words = [mask], [ring.reduce(2 * z + data.draw(st.integers(0, 1)) - mask, logit_bits + 1)]
    assert run(circuit, *words) == [min(max(z, 0) // (1 << fraction), (1 << cap) - 1)] == [relu(z, fraction, cap)]
    assert circuit.sharing == Sharing(cap, logit_bits)


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("k", [4, 12, 37, 56])
@pytest.mark.parametrize("n", [1, 2, 4, 9])
def test_a_cap_costs_no_ands(k: int, n: int) -> None:
    """Instead of masking every bit, it chooses those below the cap, and asks of those above it whether one is set."""
    for fraction, cap in ((0, 1), (0, k - 2), (k // 3, 1), (k // 3, k - 2 - k // 3)):
        plain, capped = relu_circuit(k, fraction, n), relu_circuit(k, fraction, n, cap)
        assert capped.and_count == plain.and_count
        # Of bits that are left out, their sum's carries are needed, but of a window nothing more is saved.
        assert plain.and_depth <= capped.and_depth <= plain.and_depth + (k - fraction - cap - 1).bit_length()
        assert (len(capped.outputs), capped.input_bits) == (cap, k + 1)


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("k", [3, 4, 12, 37, 56])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_relu_cost(k: int, n: int) -> None:
    for fraction in {0, 1, k // 3, k - 2}:
        circuit = relu_circuit(k, fraction, n)
        largest = (n - 1) * (2 * k - 1) - fraction if n > 1 else 0
        assert circuit.and_count == n * k + largest + k - 1 - fraction
        assert circuit.and_depth == (k + 1 if n == 1 else (n - 1).bit_length() * k + 2)
        assert (len(circuit.outputs), circuit.input_bits) == (k - 1 - fraction, k + 1)
