"""Labels of numbers that wrap: exact laws in small rings, in plain floats; nothing here uses the accountants' code."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

Law = np.ndarray


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
    out = np.zeros(len(laws) + 1)
    for value in range(size):
        for index, law in enumerate(laws):
            others = 1.0
            for other, theirs in enumerate(laws):
                if other != index:
                    # Those before it must be below, those behind it may be equal.
                    others *= theirs[: value + (other > index)].sum()
            wins = law[value] * others
            out[index if threshold is None or value - size // 2 >= threshold else -1] += wins
    return out
