"""A second, slower way to see that a certificate's curves are high enough; it has no code in common with the first.

Every whole point of the family is evaluated, with no boxes between points: laws are sums of whole numbers. Towards a
cheat no thresholds are tried either: a curve is the largest of its lines, so what a partition is worth is the mean of
the largest of three of them, and all threes are tried. Doubles are rounded to the nearest here, and what is compared is
allowed :data:`TOLERANCE`, so this sees any error that matters, and is no proof by itself.

Spec: CAPC-ACCT-153.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import erfc, pi, sqrt

import numpy as np
from flint import arb, ctx, fmpq
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian
from capc.privacy.composition.noise_tables import Floats, TabledNoise
from capc.privacy.composition.recursion import BLOCK, Composed

TOLERANCE = 1e-8
"""Relative, of values."""
MOST_POINTS = 1 << 22
"""Of the whole points of a family; more would take days."""

_BITS = 160
_FAR = 2.0**-72
_OUTSIDE = 2.0**-56
Values = tuple[Floats, Floats]
"""Places z, with 0, and the values there of a convex function that is linear between them, of slope 1 beyond."""
Pairs = tuple[Floats, Floats]
"""Of p and of q: (points, outcomes)."""


def dominates(composed: Composed, progress: Callable[[int, float], None] | None = None) -> bool:
    """Whether each kept curve is at or above what the labels since the one before it can be worth.

    Args:
        composed: what a certificate claims.
        progress: told the number of labels that were checked, and their delta.

    Raises:
        InputError: the family has too many points.
    """
    family, epsilon = composed.wanted.family, float(composed.wanted.epsilon)
    grid = composed.curves[0].grid if composed.curves else None
    if grid is None:
        return composed.labels == 0
    with ctx.workprec(_BITS):
        ratio = 1 + arb(fmpq(*grid.step.as_integer_ratio()))
        places = np.array([0.0, *(float((ratio**m).mid()) for m in range(grid.low, grid.high + 1))])
    best = _best_of_intervals(family.noise, family.shift) if family.offsets else _best_of_points(composed)
    here = (places, np.maximum(places - 1, 0))
    for label in range(1, composed.labels + 1):
        here = (places, np.maximum(best(here), here[1]) + _OUTSIDE * places)
        if progress is not None:
            progress(label, float(np.exp(epsilon) * np.interp(np.exp(-epsilon), *here)))
        if label % BLOCK == 0 or label == composed.labels:
            kept = (places, _values_of(places, composed.curves[(label - 1) // BLOCK].slopes))
            if (here[1] > kept[1] * (1 + TOLERANCE)).any():
                return False
            here = kept
    claimed = float(np.exp(epsilon) * np.interp(np.exp(-epsilon), *here))
    return claimed <= composed.delta * (1 + TOLERANCE)


def _values_of(places: Floats, slopes: Floats) -> Floats:
    return np.array([0.0, *accumulate(slope * gap for slope, gap in zip(slopes, np.diff(places), strict=True))])


def _best_of_points(composed: Composed) -> Callable[[Values], Floats]:
    """By all whole points. Ratios and places are powers of r, so a ratio is a number of places and a share of one."""
    unit = float(np.log1p(float(composed.curves[0].grid.step)))
    laws = [_Placed.of(p, q, unit) for p, q in _all_laws(composed)]
    reach = max(int(np.abs(law.places).max()) for law in laws) + 2

    def best(curve: Values) -> Floats:
        places, values = curve
        below = values[1] * np.exp(-unit * np.arange(reach, 0, -1))
        above = values[-1] + places[-1] * np.expm1(unit * np.arange(1, reach + 1))
        padded, found = np.concatenate([below, values[1:], above]), values.copy()
        rises = np.append(np.diff(padded), 0.0)
        for law in laws:
            for place in range(len(places) - 1):
                at = law.places + (reach + place)
                worth = (law.q * (padded[at] + law.shares * rises[at])).sum(axis=1) + places[place + 1] * law.whole
                found[place + 1] = max(found[place + 1], float(worth.max()))
        return found

    return best


@dataclass(frozen=True)
class _Placed:
    """Laws by the places of their ratios: arrays of (points, outcomes), and for each point what has no ratio."""

    q: Floats
    places: NDArray[np.int64]
    shares: Floats
    whole: Floats

    @classmethod
    def of(cls, p: Floats, q: Floats, unit: float) -> _Placed:
        common = (q > 0) & (p > 0)
        ratio = np.where(common, p, 1.0) / np.where(common, q, 1.0)
        places = np.floor(np.log(ratio) / unit).astype(np.int64)
        shares = np.expm1(np.log(ratio) - places * unit) / np.expm1(unit)
        return cls(np.where(common, q, 0.0), places, shares, np.where(common, 0.0, p).sum(axis=1))


def _all_laws(composed: Composed) -> Iterator[Pairs]:
    """Of all whole points; those outside are within what each step adds."""
    family = composed.wanted.family
    shift, masses = family.shift, _masses(family.noise)
    half = len(masses) // 2
    below = [0, *accumulate(masses)]
    end = half + shift
    if (2 * end + 1) ** 2 > MOST_POINTS and family.moves:
        raise InputError(
            f"sigma = {family.noise.sigma_votes} votes: the family has {(2 * end + 1) ** 2} points, and "
            f"{MOST_POINTS} can be checked one by one: check it by its own steps"
        )

    def at_most(x: int) -> int:
        return below[min(max(x + half + 1, 0), 2 * half + 1)]

    whole = 1 << _BITS
    single = range(-2 * end, 2 * end + 1)
    yield _binary([at_most(u + shift) for u in single], [at_most(u) for u in single], whole)
    if not family.moves:
        return
    # Of Z' - Z, by a sum over Z.
    far = range(-3 * end, 3 * end + 1)
    apart = {x: sum(mass * at_most(x + z) for z, mass in enumerate(masses, -half)) >> _BITS for x in far}
    wide = [x for x in far if x + 2 * shift in apart]
    yield _binary([apart[x + 2 * shift] for x in wide], [apart[x] for x in wide], whole)
    tails = {
        lead: {off: _tail_sums(masses, off - lead, at_most) for off in range(-2 * end - shift, 2 * end + shift + 1)}
        for lead in (0, 1)
    }

    def law(a: int, b: int, tie: int) -> list[float]:
        first, second = (
            tails[lead][one - other][min(max(half - one, 0), len(masses))] / whole
            for one, other, lead in ((a, b, tie), (b, a, 1 - tie))
        )
        return [first, second, at_most(-1 - a) * at_most(-1 - b) / whole**2]

    for tie in (0, 1):
        for a in range(-end, end + 1):
            p = np.array([law(a + shift, b, tie) for b in range(-end, end + 1)])
            q = np.array([law(a, b + shift, tie) for b in range(-end, end + 1)])
            yield p, q


def _tail_sums(masses: list[int], off: int, at_most: Callable[[int], int]) -> list[int]:
    """For each place, the sum from there on of P[Z = z] P[Z' <= z + off]."""
    half = len(masses) // 2
    terms = [mass * at_most(z + off) >> _BITS for z, mass in enumerate(masses, -half)]
    return list(accumulate(reversed(terms), initial=0))[::-1]


def _binary(p: list[int], q: list[int], whole: int) -> Pairs:
    return tuple(np.array([[x / whole, (whole - x) / whole] for x in side]) for side in (p, q))  # type: ignore[return-value]


def _masses(noise: TabledNoise) -> list[int]:
    """P[Z = z] for z = -half .. half, in 2^-160, up to where what is left on a side is below 2^-72."""
    with ctx.workprec(2 * _BITS):
        variance, half = arb(fmpq(*noise.variance.as_integer_ratio())), 1
        while not ((half - arb(0.5)) / (2 * variance).sqrt()).erfc() < _FAR:
            half += 1
        if isinstance(noise, DiscreteGaussian):
            weights = [(-arb(z * z) / (2 * variance)).exp() for z in range(2 * half)]
            total = 2 * sum(weights[1:], arb(0)) + weights[0]
            some = [weight / total for weight in weights[: half + 1]]
        else:
            above = [((z + arb(0.5)) / (2 * variance).sqrt()).erfc() / 2 for z in range(-1, half + 1)]
            some = [near - far for near, far in pairwise(above)]
        units = [_whole(mass) for mass in some]
    return [*units[:0:-1], *units]


def _whole(mass: arb) -> int:
    found = (mass * arb(2) ** _BITS).floor().unique_fmpz()
    if found is None:
        raise InputError("a noise's law cannot be told to 160 bits: check the certificate by its own steps")
    return int(found)


def _best_of_intervals(noise: TabledNoise, shift: int) -> Callable[[Values], Floats]:
    """By the lines of a curve: the mean of the largest of three is that of the first, and two gains one after another.

    X is N(mu / 2, 1) under P, N(-mu / 2, 1) under Q, and ln(p / q) = mu X.
    """
    mu = float(2 * shift**2 / noise.variance) ** 0.5
    above = _Tail()

    def best(curve: Values) -> Floats:
        places, values = curve
        slopes = np.append(np.minimum(np.maximum.accumulate(np.diff(values) / np.diff(places)), 1.0), 1.0)
        # Line k is slopes[k] y - starts[k]: two neighbours meet where the curve bends.
        starts = np.cumsum(np.diff(slopes, prepend=0.0) * places)
        kept = np.append(np.diff(slopes) > 0, True)
        slopes, starts = slopes[kept], starts[kept]
        first, second = np.triu_indices(len(slopes), 1)
        rise, fall = slopes[second] - slopes[first], starts[second] - starts[first]
        log_meet = np.log(np.maximum(fall / rise, 1e-300))
        gain, found = np.zeros((len(slopes), len(slopes))), np.zeros(len(places))
        for place, z in enumerate(places[1:], 1):
            x = (log_meet - np.log(z)) / mu
            gain[first, second] = rise * z * above(x - mu / 2) - fall * above(x + mu / 2)
            until = ((slopes * z - starts)[:, None] + np.triu(gain)).max(axis=0, where=_upper(gain), initial=0.0)
            found[place] = (until + gain.max(axis=1)).max()
        return found

    return best


def _upper(square: Floats) -> NDArray[np.bool_]:
    return np.triu(np.ones(square.shape, dtype=np.bool_))


class _Tail:
    """P[N(0, 1) > x], by cubics through exact logarithms and their slopes: good to about 1e-11."""

    def __init__(self) -> None:
        self._step, self._end = 2.0**-8, 37.0
        knots = np.arange(-self._end, self._end + self._step, self._step)
        tails = np.array([erfc(x / sqrt(2)) / 2 for x in knots.tolist()])
        self._logs = np.log(tails)
        self._slopes = -np.exp(-knots * knots / 2 - self._logs) / sqrt(2 * pi) * self._step

    def __call__(self, x: Floats) -> Floats:
        at = (np.clip(x, -self._end, self._end - 1) + self._end) / self._step
        place = at.astype(np.int64)
        t = at - place
        low, high = self._logs[place], self._logs[place + 1]
        left, right = self._slopes[place], self._slopes[place + 1]
        third = left + right - 2 * (high - low)
        found: Floats = np.exp(low + t * (left + t * ((high - low - left - third) + t * third)))
        return np.where(x >= self._end - 1, 0.0, found)
