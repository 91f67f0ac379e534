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
from capc.two_party.circuits.release import confident_release_circuit, release_circuit
from support.builders import confident_policy, make_parameters, make_policy
from support.oracles import bits_of, evaluate_many, grid, words_of


def label_bits(num_classes: int) -> int:
    return len(bin(num_classes - 1)) - 2


@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002", "CAPC-ARG-015")
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


@pytest.mark.req("CAPC-ARG-001", "CAPC-REL-002")
@pytest.mark.parametrize("evaluator_noise", [False, True])
@pytest.mark.parametrize(("num_classes", "width"), [(2, 4), (3, 4)])
def test_confident_release_for_all_counts_and_limits(num_classes: int, width: int, evaluator_noise: bool) -> None:
    """Un-noised votes decide the answered bit, noised ones the label; the label of a withheld answer is 0."""
    inside = range(1 - (1 << (width - 2)), 1 << (width - 2))
    small = range(2)
    axes = [*[range(3)] * num_classes, *[small] * num_classes, inside, *([range(-1, 2)] if evaluator_noise else [])]
    cases = grid(*axes)
    votes, noise = cases[:, :num_classes], cases[:, num_classes : 2 * num_classes]
    limit, extra = cases[:, 2 * num_classes], cases[:, 2 * num_classes + 1 :]
    share = (np.arange(votes.size).reshape(votes.shape) * 7) % (1 << width)
    garbler = np.concatenate([votes - share, votes - share + noise, limit[:, None]], axis=1)
    evaluator = np.concatenate([share, extra], axis=1)
    circuit = confident_release_circuit(num_classes, width, evaluator_noise=evaluator_noise)
    assert circuit.sharing is None
    outputs = evaluate_many(circuit, bits_of(garbler, width), bits_of(evaluator, width))
    answered = votes.max(axis=1) >= limit + extra.sum(axis=1)
    assert (outputs[:, 0] == answered).all()
    assert (
        words_of(outputs[:, 1:], label_bits(num_classes))[:, 0] == np.where(answered, (votes + noise).argmax(axis=1), 0)
    ).all()
    assert answered.any()
    assert not answered.all()


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002", "CAPC-ARG-015")
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
    worst_case = confident_release_circuit(c, w, evaluator_noise=False)
    more = c * (w - 1) + (c - 1) * 2 * w + w + label_bits(c)
    assert worst_case.and_count - plain.and_count == more
    realised = confident_release_circuit(c, w, evaluator_noise=True)
    assert realised.and_count - worst_case.and_count == w - 1
    rounds = label_bits(c)
    assert plain.and_depth == rounds * (w + 2) - 2
    assert worst_case.and_depth == realised.and_depth == (rounds + 1) * (w + 1)
    assert [len(circuit.outputs) for circuit in (plain, worst_case, realised)] == [rounds, 1 + rounds, 1 + rounds]


def test_circuit_follows_the_policy() -> None:
    plain = make_parameters(policy=make_policy())
    worst = make_parameters(policy=confident_policy())
    realised = make_parameters(policy=confident_policy(Charge.REALISED))
    assert circuit_for(plain) is release_circuit(3, 11)
    assert circuit_for(worst) is confident_release_circuit(3, 11, evaluator_noise=False)
    assert circuit_for(realised) is confident_release_circuit(3, 11, evaluator_noise=True)
    names = {circuit_for(entry).name for entry in (plain, worst, realised)}
    assert len(names) == 3


@pytest.mark.req("CAPC-REL-002")
def test_outputs_are_read_as_label_or_none() -> None:
    plain, confident = make_parameters(), make_parameters(policy=confident_policy(threshold=Fraction(2)))
    assert read_outputs(plain, [0, 1]) == 2
    assert read_outputs(plain, [0, 0]) == 0
    assert read_outputs(confident, [1, 0, 1]) == 2
    assert read_outputs(confident, [1, 0, 0]) == 0
    assert read_outputs(confident, [0, 0, 0]) is None
