"""The baselines of a querying party's turn, trained on the same rows and scored on the same held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from capc.job.models import Trained, fit, fit_all, fit_with_pool, score_of, task_of, without_noise
from capc.job.simulation import Draw, released
from capc.job.state import JobState, QueryRecord, Turn
from capc.learning.baselines import Baseline, dp_sgd, teachers
from capc.learning.metrics import Score

_PATE = 3
"""Tells the division and the noise of the trusted place from others of the same seed."""


def baselines(state: JobState, turn: Turn, draw: Draw) -> Iterator[tuple[Baseline, Score]]:
    """Each baseline that the options name, as it is trained.

    Args:
        state: after the turn.
        turn: whose gain is compared.
        draw: the noise of the trusted place, from a query's number.
    """
    asked = state.asked_by(turn)
    ways: dict[Baseline, Callable[[], Trained]] = {
        Baseline.SELF_TRAINING: lambda: _self_trained(state, turn),
        Baseline.NOISELESS: lambda: _noiseless(state, turn, asked),
        Baseline.POOLED: lambda: _pooled(state, turn),
        Baseline.PATE: lambda: _trusted_place(state, turn, asked, draw),
        Baseline.DP_SGD: lambda: _dp_sgd(state, turn),
    }
    for name in Baseline:
        if name in state.plan.config.baselines:
            yield name, score_of(state.plan, state.split.test, ways[name]())


def _self_trained(state: JobState, turn: Turn) -> Trained:
    rows, pool = state.split.parties[turn.party], state.split.pools[turn.party]
    task = task_of(state.plan, rows, state.plan.dataset.labels[rows], turn.party)
    return fit_with_pool(state.plan, turn.party, task, state.plan.dataset.features[pool])


def _noiseless(state: JobState, turn: Turn, asked: Sequence[QueryRecord]) -> Trained:
    """Every query answered, by the most votes."""
    labels = {query.row: without_noise(state.plan, query.votes) for query in asked}
    return fit(state.plan, turn.party, state.split.parties[turn.party], {**turn.purse.bought, **labels})


def _pooled(state: JobState, turn: Turn) -> Trained:
    return fit(state.plan, turn.party, np.concatenate(state.split.parties), {})


def _trusted_place(state: JobState, turn: Turn, asked: Sequence[QueryRecord], draw: Draw) -> Trained:
    plan = state.plan
    others = tuple(rows for party, rows in enumerate(state.split.parties) if party != turn.party)
    divided = teachers(others, (plan.config.seed, turn.party, _PATE))
    rows, classes = [query.row for query in asked], range(plan.dataset.num_classes)
    features = plan.dataset.features[rows]
    votes = [teacher.predict(features).tolist() for teacher in fit_all(plan, divided)] if rows else []
    labels = {}
    for number, (row, *voted) in enumerate(zip(rows, *votes, strict=True), start=1):
        logits = [[int(label == vote) for label in classes] for vote in voted]
        label = released(plan.parameters, plan.voting, logits, *draw(number))
        if label is not None:
            labels[row] = label
    return fit(plan, turn.party, state.split.parties[turn.party], {**turn.purse.bought, **labels})


def _dp_sgd(state: JobState, turn: Turn) -> Trained:
    rows, policy = state.split.parties[turn.party], state.account.policy
    task = task_of(state.plan, rows, state.plan.dataset.labels[rows], turn.party)
    return dp_sgd(task, float(policy.epsilon), float(policy.delta))
