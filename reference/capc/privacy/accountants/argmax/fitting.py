"""Which noise labels need, and how many of them fit: by claims that are checked, not costs that are looked for.

A claim is checked faster than a cost is found, so few claims are checked, near where about the answer lies.

Spec: CAPC-ACCT-131.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from capc.privacy.accountants.argmax.cost import argmax_cost_holds
from capc.privacy.accountants.argmax.noise_table import Noise
from capc.privacy.accountants.ball_arithmetic import SIGMA_GRID, first_place_near, round_down, smallest_sigma
from capc.privacy.accountants.unit import ProtectedUnit

_ROUNDS = 20


def about_share(order: Fraction, sigma: Fraction, unit: ProtectedUnit) -> float:
    """About what a label costs of its noised counts: where a search begins, and nothing that a result depends on.

    For little order and much noise 2 / pi, and what the family of three outcomes adds; found by comparison.

    Args:
        order: above 1.
        sigma: the noise's deviation in votes.
        unit: whom the figure protects.
    """
    return min(1.0, 0.641 + float(order**2 * unit.histogram.squared / sigma**2) / 120)


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
    of_counts = float(order * unit.histogram.squared / (2 * claim)) ** 0.5
    near = Fraction(1)
    for _ in range(_ROUNDS):
        guess = about_share(order, near, unit) ** 0.5 * of_counts
        near = Fraction(max(1, round(guess * SIGMA_GRID)), SIGMA_GRID)
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
    guess = float(budget / of_counts) / about_share(order, sigma, unit)
    found = first_place_near(exceeds, max(1, int(guess) + 1), most)
    return most if found is None else found - 1
