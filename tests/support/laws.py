"""The exact laws that samples are held against, with 50 digits, and the tests that hold them."""

from __future__ import annotations

from fractions import Fraction

import mpmath
from scipy import stats

P_VALUE = 1e-6
"""A chi-square test fails for a correct sampler with this probability over the choice of its seed."""


def real(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def discrete_law(sigma: Fraction, reach: int) -> dict[int, mpmath.mpf]:
    return normalised({n: mpmath.exp(-(n**2) / (2 * real(sigma) ** 2)) for n in range(-reach, reach + 1)})


def normalised(weights: dict[int, mpmath.mpf]) -> dict[int, mpmath.mpf]:
    total = mpmath.fsum(weights.values())
    return {n: weight / total for n, weight in weights.items()}


def chi_square_p_value(sample: list[int], law: dict[int, mpmath.mpf]) -> float:
    """Pools neighbouring integers until each cell expects at least 10; what lies beyond the law joins the ends."""
    observed: list[int] = []
    expected: list[float] = []
    cell_observed, cell_expected = sum(n < min(law) for n in sample), mpmath.mpf(0)
    counts = dict.fromkeys(law, 0)
    for n in sample:
        if n in counts:
            counts[n] += 1
    for n in sorted(law):
        cell_observed += counts[n]
        cell_expected += law[n] * len(sample)
        if cell_expected >= 10:
            observed.append(cell_observed)
            expected.append(float(cell_expected))
            cell_observed, cell_expected = 0, mpmath.mpf(0)
    observed[-1] += cell_observed + sum(n > max(law) for n in sample)
    expected[-1] = len(sample) - sum(expected[:-1])
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    return float(stats.chi2.sf(statistic, len(observed) - 1))


def assert_centred(sample: list[int], deviation: float) -> None:
    """Mean and signs: 5 standard deviations on either side."""
    assert abs(sum(sample)) < 5.5 * deviation * len(sample) ** 0.5
    positive, negative = sum(n > 0 for n in sample), sum(n < 0 for n in sample)
    assert abs(positive - negative) < 5 * (positive + negative) ** 0.5
