"""The Renyi cost of one released label, certified.

Only the label leaves, so the cost is not that of the whole noised histogram: given the best of the unchanged
candidates there are three outcomes (two under null_vote), and the cost is at most the largest over two numbers,
whatever the numbers of classes and of parties are. A threshold that the largest noised count must reach is one more
unchanged candidate.

Outside of a square of two numbers something is improbable, and what is left has two outcomes (:func:`_outside`).

Source: section 12 of the specification, with its proofs.
Spec: CAPC-ACCT-121.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from flint import arb, ctx

from capc.foundation.errors import InputError
from capc.noise.grid_noise import check_order
from capc.noise.mechanism import RoundedGaussian
from capc.privacy.accountants.argmax.cell import Divergence
from capc.privacy.accountants.argmax.noise_table import Noise, NoiseTable, noise_table
from capc.privacy.accountants.argmax.subdivision import largest
from capc.privacy.accountants.argmax.three_intervals import Intervals
from capc.privacy.accountants.argmax.three_outcomes import Tournament
from capc.privacy.accountants.argmax.two_outcomes import Threshold
from capc.privacy.accountants.ball_arithmetic import ball, decimal_upper, normal_cdf, round_up
from capc.privacy.accountants.steps import Noise as AnyNoise
from capc.privacy.accountants.unit import ProtectedUnit, Relation


class Adversary(StrEnum):
    """Against whom a figure holds: the querying party, which sees the labels."""

    SEMI_HONEST = "semi_honest"
    """It follows the protocol, and keeps what it sees."""
    CHEATING = "cheating_querying_party"
    """It adds what it likes to its shares of the votes, and chooses it as it likes."""


GAP = Fraction(1, 1200)
"""How far, in parts of itself, a bound may be above the best point that was found."""
_PRECISION = 160
_GAP_BITS = 13
_MAX_TAIL_BITS = 2000
_TABLE_BITS = 48
Limit = Callable[[arb], arb]
"""Of :func:`~capc.privacy.accountants.argmax.subdivision.largest`."""
Upper = Callable[[Limit], arb]
"""An upper bound of G, as good as the limit asks for."""


def argmax_cost(
    noise: AnyNoise, order: Fraction, unit: ProtectedUnit, adversary: Adversary = Adversary.SEMI_HONEST
) -> Fraction:
    """A certified upper bound of a label's Renyi divergence at an order, in decimals of 12 digits.

    It is at most the cost of the whole noised histogram, which is what it returns where the bounds below find nothing
    better: at little noise and large orders, and for integer laws against a cheating querying party.

    Args:
        noise: on each class's votes; one draw per class.
        order: above 1.
        unit: whom the figure protects: one vote of any weight that is on the noise's grid.
        adversary: against whom.

    Raises:
        InputError: the order, the unit or the noise cannot be used.
    """
    return _cost(_drawn_at_once(noise), order, unit, adversary)


def argmax_cost_holds(
    noise: AnyNoise,
    order: Fraction,
    unit: ProtectedUnit,
    claim: Fraction,
    adversary: Adversary = Adversary.SEMI_HONEST,
) -> bool:
    """Whether it is certified that a label costs at most the claim. No search for the worst case is needed for it.

    Args and Raises: as :func:`argmax_cost`.
    """
    return _holds(_drawn_at_once(noise), order, unit, claim, adversary)


@lru_cache(maxsize=256)
def _cost(noise: Noise, order: Fraction, unit: ProtectedUnit, adversary: Adversary) -> Fraction:
    whole = _whole_cost(noise, order, unit)
    with ctx.workprec(_PRECISION):
        upper = _question(noise, order, unit, adversary)
        if upper is None:
            return whole
        found = upper(lambda best: best * (1 + ball(GAP)))
        if not found.is_finite():
            return whole
        return min(whole, decimal_upper((1 + found).log() / ball(order - 1)))


@lru_cache(maxsize=256)
def _holds(noise: Noise, order: Fraction, unit: ProtectedUnit, claim: Fraction, adversary: Adversary) -> bool:
    if claim >= _whole_cost(noise, order, unit):
        return True
    with ctx.workprec(_PRECISION):
        upper = _question(noise, order, unit, adversary)
        if upper is None or claim <= 0:
            return False
        allowed = (ball(order - 1) * ball(claim)).expm1().lower()
        return bool(upper(lambda _: allowed) <= allowed)


def _drawn_at_once(noise: AnyNoise) -> Noise:
    if not isinstance(noise, Noise):
        raise InputError(
            f"{type(noise).__name__} noise has no cost of a label here: take rounded_gaussian, discrete_gaussian or "
            "skellam, or charge the whole histogram"
        )
    return noise


def _whole_cost(noise: Noise, order: Fraction, unit: ProtectedUnit) -> Fraction:
    """Of the whole noised histogram."""
    check_order(order)
    if len(unit.weights) != 1:
        raise InputError(
            f"weights = {', '.join(map(str, unit.weights))}: the cost of a label is for a record in one party, with "
            "one vote: charge the whole histogram"
        )
    if not unit.fits_grid(noise.grid_bits):
        raise InputError(f"weight = {unit.influence}: give a whole multiple of 2^-{noise.grid_bits} votes, the grid")
    return round_up(noise.rdp_cost(order, unit.histogram))


@dataclass(frozen=True)
class _Question:
    """How large G can be.

    Attributes:
        table: of one class's noise.
        shift: D in grid units.
        three: whether there are three outcomes.
        divergence: the order.
        end: the square's half side.
        side: of its first cells.
    """

    table: NoiseTable
    shift: int
    three: bool
    divergence: Divergence
    end: int
    side: int

    def upper(self, limit: Limit) -> arb:
        """An upper bound of G; ``limit`` as of :func:`largest`."""
        if not self.three:
            return self._two(self.table, self.shift, self.end, limit)
        found = self._outside(limit)
        for tau in (0, 1):
            family = Tournament(self.table, self.shift, tau, self.divergence, self.end, self.side)
            found = found.max(largest(family, _above(found, limit)))
        return found

    def _two(self, table: NoiseTable, shift: int, end: int, limit: Limit) -> arb:
        """Of two outcomes. Beyond the end one of them is improbable under the second law, and tells little."""
        inside = largest(Threshold(table, shift, self.divergence, end), limit)
        rare = ball(table.tail(end))
        return inside.max(((1 - rare) ** -self.divergence.less + self.divergence.hoelder * rare.sqrt() - 1).upper())

    def _outside(self, limit: Limit) -> arb:
        """Of three outcomes outside of the square, where there are two and an event apart.

        Let t bound P[Z >= end - D], so that an event E of probability at most t under the second law costs at most
        C sqrt(t) (see :mod:`~capc.privacy.accountants.argmax.cell`), and let the label be told together with E.

        - A < -end, or B < -end: E is that this class beats the best other candidate. Otherwise the label is a matter
          of the other class alone, independent of E: (1 - t)^(1 - a) (1 + G of one class) + C sqrt(t).
        - A > end or B > end: E is that this class does not beat the best other candidate. Otherwise i wins or not by
          the difference of both: see :func:`_dependent`.
        """
        # Under the second law it is B + D that tells whether j beats the best other candidate.
        rare = ball(self.table.tail(self.end - self.shift))
        alone = _Apart((1 - rare) ** -self.divergence.less, self.divergence.hoelder * rare.sqrt())
        paired = _dependent(self.divergence, rare)
        single = self._two(self.table, self.shift, self.end, alone.without(limit))
        pair = self._two(self.table.doubled(), 2 * self.shift, 2 * self.end, paired.without(limit))
        return alone.added(single).max(paired.added(pair))


@dataclass(frozen=True)
class _Apart:
    """What an event apart adds: from G of the rest to G of all, factor (1 + G) + extra - 1."""

    factor: arb
    extra: arb

    def added(self, rest: arb) -> arb:
        """An upper bound of all."""
        return (self.factor * (1 + rest) + self.extra - 1).upper()

    def without(self, limit: Limit) -> Limit:
        """How large the rest may stay, so that all stays below the limit."""
        return lambda best: ((limit(self.added(best)) + 1 - self.extra) / self.factor - 1).lower()


def _dependent(divergence: Divergence, rare: arb) -> _Apart:
    """With an event of probability at most t under the second law that may depend on the rest.

    An event I of the rest keeps q(I) - t >= q(I) (1 - sqrt(t)), unless q(I) < sqrt(t), and then it costs at most
    C t^(1/4): (1 - sqrt(t))^(1 - a) (1 + G) + C (t^(1/4) + sqrt(t)). Of two events one at most is so improbable.
    """
    root = rare.sqrt()
    return _Apart((1 - root) ** -divergence.less, divergence.hoelder * (root.sqrt() + root))


def _above(found: arb, limit: Limit) -> Limit:
    """What was found elsewhere may be reached here, too; the gap is to points, so that gaps do not add up."""
    return lambda best: limit(best).max(found)


def _question(noise: Noise, order: Fraction, unit: ProtectedUnit, adversary: Adversary) -> Upper | None:
    """What bounds G, given how good it must be; None if it would take tables that are too large.

    The square is so large that what is outside of it hardly counts.
    """
    # C^2 = E_q[(p / q)^(2a)], of the whole histogram.
    nats = ball(2 * order - 1) * ball(noise.rdp_cost(2 * order, unit.histogram)) / 2
    hardly = (ball(order - 1) * ball(noise.rdp_cost(order, unit.histogram))).expm1().min(arb(1))
    bits = 4 * (_GAP_BITS + (nats - hardly.log()) / arb(2).log())
    if not bits <= _MAX_TAIL_BITS:
        return None
    tail_bits = int(float(bits.upper())) + 1
    divergence = Divergence(order, nats.exp().upper())
    three = unit.relation is Relation.REPLACE_ONE
    if three and adversary is Adversary.CHEATING:
        if not isinstance(noise, RoundedGaussian):
            return None
        return lambda limit: _against_offsets(noise.cost(unit.histogram.squared), divergence, tail_bits, limit)
    try:
        table = noise_table(noise, tail_bits + _TABLE_BITS)
    except InputError:
        return None
    rare = Fraction(1, 1 << tail_bits)
    reach = next((y for y in range(table.reach + 2) if table.tail(y) <= rare), None)
    if reach is None:
        return None
    side = 1 << max(int(float(noise.variance) ** 0.5 * 3).bit_length() - 1, 0)
    shift = int(unit.influence * (1 << noise.grid_bits))
    end = -(-(reach + shift) // side) * side
    return _Question(table, shift, three, divergence, end, side).upper


def _against_offsets(mu_squared: Fraction, divergence: Divergence, tail_bits: int, limit: Limit) -> arb:
    """Of three intervals of one Gaussian number.

    Where u < -end or u + w > end, an event of probability at most t is apart from two intervals; these are part of the
    square's family, as telling less costs no more, or they are improbable themselves.
    """
    # Phi(-x) <= exp(-x^2 / 2), and 2 ln 2 < 1.4.
    end = isqrt(14 * tail_bits // 10) + 1
    apart = _dependent(divergence, normal_cdf(-arb(end)))
    return apart.added(largest(Intervals(ball(mu_squared).sqrt(), divergence, end), apart.without(limit)))
