"""Diagnostics of threshold checks against enumeration of all noises, and that none of them can pass for a guarantee."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import arb
from scipy import stats

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.analysis.argmax_law import IntegerNoise, integer_law
from capc.privacy.analysis.diagnostic import Diagnostic, Scope
from capc.privacy.analysis.divergence import neighbours
from capc.privacy.analysis.screening import (
    answered_probability,
    data_dependent_check,
    data_dependent_label,
    expected_answers,
    union_bound_with_ties,
)
from capc.privacy.analysis.theorem6 import union_bound
from capc.session.parameters import Adjacency

NOISES = [RoundedGaussian(Fraction(1), 0), DiscreteGaussian(Fraction(6, 5), 0), Skellam(Fraction(1), 0)]
FINE = [RoundedGaussian(Fraction(3, 2), 2), DiscreteGaussian(Fraction(2), 2)]


def law_of(noise: IntegerNoise) -> dict[int, float]:
    sigma = float(noise.sigma_votes) * (1 << noise.grid_bits)
    n = np.arange(-int(9 * sigma) - 12, int(9 * sigma) + 13)
    if isinstance(noise, RoundedGaussian):
        masses = np.diff(stats.norm.cdf(np.append(n - 0.5, n[-1] + 0.5) / sigma))
    elif isinstance(noise, Skellam):
        masses = stats.skellam.pmf(n, sigma**2 / 2, sigma**2 / 2)
    else:
        masses = np.exp(-(n**2) / (2 * sigma**2))
        masses /= masses.sum()
    return dict(zip(map(int, n), map(float, masses), strict=True))


def enumerated(histogram: Sequence[int], noise: IntegerNoise, happens: Callable[[tuple[int, ...]], bool]) -> float:
    """The probability of an event of the noised counts in grid units, over all combinations of noises."""
    law = law_of(noise)
    unit = 1 << noise.grid_bits
    total = 0.0
    for drawn in product(law.items(), repeat=len(histogram)):
        if happens(tuple(votes * unit + n for votes, (n, _) in zip(histogram, drawn, strict=True))):
            total += float(np.prod([mass for _, mass in drawn]))
    return total


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("histogram", [(3, 1), (2, 2, 1), (4,)])
@pytest.mark.parametrize("threshold", [Fraction(3), Fraction(5, 2), Fraction(9, 2)])
def test_answers_come_where_a_noised_count_reaches_the_threshold(
    noise: IntegerNoise, histogram: tuple[int, ...], threshold: Fraction
) -> None:
    """A count that is exactly T passes, and T between two counts is the upper one."""
    found = answered_probability(histogram, threshold, noise)
    truth = enumerated(histogram, noise, lambda counts: max(counts) >= threshold)
    assert float(found.at_least) - 1e-12 <= truth <= float(found.at_most) + 1e-12
    assert float(found.at_most) - float(found.at_least) < 1e-15


def test_the_threshold_is_in_votes_and_counts_are_on_the_grid() -> None:
    noise = RoundedGaussian(Fraction(1), 2)
    found = answered_probability((3, 1), Fraction(13, 5), noise)
    truth = enumerated((3, 1), noise, lambda counts: max(counts) >= 4 * 2.6)
    assert float(found.at_most) == pytest.approx(truth, abs=1e-12)


def test_expected_answers_are_the_sum_over_queries() -> None:
    histograms, noise = [(3, 1), (2, 2), (4, 0)], RoundedGaussian(Fraction(1), 0)
    found = expected_answers(histograms, Fraction(3), noise)
    each = [float(answered_probability(histogram, Fraction(3), noise).at_most) for histogram in histograms]
    assert float(found.at_most) == pytest.approx(sum(each), rel=1e-12)
    assert found.quantity == "expected answers of 3 queries"
    assert float(expected_answers([], Fraction(3), noise).at_most) == 0


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("histogram", [(3, 1), (1, 3), (2, 2), (3, 0, 2), (0, 4, 4)])
def test_the_union_bound_counts_ties(noise: IntegerNoise, histogram: tuple[int, ...]) -> None:
    """It is no less than what another class wins with, and for two classes it is just that."""
    leader = histogram.index(max(histogram))
    bound = float(union_bound_with_ties(histogram, noise))
    truth = 1 - float(integer_law(histogram, noise)[leader])
    assert truth <= bound + 1e-12
    if len(histogram) == 2:
        assert bound == pytest.approx(truth, rel=1e-9)


def test_the_bound_of_continuous_noise_is_too_small_on_a_grid() -> None:
    """A rival of lower index wins every tie."""
    noise = RoundedGaussian(Fraction(1, 2), 0)
    truth = 1 - float(integer_law((1, 2), noise)[1])
    assert float(union_bound((1, 2), Fraction(1, 2))) < truth * 0.9
    assert float(union_bound_with_ties((1, 2), noise)) == pytest.approx(truth, rel=1e-9)


def renyi(p: Sequence[float], q: Sequence[float], order: float) -> float:
    terms = [p_outcome**order * q_outcome ** (1 - order) for p_outcome, q_outcome in zip(p, q, strict=True)]
    return float(np.log(sum(terms)) / (order - 1))


@pytest.mark.req("CAPC-ACCT-112")
@pytest.mark.parametrize("adjacency", list(Adjacency))
@pytest.mark.parametrize("order", [Fraction(2), Fraction(4)])
def test_theorem_6_of_a_check_bounds_its_direction_and_not_the_other(adjacency: Adjacency, order: Fraction) -> None:
    noise, threshold = RoundedGaussian(Fraction(4), 1), Fraction(15)
    reversed_above = used = 0
    for histogram in [(0, 0), (4, 3), (15, 3), (40, 5), (31, 0), (28, 1)]:
        found = data_dependent_check(histogram, threshold, noise, order, adjacency)
        assert found.scope is Scope.ONE_SIDED
        assert found.adjacency == adjacency.value
        used += "hold" in found.preconditions[0]
        p = float(answered_probability(histogram, threshold, noise).at_most)
        for other in neighbours(histogram, adjacency):
            q = float(answered_probability(other, threshold, noise).at_most)
            assert renyi((p, 1 - p), (q, 1 - q), float(order)) <= float(found.at_most) + 1e-9
            reversed_above += renyi((q, 1 - q), (p, 1 - p), float(order)) > float(found.at_most) * 1.0001
    assert used >= 2
    # Under replace_one it is charged for more than honest counts can move: for offsets on shares.
    assert reversed_above or adjacency is Adjacency.REPLACE_ONE


@pytest.mark.req("CAPC-ACCT-112")
@pytest.mark.parametrize("noise", FINE)
def test_theorem_6_of_a_label_on_a_grid_bounds_its_direction(noise: IntegerNoise) -> None:
    used = 0
    for histogram in [(12, 0), (0, 12), (9, 1, 0), (3, 3), (2, 9)]:
        for order in (Fraction(3, 2), Fraction(2)):
            found = data_dependent_label(histogram, noise, order, Adjacency.REPLACE_ONE)
            used += "hold" in found.preconditions[0]
            here = [float(p) for p in integer_law(histogram, noise)]
            for other in neighbours(histogram, Adjacency.REPLACE_ONE):
                there = [float(p) for p in integer_law(other, noise)]
                assert renyi(here, there, float(order)) <= float(found.at_most) + 1e-9
    assert used


def test_a_bound_of_a_sure_check_is_small_and_of_an_open_one_what_an_account_charges() -> None:
    noise = RoundedGaussian(Fraction(4), 1)
    sure = data_dependent_check((100_000, 0), Fraction(15), noise, Fraction(2), Adjacency.REPLACE_ONE)
    assert 0 <= float(sure.at_most) < 1e-6
    even = data_dependent_check((15, 0), Fraction(15), noise, Fraction(2), Adjacency.REPLACE_ONE)
    assert float(even.at_most) == pytest.approx(2 / 16)
    assert "fails" in even.preconditions[0]


@pytest.mark.req("CAPC-ACCT-112")
def test_none_of_them_is_a_guarantee_or_a_number() -> None:
    noise = RoundedGaussian(Fraction(4), 1)
    found: list[Diagnostic] = [
        answered_probability((4, 1), Fraction(3), noise),
        expected_answers([(4, 1)], Fraction(3), noise),
        data_dependent_check((4, 1), Fraction(3), noise, Fraction(2), Adjacency.NULL_VOTE),
        data_dependent_label((4, 1), noise, Fraction(2), Adjacency.NULL_VOTE),
    ]
    for diagnostic in found:
        assert "never a guarantee" in str(diagnostic)
        assert isinstance(diagnostic.at_most, str)
        assert not isinstance(diagnostic, Fraction | arb)


def test_arguments_out_of_range_are_refused() -> None:
    noise = RoundedGaussian(Fraction(4), 1)
    calls: list[Any] = [
        lambda: answered_probability((), Fraction(3), noise),
        lambda: answered_probability((1,), Fraction(3), RoundedGaussian(Fraction(4000), 4)),
        lambda: expected_answers([(1,), ()], Fraction(3), noise),
        lambda: data_dependent_check((1,), Fraction(3), noise, Fraction(1), Adjacency.NULL_VOTE),
        lambda: data_dependent_label((1,), noise, Fraction(2), Adjacency.NULL_VOTE),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()
