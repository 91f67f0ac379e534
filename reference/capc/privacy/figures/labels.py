"""Figures of labels that were planned in advance, where nothing else of the noised counts leaves.

The order is chosen by public figures: the one where a label that costs its usual share of its counts gives the least
epsilon, then again by what it was found to cost there. Every order gives a valid bound.

Spec: CAPC-ACCT-103, CAPC-ACCT-104, CAPC-ACCT-113, CAPC-ACCT-134, CAPC-ACCT-152.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import log

from capc.noise.mechanism import CostUnit
from capc.privacy.accountants.argmax.cost import Adversary, argmax_cost
from capc.privacy.accountants.argmax.fitting import about_share, share_of_budget, smallest_label_sigma
from capc.privacy.accountants.argmax.noise_table import Noise as LabelNoise
from capc.privacy.accountants.ball_arithmetic import SIGMA_GRID
from capc.privacy.accountants.conversion import budget_lower, check_delta, epsilon_upper
from capc.privacy.accountants.policies import default_order
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.methods import Method, one_drawer, planned_labels
from capc.privacy.figures.statement import PrivacyStatement

_SEARCHES = 2


def label_statement(
    noise: Noise, unit: ProtectedUnit, queries: int, delta: Fraction, order: Fraction | None = None
) -> PrivacyStatement:
    """The figure of so many labels, with one draw of noise on each class, behind a threshold or not.

    Args:
        noise: on each class.
        unit: whom the figure protects.
        queries: how many, fixed in advance.
        delta: of the figure.
        order: None looks for one.

    Raises:
        InputError: an argument is out of range, or the noise or the unit is not one of labels.
    """
    check_delta(delta)
    one = _of_one_label(noise, unit)
    if not queries:
        order, epsilon = order or ORDERS[0], Fraction(0)
    elif order is None:
        order, epsilon = _best(one, unit, queries, delta)
    else:
        epsilon = _epsilon(one, unit, queries, delta, order)
    how = f"a label's certified divergence, Renyi DP, improved conversion at order {float(order):g}"
    epsilons = (epsilon, _cheated(one, unit, queries, delta, order, epsilon))
    return planned_labels(noise, unit, delta, epsilons, Method.ARGMAX_RENYI, how)


def _cheated(
    noise: LabelNoise, unit: ProtectedUnit, queries: int, delta: Fraction, order: Fraction, own: Fraction
) -> Fraction:
    """Towards a querying party that adds to its shares: by three intervals at the same order, or by noised counts."""
    if unit.relation is not Relation.REPLACE_ONE or not queries:
        return own
    found = _epsilon(noise, unit, queries, delta, order, Adversary.CHEATING)
    if noise.unit is CostUnit.RENYI:
        return found
    return min(found, epsilon_upper(noise.unit, queries * noise.cost(unit.histogram.squared), delta))


def label_curve(noise: Noise, unit: ProtectedUnit, counts: Sequence[int], delta: Fraction) -> list[PrivacyStatement]:
    """The figures of several numbers of labels; an order that was found for one serves for down to half as many.

    Args and Raises: as of :func:`label_statement`.
    """
    found: dict[int, PrivacyStatement] = {}
    order, chosen = ORDERS[0], None
    for count in sorted(set(counts), reverse=True):
        if count and (chosen is None or 2 * count < chosen):
            order, chosen = _best(_of_one_label(noise, unit), unit, count, delta)[0], count
        found[count] = label_statement(noise, unit, count, delta, order)
    return [found[count] for count in counts]


def label_order(epsilon: Fraction, delta: Fraction) -> Fraction:
    """The order for a budget, chosen before noise or count are known.

    Raises:
        InputError: epsilon or delta is out of range, or no order of the grid leaves anything.
    """
    return default_order(epsilon, delta, whole=False)


def calibrate_label(
    noise: Callable[[Fraction], Noise], unit: ProtectedUnit, queries: int, epsilon: Fraction, delta: Fraction
) -> Fraction:
    """The smallest deviation on a grid of 1/64 votes for which so many labels keep a budget, at :func:`label_order`.

    Args:
        noise: on each class, for a deviation in votes.
        unit: whom the figure protects.
        queries: at least 1.
        epsilon: the budget, above 0.
        delta: of the budget.

    Raises:
        InputError: an argument cannot be used, or not even the largest deviation is enough.
    """
    order = label_order(epsilon, delta)
    claim = share_of_budget(budget_lower(CostUnit.RENYI, epsilon, delta, order), queries)

    def one(sigma: Fraction) -> LabelNoise:
        return _of_one_label(noise(sigma), unit)

    sigma = smallest_label_sigma(one, order, unit, claim, epsilon)
    # A claim may be certified a little below the cost that is found, and printed.
    while _epsilon(one(sigma), unit, queries, delta, order) > epsilon:
        sigma += Fraction(1, SIGMA_GRID)
    return sigma


def affordable_labels(noise: Noise, unit: ProtectedUnit, epsilon: Fraction, delta: Fraction, most: int) -> int:
    """The largest number of labels that keep a budget, at :func:`label_order`; 0 if not even one does.

    Args:
        noise: on each class.
        unit: whom the figure protects.
        epsilon: the budget, above 0.
        delta: of the budget.
        most: no more are counted.

    Raises:
        InputError: an argument cannot be used.
    """
    one, order = _of_one_label(noise, unit), label_order(epsilon, delta)
    queries = min(most, budget_lower(CostUnit.RENYI, epsilon, delta, order) // argmax_cost(one, order, unit))
    # A budget is rounded down, an epsilon up: the last of its digits may be beyond.
    return queries if not queries or _epsilon(one, unit, queries, delta, order) <= epsilon else queries - 1


def _of_one_label(noise: Noise, unit: ProtectedUnit) -> LabelNoise:
    return one_drawer(noise, unit, Method.ARGMAX_RENYI)


def _epsilon(
    noise: LabelNoise,
    unit: ProtectedUnit,
    queries: int,
    delta: Fraction,
    order: Fraction,
    adversary: Adversary = Adversary.SEMI_HONEST,
) -> Fraction:
    return epsilon_upper(CostUnit.RENYI, queries * argmax_cost(noise, order, unit, adversary), delta, order)


def _best(noise: LabelNoise, unit: ProtectedUnit, queries: int, delta: Fraction) -> tuple[Fraction, Fraction]:
    """An order and its epsilon: the best of few, since a cost takes long to find."""
    found: dict[Fraction, Fraction] = {}
    sigma, corrected = noise.sigma_votes, 1.0
    of_counts = queries * float(unit.histogram.squared / (2 * sigma**2))
    for _ in range(_SEARCHES):
        order = min(ORDERS, key=partial(_about_epsilon, sigma, unit, corrected * of_counts, float(delta)))
        if order in found:
            break
        cost = queries * argmax_cost(noise, order, unit)
        found[order] = epsilon_upper(CostUnit.RENYI, cost, delta, order)
        corrected = float(cost / order) / of_counts / about_share(order, sigma, unit)
    best = min(found, key=lambda order: found[order])
    return best, found[best]


def _about_epsilon(sigma: Fraction, unit: ProtectedUnit, of_counts: float, delta: float, order: Fraction) -> float:
    """By the conversion, where noised counts cost so many times the order."""
    a = float(order)
    cost = about_share(order, sigma, unit) * of_counts * a
    return cost + log(1 - 1 / a) - (log(delta) + log(a)) / (a - 1)
