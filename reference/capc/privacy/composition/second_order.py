"""How far the laws inside of a box are from interpolations of its corners' laws, and which ratios occur there.

Spec: CAPC-ACCT-142.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capc.privacy.composition.noise_tables import RARE, Floats, NoiseTables
from capc.privacy.composition.outcome_laws import Bounds

_UP = 1 + 2.0**-45
"""Covers the roundings of a dozen operations on non-negative numbers."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Ranges:
    """What an outcome's probabilities do over a box: arrays of shape (boxes, outcomes).

    Attributes:
        high: at least every ratio p / q.
        low: at most every ratio.
        rare: whether p is at most 2^-58 at all points of the box.
        p_most: at least every p.
        p_span: at least the difference of two values of p.
        q_span: likewise of q.
    """

    high: Floats
    low: Floats
    rare: NDArray[np.bool_]
    p_most: Floats
    p_span: Floats
    q_span: Floats

    def above(self, largest: float) -> NDArray[np.bool_]:
        """Outcomes that are charged in full: rare ones, and those whose ratio may exceed the largest."""
        return self.rare | (self.high > largest)

    def charged_in_full(self, largest: float) -> Floats:
        """For each box, what such outcomes add per z, with what they take from the sums of the others."""
        full = (self.p_most + self.p_span + self.q_span) * _UP
        total: Floats = np.where(self.above(largest), full, 0.0).sum(axis=1)
        return total

    @classmethod
    def of(cls, bounds: Bounds, corners: NDArray[np.int64]) -> Ranges:
        """Of boxes.

        Each ratio is largest at the first corner and smallest at the last; each probability is largest, and smallest,
        at some corner, since it is monotone in each coordinate.
        """
        first, last = corners[:, 0], corners[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            high = np.where(bounds.q_lower[first] > 0, bounds.p_upper[first] / bounds.q_lower[first] * _UP, np.inf)
            low = np.where(bounds.q_upper[last] > 0, bounds.p_lower[last] / bounds.q_upper[last] / _UP, 0.0)
        p_most = bounds.p_upper[corners].max(axis=1)
        return cls(
            high=high,
            low=low,
            rare=p_most <= RARE,
            p_most=p_most,
            p_span=(p_most - bounds.p_lower[corners].min(axis=1)) * _UP,
            q_span=(bounds.q_upper[corners].max(axis=1) - bounds.q_lower[corners].min(axis=1)) * _UP,
        )


@dataclass(frozen=True)
class Deviation:
    """Bounds of the distance from the corners' interpolation: arrays of shape (boxes, outcomes).

    Attributes:
        difference: of p - q.
        second: of q.
    """

    difference: Floats
    second: Floats


Curvature = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""From the lowest points of boxes, (boxes, coordinates), and their sides: for each box and outcome, bounds of the
second differences of q in each direction, added up, and of those of p - q."""


def deviation(
    lowest: Floats, sides: Floats, ranges: Ranges, curvature: Curvature, *, between: bool = False
) -> Deviation:
    """Of boxes: an eighth of the squared side times the second differences, and at most what the outcome varies by.

    A box of side 1 has no points but its corners, unless there are some between neighbouring numbers.
    """
    scale = np.where((sides > 1) | between, sides * sides / 8, 0.0)[:, None]
    second, difference = curvature(lowest, sides)
    return Deviation(
        np.minimum(scale * difference, ranges.p_span + ranges.q_span) * _UP,
        np.minimum(scale * second, ranges.q_span) * _UP,
    )


def two_outcomes(tables: NoiseTables, shift: int) -> Curvature:
    """Of a binary family that moves by a shift, of one count or of a difference, whose masses vary by less."""

    def curvature(_: Floats, sides: Floats) -> tuple[Floats, Floats]:
        shape = (len(sides), 2)
        return np.full(shape, tables.slope), np.full(shape, shift * tables.bend * _UP)

    return curvature


class ThreeCurvature:
    """Of the three-outcome family; section 12 has the derivation of each term.

    Args:
        tables: of the noise.
        shift: D.
    """

    def __init__(self, tables: NoiseTables, shift: int) -> None:
        self._tables = tables
        self._shift = shift
        mass = tables.mass[1][tables.reach :]
        steps = tables.steps
        # Of what lies at a distance of at least r from 0, for r = 0, 1, ...
        self._peak = mass
        self._slope = np.maximum.accumulate(steps[0][::-1])[::-1]
        self._bend = np.maximum.accumulate(steps[1][::-1])[::-1]
        # Of the difference of two draws: second differences, by the inequality of Cauchy and Schwarz.
        self._mixed = 2 * float(np.dot(steps[0], steps[0])) * (1 + 2.0**-35)

    def __call__(self, lowest: Floats, sides: Floats) -> tuple[Floats, Floats]:
        """As :data:`Curvature` says."""
        low, high = lowest.astype(np.int64), (lowest + sides[:, None]).astype(np.int64) + self._shift
        a, b = _Side(self, low[:, 0], high[:, 0]), _Side(self, low[:, 1], high[:, 1])
        # |A - B| over the box and its shifts, and two more for the stencils.
        apart = np.maximum(high[:, 0] - low[:, 1], high[:, 1] - low[:, 0]) + 2
        level = np.minimum(self._tables.slope, apart * self._mixed * _UP)
        first, second = self._wins(a, b, level), self._wins(b, a, level)
        none = (
            a.slope * b.under + a.under * b.slope,
            a.bend * b.under + a.slope * b.peak + a.peak * b.slope + a.under * b.bend,
        )
        outcomes = (first, second, none)
        seconds, thirds = (np.stack([outcome[place] for outcome in outcomes], axis=1) for place in (0, 1))
        return seconds * _UP, thirds * self._shift * _UP

    def _wins(self, a: _Side, b: _Side, level: Floats) -> tuple[Floats, Floats]:
        """Of P[A + Z >= 0 and A + Z >= B + Z' + lead]: second differences, and third ones, over all directions."""
        tables = self._tables
        second = np.minimum(a.slope_under, level + 2 * a.slope_over * b.under)
        second += np.minimum(tables.slope * a.over, level + a.under * b.slope_over)
        third = np.minimum(a.bend_under, self._mixed + 2 * a.bend_over * b.under)
        third += np.minimum(2 * tables.peak * a.slope_under, self._mixed + 2 * a.slope_over * b.rise)
        third += np.minimum(2 * tables.peak * a.slope_under, self._mixed)
        third += np.minimum(tables.bend * a.over, self._mixed + a.under * b.bend_over)
        return second, third


class _Side:
    """What one count's noise does while the count runs over an interval: bounds of masses and differences.

    Attributes:
        under: P[R < 0], at most.
        over: P[R >= 0], at most.
        peak, slope, bend: near R = 0: a mass, a first difference, a second difference.
        slope_over, bend_over: anywhere below R = 0.
        slope_under, bend_under: anywhere at or above R = 0.
        rise: the total variation of the masses below R = 0, and at least the mass there.
    """

    def __init__(self, of: ThreeCurvature, low: Indices, high: Indices) -> None:
        tables = of._tables
        self.under = tables.at_most_all(-low)
        self.over = tables.at_most_all(high)
        near = _place(np.maximum(low, -high), of._slope)
        self.peak, self.slope, self.bend = of._peak[near], of._slope[near], of._bend[near]
        below, above = _place(low, of._slope), _place(-high, of._slope)
        self.slope_over, self.bend_over = of._slope[below], of._bend[below]
        self.slope_under, self.bend_under = of._slope[above], of._bend[above]
        # Masses rise up to the mode at 0; if that is passed, they also fall.
        self.rise = np.where(low >= _STENCIL, of._peak[below], 2 * tables.peak)


_STENCIL = 3
"""By how much the places of a difference exceed the box."""


def _place(distance: Indices, table: Floats) -> Indices:
    return np.clip(distance - _STENCIL, 0, len(table) - 1)
