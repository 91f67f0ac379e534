"""The Gaussian-DP accountant: mu^2 = sum of D^2 / sigma^2, for exactly rounded Gaussian noise and no other.

Nothing is lost: the composed curve is that of one Gaussian mechanism. It is no bound for the discrete Gaussian.

Source: Dong, Roth and Su (arXiv 1905.02383), composition of Gaussian DP; Balle and Wang 2018 (arXiv 1805.06530), the
curve. Spec: CAPC-ACCT-102.
"""

from __future__ import annotations

from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import RoundedGaussian
from capc.privacy.accountants.steps import Step, Steps


def composed_mu_squared(steps: Steps) -> Fraction:
    """The exact sum of costs.

    Raises:
        InputError: a step has another noise, or is charged jointly.
    """
    total = Fraction(0)
    for step, count in steps.items():
        if not isinstance(step, Step):
            raise InputError("a joint step has no Gaussian-DP cost: use renyi_improved")
        if not isinstance(step.noise, RoundedGaussian):
            raise InputError(
                f"{type(step.noise).__name__} noise is not bounded by the Gaussian-DP curve: use zcdp or renyi_improved"
            )
        total += count * step.noise.cost(step.sensitivity.squared)
    return total
