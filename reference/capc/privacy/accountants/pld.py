"""The exact privacy-loss distribution of discrete Gaussian noise, for counts that were fixed in advance.

One number with noise of variance v, shifted by D, has the privacy loss (D^2 - 2 n D) / (2 v), linear in the noise n.
Numbers with the same v and D therefore compose on a lattice: the loss of m of them depends on the sum N of their noises
only, and nothing is discretised. The law of N is a power of one law, computed in integers that are rounded up; both
tails that are cut off are added to delta in full.

Two groups at most (answers and checks): their losses are on different lattices, so one is summed over the other.

Why one pair of laws is enough: neighbours shift the same numbers by D or by 0, the law is symmetric, and a release that
depends on earlier ones is dominated by the same pair (Zhu, Dong and Wang 2022, arXiv 2106.08567).

Source: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010, Theorem 7 in version 3) for one number. Spec: CAPC-ACCT-105.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate, takewhile
from math import isqrt, lcm

from flint import arb, ctx, fmpz_poly

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian
from capc.privacy.accountants.ball_arithmetic import LARGEST, ball, decimal_step, exact_upper, require
from capc.privacy.accountants.conversion import DELTA_FLOOR, check_delta
from capc.privacy.accountants.steps import Step, Steps

MAX_NUMBERS = 100_000
"""Noised numbers of one group."""
MAX_REACH = 1 << 17
"""Lattice points of one noise law to either side. Where it is wider, zCDP loses next to nothing against it."""
MAX_WIDTH = 4 * MAX_REACH
"""Lattice points of a law of sums, about."""

_GUARD_BITS = 72
_THIN_BITS = _GUARD_BITS // 4
_NARROWER = "less noise or a coarser grid, or use zcdp"


@dataclass(frozen=True)
class Group:
    """Noised numbers of one kind.

    Attributes:
        count: m, how many.
        variance: v in squared grid units.
        shift: D in grid units.
    """

    count: int
    variance: Fraction
    shift: int


class PrivacyLossDistribution:
    """The composed privacy-loss distribution, as upper bounds of probabilities.

    Args:
        steps: what was done, all with discrete Gaussian noise, each moving every changed number by the same distance.
        smallest_delta: the smallest delta that will be asked for; tails far below it are cut.

    Raises:
        InputError: another noise, a joint step, a protected unit with several votes, more than two groups of numbers,
            or a law too wide to be summed up.
    """

    def __init__(self, steps: Steps, smallest_delta: Fraction) -> None:
        check_delta(smallest_delta)
        groups = sorted(groups_of(steps), key=lambda group: group.count * group.variance)
        if len(groups) > 2:
            raise InputError(
                f"{len(groups)} kinds of noised numbers: the loss distribution sums up at most 2; use zcdp"
            )
        self._bits = smallest_delta.denominator.bit_length() + _GUARD_BITS
        # All widths before any law: none is computed in vain.
        for group in groups:
            _check_width(group, self._bits)
        laws = [_Law(group, self._bits) for group in groups]
        self._lost = sum((law.lost for law in laws), Fraction(0))
        self._outer = laws[:-1]
        self._inner = laws[-1] if laws else None

    def delta_upper(self, epsilon: Fraction, *, once: bool = False) -> Fraction:
        """An upper bound of the smallest delta for which (epsilon, delta)-DP holds.

        Args:
            epsilon: from 0 to 1e9.
            once: whether no other epsilon will be asked for, which saves what makes others quick.

        Raises:
            InputError: epsilon is out of range.
        """
        require(0 <= epsilon <= LARGEST, "epsilon", epsilon, "give a value from 0 to 1e9")
        if self._inner is None:
            return Fraction(0)
        with ctx.workprec(2 * self._bits):
            factor = ball(epsilon).exp()
            if not self._outer:
                total = (self._inner.excess_once if once else self._inner.excess)(epsilon, factor)
            else:
                total = self._outer[0].excess_with(self._inner, epsilon, factor)
            return min(Fraction(1), max(exact_upper(total) + self._lost, DELTA_FLOOR))


def pld_epsilon(steps: Steps, delta: Fraction) -> Fraction:
    """The smallest epsilon, rounded up to 12 digits, for which (epsilon, delta)-DP is certified.

    Raises:
        InputError: as :class:`PrivacyLossDistribution`, or epsilon is above 1e9.
    """
    distribution = PrivacyLossDistribution(steps, delta)
    if distribution.delta_upper(Fraction(0)) <= delta:
        return Fraction(0)
    return decimal_step(lambda epsilon: distribution.delta_upper(epsilon) <= delta)[1]


def pld_fits(steps: Steps, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether (epsilon, delta)-DP is certified: far quicker than :func:`pld_epsilon`, and no less tight.

    Raises:
        InputError: as :class:`PrivacyLossDistribution`, or epsilon is out of range.
    """
    return PrivacyLossDistribution(steps, delta).delta_upper(epsilon, once=True) <= delta


def groups_of(steps: Steps) -> list[Group]:
    """The noised numbers of steps that can differ, by variance and shift.

    Raises:
        InputError: as :class:`PrivacyLossDistribution`.
    """
    counts: dict[tuple[Fraction, int], int] = defaultdict(int)
    for step, times in steps.items():
        if not isinstance(step, Step) or not isinstance(step.noise, DiscreteGaussian):
            raise InputError("the loss distribution is for discrete_gaussian noise, charged separately: use zcdp")
        changed = step.sensitivity.changed
        shift = step.sensitivity.absolute / changed
        if changed * shift**2 != step.sensitivity.squared:
            raise InputError(
                "the loss distribution is for one vote per protected unit, which moves all numbers alike: use zcdp"
            )
        unit = 1 << step.noise.grid_bits
        counts[(step.noise.sigma_votes * unit) ** 2, int(shift * unit)] += times * changed
    return [Group(count, variance, shift) for (variance, shift), count in counts.items() if count]


class _Law:
    """The law of the sum N of a group's noises, in units of 2^-bits, rounded up; N runs over a range.

    Attributes:
        bits: of the fixed point.
        law: upper bounds of P(N), for N = start, start + 1, ...
        start: the smallest N.
        lost: an upper bound of the probability outside the range.
    """

    def __init__(self, group: Group, bits: int) -> None:
        self.group = group
        self.bits = bits
        law = _power(_single(group.variance, bits), group.count, bits)
        self.law, self.start, self.lost = law.values, law.start, law.lost
        with ctx.workprec(2 * bits):
            self._growth = ball(Fraction(group.shift, 1) / group.variance).exp()
            self._first = (-ball(self.loss(0))).exp()

    @cached_property
    def _weighted(self) -> list[arb]:
        """P(N) e^-loss at each N: e^-loss grows by the factor e^(D / v) with each place."""
        with ctx.workprec(2 * self.bits):
            growth = self._growth
            shrink = accumulate(range(len(self.law) - 1), lambda value, _: value * growth, initial=self._first)
            return [value * factor for value, factor in zip(self.law, shrink, strict=True)]

    @cached_property
    def _below(self) -> list[arb]:
        with ctx.workprec(2 * self.bits):
            return [arb(0), *accumulate(self._weighted)]

    @cached_property
    def _mass(self) -> list[int]:
        return [0, *accumulate(self.law)]

    def loss(self, place: int) -> Fraction:
        """The privacy loss at N = start + place."""
        group = self.group
        n = self.start + place
        return (group.count * group.shift**2 - 2 * n * group.shift) / (2 * group.variance)

    def excess(self, least: Fraction, factor: arb) -> arb:
        """Sum of P(N) (1 - e^(least - loss)) over the N whose loss is above ``least``; ``factor`` is e^least."""
        places = self._places(least)
        return (self._mass[places] - factor * self._below[places]) / (1 << self.bits)

    def excess_once(self, least: Fraction, factor: arb) -> arb:
        """As :meth:`excess`, without the tables that make further ones quick."""
        some = self.law[: self._places(least)]
        return (sum(some) - factor * self._first * fmpz_poly(list(some))(self._growth)) / (1 << self.bits)

    def _places(self, least: Fraction) -> int:
        """How many N have a loss above ``least``."""
        edge = self._edge(least)
        return min(max(-(-edge.numerator // edge.denominator), 0), len(self.law))

    def excess_with(self, inner: _Law, epsilon: Fraction, factor: arb) -> arb:
        """The same of the sum of this loss and an inner one: sum over N here of P(N) excess(epsilon - loss).

        The inner edge is linear in N, so it is counted in whole numbers: this is done for every N, and often.
        """
        first = inner._edge(epsilon - self.loss(0))
        growth = inner._edge(epsilon - self.loss(1)) - first
        unit = lcm(first.denominator, growth.denominator)
        edge, growth_units = int(first * unit), int(growth * unit)
        mass, below, last = 0, arb(0), len(inner.law)
        for weight, weighted in zip(self.law, self._weighted, strict=True):
            places = min(max(-(-edge // unit), 0), last)
            edge += growth_units
            if places:
                mass += weight * inner._mass[places]
                below += weighted * inner._below[places]
        return (mass - factor * below) / (1 << (self.bits + inner.bits))

    def _edge(self, least: Fraction) -> Fraction:
        """The place up to which losses are above ``least``, as they fall with N."""
        group = self.group
        return (group.count * group.shift**2 - 2 * group.variance * least) / (2 * group.shift) - self.start


@dataclass(frozen=True)
class _Masses:
    """Upper bounds of probabilities in units of 2^-bits, on a range of integers, and of what lies outside."""

    values: Sequence[int]
    start: int
    lost: Fraction


def _check_width(group: Group, bits: int) -> None:
    """Refuses a law that would be too wide to be summed up, at once."""
    count, deviation, width = group.count, float(group.variance) ** 0.5, _width(group, bits)
    require(count <= MAX_NUMBERS, "noised numbers", count, f"give at most {MAX_NUMBERS}, or use zcdp")
    require(_reach(group.variance, bits) <= MAX_REACH, "sigma in grid units", deviation, f"give {_NARROWER}")
    most = f"at most {MAX_WIDTH} places are summed up: give fewer queries, {_NARROWER}"
    require(width <= MAX_WIDTH, "width of the loss distribution", width, most)


def _width(group: Group, bits: int) -> int:
    """How many places the law of a group's sum has, a little too few.

    Of a sum with variance V the places stay whose tail is above 2^-(bits - 18), about sqrt(8 V (bits - 18) ln 2): 4.9
    is below 8 ln 2 by more than a normal tail is thinner than its exponential, and than the ends that are cut after
    each of the squarings take off again.
    """
    return isqrt(int(group.count * group.variance * (bits - _THIN_BITS) * Fraction(49, 10)))


def _reach(variance: Fraction, bits: int) -> int:
    """How far one number's law is computed: e^(-R^2 / 2v) <= 2^-bits for R^2 >= 2 v bits ln 2, and 1.4 > 2 ln 2."""
    square = variance * bits * Fraction(7, 5)
    return isqrt(square.numerator // square.denominator) + 2


@lru_cache(maxsize=4)
def _single(variance: Fraction, bits: int) -> _Masses:
    """The law of one discrete Gaussian number up to both tails of less than about 2^-bits.

    The tail beyond R is at most 2 e^(-R^2 / 2v) / (1 - e^(-R / v)), as its terms fall at least geometrically.
    """
    reach = _reach(variance, bits)
    with ctx.workprec(2 * bits):
        rate = -1 / (2 * ball(variance))
        weights = [(rate * (n * n)).exp() for n in range(reach + 1)]
        total = 2 * sum(weights, arb(0)) - weights[0]
        half = [_ceiling(weight / total * (1 << bits)) for weight in weights]
        outside = 2 * weights[reach] / (1 - (-ball(reach / variance)).exp()) / total
        lost = exact_upper(outside)
    return _Masses([*half[:0:-1], *half], -reach, lost)


def _power(base: _Masses, count: int, bits: int) -> _Masses:
    """The law of the sum of ``count`` independent numbers, by repeated squaring."""
    result: _Masses | None = None
    while True:
        if count & 1:
            result = base if result is None else _sum(result, base, bits)
        count >>= 1
        if not count:
            if result is None:
                raise InputError("a group of noised numbers is empty")
            return result
        base = _sum(base, base, bits)


def _sum(left: _Masses, right: _Masses, bits: int) -> _Masses:
    """Of two independent numbers. What was lost of either is lost of the sum; thin ends are cut and added to it."""
    product = fmpz_poly(list(left.values)) * fmpz_poly(list(right.values))
    values = [-(-int(value) >> bits) for value in product.coeffs()]
    low = min(_thin(values), len(values) - 1)
    high = max(len(values) - _thin(reversed(values)), low + 1)
    lost = left.lost + right.lost + Fraction(sum(values[:low]) + sum(values[high:]), 1 << bits)
    return _Masses(values[low:high], left.start + right.start + low, lost)


def _thin(values: Iterable[int]) -> int:
    """How many values at the beginning have next to no mass together."""
    return sum(1 for _ in takewhile(lambda mass: mass <= 1 << _THIN_BITS, accumulate(values)))


def _ceiling(value: arb) -> int:
    upper = exact_upper(value)
    return -(-upper.numerator // upper.denominator)
