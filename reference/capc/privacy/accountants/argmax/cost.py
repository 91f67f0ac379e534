"""The Renyi cost of one released label, certified.

Spec: CAPC-ACCT-121.
"""

from __future__ import annotations

from fractions import Fraction

from capc.privacy.accountants.ball_arithmetic import round_up
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit


def argmax_cost(noise: Noise, order: Fraction, unit: ProtectedUnit) -> Fraction:
    """A certified upper bound of a label's Renyi divergence at an order, in decimals of 12 digits.

    Args:
        noise: on each class's votes; one draw per class.
        order: above 1.
        unit: whom the figure protects: one vote of any weight that is on the noise's grid.

    Raises:
        InputError: the order, the unit or the noise cannot be used.
    """
    return round_up(noise.rdp_cost(order, unit.histogram))  # type: ignore[union-attr]


def argmax_cost_holds(noise: Noise, order: Fraction, unit: ProtectedUnit, claim: Fraction) -> bool:
    """Whether it is certified that a label costs at most the claim.

    Args and Raises: as :func:`argmax_cost`.
    """
    return claim >= argmax_cost(noise, order, unit)
