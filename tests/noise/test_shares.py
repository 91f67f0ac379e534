"""Skellam and share noise: law, bytes, refusals.

Error rates: seeds are fixed. Each chi-square test fails for a correct sampler with probability 1e-6 over its seed.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError, RandomnessExhaustedError
from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.noise.shares import DiscreteGaussianShare, SharedNoise, SkellamShare
from capc.noise.skellam import poisson, skellam
from noise.plain_port import PlainPort
from support.laws import P_VALUE, chi_square_p_value, real

SEED = Seed(bytes(range(32)))
DRAWS = 8000


def skellam_law(variance: Fraction) -> dict[int, mpmath.mpf]:
    v = real(variance)
    reach = int(10 * mpmath.sqrt(v)) + 10
    return {n: mpmath.exp(-v) * mpmath.besseli(abs(n), v) for n in range(-reach, reach + 1)}


@pytest.mark.slow
@pytest.mark.req("CAPC-NOISE-005")
@pytest.mark.parametrize("variance", [Fraction(1, 3), Fraction(1), Fraction(9, 4), Fraction(25)], ids=str)
def test_skellam_matches_exact_law(variance: Fraction) -> None:
    source = XofSource(SEED, f"skellam {variance}".encode())
    sample = [skellam(source, variance) for _ in range(DRAWS)]
    assert chi_square_p_value(sample, skellam_law(variance)) > P_VALUE
    # The same test tells half of the variance apart, so it has teeth.
    assert chi_square_p_value(sample, skellam_law(variance / 2)) < P_VALUE


@pytest.mark.req("CAPC-NOISE-005")
@pytest.mark.parametrize("mean", [Fraction(1, 7), Fraction(1, 2), Fraction(17, 5)], ids=str)
def test_poisson_matches_exact_law(mean: Fraction) -> None:
    source = XofSource(SEED, f"poisson {mean}".encode())
    rate = real(mean)
    law = {n: mpmath.exp(-rate) * rate**n / mpmath.factorial(n) for n in range(60)}
    assert chi_square_p_value([poisson(source, mean) for _ in range(DRAWS)], law) > P_VALUE


@pytest.mark.slow
@pytest.mark.req("CAPC-NOISE-005")
def test_sums_of_skellam_shares_have_the_law_of_the_sum() -> None:
    share = SkellamShare(Fraction(3, 2), 0)
    source = XofSource(SEED, b"sum of shares")
    sums = [sum(share.sample(source, 4)) for _ in range(DRAWS // 2)]
    assert chi_square_p_value(sums, skellam_law(SharedNoise(share, 4).variance_votes)) > P_VALUE


@pytest.mark.req("CAPC-NOISE-003")
@given(
    seed=st.binary(min_size=32, max_size=32),
    variance=st.fractions(min_value=Fraction(1, 30), max_value=20, max_denominator=300),
)
@settings(max_examples=80, deadline=None)
def test_a_second_implementation_of_the_byte_rules_agrees(seed: bytes, variance: Fraction) -> None:
    data = XofSource(Seed(seed), b"port").read(20_000)
    source, port = BytesSource(data), PlainPort(data)
    assert skellam(source, variance) == port.poisson(variance / 2) - port.poisson(variance / 2)
    assert source.consumed == port.at


@pytest.mark.req("CAPC-NOISE-003")
def test_an_unlucky_stream_only_takes_longer_and_one_that_ends_is_an_error() -> None:
    # Mean 1/4, one part, 2 q = 1/2: a coin 1, a coin 0, then below(2) = 1 rejects n = 1. A coin 0 accepts n = 0.
    unlucky, lucky = bytes([1, 0, 1]), bytes([0])
    data = unlucky * 500 + lucky + unlucky * 3 + bytes([1, 0, 0])
    source = BytesSource(data)
    assert skellam(source, Fraction(1, 2)) == -1
    assert source.consumed == len(data)
    with pytest.raises(RandomnessExhaustedError):
        skellam(BytesSource(data[:-1]), Fraction(1, 2))


@pytest.mark.req("CAPC-NOISE-006")
def test_a_share_that_is_too_small_is_refused() -> None:
    DiscreteGaussianShare(Fraction(3, 2), 0)
    DiscreteGaussianShare(Fraction(3, 32), 4)
    for sigma, grid_bits in ((Fraction(149, 100), 0), (Fraction(1, 11), 4)):
        with pytest.raises(InputError, match="3/2 grid units"):
            DiscreteGaussianShare(sigma, grid_bits)


def test_shares_are_drawn_in_batches_and_shared_noise_adds_variances() -> None:
    for share in (DiscreteGaussianShare(Fraction(2), 1), SkellamShare(Fraction(2), 1)):
        source = XofSource(SEED, b"batch")
        assert share.sample(XofSource(SEED, b"batch"), 5) == [share.sample(source, 1)[0] for _ in range(5)]
        noise = SharedNoise(share, 7, 2)
        assert (noise.counted, noise.variance_votes, noise.grid_bits) == (5, 20, 1)
