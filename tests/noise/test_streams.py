"""Bytes in, integers out: known answers, unlucky and ending streams, and a second implementation of the byte rules."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import capc.noise
from capc.foundation.errors import InputError, RandomnessExhaustedError
from capc.foundation.randomness import BytesSource, RandomSource, Seed, XofSource
from capc.noise.discrete_gaussian import discrete_gaussian, discrete_laplace
from capc.noise.gaussian import round_gaussian
from capc.noise.lazy_uniform import LazyUniform
from capc.noise.skellam import poisson, skellam
from noise.plain_port import PlainPort

SEED = Seed(bytes(range(32)))


@pytest.mark.slow
@pytest.mark.req("CAPC-NOISE-003")
@given(
    seed=st.binary(min_size=32, max_size=32),
    sigma=st.one_of(
        st.fractions(min_value=Fraction(1, 20), max_value=400), st.sampled_from([Fraction(1), Fraction(353)])
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_second_implementation_of_the_byte_rules_agrees(seed: bytes, sigma: Fraction) -> None:
    data = XofSource(Seed(seed), b"port").read(4096)
    source, port = BytesSource(data), PlainPort(data)
    assert round_gaussian(source, sigma) == port.rounded(sigma)
    assert source.consumed == port.at
    assert discrete_gaussian(source, sigma**2) == port.discrete(sigma**2)
    assert source.consumed == port.at


# From the samplers; the second implementation above gives the same.
ROUNDED_53 = [12, -100, 1, -5, 14, 30, 5, 4, 92, -47, 11, -1]
ROUNDED_HALF = [0, -1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
DISCRETE_53 = [23, 48, -42, -80, -23, 25, -78, -1, 62, -89, 64, 23]
DISCRETE_HALF = [0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


@pytest.mark.req("CAPC-NOISE-003")
@pytest.mark.parametrize(
    ("sampler", "scale", "expected"),
    [
        (round_gaussian, Fraction(53), ROUNDED_53),
        (round_gaussian, Fraction(1, 2), ROUNDED_HALF),
        (discrete_gaussian, Fraction(53) ** 2, DISCRETE_53),
        (discrete_gaussian, Fraction(1, 4), DISCRETE_HALF),
    ],
)
def test_known_answers(sampler: Callable[[RandomSource, Fraction], int], scale: Fraction, expected: list[int]) -> None:
    source = XofSource(SEED, b"known answers")
    assert [sampler(source, scale) for _ in expected] == expected


# Derived by hand from the byte rules. k = 0: series 00 (success at n = 1), 01 (stop at n = 2, even: a failure).
# exp(-0) reads nothing. x: fresh 40 is below its first digit 80; the choice 01 fails at n = 1, odd: accepted.
# Sign 01: negative. sigma x is in [2, 2 + 4/256): it rounds to 2.
LUCKY_ROUNDED = bytes.fromhex("000140800101")
# k = 2 (01, 01, then 00 01), then exp(-1) fails at n = 2: rejected.
REJECTED_K = bytes.fromhex("0101000101")
# k = 0; fresh 40 < 80, choice 00 = 2k asks again: 40 < 80, success at n = 1; below(2) = 1 stops at n = 2: rejected.
REJECTED_X = bytes.fromhex("00014080004001")

# variance 1, t = 2. u = 0; exp(-0) reads nothing; v = 0 by 01; sign 00; exp(-1/8) by 01 of below(8).
LUCKY_DISCRETE = bytes.fromhex("00010001")
# u = 1 is rejected by exp(-1/2): 00 01.
REJECTED_U = bytes.fromhex("010001")
# A negative zero: everything again.
NEGATIVE_ZERO = bytes.fromhex("000101")


@pytest.mark.req("CAPC-NOISE-003")
@pytest.mark.parametrize("unlucky", [b"", REJECTED_K, REJECTED_X, REJECTED_K + REJECTED_X], ids=bytes.hex)
def test_an_unlucky_stream_only_takes_longer_for_the_rounded_gaussian(unlucky: bytes) -> None:
    assert_reads_all(unlucky * 400 + LUCKY_ROUNDED, lambda source: round_gaussian(source, Fraction(4)), -2)


@pytest.mark.req("CAPC-NOISE-003")
@pytest.mark.parametrize("unlucky", [b"", REJECTED_U, NEGATIVE_ZERO, REJECTED_U + NEGATIVE_ZERO], ids=bytes.hex)
def test_an_unlucky_stream_only_takes_longer_for_the_discrete_gaussian(unlucky: bytes) -> None:
    assert_reads_all(unlucky * 400 + LUCKY_DISCRETE, lambda source: discrete_gaussian(source, Fraction(1)), 0)


def assert_reads_all(data: bytes, sampler: Callable[[RandomSource], int], expected: int) -> None:
    source = BytesSource(data)
    assert sampler(source) == expected
    assert source.consumed == len(data)


def test_a_rounding_close_to_a_tie_takes_as_many_digits_as_it_needs() -> None:
    """x = 0.80 00 00 .. 01: sigma = 1 puts it just above the tie 1/2, which 31 zero digits cannot tell."""
    tail = bytes(30) + b"\x01"
    source = BytesSource(LUCKY_ROUNDED + tail)
    assert round_gaussian(source, Fraction(1)) == -1
    # One digit settles it: everything from 0.80 on rounds up. Just below the tie the same digit settles it too.
    assert source.consumed == len(LUCKY_ROUNDED)
    below = bytes.fromhex("0001407f0101")
    assert round_gaussian(BytesSource(below), Fraction(1)) == 0
    # sigma = 257/256: the tie is inside the interval of digits 7f, and of 7f 80, and is settled by 7f 81.
    near_tie = Fraction(256 * 256, 2 * (0x7F * 256 + 0x80)) * Fraction(256 * 256 * 256, 256 * 256 * 256 + 1)
    source = BytesSource(below + b"\x80\xff")
    assert round_gaussian(source, near_tie) == -1
    assert source.consumed == len(below) + 2


@pytest.mark.req("CAPC-NOISE-004")
@given(seed=st.binary(min_size=32, max_size=32), data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_stream_that_ends_too_early_is_an_error(seed: bytes, data: st.DataObject) -> None:
    full = XofSource(Seed(seed), b"end").read(2048)
    for sampler in (lambda s: round_gaussian(s, Fraction(9, 4)), lambda s: discrete_gaussian(s, Fraction(9, 4))):
        source = BytesSource(full)
        sampler(source)
        cut = data.draw(st.integers(0, source.consumed - 1))
        with pytest.raises(RandomnessExhaustedError):
            sampler(BytesSource(full[:cut]))


@pytest.mark.req("CAPC-NOISE-004")
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_a_constant_stream_ends_or_gives_an_integer(byte: int) -> None:
    """All zeros extend every series for ever, and all ones never leave k: both must end with the stream's error."""
    source = BytesSource(bytes([byte]) * 5000)
    with pytest.raises(RandomnessExhaustedError):
        round_gaussian(source, Fraction(4))


@pytest.mark.req("CAPC-NOISE-001", "CAPC-NOISE-002")
def test_the_noise_package_has_no_floating_point() -> None:
    """No float literal, no float or round, no true division, and no import that could bring a float in."""
    allowed = {"__future__", "collections.abc", "dataclasses", "enum", "fractions", "math", "typing"}
    files = sorted(Path(capc.noise.__file__).parent.glob("*.py"))
    assert len(files) >= 6
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant):
                assert not isinstance(node.value, float | complex), file
            if isinstance(node, ast.Name):
                assert node.id not in {"float", "round", "complex"}, file
            assert not isinstance(node, ast.Div), file
            if isinstance(node, ast.Import):
                raise AssertionError(f"{file}: import names one by one")
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                assert node.module in allowed or node.module.startswith("capc."), (file, node.module)
                if node.module == "math":
                    assert {alias.name for alias in node.names} == {"isqrt"}


@pytest.mark.parametrize("sampler", [round_gaussian, discrete_gaussian, poisson, skellam, discrete_laplace])
@pytest.mark.parametrize("scale", [0, -1])
def test_samplers_refuse_a_scale_that_is_not_above_zero(sampler: Callable[..., int], scale: int) -> None:
    with pytest.raises(InputError, match="at least 1" if sampler is discrete_laplace else "above 0"):
        sampler(BytesSource(bytes(64)), scale if sampler is discrete_laplace else Fraction(scale))


def test_a_lazy_uniform_number_draws_each_digit_once_and_shows_none() -> None:
    source = BytesSource(b"\x12\x34\x56\x78")
    x = LazyUniform(source)
    assert source.consumed == 0
    assert x.interval(0) == (0, 0)
    assert x.digit(1) == 0x34
    assert x.interval(2) == (0x1234, 16)
    assert source.consumed == 2
    assert x.interval(3) == (0x123456, 24)
    assert repr(x) == "LazyUniform(<secret>)"
