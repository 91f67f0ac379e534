"""Branch and bound over cells of lattice points.

Spec: CAPC-ACCT-122.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from flint import arb

Cell = TypeVar("Cell")
MAX_CELLS = 120_000
"""Some seconds. It is exceeded only at so little noise that nothing is to be gained."""


class Family(Protocol[Cell]):
    """Laws at lattice points, with an order of which the divergence is asked.

    Attributes:
        best: the largest G of a corner so far, from below.
    """

    best: arb

    def roots(self) -> Sequence[Cell]:
        """Cells that together hold every point."""

    def bounds(self, cells: Sequence[Cell], enough: arb) -> list[arb]:
        """An upper bound of G over each cell, no better than it must be to be ``enough``; raises :attr:`best`."""

    def halves(self, cell: Cell) -> Sequence[Cell]:
        """Smaller cells that together hold every point of the cell; none if all its points are corners."""


def largest(family: Family[Cell], limit: Callable[[arb], arb]) -> arb:
    """An upper bound of G over all points.

    Args:
        family: the laws.
        limit: of the best corner so far, how large a cell's bound may stay: a cell above it is halved while it can be.
            Where a corner itself is above it, or it would take more than MAX_CELLS cells, the answer is infinite.
    """
    found, seen = arb(0), 0
    cells = family.roots()
    while cells:
        seen += len(cells)
        if seen > MAX_CELLS:
            return arb("inf")
        bounds = family.bounds(cells, limit(family.best))
        enough = limit(family.best)
        if not family.best <= enough:
            # A point is above the limit, so no bound below it will be found.
            return arb("inf")
        smaller: list[Cell] = []
        for cell, bound in zip(cells, bounds, strict=True):
            halves = () if bound <= enough else family.halves(cell)
            if halves:
                smaller.extend(halves)
            else:
                found = found.max(bound)
        cells = smaller
    return found
