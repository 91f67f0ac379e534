"""Exact laws of one label, summed up outcome by outcome in plain floats; nothing here uses the accountants' code."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import numpy as np

Law = np.ndarray
Pair = tuple[Law, Law]


def gaussian_masses(sigma: float, reach: int) -> np.ndarray:
    """P[Z = -reach .. reach] of a Gaussian of that deviation in grid units, rounded."""

    def above(x: float) -> float:
        return math.erfc(x / sigma / math.sqrt(2)) / 2

    half = [above(abs(z) - 0.5) - above(abs(z) + 0.5) if z else 1 - 2 * above(0.5) for z in range(reach + 1)]
    return np.array([*half[:0:-1], *half])


def discrete_gaussian_masses(sigma: float, reach: int) -> np.ndarray:
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def law(masses: np.ndarray, a: int, b: int, tie: int) -> Law:
    """Of the outcomes i, j and none, from all pairs of draws."""
    reach = len(masses) // 2
    r, s = a + np.arange(-reach, reach + 1)[:, None], b + np.arange(-reach, reach + 1)[None, :]
    joint = masses[:, None] * masses[None, :]
    first = (r >= 0) & (r >= s + tie)
    second = (s >= 0) & ~first
    return np.array([joint[first].sum(), joint[second].sum(), joint[(r < 0) & (s < 0)].sum()])


@lru_cache(maxsize=8)
def family(kind: str, sigma: float, shift: int, far: int, *, moves: bool) -> tuple[np.ndarray, np.ndarray]:
    """(P, Q) of all points with |A|, |B| <= far: arrays of shape (points, outcomes)."""
    reach = math.ceil(9 * sigma) + 1
    masses = {"rounded": gaussian_masses, "discrete": discrete_gaussian_masses}[kind](sigma, reach)
    if not moves:
        below = np.array(
            [masses[: max(0, min(x + reach + 1, 2 * reach + 1))].sum() for x in range(-far, far + shift + 1)]
        )
        p, q = below[shift:], below[: len(below) - shift]
        return np.stack([p, 1 - p], axis=1), np.stack([q, 1 - q], axis=1)
    laws = {
        (a, b, tie): law(masses, a, b, tie)
        for a, b in product(range(-far, far + shift + 1), repeat=2)
        for tie in (0, 1)
    }
    points = [(a, b, tie) for a, b in product(range(-far, far + 1), repeat=2) for tie in (0, 1)]
    return (
        np.array([laws[a + shift, b, tie] for a, b, tie in points]),
        np.array([laws[a, b + shift, tie] for a, b, tie in points]),
    )


def functional(p: np.ndarray, q: np.ndarray, z: float, function: object) -> np.ndarray:
    """Sum over outcomes of q W(z p / q), for each law; outcomes that are next to impossible are left out."""
    common = (q > 1e-13) & (p > 1e-13)
    ratio = np.where(common, p, 1.0) / np.where(common, q, 1.0)
    return np.where(common, q * function(z * ratio), 0.0).sum(axis=-1)  # type: ignore[operator]


def hockey_stick(p: np.ndarray, q: np.ndarray, epsilon: float) -> np.ndarray:
    return np.maximum(p - math.exp(epsilon) * q, 0).sum(axis=-1)


def gaussian_delta(mu: float, epsilon: float) -> float:
    def cdf(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    return cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * cdf(-mu / 2 - epsilon / mu)
