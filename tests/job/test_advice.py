"""Advice on a plan: against a simulation, a second integral, and an accountant of one's own."""

from __future__ import annotations

import inspect
from dataclasses import replace
from fractions import Fraction
from math import inf, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from capc.job.advice import (
    AGREEMENT,
    CERTAINTY,
    Advice,
    Contest,
    advise,
    chance_right,
    largest_sigma,
    least_answering,
)
from capc.job.config import resolve
from capc.job.plan import prepare
from capc.privacy.accountants.policies import calibrate_sigma, default_order, policy_budget, with_sigma
from capc.privacy.query_cost import query_cost
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy

GRID_BITS = 4
DELTA = Fraction(1, 10**5)


def policy(
    epsilon: Fraction,
    queries: int,
    *,
    threshold: Fraction | None = None,
    mechanism: NoiseName = NoiseName.ROUNDED_GAUSSIAN,
    delta: Fraction = DELTA,
) -> ReleasePolicy:
    """Calibrated for so many queries."""
    order = default_order(epsilon, delta) if mechanism is NoiseName.SKELLAM else None
    check = None if threshold is None else Fraction(1)
    start = ReleasePolicy(
        mechanism,
        Fraction(1),
        threshold,
        check,
        Charge.WORST_CASE,
        Adjacency.REPLACE_ONE,
        epsilon,
        delta,
        order,
    )
    return with_sigma(start, calibrate_sigma(start, GRID_BITS, queries), GRID_BITS)


def advice(
    release: ReleasePolicy, answering: int = 20, classes: int = 10, pool: int = 179, queries: int = 20
) -> Advice:
    return advise(
        answering=answering, classes=classes, pool=pool, queries=queries, release=release, grid_bits=GRID_BITS
    )


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("votes_per_sigma", [0.5, 3.0, 5.2, 12.0])
@pytest.mark.parametrize("share", [Fraction(3, 5), AGREEMENT, Fraction(9, 10)])
def test_the_chance_of_a_right_label_is_what_a_second_integral_says(
    classes: int, votes_per_sigma: float, share: Fraction
) -> None:
    one, others = float(2 * share - 1) * votes_per_sigma, float(share) * votes_per_sigma
    expected, _ = integrate.quad(
        lambda x: stats.norm.pdf(x) * stats.norm.cdf(x + one) * stats.norm.cdf(x + others) ** (classes - 2), -inf, inf
    )
    assert abs(chance_right(votes_per_sigma, Contest(classes), share) - expected) < 1e-7


def test_with_two_classes_the_chance_is_a_normal_probability() -> None:
    for votes_per_sigma in (0.0, 0.1, 1.0, 4.0, 10.0):
        expected = stats.norm.cdf(votes_per_sigma / 2 / sqrt(2))
        assert abs(chance_right(votes_per_sigma, Contest(2)) - expected) < 1e-12


@pytest.mark.parametrize(("answering", "classes"), [(20, 10), (250, 10), (8, 2), (48, 26)])
def test_at_the_largest_sigma_noisy_votes_are_right_as_often_as_promised(answering: int, classes: int) -> None:
    """A simulation with noise on the grid, whose error is at most 5 deviations of a mean of so many draws."""
    sigma = float(largest_sigma(answering, Contest(classes)))
    votes = np.zeros(classes)
    votes[0], votes[1] = answering * 3 / 4, answering / 4
    generator = np.random.default_rng(13)
    draws = 200_000
    noise = np.round(generator.normal(0, sigma, (draws, classes)) * (1 << GRID_BITS)) / (1 << GRID_BITS)
    right = float(np.mean((votes + noise).argmax(axis=1) == 0))
    error = 5 * sqrt(CERTAINTY * (1 - CERTAINTY) / draws)
    # The grid of sigma and the ties of the noise's grid cost little.
    assert CERTAINTY - error < right < CERTAINTY + error + 0.01


@pytest.mark.req("CAPC-RUN-035")
def test_twenty_queries_at_epsilon_2_with_20_parties_are_warned_of() -> None:
    found = advice(policy(Fraction(2), 20))
    assert found.queries == 1
    (warning,) = found.warnings
    assert "sigma = 12.625 votes" in warning
    assert "--queries 1 at most" in warning
    assert "\n" not in warning
    assert advice(policy(Fraction(2), found.queries), queries=found.queries).warnings == ()


def test_the_default_run_is_not_warned_of() -> None:
    found = advice(policy(Fraction(10), 20))
    assert found.warnings == ()
    assert found.queries >= 20


@pytest.mark.req("CAPC-RUN-035")
def test_the_claims_setting_is_carried_and_that_of_fewer_parties_is_not() -> None:
    at_250 = replace(policy(Fraction(2), 100, delta=Fraction(1, 10**6)), sigma=Fraction(65, 2))
    assert advice(at_250, answering=250, pool=9000, queries=90).warnings == ()
    at_50 = advice(policy(Fraction(5), 100), answering=50, pool=9000, queries=100)
    assert len(at_50.warnings) == 1
    assert f"--queries {at_50.queries} at most" in at_50.warnings[0]
    assert 0 < at_50.queries < 100


@pytest.mark.req("CAPC-RUN-035")
@pytest.mark.parametrize(
    ("answering", "classes", "epsilon"),
    [(1, 2, Fraction(10)), (1, 10, Fraction(10)), (2, 2, Fraction(10)), (250, 10, Fraction(1, 1000))],
)
def test_a_budget_without_one_query_that_can_be_carried_is_said_to_have_none(
    answering: int, classes: int, epsilon: Fraction
) -> None:
    found = advice(policy(epsilon, 1), answering=answering, classes=classes, queries=1)
    assert found.queries == 0
    (warning,) = found.warnings
    assert "not even one query" in warning
    needed = least_answering(found.sigma, Contest(classes))
    assert f"--parties {needed} at least" in warning
    assert advice(policy(epsilon, 1), answering=needed, classes=classes, queries=1).queries >= 1
    assert advice(policy(epsilon, 1), answering=needed - 1, classes=classes, queries=1).queries == 0


plans = st.fixed_dictionaries(
    {
        "answering": st.integers(1, 400),
        "classes": st.integers(2, 30),
        "pool": st.integers(1, 5000),
        "queries": st.integers(1, 200),
    }
)
epsilons = st.fractions(Fraction(1, 10), Fraction(20), max_denominator=10)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-035")
@settings(deadline=None)
@given(plan=plans, epsilon=epsilons, with_threshold=st.booleans())
def test_the_proposed_queries_fit_their_sigma_is_carried_and_one_more_is_not(
    plan: dict[str, int], epsilon: Fraction, with_threshold: bool
) -> None:
    answering, classes = plan["answering"], plan["classes"]
    release = policy(epsilon, plan["queries"], threshold=Fraction(1) if with_threshold else None)
    found = advice(release, **plan)
    assert 0 <= found.queries <= plan["pool"]
    budget = policy_budget(release)

    def fits(sigma: Fraction, queries: int) -> bool:
        return queries * query_cost(with_sigma(release, sigma, GRID_BITS), GRID_BITS).worst_case <= budget

    def carried(sigma: Fraction) -> bool:
        right = chance_right(float(answering / sigma), Contest(classes)) >= CERTAINTY
        # With a threshold of the same deviation at half of the votes.
        passing = stats.norm.cdf(answering / 4 / float(sigma)) >= CERTAINTY
        return bool(right and (passing or not with_threshold))

    step = Fraction(1, 64)
    assert fits(found.sigma, max(found.queries, 1))
    assert not fits(found.sigma - step, max(found.queries, 1))
    assert carried(found.sigma) == (found.queries > 0)
    if found.queries < plan["pool"]:
        assert not carried(calibrate_sigma(release, GRID_BITS, found.queries + 1))
    assert bool([line for line in found.warnings if line.startswith("sigma")]) != carried(release.sigma)
    assert (found.threshold is not None) == (with_threshold and found.queries > 0)
    for line in (*found.warnings, *found.reasons):
        assert line.isprintable()


@pytest.mark.slow
@settings(deadline=None)
@given(plan=plans, epsilon=epsilons, more=st.fractions(1, 3, max_denominator=10), parties=st.integers(0, 100))
def test_more_budget_or_more_parties_never_mean_fewer_queries(
    plan: dict[str, int], epsilon: Fraction, more: Fraction, parties: int
) -> None:
    release = policy(epsilon, plan["queries"])
    found = advice(release, **plan)
    assert advice(replace(release, epsilon=epsilon * more), **plan).queries >= found.queries
    assert advice(release, **{**plan, "answering": plan["answering"] + parties}).queries >= found.queries


@pytest.mark.parametrize("mechanism", list(NoiseName))
def test_every_law_of_the_noise_is_advised_on(mechanism: NoiseName) -> None:
    release = policy(Fraction(10), 20, mechanism=mechanism)
    found = advice(release, answering=50, pool=9000)
    assert found.warnings == ()
    cost = query_cost(with_sigma(release, found.sigma, GRID_BITS), GRID_BITS).worst_case
    assert found.queries * cost <= policy_budget(release) < (found.queries + 5) * cost


def test_a_proposed_threshold_answers_agreed_queries_and_halves_of_the_votes_at_most_by_chance() -> None:
    release = policy(Fraction(10), 20, threshold=Fraction(30))
    found = advice(release, answering=50, pool=200)
    assert found.threshold is not None
    assert found.threshold >= 25
    passing = stats.norm.sf(float(found.threshold), float(AGREEMENT * 50), float(found.sigma))
    assert CERTAINTY <= passing < CERTAINTY + 0.001
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("threshold", "says"), [(Fraction(37), "answered with probability"), (Fraction(10), "without a majority")]
)
def test_a_threshold_that_withholds_agreed_queries_or_none_is_warned_of(threshold: Fraction, says: str) -> None:
    release = policy(Fraction(10), 20, threshold=threshold)
    (warning,) = advice(release, answering=50, pool=200).warnings
    assert f"threshold = {threshold}" in warning
    assert says in warning
    proposed = Fraction(warning.rsplit("--threshold ", 1)[1])
    assert advice(replace(release, threshold=proposed), answering=50, pool=200).warnings == ()


def test_more_queries_than_the_budget_admits_are_warned_of() -> None:
    release = policy(Fraction(10), 20)
    (warning,) = advice(release, queries=23).warnings
    fitting = int(policy_budget(release) / query_cost(release, GRID_BITS).worst_case)
    assert f"--queries {fitting}," in warning
    assert advice(release, queries=fitting).warnings == ()


@pytest.mark.req("CAPC-RUN-034")
def test_an_advice_is_given_public_figures_and_nothing_else() -> None:
    given_to_it = {name: parameter.annotation for name, parameter in inspect.signature(advise).parameters.items()}
    numbers = dict.fromkeys(("answering", "classes", "pool", "queries", "grid_bits"), "int")
    assert given_to_it == {**numbers, "release": "ReleasePolicy", "voting": "SetVoting | None"}
    release = policy(Fraction(2), 20)
    assert advice(release) == advice(release)


@pytest.mark.req("CAPC-RUN-034")
def test_an_advice_is_the_same_for_all_rows_of_a_shape(tmp_path: Path) -> None:
    """Rows that differ and classes that are even, or rows that are one row and a class that nearly all have."""
    generator = np.random.default_rng(3)
    data = {
        "even": (generator.normal(size=(400, 4)), np.arange(400) % 4),
        "one": (np.repeat(generator.normal(size=(2, 4)), [399, 1], axis=0), np.maximum(np.arange(400) - 396, 0)),
    }
    found = {}
    for name, (features, labels) in data.items():
        np.savez(tmp_path / f"{name}.npz", x=features, y=labels)
        flags = {"data": str(tmp_path / f"{name}.npz"), "parties": "12", "queries": "4", "epsilon": "40"}
        found[name] = prepare(resolve(flags)).advice
    assert found["even"] == found["one"]
    # More than one has rows that differ.
    assert found["even"].queries > 2
