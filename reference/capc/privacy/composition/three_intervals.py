"""The family towards a querying party that adds to its shares of the votes: three intervals of one Gaussian number.

X is N(m, 1) under P and N(-m, 1) under Q, and the outcomes are X < u, u <= X < v and X >= v, for u <= v. Thresholds are
on a lattice of 2^-10 deviations, and what lies between its points is covered as all of a box is. Ratios rise with u and
with v; a box on the diagonal is a triangle. A second threshold is 2^-60 above its place, so that no interval is empty.

Spec: CAPC-ACCT-150, CAPC-ACCT-151.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from flint import arb, ctx, fmpq
from numpy.typing import NDArray

from capc.privacy.composition.mesh import Cell, Cutting, Mesh, MeshBuilder, Point
from capc.privacy.composition.noise_tables import RARE, Floats, doubles
from capc.privacy.composition.outcome_laws import Bounds
from capc.privacy.composition.references import Fineness

_UNIT_BITS = 10
_ROOT = 1 << (_UNIT_BITS - 1)
"""The side of first cells: half a deviation."""
_PRECISION = 192
_NUDGE = 2.0**-50
_UP = 1 + 2.0**-40
_LIFT = 2.0**-60


def three_intervals(mu_squared: tuple[int, int], fineness: Fineness) -> Mesh:
    """A mesh that covers the family up to what a step adds for points outside of meshes.

    Args:
        mu_squared: (2 m)^2, the squared distance of the pair in deviations, as numerator and denominator.
        fineness: of the mesh; it decides how tight the bound is, not whether it holds.
    """
    laws = _Thresholds(mu_squared)
    return MeshBuilder(laws.bounds, laws.curvature, fineness, _TRIANGLE).build(_roots(*laws.ends()))


def _roots(low: int, high: int) -> list[Cell]:
    return [(u, v, _ROOT) for u in range(low, high, _ROOT) for v in range(u, high, _ROOT)]


class _Thresholds:
    """Laws and their bends; places of thresholds are whole numbers of 2^-10 deviations."""

    def __init__(self, mu_squared: tuple[int, int]) -> None:
        with ctx.workprec(_PRECISION):
            self._half = arb(fmpq(*mu_squared)).sqrt() / 2
        self._m = float(self._half.mid()) * _UP
        # For each place: [P or Q][first or second threshold][below or above], and the mass of the least interval.
        self._tails: dict[int, Floats] = {}
        self._least: dict[int, Floats] = {}

    def ends(self) -> tuple[int, int]:
        """The last place and the first one such that X < low and X >= high have at most 2^-58 under P.

        What is told apart outside under Q alone costs nothing.
        """
        one = 1 << _UNIT_BITS
        low, high = math.floor(self._m * one), math.ceil(self._m * one)
        while _far(self._m / _UP - low / one) > RARE:
            low -= 1
        while _far(high / one - self._m * _UP) > RARE:
            high += 1
        return low, high

    def bounds(self, points: list[Point]) -> Bounds:
        """Of points (u, v)."""
        for place in {place for point in points for place in point}:
            if place not in self._tails:
                self._add(place)
        first = np.array([self._tails[u][:, 0] for u, _ in points])
        second = np.array([self._tails[v][:, 1] for _, v in points])
        # Both of the first threshold, at the end of the line where numbers are small.
        small = np.array([self._tails[u][:, 0, int(u + v >= 0)] for u, v in points])
        large = np.array([self._tails[v][:, 1, int(u + v >= 0)] for u, v in points])
        small, large = np.minimum(small, large), np.maximum(small, large)
        same = np.array([u == v for u, v in points])[:, None]
        least = np.array([self._least[u] for u, _ in points])
        middle = [
            np.where(same, least * (1 + nudge), np.maximum(large * (1 + nudge) - small * (1 - nudge), 0) * (1 + nudge))
            for nudge in (-_NUDGE, _NUDGE)
        ]
        lower, upper = (
            np.stack([first[:, :, 0] * (1 + nudge), among, second[:, :, 1] * (1 + nudge)], axis=2)
            for nudge, among in zip((-_NUDGE, _NUDGE), middle, strict=True)
        )
        return Bounds(lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1])

    def _add(self, place: int) -> None:
        with ctx.workprec(_PRECISION):
            at = [arb(place) / (1 << _UNIT_BITS) + lift for lift in (0, arb(_LIFT))]
            # Places from the mean, under P and under Q.
            from_mean = [[x - mean for x in at] for mean in (self._half, -self._half)]
            tails = [[_below(x), _below(-x)] for law in from_mean for x in law]
            # By the smaller tail, as above.
            least = [_below(-u) - _below(-v) if place >= 0 else _below(v) - _below(u) for u, v in from_mean]
            self._tails[place] = doubles([tail for pair in tails for tail in pair]).reshape(2, 2, 2)
            self._least[place] = doubles(least)

    def curvature(self, lowest: Floats, sides: Floats) -> tuple[Floats, Floats]:
        """As :data:`~capc.privacy.composition.second_order.Curvature` says, per squared unit of the lattice.

        A tail's second derivative is that of the density's slope, and that of p - q is 2 m times its bend.
        """
        unit = 2.0**-_UNIT_BITS
        low, high = lowest * unit, (lowest + sides[:, None]) * unit + _NUDGE
        slopes = _most_slope(low + self._m / _UP, high + self._m)
        bends = 2 * self._m * _most_bend(low - self._m, high + self._m)
        seconds, thirds = (
            np.stack([each[:, 0], each[:, 0] + each[:, 1], each[:, 1]], axis=1) * (unit * unit * _UP)
            for each in (slopes, bends)
        )
        return seconds, thirds


def _far(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2 * _UP


def _below(x: arb) -> arb:
    return (-x / arb(2).sqrt()).erfc() / 2


def _most_slope(low: Floats, high: Floats) -> Floats:
    """At least |x| phi(x) on intervals: it rises up to |x| = 1, and falls from there."""
    return _most(low, high, np.abs, (-1.0, 1.0))


def _most_bend(low: Floats, high: Floats) -> Floats:
    """At least |x^2 - 1| phi(x) on intervals: its turning points are 0, 1 and the root of 3."""
    return _most(low, high, lambda x: np.abs(x * x - 1), (-math.sqrt(3), 0.0, math.sqrt(3)))


def _most(low: Floats, high: Floats, factor: Callable[[Floats], Floats], turning: tuple[float, ...]) -> Floats:
    def value(x: Floats) -> Floats:
        found: Floats = factor(x) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return found

    found = np.maximum(value(low), value(high))
    for x in turning:
        inside: NDArray[np.bool_] = (low <= x + _NUDGE) & (high >= x - _NUDGE)
        found = np.where(inside, np.maximum(found, value(np.array(x))), found)
    # Next to a zero a value is not good relatively; it is absolutely.
    return found * _UP + 2.0**-48


def _corners(cell: Cell) -> list[Point]:
    """The corner of the largest ratios first, that of the smallest last; a triangle has two of its corners in one."""
    u, v, side = cell
    return [(u + side, v + side), (u, v + side), (u + side if u < v else u, v), (u, v)]


def _parts(cell: Cell) -> list[Cell]:
    u, v, half = cell[0], cell[1], cell[2] // 2
    found: list[Cell] = [(u, v, half), (u, v + half, half), (u + half, v + half, half)]
    return found if u == v else [*found, (u + half, v, half)]


_TRIANGLE = Cutting(_corners, _parts, between=True)
