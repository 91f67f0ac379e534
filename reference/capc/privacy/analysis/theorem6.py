"""The data-dependent bound of GNMax, Theorem 6 of Papernot et al. 2018, with its preconditions checked.

It bounds D_a(M(h) || M(h')) for this histogram h and every neighbour h': one direction only. The reverse divergence can
exceed it, so it is a diagnostic and never an epsilon. It is for continuous Gaussian noise only: on a grid
there are ties, which the union bound does not count.

Source: Papernot et al. 2018 (arXiv 1802.08908), Theorem 6; q by the union bound over the other classes.
Spec: CAPC-ACCT-112.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from flint import arb, ctx

from capc.privacy.accountants.ball_arithmetic import ball, exact_lower, require
from capc.privacy.analysis.argmax_law import PRECISION
from capc.privacy.analysis.diagnostic import Diagnostic, Scope
from capc.session.parameters import Adjacency

_ORDER_GRID = 1 << 10


def union_bound(histogram: Sequence[int], sigma_votes: Fraction) -> arb:
    """Q: an upper bound of the probability that another class than the leader wins, for continuous noise.

    For integer noise it would be too small, because ties count there.
    """
    leader = max(range(len(histogram)), key=lambda label: histogram[label])
    gaps = (histogram[leader] - votes for label, votes in enumerate(histogram) if label != leader)
    return sum((((ball(gap) / (2 * ball(sigma_votes))).erfc() / 2) for gap in gaps), arb(0))


def data_dependent_renyi(histogram: Sequence[int], sigma_votes: Fraction, order: Fraction) -> Diagnostic:
    """The bound at one order, or the data-independent a / s^2 where a precondition fails or that is smaller.

    Args:
        histogram: votes per class, at least two classes.
        sigma_votes: the deviation of continuous Gaussian noise, a number; noise on a grid is refused.
        order: a > 1.

    Raises:
        InputError: an argument cannot be used.
    """
    require(len(histogram) >= 2, "histogram", tuple(histogram), "give at least two classes")
    require(isinstance(sigma_votes, Fraction), "noise", sigma_votes, "give the deviation of continuous noise")
    require(sigma_votes > 0, "sigma", sigma_votes, "give a deviation above 0")
    require(order > 1, "order", order, "give an order above 1")
    with ctx.workprec(PRECISION):
        plain = ball(order / sigma_votes**2)
        q = union_bound(histogram, sigma_votes)
        found = theorem6(q, lambda other: other / sigma_votes**2, order)
        if found is None:
            value, checked = plain, ("a precondition of Theorem 6 fails: the data-independent cost is shown",)
        else:
            value, checked = found.min(plain), ("q < 1, a <= mu1, mu2 > 1, q <= e^((mu2 - 1) eps2) / (...)^mu2: hold",)
    quantity = f"data-dependent Renyi bound of order {float(order):g}"
    preconditions = (*checked, "continuous noise: rounded and integer noise have ties")
    return Diagnostic.of(quantity, value, Scope.ONE_SIDED, Adjacency.REPLACE_ONE.value, preconditions)


def theorem6(q: arb, cost: Callable[[Fraction], Fraction], order: Fraction) -> arb | None:
    """The bound, with mu2 = sqrt(ln(1 / q) / r) and mu1 = mu2 + 1, both rounded down to a grid.

    Args:
        q: at least the probability that the likeliest outcome does not come.
        cost: a data-independent Renyi cost at an order above 1; r is the cost of order 2, halved.
        order: a > 1.

    Returns:
        None where a condition fails.
    """
    if not 0 < q < 1:
        return None
    # A lower end on the grid: any orders that pass the checks are valid, so this needs no proof.
    scaled = exact_lower((-q.log() / ball(cost(Fraction(2)) / 2)).sqrt()) * _ORDER_GRID
    second = Fraction(scaled.numerator // scaled.denominator, _ORDER_GRID)
    first = second + 1
    if second <= 1 or order > first:
        return None
    mu1, mu2, a = ball(first), ball(second), ball(order)
    cost1, cost2 = ball(cost(first)), ball(cost(second))
    limit = ((mu2 - 1) * cost2).exp() / (mu1 / (mu1 - 1) * mu2 / (mu2 - 1)) ** mu2
    if not q <= limit:
        return None
    inner = (q * cost2.exp()) ** ((mu2 - 1) / mu2)
    if not inner < 1:
        return None
    likely = (1 - q) * ((1 - q) / (1 - inner)) ** (a - 1)
    unlikely = q * (cost1.exp() / q ** (1 / (mu1 - 1))) ** (a - 1)
    return (likely + unlikely).log() / (a - 1)
