"""Analysis mode against numerical integration and enumeration, and that none of it can pass for a guarantee."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.unit import Relation
from capc.privacy.analysis.argmax_law import continuous_law, integer_law, noise_masses
from capc.privacy.analysis.diagnostic import Diagnostic, Scope
from capc.privacy.analysis.divergence import exact_hockey_stick, exact_renyi, neighbours
from capc.privacy.analysis.smooth_release import smooth_release_cost
from capc.privacy.analysis.theorem6 import data_dependent_renyi
from capc.privacy.figures.statement import PrivacyStatement
from capc.session.parameters import Adjacency
from support.argmax import continuous_argmax_law


def quadrature(histogram: Sequence[int], sigma: float) -> np.ndarray:
    return continuous_argmax_law(histogram, sigma, 14, 28001)


def renyi(p: np.ndarray, q: np.ndarray, order: float) -> float:
    return float(np.log(np.sum(p**order * q ** (1 - order))) / (order - 1))


@pytest.mark.parametrize("histogram", [(5, 2, 1), (3, 3, 3), (8, 0), (4,), (1, 2, 3, 2)])
@pytest.mark.parametrize("sigma", [Fraction(1, 2), Fraction(3)])
def test_continuous_law_is_the_integral(histogram: tuple[int, ...], sigma: Fraction) -> None:
    law = [float(p) for p in continuous_law(histogram, sigma)]
    assert np.allclose(law, quadrature(histogram, float(sigma)), rtol=1e-9, atol=1e-13)


def test_integer_law_counts_ties_for_the_lowest_index() -> None:
    """Two equal classes: the lower one wins every tie, so it is ahead by the probability of a tie."""
    noise = DiscreteGaussian(Fraction(1), 0)
    low, high = (float(p) for p in integer_law((3, 3), noise))
    n = np.arange(-20, 21)
    mass = np.exp(-(n**2) / 2) / np.exp(-(n**2) / 2).sum()
    assert low - high == pytest.approx(float((mass**2).sum()), rel=1e-12)
    assert low + high == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("sigma", [Fraction(1, 2), Fraction(1), Fraction(7, 3)])
def test_noise_masses_are_the_laws_with_50_digits(sigma: Fraction) -> None:
    """By mpmath: differences of erfc, a normalised sum, and Bessel functions."""
    with mpmath.workdps(50):
        s = mpmath.mpf(sigma.numerator) / sigma.denominator
        edge = [mpmath.erfc((2 * n - 1) / (2 * mpmath.sqrt(2) * s)) / 2 for n in range(12)]
        total = mpmath.nsum(lambda n: mpmath.exp(-(n**2) / (2 * s**2)), [-60, 60])
        laws = {
            RoundedGaussian(sigma, 0): [1 - 2 * edge[1]] + [edge[n] - edge[n + 1] for n in range(1, 10)],
            DiscreteGaussian(sigma, 0): [mpmath.exp(-(n**2) / (2 * s**2)) / total for n in range(10)],
            Skellam(sigma, 0): [mpmath.exp(-(s**2)) * mpmath.besseli(n, s**2) for n in range(10)],
        }
        for noise, law in laws.items():
            masses, tail = noise_masses(noise)
            middle = len(masses) // 2
            assert len(masses) == 2 * middle + 1
            for n, truth in enumerate(law):
                for mass in (masses[middle + n], masses[middle - n]):
                    assert (
                        abs(mpmath.mpf(str(mass.mid().str(45, radius=False))) - truth) <= truth * mpmath.mpf(10) ** -30
                    )
            assert abs(float(sum(masses)) - 1) < 1e-12
            assert 0 < float(tail) < 1e-30


def test_a_fine_grid_approaches_the_continuous_law() -> None:
    fine = [float(p) for p in integer_law((4, 2, 1), RoundedGaussian(Fraction(2), 7))]
    assert np.allclose(fine, quadrature((4, 2, 1), 2.0), atol=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("adjacency", list(Adjacency))
def test_exact_divergences_are_the_largest_over_neighbours_in_both_directions(adjacency: Adjacency) -> None:
    histogram, sigma = (5, 2, 1), Fraction(3, 2)

    def law(h: Sequence[int]) -> list[arb]:
        return continuous_law(h, sigma)

    here = quadrature(histogram, 1.5)
    theirs = [quadrature(other, 1.5) for other in neighbours(histogram, adjacency)]
    wanted = max(max(renyi(here, q, 4.0), renyi(q, here, 4.0)) for q in theirs)
    found = exact_renyi(law, histogram, adjacency, Fraction(4))
    assert float(found.at_least) <= wanted * (1 + 1e-8)
    assert float(found.at_most) == pytest.approx(wanted, rel=1e-8)
    stick = exact_hockey_stick(law, histogram, adjacency, Fraction(1))
    sticks = [np.maximum(0, p - np.e * q).sum() for other in theirs for p, q in ((here, other), (other, here))]
    assert float(stick.at_most) == pytest.approx(max(sticks), rel=1e-8)
    assert stick.scope is Scope.TWO_SIDED


@pytest.mark.req("CAPC-ACCT-112")
def test_theorem_6_bounds_its_direction_and_not_the_other() -> None:
    """Known error of peers: printed as epsilon, it is refuted by the reverse divergence of this histogram."""
    reversed_above = False
    for histogram, sigma, order in [((30, 0), 3, 2), ((60, 5, 0), 6, 3), ((40, 5), 4, 2), ((24, 0), 3, 4)]:
        found = data_dependent_renyi(histogram, Fraction(sigma), Fraction(order))
        assert found.scope is Scope.ONE_SIDED
        here = quadrature(histogram, sigma)
        for other in neighbours(histogram, Adjacency.REPLACE_ONE):
            there = quadrature(other, sigma)
            assert renyi(here, there, order) <= float(found.at_most) + 1e-11
            reversed_above |= renyi(there, here, order) > float(found.at_most) * 1.0001
    assert reversed_above


@pytest.mark.req("CAPC-ACCT-112")
@pytest.mark.parametrize("noise", [RoundedGaussian(Fraction(4), 4), DiscreteGaussian(Fraction(4), 0)])
def test_theorem_6_is_for_continuous_noise(noise: Any) -> None:
    with pytest.raises(InputError, match="continuous noise"):
        data_dependent_renyi((40, 5), noise, Fraction(2))
    assert "continuous" in data_dependent_renyi((40, 5), Fraction(4), Fraction(2)).preconditions[-1]


@pytest.mark.req("CAPC-ACCT-112")
def test_theorem_6_falls_back_where_a_precondition_fails() -> None:
    for histogram, order in [((3, 3), 5), ((40, 5), 500)]:
        found = data_dependent_renyi(histogram, Fraction(4), Fraction(order))
        assert "fails" in found.preconditions[0]
        assert float(found.at_most) == pytest.approx(order / 16, rel=1e-12)
    far = data_dependent_renyi((100_000, 0), Fraction(1), Fraction(2))
    assert float(far.at_most) > 0


def normal_divergence(order: float, ratio: float, sigma: float) -> float:
    """Of N(min(ratio, 1), (ratio sigma)^2) from N(0, sigma^2), integrated, without a closed form."""
    grid = np.linspace(-120 * sigma, 120 * sigma, 480_001)
    log_p = -(((grid - min(ratio, 1.0)) / (ratio * sigma)) ** 2) / 2 - np.log(ratio * sigma)
    log_q = -((grid / sigma) ** 2) / 2 - np.log(sigma)
    terms = order * log_p + (1 - order) * log_q
    peak = terms.max()
    total = np.log(np.exp(terms - peak).sum() * (grid[1] - grid[0]) / np.sqrt(2 * np.pi)) + peak
    return float(total / (order - 1))


@pytest.mark.slow
@pytest.mark.parametrize(("order", "beta", "sigma"), [(2.0, 0.1, 3.0), (5.0, 0.05, 5.0), (20.0, 0.01, 10.0)])
def test_a_smooth_release_costs_the_largest_divergence_of_its_normal_laws(
    order: float, beta: float, sigma: float
) -> None:
    found = smooth_release_cost(Fraction(order), Fraction(str(beta)), Fraction(sigma), "replace_one")
    worst = max(normal_divergence(order, ratio, sigma) for ratio in np.exp(np.linspace(-beta, beta, 41)))
    assert float(found.at_most) == pytest.approx(worst, rel=1e-6)


def test_the_published_cost_of_a_smooth_release_is_below_its_divergence() -> None:
    """An error of peers, at order 10, beta = 9/200, sigma = 1."""
    order, beta, sigma = 10, 0.045, 1.0
    published = order * np.exp(2 * beta) / sigma**2 + (beta * order - np.log(1 - 2 * order * beta) / 2) / (order - 1)
    exact = normal_divergence(order, np.exp(beta), sigma)
    found = smooth_release_cost(Fraction(10), Fraction(9, 200), Fraction(1), "replace_one")
    assert float(found.at_most) == pytest.approx(exact, rel=1e-6)
    assert published < exact / 2


def test_a_smooth_release_without_a_finite_cost_is_refused() -> None:
    with pytest.raises(InputError, match="infinite"):
        smooth_release_cost(Fraction(20), Fraction(1, 10), Fraction(5), "replace_one")


@pytest.mark.req("CAPC-ACCT-112")
def test_no_diagnostic_can_be_the_epsilon_of_a_statement() -> None:
    found = data_dependent_renyi((40, 5), Fraction(4), Fraction(2))
    names = {field.name for field in dataclasses.fields(Diagnostic)}
    assert not {"epsilon", "delta", "guarantee"} & names
    assert "never a guarantee" in str(found)
    values: list[Any] = [found, found.at_most, 1.5]
    for value in values:
        for name in ("epsilon", "delta"):
            fields: dict[str, Any] = {"epsilon": Fraction(1), "delta": Fraction(1, 10), name: value}
            with pytest.raises(InputError, match="a diagnostic is no"):
                PrivacyStatement(
                    adjacency=Relation.REPLACE_ONE,
                    method="m",
                    mechanism="n",
                    guarantee=True,
                    hypotheses=(),
                    rounding="r",
                    **fields,
                )


def test_arguments_out_of_range_are_refused() -> None:
    calls: list[Any] = [
        lambda: continuous_law((), Fraction(1)),
        lambda: continuous_law((1,), Fraction(0)),
        lambda: integer_law((), DiscreteGaussian(Fraction(1), 0)),
        lambda: integer_law((1,), DiscreteGaussian(Fraction(4000), 4)),
        lambda: exact_renyi(lambda h: continuous_law(h, Fraction(1)), (1, 0), Adjacency.NULL_VOTE, Fraction(1)),
        lambda: exact_hockey_stick(lambda h: continuous_law(h, Fraction(1)), (0, 0), Adjacency.NULL_VOTE, Fraction(1)),
        lambda: data_dependent_renyi((3,), Fraction(1), Fraction(2)),
        lambda: smooth_release_cost(Fraction(2), Fraction(0), Fraction(1), "x"),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()
