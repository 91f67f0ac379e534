"""Local models: the same for the same seed, good enough to be asked, and the same decision after quantisation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from capc.learning.data import Floats, Indices, load_digits
from capc.learning.quantise import quantise
from capc.learning.training import ARCHITECTURES, FloatModel, train


def blobs(count: int, seed: int) -> tuple[Floats, Indices]:
    """Three well separated classes in the plane, inside [-1, 1]."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    centres = np.array([[0.6, 0.0], [-0.5, 0.5], [-0.5, -0.5]])
    return centres[labels] + generator.uniform(-0.2, 0.2, (count, 2)), labels


@pytest.mark.slow
def test_every_architecture_learns_separated_classes() -> None:
    features, labels = blobs(60, 1)
    unseen, truth = blobs(300, 2)
    for hidden in ARCHITECTURES:
        model = train(features, labels, 3, hidden, (5, 1))
        assert np.mean(model.predict(unseen) == truth) > 0.97


@pytest.mark.slow
def test_training_repeats_for_its_seed_and_leaves_other_generators_alone() -> None:
    features, labels = blobs(30, 1)
    torch_state, numpy_state, threads = torch.get_rng_state(), np.random.get_state(), torch.get_num_threads()
    first, again, other = (train(features, labels, 3, (4,), seed) for seed in ((1, 2), (1, 2), (1, 3)))
    for mine, same, different in zip(first.weights, again.weights, other.weights, strict=True):
        assert np.array_equal(mine, same)
        assert not np.array_equal(mine, different)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert str(numpy_state) == str(np.random.get_state())
    assert torch.get_num_threads() == threads


def test_a_class_that_no_row_has_still_gets_a_logit() -> None:
    features, labels = blobs(9, 1)
    assert train(features, labels, 5, (), (1,)).logits(features).shape == (9, 5)


def error_bound(model: FloatModel, features: Floats, fraction_bits: int) -> float:
    """How far a quantised logit can be from the float one: rounding of inputs, weights, biases, and truncation."""
    half = 2.0 ** -(fraction_bits + 1)
    values, errors = np.abs(features), np.full(len(features), half)
    for index, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        magnitude = np.abs(weight)
        errors = magnitude @ errors + half * (values + errors).sum() + 2.0 ** -(2 * fraction_bits + 1)
        values = magnitude @ values + np.abs(bias)
        if index < len(model.weights) - 1:
            errors = errors + 2 * half
    return float(errors.max())


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    fraction_bits=st.integers(2, 16),
    seed=st.integers(0, 2**32),
)
def test_quantised_logits_are_the_float_ones_up_to_the_rounding(
    sizes: list[int], fraction_bits: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weights = tuple(generator.normal(0, 1, (after, before)) for before, after in itertools.pairwise(sizes))
    biases = tuple(generator.normal(0, 1, after) for after in sizes[1:])
    model = FloatModel(weights, biases)
    features = generator.uniform(-1, 1, sizes[0])
    integers = quantise(model, fraction_bits).logits([round(float(value) * 2**fraction_bits) for value in features])
    exact = model.logits(features[None, :])[0]
    bound = error_bound(model, features, fraction_bits)
    scaled = np.array(integers) / 4.0**fraction_bits
    assert np.all(np.abs(scaled - exact) <= bound * (1 + 1e-9))


def test_quantised_models_of_digits_vote_like_the_float_ones() -> None:
    data = load_digits()
    rows = np.arange(60)
    unseen = data.features[1000:1200]
    for hidden in ((), (12,), (16, 16)):
        model = train(data.features[rows], data.labels[rows], 10, hidden, (0, 1))
        quantised = quantise(model, 12)
        quantised.check_ranges(37)
        integer_votes = []
        for row in unseen:
            logits = quantised.logits([round(value * 4096) for value in row.tolist()])
            integer_votes.append(logits.index(max(logits)))
        assert np.mean(np.array(integer_votes) == model.predict(unseen)) >= 0.99
