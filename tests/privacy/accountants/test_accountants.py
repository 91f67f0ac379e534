"""Each accountant against a second computation that shares no code with it: mpmath with 50 digits, or enumeration."""

from __future__ import annotations

import heapq
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SharedNoise, SkellamShare
from capc.privacy.accountants import confident_gnmax
from capc.privacy.accountants.confident_gnmax import joint_cost_holds, joint_renyi_upper
from capc.privacy.accountants.conversion import epsilon_upper, gaussian_dp_delta_upper, improved_conversion
from capc.privacy.accountants.gdp import composed_mu_squared
from capc.privacy.accountants.pld import PrivacyLossDistribution, pld_epsilon
from capc.privacy.accountants.rdp import ORDERS, classic_conversion, rdp_cost, rdp_epsilon, separate_cost
from capc.privacy.accountants.steps import JointStep, Noise, Step, Steps
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.accountants.zcdp import zcdp_rho
from capc.privacy.figures.methods import Method, applicable, statement_for
from support.laws import real
from support.sizes import examples

RELATIVE = mpmath.mpf(10) ** -9
TINY = mpmath.mpf(10) ** -25
ONE = Sensitivity(Fraction(1), Fraction(1), 1)
TWO = Sensitivity(Fraction(2), Fraction(2), 2)
UNIT = ProtectedUnit(Relation.REPLACE_ONE)

deltas = st.integers(2, 12).map(lambda n: Fraction(1, 10**n))
sigmas = st.fractions(min_value=Fraction(1, 2), max_value=50, max_denominator=64)
counts = st.integers(1, 500)


def gaussian_steps(sigma: Fraction, count: int) -> Steps:
    return {Step(RoundedGaussian(sigma, 4), TWO): count}


def shared(v: Fraction, contributors: int, uncounted: int = 0) -> SharedNoise:
    return SharedNoise(DiscreteGaussianShare(v, 0), contributors, uncounted)


def skellam(variance_share: Fraction, contributors: int) -> SharedNoise:
    return SharedNoise(SkellamShare(variance_share, 0), contributors)


# --- Renyi --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-104")
@given(sigma=sigmas, count=counts, delta=deltas, improved=st.booleans())
@settings(max_examples=examples(ordinary=15, nightly=400), deadline=None)
def test_renyi_epsilon_is_the_minimum_over_the_grid(
    sigma: Fraction, count: int, delta: Fraction, improved: bool
) -> None:
    found = rdp_epsilon(gaussian_steps(sigma, count), delta, improved_conversion if improved else classic_conversion)
    with mpmath.workdps(50):
        d = real(delta)

        def bound(order: Fraction) -> mpmath.mpf:
            a = real(order)
            cost = count * a / real(sigma) ** 2
            if improved:
                return cost + mpmath.log1p(-1 / a) - (mpmath.log(d) + mpmath.log(a)) / (a - 1)
            return cost - mpmath.log(d) / (a - 1)

        truth = max(mpmath.mpf(0), min(bound(order) for order in ORDERS))
        assert truth <= real(found.epsilon) <= truth * (1 + RELATIVE) + TINY


@pytest.mark.req("CAPC-ACCT-104")
def test_an_edge_of_the_grid_is_said_and_nothing_is_negative() -> None:
    assert tuple(sorted(set(ORDERS))) == ORDERS
    assert ORDERS[0] > 1
    loud = rdp_epsilon(gaussian_steps(Fraction(1, 100), 10**3), Fraction(1, 10), improved_conversion)
    assert loud.at_edge
    assert loud.order == ORDERS[0]
    text = statement_for(gaussian_steps(Fraction(1, 100), 10**3), UNIT, Fraction(1, 10), Method.RENYI_IMPROVED).method
    assert "the edge of the grid" in text
    quiet = rdp_epsilon(gaussian_steps(Fraction(10**4), 1), Fraction(1, 2), improved_conversion)
    assert quiet.epsilon == 0
    assert rdp_epsilon({}, Fraction(1, 10), improved_conversion).epsilon == 0


@pytest.mark.slow
@given(sigma=sigmas, count=counts, more=counts, delta=deltas, noisier=st.fractions(min_value=1, max_value=3))
@settings(max_examples=examples(ordinary=5, nightly=200), deadline=None)
def test_more_queries_never_cost_less_and_more_noise_never_more(
    sigma: Fraction, count: int, more: int, delta: Fraction, noisier: Fraction
) -> None:
    for method in (Method.GAUSSIAN_DP, Method.ZCDP, Method.RENYI_IMPROVED, Method.RENYI_CLASSIC):
        here = statement_for(gaussian_steps(sigma, count), UNIT, delta, method).epsilon
        assert statement_for(gaussian_steps(sigma, count + more), UNIT, delta, method).epsilon >= here
        assert statement_for(gaussian_steps(sigma * noisier, count), UNIT, delta, method).epsilon <= here


# --- sums of shares -----------------------------------------------------------------------------------------------


def summed_law(v: Fraction, shares: int, reach: int) -> np.ndarray:
    n = np.arange(-reach, reach + 1)
    one = np.exp(-(n.astype(np.longdouble) ** 2) / (2 * float(v) ** 2))
    one /= one.sum()
    law = one
    for _ in range(shares - 1):
        law = np.convolve(law, one)
    return np.asarray(law)


@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-105")
@pytest.mark.parametrize(("v", "shares"), [(Fraction(3, 2), 2), (Fraction(3, 2), 5), (Fraction(2), 3)])
@pytest.mark.parametrize("order", [Fraction(3, 2), Fraction(2), Fraction(8)])
def test_summed_shares_cost_at_least_their_exact_divergence(v: Fraction, shares: int, order: Fraction) -> None:
    law = summed_law(v, shares, 25)
    a = float(order)
    p, q = law[1:], law[:-1]
    inside = (p > 1e-300) & (q > 1e-300)
    exact = float(np.log(np.sum(p[inside] ** a * q[inside] ** (1 - a))) / (a - 1))
    step = Step(shared(v, shares), ONE)
    bound = float(rdp_cost({step: 1}, order))
    assert exact <= bound * (1 + 1e-12)
    assert bound <= exact * (1 + 1e-6)


@pytest.mark.req("CAPC-ACCT-105")
def test_the_correction_of_summed_shares_is_charged() -> None:
    """rho is above that of one discrete Gaussian of the same variance, by tau, computed a second time."""
    step = Step(shared(Fraction(3, 2), 10), TWO)
    with mpmath.workdps(50):
        v = mpmath.mpf(3) / 2
        tau = 10 * mpmath.fsum(mpmath.exp(-2 * (mpmath.pi * v) ** 2 * k / (k + 1)) for k in range(1, 10))
        r = mpmath.sqrt(2 / (10 * v**2))
        truth = min(r**2 / 2 + 2 * tau, (r + mpmath.sqrt(2) * tau) ** 2 / 2)
        found = real(zcdp_rho({step: 1}))
        assert truth <= found <= truth * (1 + RELATIVE)
        assert found > r**2 / 2


@pytest.mark.req("CAPC-ACCT-106")
def test_only_shares_that_count_protect() -> None:
    v = Fraction(2)
    assert zcdp_rho({Step(shared(v, 10, 4), TWO): 1}) == zcdp_rho({Step(shared(v, 6), TWO): 1})
    assert zcdp_rho({Step(shared(v, 10, 4), TWO): 1}) > zcdp_rho({Step(shared(v, 10), TWO): 1})
    with pytest.raises(InputError, match="at least one share must count"):
        shared(v, 3, 3)


# --- Skellam ------------------------------------------------------------------------------------------------------


def skellam_law(variance: mpmath.mpf, reach: int) -> list[mpmath.mpf]:
    return [mpmath.exp(-variance) * mpmath.besseli(abs(n), variance) for n in range(-reach, reach + 1)]


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize(
    ("sigma", "shift"), [(Fraction(1), 1), (Fraction(3, 2), 1), (Fraction(5), 1), (Fraction(6), 4)]
)
@pytest.mark.parametrize("order", [2, 3, 10])
def test_skellam_cost_is_at_least_the_exact_divergence_and_close(sigma: Fraction, shift: int, order: int) -> None:
    moved = Sensitivity(Fraction(shift**2), Fraction(shift), 1)
    with mpmath.workdps(50):
        # Far tails weigh in: the ratio of neighbouring probabilities grows like n.
        law = skellam_law(real(sigma) ** 2, 60 + 40 * int(sigma))
        exact = mpmath.log(
            mpmath.fsum(p**order * q ** (1 - order) for p, q in zip(law[shift:], law[:-shift], strict=True))
        ) / (order - 1)
        bound = real(rdp_cost({Step(skellam(sigma, 1), moved): 1}, Fraction(order)))
        assert exact <= bound
        if shift == 1 and sigma >= 5:
            assert bound <= exact * mpmath.mpf("1.1")


def test_skellam_shares_add_up_and_fractional_orders_round_up() -> None:
    whole, parts = Step(skellam(Fraction(6), 1), TWO), Step(skellam(Fraction(3), 4), TWO)
    for order in (Fraction(2), Fraction(5, 2), Fraction(40)):
        assert rdp_cost({whole: 1}, order) == rdp_cost({parts: 1}, order)
    assert rdp_cost({whole: 1}, Fraction(5, 2)) == rdp_cost({whole: 1}, Fraction(3))


# --- exact loss distribution --------------------------------------------------------------------------------------


def enumerated_delta(groups: list[tuple[int, Fraction]], epsilon: Fraction, reach: int) -> mpmath.mpf:
    """Over every combination of noises; groups are (numbers, sigma), each number moved by 1."""
    axes = []
    for count, sigma in groups:
        weights = {n: mpmath.exp(-mpmath.mpf(n * n) / (2 * real(sigma) ** 2)) for n in range(-reach, reach + 2)}
        total = mpmath.fsum(weights.values())
        axes += [[(weights[n] / total, weights.get(n - 1, mpmath.mpf(0)) / total) for n in weights]] * count
    delta = mpmath.mpf(0)
    factor = mpmath.exp(real(epsilon))
    for combination in product(*axes):
        p = mpmath.fprod(pair[0] for pair in combination)
        q = mpmath.fprod(pair[1] for pair in combination)
        delta += max(mpmath.mpf(0), p - factor * q)
    return delta


@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-105")
@pytest.mark.parametrize("groups", [[(1, Fraction(1))], [(2, Fraction(4, 5))], [(2, Fraction(3, 4)), (1, Fraction(1))]])
@pytest.mark.parametrize("epsilon", [Fraction(0), Fraction(1), Fraction(5, 2)])
def test_loss_distribution_is_the_sum_over_all_noises(groups: list[tuple[int, Fraction]], epsilon: Fraction) -> None:
    steps = {
        Step(DiscreteGaussian(sigma, 0), Sensitivity(Fraction(count), Fraction(count), count)): 1
        for count, sigma in groups
    }
    upper = real(PrivacyLossDistribution(steps, Fraction(1, 10**8)).delta_upper(epsilon))
    with mpmath.workdps(40):
        reach = 14 if len(groups) == 1 else 9
        truth = enumerated_delta(groups, epsilon, reach)
        assert truth <= upper * (1 + mpmath.mpf(10) ** -14)
        assert upper <= truth * (1 + RELATIVE) + mpmath.mpf(10) ** -18


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize(("sigma", "numbers"), [(3, 4), (7, 40)])
def test_loss_distribution_agrees_with_a_peer_that_discretises(sigma: int, numbers: int) -> None:
    """Theirs is pessimistic on a grid of losses, so ours is a little below it."""
    peer = from_discrete_gaussian_mechanism(sigma, 1, value_discretization_interval=1e-4).self_compose(numbers)
    steps = {Step(DiscreteGaussian(Fraction(sigma), 0), ONE): numbers}
    distribution = PrivacyLossDistribution(steps, Fraction(1, 10**8))
    for epsilon in (Fraction(1, 2), Fraction(2)):
        ours, theirs = float(distribution.delta_upper(epsilon)), peer.get_delta_for_epsilon(float(epsilon))
        assert ours <= theirs * (1 + 1e-9) + 1e-12
        assert ours >= theirs * (1 - 1e-2) - 1e-9


def test_the_gaussian_curve_is_too_low_for_the_discrete_gaussian_and_zcdp_is_not() -> None:
    """An error of peers: at sigma = 3 the Gaussian delta is percents below the exact one."""
    steps = {Step(DiscreteGaussian(Fraction(3), 0), ONE): 1}
    distribution = PrivacyLossDistribution(steps, Fraction(1, 10**8))
    ratios = [
        distribution.delta_upper(Fraction(n, 100)) / gaussian_dp_delta_upper(Fraction(1, 9), Fraction(n, 100))
        for n in range(1, 120)
    ]
    assert max(ratios) > Fraction(101, 100)
    delta = Fraction(1, 10**5)
    assert pld_epsilon(steps, delta) < epsilon_upper(CostUnit.RHO, Fraction(1, 18), delta)


def test_loss_distribution_at_its_edges() -> None:
    assert pld_epsilon({}, Fraction(1, 100)) == 0
    assert PrivacyLossDistribution({}, Fraction(1, 100)).delta_upper(Fraction(0)) == 0
    three = {Step(DiscreteGaussian(Fraction(sigma), 0), ONE): 1 for sigma in (2, 3, 4)}
    with pytest.raises(InputError, match="at most 2"):
        PrivacyLossDistribution(three, Fraction(1, 100))
    two_votes = ProtectedUnit(Relation.REPLACE_ONE, (Fraction(1), Fraction(1)))
    with pytest.raises(InputError, match="one vote per protected unit"):
        PrivacyLossDistribution({Step(DiscreteGaussian(Fraction(2), 0), two_votes.histogram): 1}, Fraction(1, 100))


# --- joint steps --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-108")
@given(
    order=st.sampled_from([Fraction(5, 4), Fraction(2), Fraction(7), Fraction(40)]),
    s1=st.fractions(min_value=1, max_value=20, max_denominator=8),
    s=st.fractions(min_value=1, max_value=20, max_denominator=8),
)
@example(order=Fraction(40), s1=Fraction(25, 2), s=Fraction(1))
@settings(max_examples=examples(ordinary=4, nightly=100), deadline=None)
def test_joint_cost_is_between_the_true_maximum_and_the_sum_of_its_parts(
    order: Fraction, s1: Fraction, s: Fraction
) -> None:
    check, answer = 1 / s1**2, order / s**2
    bound = float(joint_renyi_upper(order, check, answer))
    a, shift = float(order), 1 / float(s1)
    u = np.linspace(-30 - a * shift, 30 + a * shift, 20001)
    largest = -np.inf
    for moved in (u + shift, u - shift):
        withheld = a * log_ndtr(-moved) + (1 - a) * log_ndtr(-u)
        answered = a * log_ndtr(moved) + (1 - a) * log_ndtr(u) + (a - 1) * float(answer)
        largest = max(largest, np.logaddexp(withheld, answered).max() / (a - 1))
    assert largest <= bound * (1 + 1e-9)
    assert bound <= largest * 1.002
    # Where the answer tells nearly all, the check saves less than a bound of 12 digits says.
    saved = 1 if answer <= 4 else 1 + 1e-11
    assert bound < float(answer + order * check / 2) * saved


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-108")
@pytest.mark.parametrize("order", [Fraction(1) + Fraction(1, 1 << 20), Fraction(1000), Fraction(1 << 20)])
@pytest.mark.parametrize("check", [Fraction(1, 10**60), Fraction(10**9)])
@pytest.mark.parametrize("answer", [Fraction(1, 10**60), Fraction(10**9)])
def test_extreme_joint_steps_end_with_a_bound(order: Fraction, check: Fraction, answer: Fraction) -> None:
    """Whoever is shown terms computes this for them: they must neither take for ever nor be no figure."""
    bound = joint_renyi_upper(order, check, answer)
    assert answer <= bound <= answer + order * check / 2


@pytest.mark.req("CAPC-ACCT-116")
@pytest.mark.parametrize("cells", [10, 2_000])
@pytest.mark.parametrize("order", [Fraction(2), Fraction(10)])
def test_a_joint_claim_is_checked_as_it_stands_however_it_was_found(
    monkeypatch: pytest.MonkeyPatch, cells: int, order: Fraction
) -> None:
    """Bounds of any number of cells hold; figures below the formula somewhere, or below its parts' larger, do not."""
    arguments = order, Fraction(1, 9), order / 16
    tight = joint_renyi_upper(*arguments)
    monkeypatch.setattr(confident_gnmax, "_MAX_CELLS", cells)
    found = joint_renyi_upper(*arguments)
    assert found >= tight
    monkeypatch.setattr(confident_gnmax, "_MAX_CELLS", 10)
    for claim in (found, tight, order / 16 + order / 18):
        assert joint_cost_holds(*arguments, claim)
    for claim in (tight * Fraction(998, 1000), order / 16, Fraction(1, 10**9)):
        assert not joint_cost_holds(*arguments, claim)


@pytest.mark.req("CAPC-ACCT-116")
def test_a_joint_bound_is_no_lower_than_any_of_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heap is ordered by rounded numbers: its first cell need not be the largest."""
    arguments = Fraction(2), Fraction(1, 9), Fraction(1, 8)
    right = joint_renyi_upper(*arguments)
    monkeypatch.setattr(heapq, "heappush", lambda heap, cell: heap.append(cell))
    monkeypatch.setattr(heapq, "heappop", lambda heap: heap.pop(0))
    monkeypatch.setattr(confident_gnmax, "_MAX_CELLS", 200)
    assert joint_renyi_upper(*arguments) >= right * Fraction(1023, 1024)


@pytest.mark.parametrize("order", [Fraction(3), Fraction(1 << 13)])
def test_an_extreme_joint_claim_is_the_sum_of_its_parts_or_refused(order: Fraction) -> None:
    """A hostile claim is decided at once."""
    arguments = order, Fraction(10**780), Fraction(1)
    separate = 1 + order * 10**780 / 2
    assert joint_cost_holds(*arguments, separate)
    assert not joint_cost_holds(*arguments, separate - 1)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-108")
def test_joint_epsilon_is_below_separate_charges() -> None:
    check = Step(RoundedGaussian(Fraction(6), 4), ONE)
    answer = Step(RoundedGaussian(Fraction(4), 4), TWO)
    together, separate = {JointStep(check, answer): 20}, {check: 20, answer: 20}
    order = Fraction(3)
    assert rdp_cost(together, order) < separate_cost(together, order) == rdp_cost(separate, order)
    delta = Fraction(1, 10**5)
    lower = rdp_epsilon(together, delta, improved_conversion).epsilon
    assert lower < rdp_epsilon(separate, delta, improved_conversion).epsilon


# --- which method carries which noise -----------------------------------------------------------------------------


@pytest.mark.req("CAPC-ACCT-102")
def test_the_gaussian_curve_is_for_rounded_gaussian_noise_only() -> None:
    assert composed_mu_squared(gaussian_steps(Fraction(3), 7)) == Fraction(14, 9)
    others: list[Noise] = [DiscreteGaussian(Fraction(3), 0), shared(Fraction(3), 2), skellam(Fraction(3), 1)]
    for noise in others:
        with pytest.raises(InputError, match="Gaussian-DP"):
            composed_mu_squared({Step(noise, TWO): 1})
        refused = applicable({Step(noise, TWO): 1}, UNIT, Fraction(1, 10**5))[Method.GAUSSIAN_DP]
        assert isinstance(refused, str)


@pytest.mark.req("CAPC-ACCT-004")
def test_every_figure_says_method_adjacency_hypotheses_and_rounding() -> None:
    noises: list[Noise] = [RoundedGaussian(Fraction(4), 4), DiscreteGaussian(Fraction(4), 0), shared(Fraction(4), 3)]
    for noise in noises:
        for statement in applicable({Step(noise, TWO): 3}, UNIT, Fraction(1, 10**5)).values():
            if isinstance(statement, str):
                continue
            assert statement.method
            assert statement.adjacency is Relation.REPLACE_ONE
            assert len(statement.hypotheses) >= 4
            assert "rounded up" in statement.rounding
            assert not statement.guarantee
