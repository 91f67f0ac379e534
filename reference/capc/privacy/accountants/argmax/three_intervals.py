"""A label with three outcomes against a querying party that adds what it likes to the shares.

With comparisons of the full range the label is still the first true maximum. So given the best of the unchanged
candidates it is i, j or that one: three events of a pair of continuous Gaussians, of whatever shape wrap-around gives
them. The laws (p, q) of three events form a compact convex set (Lyapunov), a convex function of them is largest at
limits of exposed points, and there the events are a lower envelope of three affine functions of the likelihood ratio:
three intervals of one Gaussian number with the pair's distance (Neyman and Pearson, for three outcomes).

Spec: CAPC-ACCT-145.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from capc.privacy.accountants.argmax.cell import Corner, Divergence, Reach
from capc.privacy.accountants.ball_arithmetic import ball, normal_cdf

Square = tuple[Fraction, Fraction, Fraction]
"""The smallest u, the smallest w, and the side."""

_SIDE = Fraction(1)
_SMALLEST = Fraction(1, 1 << 12)


class Intervals:
    """The laws of X < u, u <= X < u + w and X >= u + w, for |u| <= end and 0 <= w <= 2 end.

    X is N(distance, 1) under the first law, and N(0, 1) under the second.

    Args:
        distance: of the pair, in deviations.
        divergence: the order.
        end: where the family stops, a whole number.
    """

    def __init__(self, distance: arb, divergence: Divergence, end: int) -> None:
        self.best = arb(0)
        self._distance, self._divergence, self._end = distance, divergence, end
        self._corners: dict[tuple[Fraction, Fraction], Corner] = {}
        # The largest slope of the density, at 1, and its largest bend, at 0.
        slope, bend = (-arb(1) / 2).exp() / (2 * arb.pi()).sqrt(), distance / (2 * arb.pi()).sqrt()
        # The first interval depends on u alone, the last on u + w, and the middle one is what is left.
        self._curved = [(count * slope / 8, count * bend / 8) for count in (1, 3, 2)]

    def roots(self) -> Sequence[Square]:
        """Equal squares."""
        return [(Fraction(u), Fraction(w), _SIDE) for u in range(-self._end, self._end) for w in range(2 * self._end)]

    def halves(self, cell: Square) -> Sequence[Square]:
        """Four, which share their edges."""
        u, w, side = cell
        half = side / 2
        return [(u + x, w + y, half) for x in (0, half) for y in (0, half)] if half >= _SMALLEST else []

    def bounds(self, cells: Sequence[Square], enough: arb) -> list[arb]:
        """Ratios grow with u and w, as the likelihood ratio grows."""
        return [self._bound(cell, enough) for cell in cells]

    def _bound(self, cell: Square, enough: arb) -> arb:
        u, w, side = cell
        corners = [self._corner(u + x, w + y) for x, y in ((0, 0), (side, 0), (0, side), (side, side))]
        low, high = corners[0], corners[-1]
        middle = normal_cdf(ball(u + w + 2 * side)) - normal_cdf(ball(u))
        outcomes = [Reach(low, high, most) for most in (high.q[0], middle, low.q[2])]
        scale = ball(side * side)
        curved = [(bend * scale, twist * scale) for bend, twist in self._curved]
        return self._divergence.bound(corners, outcomes, curved, enough)

    def _corner(self, u: Fraction, w: Fraction) -> Corner:
        if (u, w) not in self._corners:
            d, low, high = self._distance, ball(u), ball(u + w)
            q = [normal_cdf(low), normal_cdf(high) - normal_cdf(low), normal_cdf(-high)]
            p = [normal_cdf(low - d), normal_cdf(high - d) - normal_cdf(low - d), normal_cdf(d - high)]
            if w == 0:
                # An empty interval has the ratio of its place.
                q[1] = arb(0)
                middle = (d * low - d * d / 2).exp()
            else:
                middle = p[1] / q[1]
            corner = self._divergence.corner(q, [p[0] / q[0], middle, p[2] / q[2]])
            self._corners[u, w] = corner
            self.best = self.best.max(corner.total.lower())
        return self._corners[u, w]
