"""From a budget to the number of labels that it allows, and from a number of labels to its delta.

Spec: CAPC-ACCT-140, CAPC-ACCT-143.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from flint import arb, ctx, fmpq

from capc.foundation.errors import InputError
from capc.privacy.composition.bellman import TAIL, Step
from capc.privacy.composition.family import Family, meshes_of
from capc.privacy.composition.references import Fineness, gaussian_delta, gaussian_mu, references
from capc.privacy.composition.value_function import LEAST_STEP, MAX_PLACES, Curve, Grid, first_curve

MAX_LABELS = 1 << 12
MAX_EPSILON = 200
LEAST_DELTA = Fraction(1, 1 << 46)
BLOCK = 16
"""Labels between two curves that a certificate keeps."""

_STEP = 0.1
"""Of the grid, in units of the shift over the deviation: what is lost by chords falls with its square."""
_TOLERANCE = {False: 5e-3, True: 5e-3 / 4}
"""Of the meshes; with offsets they are small."""
_NEGLIGIBLE = 1e-6
"""Of delta, may be lost per label to ratios that are not told apart."""
_SHARE = {False: 0.645, True: 0.81}
"""What a label costs, about, of what the whole histogram costs, for much noise; with offsets or without."""
_EPSILON_GRID = 10**9
_INFLATION = 1 + 2.0**-30

Progress = Callable[[int, float], None]
"""Told the number of labels so far, and their delta."""


@dataclass(frozen=True)
class Wanted:
    """What is asked: how many labels keep a delta, or which delta so many labels have.

    Attributes:
        family: of one label.
        epsilon: from 0 to 200.
        delta: from 2^-46 to below 1, or None.
        labels: from 1 to 4096, or None. One of the two is given.
    """

    family: Family
    epsilon: Fraction
    delta: Fraction | None
    labels: int | None

    def __post_init__(self) -> None:
        if (self.delta is None) == (self.labels is None):
            raise InputError("a composition of labels is asked for with a delta, or with a number of queries")
        if not 0 <= self.epsilon <= MAX_EPSILON:
            raise InputError(f"epsilon = {float(self.epsilon)}: a composition of labels takes 0 to {MAX_EPSILON}")
        if self.delta is not None and not LEAST_DELTA <= self.delta < 1:
            raise InputError(f"delta = {float(self.delta)}: a composition of labels takes 2^-46 to below 1")
        if self.labels is not None and not 1 <= self.labels <= MAX_LABELS:
            raise InputError(
                f"queries = {self.labels}: a composition of labels takes 1 to {MAX_LABELS}; "
                "for more, use the method argmax_renyi"
            )


@dataclass(frozen=True)
class Composed:
    """What was found: so many labels have at most this delta.

    Attributes:
        wanted: the question.
        labels: how many.
        delta: rounded up.
        curves: after each 16 labels, and after the last; each is a little above what was computed, so that other
            roundings of the same steps stay below it.
    """

    wanted: Wanted
    labels: int
    delta: float
    curves: tuple[Curve, ...]


def compose(wanted: Wanted, progress: Progress | None = None) -> Composed:
    """Adds labels until there are enough, or until the next one would exceed delta, or until there are 4096.

    Args:
        wanted: the question.
        progress: called after each label.

    Raises:
        InputError: the noise cannot be used.
    """
    curve, step = first_curve(grid_of(wanted)), step_of(wanted)
    kept: list[Curve] = []
    labels, delta, end = 0, 0.0, curve
    while labels < (wanted.labels or MAX_LABELS):
        curve = step(curve)
        raised = inflated(curve)
        found = delta_of(raised, wanted.epsilon)
        if wanted.delta is not None and found > wanted.delta:
            break
        labels, delta, end = labels + 1, found, raised
        if labels % BLOCK == 0:
            curve = raised
            kept.append(raised)
        if progress is not None:
            progress(labels, delta)
    if labels % BLOCK:
        kept.append(end)
    return Composed(wanted, labels, delta, tuple(kept))


def blocks_hold(composed: Composed, blocks: Iterable[int]) -> bool:
    """Whether some of the steps between the curves that were kept are what they must be.

    Args:
        composed: what is checked.
        blocks: numbers of blocks, from 0.
    """
    step = step_of(composed.wanted)
    for block in blocks:
        curve = composed.curves[block - 1] if block else first_curve(grid_of(composed.wanted))
        for _ in range(min(BLOCK, composed.labels - BLOCK * block)):
            curve = step(curve)
        # Slopes that are nowhere larger give values that are nowhere larger, in exact arithmetic.
        if (curve.slopes > composed.curves[block].slopes).any():
            return False
    return True


def inflated(curve: Curve) -> Curve:
    """A curve above by 2^-30 of itself."""
    return Curve(curve.grid, np.minimum(curve.slopes * _INFLATION, 1.0))


def curve_after(composed: Composed, labels: int) -> Curve:
    """The curve of fewer labels than were composed, from 1: kept, or found from the one before it that is.

    Args:
        composed: of at least so many labels.
        labels: how many.
    """
    blocks, more = divmod(labels, BLOCK)
    if labels == composed.labels or not more:
        return composed.curves[-1 if labels == composed.labels else blocks - 1]
    curve = composed.curves[blocks - 1] if blocks else first_curve(grid_of(composed.wanted))
    step = step_of(composed.wanted)
    for _ in range(more):
        curve = step(curve)
    return inflated(curve)


def smallest_epsilon(curve: Curve, delta: Fraction) -> Fraction | None:
    """An epsilon, in billionths and at least 0, at which a curve's delta is at most that; None if there is none.

    It is the smallest for which that is found; deltas fall as epsilon grows, up to rounding.
    """
    most = math.floor(-math.log(float(curve.grid.points[0])) * _EPSILON_GRID)

    def enough(place: int) -> bool:
        return delta_of(curve, Fraction(place, _EPSILON_GRID)) <= delta

    if not enough(most):
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return Fraction(high, _EPSILON_GRID)


def about_epsilon(family: Family, delta: Fraction, labels: int) -> Fraction:
    """About the epsilon of so many labels, in sixteenths: around it a bound is to be tight."""
    mu, low, high = _mu(Wanted(family, Fraction(0), None, labels)), 0.0, float(MAX_EPSILON)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if gaussian_delta(middle, mu) <= float(delta) else (middle, high)
    return Fraction(math.floor(high * 16), 16)


def delta_of(curve: Curve, epsilon: Fraction) -> float:
    """E^epsilon W(e^-epsilon), rounded up."""
    with ctx.workprec(128):
        exact = arb(fmpq(*epsilon.as_integer_ratio()))
        found = exact.exp() * curve.at((-exact).exp())
        return float(found.upper()) * (1 + 2.0**-50)


def grid_of(wanted: Wanted) -> Grid:
    """The grid of a question's curves: from epsilon and a deviation of the loss below 1, to one above."""
    mu = _mu(wanted)
    width = float(wanted.epsilon) + 2 * mu
    step = max(_STEP * _ratio(wanted.family), width / (MAX_PLACES - 64) * 1.01, LEAST_STEP)
    # A point of the grid is next to e^-epsilon, where the answer is read.
    places = math.floor(float(wanted.epsilon) / math.log1p(step))
    if places:
        step = math.expm1(float(wanted.epsilon) / places)
    exact = Fraction(math.ceil(step * (1 << 40)), 1 << 40)
    unit = math.log1p(float(exact))
    return Grid(exact, -math.ceil((float(wanted.epsilon) + mu) / unit) - 1, math.ceil(mu / unit) + 1)


@lru_cache(maxsize=2)
def step_of(wanted: Wanted) -> Step:
    """The step of a question."""
    family, epsilon, mu, grid = wanted.family, float(wanted.epsilon), _mu(wanted), grid_of(wanted)
    delta = float(wanted.delta) if wanted.delta is not None else gaussian_delta(epsilon, mu)
    ratio, one = _ratio(family), _one(family)
    # A difference of counts has ratios of up to that exponent where its tail is far below delta.
    exponent = ratio * (2 * math.sqrt(math.log(1e8 / max(delta, 1e-16))) + ratio)
    reach = math.ceil(exponent / math.log1p(float(grid.step)))
    expected = tuple(references(epsilon, mu, one))
    largest = float((1 + grid.step) ** reach) * (1 - 2.0**-20)
    meshes = meshes_of(family, Fineness(expected, _TOLERANCE[family.offsets], largest, max(_NEGLIGIBLE * delta, TAIL)))
    return Step(grid, meshes, reach)


def _ratio(family: Family) -> float:
    return family.shift / math.sqrt(family.noise.variance)


def _one(family: Family) -> float:
    return _ratio(family) * (math.sqrt(2) if family.moves else 1.0)


def _mu(wanted: Wanted) -> float:
    """About the deviation of the privacy loss of all labels."""
    one = _one(wanted.family)
    if wanted.delta is not None:
        return max(one, gaussian_mu(float(wanted.epsilon), float(wanted.delta)))
    return max(1.0, math.sqrt(_SHARE[wanted.family.offsets] * (wanted.labels or 1))) * one
