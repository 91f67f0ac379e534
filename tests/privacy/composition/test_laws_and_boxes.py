"""The tables, the laws and the boxes of the composition, against sums over all pairs of draws."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.composition import mesh
from capc.privacy.composition.noise_tables import RARE, TabledNoise, noise_tables
from capc.privacy.composition.outcome_laws import Sums, ThreeOutcomes, difference, one_count
from capc.privacy.composition.references import Fineness, Reference
from capc.privacy.composition.second_order import Ranges, ThreeCurvature, deviation, two_outcomes
from support.label_laws import discrete_gaussian_masses, gaussian_masses, law

NOISES: list[TabledNoise] = [RoundedGaussian(Fraction(3), 1), DiscreteGaussian(Fraction(5, 2), 0)]
ROUNDING = 1e-12


def masses(noise: TabledNoise) -> np.ndarray:
    sigma = math.sqrt(noise.variance)
    known = gaussian_masses if isinstance(noise, RoundedGaussian) else discrete_gaussian_masses
    return known(sigma, math.ceil(9 * sigma) + 1)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: str(noise.name))
def test_tables_enclose_the_law(noise: TabledNoise) -> None:
    tables, known = noise_tables(noise), masses(noise)
    reach, middle = tables.reach, len(known) // 2
    ours = known[middle - 20 : middle + 21]
    lower, upper = (side[reach - 20 : reach + 21] for side in tables.mass)
    assert (lower <= ours * (1 + ROUNDING)).all()
    assert (ours <= upper * (1 + ROUNDING)).all()
    assert (upper - lower <= 1e-14 * upper).all()
    for x in range(-15, 16):
        below = known[: middle + x + 1].sum()
        assert tables.at_most(x, upper=False) <= below + ROUNDING
        assert below - ROUNDING <= tables.at_most(x, upper=True) <= below + ROUNDING
        assert tables.at_most_all(np.array([x]))[0] == pytest.approx(below, abs=ROUNDING)
    assert tables.peak >= known.max()
    assert np.abs(np.diff(known)).max() <= tables.slope <= np.abs(np.diff(known)).max() * (1 + 1e-9)
    assert np.abs(np.diff(known, 2)).max() <= tables.bend <= np.abs(np.diff(known, 2)).max() * (1 + 1e-9)


@pytest.mark.req("CAPC-ACCT-141")
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: str(noise.name))
@pytest.mark.parametrize("tie", [0, 1])
def test_laws_enclose_the_sum_over_all_pairs_of_draws(noise: TabledNoise, tie: int) -> None:
    known, shift = masses(noise), 2
    points = [(a, b) for a in (-9, -3, 0, 1, 8) for b in (-7, -1, 0, 2, 9)]
    found = ThreeOutcomes(Sums(noise_tables(noise), 400), shift, tie).bounds(points)
    for place, (a, b) in enumerate(points):
        for lower, upper, exact in (
            (found.p_lower, found.p_upper, law(known, a + shift, b, tie)),
            (found.q_lower, found.q_upper, law(known, a, b + shift, tie)),
        ):
            assert (lower[place] <= exact + ROUNDING).all()
            assert (exact <= upper[place] + ROUNDING).all()
            assert (upper[place] - lower[place] <= 1e-11).all()


def test_binary_limits_are_limits_of_the_three_outcomes() -> None:
    noise, shift = NOISES[0], 2
    tables = noise_tables(noise)
    sums = Sums(tables, 600)
    three = ThreeOutcomes(sums, shift, 0)
    for u in (-6, 0, 5):
        lone, one = three.bounds([(u, -90)]), one_count(tables, shift, [u])
        assert lone.p_upper[0, [0, 2]] == pytest.approx(one.p_upper[0], abs=1e-10)
        assert lone.q_upper[0, [0, 2]] == pytest.approx(one.q_upper[0], abs=1e-10)
        # A + D - B is u + 2 D.
        high, two = three.bounds([(90 + u + shift, 90)]), difference(sums, shift, [u])
        assert high.p_upper[0, [0, 1]] == pytest.approx(two.p_upper[0], abs=1e-10)
        assert high.q_upper[0, [0, 1]] == pytest.approx(two.q_upper[0], abs=1e-10)


@pytest.mark.req("CAPC-ACCT-142")
@pytest.mark.parametrize("tie", [0, 1])
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: str(noise.name))
def test_ratios_fall_with_a_and_rise_with_b(noise: TabledNoise, tie: int) -> None:
    known, shift = masses(noise), 2
    line = range(-12, 13, 2)
    laws = {(a, b): law(known, a + shift, b, tie) / law(known, a, b + shift, tie) for a in line for b in line}
    for fixed in line:
        for low, high in pairwise(line):
            assert (laws[low, fixed] >= laws[high, fixed] * (1 - 1e-9)).all()
            assert (laws[fixed, low] <= laws[fixed, high] * (1 + 1e-9)).all()


def ranges_of_box(noise: TabledNoise, shift: int, tie: int, cell: tuple[int, int, int]) -> Ranges:
    tables = noise_tables(noise)
    bounds = ThreeOutcomes(Sums(tables, 600), shift, tie).bounds(mesh._corner_points(cell))  # type: ignore[arg-type]
    return Ranges.of(bounds, np.arange(4)[None])


@pytest.mark.req("CAPC-ACCT-142")
@given(
    st.integers(-20, 20), st.integers(-20, 20), st.sampled_from([2, 4, 8]), st.integers(0, 1), st.sampled_from(NOISES)
)
def test_inside_of_a_box_laws_are_as_near_to_the_interpolation_as_is_claimed(
    a: int, b: int, side: int, tie: int, noise: TabledNoise
) -> None:
    shift, known, tables = 2, masses(noise), noise_tables(noise)
    ranges = ranges_of_box(noise, shift, tie, (a, b, side))
    claimed = deviation(np.array([[a, b]]), np.array([side]), ranges, ThreeCurvature(tables, shift))

    def pair(x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
        return law(known, x + shift, y, tie), law(known, x, y + shift, tie)

    corners = {(i, j): pair(a + i * side, b + j * side) for i in (0, 1) for j in (0, 1)}
    for i in range(side + 1):
        for j in range(side + 1):
            s, t = i / side, j / side
            p, q = pair(a + i, b + j)
            weights = {(0, 0): (1 - s) * (1 - t), (1, 0): s * (1 - t), (0, 1): (1 - s) * t, (1, 1): s * t}
            between_p = sum(weights[corner] * corners[corner][0] for corner in corners)
            between_q = sum(weights[corner] * corners[corner][1] for corner in corners)
            assert (np.abs(q - between_q) <= claimed.second[0] + ROUNDING).all()
            assert (np.abs(p - q - between_p + between_q) <= claimed.difference[0] + ROUNDING).all()
            seen = p > 1e-11
            assert (p[seen] / q[seen] <= ranges.high[0][seen] * (1 + 1e-3 * (p[seen] < 1e-9) + 1e-9)).all()
            assert (p[seen] / q[seen] >= ranges.low[0][seen] * (1 - 1e-3 * (p[seen] < 1e-9) - 1e-9)).all()


@given(st.integers(-20, 20), st.sampled_from([2, 4, 8]), st.sampled_from(NOISES), st.booleans())
def test_inside_of_an_interval_laws_are_as_near_as_is_claimed(
    u: int, side: int, noise: TabledNoise, twice: bool
) -> None:
    tables, shift = noise_tables(noise), 2
    points = list(range(u, u + side + 1))
    bounds = difference(Sums(tables, 600), shift, points) if twice else one_count(tables, shift, points)
    ranges = Ranges.of(bounds, np.array([[0, side]]))
    moved = 2 * shift if twice else shift
    claimed = deviation(np.array([[u]]), np.array([side]), ranges, two_outcomes(tables, moved))
    weight = np.linspace(0, 1, side + 1)[:, None]
    p, q = bounds.p_upper, bounds.q_upper
    off = np.abs(q - (1 - weight) * q[0] - weight * q[-1]).max(axis=0)
    assert (off <= claimed.second[0] + ROUNDING).all()
    apart = p - q
    off = np.abs(apart - (1 - weight) * apart[0] - weight * apart[-1]).max(axis=0)
    assert (off <= claimed.difference[0] + ROUNDING).all()


def test_a_mesh_covers_its_roots_without_gaps() -> None:
    noise, shift = NOISES[0], 2
    tables = noise_tables(noise)
    fineness = Fineness((Reference(0.0, 1.0, 1.0),), 1e-2, 1e6, RARE)
    laws = ThreeOutcomes(Sums(tables, 600), shift, 0).bounds
    built = mesh.MeshBuilder(laws, ThreeCurvature(tables, shift), fineness).build([(-16, -16, 16), (0, 0, 16)])
    covered = np.zeros((33, 33), dtype=int)
    sides = []
    for cell in built.cells:
        a, b, side = cell
        covered[a + 16 : a + 16 + side, b + 16 : b + 16 + side] += 1
        sides.append(side)
    assert (covered[:16, :16] == 1).all()
    assert (covered[16:32, 16:32] == 1).all()
    assert covered.sum() == 2 * 16 * 16
    assert min(sides) < max(sides)
