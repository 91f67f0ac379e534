"""The Renyi accountant: a cost at every order of a fixed grid, and the best of them.

Every order gives a valid bound, so the choice of the best one needs no proof; that it was the edge of the grid is said
beside the figure, because a finer grid could then give a smaller one. Orders depend on public counts only.

Source: Mironov 2017 (arXiv 1702.07476), composition and the classic conversion; Canonne, Kamath and Steinke 2020 (arXiv
2004.00010, Proposition 12 in version 4) and Balle et al. 2020 (arXiv 1905.09982), the improved conversion; Agarwal,
Kairouz and Liu 2021 (arXiv 2110.04995), Skellam noise at integer orders.
Spec: CAPC-ACCT-103, CAPC-ACCT-104.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from flint import arb

from capc.foundation.errors import InputError
from capc.noise.mechanism import RoundedGaussian
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.noise.skellam import skellam_renyi
from capc.privacy.accountants.ball_arithmetic import LARGEST, ball, decimal_upper, exact_upper, refined, require
from capc.privacy.accountants.confident_gnmax import joint_renyi_upper
from capc.privacy.accountants.conversion import check_delta, delta_covers
from capc.privacy.accountants.steps import JointStep, Step, Steps
from capc.privacy.accountants.zcdp import shared_gaussian_rho

_FIRST_HALF = 10

ORDERS: tuple[Fraction, ...] = (
    *(1 + Fraction(n, 64) for n in range(1, 64)),
    *(Fraction(n, 16) for n in range(32, 160)),
    *(Fraction(n, 2) for n in range(2 * _FIRST_HALF, 128)),
    *(Fraction(n) for n in range(64, 128)),
    *(Fraction(1 << n) * k / 4 for n in range(7, 20) for k in range(4, 8)),
)
"""The fixed grid: fractional orders up to 10, halves up to 64, then integers up to about 10^6."""

_NEGLIGIBLE = Fraction(1, 10**60)

Conversion = Callable[[arb, arb, arb], arb]
"""(cost, order, delta) to epsilon."""


def classic_conversion(cost: arb, order: arb, delta: arb) -> arb:
    """Epsilon = cost + ln(1 / delta) / (a - 1)."""
    return cost - delta.log() / (order - 1)


@dataclass(frozen=True)
class RdpEpsilon:
    """The best of all orders.

    Attributes:
        epsilon: rounded up, at least 0.
        order: the order that gave it.
        at_edge: whether it is the first or the last of the grid.
        by_distance: whether it is 0 because delta covers the total variation distance.
    """

    epsilon: Fraction
    order: Fraction
    at_edge: bool
    by_distance: bool = False


def rdp_epsilon(steps: Steps, delta: Fraction, conversion: Conversion) -> RdpEpsilon:
    """The smallest certified epsilon over :data:`ORDERS`.

    Args:
        steps: what was done.
        delta: from 2^-512 to below 1.
        conversion: :func:`classic_conversion` or :func:`improved_conversion`.

    Raises:
        InputError: delta or the total cost is out of range, or a noise has no Renyi cost.
    """
    check_delta(delta)

    def epsilon_of(index: int, cost: Callable[[Steps, Fraction], Fraction]) -> Fraction:
        order = ORDERS[index]
        total = cost(steps, order)
        if total > LARGEST:
            # Out of range at this order; another may do, and if none does the result is refused.
            return 2 * total
        return exact_upper(refined(lambda: conversion(ball(total), ball(order), ball(delta)), _NEGLIGIBLE))

    if not any(steps.values()):
        return RdpEpsilon(Fraction(0), ORDERS[0], at_edge=False)
    if delta_covers(separate_cost(steps, ORDERS[0]), delta):
        return RdpEpsilon(Fraction(0), ORDERS[0], at_edge=False, by_distance=True)
    separate = [epsilon_of(index, separate_cost) for index in range(len(ORDERS))]
    best = min(range(len(ORDERS)), key=lambda index: separate[index])
    epsilon = separate[best]
    if any(isinstance(step, JointStep) for step in steps):
        best, epsilon = _best_joint(separate, lambda index: epsilon_of(index, rdp_cost))
    require(epsilon <= LARGEST, "epsilon", epsilon, "give fewer queries or more noise")
    edge = best in {0, len(ORDERS) - 1} and epsilon > 0
    return RdpEpsilon(decimal_upper(ball(max(epsilon, Fraction(0)))), ORDERS[best], edge)


def _best_joint(separate: Sequence[Fraction], epsilon_of: Callable[[int], Fraction]) -> tuple[int, Fraction]:
    """The best of some orders at the joint cost, which takes longer, from where the separate one is best.

    Bounds of joint costs are not quite smooth in the order, and halves of orders are close to each other: a search over
    them could end at once. So it goes over the other orders first, and then looks beside the best.
    """
    others = [index for index, order in enumerate(ORDERS) if order < _FIRST_HALF or order.denominator == 1]
    start = min(range(len(others)), key=lambda place: separate[others[place]])
    found = {others[start]: epsilon_of(others[start])}
    for direction in (-1, 1):
        last, place = others[start], start + direction
        while 0 <= place < len(others):
            found[others[place]] = epsilon_of(others[place])
            if found[others[place]] >= found[last]:
                break
            last, place = others[place], place + direction
    best = min(found, key=lambda index: found[index])
    for index in (best - 1, best + 1, min(range(len(ORDERS)), key=lambda index: separate[index])):
        if 0 <= index < len(ORDERS) and index not in found:
            found[index] = epsilon_of(index)
    best = min(found, key=lambda index: found[index])
    return best, found[best]


def rdp_cost(steps: Steps, order: Fraction) -> Fraction:
    """An upper bound of the composed Renyi divergence at one order above 1; joint steps at their joint cost."""
    return sum((count * _cost(step, order) for step, count in steps.items()), Fraction(0))


def separate_cost(steps: Steps, order: Fraction) -> Fraction:
    """As :func:`rdp_cost`, with the two parts of a joint step charged one by one: never less."""
    total = Fraction(0)
    for step, count in steps.items():
        parts = (step.check, step.answer) if isinstance(step, JointStep) else (step,)
        total += count * sum((_step_cost(part, order) for part in parts), Fraction(0))
    return total


@lru_cache(maxsize=4096)
def _cost(step: Step | JointStep, order: Fraction) -> Fraction:
    if isinstance(step, Step):
        return _step_cost(step, order)
    check, answer = step.check, step.answer
    if not isinstance(check.noise, RoundedGaussian):
        raise InputError(
            "the joint cost is known for rounded_gaussian threshold noise only: charge the parts separately"
        )
    return joint_renyi_upper(order, check.noise.cost(check.sensitivity.squared), _step_cost(answer, order))


@lru_cache(maxsize=4096)
def _step_cost(step: Step, order: Fraction) -> Fraction:
    noise = step.noise
    if not isinstance(noise, SharedNoise):
        return noise.rdp_cost(order, step.sensitivity)
    if isinstance(noise.share, DiscreteGaussianShare):
        return order * shared_gaussian_rho(step, noise)
    # Skellam noise is closed under sums.
    unit = 1 << noise.grid_bits
    squared, absolute = step.sensitivity.squared * unit**2, step.sensitivity.absolute * unit
    return skellam_renyi(order, noise.variance_votes * unit**2, squared, absolute)
