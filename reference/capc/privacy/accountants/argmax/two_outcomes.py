"""A label with two outcomes: does Z, which neighbours shift by D, reach a number or not.

This is the family under null_vote, where the best other candidate is given; and what three outcomes come near to where
one of them is out of the question.

Spec: CAPC-ACCT-121, CAPC-ACCT-122.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from capc.privacy.accountants.argmax.cell import Corner, Divergence, Reach, enclosed, ratios
from capc.privacy.accountants.argmax.noise_table import NoiseTable

Interval = tuple[int, int]


class Threshold:
    """The laws of {Z + D >= c} and {Z >= c}, for -end <= c <= end.

    Args:
        table: of Z.
        shift: D, a whole number above 0.
        divergence: the order.
        end: where the family stops.
    """

    def __init__(self, table: NoiseTable, shift: int, divergence: Divergence, end: int) -> None:
        self.best = arb(0)
        self._table, self._shift, self._divergence, self._end = table, shift, divergence, end
        _, step, bend = table.steepness
        self._bend, self._twist = step / 8, shift * bend / 8
        self._corners: dict[int, Corner] = {}

    def roots(self) -> Sequence[Interval]:
        """One cell."""
        return [(-self._end, self._end)]

    def halves(self, cell: Interval) -> Sequence[Interval]:
        """Two, which share their end."""
        low, high = cell
        middle = (low + high) // 2
        return [(low, middle), (middle, high)] if high - low > 1 else []

    def bounds(self, cells: Sequence[Interval], enough: arb) -> list[arb]:
        """Ratios grow with c; passing is likeliest at the low end."""
        found = []
        for low, high in cells:
            left, right = self._corner(low), self._corner(high)
            outcomes = [Reach(left, right, left.q[0]), Reach(left, right, right.q[1])]
            width = high - low
            curved = (self._bend * width**2, self._twist * width**2) if width > 1 else (arb(0), arb(0))
            found.append(self._divergence.bound([left, right], outcomes, [curved] * 2, enough))
        return found

    def _corner(self, c: int) -> Corner:
        if c not in self._corners:
            p, q = (self._law(threshold) for threshold in (c - self._shift, c))
            self._corners[c] = self._divergence.corner(q, ratios(p, q))
            self.best = self.best.max(self._corners[c].total.lower())
        return self._corners[c]

    def _law(self, c: int) -> list[arb]:
        table = self._table
        return [enclosed(table.below(y), table.missing, table.bits) for y in (-c, c - 1)]
