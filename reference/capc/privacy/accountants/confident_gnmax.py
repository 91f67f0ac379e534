"""The joint Renyi cost of a confident step: check and answer released as one thing, answer only if the check passes.

For answer probabilities p and p' of two neighbours, and c the answer's cost at order a, the step costs at most
1/(a-1) ln((1-p)^a (1-p')^(1-a) + p^a p'^(1-a) exp((a-1) c)), as check and answer have draws of their own.

Whether the check passes is a function of counts with a Gaussian draw each, which neighbours move by at most D. Whatever
function it is, of the largest sum or, with offsets on shares, of sums that wrap, no test tells two Gaussian vectors at
distance D better than the likelihood ratio does (Neyman and Pearson). So p = Phi(u + s), p' = Phi(u) for some real u,
with |s| <= delta = D / sigma1, where D^2 = 2 W^2 under replace_one, as one count grows and another shrinks, and W^2
under null_vote. The formula is convex in p, so its maximum over s is at s = delta or -delta; over u it is found by
branch and bound, with a proven upper end.

The result is between c and the sum of the two parts, c + a delta^2 / 2. An account that uses it charges it always,
whether an answer left or not: taking the cheaper of joint and separate after seeing the answer is unsound.

Spec: CAPC-ACCT-108.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from flint import arb, ctx

from capc.privacy.accountants.ball_arithmetic import ball, decimal_upper, normal_cdf, require

_PRECISION = 128
_RELATIVE_GAP = Fraction(1, 1 << 10)
_MAX_CELLS = 2_000
# No fewer than for a bound: a claim is checked with the cells that it was found with.
_MAX_CHECKED_CELLS = 8_000
_TAIL_NATS = 60
_LARGEST_NATS = 10_000
_LARGEST_ORDER = 1 << 12


def joint_renyi_upper(order: Fraction, check_mu_squared: Fraction, answer_cost: Fraction) -> Fraction:
    """An upper bound of the joint Renyi cost, for ordinary arguments at most 2^-10 relative above the maximum.

    Args:
        order: a > 1.
        check_mu_squared: delta^2 = D^2 / sigma1^2 of the Gaussian noise of the check, above 0.
        answer_cost: c, of the answer alone at this order, above 0.

    Returns:
        A decimal of 12 digits, at most the sum of the separate parts; the sum itself where (a - 1) times it is above
        1e4, or the order above 2^12.

    Raises:
        InputError: an argument is out of range.
    """
    separate = _separate(order, check_mu_squared, answer_cost)
    if _is_extreme(order, separate):
        return separate
    with ctx.workprec(_PRECISION):
        step = _Step.of(order, check_mu_squared, answer_cost)
        top = max((step.largest(sign) for sign in (1, -1)), key=lambda value: value.upper())
        joint = top / ball(order - 1)
        return min(separate, decimal_upper(joint))


def joint_cost_holds(order: Fraction, check_mu_squared: Fraction, answer_cost: Fraction, claim: Fraction) -> bool:
    """Whether a claim is certified to bound the joint Renyi cost, however it was found.

    Every claim that :func:`joint_renyi_upper` returns holds, also where it was given fewer cells, or somewhat more.

    Args:
        order: a > 1.
        check_mu_squared: as of :func:`joint_renyi_upper`.
        answer_cost: c.
        claim: the cost that is claimed.

    Raises:
        InputError: an argument is out of range.
    """
    separate = _separate(order, check_mu_squared, answer_cost)
    if claim >= separate:
        return True
    if claim < answer_cost or _is_extreme(order, separate):
        return False
    with ctx.workprec(_PRECISION):
        step = _Step.of(order, check_mu_squared, answer_cost)
        return all(step.stays_below(sign, ball((order - 1) * claim)) for sign in (1, -1))


def _separate(order: Fraction, check_mu_squared: Fraction, answer_cost: Fraction) -> Fraction:
    require(order > 1, "order", order, "give an order above 1")
    require(check_mu_squared > 0, "check_mu_squared", check_mu_squared, "give a cost above 0")
    require(answer_cost > 0, "answer_cost", answer_cost, "give a cost above 0")
    return answer_cost + order * check_mu_squared / 2


def _is_extreme(order: Fraction, separate: Fraction) -> bool:
    """Whether the search would take minutes, for orders and costs that no account has a use for."""
    return order > _LARGEST_ORDER or (order - 1) * separate > _LARGEST_NATS


_Cells = list[tuple[float, int, Fraction, Fraction, arb]]
"""A heap of intervals of u: the bound on it, negated and rounded, its number, both ends, and the bound."""


@dataclass(frozen=True)
class _Step:
    """The formula's logarithm as a function of u, for a sign of the shift.

    Attributes:
        order: a.
        shift: delta.
        gain: (a - 1) c.
    """

    order: arb
    shift: arb
    gain: arb

    @classmethod
    def of(cls, order: Fraction, check_mu_squared: Fraction, answer_cost: Fraction) -> _Step:
        """The formula of these arguments, at the working precision."""
        return cls(ball(order), ball(check_mu_squared).sqrt(), ball((order - 1) * answer_cost))

    def largest(self, sign: int) -> arb:
        """An upper bound of the logarithm over all real u."""

        def enough(cells: _Cells, floor: arb) -> bool:
            return bool(cells[0][-1] <= floor * ball(1 + _RELATIVE_GAP)) or cells[0][1] > _MAX_CELLS

        cells = self._divided(sign, enough)
        # The heap is ordered by rounded numbers only.
        return reduce(arb.max, (cell[-1].upper() for cell in cells), self._tails(self._reach()).upper())

    def stays_below(self, sign: int, target: arb) -> bool:
        """Whether the logarithm is certified to be at most the target for all real u."""

        def holds(cells: _Cells) -> bool:
            return all(cell[-1] <= target for cell in cells)

        def enough(cells: _Cells, floor: arb) -> bool:
            return holds(cells) or bool(floor > target) or cells[0][1] > _MAX_CHECKED_CELLS

        return bool(self._tails(self._reach()) <= target) and holds(self._divided(sign, enough))

    def _divided(self, sign: int, enough: Callable[[_Cells, arb], bool]) -> _Cells:
        """Cells that cover all u but the tails, worst first, halved until they are enough.

        Args:
            sign: of the shift.
            enough: asked with the cells, and a lower bound of the maximum.
        """
        numbers = itertools.count()
        reach, floor = self._reach(), self.gain.lower()

        cells: _Cells = []

        def push(low: Fraction, high: Fraction) -> None:
            bound = self._cell(sign, low, high)
            heapq.heappush(cells, (-float(bound.upper()), next(numbers), low, high, bound))

        push(-reach, reach)
        while not enough(cells, floor):
            _, _, low, high, _ = heapq.heappop(cells)
            middle = (low + high) / 2
            floor = floor.max(self._log(sign, ball(middle)).lower())
            push(low, middle)
            push(middle, high)
        return cells

    def _log(self, sign: int, u: arb) -> arb:
        return _log_sum(*self._parts(sign, u))

    def _parts(self, sign: int, u: arb) -> tuple[arb, arb]:
        moved = u + sign * self.shift
        a = self.order
        withheld = a * normal_cdf(-moved).log() + (1 - a) * normal_cdf(-u).log()
        answered = a * normal_cdf(moved).log() + (1 - a) * normal_cdf(u).log() + self.gain
        return withheld, answered

    def _cell(self, sign: int, low: Fraction, high: Fraction) -> arb:
        """The smaller of two upper bounds on a cell: by monotonicity of Phi, and by the mean value theorem."""
        middle = (low + high) / 2
        slope = self._slope(sign, low, high)
        half = ball((high - low) / 2)
        return self._ends(sign, ball(low), ball(high)).min(self._log(sign, ball(middle)) + abs(slope).upper() * half)

    def _ends(self, sign: int, low: arb, high: arb) -> arb:
        a, shift = self.order, sign * self.shift
        withheld = a * normal_cdf(-low - shift).log() + (1 - a) * normal_cdf(-high).log()
        answered = a * normal_cdf(high + shift).log() + (1 - a) * normal_cdf(low).log() + self.gain
        return _log_sum(withheld, answered)

    def _slope(self, sign: int, low: Fraction, high: Fraction) -> arb:
        a, shift = self.order, sign * self.shift
        left, right = ball(low), ball(high)
        withheld = -a * _hazard_difference(left, right, shift) - _hazard(left, right)
        answered = a * _hazard_difference(-right, -left, -shift) + _hazard(-right, -left)
        # The slope is a mean of the two, weighted by the parts; the difference of their logarithms moves by at most
        # its own slope times half the width.
        parts = self._parts(sign, ball((low + high) / 2))
        spread = abs(withheld - answered).upper() * ball((high - low) / 2)
        difference = parts[0] - parts[1] + (-spread).union(spread)
        weight, other = _part(difference), _part(-difference)
        # Three ways to enclose the same mean; a part without weight is wide where its weight is near 0.
        means = (
            withheld.union(answered),
            withheld + weight * (answered - withheld),
            other * withheld + weight * answered,
        )
        return min(means, key=lambda mean: float(mean.rad()))

    def _reach(self) -> Fraction:
        """Beyond it both ends are bounded by :meth:`_tails`."""
        a, shift = self.order, self.shift
        nats = a * (a - 1) * shift * shift / 2 + self.gain + _TAIL_NATS
        return Fraction(int(float((a * shift + (2 * nats).sqrt() + a.log() + 1).upper())) + 1)

    def _tails(self, reach: Fraction) -> arb:
        """Upper bounds for u <= -reach and for u >= reach.

        By Hoelder's inequality (1-p)^a (1-p')^(1-a) <= e^(a(a-1)delta^2/2) Phi(-u - a s), and likewise for the other
        part with Phi(u + a s); the other factor is at most Phi(reach)^(1-a), because p or 1 - p is at most 1.
        """
        a, shift, end = self.order, self.shift, ball(reach)
        near = normal_cdf(end) ** (1 - a)
        far = (a * (a - 1) * shift * shift / 2).exp() * normal_cdf(a * shift - end)
        left = near + self.gain.exp() * far
        right = self.gain.exp() * near + far
        return left.max(right).log()


def _part(difference: arb) -> arb:
    """A ball around 1 / (1 + e^difference), which lies between 0 and 1."""
    return (1 / (1 + difference.exp())).intersection(arb(0).union(arb(1)))


def _log_sum(x: arb, y: arb) -> arb:
    largest = x.max(y)
    return largest + ((x - largest).exp() + (y - largest).exp()).log()


def _hazard(low: arb, high: arb) -> arb:
    """A ball around h(x) = phi(x) / Phi(-x) for low <= x <= high; the function grows with x."""
    return _hazard_at(low).union(_hazard_at(high))


def _hazard_difference(low: arb, high: arb, shift: arb) -> arb:
    """A ball around h(x + shift) - h(x); h is convex (Sampford 1953), so the difference is monotone in x."""
    return (_hazard_at(low + shift) - _hazard_at(low)).union(_hazard_at(high + shift) - _hazard_at(high))


def _hazard_at(x: arb) -> arb:
    return (-x * x / 2).exp() / ((2 * arb.pi()).sqrt() * normal_cdf(-x))
