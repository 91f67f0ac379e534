"""The exactly rounded Gaussian: round(sigma X) for a standard normal X, from integers and rationals only.

A floating-point Gaussian has a support with gaps, from which the exact vote can be read off (Mironov 2012). Here X
is sampled exactly, as a real number whose digits are drawn until its rounding is certain.

Spec: CAPC-NOISE-001, CAPC-NOISE-003, CAPC-NOISE-009.
"""

from __future__ import annotations

from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc.noise.bernoulli import bernoulli_exp_minus, exp_minus_by_series
from capc.noise.lazy_uniform import LazyUniform, bernoulli_uniform

_HALF = Fraction(1, 2)


def round_gaussian(source: RandomSource, sigma: Fraction) -> int:
    """The integer nearest to sigma X, where X is standard normal.

    Its law is P(n) = Phi((n + 1/2) / sigma) - Phi((n - 1/2) / sigma).

    1. Sample |X| = k + x exactly (:func:`_half_normal`): an integer k and a lazy fraction x.
    2. Draw the sign: one coin, 1 is negative.
    3. Take digits of x (0, 1, 2, ... of them) until all of sigma (k + x) in the interval rounds to one integer m.
    4. Return m with the sign. A tie has probability 0, so its rule does not matter.

    Args:
        source: uniform bytes.
        sigma: the standard deviation in grid units, above 0.

    Returns:
        The noise in grid units.

    Raises:
        InputError: sigma is not above 0.
        RandomnessExhaustedError: the stream ended.

    Source: Karney 2016, "Sampling exactly from the normal distribution", Algorithm N.
    """
    if sigma <= 0:
        raise InputError(f"round_gaussian: sigma = {sigma}: give a deviation above 0 grid units")
    k, x = _half_normal(source)
    negative = source.bits(1) == 1
    magnitude = _nearest(k, x, sigma)
    return -magnitude if negative else magnitude


def _half_normal(source: RandomSource) -> tuple[int, LazyUniform]:
    """(k, x) with k + x = |X|, X standard normal.

    1. k = the number of successes of trials of probability exp(-1/2) before the first failure.
    2. Accept k with probability exp(-k (k - 1) / 2); otherwise return to 1.
    3. x = a new lazy uniform number.
    4. k + 1 times: accept with probability exp(-x (2k + x) / (2k + 2)); on the first failure return to 1.

    The accepted density is proportional to exp(-k/2 - k(k-1)/2 - x(2k+x)/2) = exp(-(k + x)^2 / 2).
    """
    while True:
        k = 0
        while bernoulli_exp_minus(source, _HALF):
            k += 1
        if not bernoulli_exp_minus(source, Fraction(k * (k - 1) // 2)):
            continue
        x = LazyUniform(source)
        if _accept(source, k, x):
            return k, x


def _accept(source: RandomSource, k: int, x: LazyUniform) -> bool:
    return all(exp_minus_by_series(lambda n: _attempt(source, k, x, n)) for _ in range(k + 1))


def _attempt(source: RandomSource, k: int, x: LazyUniform, n: int) -> bool:
    """True with probability g / n for g = x (2k + x) / (2k + 2), as three independent conditions.

    1. below(n) is 0: probability 1 / n.
    2. A fresh uniform number is below x: probability x.
    3. c = below(2k + 2): c < 2k succeeds, c = 2k + 1 fails, and c = 2k asks for a second fresh uniform number
       below x: probability (2k + x) / (2k + 2).
    """
    if source.below(n) != 0:
        return False
    if not bernoulli_uniform(source, x):
        return False
    choice = source.below(2 * k + 2)
    if choice == 2 * k:
        return bernoulli_uniform(source, x)
    return choice < 2 * k


def _nearest(k: int, x: LazyUniform, sigma: Fraction) -> int:
    count = 0
    while True:
        prefix, bits = x.interval(count)
        # sigma (k + x) + 1/2 lies in [low / scale, high / scale), and its floor is the nearest integer.
        scale = 2 * sigma.denominator << bits
        half = sigma.denominator << bits
        low = 2 * sigma.numerator * ((k << bits) + prefix) + half
        high = low + 2 * sigma.numerator
        if low // scale == (high - 1) // scale:
            return low // scale
        count += 1
