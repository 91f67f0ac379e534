"""One step of the value recursion: W_t(z) <= the largest, over all points of the family, of sum_o q_o W(z p_o / q_o).

Everything in it is linear in the curve, so a step is one product of matrices and a maximum. A row belongs to a point:
its coefficients at W(z r^k) are those of chords over its ratios p_o / q_o, and those at differences of slopes
cover all boxes of which the point is a corner. All terms are non-negative and all coefficients are rounded up.

Spec: CAPC-ACCT-143.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.privacy.composition.mesh import Mesh
from capc.privacy.composition.noise_tables import RARE, Floats
from capc.privacy.composition.outcome_laws import Bounds
from capc.privacy.composition.value_function import Curve, Grid, convex_below

TAIL = 4 * RARE
"""What a point outside of the meshes can add to that of a limit family, per z."""

T = TypeVar("T", np.float64, np.int64)

_UP = 1 + 2.0**-40
_MOST_COLUMNS = 1 << 12
_BLOCK = 256
_ROUNDING = 2.0**-46


class Step:
    """The map from a curve to the next one.

    Args:
        grid: of the curves.
        meshes: of the families whose supremum is taken.
        reach: ratios up to r^reach are told apart; outcomes of larger ones are charged in full.
    """

    def __init__(self, grid: Grid, meshes: Sequence[Mesh], reach: int) -> None:
        self._grid = grid
        self._columns = _Columns(grid, reach)
        # No label, or one that tells nothing, leaves the curve as it is.
        nothing = np.zeros((1, self._columns.count))
        nothing[0, reach] = 1.0
        self._matrix = np.concatenate([nothing, *(self._columns.rows(mesh) for mesh in meshes)])
        # Points outside of the meshes: see section 12.
        self._matrix[:, -1] += TAIL
        self._matrix *= 1 + 2.0**-50

    def __call__(self, curve: Curve) -> Curve:
        """The next curve."""
        terms = self._columns.terms(curve)
        best = np.concatenate(
            [
                (self._matrix @ terms[:, start : start + _BLOCK]).max(axis=0)
                for start in range(0, terms.shape[1], _BLOCK)
            ]
        )
        return convex_below(self._grid, best * _UP)


class _Columns:
    """What the columns of a step's matrix stand for, at a point z of the grid.

    W(z r^k) for k = -reach .. reach; then z times how much the slope rises up to z r^k, for some k; then z times how
    much it falls down to z r^-k, and how much it can fall at all; last z itself.
    """

    def __init__(self, grid: Grid, reach: int) -> None:
        self._grid = grid
        self._reach = reach
        self._classes = np.array(_distances(reach))
        self.count = 2 * reach + 1 + 2 * len(self._classes) + 2
        if self.count > _MOST_COLUMNS:
            raise InputError("a composition's ratios are too many for its grid: give less extreme arguments")
        self._padded = grid.powers(grid.low - reach, grid.high + reach)
        self._powers = grid.powers(-reach, reach)

    def terms(self, curve: Curve) -> Floats:
        """(columns, points) of the grid."""
        reach, n = self._reach, len(curve.slopes)
        below, above = self._padded[:reach], self._padded[reach + n :]
        values = np.concatenate(
            [
                curve.slopes[0] * below * (1 + 2.0**-50),
                curve.values,
                (curve.values[-1] + (above - self._grid.points[-1]) * (1 + 2.0**-38)) * (1 + 2.0**-50),
            ]
        )
        # Between places i - 1 and i of the padded points.
        slopes = np.concatenate([np.full(reach, curve.slopes[0]), curve.slopes, np.ones(reach)])
        here = np.arange(reach, reach + n)
        after = np.concatenate([curve.slopes[1:], [1.0]])
        tangent = (curve.slopes + after) / 2
        z = self._grid.points * (1 + 2.0**-50)
        found = np.empty((self.count, n))
        for k in range(2 * reach + 1):
            found[k] = values[k : k + n]
        at = 2 * reach + 1
        for k in self._classes:
            found[at] = z * (slopes[here + k] - tangent)
            found[at + len(self._classes)] = z * (tangent - slopes[here - k + 1])
            at += 1
        found[-2] = z * tangent
        found[-1] = z
        return found

    def rows(self, mesh: Mesh) -> Floats:
        """One row for each point of a mesh."""
        matrix = np.zeros((len(mesh.bounds.p_upper), self.count))
        self._add_points(matrix, mesh.bounds)
        self._add_errors(matrix[:, 2 * self._reach + 1 :], mesh)
        matrix[:, -1] += self._dropped(mesh.bounds)
        return matrix

    def _kept(self, bounds: Bounds) -> tuple[NDArray[np.bool_], Floats]:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = bounds.p_upper / bounds.q_lower * (1 + _ROUNDING)
        kept = (bounds.p_upper > RARE) & (ratio < self._powers[-1] * (1 - _ROUNDING)) & (bounds.q_lower > 0)
        return kept, np.where(kept, ratio, 1.0)

    def _dropped(self, bounds: Bounds) -> Floats:
        kept, _ = self._kept(bounds)
        found: Floats = np.where(kept, 0.0, bounds.p_upper).sum(axis=1)
        return found

    def _add_points(self, matrix: Floats, bounds: Bounds) -> None:
        """Q W(z p / q) <= q (1 - w) W(z r^k) + q w W(z r^(k + 1)) for p / q = (1 - w) r^k + w r^(k + 1)."""
        kept, ratio = self._kept(bounds)
        step = float(self._grid.step)
        # Rounded logarithms may give a k too large by 1, where w is 0, and never one too small.
        k = np.floor(np.log(ratio) / np.log1p(step) + 1e-9).astype(np.int64)
        k = np.maximum(k, -self._reach)
        weight = np.clip((ratio / self._powers[k + self._reach] * (1 + _ROUNDING) - 1) / step, 0.0, 1.0)
        q = np.where(kept, bounds.q_lower, 0.0)
        rows = np.broadcast_to(np.arange(len(matrix))[:, None], k.shape)
        np.add.at(matrix, (rows, k + self._reach), q * (1 - weight))
        np.add.at(matrix, (rows, np.minimum(k + 1, self._reach) + self._reach), q * weight)

    def _add_errors(self, matrix: Floats, mesh: Mesh) -> None:
        """What covers the inside of each box, at each of its corners; see section 12.

        Boxes at one point may need different columns: it takes the farthest and the largest coefficient.
        """
        ranges, off = mesh.ranges, mesh.deviation
        classes, width = self._classes, len(self._classes)
        powers_up, powers_down = self._powers[self._reach + classes], self._powers[self._reach - classes]
        points = np.arange(len(matrix))

        def at_points(of_boxes: NDArray[T]) -> NDArray[T]:
            found = np.zeros(len(matrix), dtype=of_boxes.dtype)
            for corner in mesh.corners.T:
                np.maximum.at(found, corner, of_boxes)
            return found

        inside = (off.second + off.difference).max(axis=1) > 0
        largest = powers_up[-1] * (1 - _ROUNDING)
        matrix[:, -1] += at_points(np.where(inside, ranges.charged_in_full(largest), 0.0))
        apart = ~ranges.above(largest) & inside[:, None]
        for outcome in range(off.second.shape[1]):
            high, low = ranges.high[:, outcome], ranges.low[:, outcome]
            second, difference = off.second[:, outcome], off.difference[:, outcome]
            rising = apart[:, outcome] & (high > 1 - _ROUNDING)
            falling = apart[:, outcome] & (low < 1 + _ROUNDING)
            away_up, away_down = np.where(rising, np.maximum(high - 1, 0), 0), np.maximum(1 - low, 0)
            up = np.where(rising, np.searchsorted(powers_up, high * (1 + _ROUNDING)), 0)
            down = np.where(falling, np.searchsorted(-powers_down, -low * (1 - _ROUNDING)), 0)
            rise = np.where(rising, (difference + away_up * second) * (1 + _ROUNDING), 0.0)
            fall = np.where(falling, (difference + away_down * second) * (1 + _ROUNDING), 0.0)
            matrix[points, at_points(up)] += at_points(rise)
            # Below the smallest ratio that is told apart, slopes fall to 0 at worst.
            matrix[points, width + at_points(down)] += at_points(fall)


def _distances(reach: int) -> list[int]:
    """1, 2, 3, ... 8, and then by an eighth more each, up to the reach."""
    found = [1]
    while found[-1] < reach:
        found.append(min(found[-1] + max(1, found[-1] // 8), reach))
    return found
