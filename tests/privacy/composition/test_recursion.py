"""The recursion between exact strategies below and the Gaussian above, and mutants of it that must be seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.accountants.argmax.composition import composition_delta, composition_holds, composition_queries
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition import bellman, mesh, recursion
from capc.privacy.composition import family as families
from capc.privacy.composition.family import Family
from capc.privacy.composition.outcome_laws import Bounds, ThreeOutcomes
from capc.privacy.composition.recursion import Wanted
from capc.privacy.composition.references import Fineness, Reference
from capc.privacy.composition.value_function import Curve, Grid, convex_below, first_curve
from support.label_laws import family, functional, gaussian_delta, gaussian_masses, hockey_stick, law

REPLACE, NULL = ProtectedUnit(Relation.REPLACE_ONE), ProtectedUnit(Relation.NULL_VOTE)
SMALL = RoundedGaussian(Fraction(3, 2), 0)
NOISES = [SMALL, DiscreteGaussian(Fraction(3, 2), 0), RoundedGaussian(Fraction(1), 1)]
KIND = {RoundedGaussian: "rounded", DiscreteGaussian: "discrete"}
FAR = 11


def exact_family(noise: RoundedGaussian | DiscreteGaussian, unit: ProtectedUnit) -> tuple[np.ndarray, np.ndarray]:
    sigma, moves = math.sqrt(noise.variance), unit.relation is Relation.REPLACE_ONE
    return family(KIND[type(noise)], sigma, 1 << noise.grid_bits, FAR, moves=moves)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-140")
@pytest.mark.parametrize("unit", [REPLACE, NULL], ids=lambda unit: str(unit.relation))
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name}-{noise.grid_bits}")
def test_one_label_costs_the_exact_hockey_stick_of_the_family(
    noise: RoundedGaussian | DiscreteGaussian, unit: ProtectedUnit
) -> None:
    p, q = exact_family(noise, unit)
    for epsilon in (Fraction(0), Fraction(1, 2), Fraction(3, 2)):
        exact = max(hockey_stick(p, q, float(epsilon)).max(), hockey_stick(q, p, float(epsilon)).max())
        found = float(composition_delta(noise, unit, 1, epsilon))
        assert exact * (1 - 1e-9) <= found <= exact * 1.02 + 1e-9


def two_labels(p: np.ndarray, q: np.ndarray, epsilon: float) -> float:
    """The best choice of a first law, and of a second for each of its outcomes: everything is tried."""

    def last(z: np.ndarray) -> np.ndarray:
        return np.array([np.maximum(x * p - math.exp(epsilon) * q, 0).sum(axis=-1).max() for x in z.ravel()]).reshape(
            z.shape
        )

    grid = np.exp(np.linspace(-8, 8, 1500))
    values = last(grid)
    # Between the points the convex function is below its chord; a tangent would be a lower bound, a chord is 1e-4 off.
    return float(functional(p, q, 1.0, lambda z: np.interp(z, grid, values)).max())


@pytest.mark.req("CAPC-ACCT-140")
@pytest.mark.parametrize("unit", [REPLACE, NULL], ids=lambda unit: str(unit.relation))
def test_two_labels_cost_the_best_adaptive_choice(unit: ProtectedUnit) -> None:
    p, q = exact_family(SMALL, unit)
    exact = two_labels(p, q, 1.0)
    found = float(composition_delta(SMALL, unit, 2, Fraction(1)))
    assert exact * (1 - 1e-3) <= found <= exact * 1.02


def strategies_delta(
    p: np.ndarray, q: np.ndarray, labels: int, epsilon: float, choose: Callable[[int], np.ndarray]
) -> float:
    """The exact delta of a strategy that chooses a law for each history; ``choose`` gives laws for that many."""
    left, right = np.ones(1), np.ones(1)
    for _ in range(labels):
        chosen = choose(len(left))
        left, right = (left[:, None] * p[chosen]).ravel(), (right[:, None] * q[chosen]).ravel()
    return float(np.maximum(left - math.exp(epsilon) * right, 0).sum())


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-140")
@pytest.mark.parametrize("unit", [REPLACE, NULL], ids=lambda unit: str(unit.relation))
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name}-{noise.grid_bits}")
def test_no_strategy_exceeds_the_figure_and_the_figure_not_the_gaussian(
    noise: RoundedGaussian | DiscreteGaussian, unit: ProtectedUnit
) -> None:
    p, q = exact_family(noise, unit)
    generator = np.random.default_rng(7)
    worth = hockey_stick(p, q, 0.2) > 0.3 * hockey_stick(p, q, 0.2).max()
    good = np.flatnonzero(worth)
    for labels, epsilon in ((3, 1.0), (5, 2.0)):
        family_ = Family(noise, 1 << noise.grid_bits, unit.relation is Relation.REPLACE_ONE)
        wanted = Wanted(family_, Fraction(epsilon), None, labels)
        # Not the smaller of it and the Gaussian, as the figure is.
        found = recursion.compose(wanted).delta
        fixed = max(strategies_delta(p, q, labels, epsilon, lambda n, law=law: np.full(n, law)) for law in good)
        adaptive = max(
            strategies_delta(p, q, labels, epsilon, lambda n, among=among: generator.choice(among, n))
            for among in (good, np.arange(len(p)))
            for _ in range(500)
        )
        assert max(fixed, adaptive) <= found
        assert found <= 1.5 * max(fixed, adaptive)
        if isinstance(noise, RoundedGaussian):
            sides = 2 if unit.relation is Relation.REPLACE_ONE else 1
            mu = math.sqrt(labels * sides / float(noise.sigma_votes) ** 2)
            assert found <= gaussian_delta(mu, epsilon) * (1 + 1e-2)
            assert float(composition_delta(noise, unit, labels, Fraction(epsilon))) <= gaussian_delta(mu, epsilon) * (
                1 + 1e-9
            )


GRID = Grid(Fraction(1, 32), -60, 60)
FAMILY = Family(SMALL, 1, moves=True)


def curves() -> Iterator[Curve]:
    """Functions of many forms: one kink at each of several places, and a smooth one."""
    for place in (-20, -4, 0, 7, 25):
        kink = GRID.points[place + 60]
        yield convex_below(GRID, np.maximum(GRID.points - kink, 0))
    yield convex_below(GRID, GRID.points**2 / (1 + GRID.points))


def check_steps() -> None:
    """A step is at or above every point of the family, both ties and far outside, and not far above the largest."""
    p, q = family("rounded", 1.5, 1, 14, moves=True)
    fineness = Fineness((Reference(0.0, 1.0, 1.0),), 1e-2, 1e6, bellman.TAIL)
    step = bellman.Step(GRID, families.meshes_of(FAMILY, fineness), 200)
    for curve in curves():
        found = step(curve)
        for place in (40, 56, 60, 66):
            z = float(GRID.points[place])

            def value(x: np.ndarray, curve: Curve = curve) -> np.ndarray:
                beyond = curve.values[-1] + np.maximum(x - GRID.points[-1], 0)
                return np.where(x > GRID.points[-1], beyond, np.interp(x, [0, *GRID.points], [0, *curve.values]))

            exact = functional(p, q, z, value).max()
            assert exact * (1 - 1e-9) <= found.values[place]
            assert found.values[place] <= exact * 1.01 + 1e-9


@pytest.mark.req("CAPC-ACCT-143")
@pytest.mark.req("CAPC-ACCT-141")
def test_a_step_covers_every_point_of_the_family() -> None:
    check_steps()


@pytest.mark.req("CAPC-ACCT-141")
@pytest.mark.parametrize("tie", [0, 1])
def test_mutant_one_tie_order_only_is_seen(monkeypatch: pytest.MonkeyPatch, tie: int) -> None:
    true = ThreeOutcomes.__init__
    monkeypatch.setattr(ThreeOutcomes, "__init__", lambda self, sums, shift, _: true(self, sums, shift, tie))
    with pytest.raises(AssertionError):
        check_steps()


def _without_shift_of_q(self: ThreeOutcomes, points: list[tuple[int, int]]) -> Bounds:
    p = np.array([self._law(a + self._shift, b) for a, b in points])
    q = np.array([self._law(a, b) for a, b in points])
    return Bounds(p[:, :, 0], p[:, :, 1], q[:, :, 0], q[:, :, 1])


@pytest.mark.req("CAPC-ACCT-141")
def test_mutant_wrong_shift_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThreeOutcomes, "bounds", _without_shift_of_q)
    with pytest.raises(AssertionError):
        check_steps()


@pytest.mark.req("CAPC-ACCT-141")
def test_mutant_forgotten_tail_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes end where a count still matters, and the limits are left out."""
    true = families.meshes_of
    monkeypatch.setattr(families, "_radii", lambda tables, shift, rare: (2, rare))
    monkeypatch.setattr(families, "meshes_of", lambda *arguments: true(*arguments)[2:])
    with pytest.raises(AssertionError):
        check_steps()


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-142")
@pytest.mark.req("CAPC-ACCT-143")
def test_steps_of_ordinary_noise_cover_random_points_between_those_of_the_mesh() -> None:
    noise, shift = RoundedGaussian(Fraction(3), 2), 4
    wanted = Wanted(Family(noise, shift, moves=True), Fraction(3), Fraction(1, 10_000), None)
    step, masses = recursion.step_of(wanted), gaussian_masses(12.0, 109)
    generator = np.random.default_rng(3)
    # Around where a label tells most, and anywhere.
    points = [*generator.integers(-12, 25, (150, 2)).tolist(), *generator.integers(-100, 100, (50, 2)).tolist()]
    points += [[place, place] for place in range(0, 30, 3)]
    ties = generator.integers(0, 2, len(points))
    p = np.array([law(masses, a + shift, b, tie) for (a, b), tie in zip(points, ties, strict=True)])
    q = np.array([law(masses, a, b + shift, tie) for (a, b), tie in zip(points, ties, strict=True)])
    curve = first_curve(recursion.grid_of(wanted))
    for _ in range(4):
        found = step(curve)
        z, values = curve.grid.points, curve.values
        for place in range(10, len(z), 25):
            exact = functional(
                p,
                q,
                float(z[place]),
                lambda x, z=z, values=values: np.where(
                    x > z[-1], values[-1] + x - z[-1], np.interp(x, [0, *z], [0, *values])
                ),
            )
            assert exact.max() * (1 - 1e-9) <= found.values[place]
        curve = found


WIDE, WIDE_SHIFT = RoundedGaussian(Fraction(6), 0), 2


def check_boxes() -> None:
    """What covers one box is at or above all of its points, its four corners too."""
    tables = families.noise_tables(WIDE)
    sums = families.Sums(tables, 400)
    p, q = family("rounded", 6.0, WIDE_SHIFT, 13, moves=True)
    places = {(a, b): 2 * place for place, (a, b) in enumerate(product(range(-13, 14), repeat=2))}
    laws = ThreeOutcomes(sums, WIDE_SHIFT, 0)
    fineness = Fineness((Reference(0.0, 1.0, 1.0),), 1e9, 1e6, 1.0)
    corners_only = [(a, a + off, 1) for a in range(-8, 12) for off in (-1, 0, 1)]
    for cell in [*corners_only, *((a, b, 4) for a in range(-12, 9, 4) for b in range(-12, 9, 4))]:
        box = mesh.MeshBuilder(laws.bounds, families.ThreeCurvature(tables, WIDE_SHIFT), fineness).build([cell])
        step = bellman.Step(GRID, [box], 100)
        inside = [places[cell[0] + i, cell[1] + j] for i, j in product(range(cell[2] + 1), repeat=2)]
        for curve in list(curves())[1::2]:
            found = step(curve).values
            for place in (50, 60):
                value = functional(
                    p[inside],
                    q[inside],
                    float(GRID.points[place]),
                    lambda x, c=curve: np.interp(x, GRID.points, c.values),
                )
                assert value.max() * (1 - 1e-9) <= found[place]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-142")
def test_a_box_is_covered_by_its_corners_and_its_error() -> None:
    check_boxes()


@pytest.mark.req("CAPC-ACCT-142")
@pytest.mark.parametrize("missed", range(4))
def test_mutant_a_corner_missed_is_seen(monkeypatch: pytest.MonkeyPatch, missed: int) -> None:
    true = mesh.MeshBuilder.build

    def build(self: mesh.MeshBuilder, roots: list[mesh.Cell]) -> mesh.Mesh:
        found = true(self, roots)
        corners = found.corners.copy()
        corners[:, missed] = corners[:, missed - 1]
        found.bounds.p_upper[found.corners[:, missed]] = 0
        return mesh.Mesh(found.cells, found.bounds, corners, found.deviation, found.ranges)

    monkeypatch.setattr(mesh.MeshBuilder, "build", build)
    with pytest.raises(AssertionError):
        check_boxes()


@pytest.mark.req("CAPC-ACCT-142")
def test_mutant_no_error_of_a_box_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bellman._Columns, "_add_errors", lambda *_: None)
    with pytest.raises(AssertionError):
        check_boxes()


@pytest.mark.req("CAPC-ACCT-143")
@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=121, max_size=121), st.floats(0, 0.2))
def test_a_curve_is_at_or_above_every_function_below_the_bounds(slopes: list[float], noise: float) -> None:
    function = np.cumsum(np.sort(slopes) * GRID.gaps)
    bounds = function * (1 + noise * np.abs(np.sin(np.arange(121))))
    found = convex_below(GRID, bounds)
    assert (found.values >= function * (1 - 1e-12)).all()
    assert (found.values <= bounds * (1 + 1e-9)).all() or found.slopes[-1] == 1.0


@pytest.mark.req("CAPC-ACCT-143")
@pytest.mark.parametrize(
    "spoil", [lambda s: s * 2, lambda s: -s, lambda s: s[::-1].copy(), lambda s: s[:-1], lambda s: s * np.nan]
)
def test_what_is_no_curve_is_refused(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(InputError, match="compute it again"):
        Curve(GRID, spoil(first_curve(GRID).slopes))


def test_queries_holds_and_delta_agree() -> None:
    noise, budget = RoundedGaussian(Fraction(3), 0), (Fraction(3), Fraction(1, 1000))
    told: list[int] = []
    found = composition_queries(noise, NULL, *budget, composition_keeping(told))
    assert told == list(range(1, found + 1))
    assert composition_holds(noise, NULL, found, *budget)
    assert not composition_holds(noise, NULL, found + 1, *budget)
    assert composition_delta(noise, NULL, found, budget[0]) <= budget[1] * Fraction(101, 100)
    assert found > 9 * budget[0] ** 2 / 20


def composition_keeping(told: list[int]) -> object:
    from capc.privacy.accountants.argmax.composition import Keeping

    return Keeping(progress=lambda labels, _: told.append(labels))


SHARED = SharedNoise(DiscreteGaussianShare(Fraction(3), 2), 4, 0)


@pytest.mark.parametrize(
    ("noise", "unit", "epsilon", "delta", "message"),
    [
        (SHARED, NULL, 1, "1/1000", "SharedNoise has no certified composition"),
        (SMALL, ProtectedUnit(Relation.ADD_REMOVE), 1, "1/1000", "use gaussian_dp"),
        (SMALL, ProtectedUnit(Relation.NULL_VOTE, (Fraction(1),) * 2), 1, "1/1000", "one record in one party"),
        (SMALL, ProtectedUnit(Relation.NULL_VOTE, (Fraction(1, 2),)), 1, "1/1000", "whole multiple of 2"),
        (SMALL, NULL, 201, "1/1000", "epsilon = 201"),
        (SMALL, NULL, 1, "1/1000000000000000000", "delta = 1e-18"),
        (RoundedGaussian(Fraction(1 << 14), 0), NULL, 1, "1/1000", "tabled up to 8192 grid units"),
        (RoundedGaussian(Fraction(1, 20), 0), REPLACE, 1, "1/1000", "give more noise"),
    ],
)
def test_what_the_method_does_not_cover_is_refused(
    noise: object, unit: ProtectedUnit, epsilon: int, delta: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        composition_queries(noise, unit, Fraction(epsilon), Fraction(delta))  # type: ignore[arg-type]


def test_a_heavier_vote_is_a_larger_shift() -> None:
    heavy = ProtectedUnit(Relation.NULL_VOTE, (Fraction(2),))
    wide = RoundedGaussian(Fraction(3), 0)
    assert composition_delta(wide, heavy, 3, Fraction(1)) == pytest.approx(
        composition_delta(RoundedGaussian(Fraction(3, 2), 0), NULL, 3, Fraction(1)), rel=0.03
    )
