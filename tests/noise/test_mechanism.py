"""Mechanisms: the object that samples is charged, in its own unit, for its own deviation."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.gaussian import round_gaussian
from capc.noise.grid_noise import GridNoise
from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian, Skellam, mechanism_for, release_mechanisms
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SkellamShare
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy

SEED = Seed(bytes(range(32)))
sigmas = st.fractions(min_value=Fraction(1, 8), max_value=50)


@pytest.mark.req("CAPC-ACCT-003")
@given(sigma=sigmas, grid_bits=st.integers(0, 6))
def test_samples_come_from_the_deviation_that_is_charged(sigma: Fraction, grid_bits: int) -> None:
    """The sampler runs at sigma 2^g grid units, and the cost is D^2 / sigma^2 or D^2 / (2 sigma^2), for all g."""
    scale = sigma * 2**grid_bits
    for name, sampler, size, cost in (
        (NoiseName.ROUNDED_GAUSSIAN, round_gaussian, scale, 2),
        (NoiseName.DISCRETE_GAUSSIAN, discrete_gaussian, scale * scale, 1),
    ):
        mechanism = mechanism_for(name, sigma, grid_bits)
        source = XofSource(SEED, b"mechanism")
        assert mechanism.sample(XofSource(SEED, b"mechanism"), 3) == [sampler(source, size) for _ in range(3)]
        assert mechanism.cost(Fraction(2)) * sigma * sigma == cost


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-003")
def test_spread_of_samples_is_the_charged_deviation_on_the_grid() -> None:
    """4000 draws at a fixed seed; the sample variance is within 12 % of (sigma 2^g)^2 (5 deviations; 6e-7)."""
    for name in NoiseName:
        # Skellam noise takes time in proportion to its variance.
        sigma, grid_bits = (Fraction(53, 32), 1) if name is NoiseName.SKELLAM else (Fraction(53, 16), 4)
        mechanism = mechanism_for(name, sigma, grid_bits)
        draws = mechanism.sample(XofSource(SEED, name.value.encode()), 4000)
        assert all(type(n) is int for n in draws)
        variance = sum(n * n for n in draws) / len(draws)
        # At order 2 each law costs D^2 / sigma^2, Skellam noise besides an excess that vanishes with the L1 distance.
        tiny = Sensitivity(Fraction(1, 10**12), Fraction(1, 10**24), 1)
        charged = 4**grid_bits / (float(mechanism.rdp_cost(Fraction(2), tiny)) * 10**12)
        assert abs(variance / charged - 1) < 0.12


@pytest.mark.req("CAPC-ACCT-003")
def test_each_law_has_its_own_unit_and_name() -> None:
    """Gaussian DP does not bound the discrete Gaussian, so their costs must not be added."""
    gaussian, discrete = RoundedGaussian(Fraction(3), 0), DiscreteGaussian(Fraction(3), 0)
    assert (gaussian.unit, gaussian.name) == (CostUnit.MU_SQUARED, NoiseName.ROUNDED_GAUSSIAN)
    assert (discrete.unit, discrete.name) == (CostUnit.RHO, NoiseName.DISCRETE_GAUSSIAN)
    skellam = Skellam(Fraction(3), 0)
    assert (skellam.unit, skellam.name) == (CostUnit.RENYI, NoiseName.SKELLAM)
    with pytest.raises(InputError, match="charge it at a Renyi order"):
        skellam.cost(Fraction(2))


@given(low=sigmas, factor=st.fractions(min_value=1, max_value=4), name=st.sampled_from(list(NoiseName)))
def test_more_noise_never_costs_more(low: Fraction, factor: Fraction, name: NoiseName) -> None:
    moved = Sensitivity(Fraction(2), Fraction(2), 2)
    costs = [mechanism_for(name, sigma, 2).rdp_cost(Fraction(7, 2), moved) for sigma in (low * factor, low)]
    assert costs[0] <= costs[1]


@pytest.mark.req("CAPC-ACCT-003")
@pytest.mark.parametrize("name", list(NoiseName))
def test_a_policy_names_both_mechanisms(name: NoiseName) -> None:
    policy = ReleasePolicy(
        mechanism=name,
        sigma=Fraction(5, 2),
        threshold=Fraction(3),
        threshold_sigma=Fraction(7, 2),
        charge=Charge.WORST_CASE,
        adjacency=Adjacency.REPLACE_ONE,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**5),
        renyi_order=Fraction(4) if name is NoiseName.SKELLAM else None,
    )
    mechanisms = release_mechanisms(policy, 3)
    assert mechanisms.answer == mechanism_for(name, Fraction(5, 2), 3)
    assert mechanisms.threshold == mechanism_for(name, Fraction(7, 2), 3)


EVERY_NOISE = [RoundedGaussian, DiscreteGaussian, Skellam, DiscreteGaussianShare, SkellamShare]


@pytest.mark.parametrize("noise", EVERY_NOISE)
def test_no_draws_read_nothing_and_a_negative_count_is_refused(noise: type[GridNoise]) -> None:
    source = BytesSource(b"")
    assert noise(Fraction(2), 0).sample(source, 0) == []
    with pytest.raises(InputError, match="count = -1"):
        noise(Fraction(2), 0).sample(source, -1)


@pytest.mark.parametrize("noise", EVERY_NOISE)
@pytest.mark.parametrize("sigma", [0.5, 2, Fraction(0), Fraction(-3)])
def test_a_scale_that_is_not_an_exact_rational_above_zero_is_refused(noise: type[GridNoise], sigma: Any) -> None:
    with pytest.raises(InputError, match="Fraction above 0"):
        noise(sigma, 0)
    with pytest.raises(InputError, match="grid_bits = -1"):
        noise(Fraction(2), -1)


def test_an_unknown_law_is_refused_by_name() -> None:
    unknown: Any = "laplace"
    with pytest.raises(InputError, match="'laplace' is unknown: choose one of rounded_gaussian, discrete_gaussian, s"):
        mechanism_for(unknown, Fraction(1), 0)
