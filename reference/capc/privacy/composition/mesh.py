"""A quadtree of boxes over the plane of (A, B): small where a label tells most, large where it tells little.

How boxes are cut decides how tight the bound is, never whether it holds. A box is cut while its bound for one of a few
convex functions, sum over outcomes of q f(p / q), is above the largest value at a corner anywhere by more than a
tolerance. The functions are value functions that are expected, see :mod:`capc.privacy.composition.references`.

Spec: CAPC-ACCT-142.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capc.privacy.composition.noise_tables import RARE, Floats
from capc.privacy.composition.outcome_laws import Bounds
from capc.privacy.composition.references import Fineness
from capc.privacy.composition.second_order import Curvature, Deviation, Ranges, deviation

Indices = NDArray[np.int64]

_SMALLEST_BETWEEN = 8
"""Where there are points between whole numbers, no smaller cells are cut: what little they would gain takes long."""
_MARGIN = 1.3
"""A step rounds ratios up to columns, and takes the worst of all boxes at a point."""


Point = tuple[int, ...]
"""One coordinate or two."""
Cell = tuple[int, ...]
"""The lowest point of a cell, then its side: two numbers for an interval, three for a square."""


@dataclass(frozen=True)
class Mesh:
    """Points, and boxes that cover what is between them.

    Attributes:
        cells: the boxes, without overlap.
        bounds: of the points' laws.
        corners: (boxes, corners), places of points; the corner of the largest ratios first, of the smallest last.
        deviation: of the boxes' laws from interpolations.
        ranges: of ratios and masses over each box.
    """

    cells: tuple[Cell, ...]
    bounds: Bounds
    corners: Indices
    deviation: Deviation
    ranges: Ranges


@dataclass(frozen=True)
class Cutting:
    """How cells lie among points.

    Attributes:
        corners: of a cell, the one of the largest ratios first and the one of the smallest last.
        parts: what a cell is cut into.
        between: whether there are points between those of neighbouring numbers.
    """

    corners: Callable[[Cell], list[Point]]
    parts: Callable[[Cell], list[Cell]]
    between: bool


class MeshBuilder:
    """Cuts cells until each is good enough.

    Args:
        laws: bounds at points, each a tuple of one coordinate or two.
        curvature: of the laws.
        fineness: when it is good enough.
        cutting: of the cells; None for those of whole numbers.
    """

    def __init__(
        self,
        laws: Callable[[list[Point]], Bounds],
        curvature: Curvature,
        fineness: Fineness,
        cutting: Cutting | None = None,
    ) -> None:
        self._laws = laws
        self._curvature = curvature
        self._fineness = fineness
        self._cutting = Cutting(_corner_points, _parts, between=False) if cutting is None else cutting
        self._places: dict[Point, int] = {}
        self._parts: list[Bounds] = []

    def build(self, roots: list[Cell]) -> Mesh:
        """The mesh that the roots, which must cover what is to be covered, are cut into."""
        expected = self._fineness.expected
        best, tolerances = np.zeros(len(expected)), np.array([reference.slack for reference in expected])
        tolerances *= self._fineness.tolerance
        kept: list[Cell] = []
        waiting, smallest = roots, _SMALLEST_BETWEEN if self._cutting.between else 1
        while waiting:
            corners, bounds = self._corners(waiting)
            ranges = Ranges.of(bounds, corners)
            sides = np.array([float(cell[-1]) for cell in waiting])
            values, totals = self._values(bounds, corners, ranges, self._deviation(waiting, ranges))
            best = np.maximum(best, values.max(axis=1))
            charged = ranges.charged_in_full(self._fineness.largest) > self._fineness.negligible
            cut = ((totals > (best * (1 + tolerances))[:, None]).any(axis=0) | charged) & (sides > smallest)
            kept += [cell for cell, again in zip(waiting, cut, strict=True) if not again]
            waiting = [
                part for cell, again in zip(waiting, cut, strict=True) if again for part in self._cutting.parts(cell)
            ]
        corners, bounds = self._corners(kept)
        used, renumbered = np.unique(corners, return_inverse=True)
        ranges = Ranges.of(bounds, corners)
        places = renumbered.reshape(corners.shape)
        return Mesh(tuple(kept), _take(bounds, used), places, self._deviation(kept, ranges), ranges)

    def _deviation(self, cells: list[Cell], ranges: Ranges) -> Deviation:
        numbers = np.array(cells, dtype=np.float64)
        return deviation(numbers[:, :-1], numbers[:, -1], ranges, self._curvature, between=self._cutting.between)

    def _corners(self, cells: list[Cell]) -> tuple[Indices, Bounds]:
        points = [self._cutting.corners(cell) for cell in cells]
        new = list(dict.fromkeys(point for four in points for point in four if point not in self._places))
        if new:
            self._places |= {point: len(self._places) + place for place, point in enumerate(new)}
            self._parts.append(self._laws(new))
        if len(self._parts) > 1:
            self._parts = [_joined(self._parts)]
        return np.array([[self._places[point] for point in four] for four in points]), self._parts[0]

    def _values(self, bounds: Bounds, corners: Indices, ranges: Ranges, off: Deviation) -> tuple[Floats, Floats]:
        """(functions, cells): the largest value at a corner, and the cell's bound, without regard to rounding."""
        values, totals = [], []
        common = (bounds.p_upper > RARE) & (bounds.q_lower > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(common, bounds.p_upper / bounds.q_lower, 1.0)
            apart = ~ranges.above(self._fineness.largest)
            high, low = np.where(apart, ranges.high, 1.0), np.where(apart, ranges.low, 1.0)
        low = np.maximum(low, 1e-9)
        for reference in self._fineness.expected:
            at_points = np.where(common, bounds.q_lower * reference.value(ratio), 0.0).sum(axis=1)
            rise = np.maximum(reference.slope(high), 0) * (off.difference + np.maximum(high - 1, 0) * off.second)
            fall = np.maximum(-reference.slope(low), 0) * (off.difference + np.maximum(1 - low, 0) * off.second)
            values.append(at_points[corners].max(axis=1))
            totals.append(values[-1] + _MARGIN * (rise + fall).sum(axis=1))
        return np.array(values), np.array(totals)


def _corner_points(cell: Cell) -> list[Point]:
    """Ratios fall with A and rise with B; those of an interval fall with its one coordinate."""
    side = cell[-1]
    if len(cell) == 2:
        return [(cell[0],), (cell[0] + side,)]
    a, b = cell[:2]
    return [(a, b + side), (a, b), (a + side, b + side), (a + side, b)]


def _parts(cell: Cell) -> list[Cell]:
    half = cell[-1] // 2
    if len(cell) == 2:
        return [(cell[0], half), (cell[0] + half, cell[-1] - half)]
    a, b = cell[:2]
    return [(a, b, half), (a + half, b, half), (a, b + half, half), (a + half, b + half, half)]


def _joined(parts: list[Bounds]) -> Bounds:
    return Bounds(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("p_lower", "p_upper", "q_lower", "q_upper")
        )
    )


def _take(bounds: Bounds, used: Indices) -> Bounds:
    return Bounds(bounds.p_lower[used], bounds.p_upper[used], bounds.q_lower[used], bounds.q_upper[used])
