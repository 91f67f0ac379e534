"""The discrete Gaussian: P(n) proportional to exp(-n^2 / (2 sigma^2)) on the integers, sampled exactly.

It is the law for noise that is added in shares or inside secure computation, where rounding a real number is not
available. Its cost is zero-concentrated DP; the Gaussian-DP curve does not bound it.

Spec: CAPC-NOISE-002, CAPC-NOISE-003, CAPC-NOISE-010.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc.noise.bernoulli import bernoulli_exp_minus


def discrete_gaussian(source: RandomSource, variance: Fraction) -> int:
    """One integer n with probability proportional to exp(-n^2 / (2 variance)).

    1. t = floor(sqrt(variance)) + 1.
    2. y = a discrete Laplace number of scale t (:func:`discrete_laplace`).
    3. Accept y with probability exp(-(|y| - variance / t)^2 / (2 variance)); otherwise return to 2.

    Args:
        source: uniform bytes.
        variance: sigma^2 in squared grid units, a rational above 0. (The variance of the result is a little
            smaller when sigma is below about 1.)

    Returns:
        The noise in grid units.

    Raises:
        InputError: the variance is not above 0.
        RandomnessExhaustedError: the stream ended.

    Source: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), the sampler for the discrete Gaussian.
    """
    if variance <= 0:
        raise InputError(f"discrete_gaussian: variance = {variance}: give a variance above 0")
    t = isqrt(variance.numerator // variance.denominator) + 1
    while True:
        y = discrete_laplace(source, t)
        distance = abs(y) - Fraction(variance, t)
        if bernoulli_exp_minus(source, Fraction(distance * distance, 2 * variance)):
            return y


def discrete_laplace(source: RandomSource, scale: int) -> int:
    """One integer n with probability proportional to exp(-|n| / scale).

    1. u = below(scale); accept it with probability exp(-u / scale), otherwise draw again.
    2. v = the number of successes of trials of probability exp(-1) before the first failure.
    3. m = u + scale v. Draw the sign: one coin, 1 is negative.
    4. If the sign is negative and m is 0, return to 1 (0 would count twice); otherwise return m with the sign.

    Args:
        source: uniform bytes.
        scale: an integer of at least 1.

    Raises:
        InputError: the scale is below 1.
        RandomnessExhaustedError: the stream ended.

    Source: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), the sampler for the discrete Laplace law.
    """
    if scale < 1:
        raise InputError(f"discrete_laplace: scale = {scale}: give an integer of at least 1")
    while True:
        u = source.below(scale)
        if not bernoulli_exp_minus(source, Fraction(u, scale)):
            continue
        v = 0
        while bernoulli_exp_minus(source, Fraction(1)):
            v += 1
        magnitude = u + scale * v
        negative = source.bits(1) == 1
        if not (negative and magnitude == 0):
            return -magnitude if negative else magnitude
