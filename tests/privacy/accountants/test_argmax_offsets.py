"""What a label costs towards a querying party that adds to its shares: exact sums over small rings never exceed it."""

from __future__ import annotations

from fractions import Fraction
from math import log

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.accountants.argmax.cost import Adversary, argmax_cost, argmax_cost_holds
from capc.privacy.accountants.ball_arithmetic import round_up
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from support.rings import Law, label_law, ring_law
from support.sizes import examples

ORDER = Fraction(2)
UNIT, NULLED = ProtectedUnit(Relation.REPLACE_ONE), ProtectedUnit(Relation.NULL_VOTE)
Place = tuple[int, int, int, int]
"""The mean of each class, by which offsets are chosen, and T."""


def renyi(p: Law, q: Law, order: float) -> float:
    """Without outcomes that are next to impossible: at most that less."""
    kept = (p > 1e-30) & (q > 1e-30)
    return log(float((p[kept] ** order * q[kept] ** (1 - order)).sum())) / (order - 1)


def divergence(
    sigma: float,
    size: int,
    shift: int,
    means: tuple[int, int, int],
    threshold: int | None,
    unit: ProtectedUnit = UNIT,
    order: Fraction = ORDER,
) -> float:
    """Of a vote that moves between the first two classes, or is at the first or nowhere.

    Which of them comes first is decided by the means' order.
    """
    moved = means[1] + (shift if unit is UNIT else 0)
    one = label_law([ring_law(sigma, n, size) for n in (means[0] + shift, means[1], means[2])], threshold)
    other = label_law([ring_law(sigma, n, size) for n in (means[0], moved, means[2])], threshold)
    return max(renyi(one, other, float(order)), renyi(other, one, float(order)))


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-145")
@given(
    size=st.sampled_from([8, 16, 32]),
    means=st.tuples(*[st.integers(-16, 15)] * 3),
    threshold=st.none() | st.integers(-16, 15),
    twice_sigma=st.integers(3, 16),
    unit=st.sampled_from([UNIT, NULLED]),
)
@example(size=16, means=(7, -8, 0), threshold=None, twice_sigma=6, unit=UNIT)
@example(size=16, means=(7, 7, -8), threshold=3, twice_sigma=6, unit=UNIT)
@example(size=16, means=(7, -8, -8), threshold=0, twice_sigma=6, unit=NULLED)
@settings(max_examples=examples(ordinary=15, nightly=3000), deadline=None)
def test_no_offset_tells_more_than_the_cost_towards_a_cheat(
    size: int, means: tuple[int, int, int], threshold: int | None, twice_sigma: int, unit: ProtectedUnit
) -> None:
    """Deviations around the ring's size and far below it, on a grid of whole votes."""
    sigma = Fraction(twice_sigma, 2)
    cost = argmax_cost(RoundedGaussian(sigma, 0), ORDER, unit, Adversary.CHEATING)
    assert divergence(float(sigma), size, 1, means, threshold, unit) <= float(cost) * (1 + 1e-9)


RING = 64
STARTS: list[Place] = [(0, 0, 0, -32), (0, 0, -32, 0), (31, -32, 0, -32)]
"""Honest places, and some where one count, or both, are about to wrap."""


def searched(sigma: float, start: Place, unit: ProtectedUnit, order: Fraction) -> float:
    """The largest divergence on a climb from a start, by steps of each size in each coordinate."""

    def found(place: Place) -> float:
        return divergence(sigma, RING, 1, place[:3], place[3], unit, order)

    best, place = found(start), start
    while True:
        around = [
            tuple((n + (k == moved) * step + RING // 2) % RING - RING // 2 for k, n in enumerate(place))
            for moved in range(4)
            for step in (-7, -2, -1, 1, 2, 7)
        ]
        value, following = max((found(near), near) for near in around)  # type: ignore[arg-type]
        if value <= best * (1 + 1e-12):
            return best
        best, place = value, following  # type: ignore[assignment]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-145")
@pytest.mark.parametrize("unit", [UNIT, NULLED], ids=["replace_one", "null_vote"])
@pytest.mark.parametrize(
    ("sigma", "order"),
    [
        (Fraction(4), Fraction(2)),
        (Fraction(1), Fraction(3, 2)),
        (Fraction(2), Fraction(6)),
        (Fraction(3), Fraction(4)),
    ][: examples(ordinary=2, nightly=4)],
)
def test_climbs_over_offsets_and_thresholds_end_between_an_honest_label_and_the_cost(
    sigma: Fraction, order: Fraction, unit: ProtectedUnit
) -> None:
    """Searched in the ring of one draw with T; a bound over two intervals of the ratio would be refuted by it."""
    noise = RoundedGaussian(sigma, 0)
    honest, cheated = (float(argmax_cost(noise, order, unit, towards)) for towards in Adversary)
    worst = max(searched(float(sigma), start, unit, order) for start in STARTS)
    assert honest * 0.998 < worst <= cheated * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-145")
def test_the_worst_of_searched_offsets_is_below_the_cost_and_not_far_below_an_honest_label() -> None:
    """Every fourth place of each count: at the ends of the ring one count passes as it grows, the other as it falls."""
    sigma, size = Fraction(4), 32
    honest, cheated = (argmax_cost(RoundedGaussian(sigma, 0), ORDER, UNIT, towards) for towards in Adversary)
    worst = max(
        divergence(4.0, size, 1, (a, b, c), None)
        for a in range(-16, 16, 4)
        for b in range(-16, 16, 4)
        for c in (-16, -8, 0, 4, 8)
    )
    assert honest * Fraction(9, 10) < worst <= cheated


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-145")
@given(order=st.fractions(Fraction(5, 4), 6, max_denominator=4), sigma=st.fractions(2, 40, max_denominator=4))
@settings(max_examples=examples(ordinary=2, nightly=6))
def test_a_cheat_learns_no_less_than_an_honest_party_and_no_more_than_the_histogram(
    order: Fraction, sigma: Fraction
) -> None:
    noise = RoundedGaussian(sigma, 0)
    honest, cheated = (argmax_cost(noise, order, UNIT, towards) for towards in Adversary)
    assert honest <= cheated <= noise.rdp_cost(order, UNIT.histogram) * Fraction(10**9 + 1, 10**9)
    assert argmax_cost_holds(noise, order, UNIT, cheated, Adversary.CHEATING)


def test_towards_a_cheat_integer_laws_cost_the_histogram_and_null_votes_the_label() -> None:
    discrete = DiscreteGaussian(Fraction(3), 2)
    whole = round_up(discrete.rdp_cost(ORDER, UNIT.histogram))
    assert argmax_cost(discrete, ORDER, UNIT, Adversary.CHEATING) == whole
    null, noise = ProtectedUnit(Relation.NULL_VOTE), RoundedGaussian(Fraction(3), 2)
    assert argmax_cost(noise, ORDER, null, Adversary.CHEATING) == argmax_cost(noise, ORDER, null)
