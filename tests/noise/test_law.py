"""The law of both samplers against the exact law, computed with 50 digits.

Error rates: every seed is fixed. Each chi-square test fails for a correct sampler with probability 1e-6 over the
choice of its seed, each z-test (5 deviations) with probability 6e-7.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.randomness import Seed, XofSource
from capc.noise.discrete_gaussian import discrete_gaussian, discrete_laplace
from capc.noise.gaussian import round_gaussian
from support.laws import P_VALUE, assert_centred, chi_square_p_value, discrete_law, normalised, real

SIGMAS = [Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(4), Fraction(53)]
DRAWS = 10_000

rounded = pytest.mark.req("CAPC-NOISE-001")
discrete = pytest.mark.req("CAPC-NOISE-002")


def rounded_law(sigma: Fraction, reach: int) -> dict[int, mpmath.mpf]:
    edge = [mpmath.erfc((2 * n - 1) / (2 * mpmath.sqrt(2) * real(sigma))) / 2 for n in range(reach + 2)]
    upper = {n: edge[n] - edge[n + 1] for n in range(1, reach + 1)}
    return {0: 2 * (mpmath.mpf(1) / 2 - edge[1]), **upper, **{-n: p for n, p in upper.items()}}


def laplace_law(scale: int, reach: int) -> dict[int, mpmath.mpf]:
    return normalised({n: mpmath.exp(-mpmath.mpf(abs(n)) / scale) for n in range(-reach, reach + 1)})


def draw(sampler: Callable[[XofSource], int], label: str, count: int = DRAWS) -> list[int]:
    source = XofSource(Seed(bytes(range(32))), label.encode())
    return [sampler(source) for _ in range(count)]


@pytest.mark.slow
@rounded
@pytest.mark.parametrize("sigma", SIGMAS, ids=str)
def test_rounded_gaussian_matches_exact_law(sigma: Fraction) -> None:
    sample = draw(lambda source: round_gaussian(source, sigma), f"rounded {sigma}")
    with mpmath.workdps(50):
        law = rounded_law(sigma, int(8 * sigma) + 2)
        assert abs(mpmath.fsum(law.values()) - 1) < 1e-12
        assert chi_square_p_value(sample, law) > P_VALUE
    assert_centred(sample, max(float(sigma), 0.5))


@pytest.mark.slow
@discrete
@pytest.mark.parametrize("sigma", SIGMAS, ids=str)
def test_discrete_gaussian_matches_exact_law(sigma: Fraction) -> None:
    sample = draw(lambda source: discrete_gaussian(source, sigma**2), f"discrete {sigma}")
    with mpmath.workdps(50):
        assert chi_square_p_value(sample, discrete_law(sigma, int(12 * sigma) + 4)) > P_VALUE
    assert_centred(sample, float(sigma))


@pytest.mark.slow
@discrete
def test_discrete_gaussian_matches_exact_law_at_an_irrational_deviation() -> None:
    sample = draw(lambda source: discrete_gaussian(source, Fraction(5, 2)), "discrete sqrt")
    with mpmath.workdps(50):
        law = normalised({n: mpmath.exp(-mpmath.mpf(n**2) / 5) for n in range(-25, 26)})
        assert chi_square_p_value(sample, law) > P_VALUE


@discrete
@pytest.mark.parametrize("scale", [1, 2, 5])
def test_discrete_laplace_matches_exact_law(scale: int) -> None:
    sample = draw(lambda source: discrete_laplace(source, scale), f"laplace {scale}", 6000)
    with mpmath.workdps(50):
        assert chi_square_p_value(sample, laplace_law(scale, 60 * scale)) > P_VALUE


@pytest.mark.slow
@rounded
def test_the_chi_square_test_notices_the_faults_it_is_there_for() -> None:
    """Halved, truncated, float-and-truncated and omitted noise each fail, by a wide margin, on the same sample."""
    sigma = Fraction(4)
    fine = draw(lambda source: round_gaussian(source, sigma * 1024), "faults")
    with mpmath.workdps(50):
        law = rounded_law(sigma, 40)
        good = [(n + 512) // 1024 for n in fine]
        truncated = [int(n / 1024) for n in fine]
        floored = [n // 1024 for n in fine]
        halved = [(n + 1024) // 2048 for n in fine]
        assert chi_square_p_value(good, law) > P_VALUE
        for faulty in (truncated, floored, halved, [0] * DRAWS):
            assert chi_square_p_value(faulty, law) < 1e-12


@pytest.mark.slow
@rounded
@given(seed=st.binary(min_size=32, max_size=32), sigma=st.fractions(min_value=Fraction(1, 16), max_value=100))
@settings(max_examples=200, deadline=None)
def test_rounds_to_the_nearest_integer_and_scales_with_sigma(seed: bytes, sigma: Fraction) -> None:
    """The same bytes give the same real X, so a very fine grid tells X, and the coarse result must be its rounding."""
    refinement = 1 << 40
    fine = round_gaussian(XofSource(Seed(seed), b"scale"), sigma * refinement)
    coarse = round_gaussian(XofSource(Seed(seed), b"scale"), sigma)
    assert type(fine) is int
    assert type(coarse) is int
    assert abs(coarse * refinement - fine) <= refinement // 2 + 1


@rounded
@given(seed=st.binary(min_size=32, max_size=32), sigma=st.fractions(min_value=Fraction(1, 16), max_value=100))
@settings(max_examples=100, deadline=None)
def test_more_sigma_never_shrinks_the_same_draw(seed: bytes, sigma: Fraction) -> None:
    small = round_gaussian(XofSource(Seed(seed), b"scale"), sigma)
    large = round_gaussian(XofSource(Seed(seed), b"scale"), 2 * sigma)
    assert abs(large - 2 * small) <= 1
    assert abs(large) >= abs(small)
