"""The exact law of the noisy argmax: P(label) for a histogram and a noise law, as balls.

Integer noise makes ties count, and ties go to the lowest class index; continuous noise has none.

Source: the order statistics of independent draws; for continuous noise
P_i = integral phi(x) prod_{j != i} Phi(x + (n_i - n_j) / s) dx.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import isqrt

from flint import acb, arb, ctx

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.ball_arithmetic import ball, normal_cdf, require

PRECISION = 160
_REACH = 16
"""Standard deviations; what lies beyond is added to the balls."""
_SKELLAM_REACH = 80
"""Grid units more for Skellam noise, whose tails are heavier."""
_MAX_POINTS = 1 << 14

IntegerNoise = RoundedGaussian | DiscreteGaussian | Skellam
"""Noise whose law on the integers is known here."""


def continuous_law(histogram: Sequence[int], sigma_votes: Fraction) -> list[arb]:
    """With continuous Gaussian noise before any rounding.

    Args:
        histogram: votes per class, at least one class.
        sigma_votes: the deviation, above 0.

    Raises:
        InputError: there is no class, or sigma is not above 0.
    """
    require(len(histogram) > 0, "histogram", tuple(histogram), "give at least one class")
    require(sigma_votes > 0, "sigma", sigma_votes, "give a deviation above 0")
    with ctx.workprec(PRECISION):
        # Outside +- _REACH deviations there is at most erfc(_REACH / sqrt(2)).
        slack = arb(0).union((ball(_REACH) / arb(2).sqrt()).erfc())
        return [_winning(histogram, label, sigma_votes) + slack for label in range(len(histogram))]


def _winning(histogram: Sequence[int], label: int, sigma_votes: Fraction) -> arb:
    leads = [ball(Fraction(histogram[label] - votes) / sigma_votes) for j, votes in enumerate(histogram) if j != label]
    root_two, norm = acb(arb(2).sqrt()), acb((2 * arb.pi()).sqrt())

    def density(x: acb, _: bool) -> acb:
        value = (-x * x / 2).exp() / norm
        for lead in leads:
            value *= (-(x + lead) / root_two).erfc() / 2
        return value

    return acb.integral(density, acb(-_REACH), acb(_REACH), rel_tol=arb(2) ** -100, abs_tol=arb(2) ** -120).real


def integer_law(histogram: Sequence[int], noise: IntegerNoise) -> list[arb]:
    """With the integer noise that the protocol draws, ties counted.

    Args:
        histogram: votes per class, at least one class.
        noise: one draw per class.

    Raises:
        InputError: there is no class, or the noise has too many values to be summed up.
    """
    require(len(histogram) > 0, "histogram", tuple(histogram), "give at least one class")
    with ctx.workprec(PRECISION):
        masses, tail = noise_masses(noise)
        reach = len(masses) // 2
        unit = 1 << noise.grid_bits
        below = list(accumulate(masses, initial=arb(0)))

        def at_most(value: int) -> arb:
            return below[min(max(value + reach + 1, 0), len(masses))]

        slack = arb(0).union(len(histogram) * tail)
        law = []
        for label, votes in enumerate(histogram):
            total = arb(0)
            for place, mass in enumerate(masses):
                value = votes * unit + place - reach
                term = mass
                for other, rival in enumerate(histogram):
                    if other != label:
                        # A rival of lower index wins a tie.
                        term *= at_most(value - rival * unit - (other < label))
                total += term
            law.append(total + slack)
        return law


def noise_masses(noise: IntegerNoise) -> tuple[list[arb], arb]:
    """P(n) for n = -R .. R in grid units, and a bound of what lies outside.

    Raises:
        InputError: R is too large to be summed up.
    """
    variance = (noise.sigma_votes * (1 << noise.grid_bits)) ** 2
    square = _REACH**2 * variance
    reach = isqrt(square.numerator // square.denominator) + 2
    if isinstance(noise, Skellam):
        reach += _SKELLAM_REACH
    require(2 * reach < _MAX_POINTS, "sigma", noise.sigma_votes, "give a smaller deviation or a coarser grid")
    with ctx.workprec(PRECISION):
        if isinstance(noise, RoundedGaussian):
            sigma = ball(variance).sqrt()
            edges = [normal_cdf((1 - 2 * ball(n)) / (2 * sigma)) for n in range(reach + 2)]
            half = [edges[n] - edges[n + 1] for n in range(1, reach + 1)]
            return [*half[::-1], 1 - 2 * edges[1], *half], 2 * edges[reach + 1]
        if isinstance(noise, Skellam):
            v = ball(variance)
            half = [(-v).exp() * v.bessel_i(ball(n)) for n in range(reach + 1)]
            # Bernstein's bound for a difference of Poisson numbers.
            return [*half[:0:-1], *half], 2 * (-ball(reach**2) / (2 * (v + ball(reach) / 3))).exp()
        weights = [(-ball(n * n) / (2 * ball(variance))).exp() for n in range(reach + 1)]
        outside = 2 * weights[reach] / (1 - (-ball(reach / variance)).exp())
        inside = 2 * sum(weights[1:], weights[0] / 2)
        total = inside + arb(0).union(outside)
        half = [weight / total for weight in weights[1:]]
        return [*half[::-1], weights[0] / total, *half], outside / inside
