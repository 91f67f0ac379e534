"""Certified tables of a noise's law on its grid: double-precision numbers that are proven bounds.

Balls of python-flint are computed first. A ball's middle is rounded to a double and moved by 2^-50 of itself, more than
its radius and the two roundings together, so what is stored is at or beyond the truth.

Spec: CAPC-ACCT-140.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from flint import arb, ctx, fmpq
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian

Floats = NDArray[np.float64]
TabledNoise = RoundedGaussian | DiscreteGaussian

RARE = 2.0**-58
"""Events below this probability are charged in full."""
MAX_DEVIATION = 1 << 13
"""Grid units. Where the noise is wider, tables take too long and the Renyi cost loses little."""

_CUT = 2.0**-72
_DEEPEST = 2.0**-400
_PRECISION = 128
_NUDGE = 2.0**-50


@dataclass(frozen=True)
class NoiseTables:
    """The law of one draw Z, symmetric about 0 and log-concave; everything in grid units.

    Attributes:
        reach: sums run over Z = -reach .. reach; what is beyond, on one side, has mass at most :attr:`beyond`.
        beyond: see there.
        mass: (lower, upper) bounds of P[Z = z], for z = -reach .. reach.
        above: (lower, upper) bounds of P[Z > x], for x = 0, 1, ... up to a mass of 2^-400.
        peak: at least the largest mass.
        slope: at least the largest difference of neighbouring masses.
        bend: at least the largest second difference of masses, in absolute value.
        steps: at least the absolute first and second differences of masses at z = 0, 1, ..., reach.
    """

    reach: int
    beyond: float
    mass: tuple[Floats, Floats]
    above: tuple[Floats, Floats]
    peak: float
    slope: float
    bend: float
    steps: tuple[Floats, Floats]

    def first_above(self, threshold: float) -> int:
        """The smallest x >= 0 with P[Z > x] at most a threshold.

        Raises:
            InputError: the tables do not reach so far.
        """
        found = int(np.searchsorted(-self.above[1], -threshold))
        if found >= len(self.above[1]):
            raise InputError("noise of so small a deviation has no certified composition of labels: give more noise")
        return found

    def at_most(self, x: int, *, upper: bool) -> float:
        """A bound of P[Z <= x], from above or from below."""
        if x < 0:
            place = -1 - x
            if place >= len(self.above[1]):
                return float(self.above[1][-1]) if upper else 0.0
            return float(self.above[upper][place])
        place = min(x, len(self.above[1]) - 1)
        if upper:
            return min(1.0, 1.0 - float(self.above[0][x]) + _NUDGE) if place == x else 1.0
        return max(0.0, 1.0 - float(self.above[1][place]) - _NUDGE)

    def at_most_all(self, x: NDArray[np.int64]) -> Floats:
        """At least P[Z <= x], for many x."""
        far = np.minimum(np.where(x < 0, -1 - x, x), len(self.above[1]) - 1)
        return np.where(x < 0, self.above[1][far], np.minimum(1.0, 1.0 - self.above[0][far] * (x == far) + _NUDGE))


@lru_cache(maxsize=4)
def noise_tables(noise: TabledNoise) -> NoiseTables:
    """The tables of a noise.

    Raises:
        InputError: its deviation is above :data:`MAX_DEVIATION` grid units.
    """
    if noise.variance > MAX_DEVIATION**2:
        raise InputError(
            f"sigma = {noise.sigma_votes} votes on a grid of 2^-{noise.grid_bits}: the composition of labels is "
            f"tabled up to {MAX_DEVIATION} grid units; give a coarser grid, or use the method argmax_renyi"
        )
    with ctx.workprec(_PRECISION):
        masses, above = _half(noise)
        return _rounded(masses, above)


def _rounded(masses: list[arb], above: list[arb]) -> NoiseTables:
    tails = doubles(above)
    reach = int(np.searchsorted(-tails, -_CUT))
    half = doubles(masses[: reach + 1])
    whole = np.concatenate([half[:0:-1], half])
    # P[z + 1] - P[z], and the second differences around z, of which that around 0 is symmetric. What lies beyond the
    # last of them is below it, or below the mass there, which is below 2^-72.
    first = _sizes([masses[place] - masses[place + 1] for place in range(reach + 1)])
    bends = [masses[place + 1] - 2 * masses[place] + masses[abs(place - 1)] for place in range(reach + 1)]
    second = _sizes(bends)
    return NoiseTables(
        reach=reach,
        beyond=float(tails[reach]) * (1 + _NUDGE),
        mass=(whole * (1 - _NUDGE), whole * (1 + _NUDGE)),
        above=(tails * (1 - _NUDGE), tails * (1 + _NUDGE)),
        peak=half[0] * (1 + _NUDGE),
        slope=float(first.max()),
        bend=float(second.max()),
        steps=(first, second),
    )


def _half(noise: TabledNoise) -> tuple[list[arb], list[arb]]:
    """Balls of P[Z = x] and P[Z > x] for x = 0, 1, ... until the last is below 2^-400."""
    variance = arb(fmpq(*noise.variance.as_integer_ratio()))
    if isinstance(noise, RoundedGaussian):
        return _rounded_gaussian(variance)
    return _discrete_gaussian(variance)


def _rounded_gaussian(variance: arb) -> tuple[list[arb], list[arb]]:
    scale = (2 * variance).sqrt()
    above = list(_until_deepest(lambda x: ((x + arb(0.5)) / scale).erfc() / 2))
    masses = [1 - 2 * above[0], *(near - far for near, far in pairwise(above))]
    return masses, above


def _discrete_gaussian(variance: arb) -> tuple[list[arb], list[arb]]:
    weights = list(_until_deepest(lambda x: (-(x * x) / (2 * variance)).exp()))
    last = len(weights) - 1
    # What follows the last weight falls at least as fast as a geometric series of that ratio.
    ratio = (-(2 * last + 1) / (2 * variance)).exp()
    remainder = (weights[last] * ratio / (1 - ratio)).union(arb(0))
    total = 2 * (sum(weights[1:], arb(0)) + remainder) + weights[0]
    above = [remainder]
    for weight in reversed(weights[1:]):
        above.append(above[-1] + weight)
    # Deep in the tail the remainder is no longer small beside the sum, and those places are left out.
    kept = [value / total for value in reversed(above)]
    while kept[-1].rel_accuracy_bits() < 60:
        kept.pop()
    return [weight / total for weight in weights[: len(kept)]], kept


def _until_deepest(formula: Callable[[arb], arb]) -> Iterator[arb]:
    x = 0
    while True:
        value = formula(arb(x))
        yield value
        if value < _DEEPEST:
            return
        x += 1


def doubles(values: list[arb]) -> Floats:
    """The middles of balls; each ball's relative radius is at most 2^-55.

    Raises:
        InputError: a ball is wider.
    """
    if any(value.rel_accuracy_bits() < 55 for value in values):
        raise InputError("a noise's law cannot be certified: give less extreme arguments")
    return np.array([float(value.mid()) for value in values])


def _sizes(values: list[arb]) -> Floats:
    """Upper bounds of absolute values; 2^-70 more than needed, so that they also bound what follows in the tail."""
    return np.array([float(abs(value).upper()) for value in values]) * (1 + _NUDGE) + 4 * _CUT
