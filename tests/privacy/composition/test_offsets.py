"""Compositions towards a querying party that adds to its shares: sums over rings never exceed them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.accountants.argmax.composition import (
    composition_curve,
    composition_delta,
    composition_epsilon,
    composition_queries,
)
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition import bellman, recursion, three_intervals
from capc.privacy.composition.family import Family
from capc.privacy.composition.mesh import Cell
from capc.privacy.composition.references import Fineness, Reference
from capc.privacy.composition.value_function import Curve, Grid, convex_below
from capc.two_party.circuits import tournament
from capc.two_party.circuits.release import release_circuit
from support.label_laws import functional, gaussian_delta, hockey_stick
from support.oracles import bits_of, evaluate_many, grid, words_of
from support.rings import label_law, ring_law
from support.sizes import examples, some

REPLACE, NULL = ProtectedUnit(Relation.REPLACE_ONE), ProtectedUnit(Relation.NULL_VOTE)
CHEATING = Adversary.CHEATING


def interval_laws(mu: float, thresholds: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """(P, Q): of X below u, of X from v on, and of X between them."""

    def below(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    def law(u: float, v: float, mean: float) -> list[float]:
        small, large = sorted([below((u - mean) * side) for u, side in ((u, 1), (v, 1))])
        if u + v > 2 * mean:
            small, large = sorted([below(mean - u), below(mean - v)])
        return [below(u - mean), large - small, below(mean - v)]

    return tuple(np.array([law(u, v, mean) for u, v in thresholds]) for mean in (mu / 2, -mu / 2))  # type: ignore[return-value]


def ring_laws(sigma: float, size: int, step: int, threshold: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(P, Q) of a label of three classes, for offsets that bring each count to every few places of the ring."""
    p, q = [], []
    places = range(-size // 2, size // 2, step)
    for a, b, c in product(places, places, places[::2]):
        for first, second in (((a + 1, b), (a, b + 1)), ((b, a + 1), (b + 1, a))):
            p.append(label_law([ring_law(sigma, n, size) for n in (*first, c)], threshold))
            q.append(label_law([ring_law(sigma, n, size) for n in (*second, c)], threshold))
    return np.array(p), np.array(q)


GRID = Grid(Fraction(1, 32), -60, 60)


def curves() -> Iterator[Curve]:
    """Functions of many forms: one kink at each of several places, and a smooth one."""
    for place in (-20, -4, 0, 7, 25):
        yield convex_below(GRID, np.maximum(GRID.points - GRID.points[place + 60], 0))
    yield convex_below(GRID, GRID.points**2 / (1 + GRID.points))


def value_of(curve: Curve, x: np.ndarray) -> np.ndarray:
    beyond = curve.values[-1] + np.maximum(x - GRID.points[-1], 0)
    return np.where(x > GRID.points[-1], beyond, np.interp(x, [0, *GRID.points], [0, *curve.values]))


def exact_at_one(p: np.ndarray, q: np.ndarray, curve: Curve) -> float:
    return float(functional(p, q, 1.0, lambda x: value_of(curve, x)).max())


def check_steps(mu: float) -> None:
    """A step is at or above every partition into three intervals, and not far above the best of many."""
    places = [*np.linspace(-4, 4, 81), -30.0, -9.0, 9.0, 30.0]
    p, q = interval_laws(mu, [(u, v) for u in places for v in places if u <= v])
    fineness = Fineness((Reference(0.0, 1.0, 1.0),), 1e-2, 1e6, 1e-9)
    mesh = three_intervals.three_intervals((mu * mu).as_integer_ratio(), fineness)
    step = bellman.Step(GRID, [mesh], 200)
    for curve in curves():
        found = step(curve)
        for place in (40, 56, 60, 66):
            exact = functional(p, q, float(GRID.points[place]), lambda x, curve=curve: value_of(curve, x)).max()
            assert exact * (1 - 1e-9) <= found.values[place]
    # Meshes are for smooth functions, as the last one is.
    assert found.values[60] <= exact_at_one(p, q, curve) * 1.01


@pytest.mark.req("CAPC-ACCT-151")
@pytest.mark.parametrize("mu", [0.03125, 0.25, 0.9375])
def test_a_step_covers_all_partitions_into_three_intervals(mu: float) -> None:
    check_steps(mu)


def only_two_intervals(low: int, high: int) -> list[Cell]:
    return [(u, u, 1) for u in range(low, high)]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-151")
def test_mutant_two_intervals_only_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle one is as good as empty: what is left is what two outcomes tell."""
    monkeypatch.setattr(three_intervals, "_UNIT_BITS", 6)
    monkeypatch.setattr(three_intervals, "_roots", only_two_intervals)
    with pytest.raises(AssertionError):
        check_steps(0.9375)


@pytest.mark.req("CAPC-ACCT-151")
def test_mutant_near_thresholds_forgotten_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is covered where two thresholds are near each other."""
    correct = three_intervals._roots
    monkeypatch.setattr(
        three_intervals, "_roots", lambda *ends: [cell for cell in correct(*ends) if cell[1] > cell[0] + 2048]
    )
    with pytest.raises(AssertionError):
        check_steps(0.9375)


@pytest.mark.req("CAPC-ACCT-151")
@settings(max_examples=examples(ordinary=25, nightly=500))
@given(st.integers(-3000, 3000), st.integers(0, 1500), st.sampled_from([16, 128, 512]), st.floats(0.01, 3))
def test_a_box_of_thresholds_is_covered(u: int, apart: int, side: int, mu: float) -> None:
    """At random points inside; boxes of which only one corner would be left are not covered by chance."""
    cell = (u, u + apart if apart >= side else u, side)
    laws = three_intervals._Thresholds((mu * mu).as_integer_ratio())
    fineness = Fineness((Reference(0.0, 1.0, 1.0),), 1e9, 1e6, 1.0)
    box = three_intervals.MeshBuilder(laws.bounds, laws.curvature, fineness, three_intervals._TRIANGLE).build([cell])
    inside = [
        ((cell[0] + x * side) / 1024, (cell[1] + y * side) / 1024)
        for x in np.linspace(0, 1, 9)
        for y in np.linspace(0, 1, 9)
        if cell[0] + x * side <= cell[1] + y * side
    ]
    p, q = interval_laws(mu, inside)
    step = bellman.Step(GRID, [box], 200)
    for curve in list(curves())[::2]:
        found = step(curve)
        for place in (50, 60):
            exact = functional(p, q, float(GRID.points[place]), lambda x, curve=curve: value_of(curve, x)).max()
            assert exact * (1 - 1e-9) <= found.values[place]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-150")
@pytest.mark.parametrize(
    ("sigma", "size", "threshold"), some([(2, 8, None), (3, 16, None), (4, 16, 3), (2, 16, -8)], ordinary=2)
)
def test_offsets_in_a_ring_never_exceed_the_figure(sigma: int, size: int, threshold: int | None) -> None:
    """One label of every offset, and two labels whose offsets are the best after each first label."""
    p, q = ring_laws(float(sigma), size, max(1, size // 8), threshold)
    noise = RoundedGaussian(Fraction(sigma), 0)
    for epsilon in (0.0, 0.25, 0.75):
        one = float(composition_delta(noise, REPLACE, 1, Fraction(epsilon), adversary=CHEATING))
        assert hockey_stick(p, q, epsilon).max() <= one * (1 + 1e-9)

        def last(x: np.ndarray, epsilon: float = epsilon) -> np.ndarray:
            grid = np.exp(np.linspace(-4, 4, 300))
            values = np.array([hockey_stick(each * p, q, epsilon).max() for each in grid])
            # Tangents are below a convex function: here the slope of the chord before each point.
            slopes = np.diff(values) / np.diff(grid)
            place = np.clip(np.searchsorted(grid, x) - 1, 1, len(slopes) - 1)
            return np.maximum(values[place] + slopes[place - 1] * (x - grid[place]), 0)

        two = float(composition_delta(noise, REPLACE, 2, Fraction(epsilon), adversary=CHEATING))
        assert functional(p, q, 1.0, last).max() <= two * (1 + 1e-9)


def check_labels_given_the_others() -> None:
    """Of five classes in a ring of eight words: whatever three counts are, the two others bring about three labels."""
    width, classes = 3, 5
    every = range(-(1 << (width - 1)), 1 << (width - 1))
    words = grid(*[every] * classes)
    circuit = release_circuit.__wrapped__(classes, width)
    outputs = evaluate_many(circuit, bits_of(words, width), bits_of(np.zeros_like(words), width))
    labels = words_of(outputs, 3)[:, 0].reshape([len(every)] * classes)
    for i, j in combinations(range(classes), 2):
        others = np.moveaxis(labels, (i, j), (0, 1)).reshape(len(every) ** 2, -1)
        for reached in others.T:
            assert len(set(reached.tolist()) - {i, j}) <= 1


@pytest.mark.req("CAPC-ACCT-150")
def test_a_label_is_one_of_three_whatever_wraps() -> None:
    check_labels_given_the_others()


@pytest.mark.req("CAPC-ACCT-150")
def test_mutant_wrapped_comparisons_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the label need not be the largest number, and the best of the others does not stay the same."""
    monkeypatch.setattr(tournament, "less_than_any", tournament.less_than)
    with pytest.raises(AssertionError):
        check_labels_given_the_others()


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-150")
def test_towards_a_cheat_one_label_costs_what_the_gaussian_does() -> None:
    """One interval and its complement tell as much as a Neyman-Pearson test does."""
    noise = RoundedGaussian(Fraction(3), 0)
    for epsilon in (Fraction(0), Fraction(1, 2), Fraction(3, 2)):
        exact = gaussian_delta(math.sqrt(2) / 3, float(epsilon))
        wanted = recursion.Wanted(Family(noise, 1, moves=True, offsets=True), epsilon, None, 1)
        assert exact * (1 - 1e-9) <= recursion.compose(wanted).delta
        found = float(composition_delta(noise, REPLACE, 1, epsilon, adversary=CHEATING))
        assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-150")
@settings(max_examples=examples(ordinary=3, nightly=60))
@example(4, 6, Fraction(1, 10**6))
@given(st.integers(2, 8), st.integers(2, 8), st.sampled_from([Fraction(1, 1000), Fraction(1, 10**6)]))
def test_a_cheat_learns_no_less_than_an_honest_party(labels: int, sigma: int, delta: Fraction) -> None:
    noise = RoundedGaussian(Fraction(sigma), 0)
    honest, cheated = (composition_epsilon(noise, REPLACE, labels, delta, adversary=each) for each in Adversary)
    mu = math.sqrt(2 * labels) / sigma
    assert honest <= cheated
    assert gaussian_delta(mu, float(cheated)) >= float(delta) * (1 - 1e-9)
    alone, nobody = (composition_epsilon(noise, NULL, labels, delta, adversary=each) for each in Adversary)
    assert alone == nobody < cheated


@pytest.mark.slow
def test_fewer_labels_are_read_from_the_same_composition() -> None:
    noise, delta = RoundedGaussian(Fraction(4), 0), Fraction(1, 10**5)
    counts = [1, 4, 16, 17, 20]
    together = composition_curve(noise, REPLACE, counts, delta, adversary=CHEATING)
    assert together == sorted(together)
    alone = [composition_epsilon(noise, REPLACE, count, delta, adversary=CHEATING) for count in counts]
    assert all(abs(one / other - 1) < Fraction(1, 20) for one, other in zip(together, alone, strict=True))
    with pytest.raises(InputError, match=r"^delta = .*2\^-46"):
        composition_epsilon(noise, REPLACE, 3, Fraction(1, 1 << 47))


def test_integer_laws_have_no_composition_towards_a_cheat_and_null_votes_need_none() -> None:
    with pytest.raises(InputError, match=r"^offsets of a querying party are for votes that move"):
        composition_epsilon(DiscreteGaussian(Fraction(3), 0), REPLACE, 3, Fraction(1, 1000), adversary=CHEATING)
    noise = DiscreteGaussian(Fraction(3), 0)
    honest, cheated = (composition_epsilon(noise, NULL, 3, Fraction(1, 1000), adversary=each) for each in Adversary)
    assert honest == cheated


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-150")
@pytest.mark.parametrize(
    ("sigma", "epsilon", "delta", "least"),
    [(7, 3, "1/100000", 11), (40, 2, "1/1000000", 196), (7, 20, "1/100000", 356)][: examples(ordinary=1, nightly=3)],
)
def test_how_many_labels_fit_towards_a_cheat(sigma: int, epsilon: int, delta: str, least: int) -> None:
    noise, budget = RoundedGaussian(Fraction(sigma), 4), (Fraction(epsilon), Fraction(delta))
    found = composition_queries(noise, REPLACE, *budget, adversary=CHEATING)
    assert least <= found <= 1.3 * least
