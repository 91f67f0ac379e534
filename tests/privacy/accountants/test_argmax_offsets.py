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

ORDER = Fraction(2)
UNIT = ProtectedUnit(Relation.REPLACE_ONE)


def renyi(p: Law, q: Law, order: float) -> float:
    kept = (p > 0) | (q > 0)
    return log(float((p[kept] ** order * q[kept] ** (1 - order)).sum())) / (order - 1)


def divergence(sigma: float, size: int, shift: int, means: tuple[int, int, int], threshold: int | None) -> float:
    """Of a vote that moves between the first two classes; which of them comes first is decided by the means' order."""
    one = label_law([ring_law(sigma, n, size) for n in (means[0] + shift, means[1], means[2])], threshold)
    other = label_law([ring_law(sigma, n, size) for n in (means[0], means[1] + shift, means[2])], threshold)
    return max(renyi(one, other, float(ORDER)), renyi(other, one, float(ORDER)))


@pytest.mark.req("CAPC-ACCT-145")
@given(
    size=st.sampled_from([8, 16, 32]),
    means=st.tuples(*[st.integers(-16, 15)] * 3),
    threshold=st.none() | st.integers(-16, 15),
    twice_sigma=st.integers(3, 16),
)
@example(size=16, means=(7, -8, 0), threshold=None, twice_sigma=6)
@example(size=16, means=(7, 7, -8), threshold=3, twice_sigma=6)
@settings(max_examples=60)
def test_no_offset_tells_more_than_the_cost_towards_a_cheat(
    size: int, means: tuple[int, int, int], threshold: int | None, twice_sigma: int
) -> None:
    """Deviations around the ring's size and far below it, on a grid of whole votes."""
    sigma = Fraction(twice_sigma, 2)
    cost = argmax_cost(RoundedGaussian(sigma, 0), ORDER, UNIT, Adversary.CHEATING)
    assert divergence(float(sigma), size, 1, means, threshold) <= float(cost) * (1 + 1e-9)


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


@pytest.mark.req("CAPC-ACCT-145")
@given(order=st.fractions(Fraction(5, 4), 6, max_denominator=4), sigma=st.fractions(2, 40, max_denominator=4))
@settings(max_examples=6)
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
