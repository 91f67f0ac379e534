"""Exact Bernoulli trials for rational probabilities, and for exp(-gamma) with rational gamma >= 0.

Spec: CAPC-NOISE-001, CAPC-NOISE-003, CAPC-NOISE-007.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource


def bernoulli(source: RandomSource, probability: Fraction) -> bool:
    """True with exactly the given probability.

    1. Draw v = below(b), where probability = a / b in lowest terms.
    2. Return v < a.

    Args:
        source: uniform bytes.
        probability: a rational from 0 to 1.

    Raises:
        InputError: the probability is outside [0, 1].
        RandomnessExhaustedError: the stream ended.
    """
    if not 0 <= probability <= 1:
        raise InputError(f"bernoulli: probability = {probability}: give a rational from 0 to 1")
    return source.below(probability.denominator) < probability.numerator


def bernoulli_exp_minus(source: RandomSource, gamma: Fraction) -> bool:
    """True with probability exactly exp(-gamma).

    1. floor(gamma) times: a trial of probability exp(-1); the first failure returns False.
    2. A trial of probability exp(-(gamma - floor(gamma))), whose result is returned.

    Each trial is the alternating series of :func:`exp_minus_by_series`, where attempt n succeeds with
    probability a / (b n) by one draw below(b n).

    Args:
        source: uniform bytes.
        gamma: a rational of at least 0.

    Raises:
        InputError: gamma is negative.
        RandomnessExhaustedError: the stream ended.

    Source: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), the sampler for Bernoulli(exp(-gamma)).
    """
    if gamma < 0:
        raise InputError(f"bernoulli_exp_minus: gamma = {gamma}: give a rational of at least 0")
    whole, remainder = divmod(gamma.numerator, gamma.denominator)
    for _ in range(whole):
        if not exp_minus_by_series(lambda n: source.below(n) < 1):
            return False
    scale = gamma.denominator
    return exp_minus_by_series(lambda n: source.below(scale * n) < remainder)


def exp_minus_by_series(attempt: Callable[[int], bool]) -> bool:
    """True with probability exp(-g), when ``attempt(n)`` succeeds with probability g / n for n = 1, 2, ...

    The attempts run until the first failure, at n say; the result is whether n is odd. P(n > m) = g^m / m!, so
    the probability of an odd n is 1 - g + g^2/2! - ..., the series of exp(-g). It needs 0 <= g <= 1.
    """
    n = 1
    while attempt(n):
        n += 1
    return n & 1 == 1
