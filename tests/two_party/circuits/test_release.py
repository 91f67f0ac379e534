"""The release circuits, with and without the threshold, against integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.session.parameters import Charge
from capc.steps.release_circuit import circuit_for, read_outputs
from capc.two_party.circuits.builder import evaluate
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from support.builders import confident_policy, make_parameters, make_policy, single_draw_policy
from support.oracles import bits_of, evaluate_many, grid, words_of


def label_bits(num_classes: int) -> int:
    return len(bin(num_classes - 1)) - 2


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002", "CAPC-ARG-016")
@pytest.mark.parametrize(("num_classes", "width"), [(2, 3), (2, 4), (3, 3), (3, 4), (4, 3)])
def test_release_for_all_counts_and_shares(num_classes: int, width: int) -> None:
    """Whatever words the parties put in, and so whatever anybody added to a share: the first largest number."""
    totals = grid(*[range(-(1 << (width - 1)), 1 << (width - 1))] * num_classes)
    shares = grid(*[range(1 << width)] * num_classes)[:: 1 if width**num_classes < 20 else 37]
    rows = grid(range(len(totals)), range(len(shares)))
    total, share = totals[rows[:, 0]], shares[rows[:, 1]]
    outputs = evaluate_many(release_circuit(num_classes, width), bits_of(total - share, width), bits_of(share, width))
    assert outputs.shape[1] == label_bits(num_classes)
    assert (words_of(outputs, label_bits(num_classes))[:, 0] == total.argmax(axis=1)).all()


def check_decisions(outputs: np.ndarray, checked: np.ndarray, limit: np.ndarray, noisy: np.ndarray) -> None:
    """The largest checked count decides the answered bit, the noised ones the label; one that is withheld is 0."""
    answered, label = outputs[:, 0], words_of(outputs[:, 1:], label_bits(noisy.shape[1]))[:, 0]
    expected = checked.max(axis=1) >= limit
    assert (answered == expected).all()
    assert (label == np.where(expected, noisy.argmax(axis=1), 0)).all()
    assert 0 < expected.mean() < 1


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-016", "CAPC-REL-002", "CAPC-REL-010")
@pytest.mark.parametrize(("num_classes", "width"), [(2, 3), (2, 4), (3, 3)])
def test_single_draw_for_all_words_and_limits(num_classes: int, width: int) -> None:
    """The noised counts decide both, whatever they are; the label of a withheld answer is 0."""
    every = range(-(1 << (width - 1)), 1 << (width - 1))
    cases = grid(*[every] * num_classes, every)
    noisy, limit = cases[:, :num_classes], cases[:, num_classes]
    share = (np.arange(noisy.size).reshape(noisy.shape) * 7) % (1 << width)
    garbler = np.concatenate([noisy - share, limit[:, None]], axis=1)
    circuit = single_draw_release_circuit(num_classes, width)
    assert circuit.sharing is None
    outputs = evaluate_many(circuit, bits_of(garbler, width), bits_of(share, width))
    check_decisions(outputs, noisy, limit, noisy)


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-016", "CAPC-REL-002")
@pytest.mark.parametrize("evaluator_noise", [False, True])
@pytest.mark.parametrize(("num_classes", "width"), [(2, 3), (3, 3)])
def test_confident_release_for_all_words_and_limits(num_classes: int, width: int, evaluator_noise: bool) -> None:
    """Counts with draws of the check's own decide the answered bit, those with the label's noise the label."""
    every = range(-(1 << (width - 1)), 1 << (width - 1))
    noisy_range = every if num_classes == 2 else range(-1, 2)
    cases = grid(*[every] * num_classes, *[noisy_range] * num_classes, every)
    checked, noisy, limit = cases[:, :num_classes], cases[:, num_classes:-1], cases[:, -1]
    share = (np.arange(noisy.size).reshape(noisy.shape) * 7) % (1 << width)
    # In realised mode the querying party's words of the check are its share with draws of its own.
    checked_share = (
        (share + np.arange(noisy.size).reshape(noisy.shape) * 5) % (1 << width) if evaluator_noise else share
    )
    garbler = np.concatenate([checked - checked_share, noisy - share, limit[:, None]], axis=1)
    evaluator = np.concatenate([share, checked_share], axis=1) if evaluator_noise else share
    circuit = confident_release_circuit(num_classes, width, evaluator_noise=evaluator_noise)
    assert circuit.sharing is None
    outputs = evaluate_many(circuit, bits_of(garbler, width), bits_of(evaluator, width))
    check_decisions(outputs, checked, limit, noisy)


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002", "CAPC-ARG-016")
@given(st.integers(2, 20), st.integers(3, 64), st.data())
def test_release_at_any_widths(num_classes: int, width: int, data: st.DataObject) -> None:
    end = (1 << (width - 1)) - 1
    entry = st.one_of(st.sampled_from([-end - 1, -end, -1, 0, end]), st.integers(-end - 1, end))
    totals = data.draw(st.lists(entry, min_size=num_classes, max_size=num_classes))
    shares = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=num_classes, max_size=num_classes))
    garbler = [ring.reduce(total - share, width) for total, share in zip(totals, shares, strict=True)]
    outputs = evaluate(release_circuit(num_classes, width), garbler, shares)
    assert int("".join(map(str, reversed(outputs))), 2) == totals.index(max(totals))


@pytest.mark.req("CAPC-ARG-006", "CAPC-ARG-007")
@pytest.mark.parametrize("num_classes", range(2, 20))
@pytest.mark.parametrize("width", [6, 10, 16])
def test_costs_and_that_only_the_label_and_the_answered_bit_are_opened(num_classes: int, width: int) -> None:
    c, w = num_classes, width
    plain = release_circuit(c, w)
    assert plain.and_count == c * (w - 1) + (c - 1) * w + (c - 2) * w + c - 2
    assert plain.and_count == c * (w - 1) + (2 * c - 3) * w + c - 2
    rounds = label_bits(c)
    single = single_draw_release_circuit(c, w)
    assert single.and_count - plain.and_count == 2 * w + rounds
    worst_case, realised = (confident_release_circuit(c, w, evaluator_noise=own) for own in (False, True))
    more = c * (w - 1) + c * w + c - 1 + rounds
    assert worst_case.and_count - plain.and_count == realised.and_count - plain.and_count == more
    assert plain.and_depth == rounds * (w + 2) - 2
    assert single.and_depth == (rounds + 1) * (w + 1)
    assert worst_case.and_depth == realised.and_depth == max(plain.and_depth, w + rounds) + 1
    circuits = (plain, single, worst_case, realised)
    assert [len(circuit.outputs) for circuit in circuits] == [rounds, *[1 + rounds] * 3]


def test_circuit_follows_the_policy() -> None:
    plain = make_parameters(policy=make_policy())
    single = make_parameters(policy=single_draw_policy())
    worst = make_parameters(policy=confident_policy())
    realised = make_parameters(policy=confident_policy(Charge.REALISED))
    assert circuit_for(plain) is release_circuit(3, 11)
    assert circuit_for(single) is single_draw_release_circuit(3, 11)
    assert circuit_for(worst) is confident_release_circuit(3, 11, evaluator_noise=False)
    assert circuit_for(realised) is confident_release_circuit(3, 11, evaluator_noise=True)
    names = {circuit_for(entry).name for entry in (plain, single, worst, realised)}
    assert len(names) == 4


@pytest.mark.req("CAPC-REL-002")
def test_outputs_are_read_as_label_or_none() -> None:
    plain, confident = make_parameters(), make_parameters(policy=confident_policy(threshold=Fraction(2)))
    assert read_outputs(plain, [0, 1]) == 2
    assert read_outputs(plain, [0, 0]) == 0
    assert read_outputs(confident, [1, 0, 1]) == 2
    assert read_outputs(confident, [1, 0, 0]) == 0
    assert read_outputs(confident, [0, 0, 0]) is None
