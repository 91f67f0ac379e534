"""Noise inside the computation: tables, exact law, distance to the discrete Gaussian, and what the sampler decides."""

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.randomness import Seed, XofSource
from capc_mpc.emulator.steps import emulate_step
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase, complete
from capc_mpc.interface.expected import noise_of_bits
from capc_mpc.interface.protocols import Domain, Model
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.programs import capc_noise
from capc_mpc.spdz.running import run
from support.laws import P_VALUE, assert_centred, chi_square_p_value, discrete_law
from support.mpc import needs_mp_spdz
from support.sizes import examples

VARIANCES = [Fraction(1), Fraction(9, 4), Fraction(25), Fraction(400), Fraction(1000, 3), Fraction(40000)]


def exact_law(variance: Fraction, reach: int) -> list[mpmath.mpf]:
    """The discrete Gaussian by mpmath, which shares nothing with the tables."""
    with mpmath.workdps(60):
        weights = [
            mpmath.exp(-mpmath.mpf(n * n) * variance.denominator / (2 * variance.numerator)) for n in range(9000)
        ]
        total = 2 * mpmath.fsum(weights) - weights[0]
        return [weights[abs(n)] / total for n in range(-reach, reach + 1)]


@pytest.mark.req("CAPC-MPC-010")
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_distance_is_proved_and_at_most_2_to_the_minus_64(variance: Fraction) -> None:
    assert capc_noise.distance(variance) <= Fraction(1, 1 << 64)


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-010")
@pytest.mark.parametrize("variance", VARIANCES[:4])
def test_the_distance_is_that_of_an_independent_computation(variance: Fraction) -> None:
    numerators, denominator = capc_noise.law(variance)
    assert sum(numerators) == denominator
    with mpmath.workdps(60):
        law = [mpmath.mpf(count) / denominator for count in numerators]
        exact = exact_law(variance, len(law) // 2)
        distance = mpmath.fsum(abs(p - q) for p, q in zip(law, exact, strict=True)) / 2
        distance += (1 - mpmath.fsum(exact)) / 2
        bound = capc_noise.distance(variance)
        assert distance <= mpmath.mpf(bound.numerator) / bound.denominator
        assert mpmath.mpf(bound.numerator) / bound.denominator <= distance * (1 + mpmath.mpf(2) ** -40)


@pytest.mark.parametrize("variance", VARIANCES)
def test_components_have_the_variance_of_the_whole(variance: Fraction) -> None:
    assert sum(4**part.shift * part.variance for part in capc_noise.plan(variance)) == variance


def test_a_large_deviation_needs_few_thresholds() -> None:
    direct = len(capc_noise.thresholds(Fraction(40000)))
    planned = sum(len(capc_noise.thresholds(part.variance)) for part in capc_noise.plan(Fraction(40000)))
    assert planned * 8 < direct


@pytest.mark.req("CAPC-MPC-010")
def test_a_plan_that_is_not_smooth_is_found_far_from_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = (capc_noise.Component(0, Fraction(1)), capc_noise.Component(3, Fraction(399, 64)))
    monkeypatch.setattr(capc_noise, "plan", lambda _variance: coarse)
    assert capc_noise.distance(Fraction(400)) > Fraction(1, 1 << 20)


@pytest.mark.parametrize("variance", [Fraction(1), Fraction(400)])
def test_every_value_fits_the_word(variance: Fraction) -> None:
    reach = len(capc_noise.law(variance)[0]) // 2
    assert reach < 1 << capc_noise.word_bits(variance) - 1


@pytest.mark.req("CAPC-MPC-011")
def test_one_honest_party_is_enough_for_uniform_bits() -> None:
    """Whatever others input, the noise takes the same values while one party's bits run through theirs."""
    variance = Fraction(1)
    top = capc_noise.UNIFORM_BITS - 7
    honest = [[(sign << capc_noise.UNIFORM_BITS) | (u << top)] for u in range(128) for sign in (0, 1)]
    for fixed in (0, (1 << 77) - 1, 0xD5 << top):
        outcomes = sorted(noise_of_bits([own, [fixed >> top << top]], variance) for own in honest)
        assert outcomes == sorted(noise_of_bits([own, [0]], variance) for own in honest)


@given(st.sampled_from(VARIANCES[:4]), st.binary(min_size=32, max_size=32))
def test_the_law_counts_the_uniform_numbers(variance: Fraction, seed: bytes) -> None:
    """A component's magnitude is k for exactly T_k - T_(k+1) uniform numbers: checked at and beside each threshold."""
    source = XofSource(Seed(seed), b"test")
    part = capc_noise.Component(0, capc_noise.plan(variance)[0].variance)
    table = capc_noise.thresholds(part.variance)
    k = source.below(len(table))
    assert sum(table[k] - 1 < t for t in table) >= k + 1
    assert sum(table[k] < t for t in table) == sum(t > table[k] for t in table) <= k
    assert list(table) == sorted(table, reverse=True)


def test_samples_have_the_deviation_that_was_asked_for() -> None:
    """Seed fixed: the sample variance of 2,000 draws is within 6 standard errors of 400."""
    variance, count = Fraction(400), examples(ordinary=2000, nightly=20000)
    source = XofSource(Seed(bytes(32)), b"test")
    bits = capc_noise.UNIFORM_BITS + 1
    components = len(capc_noise.plan(variance))
    draws = [noise_of_bits([[source.bits(bits) for _ in range(components)]], variance) for _ in range(count)]
    assert abs(sum(d * d for d in draws) / count - 400) < 6 * 400 * (2 / count) ** 0.5
    assert abs(sum(draws) / count) < 6 * 20 / count**0.5


DRAWS, WIDTH = 4_000, 14


def drawn(variance: Fraction) -> tuple[steps.Step, list[FullCase]]:
    """The program for many samples and its inputs from a fixed seed, so that its noise is the same everywhere."""
    step = steps.discrete_gaussian(variance, WIDTH, DRAWS, 2)
    source = XofSource(Seed(bytes(range(32))), b"test/noise law")
    cases = complete(step, Domain.RING, sample_cases(step, source), {0: source, 1: source})
    # Sampled cases have edges: all bits 0 or 1. A law is about uniform bits.
    for case in cases:
        for key, numbers in case.items():
            case[key] = [source.bits(WIDTH if key[1] == "fresh_share" else 77) for _ in numbers]
    return step, cases


def assert_is_discrete_gaussian(cases: list[FullCase], learnt: list[int], sigma: int) -> None:
    """The tests of the reference sampler (tests/noise), on the sums of both parties' shares."""
    sums = [share + case[0, "fresh_share"][0] for share, case in zip(learnt, cases, strict=True)]
    sample = [ring.signed(total % (1 << WIDTH), WIDTH) for total in sums]
    with mpmath.workdps(50):
        assert chi_square_p_value(sample, discrete_law(Fraction(sigma), 12 * sigma + 4)) > P_VALUE
    assert_centred(sample, sigma)


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-010")
@pytest.mark.parametrize("sigma", [1, 20, 200])
def test_the_program_s_noise_passes_the_tests_of_the_reference_sampler(sigma: int) -> None:
    step, cases = drawn(Fraction(sigma**2))
    learnt = emulate_step(step, cases, "ring").learnt[1]["noise.0"]
    assert_is_discrete_gaussian(cases, learnt, sigma)
    with pytest.raises(AssertionError):
        assert_is_discrete_gaussian(cases, learnt, sigma + 1 + sigma // 4)


@needs_mp_spdz
@pytest.mark.parametrize("sigma", [20, 200])
@pytest.mark.parametrize("protocol", ["semi2k", "replicated-ring"])
def test_the_machine_s_noise_passes_the_tests_of_the_reference_sampler(protocol: str, sigma: int) -> None:
    step, cases = drawn(Fraction(sigma**2))
    done = run(step, cases, protocol, model=Model.HONEST_MAJORITY)
    assert_is_discrete_gaussian(cases, done.learnt[1]["noise.0"], sigma)
