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
        ratio: y = p / q of each outcome; not finite where q may be 0.
        power: y^a of each outcome.
        total: G.
    """

    q: Sequence[arb]
    ratio: Sequence[arb]
    power: Sequence[arb]
    total: arb


@dataclass(frozen=True)
class Reach:
    """What one outcome can be in a cell: from which corner's ratio to which, and at most how likely it is under q."""

    low: Corner
    high: Corner
    most: arb


class Divergence:
    """The order, and what follows from it.

    Args:
        order: a, above 1.
        hoelder: C.
    """

    def __init__(self, order: Fraction, hoelder: arb) -> None:
        self.order, self.less = ball(order), ball(order - 1)
        self.hoelder = hoelder
        self._whole = int(order) if order.denominator == 1 else None

    def corner(self, q: Sequence[arb], ratios: Sequence[arb]) -> Corner:
        """The corner of two laws, the first given by its ratios to the second."""
        powers = [self._power(ratio) for ratio in ratios]
        total = arb(0)
        for probability, ratio, power in zip(q, ratios, powers, strict=True):
            part, small = probability * self._excess(ratio, power), self.small(probability.upper())
            # Where little of q is known the ratio's ball is wide, or not finite, and its power says nothing.
            total += part if part.is_finite() and part.upper() <= small else arb(0).union(small)
        return Corner(q, ratios, powers, total)

    def small(self, q: arb) -> arb:
        """An upper bound of q f(p / q), whatever p is."""
        return self.hoelder * q.sqrt() + self.less * q

    def bound(
        self, corners: Sequence[Corner], outcomes: Sequence[Reach], bends: Sequence[tuple[arb, arb]], enough: arb
    ) -> arb:
        """An upper bound of G everywhere in the cell.

        Args:
            corners: all of them.
            outcomes: where each outcome is at its extremes.
            bends: of each outcome (bend, twist); both 0 where every point is a corner.
            enough: a bound that is no larger need not be better.
        """
        alone = []
        for outcome, reach in enumerate(outcomes):
            low, high = (self._excess(end.ratio[outcome], end.power[outcome]) for end in (reach.low, reach.high))
            most = reach.most.upper()
            alone.append(_smaller(most * _larger(low, high), self.small(most)))
        by_order = sum(alone, arb(0)).upper()
        if by_order <= enough:
            return by_order
        by_curvature = reduce(_larger, (corner.total for corner in corners))
        for outcome, (reach, (bend, twist)) in enumerate(zip(outcomes, bends, strict=True)):
            steep = away = arb(0)
            for end in (reach.low, reach.high):
                ratio = end.ratio[outcome]
                steep = _larger(steep, abs(end.power[outcome] / ratio - 1))
                away = _larger(away, abs(ratio - 1))
            # An outcome may be left out of the convex sum and bounded alone: the corners' sums are only smaller.
            by_curvature += _smaller(self.order * steep * (twist + away * bend), alone[outcome])
        return _smaller(by_order, by_curvature)

    def _excess(self, ratio: arb, power: arb) -> arb:
        """A ball around f(y)."""
        return power - 1 - self.order * (ratio - 1)

    def _power(self, ratio: arb) -> arb:
        return ratio**self._whole if self._whole is not None else (self.order * ratio.log()).exp()


def ratios(p: Sequence[arb], q: Sequence[arb]) -> list[arb]:
    """P / q of each outcome."""
    return [x / y for x, y in zip(p, q, strict=True)]


def _larger(x: arb, y: arb) -> arb:
    """The upper end of the larger; infinite if one is not finite."""
    return x.upper().max(y.upper()) if x.is_finite() and y.is_finite() else arb("inf")


def _smaller(x: arb, y: arb) -> arb:
    """The upper end of the smaller of two upper bounds; one that is not finite says nothing."""
    if not x.is_finite():
        return y.upper()
    return x.upper().min(y.upper()) if y.is_finite() else x.upper()


def enclosed(low: int, missing: int, bits: int) -> arb:
    """A ball around a probability of at least ``low`` and at most ``low + missing`` units of 2^-bits."""
    unit = arb(2) ** -bits
    return (arb(low) * unit).union(arb(low + missing) * unit)
