"""The cost of a label against exact divergences of labels, by enumeration of histograms that shares no code with it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import log, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.argmax.cost import argmax_cost, argmax_cost_holds
from capc.privacy.accountants.argmax.noise_table import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from support.argmax import Histogram
from support.label_cost import Plane, divergence, histograms, label_law, masses, two
from support.sizes import examples, is_nightly, some

FLOAT_ERROR = 1e-9
MOVES, LEAVES = Relation.REPLACE_ONE, Relation.NULL_VOTE
# Noise, order, weight: little and much noise, coarse and fine grids.
CASES: list[tuple[Noise, Fraction, int]] = [
    (RoundedGaussian(Fraction(3), 0), Fraction(4), 1),
    (DiscreteGaussian(Fraction(3, 10), 1), Fraction(11, 10), 1),
    (Skellam(Fraction(2), 0), Fraction(3, 2), 2),
    (RoundedGaussian(Fraction(3, 10), 0), Fraction(2), 1),
    (RoundedGaussian(Fraction(2), 1), Fraction(3), 2),
    (DiscreteGaussian(Fraction(7), 0), Fraction(9), 3),
    (Skellam(Fraction(5), 1), Fraction(2), 1),
    (RoundedGaussian(Fraction(20), 0), Fraction(30), 1),
    (DiscreteGaussian(Fraction(50), 0), Fraction(3, 2), 1),
]
"""The first catch all that can be caught in a second; ``--quick`` takes these."""

SIZES = [(5, 2), (5, 3), (5, 4), (8, 3), (8, 4), (8, 5)][: examples(ordinary=2, nightly=6)]
"""Parties and classes."""


def unit_of(relation: Relation, weight: int = 1) -> ProtectedUnit:
    return ProtectedUnit(relation, (Fraction(weight),))


def neighbours(counts: Histogram, relation: Relation) -> list[Histogram]:
    """All histograms after one vote of the last weight moves or leaves; votes are counted in that weight."""
    found = []
    for gone, votes in enumerate(counts):
        if votes:
            without = tuple(count - (k == gone) for k, count in enumerate(counts))
            moved = [tuple(count + (k == to) for k, count in enumerate(without)) for to in range(len(counts))]
            found += [without] if relation is LEAVES else [h for h in moved if h != counts]
    return found


def worst_of_all(noise: Noise, order: Fraction, weight: int, relation: Relation, parties: int, classes: int) -> float:
    """The largest exact divergence of all labels of all neighbours in both directions, with and without thresholds."""
    law, unit = masses(noise), weight << noise.grid_bits
    sigma = float(noise.variance) ** 0.5
    steps = {round(sigma * tenth / 10) for tenth in range(-20, 30, 5)}
    thresholds: list[int | None] = [None, *sorted(steps | {unit * votes for votes in range(parties + 1)})]
    worst = 0.0
    for threshold in thresholds:
        laws = {h: label_law(tuple(unit * votes for votes in h), law, threshold) for h in histograms(parties, classes)}
        for h, p in laws.items():
            for neighbour in neighbours(h, relation):
                q = laws[neighbour]
                worst = max(worst, divergence(p, q, float(order)), divergence(q, p, float(order)))
    return worst


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize("relation", [MOVES, LEAVES])
@pytest.mark.parametrize(("noise", "order", "weight"), some(CASES, ordinary=5))
def test_no_label_of_any_histogram_costs_more(noise: Noise, order: Fraction, weight: int, relation: Relation) -> None:
    cost = float(argmax_cost(noise, order, unit_of(relation, weight)))
    for parties, classes in SIZES:
        assert worst_of_all(noise, order, weight, relation, parties, classes) <= cost * (1 + FLOAT_ERROR)


def corners() -> list[Noise]:
    """Each law at the least noise, at some, and at the most; nightly at more deviations."""
    sigmas = [Fraction(3, 10), Fraction(3), Fraction(50)]
    laws = (RoundedGaussian, DiscreteGaussian, Skellam)
    found: list[Noise] = [law(sigma, 0) for sigma in sigmas for law in laws]
    more = [(Fraction(4, 5), 0), (Fraction(1), 2), (Fraction(7), 1), (Fraction(20), 0)]
    return found + [law(*each) for each in more[: examples(ordinary=0, nightly=4)] for law in laws]


ORDERS = [Fraction(tenths, 10) for tenths in (11, 15, 20, 40, 100, 300, 1000, 2000)][:: examples(ordinary=7, nightly=1)]
"""From 1.1 to 200."""
SAFE = -680
"""Of logarithms of probabilities: below, laws that were cut off far out are not those of the noise."""


def pairs_of(sizes: Sequence[tuple[int, int]], relation: Relation) -> dict[int, list[tuple[Histogram, Histogram]]]:
    """For each number of classes the neighbours among histograms, each pair in one direction."""
    found: dict[int, list[tuple[Histogram, Histogram]]] = {}
    for parties, classes in sizes:
        pairs = {(min(h, n), max(h, n)) for h in histograms(parties, classes) for n in neighbours(h, relation)}
        found.setdefault(classes, []).extend(sorted(pairs))
    return found


def largest_divergence(p: np.ndarray, q: np.ndarray, order: float) -> float:
    """Of rows of laws; an outcome that one law next to never has is left out, which makes it smaller."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = np.log(p), np.log(q)
        terms = np.where((left > SAFE) & (right > SAFE), order * left - (order - 1) * right, -np.inf)
    return float(np.logaddexp.reduce(terms, axis=1).max()) / (order - 1)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize(
    ("noise", "relation"),
    some(product(corners(), [MOVES, LEAVES]), ordinary=4),
    ids=lambda value: f"{value.name}-{float(value.sigma_votes)}" if isinstance(value, Noise) else value,
)
def test_at_no_order_and_no_noise_any_label_costs_more(noise: Noise, relation: Relation) -> None:
    """All histograms, both directions, both orders of the two classes, with and without thresholds."""
    law, unit = masses(noise), 1 << noise.grid_bits
    costs = {order: float(argmax_cost(noise, order, unit_of(relation))) for order in ORDERS}
    sizes = [(5, 2), (5, 3), (5, 4)] if not is_nightly() else [(8, 2), (8, 3), (8, 4), (8, 5)]
    for classes, pairs in pairs_of(sizes, relation).items():
        names = sorted({h for pair in pairs for h in pair})
        row = {h: number for number, h in enumerate(names)}
        first, second = (np.array([row[pair[side]] for pair in pairs]) for side in (0, 1))
        steps = {round(float(noise.variance) ** 0.5 * tenth / 10) for tenth in range(-20, 30, 10)}
        for threshold in [None, *sorted(steps | {unit * votes for votes in range(0, 9, 4)})]:
            laws = np.array([label_law(tuple(unit * votes for votes in h), law, threshold) for h in names])
            for order, cost in costs.items():
                for p, q in ((first, second), (second, first)):
                    found = largest_divergence(laws[p], laws[q], float(order))
                    assert found <= cost * (1 + FLOAT_ERROR) + 1e-12, (classes, threshold, order)


@st.composite
def noises(draw: st.DrawFn) -> Noise:
    """Sigma from 0.3 to 50 votes, evenly by its logarithm, on coarse grids where there is much of it."""
    sigma = Fraction(round(100 * 0.3 * (50 / 0.3) ** draw(st.floats(0, 1))), 100)
    grid_bits = draw(st.integers(0, max(0, min(4, int(log2(8 / sigma))))))
    return draw(st.sampled_from([RoundedGaussian, DiscreteGaussian, Skellam]))(sigma, grid_bits)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize("relation", [MOVES, LEAVES])
def test_no_point_of_the_family_costs_more(relation: Relation) -> None:
    @settings(max_examples=examples(ordinary=6 if relation is MOVES else 20, nightly=300))
    @given(noises(), st.sampled_from([11, 15, 20, 35, 80, 300, 2000]), st.data())
    def holds(noise: Noise, tenths: int, data: st.DataObject) -> None:
        order, sigma, shift = Fraction(tenths, 10), float(noise.variance) ** 0.5, 1 << noise.grid_bits
        cost, law = float(argmax_cost(noise, order, unit_of(relation))), masses(noise, 12)
        # So near that floats tell the worst outcome of them all from 0.
        place = st.integers(-int(2 * sigma) - 1, int(2 * sigma) + 1)
        for _ in range(4):
            a, b, tau = data.draw(place), data.draw(place), data.draw(st.integers(0, 1))
            p, q = Plane(law).pair(a, b, tau, shift) if relation is MOVES else (two(law, a - shift), two(law, a))
            assert divergence(p, q, float(order)) <= cost * (1 + FLOAT_ERROR)

    holds()


@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize(("noise", "order", "weight"), CASES[:3])
@pytest.mark.parametrize("relation", [MOVES, LEAVES])
def test_some_label_of_two_classes_and_a_threshold_costs_as_much(
    noise: Noise, order: Fraction, weight: int, relation: Relation
) -> None:
    """So the supremum is that of histograms: with many votes and any threshold every member of the family occurs.

    Both are seen from above and from below, so a cost that misses an order of indices, a move or a weight is seen.
    """
    law, unit, cost = (
        masses(noise),
        weight << noise.grid_bits,
        float(argmax_cost(noise, order, unit_of(relation, weight))),
    )
    reach = range(0, 8 + int(6 * float(noise.variance) ** 0.5))
    base = 4 * int(float(noise.variance) ** 0.5) + 2
    worst = 0.0
    for votes in reach:
        for threshold in range(base - 4, 2 * base):
            p, q = (base + unit, votes), (base, votes + unit if relation is MOVES else votes)
            for first, second in ((p, q), (p[::-1], q[::-1])):
                laws = label_law(first, law, threshold), label_law(second, law, threshold)
                worst = max(worst, divergence(*laws, float(order)), divergence(*laws[::-1], float(order)))
    assert cost / (1 + 1 / 1000) <= worst <= cost * (1 + FLOAT_ERROR)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize(("noise", "order", "weight"), CASES[:3])
@pytest.mark.parametrize("relation", [MOVES, LEAVES])
def test_a_claim_holds_if_it_is_the_cost_and_not_if_it_is_less(
    noise: Noise, order: Fraction, weight: int, relation: Relation
) -> None:
    unit = unit_of(relation, weight)
    cost, whole = argmax_cost(noise, order, unit), noise.rdp_cost(order, unit.histogram)
    assert cost < whole
    assert argmax_cost_holds(noise, order, unit, cost)
    assert argmax_cost_holds(noise, order, unit, whole)
    assert not argmax_cost_holds(noise, order, unit, cost * Fraction(99, 100))
    assert not argmax_cost_holds(noise, order, unit, Fraction(0))


@pytest.mark.slow
@pytest.mark.parametrize("relation", [MOVES, LEAVES])
@pytest.mark.parametrize(
    ("noise", "order"),
    [(RoundedGaussian(Fraction(10), 0), Fraction(12)), (Skellam(Fraction(4), 0), Fraction(3, 2)),
     (DiscreteGaussian(Fraction(7, 3), 1), Fraction(4)), (RoundedGaussian(Fraction(17, 2), 0), Fraction(9))],
)  # fmt: skip
def test_every_cost_holds_as_a_claim_of_its_own(noise: Noise, order: Fraction, relation: Relation) -> None:
    cost = argmax_cost(noise, order, unit_of(relation))
    assert argmax_cost_holds(noise, order, unit_of(relation), cost)
    assert not argmax_cost_holds(noise, order, unit_of(relation), cost * Fraction(99, 100))


@pytest.mark.slow
@pytest.mark.parametrize("grid_bits", [1, 4])
def test_factors_at_the_noise_of_the_literature(grid_bits: int) -> None:
    """Of order / s^2, which is the whole histogram's: 0.64 at every grid."""
    cost = argmax_cost(RoundedGaussian(Fraction(40), grid_bits), Fraction(12), unit_of(MOVES))
    assert 0.6416 <= float(cost * 1600 / 12) <= 0.6436


@pytest.mark.parametrize("sigma", [Fraction(3, 10), Fraction(1)])
def test_little_noise_and_large_orders_cost_at_most_the_histogram(sigma: Fraction) -> None:
    for noise in (RoundedGaussian(sigma, 0), DiscreteGaussian(sigma, 0), Skellam(sigma, 0)):
        for relation in (MOVES, LEAVES):
            whole = noise.rdp_cost(Fraction(200), unit_of(relation).histogram)
            assert (
                whole * Fraction(1, 2)
                <= argmax_cost(noise, Fraction(200), unit_of(relation))
                <= whole * (1 + Fraction(1, 10**11))
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sigma", "order", "budget", "queries"),
    [
        (40, Fraction(197, 16), (2.0, 1e-6), {MOVES: 219, LEAVES: 440}),
        (7, Fraction(19, 8), (20.0, 1e-5), {MOVES: 409, LEAVES: 825}),
    ],
)
def test_queries_within_a_budget(
    sigma: int, order: Fraction, budget: tuple[float, float], queries: dict[Relation, int]
) -> None:
    """At the best order of a fine grid, by the improved conversion; the histogram's cost admits 160 and 291."""
    (epsilon, delta), a = budget, float(order)
    nats = epsilon - log(1 - 1 / a) + (log(delta) + log(a)) / (a - 1)
    for relation, least in queries.items():
        assert nats / float(argmax_cost(RoundedGaussian(Fraction(sigma), 1), order, unit_of(relation))) >= least


def test_what_has_no_cost_of_a_label_is_refused_by_name() -> None:
    noise = RoundedGaussian(Fraction(7), 1)
    with pytest.raises(InputError, match="weights = 1, 1"):
        argmax_cost(noise, Fraction(2), ProtectedUnit(MOVES, (Fraction(1), Fraction(1))))
    with pytest.raises(InputError, match="weight = 1/3"):
        argmax_cost(noise, Fraction(2), ProtectedUnit(MOVES, (Fraction(1, 3),)))
    with pytest.raises(InputError, match="order"):
        argmax_cost(noise, Fraction(1), unit_of(MOVES))
