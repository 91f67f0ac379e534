"""The parties' models: trained on own rows, quantised to answer with, and retrained with labels that were bought."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from capc.foundation.environment import installed_version
from capc.job.keeping.kept_models import KeptModels
from capc.job.plan import Plan
from capc.learning.bounds import weight_bound
from capc.learning.data import Floats, Indices
from capc.learning.metrics import Score, score
from capc.learning.own_models.networks import OwnNetwork
from capc.learning.partition import Split
from capc.learning.quantise import quantise
from capc.learning.self_training import self_train
from capc.learning.training import RECIPE, FloatModel, TrainingTask, train, train_side_by_side
from capc.models.importing.evaluate import integer_logits
from capc.models.model import QuantisedModel

Trained = FloatModel | OwnNetwork
"""A network of the mix, or one of the party's own."""
MOST_ENTRIES = 1 << 24
"""Of the windows of all rows that are evaluated together: 128 MiB of doubles."""


class PartyModel(NamedTuple):
    """What a party trained.

    Attributes:
        own: as it was trained, for its own use.
        quantised: as the protocol takes it.
    """

    own: Trained
    quantised: QuantisedModel


def train_parties(plan: Plan, split: Split) -> Iterator[PartyModel]:
    """Every party's model, in their order, trained side by side on all cores, or found in the folder that keeps them.

    Raises:
        InputError: a kept model cannot be used.
    """
    kept = None if plan.config.keep is None else KeptModels(plan.config.keep)
    tasks = [task_of(plan, rows, plan.dataset.labels[rows], party) for party, rows in enumerate(split.parties)]
    # What own code makes of a task no digest can tell.
    keys = {party: _key(task) for party, task in enumerate(tasks) if party not in plan.own}
    found = {party: None if kept is None else kept.load(key) for party, key in keys.items()}
    trained = train_side_by_side([tasks[party] for party, model in found.items() if model is None], os.cpu_count() or 1)
    for party, task in enumerate(tasks):
        if party in plan.own:
            own = plan.own[party].train(task)
            yield PartyModel(own, quantised(plan, own))
            continue
        known = found[party]
        model = next(trained) if known is None else known
        if known is None and kept is not None:
            kept.save(keys[party], model)
        yield PartyModel(model, quantised(plan, model))


def trial_seconds(plan: Plan) -> float:
    """How long it takes to train a model of as many rows as a party has, for an estimate."""
    rows = np.arange(max(1, len(plan.dataset.labels) // (2 * (plan.config.parties + 1))), dtype=np.int64)
    began = time.perf_counter()
    _fitted(plan, 1)(task_of(plan, rows, plan.dataset.labels[rows], 1))
    return time.perf_counter() - began


def retrain(plan: Plan, party: int, own: Indices, bought: Mapping[int, int], pool: Indices) -> Trained:
    """A querying party's model, from its own labelled rows and the rows whose labels it bought.

    Args:
        plan: the data, and the parameters.
        party: who it is.
        own: its labelled rows.
        bought: the label of each row that it bought.
        pool: all rows of its pool, for self-training if the options say so.
    """
    if not plan.config.self_training:
        return fit(plan, party, own, bought)
    return fit_with_pool(
        plan, party, _with_bought(plan, party, own, bought), plan.dataset.features[np.setdiff1d(pool, [*bought])]
    )


def fit(plan: Plan, party: int, own: Indices, bought: Mapping[int, int]) -> Trained:
    """A model of the party's architecture, from rows with their own labels and from rows with these."""
    return _fitted(plan, party)(_with_bought(plan, party, own, bought))


def fit_with_pool(plan: Plan, party: int, task: TrainingTask, pool: Floats) -> Trained:
    """A model of the party's architecture, from a task's rows and from those of a pool of which it is sure itself."""
    return self_train(task, pool, _fitted(plan, party))


def _fitted(plan: Plan, party: int) -> Callable[[TrainingTask], Trained]:
    """What trains a party's model: its own, or one of the mix."""
    return plan.own[party].train if party in plan.own else train


def fit_all(plan: Plan, shares: Sequence[Indices]) -> Iterator[FloatModel]:
    """A model of each share of rows, side by side, in the default mix of architectures."""
    mixed = replace(plan, own={})
    tasks = [task_of(mixed, rows, plan.dataset.labels[rows], number) for number, rows in enumerate(shares)]
    return train_side_by_side(tasks, os.cpu_count() or 1)


def _with_bought(plan: Plan, party: int, own: Indices, bought: Mapping[int, int]) -> TrainingTask:
    rows = np.concatenate([own, np.array(list(bought), dtype=np.int64)])
    labels = np.concatenate([plan.dataset.labels[own], np.array(list(bought.values()), dtype=np.int64)])
    return task_of(plan, rows, labels, party)


def quantised(plan: Plan, model: Trained) -> QuantisedModel:
    """A model as the protocol takes it.

    Raises:
        InputError: it could wrap in the logit ring, which no model can that was trained under the public bound, and
            none of a party's own.
    """
    widths = plan.parameters.widths
    if isinstance(model, OwnNetwork):
        integers = model.quantised(widths.fraction_bits)
    else:
        integers = quantise(model, widths.fraction_bits)
    integers.check_ranges(widths.logit_bits)
    return integers


def exact_logits(model: QuantisedModel, features: Floats | Sequence[Sequence[int]]) -> Indices:
    """The integers of :meth:`QuantisedModel.logits` on each of n quantised rows, n may be 0: n x C.

    For models whose ranges were checked: their sums are below 2^53 in magnitude, so that floats hold them exactly in
    whatever order they are added.
    """
    rows = np.asarray(features, dtype=np.int64)
    # The windows of so many rows stay in memory.
    largest = max(stage.operator.columns * stage.sums for stage in model.architecture.stages)
    size = max(1, MOST_ENTRIES // largest)
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    exact = {"exact_in_64_bits": True, "exact_in_doubles": True}
    found = [integer_logits(model, part, **exact) for part in parts]
    return np.concatenate([np.zeros((0, model.architecture.outputs), dtype=np.int64), *found])


def vote_counts(
    models: Sequence[QuantisedModel], features: Floats | Sequence[Sequence[int]], num_classes: int
) -> Indices:
    """How many of the models vote for each class on each of n quantised rows, exactly as the protocol counts: n x C."""
    counts = np.zeros((len(features), num_classes), dtype=np.int64)
    for model in models:
        counts[np.arange(len(features)), exact_logits(model, features).argmax(axis=1)] += 1
    return counts


def score_of(plan: Plan, rows: Indices, model: Trained) -> Score:
    """How good a model is on these rows."""
    return _scored(plan, rows, model.predict(plan.dataset.features[rows]))


def ensemble_score(plan: Plan, rows: Indices, models: Sequence[QuantisedModel]) -> Score:
    """How good the plurality of many is without noise; ties go to the lowest class."""
    data = plan.dataset
    # Rounds halves to the even integer, as fixed_point.quantise does, without an error: features are small.
    integers = np.rint(data.features[rows] * (1 << plan.parameters.widths.fraction_bits))
    votes = vote_counts(models, integers, data.num_classes).tolist()
    return _scored(plan, rows, np.array([without_noise(plan, counts) for counts in votes], dtype=np.int64))


def without_noise(plan: Plan, votes: Sequence[int]) -> int:
    """What so many votes for each class or set decide, without noise."""
    if plan.voting is None:
        return votes.index(max(votes))
    return plan.voting.release(votes, [0] * plan.voting.draws)


def _scored(plan: Plan, rows: Indices, predicted: Indices) -> Score:
    data = plan.dataset
    groups = None if plan.group is None else plan.group.of(rows)
    return score(predicted, data.labels[rows], data.num_classes, groups, labels_of_sets=data.labels_of_sets)


def task_of(plan: Plan, rows: Indices, labels: Indices, party: int) -> TrainingTask:
    """The training of a party's network on these rows with these labels."""
    data, widths, mix = plan.dataset, plan.parameters.widths, plan.architectures
    given = data.features[rows], labels, data.num_classes
    if party in plan.own:
        return TrainingTask(*given, hidden=(), seed=(plan.config.seed, party), bound=None)
    hidden = mix[party % len(mix)]
    sizes = (data.num_features, *hidden, data.num_classes)
    bound = weight_bound(sizes, widths.fraction_bits, widths.logit_bits)
    return TrainingTask(*given, hidden, (plan.config.seed, party), bound)


def _key(task: TrainingTask) -> bytes:
    """A digest of everything that decides a training, what computes it included."""
    computing = [RECIPE, installed_version("torch"), installed_version("numpy")]
    figures = [*computing, task.num_classes, list(task.hidden), list(task.seed), task.bound, list(task.features.shape)]
    state = hashlib.sha256(json.dumps(figures).encode())
    for array in (task.features, task.labels):
        state.update(np.ascontiguousarray(array).tobytes())
    return state.digest()
