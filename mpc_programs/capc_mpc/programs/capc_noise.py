"""Discrete Gaussian noise inside a computation: its tables, and the exact law that they give.

Integers and fractions only: every party compiles the same ones, and the distance to the exact
law is a proved bound. The programs import this file as it stands, and so does Python: no part of MP-SPDZ is needed.

The law is P(n) proportional to exp(-n^2 / (2 v)). A large deviation is put together from smaller ones,
n = sum of 2^(a_j) x_j with independent x_j of variances v_j and sum of 4^(a_j) v_j = v. Inside a sum x + 2^a y the
pairs (x, y) that give one n form a line with generator (2^a, -1), on which the joint weight is a Gaussian of variance
t = 1 / (4^a / v_x + 1 / v_y). By Poisson summation its total depends on n by a relative 2 exp(-2 pi^2 t) and smaller
terms: t >= 12/5 makes it less than 2^-67 (Micciancio and Walter, CRYPTO 2017, use the same convolution).

Each x_j is a sign bit times a magnitude: the number of thresholds T_k = P(|x| >= k) 2^76, k = 1, 2, ..., that lie
above a uniform number of 76 bits.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

UNIFORM_BITS = 76
"""Bits of the uniform number of one component."""
_PRECISION = 320
"""Bits of the fixed-point weights. Their errors stay below 2^-250 for variances up to 2^20."""
_SMOOTH = Fraction(12, 5)


class Component(NamedTuple):
    """2^shift times a discrete Gaussian of the given variance."""

    shift: int
    variance: Fraction


@lru_cache
def plan(variance: Fraction) -> tuple[Component, ...]:
    """The components of a discrete Gaussian with the fewest thresholds in all.

    Args:
        variance: above 0, in squared grid units.
    """
    best: tuple[Component, ...] = (Component(0, variance),)
    for shift in range(1, isqrt(int(variance)).bit_length()):
        most = int(4 * variance) >> 2 * shift
        for quarters in range(10, most, most // 512 + 1):
            high = Fraction(quarters, 4)
            low = variance - high * 4**shift
            if low <= 0 or 1 / (4**shift / low + 1 / high) < _SMOOTH:
                continue
            if _size((Component(0, low), Component(shift, high))) < _size(best):
                best = (Component(0, low), Component(shift, high))
    if len(best) == 1:
        return best
    lower, upper = best
    return plan(lower.variance) + tuple(
        Component(upper.shift + part.shift, part.variance) for part in plan(upper.variance)
    )


def _size(components: tuple[Component, ...]) -> int:
    """The sum of the deviations, to which the number of thresholds is proportional, in thousandths."""
    return sum(isqrt(int(component.variance * 10**6)) for component in components)


@lru_cache
def thresholds(variance: Fraction) -> tuple[int, ...]:
    """T_k = round(2^76 P(|x| >= k)) for k = 1, 2, ... up to the last that is not 0."""
    weights = _weights(variance)
    total = 2 * sum(weights) - weights[0]
    tails, tail = [], 0
    for weight in reversed(weights[1:]):
        tail += 2 * weight
        tails.append((2 * (tail << UNIFORM_BITS) + total) // (2 * total))
    return tuple(value for value in reversed(tails) if value)


def word_bits(variance: Fraction) -> int:
    """Bits of a two's complement word that holds every value of the noise."""
    return sum(len(thresholds(part.variance)) << part.shift for part in plan(variance)).bit_length() + 1


def law(variance: Fraction) -> tuple[list[int], int]:
    """What the programs sample: (numerators for n = -m ... m, denominator), exactly.

    A sign that falls on magnitude 0 changes nothing, so half of each magnitude's probability goes to either sign.
    """
    numerators, denominator = [1], 1
    for shift, part in plan(variance):
        counts = (1 << UNIFORM_BITS, *thresholds(part), 0)
        magnitudes = [above - below for above, below in pairwise(counts)]
        signed = [*reversed(magnitudes[1:]), 2 * magnitudes[0], *magnitudes[1:]]
        spread = [0] * ((len(signed) - 1 << shift) + 1)
        spread[:: 1 << shift] = signed
        numerators = _convolve(numerators, spread)
        denominator <<= UNIFORM_BITS + 1
    return numerators, denominator


def distance(variance: Fraction) -> Fraction:
    """An upper bound on the statistical distance between :func:`law` and the discrete Gaussian.

    Half the sum of differences inside the support, with the exact law's tail outside of it, and 2^-200 for what the
    fixed-point weights leave out: fewer than 2^20 errors below 2^-250, and a tail that begins below 2^-240.
    """
    numerators, denominator = law(variance)
    weights = _weights(variance)
    total = 2 * sum(weights) - weights[0]
    reach = len(numerators) // 2
    inside = sum(
        abs(count * total - (weights[abs(n)] if abs(n) < len(weights) else 0) * denominator)
        for n, count in enumerate(numerators, -reach)
    )
    outside = 2 * sum(weights[reach + 1 :]) * denominator
    return Fraction(inside + outside, 2 * total * denominator) + Fraction(1, 1 << 200)


def _weights(variance: Fraction) -> list[int]:
    """exp(-n^2 / (2 v)) 2^320 for n = 0, 1, ... until it is below 2^-240, by multiplying ratios."""
    one = 1 << _PRECISION
    ratio = _exp_minus(1 / (2 * variance))
    square = ratio * ratio >> _PRECISION
    weights, step = [one], ratio
    while weights[-1] > one >> 240:
        weights.append(weights[-1] * step >> _PRECISION)
        step = step * square >> _PRECISION
    return weights


def _exp_minus(exponent: Fraction) -> int:
    """exp(-x) 2^320 for x >= 0, from the series at x / 2^s <= 1, squared s times."""
    halvings = int(exponent).bit_length()
    x = exponent / 2**halvings
    term, total, n = 1 << _PRECISION, 0, 0
    while term:
        total += term if n % 2 == 0 else -term
        n += 1
        term = term * x.numerator // (x.denominator * n)
    for _ in range(halvings):
        total = total * total >> _PRECISION
    return total


def _convolve(left: list[int], right: list[int]) -> list[int]:
    total = [0] * (len(left) + len(right) - 1)
    places = [(place, count) for place, count in enumerate(right) if count]
    for start, factor in enumerate(left):
        for place, count in places:
            total[start + place] += factor * count
    return total
