"""The oracle of the second derivation of section 12 (spec/derivations): it shares nothing with the package.

Laws of labels are sums over all draws of all classes, adaptive choices are tried one by one, and the families are
written down again from the section's text.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

import mpmath
import numpy as np

KINDS = ("rounded", "discrete", "skellam")
LONG, SHORT = 34, 10
"""Reaches of laws of one count, and of laws that are summed over all draws of all classes."""


@lru_cache(maxsize=64)
def masses(kind: str, sigma: Fraction, reach: int = LONG) -> np.ndarray:
    """P[Z = z] for z = -reach .. reach, of 40 digits and then a double; tails are their own numbers, no differences."""
    with mpmath.workdps(40):
        s = mpmath.mpf(sigma.numerator) / sigma.denominator
        if kind == "rounded":
            beyond = [mpmath.erfc((z - mpmath.mpf(1) / 2) / (s * mpmath.sqrt(2))) / 2 for z in range(reach + 2)]
            half = [x - y for x, y in pairwise(beyond)]
        elif kind == "discrete":
            weights = [mpmath.exp(-z * z / (2 * s * s)) for z in range(20 * reach)]
            half = [weight / (2 * sum(weights) - 1) for weight in weights[: reach + 1]]
        else:
            half = [mpmath.exp(-s * s) * mpmath.besseli(z, s * s) for z in range(reach + 1)]
        return np.array([float(x) for x in (*half[:0:-1], *half)])


def at_most(v: np.ndarray, x: int | np.ndarray) -> np.ndarray:
    """F(x) = P[Z <= x]; by symmetry also P[Z >= -x]. Small numbers are sums of small numbers."""
    reach = len(v) // 2
    padded = np.concatenate([[0.0], np.cumsum(v)])
    return padded[np.clip(np.asarray(x) + reach + 1, 0, 2 * reach + 1)]


# Labels of histograms, by all draws of all classes.


def label_law(counts: tuple[int, ...], v: np.ndarray, threshold: int | None, ring: int | None = None) -> np.ndarray:
    """The law of the label, the last outcome being "no consensus"; counts wrap if a ring is given."""
    reach, classes = len(v) // 2, len(counts)
    best, winner, weight = np.array(-(10**6)), np.array(classes), np.array(1.0)
    for place, count in enumerate(counts):
        shape = tuple(-1 if axis == place else 1 for axis in range(classes))
        noised = (count + np.arange(-reach, reach + 1)).reshape(shape)
        if ring is not None:
            noised = (noised + ring // 2) % ring - ring // 2
        winner = np.where(noised > best, place, winner)
        best, weight = np.maximum(best, noised), weight * v.reshape(shape)
    if threshold is not None:
        winner = np.where(best >= threshold, winner, classes)
    return np.bincount(winner.ravel(), weights=weight.ravel(), minlength=classes + 1)


def divergence(p: np.ndarray, q: np.ndarray, order: float) -> np.ndarray:
    """ln S / (a - 1) over the last axis; outcomes that neither law has are none."""
    y = np.divide(p, q, out=np.ones_like(p), where=q > 0)
    return np.log((q * y**order).sum(axis=-1)) / (order - 1)


# The families as section 12 states them.


def three(v: np.ndarray, u: int, w: int, tau: int) -> tuple[float, float, float]:
    """P_i, P_j, P_x at the means (u, w) of (X, Y); j by the formula of i with names and ties exchanged."""
    z = np.arange(-(len(v) // 2), len(v) // 2 + 1)
    i = (v * at_most(v, z + u - w - tau))[z >= -u].sum()
    j = (v * at_most(v, z + w - u - 1 + tau))[z >= -w].sum()
    return float(i), float(j), float(at_most(v, -1 - u) * at_most(v, -1 - w))


def two(v: np.ndarray, u: int) -> tuple[float, float, float]:
    return float(at_most(v, u)), float(at_most(v, -1 - u)), 0.0


def pairs(v: np.ndarray, shift: int, far: int) -> tuple[np.ndarray, np.ndarray]:
    """Both tie orders, all means up to a distance."""
    grid = list(product((0, 1), range(-far, far + 1), range(-far, far + 1)))
    p = [three(v, a + shift, b, tau) for tau, a, b in grid]
    return np.array(p), np.array([three(v, a, b + shift, tau) for tau, a, b in grid])


def thresholds(v: np.ndarray, shift: int, far: int) -> tuple[np.ndarray, np.ndarray]:
    reach = range(-far - shift, far + 1)
    return np.array([two(v, u + shift) for u in reach]), np.array([two(v, u) for u in reach])


@lru_cache(maxsize=64)
def family(
    kind: str, sigma: Fraction, shift: int, moves: bool, far: int, ways: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(P, Q) of the worst-case family with its limits, in one direction, or in both."""
    v = masses(kind, sigma)
    found = [thresholds(v, shift, far)]
    if moves:
        found += [pairs(v, shift, far), thresholds(np.convolve(v, v), 2 * shift, 2 * far)]
    p, q = (np.concatenate(part) for part in zip(*found, strict=True))
    return (p, q) if ways == 1 else (np.concatenate([p, q]), np.concatenate([q, p]))


@lru_cache(maxsize=256)
def worst(kind: str, sigma: Fraction, shift: int, moves: bool, order: float) -> float:
    return float(divergence(*family(kind, sigma, shift, moves, 8), order).max())


def hockey_stick(p: np.ndarray, q: np.ndarray, epsilon: float) -> np.ndarray:
    return np.maximum(p - math.exp(epsilon) * q, 0).sum(axis=-1)


# Composition: the recursion by trying every adaptive choice.


def value(laws: tuple[np.ndarray, np.ndarray], labels: int, z: np.ndarray) -> np.ndarray:
    """W_labels(z): for every history the best next law, or to stop. No interpolation, no symmetry, no convexity."""
    stop = np.maximum(z - 1, 0)
    if labels == 0:
        return stop
    p, q = laws
    found = np.empty_like(z)
    for start in range(0, len(z), 1024):
        part = z[start : start + 1024, None, None]
        if labels == 1:
            sums = np.maximum(part * p - q, 0).sum(axis=-1)
        else:
            after = value(laws, labels - 1, (part * np.divide(p, q, out=np.zeros_like(p), where=q > 0)).ravel())
            sums = (q * after.reshape(len(part), *p.shape)).sum(axis=-1)
        found[start : start + 1024] = sums.max(axis=-1)
    return np.maximum(found, stop)


def delta_of(laws: tuple[np.ndarray, np.ndarray], labels: int, epsilon: float) -> float:
    return float(math.exp(epsilon) * value(laws, labels, np.array([math.exp(-epsilon)]))[0])
