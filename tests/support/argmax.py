"""The noisy argmax by enumeration: all neighbouring histograms, and the law of the label by summation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from scipy.special import ndtr

from capc.session.parameters import Adjacency

Histogram = tuple[int, ...]


def neighbours(histogram: Histogram, adjacency: Adjacency) -> Iterator[Histogram]:
    """All histograms after one party's vote moves, or becomes zero."""
    for gone, votes in enumerate(histogram):
        without = tuple(count - (label == gone) for label, count in enumerate(histogram))
        if votes and adjacency is Adjacency.NULL_VOTE:
            yield without
        elif votes:
            for to in set(range(len(histogram))) - {gone}:
                yield tuple(count + (label == to) for label, count in enumerate(without))


def neighbouring_pairs(parties: int, classes: int, adjacency: Adjacency) -> list[tuple[Histogram, Histogram]]:
    """Each histogram of that many votes with each neighbour, in both directions."""
    full = [h for h in product(range(parties + 1), repeat=classes) if sum(h) == parties]
    pairs = [(h, neighbour) for h in full for neighbour in neighbours(h, adjacency)]
    return pairs + [(neighbour, h) for h, neighbour in pairs]


def argmax_law(histogram: Histogram, law: np.ndarray, grid_bits: int = 0) -> np.ndarray:
    """P(label) of the lowest index among the largest noised counts; ``law`` is that of one draw, for -R .. R."""
    counts = np.zeros((len(histogram), len(law) + (max(histogram) << grid_bits)))
    for label, votes in enumerate(histogram):
        start = votes << grid_bits
        counts[label, start : start + len(law)] = law
    at_most = np.cumsum(counts, axis=1)
    below = at_most - counts
    result = np.zeros(len(histogram))
    for label in range(len(histogram)):
        win = counts[label].copy()
        for other in range(len(histogram)):
            if other != label:
                win *= below[other] if other < label else at_most[other]
        result[label] = win.sum()
    assert abs(result.sum() - 1) < 1e-9
    return result


def continuous_argmax_law(histogram: Sequence[int], sigma: float, reach: int, points: int) -> np.ndarray:
    """P(label) with continuous Gaussian noise, by quadrature on -reach .. reach deviations."""
    x = np.linspace(-reach, reach, points)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    gaps = np.subtract.outer(np.array(histogram), np.array(histogram)) / sigma
    below = ndtr(x + gaps[:, :, None])
    below[np.arange(len(histogram)), np.arange(len(histogram))] = 1
    return np.asarray((density * below.prod(axis=1)).sum(axis=1))


def discrete_masses(sigma: float, reach: int) -> np.ndarray:
    """The discrete Gaussian on -reach .. reach."""
    n = np.arange(-reach, reach + 1)
    weights = np.exp(-(n**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())
