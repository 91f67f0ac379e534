"""Skellam and share noise: law, bytes, refusals.

Error rates: seeds are fixed. Each chi-square test fails for a correct sampler with probability 1e-6 over its seed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from capc.errors import InputError, RandomnessExhaustedError
from capc.noise.shares import DiscreteGaussianShare, SharedNoise, SkellamShare
from capc.noise.skellam import poisson, skellam
from capc.randomness import BytesSource, Seed, XofSource

SEED = Seed(bytes(range(32)))
DRAWS = 8000
P_VALUE = 1e-6


def p_value(sample: list[int], law: dict[int, mpmath.mpf]) -> float:
    """Cells of at least 10 expected draws; what is outside the law's range joins the last cell."""
    cells: list[tuple[int, float]] = []
    seen, expected = 0, mpmath.mpf(0)
    for n in sorted(law):
        seen += sample.count(n)
        expected += law[n] * len(sample)
        if expected >= 10:
            cells.append((seen, float(expected)))
            seen, expected = 0, mpmath.mpf(0)
    total = sum(o for o, _ in cells[:-1])
    rest = sum(e for _, e in cells[:-1])
    cells[-1] = (len(sample) - total, len(sample) - rest)
    return float(stats.chi2.sf(sum((o - e) ** 2 / e for o, e in cells), len(cells) - 1))


def skellam_law(variance: Fraction) -> dict[int, mpmath.mpf]:
    v = mpmath.mpf(variance.numerator) / variance.denominator
    reach = int(10 * mpmath.sqrt(v)) + 10
    return {n: mpmath.exp(-v) * mpmath.besseli(abs(n), v) for n in range(-reach, reach + 1)}


@pytest.mark.slow
@pytest.mark.req("CAPC-NOISE-005")
@pytest.mark.parametrize("variance", [Fraction(1, 3), Fraction(1), Fraction(9, 4), Fraction(25)], ids=str)
def test_skellam_matches_exact_law(variance: Fraction) -> None:
    source = XofSource(SEED, f"skellam {variance}".encode())
    sample = [skellam(source, variance) for _ in range(DRAWS)]
    assert p_value(sample, skellam_law(variance)) > P_VALUE
    # The same test tells half of the variance apart, so it has teeth.
    assert p_value(sample, skellam_law(variance / 2)) < P_VALUE


@pytest.mark.req("CAPC-NOISE-005")
@pytest.mark.parametrize("mean", [Fraction(1, 7), Fraction(1, 2), Fraction(17, 5)], ids=str)
def test_poisson_matches_exact_law(mean: Fraction) -> None:
    source = XofSource(SEED, f"poisson {mean}".encode())
    rate = mpmath.mpf(mean.numerator) / mean.denominator
    law = {n: mpmath.exp(-rate) * rate**n / mpmath.factorial(n) for n in range(60)}
    assert p_value([poisson(source, mean) for _ in range(DRAWS)], law) > P_VALUE


@pytest.mark.slow
@pytest.mark.req("CAPC-NOISE-005")
def test_sums_of_skellam_shares_have_the_law_of_the_sum() -> None:
    share = SkellamShare(Fraction(3, 2), 0)
    source = XofSource(SEED, b"sum of shares")
    sums = [sum(share.sample(source, 4)) for _ in range(DRAWS // 2)]
    assert p_value(sums, skellam_law(SharedNoise(share, 4).variance_votes)) > P_VALUE


class PlainPort:
    """The byte rules of the Skellam sampler, written a second time."""

    def __init__(self, data: bytes) -> None:
        self.data = list(data)
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def below(self, bound: int) -> int:
        width = (bound - 1).bit_length()
        while True:
            value = 0
            for place in range((width + 7) // 8):
                value |= self.byte() << (8 * place)
            value %= 1 << width
            if value < bound:
                return value

    def poisson(self, mean: Fraction) -> int:
        parts = 1
        while mean / parts > Fraction(1, 2):
            parts += 1
        q2 = 2 * mean / parts
        total = 0
        for _ in range(parts):
            while True:
                n = 0
                while self.byte() % 2:
                    n += 1
                i = 1
                while i <= n and self.below(q2.denominator * i) < q2.numerator:
                    i += 1
                if i > n:
                    break
            total += n
        return total


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
        together = share.sample(XofSource(SEED, b"batch"), 5)
        source = XofSource(SEED, b"batch")
        assert together == [share.sample(source, 1)[0] for _ in range(5)]
        assert share.sample(source, 0) == []
        with pytest.raises(InputError, match="count = -1"):
            share.sample(source, -1)
        noise = SharedNoise(share, 7, 2)
        assert (noise.counted, noise.variance_votes, noise.grid_bits) == (5, 20, 1)


def test_scales_that_are_not_exact_and_above_zero_are_refused() -> None:
    wrong: list[Any] = [0.5, 2, Fraction(0), Fraction(-1)]
    for sigma in wrong:
        for share in (DiscreteGaussianShare, SkellamShare):
            with pytest.raises(InputError, match="Fraction above 0"):
                share(sigma, 0)
    with pytest.raises(InputError, match="grid_bits"):
        SkellamShare(Fraction(1), -1)
    for sampler in (poisson, skellam):
        with pytest.raises(InputError, match="above 0"):
            sampler(BytesSource(b""), Fraction(0))
