"""Conversions between composed costs and (epsilon, delta): the exact Gaussian-DP curve, and zCDP.

Every result is rounded against us: an epsilon or a delta up, a budget down, a deviation up. It is a decimal of at most
12 digits (or a dyadic rational), within 1e-9 relative of the exact value of the formula.

What the formulas are: for mu^2 the exact curve of Gaussian DP, so nothing is lost. For rho the best order of one
valid conversion; any order gives a valid bound, so the search for it needs no proof. For a Renyi divergence the same
conversion at its own order. Of both, one so small that delta alone covers it (Pinsker's inequality) costs no epsilon.

Spec: CAPC-ACCT-004, CAPC-ACCT-102, CAPC-ACCT-115.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb, ctx

from capc.noise.mechanism import CostUnit
from capc.privacy.accountants.ball_arithmetic import (
    LARGEST,
    ball,
    decimal_step,
    decimal_upper,
    exact_lower,
    exact_upper,
    normal_cdf,
    refined,
    require,
    round_down,
    shown,
)

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
    _check_range("mu_squared", mu_squared)
    _check_range("epsilon", epsilon)
    if mu_squared == 0:
        return Fraction(0)
    upper = exact_upper(refined(lambda: _gaussian_delta(mu_squared, epsilon), DELTA_FLOOR))
    return min(Fraction(1), max(upper, DELTA_FLOOR))


def epsilon_upper(unit: CostUnit, cost: Fraction, delta: Fraction, order: Fraction | None = None) -> Fraction:
    """The smallest epsilon, rounded up, for which this cost is certified to give (epsilon, delta)-DP.

    Args:
        unit: of the cost.
        cost: the composed mu^2, rho or Renyi divergence, from 0 to 1e9.
        delta: from 2^-512 to below 1.
        order: of the Renyi divergence; of no other unit.

    Returns:
        A decimal of 12 digits; 0 if the cost satisfies (0, delta)-DP.

    Raises:
        InputError: an argument is out of range, or epsilon would be outside 1e-30 .. 1e9.

    Source: mu^2: as :func:`gaussian_dp_delta_upper`. rho: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010,
        Proposition 12 in version 4), for the Renyi DP of cost a rho at order a, minimised over a > 1. Renyi: the same
        at the one order.
    """
    _check(unit, delta, order, cost=cost)
    if order is not None:
        return Fraction(0) if delta_covers(cost, delta) else decimal_upper(_refined_renyi(cost, order, delta))
    if _fits(unit, cost, Fraction(0), delta):
        return Fraction(0)
    return decimal_step(lambda epsilon: _fits(unit, cost, epsilon, delta))[1]


def budget_lower(unit: CostUnit, epsilon: Fraction, delta: Fraction, order: Fraction | None = None) -> Fraction:
    """The largest cost, rounded down, that is certified to give (epsilon, delta)-DP.

    Args:
        unit: of the cost that is wanted.
        epsilon: above 0.
        delta: from 2^-512 to below 1.
        order: of the Renyi divergence; of no other unit.

    Returns:
        A decimal of 12 digits: the budget to create an :class:`~capc.privacy.account.Account` with.

    Raises:
        InputError: an argument is out of range, or the budget would be outside 1e-30 .. 1e9.
    """
    require(0 < epsilon <= LARGEST, "epsilon", epsilon, "give a budget above 0, up to 1e9")
    _check(unit, delta, order)
    if order is not None:
        left = _renyi_left(epsilon, order, delta)
        require(
            left > 0, "epsilon", epsilon, f"nothing is left of it at Renyi order {shown(order)}: choose another order"
        )
        return round_down(max(left, _covered(delta)))
    return decimal_step(lambda cost: not _fits(unit, cost, epsilon, delta))[0]


def keeps(unit: CostUnit, cost: Fraction, epsilon: Fraction, delta: Fraction, order: Fraction | None = None) -> bool:
    """Whether it is certified that this cost gives (epsilon, delta)-DP; arguments as of :func:`epsilon_upper`.

    Raises:
        InputError: an argument is out of range.
    """
    _check(unit, delta, order, cost=cost, epsilon=epsilon)
    if order is None or delta_covers(cost, delta):
        return _fits(unit, cost, epsilon, delta)
    return cost <= _renyi_left(epsilon, order, delta)


def _renyi_left(epsilon: Fraction, order: Fraction, delta: Fraction) -> Fraction:
    """Certified: what a cost may be. Epsilon is the cost and a term of the order alone."""
    return exact_lower(refined(lambda: ball(epsilon) - _renyi_epsilon(Fraction(0), order, delta), _EPSILON_FLOOR))


def _fits(unit: CostUnit, cost: Fraction, epsilon: Fraction, delta: Fraction) -> bool:
    if cost == 0:
        return True
    if unit is CostUnit.MU_SQUARED:
        return gaussian_dp_delta_upper(cost, epsilon) <= delta
    if delta_covers(cost, delta):
        return True
    return bool(_refined_rho(cost, delta) <= ball(epsilon))


def delta_covers(divergence: Fraction, delta: Fraction) -> bool:
    """Whether so small a divergence gives (0, delta)-DP: the total variation distance is at most sqrt(KL / 2).

    Args:
        divergence: a Renyi divergence of any order above 1, or rho; the Kullback-Leibler divergence is no larger.
        delta: at least 0.

    Source: Pinsker's inequality; van Erven and Harremoes 2014 (arXiv 1206.2459), for the order 1 below all others.
    """
    return divergence <= _covered(delta)


def _covered(delta: Fraction) -> Fraction:
    return 2 * delta**2


def _refined_rho(rho: Fraction, delta: Fraction) -> arb:
    order = _best_order(rho, delta)
    return _refined_renyi(rho * order, order, delta)


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


def _refined_renyi(cost: Fraction, order: Fraction, delta: Fraction) -> arb:
    return refined(lambda: _renyi_epsilon(cost, order, delta), _EPSILON_FLOOR)


def _renyi_epsilon(cost: Fraction, order: Fraction, delta: Fraction) -> arb:
    return improved_conversion(ball(cost), ball(order), ball(delta))


def improved_conversion(cost: arb, order: arb, delta: arb) -> arb:
    """Epsilon = cost + ln(1 - 1 / a) - (ln delta + ln a) / (a - 1), never above the classic one; it may be negative."""
    return cost + (1 - 1 / order).log() - (delta.log() + order.log()) / (order - 1)


def _gaussian_delta(mu_squared: Fraction, epsilon: Fraction) -> arb:
    mu = ball(mu_squared).sqrt()
    eps = ball(epsilon)
    return normal_cdf(mu / 2 - eps / mu) - eps.exp() * normal_cdf(-mu / 2 - eps / mu)


def _check_range(name: str, value: Fraction) -> None:
    what = "value from 0 to 1e9" if name == "epsilon" else "cost from 0 to 1e9: more noise, or fewer queries"
    require(0 <= value <= LARGEST, name, value, f"give a {what}")


def _check(unit: CostUnit, delta: Fraction, order: Fraction | None, **others: Fraction) -> None:
    for name, value in others.items():
        _check_range(name, value)
    check_delta(delta)
    fits = (order is not None) == (unit is CostUnit.RENYI) and (order is None or order > 1)
    require(fits, "order", order, "give an order above 1 for a Renyi divergence, and none for another cost")


def check_delta(delta: Fraction) -> None:
    """Refuses a delta outside [2^-512, 1)."""
    require(DELTA_FLOOR <= delta < 1, "delta", delta, "give a value below 1, and not below 2^-512")
