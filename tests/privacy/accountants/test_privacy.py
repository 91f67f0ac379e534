"""Certified conversions against two other methods: mpmath with 50 digits, and dp_accounting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import dp_accounting
import mpmath
import pytest
from dp_accounting.gaussian_mechanism import get_epsilon_gaussian
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.accountants.ball_arithmetic import decimal_text
from capc.privacy.accountants.conversion import DELTA_FLOOR, budget_lower, epsilon_upper, gaussian_dp_delta_upper, keeps
from capc.privacy.accountants.policies import calibrate_sigma, default_order, policy_budget, with_joint_cost
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.figures.statement import NOT_A_GUARANTEE, PrivacyStatement, budget_statement, spent_statement
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy
from support.laws import real
from support.sizes import examples

RELATIVE = 1e-9
MU, RHO = CostUnit.MU_SQUARED, CostUnit.RHO

costs = st.fractions(min_value=Fraction(1, 1000), max_value=60, max_denominator=10**6)
epsilons = st.fractions(min_value=Fraction(1, 100), max_value=40, max_denominator=10**6)
deltas = st.integers(1, 12).map(lambda n: Fraction(1, 10**n))
units = st.sampled_from([MU, RHO])


def true_gaussian_delta(mu_squared: mpmath.mpf, epsilon: mpmath.mpf) -> mpmath.mpf:
    """The same quantity from its definition: the integral of the positive part of the density difference."""
    mu = mpmath.sqrt(mu_squared)
    start = epsilon / mu + mu / 2

    def excess(x: mpmath.mpf) -> mpmath.mpf:
        return mpmath.npdf(x - mu) - mpmath.exp(epsilon) * mpmath.npdf(x)

    return mpmath.quad(excess, [start, start + 1, start + 3, start + 8, start + 25])


def closed_gaussian_delta(mu_squared: mpmath.mpf, epsilon: mpmath.mpf) -> mpmath.mpf:
    mu = mpmath.sqrt(mu_squared)
    return mpmath.ncdf(mu / 2 - epsilon / mu) - mpmath.exp(epsilon) * mpmath.ncdf(-mu / 2 - epsilon / mu)


def true_gaussian_epsilon(mu_squared: mpmath.mpf, delta: mpmath.mpf) -> mpmath.mpf:
    """By Newton-free bisection with 50 digits; 0 when the curve starts below delta."""
    if closed_gaussian_delta(mu_squared, mpmath.mpf(0)) <= delta:
        return mpmath.mpf(0)
    return bisect(lambda epsilon: closed_gaussian_delta(mu_squared, epsilon) <= delta)


def true_zcdp_epsilon(rho: mpmath.mpf, delta: mpmath.mpf) -> mpmath.mpf:
    """The minimum over the order, by ternary search over ln(a - 1), clamped at 0; 0 by Pinsker's inequality."""
    if rho <= 2 * delta**2:
        return mpmath.mpf(0)

    def bound(t: mpmath.mpf) -> mpmath.mpf:
        a = 1 + mpmath.exp(t)
        return rho * a + mpmath.log1p(-1 / a) - (mpmath.log(delta) + mpmath.log(a)) / (a - 1)

    low, high = mpmath.mpf(-20), mpmath.mpf(60)
    for _ in range(160):
        third = (high - low) / 3
        if bound(low + third) < bound(high - third):
            high -= third
        else:
            low += third
    return max(mpmath.mpf(0), bound((low + high) / 2))


def bisect(holds: Callable[[mpmath.mpf], bool]) -> mpmath.mpf:
    low, high = mpmath.mpf(10) ** -12, mpmath.mpf(10) ** 6
    for _ in range(110):
        middle = mpmath.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


# --- delta of Gaussian DP -----------------------------------------------------------------------------------------


@pytest.mark.slow
@given(mu_squared=costs, epsilon=epsilons | st.just(Fraction(0)))
@settings(max_examples=100, deadline=None)
def test_gaussian_delta_is_tight_and_never_too_small(mu_squared: Fraction, epsilon: Fraction) -> None:
    upper = gaussian_dp_delta_upper(mu_squared, epsilon)
    with mpmath.workdps(600):
        truth = closed_gaussian_delta(real(mu_squared), real(epsilon))
        assert truth <= real(upper)
        assert real(upper) <= max(truth * (1 + RELATIVE), real(DELTA_FLOOR))


@pytest.mark.parametrize(
    ("mu_squared", "epsilon"), [(1, 1), (4, 10), (Fraction(1, 4), Fraction(1, 2)), (9, 0), (25, 30)]
)
def test_gaussian_delta_is_the_hockey_stick_divergence_of_two_normals(
    mu_squared: Fraction | int, epsilon: Fraction | int
) -> None:
    """From the definition, by quadrature: no closed form shared with the code."""
    upper = gaussian_dp_delta_upper(Fraction(mu_squared), Fraction(epsilon))
    with mpmath.workdps(30):
        truth = true_gaussian_delta(real(Fraction(mu_squared)), real(Fraction(epsilon)))
        assert abs(real(upper) / truth - 1) < RELATIVE


def test_gaussian_delta_at_its_edges() -> None:
    assert gaussian_dp_delta_upper(Fraction(0), Fraction(0)) == 0
    assert gaussian_dp_delta_upper(Fraction(1, 10**30), Fraction(10)) == DELTA_FLOOR
    assert gaussian_dp_delta_upper(Fraction(10**9), Fraction(1)) == 1
    tiny = gaussian_dp_delta_upper(Fraction(1, 10**30), Fraction(0))
    with mpmath.workdps(50):
        assert abs(real(tiny) / (2 * mpmath.ncdf(mpmath.mpf(10) ** -15 / 2) - 1) - 1) < RELATIVE


# --- epsilon ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-004")
@pytest.mark.parametrize(("unit", "true_epsilon"), [(MU, true_gaussian_epsilon), (RHO, true_zcdp_epsilon)])
@given(cost=costs, delta=deltas)
@settings(max_examples=40, deadline=None)
def test_epsilon_is_tight_and_never_too_small(
    unit: CostUnit, true_epsilon: Callable[..., mpmath.mpf], cost: Fraction, delta: Fraction
) -> None:
    upper = epsilon_upper(unit, cost, delta)
    with mpmath.workdps(50):
        truth = true_epsilon(real(cost), real(delta))
        assert truth <= real(upper) * (1 + mpmath.mpf(10) ** -25)
        assert real(upper) <= truth * (1 + RELATIVE)


@pytest.mark.slow
@given(cost=costs, delta=st.integers(1, 8).map(lambda n: Fraction(1, 10**n)))
@settings(max_examples=40, deadline=None)
def test_gaussian_epsilon_agrees_with_dp_accounting(cost: Fraction, delta: Fraction) -> None:
    ours = epsilon_upper(MU, cost, delta)
    theirs = get_epsilon_gaussian(float(cost) ** -0.5, float(delta), tol=1e-13)
    assert abs(float(ours) - theirs) <= RELATIVE * max(theirs, 1e-3)


@pytest.mark.slow
@given(cost=costs, delta=deltas)
@settings(max_examples=30, deadline=None)
def test_zcdp_epsilon_agrees_with_dp_accounting_at_a_fine_grid_of_orders(cost: Fraction, delta: Fraction) -> None:
    ours = float(epsilon_upper(RHO, cost, delta))
    orders = [1 + 1.002**n for n in range(-3000, 3500)]
    accountant = dp_accounting.rdp.RdpAccountant(orders)
    accountant.compose(dp_accounting.GaussianDpEvent(float(2 * cost) ** -0.5))
    theirs = accountant.get_epsilon(float(delta))
    assert ours <= theirs * (1 + RELATIVE) + 1e-12
    # Their grid of orders has steps of 0.2 %, which costs them a little, the more so where epsilon is almost 0. Their
    # shortcut to 0 is that of Bretagnolle and Huber: sqrt(1 - e^-KL), above sqrt(KL / 2) for small divergences.
    assert (ours == 0 and cost <= 2 * delta**2) or theirs <= ours * (1 + 1e-4) + 1e-7


@pytest.mark.parametrize("unit", [MU, RHO])
def test_epsilon_is_zero_exactly_when_the_cost_is_free_at_that_delta(unit: CostUnit) -> None:
    assert epsilon_upper(unit, Fraction(0), Fraction(1, 10**9)) == 0
    assert epsilon_upper(unit, Fraction(1, 10**6), Fraction(1, 2)) == 0
    assert epsilon_upper(unit, Fraction(1, 10**6), Fraction(1, 10**9)) > 0


# --- budget and calibration ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-004")
@given(epsilon=epsilons, delta=deltas)
@settings(max_examples=40, deadline=None)
def test_gaussian_budget_is_tight_and_never_too_large(epsilon: Fraction, delta: Fraction) -> None:
    lower = budget_lower(MU, epsilon, delta)
    with mpmath.workdps(50):
        truth = bisect(lambda cost: closed_gaussian_delta(cost, real(epsilon)) > real(delta))
        assert truth * (1 - RELATIVE) <= real(lower) <= truth * (1 + mpmath.mpf(10) ** -25)


@pytest.mark.req("CAPC-ACCT-004")
@pytest.mark.parametrize(
    ("epsilon", "exponent"), [(Fraction(10), 5), (Fraction(1), 6), (Fraction(1, 50), 3), (Fraction(40), 12)]
)
def test_zcdp_budget_is_tight_and_never_too_large(epsilon: Fraction, exponent: int) -> None:
    delta = Fraction(1, 10**exponent)
    lower = budget_lower(RHO, epsilon, delta)
    with mpmath.workdps(40):
        assert true_zcdp_epsilon(real(lower), real(delta)) <= real(epsilon)
        assert true_zcdp_epsilon(real(lower) * (1 + RELATIVE), real(delta)) > real(epsilon)


@pytest.mark.slow
@given(unit=units, epsilon=epsilons, delta=deltas)
@settings(max_examples=40, deadline=None)
def test_a_budget_converts_back_to_no_more_than_its_epsilon(unit: CostUnit, epsilon: Fraction, delta: Fraction) -> None:
    lower = budget_lower(unit, epsilon, delta)
    back = epsilon_upper(unit, lower, delta)
    # Both ends are certified on their own grids of 12 digits, so one step of epsilon's grid may separate them.
    assert back <= epsilon * (1 + Fraction(1, 10**10))
    assert back >= epsilon * (1 - Fraction(1, 10**6)) or back == 0


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-104", "CAPC-ACCT-115")
@given(
    cost=costs,
    epsilon=epsilons,
    delta=deltas,
    order=st.fractions(min_value=Fraction(17, 16), max_value=1000, max_denominator=64),
)
@example(Fraction(1, 1000), Fraction(83, 40), Fraction(1, 10**11), Fraction(415, 32))
@settings(max_examples=examples(ordinary=60, nightly=2000), deadline=None)
def test_a_renyi_cost_is_converted_at_its_order(
    cost: Fraction, epsilon: Fraction, delta: Fraction, order: Fraction
) -> None:
    """Both ways, against the formula with 50 digits: epsilon at most 1e-9 above, the budget at most 1e-9 below."""
    with mpmath.workdps(50):
        a, d = real(order), real(delta)
        term = mpmath.log1p(-1 / a) - (mpmath.log(d) + mpmath.log(a)) / (a - 1)
        truth = max(mpmath.mpf(0), real(cost) + term) if cost > 2 * delta**2 else mpmath.mpf(0)
        found = real(epsilon_upper(CostUnit.RENYI, cost, delta, order))
        assert truth <= found <= truth * (1 + mpmath.mpf(10) ** -9)
        left = real(epsilon) - term
        if left <= 0:
            with pytest.raises(InputError, match="nothing is left of it"):
                budget_lower(CostUnit.RENYI, epsilon, delta, order)
            return
        budget = budget_lower(CostUnit.RENYI, epsilon, delta, order)
        left = max(left, 2 * d**2)
        assert left * (1 - mpmath.mpf(10) ** -9) <= real(budget) <= left
    assert keeps(CostUnit.RENYI, budget, epsilon, delta, order)
    assert not keeps(CostUnit.RENYI, budget * (1 + Fraction(1, 10**9)), epsilon, delta, order)


@pytest.mark.slow
@given(epsilon=epsilons, delta=deltas)
@settings(max_examples=20, deadline=None)
def test_the_default_order_is_whole_and_leaves_most_queries(epsilon: Fraction, delta: Fraction) -> None:
    found = default_order(epsilon, delta)
    assert found.denominator == 1
    share = budget_lower(CostUnit.RENYI, epsilon, delta, found) / found
    whole = [order for order in ORDERS if order.denominator == 1]
    place = whole.index(found)
    for other in whole[max(place - 1, 0) : place + 2]:
        with suppress(InputError):
            assert budget_lower(CostUnit.RENYI, epsilon, delta, other) / other <= share


@pytest.mark.slow
@given(unit=units, cost=costs, more=st.fractions(min_value=Fraction(1, 1000), max_value=20), delta=deltas)
@settings(max_examples=40, deadline=None)
def test_more_queries_never_cost_less(unit: CostUnit, cost: Fraction, more: Fraction, delta: Fraction) -> None:
    assert epsilon_upper(unit, cost + more, delta) >= epsilon_upper(unit, cost, delta)


@pytest.mark.slow
@given(
    mechanism=st.sampled_from(list(NoiseName)),
    adjacency=st.sampled_from(list(Adjacency)),
    epsilon=st.fractions(min_value=Fraction(1, 4), max_value=20, max_denominator=100),
    delta=deltas,
    queries=st.integers(1, 200),
    ratio=st.none() | st.fractions(min_value=Fraction(1, 4), max_value=4, max_denominator=16),
)
@settings(max_examples=40, deadline=None)
def test_calibrated_sigma_is_the_smallest_on_its_grid(
    mechanism: NoiseName, adjacency: Adjacency, epsilon: Fraction, delta: Fraction, queries: int, ratio: Fraction | None
) -> None:
    """An account with that sigma affords the queries, and one with a sigma 1/64 smaller does not."""
    policy = replace(make_policy(mechanism, adjacency, Fraction(1), ratio), epsilon=epsilon, delta=delta)
    # At this order the conversion takes less than the smallest of these budgets.
    policy = replace(policy, renyi_order=None if policy.renyi_order is None else Fraction(200))
    sigma = calibrate_sigma(policy, 4, queries)
    assert (sigma * 64).denominator == 1

    def affordable(deviation: Fraction) -> int:
        moved = replace(policy, sigma=deviation, threshold_sigma=None if ratio is None else ratio * deviation)
        return Account(moved, 4, policy_budget(policy)).remaining_queries()

    assert affordable(sigma) >= queries
    if sigma > Fraction(1, 64):
        assert affordable(sigma - Fraction(1, 64)) < queries


@pytest.mark.parametrize(
    ("queries", "plain", "checked"),
    [
        (20, Fraction(203, 64), Fraction(287, 64)),
        (24, Fraction(111, 32), Fraction(157, 32)),
        (30, Fraction(31, 8), Fraction(351, 64)),
    ],
)
def test_sigma_for_the_main_job(queries: int, plain: Fraction, checked: Fraction) -> None:
    """epsilon 10, delta 1e-5, replace_one: without a threshold, and with threshold_sigma = sigma."""
    assert calibrate(queries, None) == plain
    assert calibrate(queries, Fraction(1)) == checked
    with mpmath.workdps(30):
        for sigma, votes in ((plain, 2), (checked, 4)):
            delta = closed_gaussian_delta(queries * votes / real(sigma) ** 2, mpmath.mpf(10))
            assert delta <= mpmath.mpf(10) ** -5


@pytest.mark.slow
@given(
    unit=units,
    exponents=st.tuples(st.integers(-12, 7), st.integers(-154, -1)),
    digit=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_extreme_arguments_end_with_a_figure(unit: CostUnit, exponents: tuple[int, int], digit: int) -> None:
    cost, delta = digit * Fraction(10) ** exponents[0], Fraction(10) ** exponents[1]
    assert epsilon_upper(unit, cost, delta) >= 0
    assert 0 < budget_lower(unit, min(cost, Fraction(10**6)), delta) <= 10**9


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_dp_delta_upper(Fraction(-1), Fraction(1)),
        lambda: gaussian_dp_delta_upper(Fraction(1), Fraction(-1)),
        lambda: epsilon_upper(MU, Fraction(-1), Fraction(1, 2)),
        lambda: epsilon_upper(MU, Fraction(1), Fraction(0)),
        lambda: epsilon_upper(RHO, Fraction(1), Fraction(1)),
        lambda: epsilon_upper(MU, Fraction(1), DELTA_FLOOR / 2),
        lambda: epsilon_upper(MU, Fraction(10**9 + 1), Fraction(1, 10)),
        lambda: epsilon_upper(RHO, Fraction(10**9 + 1), Fraction(1, 10)),
        lambda: epsilon_upper(RHO, Fraction(10**9), Fraction(1, 10)),
        lambda: gaussian_dp_delta_upper(Fraction(1), Fraction(10**9 + 1)),
        lambda: budget_lower(MU, Fraction(0), Fraction(1, 2)),
        lambda: budget_lower(RHO, Fraction(1), Fraction(2)),
        lambda: calibrate(0, None),
        lambda: calibrate(1, Fraction(0)),
        lambda: epsilon_upper(CostUnit.RENYI, Fraction(1), Fraction(1, 2)),
        lambda: epsilon_upper(CostUnit.RENYI, Fraction(1), Fraction(1, 2), Fraction(1)),
        lambda: epsilon_upper(RHO, Fraction(1), Fraction(1, 2), Fraction(2)),
        lambda: budget_lower(MU, Fraction(1), Fraction(1, 2), Fraction(2)),
        lambda: budget_lower(CostUnit.RENYI, Fraction(1), Fraction(1, 10**9), Fraction(2)),
    ],
)
def test_arguments_out_of_range_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        call()


def calibrate(queries: int, ratio: Fraction | None) -> Fraction:
    return calibrate_sigma(
        make_policy(NoiseName.ROUNDED_GAUSSIAN, Adjacency.REPLACE_ONE, Fraction(1), ratio), 4, queries
    )


# --- statements ---------------------------------------------------------------------------------------------------


def make_policy(
    mechanism: NoiseName,
    adjacency: Adjacency,
    sigma: Fraction,
    threshold_sigma: Fraction | None,
    charge: Charge = Charge.WORST_CASE,
) -> ReleasePolicy:
    return ReleasePolicy(
        mechanism=mechanism,
        sigma=sigma,
        threshold=None if threshold_sigma is None else Fraction(3),
        threshold_sigma=threshold_sigma,
        charge=charge,
        adjacency=adjacency,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**5),
        renyi_order=Fraction(4) if mechanism is NoiseName.SKELLAM else None,
    )


def account_with_one_withheld_label(mechanism: NoiseName, adjacency: Adjacency) -> Account:
    policy = make_policy(mechanism, adjacency, Fraction(4), Fraction(4), Charge.REALISED)
    account = Account(policy, 4, policy_budget(policy))
    receipt = account.reserve(bytes(32), 0, bytes(32))
    account.dispatch(receipt, b"circuits")
    account.settle(receipt, answered=False)
    return account


@pytest.mark.req("CAPC-ACCT-004", "CAPC-ACCT-005")
@pytest.mark.parametrize("mechanism", list(NoiseName))
@pytest.mark.parametrize("adjacency", list(Adjacency))
def test_every_statement_names_what_it_needs(mechanism: NoiseName, adjacency: Adjacency) -> None:
    account = account_with_one_withheld_label(mechanism, adjacency)
    method = {NoiseName.ROUNDED_GAUSSIAN: "Gaussian-DP", NoiseName.DISCRETE_GAUSSIAN: "zCDP"}.get(
        mechanism, "at order 4, fixed in advance"
    )
    for statement in (budget_statement(account), spent_statement(account)):
        text = str(statement)
        assert "\n" not in text
        for part in (
            adjacency.value,
            mechanism.value,
            method,
            "rounded up",
            f"delta = {decimal_text(statement.delta)} ",
        ):
            assert part in text
        added = " ".join(statement.hypotheses)
        assert "(1 + e^epsilon) eta" in added
        assert "computational" in added
        assert "statistical" in added
        assert statement.delta == account.policy.delta


@pytest.mark.req("CAPC-ACCT-005")
@pytest.mark.parametrize("mechanism", list(NoiseName))
def test_only_the_budget_is_a_guarantee(mechanism: NoiseName) -> None:
    account = account_with_one_withheld_label(mechanism, Adjacency.REPLACE_ONE)
    enforced, reading = budget_statement(account), spent_statement(account)
    assert enforced.guarantee
    assert enforced.epsilon <= account.policy.epsilon * (1 + Fraction(1, 10**10))
    assert NOT_A_GUARANTEE not in str(enforced)
    assert not reading.guarantee
    assert reading.epsilon == epsilon_upper(
        account.cost.unit, account.cost.check, account.policy.delta, account.policy.renyi_order
    )
    assert reading.epsilon < enforced.epsilon
    assert NOT_A_GUARANTEE in str(reading)


@pytest.mark.req("CAPC-ACCT-004", "CAPC-ACCT-116")
def test_no_figure_of_an_account_whose_claims_do_not_hold() -> None:
    policy = make_policy(NoiseName.ROUNDED_GAUSSIAN, Adjacency.REPLACE_ONE, Fraction(4), Fraction(4), Charge.WORST_CASE)
    joint = with_joint_cost(replace(policy, renyi_order=Fraction(3)))
    cheaper = replace(joint, joint_cost=Fraction(1, 10**6))
    good = policy_budget(policy)
    for account, message in (
        (Account(policy, 4, Fraction(100)), "it keeps no more than epsilon = .* and the policy promises 10"),
        (Account(policy, 4, good * (1 + Fraction(1, 10**6))), "the policy promises 10"),
        (Account(cheaper, 4, policy_budget(cheaper)), "joint_cost = "),
    ):
        for statement in (budget_statement, spent_statement):
            with pytest.raises(InputError, match=message):
                statement(account)
    for account in (Account(policy, 4, good), Account(joint, 4, policy_budget(joint))):
        assert budget_statement(account).guarantee


@pytest.mark.req("CAPC-ACCT-004")
@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**9))
def test_a_printed_figure_is_rounded_up(epsilon: Fraction) -> None:
    common: dict[str, Any] = {
        "adjacency": Adjacency.REPLACE_ONE,
        "method": "m",
        "mechanism": NoiseName.ROUNDED_GAUSSIAN,
        "guarantee": True,
        "hypotheses": (),
        "rounding": "r",
    }
    text = str(PrivacyStatement(epsilon=epsilon, delta=Fraction(1, 3), **common))
    printed = Fraction(text.split()[2])
    assert epsilon <= printed <= epsilon * (1 + Fraction(1, 10**5))
    assert "delta = 0.333334 " in text
