"""The lemmas on the family of a label's laws, each against sums over the whole plane of two draws."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.argmax import cost
from capc.privacy.accountants.argmax.cell import Divergence
from capc.privacy.accountants.argmax.noise_table import Noise, noise_table
from capc.privacy.accountants.argmax.three_outcomes import Tournament
from capc.privacy.accountants.argmax.two_outcomes import Threshold
from capc.privacy.accountants.ball_arithmetic import ball
from support.label_cost import Plane, excess, masses, two

FLOAT_ERROR = 1e-9
NOISES: list[Noise] = [
    RoundedGaussian(Fraction(5, 2), 0),
    DiscreteGaussian(Fraction(6, 5), 1),
    Skellam(Fraction(3, 2), 0),
    RoundedGaussian(Fraction(2, 5), 0),
]
ORDERS = [Fraction(11, 10), Fraction(2), Fraction(9, 2), Fraction(16)]
noises, orders, taus, shifts = (st.sampled_from(list(choice)) for choice in (NOISES, ORDERS, (0, 1), (1, 2, 3)))


def fits_floats(noise: Noise, order: Fraction, shift: int) -> bool:
    """Whether no divergence is too large for the oracle's floats."""
    return order * (order - 1) * shift**2 < 300 * noise.variance


def divergence_of(noise: Noise, order: Fraction, shift: int) -> Divergence:
    """With a C of its own: E_q[(p / q)^(2a)] of both draws by its sum."""
    logs = np.log(masses(noise))
    power = 2 * float(order)
    # The vote comes to one class and goes from the other.
    nats = sum(
        np.logaddexp.reduce(power * first - (power - 1) * second)
        for first, second in ((logs[shift:], logs[:-shift]), (logs[:-shift], logs[shift:]))
    )
    return Divergence(order, (arb(float(nats) + 1e-6) / 2).exp())


@lru_cache(maxsize=256)
def tournament(noise: Noise, order: Fraction, shift: int, tau: int) -> Tournament:
    return Tournament(noise_table(noise, 120), shift, tau, divergence_of(noise, order, shift), 64, 8)


@lru_cache(maxsize=256)
def threshold(noise: Noise, order: Fraction, shift: int) -> Threshold:
    return Threshold(noise_table(noise, 120), shift, divergence_of(noise, order, shift), 64)


@lru_cache(maxsize=4096)
def point(noise: Noise, order: Fraction, shift: int, tau: int, a: int, b: int) -> float:
    return excess(*Plane(masses(noise, 12)).pair(a, b, tau, shift), float(order))


def test_the_six_orders_of_indices_give_two_taus() -> None:
    """By values: the first of the largest of three numbers, against the three conditions on X and Y."""
    seen = set()
    for i, j, x in permutations(range(3)):
        tau = (j < i) + (x < j) - (x < i)
        seen.add(tau)
        for r_i, r_j, m in product(range(4), repeat=3):
            values = {i: r_i, j: r_j, x: m}
            best = min(values, key=lambda index: (-values[index], index))
            first, second = r_i - m - (x < i), r_j - m - (x < j)
            wins = {i: first >= 0 and first >= second + tau, j: second >= 0 and first < second + tau}
            assert [index for index in (i, j) if wins[index]] == [best] * (best != x)
            assert (best == x) == (first < 0 and second < 0)
    assert seen == {0, 1}


@pytest.mark.req("CAPC-ACCT-122")
@pytest.mark.parametrize("tau", [0, 1])
@pytest.mark.parametrize("noise", NOISES)
def test_ratios_fall_with_a_and_grow_with_b(noise: Noise, tau: int) -> None:
    reach = int(2 * float(noise.variance) ** 0.5) + 1
    plane, shift, sides = Plane(masses(noise)), 2, range(-reach, reach + 1)
    ratios = np.array([[np.divide(*plane.pair(a, b, tau, shift)) for b in sides] for a in sides])
    slack = 1e-9 * ratios[:-1] + 1e-12
    assert np.all(np.diff(ratios, axis=0) <= slack)
    assert np.all(np.diff(ratios, axis=1) >= -1e-9 * ratios[:, :-1] - 1e-12)


@pytest.mark.req("CAPC-ACCT-122")
@pytest.mark.parametrize("tau", [0, 1])
@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("noise", NOISES)
def test_second_differences_are_at_most_the_bends(noise: Noise, shift: int, tau: int) -> None:
    """Bend and twist are an eighth of the second differences of q and of p - q, in both coordinates together."""
    plane, sides = Plane(masses(noise, 12)), range(-9, 10)
    laws = np.array([[plane.pair(a, b, tau, shift) for b in sides] for a in sides])
    curved = tournament(noise, Fraction(2), shift, tau)._curved
    for outcome, (bend, twist) in enumerate(curved):
        for values, bound in ((laws[..., 1, outcome], bend), (laws[..., 0, outcome] - laws[..., 1, outcome], twist)):
            both = sum(np.abs(np.diff(values, 2, axis=axis)).max() for axis in (0, 1))
            assert both / 8 <= float(bound) * (1 + FLOAT_ERROR)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-122")
@settings(max_examples=150)
@given(noises, orders, shifts, taus, st.integers(-12, 11), st.integers(-12, 11), st.integers(0, 3), st.data())
def test_a_square_is_bounded_at_each_of_its_points(
    noise: Noise, order: Fraction, shift: int, tau: int, a: int, b: int, level: int, data: st.DataObject
) -> None:
    assume(fits_floats(noise, order, shift))
    side = 1 << level
    with ctx.workprec(160):
        bound = float(tournament(noise, order, shift, tau).bounds([(a, b, side)], arb(0))[0].upper())
    x, y = data.draw(st.integers(0, side)), data.draw(st.integers(0, side))
    assert point(noise, order, shift, tau, a + x, b + y) <= bound * (1 + FLOAT_ERROR) + 1e-12


@pytest.mark.req("CAPC-ACCT-122")
@pytest.mark.parametrize("corner", [*product((0, 1), repeat=2)])
def test_each_corner_of_the_smallest_squares_is_bounded(corner: tuple[int, int]) -> None:
    """Squares of four points: their bound is the largest corner's, whichever that is."""
    noise, order = NOISES[0], Fraction(2)
    family, largest = tournament(noise, order, 1, 0), 0
    for a, b in product(range(-6, 6, 2), repeat=2):
        values = {(x, y): point(noise, order, 1, 0, a + x, b + y) for x in (0, 1) for y in (0, 1)}
        with ctx.workprec(160):
            bound = float(family.bounds([(a, b, 1)], arb(0))[0].upper())
        assert max(values.values()) <= bound * (1 + FLOAT_ERROR)
        largest += max(values, key=lambda place: values[place]) == corner
    assert largest > 0


@pytest.mark.req("CAPC-ACCT-122")
@given(noises, orders, shifts, st.integers(-20, 19), st.integers(1, 20), st.data())
def test_an_interval_is_bounded_at_each_of_its_points(
    noise: Noise, order: Fraction, shift: int, low: int, width: int, data: st.DataObject
) -> None:
    assume(fits_floats(noise, order, shift))
    with ctx.workprec(160):
        bound = float(threshold(noise, order, shift).bounds([(low, low + width)], arb(0))[0].upper())
    c, law = data.draw(st.integers(low, low + width)), masses(noise)
    assert excess(two(law, c - shift), two(law, c), float(order)) <= bound * (1 + FLOAT_ERROR) + 1e-12


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-121")
@pytest.mark.parametrize("end", [4, 8, 24])
@pytest.mark.parametrize(("noise", "order"), [(NOISES[0], Fraction(2)), (NOISES[2], Fraction(11, 10))])
def test_what_is_outside_of_any_square_is_bounded(noise: Noise, order: Fraction, end: int) -> None:
    """Whatever the square's size is: a small one leaves the largest divergences to the bound outside of it.

    Outside of a large one hardly more than two outcomes are left, and the bound is theirs.
    """
    table, shift, far = noise_table(noise, 120), 1, end + 6
    with ctx.workprec(160):
        question = cost._Question(table, shift, True, divergence_of(noise, order, shift), end, 2)
        bound = float(question._outside(lambda best: best * (1 + ball(cost.GAP))).upper())
    for along, tau in product(range(-far, far + 1, 3), (0, 1)):
        for beyond in (end + 1, end + 4, far):
            for a, b in ((along, beyond), (along, -beyond), (beyond, along), (-beyond, along)):
                assert point(noise, order, shift, tau, a, b) <= bound * (1 + FLOAT_ERROR)


@pytest.mark.req("CAPC-ACCT-122")
@pytest.mark.parametrize("bits", [12, 60])
@pytest.mark.parametrize("noise", NOISES)
def test_events_are_enclosed_whatever_a_table_leaves_out(noise: Noise, bits: int) -> None:
    """Probabilities of events in 60 digits, against balls of a coarse table and of a fine one."""
    table = noise_table(noise, bits)
    family = Tournament(table, 1, 1, divergence_of(noise, Fraction(2), 1), 64, 8)
    far, unit = 60, mpmath.mpf(2) ** -table.bits
    with mpmath.workdps(60), ctx.workprec(220):
        law = {z: exact_mass(noise, z) for z in range(-far, far + 1)}
        for y in range(-20, 21):
            below = mpmath.fsum(law[z] for z in range(-far, y + 1))
            assert table.below(y) * unit <= below <= (table.below(y) + table.missing) * unit
            assert (
                mpmath.mpf(table.tail(y).numerator) / table.tail(y).denominator
                >= 1 - below + law[y] - mpmath.mpf(10) ** -50
            )
        assert table.missing > 0
        for a, b in ((0, 0), (3, -2), (-4, 1), (-2, 6)):
            corner_q = mpmath.fsum(law[x] * law[y] for x in law for y in law if x + a >= 0 and x + a >= y + b + 2)
            family.bounds([(a, b, 1)], arb(0))
            q = family._corners[a, b].q[0]
            low, high = (mpmath.mpf(str(end.str(70, radius=False))) for end in (q.lower(), q.upper()))
            assert low - mpmath.mpf(10) ** -50 <= corner_q <= high + mpmath.mpf(10) ** -50


def exact_mass(noise: Noise, z: int) -> mpmath.mpf:
    """P[Z = z] in the digits at work."""
    variance = mpmath.mpf(noise.variance.numerator) / noise.variance.denominator
    if isinstance(noise, Skellam):
        return mpmath.exp(-variance) * mpmath.besseli(abs(z), variance)
    if isinstance(noise, DiscreteGaussian):
        total = mpmath.fsum(mpmath.exp(-(y * y) / (2 * variance)) for y in range(-60, 61))
        return mpmath.exp(-(z * z) / (2 * variance)) / total
    edges = [mpmath.erfc((abs(z) + half) / mpmath.sqrt(2 * variance)) / 2 for half in (-0.5, 0.5)]
    return edges[0] - edges[1]


@pytest.mark.req("CAPC-ACCT-122")
@pytest.mark.parametrize("noise", [RoundedGaussian(Fraction(1), 4), Skellam(Fraction(2), 1)])
def test_a_table_leaves_out_as_little_as_was_asked_for(noise: Noise) -> None:
    """Also far beyond the bits of a figure: little noise at large orders asks for it."""
    for bits in (8, 200, 900):
        table = noise_table(noise, bits)
        assert 0 < table.missing <= 1 << (table.bits - bits + 4)
