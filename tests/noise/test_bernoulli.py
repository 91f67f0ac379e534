"""Exact probabilities of the Bernoulli samplers, by enumerating every bit string up to a depth."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError, RandomnessExhaustedError
from capc.foundation.randomness import BytesSource, RandomSource
from capc.noise import lazy_uniform
from capc.noise.bernoulli import bernoulli, bernoulli_exp_minus
from capc.noise.gaussian import _accept, round_gaussian
from capc.noise.lazy_uniform import LazyUniform, bernoulli_uniform

pytestmark = pytest.mark.req("CAPC-NOISE-001")


class BitString:
    """A source that spends single bits of a given string, and ends with it. It counts what it spent."""

    def __init__(self, bits: int, length: int) -> None:
        self.bits_left = [(bits >> i) & 1 for i in range(length)]

    def read(self, length: int) -> bytes:
        raise AssertionError(f"read({length}): samplers draw bits and bounded integers only")

    def bits(self, width: int) -> int:
        if width > len(self.bits_left):
            raise RandomnessExhaustedError("the bit string ended")
        taken, self.bits_left = self.bits_left[:width], self.bits_left[width:]
        return sum(bit << i for i, bit in enumerate(taken))

    def below(self, bound: int) -> int:
        while True:
            value = self.bits((bound - 1).bit_length())
            if value < bound:
                return value


def enumerate_law(sampler: Callable[[RandomSource], int], depth: int) -> tuple[dict[int, Fraction], Fraction]:
    """Exact probability of each result over all strings of up to ``depth`` bits, and the mass still undecided."""
    law: dict[int, Fraction] = {}
    pending = [(0, 0)]
    undecided = Fraction(0)
    while pending:
        bits, length = pending.pop()
        source = BitString(bits, length)
        try:
            result = int(sampler(source))
        except RandomnessExhaustedError:
            if length < depth:
                pending += [(bits, length + 1), (bits | 1 << length, length + 1)]
            else:
                undecided += Fraction(1, 1 << length)
            continue
        law[result] = law.get(result, Fraction(0)) + Fraction(1, 1 << length)
    assert sum(law.values()) + undecided == 1
    return law, undecided


def assert_brackets(law: dict[int, Fraction], undecided: Fraction, result: int, exact: object) -> None:
    low = law.get(result, Fraction(0))
    high = low + undecided
    with mpmath.workdps(50):
        assert mpmath.mpf(low.numerator) / low.denominator <= exact
        assert mpmath.mpf(high.numerator) / high.denominator >= exact


@pytest.mark.parametrize(
    "p", [Fraction(0), Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(5, 8), Fraction(6, 7)]
)
def test_bernoulli_probability_is_exact(p: Fraction) -> None:
    law, undecided = enumerate_law(lambda s: bernoulli(s, p), 12)
    assert undecided < Fraction(1, 30)
    assert law.get(1, 0) <= p <= law.get(1, 0) + undecided
    if p.denominator & (p.denominator - 1) == 0:
        assert undecided == 0


@pytest.mark.parametrize(
    "gamma", [Fraction(0), Fraction(1, 8), Fraction(1, 2), Fraction(2, 3), Fraction(1), Fraction(3, 2), Fraction(3)]
)
def test_bernoulli_exp_minus_probability_is_exact(gamma: Fraction) -> None:
    law, undecided = enumerate_law(lambda s: bernoulli_exp_minus(s, gamma), 15)
    assert undecided < Fraction(1, 10)
    with mpmath.workdps(50):
        assert_brackets(law, undecided, 1, mpmath.exp(-mpmath.mpf(gamma.numerator) / gamma.denominator))


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [b"\x01\x00", b"\x00\x01", b"\x01\x01\x00", b"\x00\x00\x00\x01"])
def test_bernoulli_uniform_and_acceptance_match_their_formulas_at_a_fixed_fraction(
    pattern: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_uniform, "DIGIT_BITS", 1)
    digits = (pattern * 64)[:64]
    x = sum(Fraction(bit, 1 << (i + 1)) for i, bit in enumerate(digits))

    law, undecided = enumerate_law(lambda s: bernoulli_uniform(s, LazyUniform(BytesSource(digits))), 12)
    assert undecided == Fraction(1, 1 << 12)
    assert law[1] <= x <= law[1] + undecided

    for k in range(3):
        law, undecided = enumerate_law(lambda s, k=k: _accept(s, k, LazyUniform(BytesSource(digits))), 14)
        assert undecided < Fraction(1, 2)
        with mpmath.workdps(50):
            exact = mpmath.mpf(x.numerator) / x.denominator
            assert_brackets(law, undecided, 1, mpmath.exp(-exact * (2 * k + exact) / 2))


@pytest.mark.slow
def test_rounded_gaussian_law_is_bracketed_by_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one-bit digits, every bit string up to 14 bits: the exact law lies between the bounds of each integer."""
    monkeypatch.setattr(lazy_uniform, "DIGIT_BITS", 1)
    law, undecided = enumerate_law(lambda s: round_gaussian(s, Fraction(1, 2)), 14)
    assert undecided < Fraction(2, 3)
    assert law[1] == law[-1]
    with mpmath.workdps(50):
        for n in (-1, 0, 1):
            assert_brackets(law, undecided, n, mpmath.ncdf(2 * n + 1) - mpmath.ncdf(2 * n - 1))


@pytest.mark.parametrize("p", [Fraction(-1, 2), Fraction(3, 2)])
def test_bernoulli_refuses_what_is_no_probability(p: Fraction) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        bernoulli(BytesSource(bytes(8)), p)


def test_bernoulli_exp_minus_refuses_a_negative_gamma() -> None:
    with pytest.raises(InputError, match="at least 0"):
        bernoulli_exp_minus(BytesSource(bytes(8)), Fraction(-1))


@given(st.fractions(min_value=0, max_value=1, max_denominator=200))
def test_certain_trials_read_nothing_more_than_one_draw(p: Fraction) -> None:
    width = (p.denominator - 1).bit_length()
    source = BytesSource(bytes((width + 7) // 8))
    assert bernoulli(source, p) == (p > 0)
    assert source.consumed == (width + 7) // 8


def test_exp_of_zero_is_certain_and_reads_nothing() -> None:
    source = BytesSource(b"")
    assert bernoulli_exp_minus(source, Fraction(0))
    assert source.consumed == 0
