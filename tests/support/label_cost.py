"""What a label costs, by enumeration: laws by masks on a plane of two draws, and labels of whole histograms.

It shares no code with the accountant: floats, no cumulated tables, no cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ive, ndtr

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.accountants.argmax.noise_table import Noise
from support.argmax import Histogram, discrete_masses

Law = np.ndarray


def masses(noise: Noise, deviations: int = 16) -> Law:
    """P[Z = z] for z = -R .. R, where R is so many deviations and a little."""
    sigma = float(noise.variance) ** 0.5
    reach = int(deviations * sigma) + 3
    z = np.arange(-reach, reach + 1)
    if isinstance(noise, RoundedGaussian):
        return np.asarray(ndtr((0.5 - np.abs(z)) / sigma) - ndtr((-0.5 - np.abs(z)) / sigma))
    if isinstance(noise, DiscreteGaussian):
        return discrete_masses(sigma, reach)
    return np.asarray(ive(np.abs(z), sigma**2))


def log_power(p: Law, q: Law, order: float) -> float:
    """Ln S, S the sum of p^a q^(1-a), without outcomes whose probabilities are 0 for floats: at most that less."""
    seen = (p > 1e-280) & (q > 1e-280)
    return float(np.logaddexp.reduce(order * np.log(p[seen]) - (order - 1) * np.log(q[seen])))


def excess(p: Law, q: Law, order: float) -> float:
    """G = S - 1, the sum of q f(p / q)."""
    return float(np.expm1(log_power(p, q, order)))


def divergence(p: Law, q: Law, order: float) -> float:
    """Of an order, in nats."""
    return log_power(p, q, order) / (order - 1)


@dataclass(frozen=True)
class Plane:
    """Two independent draws, and their joint law."""

    law: Law

    def three(self, u: int, w: int, tau: int) -> Law:
        """P[i], P[j], P[neither] at means u and w."""
        z = np.arange(len(self.law)) - len(self.law) // 2
        x, y = np.meshgrid(z + u, z + w, indexing="ij")
        joint = np.outer(self.law, self.law)
        i = (x >= 0) & (x >= y + tau)
        j = (y >= 0) & ~i
        neither = (x < 0) & (y < 0)
        assert np.all(i.astype(int) + j + neither == 1)
        return np.array([joint[event].sum() for event in (i, j, neither)])

    def pair(self, a: int, b: int, tau: int, shift: int) -> tuple[Law, Law]:
        """Both laws at (A, B)."""
        return self.three(a + shift, b, tau), self.three(a, b + shift, tau)


def two(law: Law, c: int) -> Law:
    """P[Z >= c], P[Z < c]."""
    z = np.arange(len(law)) - len(law) // 2
    return np.array([law[z >= c].sum(), law[z < c].sum()])


def label_law(counts: Histogram, law: Law, threshold: int | None) -> Law:
    """P[label] of each class, then P[no consensus]: the first of the largest noised counts, if it passes.

    Args:
        counts: in grid units.
        law: of one draw.
        threshold: in grid units, or None.
    """
    reach, top = len(law) // 2, max(counts)
    values = np.arange(-reach, top + reach + 1)
    at = np.zeros((len(counts), len(values)))
    for label, count in enumerate(counts):
        at[label, count : count + len(law)] = law
    upto = np.cumsum(at, axis=1)
    below = upto - at
    below[:, 1:] = upto[:, :-1]
    below[:, 0] = 0
    passes = np.ones(len(values), bool) if threshold is None else values >= threshold
    found = []
    for label in range(len(counts)):
        others = [below[k] if k < label else upto[k] for k in range(len(counts)) if k != label]
        found.append((at[label] * np.prod(others, axis=0))[passes].sum())
    withheld = 0.0
    if threshold is not None:
        withheld = float(np.prod([np.where(values < threshold, row, 0).sum() for row in at]))
    return np.array([*found, withheld])


def histograms(parties: int, classes: int) -> Iterator[Histogram]:
    """All of at most so many votes."""
    yield from (h for h in product(range(parties + 1), repeat=classes) if sum(h) <= parties)
