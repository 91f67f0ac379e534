"""A claim is never below the exact divergence: all neighbouring histograms of up to 8 parties and 4 classes.

Both directions, both adjacencies, continuous noise (by quadrature) and integer noise (by summation, ties to the lowest
index). Nothing here uses a theory of composition or code of the accountants but the claim itself.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian
from capc.noise.shares import SharedNoise, SkellamShare
from capc.privacy.accountants.conversion import epsilon_upper, improved_conversion
from capc.privacy.accountants.pld import pld_epsilon
from capc.privacy.accountants.rdp import rdp_cost, rdp_epsilon
from capc.privacy.accountants.steps import Step
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.session.parameters import Adjacency
from support.argmax import argmax_law, continuous_argmax_law, discrete_masses, neighbouring_pairs

DELTAS = [Fraction(1, 20), Fraction(1, 1000)]
ORDERS = [Fraction(3, 2), Fraction(4), Fraction(16)]
PARTIES = 8
SIZES = [(PARTIES, 4), (8, 2), (8, 3)]


def continuous(histogram: tuple[int, ...], sigma: float) -> np.ndarray:
    return continuous_argmax_law(histogram, sigma, 9, 721)


def worst(
    laws: dict[tuple[int, ...], np.ndarray],
    found: list[tuple[tuple[int, ...], tuple[int, ...]]],
    epsilon: float | None = None,
    order: float | None = None,
) -> float:
    p = np.array([laws[h] for h, _ in found])
    q = np.array([laws[n] for _, n in found])
    if epsilon is not None:
        return float(np.maximum(0, p - np.exp(epsilon) * q).sum(axis=1).max())
    a = float(order or 0)
    return float((np.log((p**a * q ** (1 - a)).sum(axis=1)) / (a - 1)).max())


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize(("parties", "classes"), SIZES)
@pytest.mark.parametrize("relation", [Relation.REPLACE_ONE, Relation.NULL_VOTE])
@pytest.mark.parametrize("sigma", [Fraction(3, 4), Fraction(2)])
def test_no_figure_is_below_the_exact_divergence(
    parties: int, classes: int, relation: Relation, sigma: Fraction
) -> None:
    unit = ProtectedUnit(relation)
    found = neighbouring_pairs(parties, classes, Adjacency(relation.value))
    names = {h for pair in found for h in pair}
    smooth = {h: continuous(h, float(sigma)) for h in names}
    mass = discrete_masses(float(sigma), int(14 * sigma))
    stepped = {h: argmax_law(h, mass) for h in names}
    gauss = Step(RoundedGaussian(sigma, 4), unit.histogram)
    discrete = Step(DiscreteGaussian(sigma, 0), unit.histogram)
    for delta in DELTAS:
        claim = epsilon_upper(CostUnit.MU_SQUARED, gauss.noise.cost(unit.histogram.squared), delta)  # type: ignore[union-attr]
        assert worst(smooth, found, epsilon=float(claim)) <= float(delta) + 1e-12
        for epsilon in (
            pld_epsilon({discrete: 1}, delta),
            rdp_epsilon({discrete: 1}, delta, improved_conversion).epsilon,
        ):
            assert worst(stepped, found, epsilon=float(epsilon)) <= float(delta) + 1e-12
    for order in ORDERS:
        assert worst(smooth, found, order=float(order)) <= float(rdp_cost({gauss: 1}, order)) * (1 + 1e-9)
        assert worst(stepped, found, order=float(order)) <= float(rdp_cost({discrete: 1}, order)) * (1 + 1e-9)


@pytest.mark.req("CAPC-ACCT-103")
def test_no_skellam_figure_is_below_the_exact_divergence() -> None:
    unit, sigma = ProtectedUnit(Relation.REPLACE_ONE), Fraction(2)
    step = Step(SharedNoise(SkellamShare(sigma, 0), 1), unit.histogram)
    n = np.arange(0, 60)
    half = np.exp(-2.0) * np.cumprod(np.concatenate([[1.0], 2.0 / n[1:]]))
    mass = np.convolve(half, half[::-1])
    found = neighbouring_pairs(5, 3, Adjacency.REPLACE_ONE)
    laws = {h: argmax_law(h, mass) for pair in found for h in pair}
    for order in (Fraction(2), Fraction(8)):
        assert worst(laws, found, order=float(order)) <= float(rdp_cost({step: 1}, order))


@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-107")
@pytest.mark.parametrize(
    "weights", [(Fraction(1), Fraction(1)), (Fraction(2),), (Fraction(1), Fraction(1), Fraction(1))]
)
@pytest.mark.parametrize("relation", [Relation.REPLACE_ONE, Relation.NULL_VOTE])
def test_heavy_and_repeated_votes_are_charged_enough(weights: tuple[Fraction, ...], relation: Relation) -> None:
    """Others' votes in any way, the unit's weights on any classes; the claim for one vote would be refuted."""
    classes, others, sigma, delta = 3, 4, Fraction(3), Fraction(1, 1000)
    placings = {
        tuple(sum(int(w) for w, label in zip(weights, chosen, strict=True) if label == j) for j in range(classes))
        for chosen in product(range(classes), repeat=len(weights))
    }
    neighbours = placings if relation is Relation.REPLACE_ONE else {(0,) * classes}
    rest = [h for h in product(range(others + 1), repeat=classes) if sum(h) == others]

    def plus(h: tuple[int, ...], moved: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(a + b for a, b in zip(h, moved, strict=True))

    found = [(plus(h, a), plus(h, b)) for h in rest for a in placings for b in neighbours]
    found += [(n, h) for h, n in found]
    laws = {h: continuous(h, float(sigma)) for h in {h for pair in found for h in pair}}
    noise = RoundedGaussian(sigma, 4)
    unit = ProtectedUnit(relation, weights)
    claim = epsilon_upper(CostUnit.MU_SQUARED, noise.cost(unit.histogram.squared), delta)
    assert worst(laws, found, epsilon=float(claim)) <= float(delta) + 1e-12
    if relation is Relation.REPLACE_ONE:
        too_low = epsilon_upper(CostUnit.MU_SQUARED, noise.cost(ProtectedUnit(relation).histogram.squared), delta)
        assert worst(laws, found, epsilon=float(too_low)) > 2 * float(delta)


@pytest.mark.req("CAPC-ACCT-103")
def test_the_check_has_teeth() -> None:
    """The claim for twice the noise is refuted by the same enumeration."""
    unit = ProtectedUnit(Relation.REPLACE_ONE)
    found = neighbouring_pairs(4, 3, Adjacency.REPLACE_ONE)
    laws = {h: continuous(h, 1.0) for pair in found for h in pair}
    claim = epsilon_upper(CostUnit.MU_SQUARED, unit.histogram.squared / 4, DELTAS[1])
    assert worst(laws, found, epsilon=float(claim)) > 2 * float(DELTAS[1])
