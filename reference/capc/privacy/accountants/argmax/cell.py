"""A cell of a family of laws, and two bounds of the divergence everywhere in it.

The divergence of order a is ln(1 + G) / (a - 1), with G = sum of q f(p / q) over outcomes and
f(y) = y^a - 1 - a (y - 1): convex, and at least 0 with its only zero at y = 1. Over a cell, an interval or square of
lattice points, with corners that were computed:

- By order: f(y) is at most its larger value at the ends of y's range, and q at most its largest value.
- By curvature: q f(p / q) is convex in (p, q), so at a mean of the corners' laws the sum is at most the largest of the
  corners'. Each point differs from such a mean (linear in each coordinate) by dp and dq, with |dq| <= bend and
  |dp - dq| <= twist; as the function lies above its tangent at the point, that adds at most
  f'(y) (dp - dq) + (f(y) - (y - 1) f'(y)) dq <= |f'(y)| (twist + |y - 1| bend).

An outcome of small probability has a third, by Hoelder's inequality: q f(p / q) <= p^a q^(1-a) + (a - 1) q, and
p^a q^(1-a) <= sqrt(q) C, where C^2 bounds the sum of (p / q)^(2a) q over everything that is drawn.

Spec: CAPC-ACCT-122.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from flint import arb

from capc.privacy.accountants.ball_arithmetic import ball


@dataclass(frozen=True)
class Corner:
    """Two laws of a few outcomes, as balls.

    Attributes:
        q: the probabilities under the second law.
        ratio: p / q of each outcome.
        excess: f(p / q) of each outcome; infinite where q may be 0.
        total: G.
    """

    q: Sequence[arb]
    ratio: Sequence[arb]
    excess: Sequence[arb]
    total: arb


@dataclass(frozen=True)
class Divergence:
    """The order, and what follows from it.

    Attributes:
        order: a, above 1.
        hoelder: C.
    """

    order: Fraction
    hoelder: arb

    def corner(self, p: Sequence[arb], q: Sequence[arb]) -> Corner:
        """The corner of two laws; balls that may hold 0 or less are cut at 0."""
        ratios = [x / y for x, y in zip(p, q, strict=True)]
        excesses = [self.excess(ratio) for ratio in ratios]
        total = sum((self._contribution(y, excess) for y, excess in zip(q, excesses, strict=True)), arb(0))
        return Corner(q, ratios, excesses, total)

    def excess(self, ratio: arb) -> arb:
        """A ball around f(y)."""
        return self._power(ratio) - 1 - ball(self.order) * (ratio - 1)

    def slope(self, ratio: arb) -> arb:
        """A ball around |f'(y)| = a |y^(a-1) - 1|."""
        return ball(self.order) * abs(self._power(ratio) / ratio - 1)

    def small(self, q: arb) -> arb:
        """An upper bound of q f(p / q), whatever p is."""
        return (self.hoelder * q.sqrt() + (ball(self.order) - 1) * q).upper()

    def bound(self, corners: Sequence[Corner], outcomes: Sequence[Reach], bends: Sequence[tuple[arb, arb]]) -> arb:
        """An upper bound of G everywhere in the cell.

        Args:
            corners: all of them.
            outcomes: of each outcome the range of its ratio, and its largest q.
            bends: of each outcome (bend, twist); both 0 where every point is a corner.
        """
        by_order, by_curvature = arb(0), reduce(_larger, (corner.total for corner in corners), arb(0))
        for reach, (bend, twist) in zip(outcomes, bends, strict=True):
            most = reach.most.upper()
            alone = _least(most * _larger(reach.low_excess, reach.high_excess), self.small(most))
            steep = _larger(self.slope(reach.low), self.slope(reach.high))
            away = _larger(abs(reach.low - 1), abs(reach.high - 1))
            by_order += alone
            # An outcome may be left out of the convex sum and bounded alone: the corners' sums are only smaller.
            by_curvature += _least(steep * (twist + away * bend), alone)
        return _least(by_order, by_curvature)

    def _contribution(self, q: arb, excess: arb) -> arb:
        """A ball around q f(p / q); between 0 and Hoelder's bound where the ratio is not known."""
        product = q * excess
        return product if product.is_finite() else arb(0).union(self.small(q.upper()))

    def _power(self, ratio: arb) -> arb:
        if self.order.denominator == 1:
            return ratio ** int(self.order)
        return (ball(self.order) * ratio.log()).exp()


@dataclass(frozen=True)
class Reach:
    """What one outcome can be in a cell: its ratio from low to high, with f at both, and its largest q."""

    low: arb
    high: arb
    low_excess: arb
    high_excess: arb
    most: arb


def _larger(x: arb, y: arb) -> arb:
    """The upper end of the larger; infinite if one is not finite."""
    return x.upper().max(y.upper()) if x.is_finite() and y.is_finite() else arb("inf")


def _least(x: arb, y: arb) -> arb:
    """The upper end of the smaller of two upper bounds; one that is not finite says nothing."""
    if not x.is_finite():
        return y.upper()
    return x.upper().min(y.upper()) if y.is_finite() else x.upper()


def enclosed(low: int, missing: int, bits: int) -> arb:
    """A ball around a probability of at least ``low`` and at most ``low + missing`` units of 2^-bits."""
    unit = arb(2) ** -bits
    return (arb(low) * unit).union(arb(low + missing) * unit)
