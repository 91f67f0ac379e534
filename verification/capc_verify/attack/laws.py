"""Exact laws of a label in floats, by sums over the vote ring; nothing here uses code of samplers or accountants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erfc, lgamma, log, sqrt

import numpy as np
from numpy.typing import NDArray

from capc.session.parameters import NoiseName

Law = NDArray[np.float64]
_DEVIATIONS = 14
"""Beyond, noise is left out: about 10^-44 of it."""


@dataclass(frozen=True)
class NoisyRelease:
    """What the law of a label depends on, besides the counts.

    Attributes:
        noise: the name of the law.
        sigma: its deviation in grid units.
        vote_bits: w.
        threshold: T in grid units, or None.
        check_sigma: the deviation of a check with draws of its own, or None.
    """

    noise: NoiseName
    sigma: float
    vote_bits: int
    threshold: int | None
    check_sigma: float | None

    def law(self, counts: Sequence[int]) -> Law:
        """P[label] of each class, then P[no consensus].

        Args:
            counts: in grid units, offsets of a cheat included.
        """
        words = [self._word(count, self.sigma) for count in counts]
        passes = np.ones(1 << self.vote_bits, dtype=bool)
        if self.threshold is not None and self.check_sigma is None:
            passes = self._reaching(self.threshold)
        below = [np.concatenate([[0.0], np.cumsum(word)]) for word in words]
        labels = []
        for index, word in enumerate(words):
            wins = word.copy()
            for other, theirs in enumerate(below):
                if other != index:
                    # Those before it must be below, those behind it may be equal.
                    wins *= theirs[1:] if other > index else theirs[:-1]
            labels.append(float(wins[passes].sum()))
        if self.threshold is not None and self.check_sigma is not None:
            low = ~self._reaching(self.threshold)
            answered = 1 - float(np.prod([self._word(count, self.check_sigma)[low].sum() for count in counts]))
            labels = [answered * entry for entry in labels]
        return np.array([*labels, max(0.0, 1 - sum(labels))])

    def _word(self, mean: int, sigma: float) -> Law:
        """Of mean + noise mod 2^w, by signed numbers from -2^(w-1) on."""
        size = 1 << self.vote_bits
        masses = noise_law(self.noise, sigma)
        found = np.zeros(size)
        np.add.at(found, (np.arange(len(masses)) - len(masses) // 2 + mean + size // 2) % size, masses)
        return found

    def _reaching(self, threshold: int) -> NDArray[np.bool_]:
        size = 1 << self.vote_bits
        return np.arange(size) - size // 2 >= threshold


def noise_law(noise: NoiseName, sigma: float) -> Law:
    """P[Z = -R], ..., P[Z = R] of one draw, in grid units."""
    reach = ceil(_DEVIATIONS * sigma) + 2
    if noise is NoiseName.SKELLAM:
        half = sigma * sigma / 2
        reach += 30
        poisson = np.exp([n * log(half) - half - lgamma(n + 1) for n in range(ceil(half) + 2 * reach)])
        both = np.convolve(poisson, poisson[::-1])
        return np.asarray(both[len(both) // 2 - reach : len(both) // 2 + reach + 1])
    values = range(-reach, reach + 1)
    if noise is NoiseName.DISCRETE_GAUSSIAN:
        weights = np.exp([-(z * z) / (2 * sigma * sigma) for z in values])
        return np.asarray(weights / weights.sum())
    return np.array([_above(abs(z) - 0.5, sigma) - _above(abs(z) + 0.5, sigma) for z in values])


def _above(x: float, sigma: float) -> float:
    return erfc(x / (sigma * sqrt(2))) / 2
