"""Poisson and Skellam noise, sampled exactly from integers.

A Skellam number is the difference of two independent Poisson numbers of the same mean. Sums of independent Skellam
numbers are Skellam again, so shares of several parties add up to noise of the same law.

Spec: CAPC-NOISE-005, CAPC-NOISE-003, CAPC-NOISE-011, CAPC-ACCT-103.
"""

from __future__ import annotations

from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource


def poisson(source: RandomSource, mean: Fraction) -> int:
    """One integer n >= 0 with probability exp(-mean) mean^n / n!.

    1. M = ceil(2 mean), so that the mean is a sum of M equal parts q = mean / M of at most 1/2.
    2. M times, add one draw of mean q (:func:`_small_poisson`).

    The number of draws grows in proportion to the mean.

    Args:
        source: uniform bytes.
        mean: a rational above 0.

    Raises:
        InputError: the mean is not above 0.
        RandomnessExhaustedError: the stream ended.

    Source: Poisson numbers add up (their means do too); rejection as in Devroye 1986, Non-Uniform Random Variate
        Generation, chapter II.3.
    """
    if mean <= 0:
        raise InputError(f"poisson: mean = {mean}: give a mean above 0")
    parts = -(-2 * mean.numerator // mean.denominator)
    twice = 2 * Fraction(mean, parts)
    return sum(_small_poisson(source, twice) for _ in range(parts))


def _small_poisson(source: RandomSource, twice: Fraction) -> int:
    """A Poisson number of mean q <= 1/2, where ``twice`` = 2 q = a / b in lowest terms.

    1. n = the number of coins that show 1 before the first 0: probability 2^-(n + 1).
    2. For i = 1 .. n: below(b i) must be below a; otherwise return to 1.

    Step 2 accepts n with probability (2 q)^n / n!, so an accepted n has probability proportional to q^n / n!.
    """
    while True:
        n = 0
        while source.bits(1) == 1:
            n += 1
        if all(source.below(twice.denominator * i) < twice.numerator for i in range(1, n + 1)):
            return n


def skellam(source: RandomSource, variance: Fraction) -> int:
    """One integer of the symmetric Skellam law: X - Y with X and Y Poisson of mean variance / 2.

    1. Draw X, then Y (:func:`poisson`).
    2. Return X - Y.

    Args:
        source: uniform bytes.
        variance: in squared grid units, a rational above 0.

    Returns:
        The noise in grid units.

    Raises:
        InputError: the variance is not above 0.
        RandomnessExhaustedError: the stream ended.

    Source: Agarwal, Kairouz and Liu 2021 (arXiv 2110.04995), who use this law as noise.
    """
    if variance <= 0:
        raise InputError(f"skellam: variance = {variance}: give a variance above 0")
    half = Fraction(variance, 2)
    first = poisson(source, half)
    return first - poisson(source, half)


def skellam_renyi(order: Fraction, variance: Fraction, squared: Fraction, absolute: Fraction) -> Fraction:
    """An upper bound of the Renyi divergence of Skellam noise, everything in grid units.

    a D2^2 / (2 v) + min(((2a - 1) D2^2 + 6 D1) / (4 v^2), 3 D1 / (2 v)). The bound is for integer orders. Renyi
    divergence grows with the order, so the next integer bounds a fraction.

    Args:
        order: a > 1.
        variance: v.
        squared: D2^2, the squared Euclidean distance of the shift, which is integral.
        absolute: D1, its L1 distance.

    Source: Agarwal, Kairouz and Liu 2021 (arXiv 2110.04995).
    """
    a = -(-order.numerator // order.denominator)
    many = Fraction((2 * a - 1) * squared + 6 * absolute, 4 * variance**2)
    few = Fraction(3 * absolute, 2 * variance)
    return Fraction(a * squared, 2 * variance) + min(many, few)
