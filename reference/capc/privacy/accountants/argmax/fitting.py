"""Which noise labels need, and how many of them fit: by claims that are checked, not costs that are looked for.

A claim is checked faster than a cost is found, so few claims are checked, near where about the answer lies.

Spec: CAPC-ACCT-131.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from capc.privacy.accountants.argmax.cost import argmax_cost_holds
from capc.privacy.accountants.ball_arithmetic import SIGMA_GRID, first_place_near, round_down, smallest_sigma
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit

LABEL_SHARE = 0.65
"""About what a label costs of its noised counts: where a search begins, and nothing that a result depends on."""


def share_of_budget(budget: Fraction, queries: int) -> Fraction:
    """What each of so many queries may cost, in decimals of 12 digits, rounded down."""
    return round_down(budget / queries)


def smallest_label_sigma(
    noise: Callable[[Fraction], Noise], order: Fraction, unit: ProtectedUnit, claim: Fraction, epsilon: Fraction
) -> Fraction:
    """The smallest deviation, on a grid of 1/64 votes, at which a label is certified to cost at most the claim.

    Args:
        noise: on each class, for a deviation in votes.
        order: above 1.
        unit: whom the figure protects.
        claim: the cost.
        epsilon: the budget, for a message.

    Raises:
        InputError: an argument cannot be used, or no deviation up to 2^20 votes is enough.
    """
    square = LABEL_SHARE * float(order * unit.histogram.squared / (2 * claim))
    near = Fraction(max(1, round(square**0.5 * SIGMA_GRID)), SIGMA_GRID)
    return smallest_sigma(lambda sigma: argmax_cost_holds(noise(sigma), order, unit, claim), epsilon, near)


def fitting_labels(
    noise: Noise, sigma: Fraction, order: Fraction, unit: ProtectedUnit, budget: Fraction, most: int
) -> int:
    """How many labels are certified to fit a budget, each at its share of it.

    Args:
        noise: on each class.
        sigma: its deviation in votes.
        order: above 1.
        unit: whom the figure protects.
        budget: a Renyi divergence at the order.
        most: where the search ends.

    Raises:
        InputError: an argument cannot be used.
    """

    def exceeds(queries: int) -> bool:
        return not argmax_cost_holds(noise, order, unit, share_of_budget(budget, queries))

    of_counts = order * unit.histogram.squared / (2 * sigma**2)
    found = first_place_near(exceeds, max(1, int(float(budget / of_counts) / LABEL_SHARE)), most)
    return most if found is None else found - 1
