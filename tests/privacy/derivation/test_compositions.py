"""Section 12 derived a second time: composition, cheats, wraps and rounding; and the package against the oracle."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.argmax.composition import composition_delta
from capc.privacy.accountants.argmax.cost import GAP, Adversary, argmax_cost, argmax_cost_holds
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition.value_function import Grid, convex_below
from support.derived_laws import (
    KINDS,
    at_most,
    delta_of,
    divergence,
    family,
    label_law,
    masses,
    pairs,
    three,
    two,
    worst,
)
from support.sizes import examples, some

CLOSE = 1e-9
ONE = Fraction(1)
NOISES = {"rounded": RoundedGaussian, "discrete": DiscreteGaussian, "skellam": Skellam}
UNITS = {True: Relation.REPLACE_ONE, False: Relation.NULL_VOTE}


def unit(moves: bool, weight: int = 1) -> ProtectedUnit:
    return ProtectedUnit(UNITS[moves], (Fraction(weight),))


# The package's cost of one label.


@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("order", some([Fraction(21, 20), Fraction(2), Fraction(7, 2)], ordinary=2))
@pytest.mark.parametrize(
    ("sigma", "bits", "weight"),
    some([(ONE, 0, 1), (Fraction(3, 2), 0, 2), (Fraction(3, 4), 1, 1)], ordinary=2),
)
def test_the_package_s_cost_is_the_supremum_and_little_more(
    kind: str, moves: bool, order: Fraction, sigma: Fraction, bits: int, weight: int
) -> None:
    found = float(argmax_cost(NOISES[kind](sigma, bits), order, unit(moves, weight)))
    exact = worst(kind, sigma * (1 << bits), weight << bits, moves, float(order))
    assert exact * (1 - CLOSE) <= found
    assert not argmax_cost_holds(NOISES[kind](sigma, bits), order, unit(moves, weight), Fraction(exact * (1 - 1e-6)))
    g = math.expm1((order - 1) * exact)
    assert found <= math.log1p(g * (1 + 1.02 * GAP)) / (order - 1) + CLOSE


# The recursion.


@pytest.mark.req("CAPC-ACCT-140")
@pytest.mark.parametrize("kind", ["rounded", "discrete"])
@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("epsilon", [Fraction(0), Fraction(1, 2), Fraction(2)])
def test_the_package_s_delta_is_that_of_the_best_adaptive_choice(kind: str, moves: bool, epsilon: Fraction) -> None:
    """One label and two; without moves, which make few laws, three and four."""
    laws = family(kind, ONE, 1, moves, 4)
    for labels in (1, 2) if moves else (1, 2, 3, 4):
        exact = delta_of(laws, labels, float(epsilon))
        found = float(composition_delta(NOISES[kind](ONE, 0), unit(moves), labels, epsilon))
        assert exact * (1 - CLOSE) <= found <= exact * 1.05


@pytest.mark.req("CAPC-ACCT-140")
def test_three_labels_under_moves() -> None:
    """Every first law, for each outcome every second, and for each of these every third."""
    laws = family("rounded", ONE, 1, True, examples(ordinary=2, nightly=4))
    exact = delta_of(laws, 3, 1.0)
    assert exact * (1 - CLOSE) <= float(composition_delta(RoundedGaussian(ONE, 0), unit(True), 3, ONE)) <= exact * 1.02


@lru_cache(maxsize=4)
def literal(kind: str, moves: bool, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Of all histograms of up to two other votes a class, with and without thresholds: both places of the vote."""
    v, found = masses(kind, ONE, 10), []
    for others in product(range(3), repeat=classes):
        for i, j in product(range(classes), range(-1, classes)):
            if i != j and moves == (j >= 0):
                one, other = (tuple(n + (c == at) for c, n in enumerate(others)) for at in (i, j))
                found += [(label_law(one, v, t), label_law(other, v, t)) for t in (None, 1, 3)]
    p, q = (np.array(laws) for laws in zip(*found, strict=True))
    return np.concatenate([p, q]), np.concatenate([q, p])


@pytest.mark.req("CAPC-ACCT-140")
@pytest.mark.parametrize(
    ("kind", "moves", "classes"), [("rounded", True, 2), ("rounded", False, 2), ("discrete", True, 3)]
)
def test_no_choice_of_histograms_by_earlier_labels_exceeds_the_delta(kind: str, moves: bool, classes: int) -> None:
    """Real votes, real thresholds, the vote at any classes, the next histogram or the end chosen for each history."""
    laws = literal(kind, moves, classes)
    for epsilon in (Fraction(0), ONE):
        for labels in (1, 2):
            played = delta_of(laws, labels, float(epsilon))
            assert played <= float(composition_delta(NOISES[kind](ONE, 0), unit(moves), labels, epsilon)) + CLOSE


def test_a_number_of_labels_that_labels_choose_is_covered_by_the_cap_only() -> None:
    """Ask until "yes", three times at most: about two labels under P, more delta than any two labels have.

    So neither the mean number of labels nor the number that were released bounds the loss; the cap does.
    """
    laws, v, epsilon = family("rounded", ONE, 1, False, 6), masses("rounded", ONE), 0.5
    p, q = float(at_most(v, -1)), float(at_most(v, -2))
    assert p == pytest.approx(0.3085, abs=1e-4)
    told = sum(max(0.0, p * (1 - p) ** k - math.exp(epsilon) * q * (1 - q) ** k) for k in range(3))
    told += max(0.0, (1 - p) ** 3 - math.exp(epsilon) * (1 - q) ** 3)
    deltas = [delta_of(laws, labels, epsilon) for labels in range(4)]
    assert deltas[0] == 0
    assert deltas[2] < told <= deltas[3]
    assert p * deltas[1] + p * (1 - p) * deltas[2] + (1 - p) ** 2 * deltas[3] < told


def spread(p: np.ndarray, q: np.ndarray, z: float) -> np.ndarray:
    """sum_o q_o W(z p_o / q_o) for W_0, and for a curve with three bends: W(x) is the largest of slope (x - at)."""
    curves = [[(1.0, 1.0)], [(0.1, 0.01), (0.5, 0.4), (1.0, 2.0)]]
    return np.array(
        [np.max([np.maximum(slope * (z * p - at * q), 0) for slope, at in bends], axis=0).sum() for bends in curves]
    )


@pytest.mark.parametrize("kind", ["rounded", "discrete"])
@pytest.mark.parametrize("shift", [1, 2])
@pytest.mark.parametrize("chosen", [True, False])
def test_a_point_outside_of_the_box_is_near_its_own_limit(kind: str, shift: int, chosen: bool) -> None:
    """What the three cases add, for the text's box (with a larger s, as 2^-58 is below what doubles show).

    For a small box the first two cases hold as well.
    """
    v, s = masses(kind, ONE), 2.0**-12
    both = np.convolve(v, v)
    rare = next(b for b in range(34) if at_most(v, -1 - b) <= s)
    ratio = float(at_most(v, -1 - rare) / at_most(v, -1 - rare - shift))
    apart = next(b for b in range(34) if at_most(both, -b) <= s)
    far = float(at_most(both, -apart - 2 * shift))
    most = 2 * float(at_most(both, 1 - apart)) / far
    enough = min(s / (2 * (1 + ratio)), far / 2, s / (2 * most))
    end = shift + (next(b for b in range(34) if at_most(v, -1 - b) <= enough) if chosen else 2)
    t = float(at_most(v, shift - 1 - end))
    adds = (2 * t + max(s, ratio * t), t + t / (1 - t) + max(s, ratio * t / (1 - t)), 2 * t + max(s, most * t))
    assert max(adds) <= 2 * s or not chosen
    for tau, a, b in product((0, 1), *[range(-end - 3, end + 4)] * 2):
        if max(abs(a), abs(b)) > end:
            point = np.array(three(v, a + shift, b, tau)), np.array(three(v, a, b + shift, tau))
            case = 0 if a < -end else 1 if b < -end else 2
            limit = [
                (two(v, b), two(v, b + shift)),
                (two(v, a + shift), two(v, a)),
                (two(both, a - b + shift - tau), two(both, a - b - shift - tau)),
            ][case]
            for z in (0.05, 1.0, 3.0) if chosen or case < 2 else ():
                assert (spread(*point, z) <= spread(*map(np.array, limit), z) + adds[case] * z + 1e-15).all()


def largest(steps: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Of sizes of differences at places up to each of some places, three more for the stencil."""
    running = np.maximum.accumulate(np.abs(steps))
    return running[np.clip(below + len(steps) // 2 + 3, 0, len(steps) - 1)]


@pytest.mark.parametrize("kind", ["rounded", "discrete"])
@pytest.mark.parametrize("sigma", [ONE, Fraction(3)])
def test_second_and_third_differences_are_at_most_what_boxes_charge(kind: str, sigma: Fraction) -> None:
    """Of pi(A, B), at each point: the plain bounds, and those with the sum of squares K."""
    v, far = masses(kind, sigma), 9
    pi = pairs(v, 0, far)[0].reshape(2, 2 * far + 1, 2 * far + 1, 3)[..., 0]
    first, second = np.diff(v), np.diff(v, 2)
    k1, k2, m, K = abs(first).max(), abs(second).max(), v.max(), float((np.diff(v, append=0, prepend=0) ** 2).sum())
    place = np.arange(-far, far + 1)
    A, B = np.meshgrid(place, place, indexing="ij")
    k1A, k1B, k2A, k2B = (largest(steps, -x) for steps, x in ((first, A), (first, B), (second, A), (second, B)))
    rise = np.cumsum(np.abs(first))[np.clip(-B + len(first) // 2 + 3, 0, len(first) - 1)]
    over, under_a, under_b = at_most(v, A + 3), at_most(v, -A), at_most(v, -B)
    apart = (np.abs(A - B) + 2) * K
    bounds = {
        (2, 0): (np.full_like(apart, k1), apart + 2 * k1A * under_b),
        (0, 2): (k1 * over, apart + under_a * k1B),
        (3, 0): (np.full_like(apart, k2), K + 2 * k2A * under_b),
        (0, 3): (k2 * over, K + under_a * k2B),
        (2, 1): (np.full_like(apart, 2 * k1 * m), K + 2 * k1A * rise),
        (1, 2): (np.full_like(apart, 2 * k1 * m), np.full_like(apart, K)),
    }
    for (in_a, in_b), both in bounds.items():
        found = np.abs(np.diff(np.diff(pi, in_a, axis=1), in_b, axis=2))
        rows, columns = found.shape[1:]
        for bound in both:
            # A stencil's bound is the largest of its places.
            corners = [bound[x : x + rows, y : y + columns] for x in range(in_a + 1) for y in range(in_b + 1)]
            assert (found <= np.maximum.reduce(corners) + 1e-15).all()


# Against a querying party that adds to its shares.


def between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.where(low + high > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))


def intervals(u: np.ndarray, w: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """The laws of X < u, u <= X < u + w and X >= u + w, for X about the distance and about 0."""
    ends = [np.full_like(u + w, -np.inf), u + 0 * w, u + w, np.full_like(u + w, np.inf)]
    p, q = (
        np.stack([between(low - shift, high - shift) for low, high in pairwise(ends)], axis=-1)
        for shift in (distance, 0.0)
    )
    return p, q


@lru_cache(maxsize=8)
def three_intervals(distance: float, order: float) -> float:
    """The largest divergence, on a grid of a twentieth."""
    u, w = np.arange(-7, 7.001, 0.05)[:, None], np.arange(0, 9.001, 0.05)[None, :] + 1e-9
    return float(divergence(*intervals(u, w, distance), order).max())


@pytest.mark.parametrize("distance", [0.1, 1.0, 2.5])
@pytest.mark.parametrize("side", [1.0, 0.25])
def test_three_intervals_bend_as_little_as_cells_say(distance: float, side: float) -> None:
    """And all their ratios grow with u and with w."""
    count = 8
    u, w = np.linspace(-4, 4, round(8 * count / side) + 1)[:, None], np.linspace(0, 4, round(4 * count / side) + 1)
    p, q = intervals(u, w[None, :] + 1e-6, distance)
    for axis in (0, 1):
        assert (np.diff(np.log(p) - np.log(q), axis=axis) >= -1e-6).all()
    t = np.linspace(0, 1, count + 1)
    ramp = np.stack([1 - t, t])
    slope, peak = np.exp(-0.5) / math.sqrt(2 * math.pi), 1 / math.sqrt(2 * math.pi)
    for law, unit_of in ((q, slope), (p - q, distance * peak)):
        limit = np.array([1, 3, 2]) * unit_of * side * side / 8
        for a, b in product(range(0, len(u) - count, count), range(0, len(w) - count, count)):
            corners = law[a : a + count + 1 : count, b : b + count + 1 : count]
            mean = np.einsum("xs,yt,xyo->sto", ramp, ramp, corners)
            assert (np.abs(law[a : a + count + 1, b : b + count + 1] - mean) <= limit + CLOSE).all()


@pytest.mark.parametrize("distance", [0.2, 1.5])
@pytest.mark.parametrize("order", [1.25, 2.0, 4.0])
def test_outside_of_the_squares_of_intervals_one_is_improbable(distance: float, order: float) -> None:
    end = 2
    t, C = float(ndtr(-end)), math.exp((2 * order - 1) * order * distance**2 / 2)
    u, w = np.arange(-6, 6.01, 0.125)[:, None], np.arange(0, 9.01, 0.125)[None, :] + 1e-9
    outside = (u < -end) | (u + w > end)
    s = np.exp((order - 1) * divergence(*intervals(u, w, distance), order))
    cuts = np.arange(-end, end + 0.01, 0.125)
    cut = np.exp((order - 1) * divergence(*intervals(cuts, 1e-9 + 0 * cuts, distance), order)).max()
    assert s[outside].max() <= C * (math.sqrt(t) + t**0.25) + (1 - math.sqrt(t)) ** (1 - order) * cut


@given(st.lists(st.tuples(st.integers(-4, 4), st.floats(0.9, 1)), max_size=3), st.sampled_from(KINDS))
@example([(0, 0.99)], "rounded")
@example([(1, 0.99)], "rounded")
@settings(max_examples=examples(ordinary=60, nightly=2000), deadline=None)
def test_a_table_with_too_little_tells_how_steep_its_noise_is(cuts: list[tuple[int, float]], kind: str) -> None:
    """Any lower bounds: what they lack is m, together; no tail and no rounding is bounded."""
    v = masses(kind, ONE)
    t = v.copy()
    for place, part in cuts:
        t[len(v) // 2 + place] *= part
    lacks = 1 - t.sum() + 1e-15
    for degree, times in ((0, 1), (1, 1), (2, 2)):
        assert np.abs(np.diff(v, degree)).max() <= np.abs(np.diff(t, degree)).max() + times * lacks
    for event in (slice(0, 30), slice(30, 40), slice(33, 69, 2)):
        assert t[event].sum() - 1e-15 <= v[event].sum() <= t[event].sum() + lacks


SIZES = [(Fraction(3, 2), 1), (Fraction(2), 1), (Fraction(3), 2)]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-145")
@pytest.mark.parametrize(("sigma", "shift"), SIZES)
def test_towards_a_cheat_the_package_s_cost_is_that_of_three_intervals(sigma: Fraction, shift: int) -> None:
    order = Fraction(2)
    exact = three_intervals(shift * math.sqrt(2) / float(sigma), 2.0)
    found = float(argmax_cost(RoundedGaussian(sigma, 0), order, unit(True, shift), Adversary.CHEATING))
    assert exact * (1 - CLOSE) <= found <= exact * 1.003
    for kind, noise in NOISES.items():
        exact = worst(kind, sigma, shift, False, 2.0)
        found = float(argmax_cost(noise(sigma, 0), order, unit(False, shift), Adversary.CHEATING))
        assert exact * (1 - CLOSE) <= found <= exact * 1.003


@pytest.mark.slow
@given(
    offsets=st.lists(st.integers(-8, 7), min_size=2, max_size=3),
    threshold=st.none() | st.integers(-8, 7),
    ring=st.sampled_from([4, 8, 16]),
    size=st.sampled_from([(ONE, 1), (ONE, 2), *SIZES]),
    order=st.sampled_from([1.25, 2.0, 4.0]),
)
@settings(max_examples=examples(ordinary=80, nightly=5000), deadline=None)
def test_offsets_in_a_small_ring_tell_at_most_three_intervals(
    offsets: list[int], threshold: int | None, ring: int, size: tuple[Fraction, int], order: float
) -> None:
    """Under moves a vote goes between the first two classes; else it leaves the first, and only the label is told."""
    sigma, shift = size
    for kind, moves in (("rounded", True), ("rounded", False), ("skellam", False)):
        v = masses(kind, sigma, 20)
        one, other = ([n + shift * (c == at) for c, n in enumerate(offsets)] for at in (0, 1 if moves else -1))
        p, q = (label_law(tuple(counts), v, threshold, ring) for counts in (one, other))
        distance = shift * math.sqrt(2) / float(sigma)
        bound = three_intervals(distance, order) if moves else worst(kind, sigma, shift, False, order)
        assert max(divergence(p, q, order), divergence(q, p, order)) <= bound * (1 + 1e-3)


@pytest.mark.slow
@given(st.lists(st.integers(0, 2), min_size=49, max_size=49), st.sampled_from([1.5, 2.0, 4.0]))
@settings(max_examples=examples(ordinary=100, nightly=5000), deadline=None)
def test_any_three_sets_of_two_counts_tell_at_most_three_intervals(sets: list[int], order: float) -> None:
    """A pattern of 7 by 7 squares, repeated over the plane: sets that no ring makes."""
    v, places = masses("rounded", Fraction(3, 2), 14), np.arange(30)
    pattern = np.array(sets).reshape(7, 7)[places[:, None] % 7, places % 7].ravel()
    still, up = np.pad(v, (0, 1)), np.pad(v, (1, 0))
    p, q = (np.bincount(pattern, np.outer(*both).ravel(), minlength=3) for both in ((up, still), (still, up)))
    assert max(divergence(p, q, order), divergence(q, p, order)) <= three_intervals(math.sqrt(2) / 1.5, order) * 1.001


# Wraps, and numbers.


@pytest.mark.slow
@given(
    epsilon=st.fractions(0, 60, max_denominator=1000),
    delta=st.fractions(Fraction(1, 10**20), Fraction(999, 1000)),
    classes=st.integers(2, 1000),
    twice_sigma=st.integers(1, 200),
)
@settings(max_examples=examples(ordinary=200, nightly=5000), deadline=None)
def test_what_wraps_takes_at_most_its_part_of_delta(
    epsilon: Fraction, delta: Fraction, classes: int, twice_sigma: int
) -> None:
    """f and t(s) of section 03: P[|Z| > t(s)], exactly for rounded Gaussian noise and by the named bounds else."""
    f = max(40, 53 + math.ceil(epsilon * Fraction(14427, 10000)) + math.ceil(1 / delta).bit_length())
    with mpmath.workdps(60):
        e = mpmath.mpf((f + (4 * classes).bit_length()) * 6932) / 10000
        v = mpmath.mpf(twice_sigma**2) / 4
        gaussian = 1 + mpmath.ceil(mpmath.sqrt(2 * v * e))
        skellam = mpmath.ceil(mpmath.sqrt(2 * v * e + (e / 3) ** 2)) + mpmath.ceil(e / 3)
        for one in (
            mpmath.erfc((gaussian + mpmath.mpf(1) / 2) / mpmath.sqrt(2 * v)),
            2 * mpmath.exp(-((gaussian + 1) ** 2) / (2 * v)),
            2 * mpmath.exp(-((skellam + 1) ** 2) / (2 * (v + (skellam + 1) / 3))),
        ):
            assert classes * one <= mpmath.mpf(2) ** -f
            share = mpmath.mpf(delta.numerator) / delta.denominator / 2**20
            wrapped = (1 + mpmath.exp(mpmath.mpf(epsilon.numerator) / epsilon.denominator)) * 2**32 * classes * one
            assert wrapped <= share


def value_at(curve_slopes: list[float], step: Fraction, place: int, low: int) -> Fraction:
    """A curve's value at r^place, in rationals."""
    r = 1 + step
    total = Fraction(curve_slopes[0]) * r**low
    return total + sum(Fraction(curve_slopes[m - low]) * (r**m - r ** (m - 1)) for m in range(low + 1, place + 1))


@pytest.mark.req("CAPC-ACCT-143")
@given(st.lists(st.floats(0, 1), min_size=9, max_size=9), st.sampled_from([Fraction(1, 2048), Fraction(1, 16)]))
@settings(max_examples=examples(ordinary=60, nightly=2000), deadline=None)
def test_a_curve_through_rounded_values_is_nowhere_below_the_function(drawn: list[float], step: Fraction) -> None:
    """Of an exact convex function through the origin with slopes in [0, 1], whose values are rounded up to doubles."""
    slopes, low = sorted(drawn), -4
    exact = [value_at(slopes, step, place, low) for place in range(low, 5)]
    bounds = [math.nextafter(float(number), math.inf) for number in exact]
    curve = convex_below(Grid(step, low, 4), np.array(bounds))
    assert all(value_at(curve.slopes.tolist(), step, m, low) >= exact[m - low] for m in range(low, 5))
