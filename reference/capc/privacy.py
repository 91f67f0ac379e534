"""Certified conversions between costs and (epsilon, delta), and the sentences that may be printed about them.

Every function evaluates its formula in ball arithmetic, which carries a proven error bound, and rounds its result
against us: an epsilon or a delta up, a budget down, a deviation up. The result is a decimal of at most 12 digits (or
a dyadic rational), within 1e-9 relative of the exact value of the formula.

What the formulas are: for mu^2 the exact curve of Gaussian DP, so nothing is lost. For rho the best order of one
valid conversion; any order gives a valid bound, so the search for it needs no proof.

This module needs the extra `privacy` (python-flint). The core never imports it: an account only compares rationals.

Spec: CAPC-ACCT-004, CAPC-ACCT-005.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from flint import arb, ctx, fmpq

from capc.accounting import CHECK_SQUARED_SENSITIVITY, Account, CostUnit, answer_squared_sensitivity
from capc.errors import InputError
from capc.noise.mechanism import mechanism_for
from capc.parameters import Adjacency, Charge, NoiseName

SIGMA_GRID = 64
"""Calibrated deviations are multiples of 1/64 votes."""
DELTA_FLOOR = Fraction(1, 1 << 512)
"""Upper bounds on delta below this value are reported as this value; no smaller delta is accepted."""

_START_PRECISION = 128
_ACCURACY_BITS = 64
_DIGITS = 12
_SMALLEST_EXPONENT = -30
_LARGEST_EXPONENT = 9
_LARGEST = 10**_LARGEST_EXPONENT
_EPSILON_FLOOR = Fraction(1, 10**60)

NOT_A_GUARANTEE = "not a guarantee unless the counts were fixed in advance"


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
    _require(0 <= mu_squared <= _LARGEST, "mu_squared", mu_squared, "give a cost from 0 to 1e9")
    _require(0 <= epsilon <= _LARGEST, "epsilon", epsilon, "give a value from 0 to 1e9")
    if mu_squared == 0:
        return Fraction(0)
    upper = _refined(lambda: _gaussian_delta(mu_squared, epsilon), DELTA_FLOOR).upper()
    if upper <= _ball(DELTA_FLOOR):
        return DELTA_FLOOR
    mantissa, exponent = (int(part) for part in upper.man_exp())
    return min(Fraction(1), mantissa * Fraction(2) ** exponent)


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
    _require(0 <= cost <= _LARGEST, "cost", cost, "give a cost from 0 to 1e9")
    _check_delta(delta)
    if _fits(unit, cost, Fraction(0), delta):
        return Fraction(0)
    return _decimal_step(lambda epsilon: _fits(unit, cost, epsilon, delta))[1]


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
    _require(0 < epsilon <= _LARGEST, "epsilon", epsilon, "give a budget above 0, up to 1e9")
    _check_delta(delta)
    return _decimal_step(lambda cost: not _fits(unit, cost, epsilon, delta))[0]


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
    _require(queries >= 1, "queries", queries, "give at least 1")
    # Costs are inversely proportional to sigma^2, so the cost at 1 vote tells all others.
    at_one_vote = mechanism_for(mechanism, Fraction(1), 0)
    total = at_one_vote.cost(answer_squared_sensitivity(adjacency))
    if threshold_ratio is not None:
        _require(threshold_ratio > 0, "threshold_ratio", threshold_ratio, "give a ratio above 0")
        total += mechanism_for(mechanism, threshold_ratio, 0).cost(CHECK_SQUARED_SENSITIVITY)
    budget = budget_lower(at_one_vote.unit, epsilon, delta)
    square = total * queries * SIGMA_GRID**2 / budget
    steps = isqrt(square.numerator // square.denominator)
    if steps * steps < square:
        steps += 1
    return Fraction(steps, SIGMA_GRID)


@dataclass(frozen=True)
class PrivacyStatement:
    """One figure, with everything that it needs to be read correctly (CAPC-ACCT-004).

    Attributes:
        epsilon: rounded as ``rounding`` says.
        delta: of the mechanism alone; ``hypotheses`` says what is added to it.
        adjacency: the neighbouring relation.
        method: the theorem or curve.
        mechanism: the law of the noise.
        guarantee: False for a reading that is not a guarantee.
        hypotheses: what must hold for the figure to be true.
        rounding: the direction of rounding.
    """

    epsilon: Fraction
    delta: Fraction
    adjacency: Adjacency
    method: str
    mechanism: NoiseName
    guarantee: bool
    hypotheses: tuple[str, ...]
    rounding: str

    @property
    def label(self) -> str:
        """What stands beside the figure, always."""
        return "guarantee of the enforced budget" if self.guarantee else NOT_A_GUARANTEE

    def __str__(self) -> str:
        """The figure in one line; epsilon and delta are decimals, rounded up once more to 6 digits."""
        return (
            f"epsilon <= {_decimal_up(self.epsilon)} at delta = {_decimal_up(self.delta)} ({self.label}; "
            f"adjacency {self.adjacency.value}; {self.mechanism.value} noise; {self.method}; {self.rounding})"
        )


def budget_statement(account: Account) -> PrivacyStatement:
    """What the account guarantees: the epsilon of its whole budget, at its policy's delta.

    It holds however many queries were asked and whenever they stop, because the budget was fixed in advance.
    """
    return _statement(account, account.budget, guarantee=True)


def spent_statement(account: Account) -> PrivacyStatement:
    """The odometer reading: the epsilon of what was spent so far. It is not a guarantee (CAPC-ACCT-005).

    Stopping because of what was released, and then quoting this figure, would be unsound.
    """
    return _statement(account, account.spent, guarantee=False)


def _statement(account: Account, cost: Fraction, *, guarantee: bool) -> PrivacyStatement:
    policy = account.policy
    unit = account.cost.unit
    hypotheses = [
        "a protected party has one vote of one unit per query, and a record lies with one party only",
        "the privacy guardian does not collude with the querying party, and all parties are semi-honest",
        "every query of every querying party and session is charged to this account before its release",
        "delta is that of the noise alone: add (1 + e^epsilon) eta, where eta sums the advantages against homomorphic "
        "encryption, garbling, oblivious transfer and the pseudorandom generators (computational terms) and the "
        "distances of flooding and wrap-around (statistical terms)",
    ]
    if policy.charge is Charge.REALISED:
        hypotheses.append("the answered bit is an output of the protocol, with the querying party's own noise on it")
    return PrivacyStatement(
        epsilon=epsilon_upper(unit, cost, policy.delta),
        delta=policy.delta,
        adjacency=policy.adjacency,
        method=_METHODS[unit],
        mechanism=policy.mechanism,
        guarantee=guarantee,
        hypotheses=tuple(hypotheses),
        rounding="epsilon rounded up, certified by ball arithmetic",
    )


_METHODS = {
    CostUnit.MU_SQUARED: "exact Gaussian-DP curve (Balle and Wang 2018) of the composed mu^2",
    CostUnit.RHO: "zCDP of the composed rho, best order of Proposition 12 of Canonne, Kamath and Steinke 2020",
}


def _fits(unit: CostUnit, cost: Fraction, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether it is certified that this cost gives (epsilon, delta)-DP."""
    if cost == 0:
        return True
    if unit is CostUnit.MU_SQUARED:
        return gaussian_dp_delta_upper(cost, epsilon) <= delta
    order = _best_order(cost, delta)
    return bool(_refined(lambda: _renyi_epsilon(cost, order, delta), _EPSILON_FLOOR) <= _ball(epsilon))


def _best_order(rho: Fraction, delta: Fraction) -> Fraction:
    """The order a > 1 where the conversion of rho-zCDP is about smallest.

    The derivative in a vanishes where rho (a - 1)^2 = ln(1 / (delta a)); the left side grows and the right side
    falls, so there is one such place.
    """

    def beyond(excess: Fraction) -> bool:
        b = _ball(excess)
        return bool((_ball(rho) * b * b + (1 + b).log() + _ball(delta).log()).mid() >= 0)

    # At a - 1 = 1 / delta the sum is positive whatever rho is, so the search ends there at the latest.
    with ctx.workprec(_START_PRECISION):
        return 1 + _decimal_step(beyond, largest_exponent=delta.denominator.bit_length())[1]


def _renyi_epsilon(rho: Fraction, order: Fraction, delta: Fraction) -> arb:
    a = _ball(order)
    return _ball(rho) * a + (1 - 1 / a).log() - (_ball(delta).log() + a.log()) / (a - 1)


def _gaussian_delta(mu_squared: Fraction, epsilon: Fraction) -> arb:
    mu = _ball(mu_squared).sqrt()
    eps = _ball(epsilon)
    return _normal_cdf(mu / 2 - eps / mu) - eps.exp() * _normal_cdf(-mu / 2 - eps / mu)


def _normal_cdf(z: arb) -> arb:
    return (-z / arb(2).sqrt()).erfc() / 2


def _refined(formula: Callable[[], arb], negligible: Fraction) -> arb:
    """The formula's ball, once its radius is at most 2^-64 of its size, or of ``negligible`` if that is larger."""
    precision = _START_PRECISION
    while True:
        with ctx.workprec(precision):
            ball = formula()
            error = ball.rad() * (1 << _ACCURACY_BITS)
            if ball.is_finite() and (error <= abs(ball) or error <= _ball(negligible)):
                return ball
        precision *= 2


def _decimal_step(
    holds: Callable[[Fraction], bool], largest_exponent: int = _LARGEST_EXPONENT
) -> tuple[Fraction, Fraction]:
    """Neighbours (low, high) on a grid of 12 decimal digits, where ``holds`` changes from False to True.

    ``holds`` was evaluated at both ends, so both are certified; between them the search relies on monotonicity
    only for tightness.
    """
    decade = 0
    while decade > _SMALLEST_EXPONENT and holds(Fraction(10) ** (decade - 1)):
        decade -= 1
    while decade <= largest_exponent and not holds(Fraction(10) ** decade):
        decade += 1
    if not _SMALLEST_EXPONENT < decade <= largest_exponent:
        raise InputError("a privacy conversion leaves the range 1e-30 .. 1e9: give less extreme arguments")
    unit = Fraction(10) ** (decade - _DIGITS)
    below, above = 10 ** (_DIGITS - 1), 10**_DIGITS
    while above - below > 1:
        middle = (below + above) // 2
        if holds(middle * unit):
            above = middle
        else:
            below = middle
    return below * unit, above * unit


def _decimal_up(value: Fraction) -> str:
    """A decimal of 6 significant digits that is at least ``value``."""
    if value == 0:
        return "0"
    exponent = 0
    while value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while value < Fraction(10) ** exponent:
        exponent -= 1
    digits = -(-value // Fraction(10) ** (exponent - 5))
    return f"{digits}e{exponent - 5}" if not -6 <= exponent < 6 else _plain_decimal(digits, exponent - 5)


def _plain_decimal(digits: int, shift: int) -> str:
    text = str(digits).rjust(1 - shift, "0")
    if shift >= 0:
        return text + "0" * shift
    return f"{text[:shift]}.{text[shift:]}".rstrip("0").rstrip(".")


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _check_delta(delta: Fraction) -> None:
    _require(DELTA_FLOOR <= delta < 1, "delta", delta, "give a value below 1, and not below 2^-512")


def _require(holds: bool, name: str, value: object, remedy: str) -> None:
    if not holds:
        raise InputError(f"{name} = {value}: {remedy}")
