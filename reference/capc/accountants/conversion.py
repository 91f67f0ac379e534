"""Conversions between composed costs and (epsilon, delta): the exact Gaussian-DP curve, and zCDP.

Every result is rounded against us: an epsilon or a delta up, a budget down, a deviation up. It is a decimal of at most
12 digits (or a dyadic rational), within 1e-9 relative of the exact value of the formula.

What the formulas are: for mu^2 the exact curve of Gaussian DP, so nothing is lost. For rho the best order of one
valid conversion; any order gives a valid bound, so the search for it needs no proof.

Spec: CAPC-ACCT-004, CAPC-ACCT-102.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from flint import arb, ctx

from capc.accountants.balls import LARGEST, ball, decimal_step, exact_upper, normal_cdf, refined, require
from capc.accounting import CHECK_SQUARED_SENSITIVITY, CostUnit, answer_squared_sensitivity
from capc.noise.mechanism import mechanism_for
from capc.parameters import Adjacency, NoiseName

SIGMA_GRID = 64
"""Calibrated deviations are multiples of 1/64 votes."""
DELTA_FLOOR = Fraction(1, 1 << 512)
"""Upper bounds on delta below this value are reported as this value; no smaller delta is accepted."""

_EPSILON_FLOOR = Fraction(1, 10**60)
_PRECISION = 128


def gaussian_dp_delta_upper(mu_squared: Fraction, epsilon: Fraction) -> Fraction:
    """An upper bound on delta(epsilon) of mu-Gaussian DP, the smallest delta for which (epsilon, delta)-DP holds.

    delta(epsilon) = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu).

    Args:
        mu_squared: mu^2, the composed cost, from 0 to 1e9.
        epsilon: from 0 to 1e9.

    Returns:
        A rational in [0, 1], rounded up, at most 2^-50 relative above the truth, and never below
        :data:`DELTA_FLOOR` unless mu^2 is 0.

    Raises:
        InputError: an argument is negative or above 1e9.

    Source: Balle and Wang 2018 (arXiv 1805.06530); Dong, Roth and Su (arXiv 1905.02383).
    """
    require(0 <= mu_squared <= LARGEST, "mu_squared", mu_squared, "give a cost from 0 to 1e9")
    require(0 <= epsilon <= LARGEST, "epsilon", epsilon, "give a value from 0 to 1e9")
    if mu_squared == 0:
        return Fraction(0)
    upper = exact_upper(refined(lambda: _gaussian_delta(mu_squared, epsilon), DELTA_FLOOR))
    return min(Fraction(1), max(upper, DELTA_FLOOR))


def epsilon_upper(unit: CostUnit, cost: Fraction, delta: Fraction) -> Fraction:
    """The smallest epsilon, rounded up, for which this cost is certified to give (epsilon, delta)-DP.

    Args:
        unit: of the cost.
        cost: the composed mu^2 or rho, from 0 to 1e9.
        delta: from 2^-512 to below 1.

    Returns:
        A decimal of 12 digits; 0 if the cost satisfies (0, delta)-DP.

    Raises:
        InputError: an argument is out of range, or epsilon would be outside 1e-30 .. 1e9.

    Source: mu^2: as :func:`gaussian_dp_delta_upper`. rho: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010,
        Proposition 12 in version 4), for the Renyi DP of cost a rho at order a, minimised over a > 1.
    """
    require(0 <= cost <= LARGEST, "cost", cost, "give a cost from 0 to 1e9")
    check_delta(delta)
    if _fits(unit, cost, Fraction(0), delta):
        return Fraction(0)
    return decimal_step(lambda epsilon: _fits(unit, cost, epsilon, delta))[1]


def budget_lower(unit: CostUnit, epsilon: Fraction, delta: Fraction) -> Fraction:
    """The largest cost, rounded down, that is certified to give (epsilon, delta)-DP.

    Args:
        unit: of the cost that is wanted.
        epsilon: above 0.
        delta: from 2^-512 to below 1.

    Returns:
        A decimal of 12 digits: the budget to create an :class:`~capc.accounting.Account` with.

    Raises:
        InputError: an argument is out of range, or the budget would be outside 1e-30 .. 1e9.
    """
    require(0 < epsilon <= LARGEST, "epsilon", epsilon, "give a budget above 0, up to 1e9")
    check_delta(delta)
    return decimal_step(lambda cost: not _fits(unit, cost, epsilon, delta))[0]


def calibrate_sigma(
    mechanism: NoiseName,
    adjacency: Adjacency,
    epsilon: Fraction,
    delta: Fraction,
    *,
    queries: int,
    threshold_ratio: Fraction | None = None,
) -> Fraction:
    """The smallest deviation, on a grid of 1/64 votes, for which that many queries fit the budget at their full cost.

    Args:
        mechanism: the law of the noise.
        adjacency: the neighbouring relation of the budget.
        epsilon: the budget, above 0.
        delta: the budget's delta, from 2^-512 to below 1.
        queries: how many queries must fit, at least 1.
        threshold_ratio: threshold_sigma / sigma, above 0; None without a threshold.

    Returns:
        Sigma in votes; with a threshold, threshold_sigma is ``threshold_ratio`` times it.

    Raises:
        InputError: an argument is out of range.
    """
    require(queries >= 1, "queries", queries, "give at least 1")
    # Costs are inversely proportional to sigma^2, so the cost at 1 vote tells all others.
    at_one_vote = mechanism_for(mechanism, Fraction(1), 0)
    total = at_one_vote.cost(answer_squared_sensitivity(adjacency))
    if threshold_ratio is not None:
        require(threshold_ratio > 0, "threshold_ratio", threshold_ratio, "give a ratio above 0")
        total += mechanism_for(mechanism, threshold_ratio, 0).cost(CHECK_SQUARED_SENSITIVITY)
    budget = budget_lower(at_one_vote.unit, epsilon, delta)
    square = total * queries * SIGMA_GRID**2 / budget
    steps = isqrt(square.numerator // square.denominator)
    if steps * steps < square:
        steps += 1
    return Fraction(steps, SIGMA_GRID)


def _fits(unit: CostUnit, cost: Fraction, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether it is certified that this cost gives (epsilon, delta)-DP."""
    if cost == 0:
        return True
    if unit is CostUnit.MU_SQUARED:
        return gaussian_dp_delta_upper(cost, epsilon) <= delta
    order = _best_order(cost, delta)
    return bool(refined(lambda: _renyi_epsilon(cost, order, delta), _EPSILON_FLOOR) <= ball(epsilon))


def _best_order(rho: Fraction, delta: Fraction) -> Fraction:
    """The order a > 1 where the conversion of rho-zCDP is about smallest.

    The derivative in a vanishes where rho (a - 1)^2 = ln(1 / (delta a)); the left side grows and the right side
    falls, so there is one such place.
    """

    def beyond(excess: Fraction) -> bool:
        b = ball(excess)
        return bool((ball(rho) * b * b + (1 + b).log() + ball(delta).log()).mid() >= 0)

    # At a - 1 = 1 / delta the sum is positive whatever rho is, so the search ends there at the latest.
    with ctx.workprec(_PRECISION):
        return 1 + decimal_step(beyond, largest_exponent=delta.denominator.bit_length())[1]


def _renyi_epsilon(rho: Fraction, order: Fraction, delta: Fraction) -> arb:
    a = ball(order)
    return ball(rho) * a + (1 - 1 / a).log() - (ball(delta).log() + a.log()) / (a - 1)


def _gaussian_delta(mu_squared: Fraction, epsilon: Fraction) -> arb:
    mu = ball(mu_squared).sqrt()
    eps = ball(epsilon)
    return normal_cdf(mu / 2 - eps / mu) - eps.exp() * normal_cdf(-mu / 2 - eps / mu)


def check_delta(delta: Fraction) -> None:
    """Refuses a delta outside [2^-512, 1)."""
    require(DELTA_FLOOR <= delta < 1, "delta", delta, "give a value below 1, and not below 2^-512")
