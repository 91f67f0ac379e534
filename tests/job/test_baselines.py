"""Baselines of a turn: from which rows and labels each is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job import baselines as baselines_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.models import fit_all
from capc.job.plan import Plan, prepare
from capc.job.simulation import Draw
from capc.job.state import JobState
from capc.learning.baselines import DP_SGD_LEAST_EPSILON, Baseline, teachers
from capc.learning.data import Indices
from capc.learning.training import FloatModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.accountants.policies import certify
from capc.protocol.functionality import ideal_functionality
from job.stand_in import Recorder
from support.few_passes import few_passes
from support.label_costs import set_label_costs

PARTY = 1
MODEL = FloatModel((np.eye(10, 64),), (np.zeros(10),))
NO_NOISE = ReleaseNoise((0,) * 10)


@pytest.fixture(scope="module")
def state(request: pytest.FixtureRequest) -> JobState:
    """A simulation of five parties, of which the first two query in turn; labels below 3 votes are withheld."""
    options = {"parties": "4", "queries": "6", "queriers": "2", "threshold": "3", "seed": "3"}
    with pytest.MonkeyPatch.context() as patch:
        few_passes(request, patch)
        set_label_costs(patch)
        job = Job(prepare(resolve(options), simulated=True), Recorder())
        job.run()
    certify.cache_clear()
    return job.state


def trained_with(
    state: JobState, name: Baseline, monkeypatch: pytest.MonkeyPatch, draw: Draw
) -> tuple[list[int], dict[int, int]]:
    """With which rows of their own label, and which other labels, the second querying party's baseline is trained."""
    seen: list[tuple[Indices, Mapping[int, int]]] = []

    def fit(plan: Plan, party: int, own: Indices, bought: Mapping[int, int]) -> FloatModel:
        assert party == PARTY
        seen.append((own, bought))
        return MODEL

    monkeypatch.setattr(baselines_module, "fit", fit)
    plan = replace(state.plan, config=replace(state.plan.config, baselines=(name,)))
    found = list(baselines_module.baselines(replace(state, plan=plan), state.turns[PARTY], draw))
    assert [told for told, _ in found] == [name]
    ((own, bought),) = seen
    return own.tolist(), dict(bought)


def asked_by_party(state: JobState) -> list[int]:
    rows = [query.row for query in state.queries if query.party == PARTY]
    assert len(rows) == 6
    return rows


@pytest.mark.slow
def test_votes_without_noise_answer_each_of_the_partys_own_queries(
    state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, labels = trained_with(state, Baseline.NOISELESS, monkeypatch, lambda _: (NO_NOISE, 0))
    assert own == state.split.parties[PARTY].tolist()
    assert list(labels) == asked_by_party(state)
    for query in state.queries:
        if query.party == PARTY:
            assert sum(query.votes) == 4
            assert query.votes[labels[query.row]] == max(query.votes)


@pytest.mark.slow
def test_pooled_data_are_all_parties_rows_and_no_others(state: JobState, monkeypatch: pytest.MonkeyPatch) -> None:
    own, labels = trained_with(state, Baseline.POOLED, monkeypatch, lambda _: (NO_NOISE, 0))
    assert sorted(own) == sorted(row for rows in state.split.parties for row in rows.tolist())
    assert not labels
    assert not set(own) & (
        set(state.split.test.tolist()) | {row for pool in state.split.pools for row in pool.tolist()}
    )


@pytest.mark.slow
@settings(suppress_health_check=list(HealthCheck), max_examples=25, deadline=None)
@given(data=st.data())
def test_the_trusted_place_labels_as_the_ideal_functionality_does(
    state: JobState, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """Under the same noise, also at the threshold; its teachers have the answering parties' rows and no others."""
    plan = state.plan
    unit = 1 << plan.parameters.widths.grid_bits
    draws = st.integers(-2 * unit, 2 * unit) | st.sampled_from([-2 * unit, -unit, 0, unit])
    noise = {
        number: (ReleaseNoise(*(tuple(data.draw(draws) for _ in range(10)) for _ in range(2))), ())
        for number in range(1, 7)
    }
    trained: list[tuple[Indices, ...]] = []

    def fit_once(_: Plan, shares: tuple[Indices, ...]) -> list[FloatModel]:
        trained.append(shares)
        return models

    others = tuple(rows for party, rows in enumerate(state.split.parties) if party != PARTY)
    models = _teachers_of(plan, others)
    monkeypatch.setattr(baselines_module, "fit_all", fit_once)
    own, labels = trained_with(state, Baseline.PATE, monkeypatch, noise.__getitem__)
    assert own == state.split.parties[PARTY].tolist()
    assert [len(rows) for rows in trained[0]] == [len(rows) for rows in others]
    assert sorted(np.concatenate(trained[0]).tolist()) == sorted(np.concatenate(others).tolist())
    expected = {}
    for number, row in enumerate(asked_by_party(state), start=1):
        classes = [int(model.predict(plan.dataset.features[[row]])[0]) for model in models]
        logits = [[int(label == c) for c in range(10)] for label in classes]
        label = ideal_functionality(plan.parameters, logits, *noise[number]).querying_party
        if label is not None:
            expected[row] = label
    assert labels == expected


_KNOWN: dict[int, list[FloatModel]] = {}


def _teachers_of(plan: Plan, others: tuple[Indices, ...]) -> list[FloatModel]:
    """Trained once for all examples."""
    if id(plan) not in _KNOWN:
        _KNOWN[id(plan)] = list(fit_all(plan, teachers(others, (9,))))
    return _KNOWN[id(plan)]


def test_an_epsilon_that_dp_sgd_cannot_be_accounted_at_is_refused_before_anything_is_trained() -> None:
    options = {"queries": "1", "baselines": "dp_sgd", "epsilon": str(float(DP_SGD_LEAST_EPSILON))}
    prepare(resolve(options), simulated=True)
    with pytest.raises(InputError, match=r"baselines = .*epsilon = 0\.04 is too low for Opacus: leave dp_sgd out"):
        prepare(resolve(options | {"epsilon": "0.04"}), simulated=True)
