"""Labels of numbers that wrap: exact laws in small rings, in plain floats; nothing here uses the accountants' code."""

from __future__ import annotations

from functools import lru_cache
from math import erfc, sqrt

import numpy as np

Law = np.ndarray


@lru_cache(maxsize=4096)
def ring_law(sigma: float, mean: int, size: int) -> Law:
    """Of (mean + rounded Gaussian) mod size, by signed representatives from -size / 2 on."""
    law = np.zeros(size)
    reach = int(12 * sigma) + 2
    for z in range(-reach, reach + 1):
        above = [erfc((z + half) / (sigma * sqrt(2))) / 2 for half in (-0.5, 0.5)]
        law[(mean + z + size // 2) % size] += above[0] - above[1]
    return law


def label_law(laws: list[Law], threshold: int | None) -> Law:
    """Of the first largest of independent numbers; the last entry is that none reaches the threshold."""
    size = len(laws[0])
    below = [np.concatenate([[0.0], np.cumsum(law)]) for law in laws]
    passes = np.ones(size, bool) if threshold is None else np.arange(size) - size // 2 >= threshold
    out = np.zeros(len(laws) + 1)
    for index, law in enumerate(laws):
        wins = law.copy()
        for other, theirs in enumerate(below):
            if other != index:
                # Those before it must be below, those behind it may be equal.
                wins *= theirs[1:] if other > index else theirs[:-1]
        out[index] = wins[passes].sum()
        out[-1] += wins[~passes].sum()
    return out
