"""Section 12 derived a second time: its statements on one label against brute force, without the package."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.derived_laws import (
    KINDS,
    LONG,
    SHORT,
    at_most,
    divergence,
    family,
    hockey_stick,
    label_law,
    masses,
    pairs,
    three,
    thresholds,
    two,
    worst,
)
from support.sizes import examples, some

CLOSE = 1e-9
ORDERS = (1.25, 2.0, 3.0)

# Three outcomes, ties, one draw for check and answer.


def test_the_three_outcomes_are_the_label_in_every_order_of_indices_and_with_a_threshold() -> None:
    """R_i, R_j and the best other candidate, of any index: x = 3 is a threshold, behind all classes."""
    for i, j, x in (order for order in permutations(range(4), 3) if 3 not in order[:2]):
        tau = (j < i) + (x < j) - (x < i)
        assert tau in (0, 1)
        for first, second, m in product(range(-3, 4), repeat=3):
            candidates = {i: first, j: second, x: m}
            label = min(candidates, key=lambda index: (-candidates[index], index))
            X, Y = first - m - (x < i), second - m - (x < j)  # the best other is at 0
            lead = X - Y - tau
            rules = {i: X >= 0 and lead >= 0, j: Y >= 0 and lead < 0, x: X < 0 and Y < 0}
            assert [name for name, holds in rules.items() if holds] == [label]


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes_and_a_threshold_are_every_member_of_the_family(kind: str) -> None:
    """So the bound is reached: the law of the label is the family's, for both tie orders."""
    v = masses(kind, Fraction(1), 20)
    for n, m in product(range(4), repeat=2):
        law = label_law((n, m), v, 2)
        assert law == pytest.approx(three(v, n - 2, m - 2, 0), abs=1e-12)
        assert law == pytest.approx(np.array(three(v, m - 2, n - 2, 1))[[1, 0, 2]], abs=1e-12)


@pytest.mark.slow
@given(st.data(), st.sampled_from(KINDS), st.booleans(), st.integers(1, 2))
@settings(max_examples=examples(ordinary=60, nightly=3000), deadline=None)
def test_no_label_tells_more_than_the_family_whatever_the_divergence(
    data: st.DataObject, kind: str, moves: bool, shift: int
) -> None:
    """One class to four, nobody's votes or many, a threshold or none, both directions."""
    others = data.draw(st.lists(st.integers(0, 4), min_size=2 if moves else 1, max_size=4))
    threshold = data.draw(st.none() | st.integers(0, 5))
    i, j, *_ = [*data.draw(st.permutations(range(len(others)))), -1]
    check_one_label(others, threshold, (i, j), kind, moves, shift)


@pytest.mark.slow
def test_a_rare_label_next_to_the_tails_that_are_left_out() -> None:
    """Its probability lacks 10^-8 of itself where draws reach to 10 only, and its ratio has so much more."""
    check_one_label([2, 0], 2, (0, 1), "skellam", moves=True, shift=2)


def check_one_label(
    others: list[int], threshold: int | None, places: tuple[int, int], kind: str, moves: bool, shift: int
) -> None:
    i, j = places
    v, sigma = masses(kind, Fraction(1), SHORT), Fraction(1)
    one, other = ([n + shift * (c == place) for c, n in enumerate(others)] for place in (i, j if moves else -1))
    p, q = (label_law(tuple(counts), v, threshold) for counts in (one, other))
    everything = family(kind, sigma, shift, moves, 8, 2)
    # What a sum over draws of a short reach leaves out; given back to the rarer law, no ratio is above the true one.
    lost = len(others) * max(0.0, 1 - math.fsum(v))
    for left, right in ((p, q), (q, p)):
        for order in ORDERS:
            assert divergence(left, right + lost, order) <= worst(kind, sigma, shift, moves, order) + CLOSE
        for epsilon in (0.0, 0.4, 1.5):
            assert hockey_stick(left, right, epsilon) <= hockey_stick(*everything, epsilon).max() + CLOSE


# Lemmas.

LAWS = [(kind, sigma) for kind in KINDS for sigma in (Fraction(4, 5), Fraction(3))]


@pytest.mark.parametrize(("kind", "sigma"), LAWS)
@pytest.mark.parametrize("shift", [1, 3])
def test_ratios_fall_with_a_and_rise_with_b(kind: str, sigma: Fraction, shift: int) -> None:
    far = 7
    p, q = (law.reshape(2, 2 * far + 1, 2 * far + 1, 3) for law in pairs(masses(kind, sigma), shift, far))
    ratio = np.log(p) - np.log(q)
    assert (np.diff(ratio, axis=1) <= CLOSE).all()
    assert (np.diff(ratio, axis=2) >= -CLOSE).all()
    likely = np.diff(q, axis=1), np.diff(q, axis=2)
    assert (likely[0] * [1, -1, -1] >= -1e-15).all()
    assert (likely[1] * [-1, 1, -1] >= -1e-15).all()
    p, q = thresholds(masses(kind, sigma), shift, far)
    assert (np.diff(np.log(p[:, :2]) - np.log(q[:, :2]), axis=0) <= CLOSE).all()


def excess(y: np.ndarray, a: float) -> np.ndarray:
    return y**a - 1 - a * (y - 1)


@pytest.mark.parametrize(("kind", "sigma"), LAWS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("shift", "side"), some([(1, 2), (2, 4), (1, 8)], ordinary=2))
def test_no_point_of_a_cell_is_above_its_bounds(
    kind: str, sigma: Fraction, order: float, shift: int, side: int
) -> None:
    """By order and by curvature, with the table of bends."""
    v, far = masses(kind, sigma), 8
    p, q = (law.reshape(2, 2 * far + 1, 2 * far + 1, 3) for law in pairs(v, shift, far))
    y = p / q
    g = (q * excess(y, order)).sum(axis=-1)
    most, step, curl = v.max(), np.abs(np.diff(v)).max(), np.abs(np.diff(v, 2)).max()
    scale = side * side / 8
    bend = 2 * step * scale
    twist = np.array([4 * curl + most * step, 4 * curl + most * step, 2 * (curl + most * step)]) * shift * scale
    for tau, a, b in product((0, 1), range(0, 2 * far, side), range(0, 2 * far, side)):
        cell = np.s_[tau, a : a + side + 1, b : b + side + 1]
        corners = [(tau, a + x, b + z) for x, z in product((0, side), repeat=2)]
        ends = np.array([y[tau, a + side, b], y[tau, a, b + side]])
        largest = np.array([q[tau, a + side, b, 0], q[tau, a, b + side, 1], q[tau, a, b, 2]])
        steep, away = np.abs(ends ** (order - 1) - 1).max(axis=0), np.abs(ends - 1).max(axis=0)
        by_order = (largest * excess(ends, order).max(axis=0)).sum()
        by_curvature = max(g[corner] for corner in corners) + (order * steep * (twist + away * bend)).sum()
        assert g[cell].max() <= min(by_order, by_curvature) + CLOSE
        t, s = np.meshgrid(*[np.linspace(0, 1, side + 1)] * 2, indexing="ij")
        weights = ((1 - t) * (1 - s), (1 - t) * s, t * (1 - s), t * s)
        for law, limit in ((q, np.full(3, bend)), (p - q, twist)):
            mean = sum(weight[:, :, None] * law[corner] for weight, corner in zip(weights, corners, strict=True))
            assert (np.abs(law[cell] - mean) <= limit + 1e-15).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shift", [1, 2])
def test_outside_of_the_square_something_is_improbable(kind: str, order: float, shift: int) -> None:
    v, end = masses(kind, Fraction(1)), shift + 5
    t = float(at_most(v, shift - end))
    assert t < 1 / 4
    place = np.arange(shift - LONG, LONG + 1)
    moved = (v[place - shift + LONG], v[place + LONG])
    # All of the histogram at the order 2a: a count that moves up, and one that moves down.
    C = math.prod(math.sqrt((x * (x / y) ** (2 * order - 1)).sum()) for x, y in (moved, moved[::-1]))
    both = np.convolve(v, v)
    for tau, a, b in product((0, 1), range(-end - 5, end + 6), range(-end - 5, end + 6)):
        p, q = np.array(three(v, a + shift, b, tau)), np.array(three(v, a, b + shift, tau))
        s = (q * (p / q) ** order).sum()
        assert (p**order * q ** (1 - order) <= C * np.sqrt(q) * (1 + CLOSE)).all()
        if max(-a, -b) > end:
            law = [(b, b + shift), (a + shift, a)][a >= -end]
            rest, extra, factor = v, C * math.sqrt(t), (1 - t) ** (1 - order)
        elif max(a, b) > end:
            law = (a + shift - b - tau, a - b - shift - tau)
            rest, extra, factor = both, C * (math.sqrt(t) + t**0.25), (1 - math.sqrt(t)) ** (1 - order)
        else:
            continue
        # At this point's own member of the family of two outcomes, which is more than is claimed.
        alone = np.exp((order - 1) * divergence(*(np.array(two(rest, u)) for u in law), order))
        assert s <= (extra + factor * alone) * (1 + CLOSE)
