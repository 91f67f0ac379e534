"""Section 13's samplers, told step by step, are those that draw: the same numbers, from the same bytes and no more."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.randomness import BytesSource, RandomSource, Seed, XofSource
from capc.noise.bernoulli import bernoulli_exp_minus
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.gaussian import round_gaussian
from capc.noise.lazy_uniform import LazyUniform, bernoulli_uniform
from capc.noise.mechanism import mechanism_for
from capc.noise.skellam import skellam
from capc.session.parameters import NoiseName
from capc_verify.vectors.operations.worked import told_samplers as samplers
from capc_verify.vectors.operations.worked.told_samplers import Tracer
from support.sections import rows_after, section

TEXT = section("13-streams-and-samplers.md")
SEEDS = st.binary(min_size=32, max_size=32)
Told = Callable[[Tracer, Fraction], int]
Sampler = Callable[[RandomSource, Fraction], int]


def agree(seed: bytes, told: Callable[[Tracer], object], sampler: Callable[[RandomSource], object]) -> None:
    data = XofSource(Seed(seed), b"told").read(1 << 16)
    tracer, source = Tracer(data), BytesSource(data)
    assert [told(tracer) for _ in range(3)] == [sampler(source) for _ in range(3)]
    assert tracer.consumed == source.consumed


@pytest.mark.req("CAPC-NOISE-007")
@given(seed=SEEDS, gamma=st.fractions(min_value=0, max_value=5, max_denominator=1000))
def test_trials(seed: bytes, gamma: Fraction) -> None:
    agree(seed, lambda tracer: samplers.trial(tracer, "", gamma), lambda source: bernoulli_exp_minus(source, gamma))


@pytest.mark.req("CAPC-NOISE-008")
@given(seed=SEEDS)
def test_comparisons_with_lazy_numbers(seed: bytes) -> None:
    data = XofSource(Seed(seed), b"lazy").read(4096)
    tracer, source = Tracer(data), BytesSource(data)
    digits: list[int] = []
    lazy = LazyUniform(source)
    told = [samplers.is_below(tracer, "", digits) for _ in range(20)]
    assert told == [bernoulli_uniform(source, lazy) for _ in range(20)]
    assert tracer.consumed == source.consumed


# Each statement is of one sampler: its evidence is the case of that one, and no other's.
ROUNDED, DISCRETE, SKELLAM = map(pytest.mark.req, ("CAPC-NOISE-009", "CAPC-NOISE-010", "CAPC-NOISE-011"))


@pytest.mark.req("CAPC-NOISE-003")
@pytest.mark.parametrize(
    ("told", "sampler", "most"),
    [
        pytest.param(samplers.rounded, round_gaussian, 400, id="rounded", marks=ROUNDED),
        pytest.param(samplers.discrete, discrete_gaussian, 10**5, id="discrete", marks=DISCRETE),
        pytest.param(samplers.difference, skellam, 50, id="skellam", marks=SKELLAM),
    ],
)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_numbers(told: Told, sampler: Sampler, most: int, data: st.DataObject) -> None:
    seed = data.draw(SEEDS)
    scale = data.draw(st.fractions(min_value=Fraction(1, 20), max_value=most, max_denominator=50))
    agree(seed, lambda tracer: told(tracer, scale), lambda source: sampler(source, scale))


@pytest.mark.req("CAPC-NOISE-012")
@pytest.mark.parametrize(
    ("name", "told", "power"),
    [
        (NoiseName.ROUNDED_GAUSSIAN, samplers.rounded, 1),
        (NoiseName.DISCRETE_GAUSSIAN, samplers.discrete, 2),
        (NoiseName.SKELLAM, samplers.difference, 2),
    ],
)
@pytest.mark.parametrize(
    ("votes", "grid_bits"), [(Fraction(3, 4), 3), (Fraction(5, 3), 0), (Fraction(29, 64), 4), (Fraction(7, 3), 2)]
)
def test_deviations_in_votes(name: NoiseName, told: Told, power: int, votes: Fraction, grid_bits: int) -> None:
    """Also where 2^g s, or its square, is no whole number: a calibrated deviation is a multiple of 1/64 votes."""
    data = XofSource(Seed(bytes(32)), b"votes").read(1 << 16)
    tracer = Tracer(data)
    found = mechanism_for(name, votes, grid_bits).sample(BytesSource(data), 30)
    assert found == [told(tracer, (votes * 2**grid_bits) ** power) for _ in range(30)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("rounded_trace", marks=ROUNDED),
        pytest.param("discrete_trace", marks=DISCRETE),
        pytest.param("skellam_trace", marks=SKELLAM),
    ],
)
def test_what_is_printed_goes_through_the_steps(name: str) -> None:
    """Its bytes are the beginning of the stream, and every step that draws occurs in the words."""
    rows = rows_after(TEXT, name)
    told = {step for row in rows[:-1] for step in row[0].split(", ")}
    assert all(f"- {step}." in TEXT or f"({step})" in TEXT for step in told)
    wanted = {"rounded_trace": {"N4d", "N6", "E1"}, "discrete_trace": {"D5", "E1"}, "skellam_trace": {"P3", "S2"}}
    assert wanted[name] <= told
    assert rows[-1][2] == f"{sum(len(row[2]) // 2 for row in rows[:-1] if row[2] != '-')} in all"
