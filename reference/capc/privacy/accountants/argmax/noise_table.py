"""Integer noise as numbers in fixed point: a lower bound of each probability, and how much is missing of all together.

Probabilities sum to 1, so what the lower bounds leave out, tails included, is known exactly: it is 1 minus their sum.
The probability of any event is at least the sum of its lower bounds, and at most that plus what is missing. No bound
on a tail or on a rounding is needed beside it.

Spec: CAPC-ACCT-121.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from math import isqrt

from flint import arb, ctx, fmpz_poly

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.ball_arithmetic import ball

Noise = RoundedGaussian | DiscreteGaussian | Skellam
"""Symmetric integer noise whose probabilities are log-concave: what the lemmas ask for."""

MAX_REACH = 1 << 18
"""Grid units from 0 to the last number of a table."""
_GUARD_BITS = 64


@dataclass(frozen=True)
class NoiseTable:
    """The law of one integer Z, symmetric about 0.

    Attributes:
        bits: of the fixed point: one unit is 2^-bits.
        masses: lower bounds of P[Z = y] in units, for y = -reach .. reach.
    """

    bits: int
    masses: tuple[int, ...]

    @property
    def reach(self) -> int:
        """The largest number that has an entry."""
        return len(self.masses) // 2

    @cached_property
    def missing(self) -> int:
        """How many units of probability are in no entry."""
        return (1 << self.bits) - sum(self.masses)

    @cached_property
    def cumulated(self) -> tuple[int, ...]:
        """Lower bounds of P[Z <= y], for y = -reach .. reach."""
        return tuple(accumulate(self.masses))

    def below(self, y: int) -> int:
        """A lower bound of P[Z <= y] = P[Z >= -y], which lacks at most what is missing."""
        place = y + self.reach
        return 0 if place < 0 else self.cumulated[min(place, len(self.masses) - 1)]

    def tail(self, y: int) -> Fraction:
        """An upper bound of P[Z >= y]."""
        return Fraction(self.below(-y) + self.missing, 1 << self.bits)

    @cached_property
    def steepness(self) -> tuple[arb, arb, arb]:
        """Upper bounds of the largest probability, of the largest step between neighbours, and of the largest bend.

        An entry lacks at most what is missing, and so does a number that has none.
        """
        padded = (0, 0, *self.masses, 0, 0)
        steps = [right - left for left, right in pairwise(padded)]
        bends = [right - left for left, right in pairwise(steps)]
        found = (max(padded) + self.missing, max(map(abs, steps)) + self.missing)
        return tuple(ball(Fraction(n, 1 << self.bits)) for n in (*found, max(map(abs, bends)) + 2 * self.missing))  # type: ignore[return-value]

    def doubled(self) -> NoiseTable:
        """The law of the sum, or difference, of two independent such numbers."""
        factor = fmpz_poly(list(self.masses))
        return NoiseTable(2 * self.bits, tuple(int(mass) for mass in (factor * factor).coeffs()))


def noise_table(noise: Noise, tail_bits: int) -> NoiseTable:
    """The table of a noise that leaves at most about 2^-tail_bits out.

    Args:
        noise: on its grid.
        tail_bits: at least 1.

    Raises:
        InputError: the noise is too wide for a table, or so narrow that one entry has all of it.
    """
    bits = tail_bits + _GUARD_BITS
    reach = _reach(noise, tail_bits)
    if reach > MAX_REACH:
        raise InputError(
            f"sigma = {noise.sigma_votes}: too wide on a grid of 2^-{noise.grid_bits} votes for the cost of a label: "
            "take a coarser grid, or gaussian_dp"
        )
    with ctx.workprec(2 * bits):
        half = [_floor(mass * 2**bits) for mass in _probabilities(noise, reach)]
    # Ends without a unit say nothing.
    while half and half[-1] == 0:
        half.pop()
    return NoiseTable(bits, (*half[:0:-1], *half))


def _reach(noise: Noise, tail_bits: int) -> int:
    """Where a tail is about 2^-tail_bits; that it is no bound only makes what is missing larger."""
    # 2 ln 2 < 1.4; Bernstein's bound for Skellam: x^2 = 2 (v + x / 3) nats.
    nats = Fraction(7 * tail_bits, 10)
    square = 2 * noise.variance * nats
    if not isinstance(noise, Skellam):
        return isqrt(int(square)) + 2
    return isqrt(int(square + nats**2 / 9)) + int(nats / 3) + 2


def _probabilities(noise: Noise, reach: int) -> list[arb]:
    """P[Z = y] for y = 0 .. reach."""
    variance = ball(noise.variance)
    if isinstance(noise, RoundedGaussian):
        scale = 1 / (2 * variance).sqrt()
        # P[Z > y] for y = -1 .. reach; Z rounds to the nearest integer.
        above = [(scale * (2 * y + 1) / 2).erfc() / 2 for y in range(-1, reach + 1)]
        return [left - right for left, right in pairwise(above)]
    if isinstance(noise, DiscreteGaussian):
        weights = [(-(y * y) / (2 * variance)).exp() for y in range(reach + 1)]
        # What is beyond falls at least geometrically.
        beyond = weights[-1] / (1 - (-reach / variance).exp())
        total = 2 * sum(weights, arb(0)) - weights[0] + 2 * arb(0).union(beyond)
        return [weight / total for weight in weights]
    shrink = (-variance).exp()
    return [shrink * variance.bessel_i(arb(y)) for y in range(reach + 1)]


def _floor(value: arb) -> int:
    """The largest integer below the whole ball, at least 0; at the working precision, which is that of the table."""
    mantissa, exponent = (int(part) for part in value.lower().floor().man_exp())
    return max(mantissa << exponent if exponent >= 0 else mantissa >> -exponent, 0)
