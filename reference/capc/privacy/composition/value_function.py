"""Convex functions on a geometric grid: what is left of epsilon and delta after so many labels.

V_t(x) is the largest value that t labels can have; with W_t(z) = V_t(z e^epsilon) / e^epsilon it does not depend on
epsilon: W_0(z) = max(0, z - 1), and delta(epsilon) = e^epsilon W_t(e^-epsilon). Each W_t is convex, W_t(0) = 0, and its
slope is between 0 and 1.

A :class:`Curve` is such a function exactly: piecewise linear between z = r^m, with slopes that are doubles. So it is
convex in exact arithmetic, and only its values are rounded, upwards.

Spec: CAPC-ACCT-143.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb, ctx, fmpq

from capc.foundation.errors import InputError
from capc.privacy.composition.noise_tables import Floats

MAX_PLACES = 1 << 12
LEAST_STEP = 2.0**-11

_UP = 1 + 2.0**-40
"""Covers a sum of 2^12 non-negative terms and the few roundings around it."""
_UP_SLOPE = 1 + 2.0**-38
"""Covers the quotient of differences of neighbouring grid points, which are doubles to within u of themselves."""


@dataclass(frozen=True)
class Grid:
    """The points r^m for m = low .. high, where r = 1 + step.

    Attributes:
        step: a multiple of 2^-40, at most 1.
        low: of the first point, below 0.
        high: of the last point, above 0.
    """

    step: Fraction
    low: int
    high: int

    def __post_init__(self) -> None:
        if not (self.high - self.low < MAX_PLACES and LEAST_STEP <= self.step <= 1 and self.low < 0 < self.high):
            raise InputError("a grid of a composition is too fine or too wide: give less extreme arguments")

    def powers(self, low: int, high: int) -> Floats:
        """R^m for m = low .. high, each rounded to the nearest double."""
        with ctx.workprec(128):
            ratio = 1 + arb(fmpq(*self.step.as_integer_ratio()))
            return np.array([float((ratio**m).mid()) for m in range(low, high + 1)])

    @cached_property
    def points(self) -> Floats:
        """The points."""
        return self.powers(self.low, self.high)

    @cached_property
    def gaps(self) -> Floats:
        """Distances between points, from that of the first to 0 on."""
        return np.concatenate([self.points[:1], self.points[:-1] * float(self.step)])


@dataclass(frozen=True, eq=False)
class Curve:
    """A convex function through the origin.

    Attributes:
        grid: where its slope may change.
        slopes: from 0 to 1 and never falling: up to the first point, then between neighbours. Beyond the last: 1.
    """

    grid: Grid
    slopes: Floats

    def __post_init__(self) -> None:
        shape = (self.grid.high - self.grid.low + 1,)
        good = self.slopes.shape == shape and bool(np.isfinite(self.slopes).all())
        if not (good and self.slopes[0] >= 0 and self.slopes[-1] <= 1 and (np.diff(self.slopes) >= 0).all()):
            raise InputError("a curve of a composition is not convex with slopes from 0 to 1: compute it again")

    @cached_property
    def values(self) -> Floats:
        """Upper bounds of its values at the points."""
        return np.cumsum(self.slopes * self.grid.gaps) * _UP

    def at(self, z: arb) -> arb:
        """A ball whose upper end is at least the value at z, which lies on the grid's range."""
        place = min(max(int(np.searchsorted(self.grid.points, float(z.mid()))), 1), len(self.slopes) - 1)
        # A convex function lies below the chord, and on it if z is between these points.
        left = arb(float(self.values[place - 1]))
        return left + arb(float(self.slopes[place])) * abs(z - arb(float(self.grid.points[place - 1])) * (1 - _FINE))


_FINE = 2.0**-52


def first_curve(grid: Grid) -> Curve:
    """W_0: nothing below 1, and slope 1 above."""
    places = np.arange(grid.low, grid.high + 1)
    return Curve(grid, (places > 0).astype(np.float64))


def convex_below(grid: Grid, bounds: Floats) -> Curve:
    """A curve at or above every function of its kind that is at most ``bounds`` at the points.

    Such a function is at most the chord of any two points, and of a point and the origin. Which chords are taken, is
    decided by rounded arithmetic and matters for tightness only: slopes are rounded up, made monotone by raising
    them, and cut at 1, beyond which no such function rises.
    """
    kept = _hull(grid.points.tolist(), bounds.tolist())
    ends = np.array(kept)
    z, value = grid.points[ends], bounds[ends]
    chords = np.concatenate([value[:1] / z[:1], np.diff(value) / np.diff(z)]) * _UP_SLOPE
    widths = np.diff(np.concatenate([[-1], ends]))
    slopes = np.repeat(np.maximum(chords, 0.0), widths)
    return Curve(grid, np.minimum(np.maximum.accumulate(slopes), 1.0))


def _hull(z: list[float], value: list[float]) -> list[int]:
    """Places of the vertices of the lower hull of the points and the origin, without the origin."""
    kept: list[int] = []
    for place, (x, y) in enumerate(zip(z, value, strict=True)):
        while kept:
            near = kept[-1]
            x0, y0 = (z[kept[-2]], value[kept[-2]]) if len(kept) > 1 else (0.0, 0.0)
            if (value[near] - y0) * (x - x0) < (y - y0) * (z[near] - x0):
                break
            kept.pop()
        kept.append(place)
    return kept
