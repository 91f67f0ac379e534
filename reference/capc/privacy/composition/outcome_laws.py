"""Two neighbours' laws of one label at a point of the family: certified bounds of each outcome's probability.

A point of the three-outcome family is (A, B, tie): the counts of the two classes whose votes move, less the best count
of the others, in grid units, and who wins a tie. Under P they are (A + D, B), under Q (A, B + D). With independent
draws Z and Z', and R = A + Z, R' = B + Z':

- outcome 0, class i: R >= 0 and R >= R' + tie;
- outcome 1, class j: R' >= 0 and R' >= R + 1 - tie;
- outcome 2, none of them: both are negative.

Two binary families are its limits: one count alone, and the difference of two.

Spec: CAPC-ACCT-141.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capc.privacy.composition.noise_tables import Floats, NoiseTables

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True)
class Bounds:
    """Bounds of outcomes' probabilities: arrays of shape (points, outcomes)."""

    p_lower: Floats
    p_upper: Floats
    q_lower: Floats
    q_upper: Floats


class Sums:
    """Sums of products with one noise's masses.

    A sum of m products of non-negative doubles, in any order and with or without fused operations, is within
    (m + 1) u / (1 - (m + 1) u) of its exact value, relatively (Higham, Accuracy and Stability, section 3.1); twice
    (m + 4) u covers that and the corrections made here.

    Args:
        tables: of the noise.
        width: the largest |x| at which P[Z <= x] will be asked for.
    """

    def __init__(self, tables: NoiseTables, width: int) -> None:
        self.tables = tables
        self._width = width
        below = [tables.above[side][: width + 1] for side in (0, 1)]
        # P[Z <= x] for x = -width .. width: the tail for x < 0, and its complement, which rounds by u, for x >= 0.
        missing = width + 1 - len(below[0])
        low, high = np.pad(below[0], (0, missing)), np.pad(below[1], (0, missing), constant_values=below[1][-1])
        nudge = 2.0**-52
        self._at_most = (
            np.concatenate([low[width - 1 :: -1], np.maximum(1 - high - nudge, 0)]),
            np.concatenate([high[width - 1 :: -1], np.minimum(1 - low + nudge, 1)]),
        )
        self._slack = 2 * UNIT_ROUNDOFF * (2 * tables.reach + 5)

    def first_wins(self, a: int, b: int, lead: int) -> tuple[float, float]:
        """Bounds of P[a + Z >= max(0, b + Z' + lead)]."""
        return self._sum(max(-a, -self.tables.reach), a - lead - b)

    def difference_at_most(self, x: int) -> tuple[float, float]:
        """Bounds of P[Z' - Z <= x]."""
        return self._sum(-self.tables.reach, x)

    def _sum(self, first: int, offset: int) -> tuple[float, float]:
        """Bounds of the sum over z >= first of P[Z = z] P[Z' <= z + offset]."""
        reach = self.tables.reach
        if first > reach:
            return 0.0, self.tables.beyond
        start, stop = first + offset + self._width, reach + offset + self._width + 1
        if start < 0 or stop > 2 * self._width + 1:
            raise IndexError("a sum leaves the tables")
        low, high = (
            float(np.dot(self.tables.mass[side][first + reach :], self._at_most[side][start:stop])) for side in (0, 1)
        )
        return low * (1 - self._slack), high * (1 + self._slack) + 2 * self.tables.beyond


class ThreeOutcomes:
    """The three-outcome family of a noise and a shift, for one way to break a tie.

    Args:
        sums: over the noise, of width at least that of the points.
        shift: D, grid units.
        tie: by how much class i must lead class j: 0 or 1.
    """

    def __init__(self, sums: Sums, shift: int, tie: int) -> None:
        self._sums = sums
        self._shift = shift
        self._tie = tie

    def bounds(self, points: Sequence[tuple[int, ...]]) -> Bounds:
        """Of the points (A, B)."""
        p = np.array([self._law(a + self._shift, b) for a, b in points])
        q = np.array([self._law(a, b + self._shift) for a, b in points])
        return Bounds(p[:, :, 0], p[:, :, 1], q[:, :, 0], q[:, :, 1])

    def _law(self, a: int, b: int) -> tuple[tuple[float, float], ...]:
        tables, sums = self._sums.tables, self._sums
        none = tuple(
            tables.at_most(-1 - a, upper=upper) * tables.at_most(-1 - b, upper=upper) * (1 + nudge)
            for upper, nudge in ((False, -(2.0**-50)), (True, 2.0**-50))
        )
        return sums.first_wins(a, b, self._tie), sums.first_wins(b, a, 1 - self._tie), (none[0], none[1])


def one_count(tables: NoiseTables, shift: int, points: list[int]) -> Bounds:
    """The binary family of one count: P[u + D + Z >= 0] and its complement against P[u + Z >= 0]."""

    def law(x: int) -> list[tuple[float, float]]:
        # By symmetry P[x + Z >= 0] is P[Z <= x], and its complement P[Z <= -1 - x].
        return [(tables.at_most(end, upper=False), tables.at_most(end, upper=True)) for end in (x, -1 - x)]

    return _binary([law(u + shift) for u in points], [law(u) for u in points])


def difference(sums: Sums, shift: int, points: list[int]) -> Bounds:
    """The binary family of a difference of two counts, which moves by 2 D."""

    def law(x: int) -> list[tuple[float, float]]:
        return [sums.difference_at_most(end) for end in (x, -1 - x)]

    return _binary([law(u + 2 * shift) for u in points], [law(u) for u in points])


def _binary(p: list[list[tuple[float, float]]], q: list[list[tuple[float, float]]]) -> Bounds:
    p_all, q_all = np.array(p), np.array(q)
    return Bounds(p_all[:, :, 0], p_all[:, :, 1], q_all[:, :, 0], q_all[:, :, 1])
