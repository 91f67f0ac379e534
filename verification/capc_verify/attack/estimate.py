"""A lower bound of epsilon from counts, at a stated confidence: an event that is chosen on one half of all trials.

If a release is (epsilon, delta)-DP, P[E] <= e^epsilon Q[E] + delta for every event E. The event is chosen on the first
half of the trials, and its probabilities are bounded on the other by Clopper and Pearson's intervals, so whatever the
choice is, and whatever the release does, the bound is wrong with at most the stated probability.

Source: Clopper and Pearson 1934; Chadha et al. (arXiv 2402.09403).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp, log, sqrt

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from capc_verify.attack.laws import Law
from capc_verify.attack.strategies import order_by_ratio

Counts = NDArray[np.int64]
_PRECISION = 96
_HALVINGS = 14
_PRIOR = 20.0
"""Trials for which the laws of a release as it should be count, where an event is chosen: for rare histories."""


@dataclass(frozen=True)
class Seen:
    """How often each history was seen in trials under either hypothesis: of one half of all trials."""

    first: Counts
    second: Counts


def epsilon_from_below(chosen_on: Seen, counted_on: Seen, laws: tuple[Law, Law], delta: float, failure: float) -> float:
    """A lower bound of epsilon at delta, at least 0; it is too large with at most the probability ``failure``.

    Args:
        chosen_on: trials by which events are chosen.
        counted_on: others, from which the bound is.
        laws: of the histories if the release does what it should: they help to choose and count for nothing else.
        delta: at which.
        failure: from 0 to 1, for both directions together.
    """
    # Two directions, two intervals each.
    each = failure / 4
    pairs = [(chosen_on.first, chosen_on.second, counted_on.first, counted_on.second, *laws)]
    pairs.append((chosen_on.second, chosen_on.first, counted_on.second, counted_on.first, *laws[::-1]))
    found = 0.0
    for first, second, more, less, p, q in pairs:
        event = _event(first + _PRIOR * p, second + _PRIOR * q, delta, each)
        if not len(event):
            continue
        most = probability_bounds(int(less[event].sum()), int(less.sum()), each)[1]
        least = probability_bounds(int(more[event].sum()), int(more.sum()), each)[0]
        if least > delta:
            found = max(found, log((least - delta) / most) * (1 - 1e-12))
    return found


def probability_bounds(seen: int, trials: int, failure: float) -> tuple[float, float]:
    """A lower and an upper bound of a probability, each of which is wrong with at most that probability.

    Clopper and Pearson's, rounded outwards by ball arithmetic.

    Args:
        seen: how often it happened.
        trials: out of how many, independent of each other.
        failure: above 0, of either.
    """
    share = Fraction(seen, trials)
    # Far enough for any failure that is asked for; if not, the bounds are 0 and 1, which always hold.
    width = Fraction(ceil(-4 * log(failure) * (sqrt(trials * share * (1 - share)) + 1)), trials)
    with ctx.workprec(_PRECISION):
        limit = arb(failure)

        # P[at least `seen` of the trials] at p grows with p, and that of at most `seen` falls.
        def rarely_so_many(p: Fraction) -> bool:
            return bool(_ball(p).beta_lower(arb(seen), arb(trials - seen + 1), regularized=True) <= limit)

        def rarely_so_few(p: Fraction) -> bool:
            # Mirrored, so that a small number is not a difference of large ones.
            return bool((1 - _ball(p)).beta_lower(arb(trials - seen), arb(seen + 1), regularized=True) <= limit)

        low = _last(rarely_so_many, max(Fraction(0), share - width), share) if seen else Fraction(0)
        high = _last(rarely_so_few, min(Fraction(1), share + width), share) if seen < trials else Fraction(1)
    return float(low) * (1 - 1e-15), min(1.0, float(high) * (1 + 1e-15))


def _last(holds: Callable[[Fraction], bool], end: Fraction, share: Fraction) -> Fraction:
    """The place nearest to the share, of those that are tried from an end on, at which a statement holds.

    It holds at 0 and at 1, whichever is an end.
    """
    if end not in (0, 1) and not holds(end):
        return Fraction(int(end > share))
    near, far = share, end
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (near, middle) if holds(middle) else (middle, far)
    return far


def _ball(value: Fraction) -> arb:
    return arb(value.numerator) / arb(value.denominator)


def _event(first: Law, second: Law, delta: float, failure: float) -> Counts:
    """The histories of largest likelihood ratio, as many as promise the largest bound, by a rough interval."""
    order = order_by_ratio(first, second)
    n, m = first.sum(), second.sum()
    p, q = np.minimum(np.cumsum(first[order]) / n, 1), np.minimum(np.cumsum(second[order]) / m, 1)
    width = -log(failure)
    low = p - np.sqrt(2 * width * p * (1 - p) / n) - width / n
    high = q + np.sqrt(2 * width * q * (1 - q) / m) + width / m
    with np.errstate(divide="ignore", invalid="ignore"):
        promised = np.where(low > delta, np.log(np.maximum(low - delta, exp(-700))) - np.log(high), -np.inf)
    best = int(np.argmax(promised))
    return order[: best + 1] if promised[best] > 0 else order[:0]
