"""Baselines: the trusted place's teachers, and DP-SGD at the epsilon that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import opacus
import pytest
import torch
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from hypothesis import given
from hypothesis import strategies as st

from capc.learning import baselines
from capc.learning.baselines import DP_SGD_LEAST_EPSILON
from capc.learning.training import FloatModel, TrainingTask
from support.sizes import some

LEAST = float(DP_SGD_LEAST_EPSILON)


def blobs(count: int, seed: int = 1) -> TrainingTask:
    """Three well separated classes in the plane, as a task for a network of one hidden layer."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    centres = np.array([[0.6, 0.0], [-0.5, 0.5], [-0.5, -0.5]])
    return TrainingTask(centres[labels] + generator.uniform(-0.2, 0.2, (count, 2)), labels, 3, (4,), (seed, 0), None)


def same(first: FloatModel, second: FloatModel) -> bool:
    pairs = zip((*first.weights, *first.biases), (*second.weights, *second.biases), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 2**32))
def test_the_trusted_place_gives_every_row_to_one_teacher(sizes: list[int], seed: int) -> None:
    parties = tuple(np.split(np.arange(100, 100 + sum(sizes)), np.cumsum(sizes)[:-1]))
    divided = baselines.teachers(parties, (seed, 1))
    assert [len(rows) for rows in divided] == sizes
    assert sorted(np.concatenate(divided).tolist()) == list(range(100, 100 + sum(sizes)))
    again = baselines.teachers(parties, (seed, 1))
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(divided, again, strict=True))


def test_the_teachers_rows_are_mixed() -> None:
    divided = baselines.teachers(tuple(np.split(np.arange(400), 4)), (5,))
    assert all(len(set((rows // 100).tolist())) == 4 for rows in divided)


@pytest.mark.slow
def test_dp_sgd_repeats_and_leaves_generators_and_threads_alone() -> None:
    before, numpy_before, threads = torch.get_rng_state(), str(np.random.get_state()), torch.get_num_threads()
    first, again = (baselines.dp_sgd(blobs(60), 2.0, 1e-6) for _ in range(2))
    assert same(first, again)
    assert not same(first, baselines.dp_sgd(blobs(60, 2), 2.0, 1e-6))
    assert torch.equal(before, torch.get_rng_state())
    assert str(np.random.get_state()) == numpy_before
    assert torch.get_num_threads() == threads


@pytest.mark.slow
@pytest.mark.parametrize("rows", some([1, 8, 200], ordinary=2))
@pytest.mark.parametrize("epsilon", some([LEAST, 0.99, 1.0, 2.0, 10.0, 50.0], ordinary=3))
def test_dp_sgd_spends_the_epsilon_that_it_is_given(rows: int, epsilon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another library's accountant, for batches that are drawn row by row."""
    delta, noise = 1e-6, []
    original = opacus.PrivacyEngine.make_private

    def make_private(self: opacus.PrivacyEngine, **given: Any) -> object:
        noise.append(given["noise_multiplier"])
        return original(self, **given)

    monkeypatch.setattr(opacus.PrivacyEngine, "make_private", make_private)
    model = baselines.dp_sgd(blobs(rows), epsilon, delta)
    assert all(np.isfinite(array).all() for array in (*model.weights, *model.biases))
    batches = -(-rows // max(1, rows // baselines.DP_SGD_BATCHES))
    step = PoissonSampledDpEvent(1 / batches, GaussianDpEvent(noise[0]))
    accountant = PLDAccountant().compose(SelfComposedDpEvent(step, baselines.DP_SGD_EPOCHS * batches))
    spent = accountant.get_epsilon(delta)
    # What Opacus cannot tell more exactly is 0.01.
    assert 0.75 * epsilon - 0.01 <= spent <= epsilon + 0.01


@pytest.mark.slow
def test_dp_sgd_learns_where_epsilon_is_large_and_not_where_it_is_small() -> None:
    task, unseen = blobs(200), blobs(300, 2)
    right = [
        np.mean(baselines.dp_sgd(task, epsilon, 1e-6).predict(unseen.features) == unseen.labels)
        for epsilon in (1000.0, LEAST)
    ]
    assert right[0] > 0.95
    assert right[1] < 0.8
