"""The zCDP accountant: rho, with the correction for sums of discrete-Gaussian shares.

Source: Bun and Steinke 2016 (arXiv 1605.02065), composition; Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), the
discrete Gaussian; Kairouz, Liu and Steinke 2021 (arXiv 2102.06387, Proposition 14), sums of shares.
Spec: CAPC-ACCT-103, CAPC-ACCT-105.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from flint import arb

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.accountants.ball_arithmetic import ball, decimal_upper, refined
from capc.privacy.accountants.steps import Step, Steps

_NEGLIGIBLE = Fraction(1, 10**40)


def zcdp_rho(steps: Steps) -> Fraction:
    """The sum of costs; exact rationals where the cost is one, otherwise rounded up to 12 digits.

    Raises:
        InputError: a step's noise has no zCDP cost, or the step is charged jointly.
    """
    return sum((count * _rho(step) for step, count in steps.items()), Fraction(0))


def share_correction(noise: SharedNoise) -> arb:
    """Tau: how far a sum of n discrete Gaussians is from one discrete Gaussian, for one noised number.

    tau = 10 sum_{k=1}^{n-1} exp(-2 pi^2 v^2 k / (k + 1)), with the share's deviation v in grid units. It bounds the
    largest difference of the logarithms of the two laws.

    Args:
        noise: shares of a discrete Gaussian; only those that count are summed.
    """
    share = ball(noise.share.sigma_votes * (1 << noise.grid_bits))
    rate = 2 * (arb.pi() * share) ** 2
    terms = ((-rate * ball(Fraction(k, k + 1))).exp() for k in range(1, noise.counted))
    return 10 * sum(terms, arb(0))


@lru_cache(maxsize=256)
def shared_gaussian_rho(step: Step, noise: SharedNoise) -> Fraction:
    """Of a vector with a sum of discrete-Gaussian shares on each of its d entries that can differ.

    min(s^2 / 2 + tau d, (s + tau sqrt(d))^2 / 2) for s = D / (v sqrt(n)). Entries that do not differ have the same law
    under both neighbours, so only d entries count.
    """

    def formula() -> arb:
        scale = ball(step.sensitivity.squared / noise.variance_votes).sqrt()
        tau, changed = share_correction(noise), step.sensitivity.changed
        first = scale * scale / 2 + tau * changed
        second = (scale + tau * ball(changed).sqrt()) ** 2 / 2
        return first.min(second)

    return decimal_upper(refined(formula, _NEGLIGIBLE))


def _rho(step: object) -> Fraction:
    if not isinstance(step, Step):
        raise InputError("a joint step has no zCDP cost: use renyi_improved")
    noise = step.noise
    if isinstance(noise, RoundedGaussian | DiscreteGaussian):
        # mu-Gaussian DP is mu^2 / 2 zCDP.
        return noise.cost(step.sensitivity.squared) / (2 if isinstance(noise, RoundedGaussian) else 1)
    if isinstance(noise, SharedNoise) and isinstance(noise.share, DiscreteGaussianShare):
        return shared_gaussian_rho(step, noise)
    raise InputError("Skellam noise has no zCDP cost here: use renyi_improved")
