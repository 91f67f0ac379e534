"""Local models: the same for the same seed, good enough to be asked, and the same decision after quantisation."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.learning import training
from capc.learning.architectures import MIX, mix
from capc.learning.bounds import weight_bound
from capc.learning.data import Floats, Indices, load_digits
from capc.learning.quantise import quantise
from capc.learning.training import (
    FloatModel,
    TrainingTask,
    train,
    train_side_by_side,
)
from capc.session.widths import ParameterSet


def blobs(count: int, seed: int) -> tuple[Floats, Indices]:
    """Three well separated classes in the plane, inside [-1, 1]."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    centres = np.array([[0.6, 0.0], [-0.5, 0.5], [-0.5, -0.5]])
    return centres[labels] + generator.uniform(-0.2, 0.2, (count, 2)), labels


def task_of(features: Floats, labels: Indices, classes: int, hidden: Sequence[int], seed: int = 1) -> TrainingTask:
    bound = weight_bound((features.shape[1], *hidden, classes), 12, 37)
    return TrainingTask(features, labels, classes, tuple(hidden), (seed,), bound)


@pytest.mark.slow
def test_every_architecture_learns_separated_classes() -> None:
    features, labels = blobs(60, 1)
    unseen, truth = blobs(300, 2)
    for hidden in MIX:
        model = train(task_of(features, labels, 3, hidden))
        assert np.mean(model.predict(unseen) == truth) > 0.97


@pytest.mark.req("CAPC-RUN-053")
@pytest.mark.parametrize("hidden", [(), (12,), (16, 16)], ids=str)
@pytest.mark.parametrize("common", [0.0, 0.75, -0.75])
def test_what_all_rows_have_in_common_does_not_hide_what_tells_them_apart(
    hidden: tuple[int, ...], common: float
) -> None:
    """Bright pictures: a rare class that is darker in a fifth of its pixels, by a tenth of what all have."""

    def pictures(count: int, seed: int) -> tuple[Floats, Indices]:
        generator = np.random.default_rng(seed)
        labels = (np.arange(count) % 5 > 0).astype(np.int64)
        features = common + generator.uniform(-0.12, 0.12, (count, 400))
        features[:, :80] += 0.08 * (2 * labels[:, None] - 1)
        return features, labels

    features, labels = pictures(120, 1)
    unseen, truth = pictures(200, 2)
    found = train(task_of(features, labels, 2, hidden)).predict(unseen)
    for of_class in (0, 1):
        assert np.mean(found[truth == of_class] == of_class) > 0.9


def networks(mixed: tuple[tuple[int, ...], ...], factor: int) -> bool:
    return mixed == tuple(tuple(factor * width for width in hidden) for hidden in MIX)


@pytest.mark.req("CAPC-RUN-052")
@pytest.mark.parametrize(
    ("features", "classes", "rows", "factor"),
    [(64, 10, 60, 1), (255, 16, 9999, 1), (256, 2, 399, 1), (256, 2, 400, 2), (16, 17, 8, 2), (784, 10, 882, 2)],
)
def test_public_figures_decide_how_wide_networks_are(features: int, classes: int, rows: int, factor: int) -> None:
    assert networks(mix(features, classes, rows), factor)


@pytest.mark.slow
def test_training_repeats_for_its_seed_and_leaves_other_generators_alone() -> None:
    features, labels = blobs(30, 1)
    torch_state, numpy_state, threads = torch.get_rng_state(), np.random.get_state(), torch.get_num_threads()
    first, again, other = (train(task_of(features, labels, 3, (4,), seed)) for seed in (1, 1, 2))
    for mine, same, different in zip(first.weights, again.weights, other.weights, strict=True):
        assert np.array_equal(mine, same)
        assert not np.array_equal(mine, different)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert str(numpy_state) == str(np.random.get_state())
    assert torch.get_num_threads() == threads


def test_a_class_that_no_row_has_still_gets_a_logit() -> None:
    features, labels = blobs(9, 1)
    assert train(task_of(features, labels, 5, ())).logits(features).shape == (9, 5)


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


@pytest.mark.slow
def test_quantised_models_of_digits_vote_like_the_float_ones() -> None:
    data = load_digits()
    rows = np.arange(60)
    unseen = data.features[1000:1200]
    for hidden in ((), (12,), (16, 16)):
        model = train(task_of(data.features[rows], data.labels[rows], 10, hidden))
        quantised = quantise(model, 12)
        quantised.check_ranges(37)
        integer_votes = []
        for row in unseen:
            logits = quantised.logits([round(value * 4096) for value in row.tolist()])
            integer_votes.append(logits.index(max(logits)))
        assert np.mean(np.array(integer_votes) == model.predict(unseen)) >= 0.99


SETS = [ParameterSet.named(name) for name in ("default", "conservative", "test", "toy")]
SIZES = st.tuples(
    st.one_of(st.integers(1, 40), st.sampled_from([784, 5000])), st.lists(st.integers(1, 40), max_size=2),
    st.integers(2, 12),
)  # fmt: skip
SHAPES = ("even", "halves", "one weight", "bias")


def adversary(bound: float, inputs: int, shape: str, fraction_bits: int) -> tuple[Floats, float]:
    """One unit at the bound whose weights are rounded up by as much as can be."""
    weights, bias = np.zeros(inputs), 0.0
    if shape == "even":
        weights[:] = bound / inputs
    elif shape == "halves":
        # Each a little more than k + 1/2 units; what is left goes to the first.
        unit = 2.0**-fraction_bits
        count = min(inputs, max(1, int(bound / (0.5001 * unit))))
        steps = max(0, math.floor(bound / count / unit - 0.5001))
        weights[:count] = (steps + 0.5001) * unit
        weights *= min(1.0, bound / weights.sum())
    elif shape == "one weight":
        weights[0] = bound
    else:
        bias = bound
    return weights, bias


@pytest.mark.req("CAPC-RUN-024")
@given(sizes=SIZES, widths=st.sampled_from(SETS), shapes=st.tuples(*[st.sampled_from(SHAPES)] * 3))
@settings(deadline=None)
def test_no_weights_within_the_bound_can_wrap_after_rounding(
    sizes: tuple[int, list[int], int], widths: ParameterSet, shapes: tuple[str, ...]
) -> None:
    features, hidden, classes = sizes
    try:
        bound = weight_bound((features, *hidden, classes), widths.fraction_bits, widths.logit_bits)
    except InputError:
        # Only the narrow set for tests of the protocol may refuse, and never for a linear model.
        assert widths.name == "toy"
        assert hidden
        return
    layers = []
    for most, shape, (inputs, units) in zip(
        bound, shapes, itertools.pairwise((features, *hidden, classes)), strict=False
    ):
        # Further units are copies, so two of the last layer say as much as all.
        weights, bias = adversary(most, inputs, shape, widths.fraction_bits)
        assert np.abs(weights).sum() + abs(bias) <= most * (1 + 1e-9)
        layers.append((np.tile(weights, (units, 1)), np.full(units, bias)))
    model = FloatModel(tuple(weights for weights, _ in layers), tuple(biases for _, biases in layers))
    quantise(model, widths.fraction_bits).check_ranges(widths.logit_bits)


def test_the_bound_uses_what_the_ring_has() -> None:
    """Linear models may fill it up to the rounding, and deeper ones to an eighth of a bit."""
    for widths in SETS[:3]:
        for hidden in MIX:
            bound = weight_bound((784, *hidden, 10), widths.fraction_bits, widths.logit_bits)
            room = widths.logit_bits - 2 - 2 * widths.fraction_bits
            assert room - 0.5 < math.log2(math.prod(bound)) < room


def test_what_a_ring_cannot_hold_is_refused_by_public_figures() -> None:
    with pytest.raises(InputError, match=r"^a network of the sizes 900-16-16-16-10 does not fit .* 12 bits .* fewer"):
        weight_bound((900, 16, 16, 16, 10), 2, 12)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-024")
@pytest.mark.parametrize("widths", SETS, ids=lambda widths: widths.name)
@pytest.mark.parametrize("hidden", MIX, ids=str)
def test_trained_networks_keep_the_bound(widths: ParameterSet, hidden: tuple[int, ...]) -> None:
    """Also those whose labels are noise, which weights grow to learn."""
    generator = np.random.default_rng(5)
    features, labels = generator.uniform(-1, 1, (60, 64)), generator.integers(0, 10, 60)
    bound = weight_bound((64, *hidden, 10), widths.fraction_bits, widths.logit_bits)
    model = train(TrainingTask(features, labels, 10, hidden, (1,), bound))
    for most, weights, biases in zip(bound, model.weights, model.biases, strict=True):
        assert (np.abs(weights).sum(axis=1) + np.abs(biases)).max() <= most * (1 + 1e-12)
    quantise(model, widths.fraction_bits).check_ranges(widths.logit_bits)


def test_a_tight_bound_is_kept_and_reached() -> None:
    features, labels = blobs(60, 1)
    task = task_of(features, labels, 3, (4,))
    model = train(TrainingTask(features, labels, 3, (4,), task.seed, (0.25, 0.5)))
    for most, weights, biases in zip((0.25, 0.5), model.weights, model.biases, strict=True):
        norms = np.abs(weights).sum(axis=1) + np.abs(biases)
        assert norms.max() <= most * (1 + 1e-12)
        assert norms.max() > most * 0.999


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 29, 30, 31])
def test_parties_with_few_rows_or_one_class_train(rows: int) -> None:
    generator = np.random.default_rng(rows)
    features = generator.uniform(0, 1, (rows, 5))
    mixed = train(task_of(features, np.arange(rows) % 4, 4, (3,)))
    assert all(np.isfinite(array).all() for array in (*mixed.weights, *mixed.biases))
    single = train(task_of(features, np.full(rows, 2), 4, (3,)))
    assert set(single.predict(features).tolist()) == {2}


@pytest.mark.req("CAPC-RUN-025")
def test_held_out_rows_are_like_parts_of_every_class() -> None:
    labels = np.repeat([0, 1, 2], [160, 40, 8])
    (held,) = training.held_out(task_of(np.zeros((208, 2)), labels, 3, ()))
    assert np.bincount(labels[held]).tolist() == [40, 10, 2]
    folds = training.held_out(task_of(np.zeros((44, 2)), np.repeat([0, 1], [40, 4]), 2, ()))
    assert folds.sum(axis=0).tolist() == [1] * 44
    assert [np.bincount(np.repeat([0, 1], [40, 4])[fold]).tolist() for fold in folds] == [[10, 1]] * 4


@pytest.mark.req("CAPC-RUN-025")
def test_held_out_rows_teach_nothing_while_the_choice_is_made() -> None:
    """Networks of several folds, trained at once, are those trained alone without the rows that each holds out."""
    features, labels = blobs(24, 3)
    task = task_of(features, labels, 3, (4,))
    runner = training._Runner(task, torch.relu, 0.01)
    out = torch.tensor(training.held_out(task), dtype=torch.float32)
    layers, running = runner.start(1 - out, [0.01] * 4)
    next(running)
    spoiled = torch.tensor((labels + 1) % 3)
    for fold in range(4):
        runner.labels = torch.where(out[fold] > 0, spoiled, torch.tensor(labels))
        alone, passing = runner.start(1 - out[fold][None], [0.01])
        next(passing)
        for (mine, _), (theirs, _) in zip(layers, alone, strict=True):
            assert torch.allclose(mine[fold], theirs[0], atol=1e-6)


def side_by_side_tasks(count: int = 5) -> list[TrainingTask]:
    features, labels = blobs(24, 3)
    return [task_of(features, labels, 3, MIX[number], number) for number in range(count)]


def same(one: FloatModel, other: FloatModel) -> bool:
    pairs = zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-026")
def test_side_by_side_is_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = side_by_side_tasks()
    monkeypatch.setattr(training, "ROWS_FOR_ONE_PROCESS", 0)
    together = list(train_side_by_side(tasks, 2))
    assert len(together) == len(tasks)
    assert all(same(mine, train(task)) for mine, task in zip(together, tasks, strict=True))


@pytest.mark.slow
def test_little_is_trained_without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(training, "get_context", refused)
    assert len(list(train_side_by_side(side_by_side_tasks(2), 8))) == 2
    monkeypatch.setattr(training, "ROWS_FOR_ONE_PROCESS", 0)
    assert len(list(train_side_by_side(side_by_side_tasks(2), 1))) == 2
    with pytest.raises(AssertionError):
        next(train_side_by_side(side_by_side_tasks(2), 2))


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-026")
def test_an_error_of_a_worker_arrives_and_an_early_end_ends_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ROWS_FOR_ONE_PROCESS", 0)
    good = side_by_side_tasks(4)
    bad = TrainingTask(good[0].features, good[0].labels + 3, 3, (), (1,), None)
    with pytest.raises(IndexError, match="out of bounds"):
        list(train_side_by_side([good[0], bad, *good[1:]], 2))
    running = train_side_by_side(good * 5, 2)
    next(running)
    workers = [child.pid for child in multiprocessing.active_children()]
    assert len(workers) == 2
    running.close()
    for _ in range(100):
        if not any(alive(worker) for worker in workers if worker is not None):
            return
        time.sleep(0.1)
    raise AssertionError


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
