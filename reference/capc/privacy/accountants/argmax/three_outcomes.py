"""A label with three outcomes: of two classes i and j that neighbours change, and the best of all other candidates.

With the best other candidate given, let A and B be how far the votes of i and j are above what they need to beat it.
Then i wins if A + Z_i >= 0 and A + Z_i >= B + Z_j + tau, j wins if B + Z_j >= 0 and i does not, and otherwise neither
does. The order of the three indices decides what ties mean: it moves A and B by one unit, and leaves tau in {0, 1}.
Neighbours are (A + D, B) and (A, B + D), as a vote moves from j to i.

For log-concave noise the ratio of each outcome falls as A grows, and grows with B: its range over a square is between
two corners (CAPC-ACCT-122).

Spec: CAPC-ACCT-121, CAPC-ACCT-122.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul

from flint import arb

from capc.privacy.accountants.argmax.cell import Corner, Divergence, Reach, enclosed, ratios
from capc.privacy.accountants.argmax.noise_table import NoiseTable

Square = tuple[int, int, int]
"""The smallest A and B, and the side."""
Point = tuple[int, int]


class Tournament:
    """The laws for -end <= A, B <= end.

    Args:
        table: of one class's noise.
        shift: D, a whole number above 0.
        tau: 0 if i wins a tie with j, else 1.
        divergence: the order.
        end: where the family stops; a multiple of the side.
        side: of the first squares, a power of two.
    """

    def __init__(self, table: NoiseTable, shift: int, tau: int, divergence: Divergence, end: int, side: int) -> None:
        self.best = arb(0)
        self._table, self._shift, self._tau, self._divergence = table, shift, tau, divergence
        self._end, self._side = end, side
        self._corners: dict[Point, Corner] = {}
        self._numbers, self._cumulated = table.masses[::-1], table.cumulated[::-1]
        whole = sum(table.masses) ** 2
        self._whole, self._bits = whole, 2 * table.bits
        self._missing = (1 << self._bits) - whole
        most, step, bend = table.steepness
        # See the lemma on bends, in both coordinates together: of i and of j, and of neither, for a side of 1.
        changed = (2 * step / 8, shift * (4 * bend + most * step) / 8)
        neither = (2 * step / 8, shift * 2 * (bend + most * step) / 8)
        self._curved = (changed, changed, neither)

    def roots(self) -> Sequence[Square]:
        """Equal squares."""
        places = range(-self._end, self._end, self._side)
        return [(a, b, self._side) for a in places for b in places]

    def halves(self, cell: Square) -> Sequence[Square]:
        """Four, which share their edges."""
        a, b, side = cell
        half = side // 2
        return [(a + x, b + y, half) for x in (0, half) for y in (0, half)] if half else []

    def bounds(self, cells: Sequence[Square], enough: arb) -> list[arb]:
        """By the laws at the corners, which are computed line by line."""
        self._prepare({(a + x, b + y) for a, b, side in cells for x in (0, side) for y in (0, side)})
        return [self._bound(cell, enough) for cell in cells]

    def _bound(self, cell: Square, enough: arb) -> arb:
        a, b, side = cell
        smallest, i_first, j_first, largest = (
            self._corners[a + x, b + y] for x, y in ((0, 0), (side, 0), (0, side), (side, side))
        )
        # i is likeliest where A is large and B is small, j the other way round, neither where both are small.
        outcomes = [Reach(i_first, j_first, likeliest.q[o]) for o, likeliest in enumerate((i_first, j_first, smallest))]
        scale = side**2 if side > 1 else 0
        curved = [(bend * scale, twist * scale) for bend, twist in self._curved]
        return self._divergence.bound([smallest, i_first, j_first, largest], outcomes, curved, enough)

    def _prepare(self, points: Iterable[Point]) -> None:
        new = [point for point in points if point not in self._corners]
        shift, tau = self._shift, self._tau
        # P[i wins] depends on its place and on the difference of both, ties included.
        places = {(a, b): ((a + shift, tau + b - a - shift), (a, tau + b + shift - a)) for a, b in new}
        wins = self._wins({place for pair in places.values() for place in pair})
        below = self._table.below
        for (a, b), (first, second) in places.items():
            p = self._law(wins[first], below(-1 - a - shift) * below(-1 - b))
            q = self._law(wins[second], below(-1 - a) * below(-1 - b - shift))
            self._corners[a, b] = corner = self._divergence.corner(q, ratios(p, q))
            self.best = self.best.max(corner.total.lower())

    def _law(self, i: int, neither: int) -> list[arb]:
        """Lower bounds of disjoint events add up to all that the table holds."""
        return [enclosed(low, self._missing, self._bits) for low in (i, self._whole - i - neither, neither)]

    def _wins(self, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """Lower bounds of P[Z_i >= -a and Z_i - Z_j >= e] for places (a, e): sums of P[Z_i = y] P[Z_j <= y - e]."""
        lines: defaultdict[int, list[int]] = defaultdict(list)
        for a, e in places:
            lines[e].append(a)
        reach, count = self._table.reach, len(self._numbers)
        found = {}
        for e, line in lines.items():
            # Both tables run downwards, from y = reach; P[Z <= y - e] starts e places later.
            if e >= 0:
                cumulated = self._cumulated[e:]
            else:
                cumulated = (self._cumulated[0],) * min(-e, count) + self._cumulated[: max(count + e, 0)]
            sums = list(accumulate(map(mul, self._numbers, cumulated))) or [0]
            for a in line:
                found[a, e] = 0 if a < -reach else sums[min(a + reach, len(sums) - 1)]
        return found
