"""The grid of Renyi orders between 10 and 64, and divergences that delta alone covers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants import rdp
from capc.privacy.accountants.conversion import (
    budget_lower,
    delta_covers,
    epsilon_upper,
    gaussian_dp_delta_upper,
    improved_conversion,
    keeps,
)
from capc.privacy.accountants.pld import PrivacyLossDistribution
from capc.privacy.accountants.rdp import ORDERS, classic_conversion, rdp_epsilon
from capc.privacy.accountants.steps import JointStep, Step
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.methods import Method, statement_for

ONE = Sensitivity(Fraction(1), Fraction(1), 1)
TWO = Sensitivity(Fraction(2), Fraction(2), 2)
DELTA = Fraction(1, 10**6)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-104")
@pytest.mark.parametrize("conversion", [improved_conversion, classic_conversion])
def test_every_half_of_an_order_from_10_to_64_lowers_a_figure(
    monkeypatch: pytest.MonkeyPatch, conversion: rdp.Conversion
) -> None:
    halves = [order for order in ORDERS if order > 10 and order.denominator == 2]
    assert halves == [Fraction(n, 2) for n in range(21, 128, 2)]
    whole = tuple(order for order in ORDERS if order not in halves)
    for half in halves:
        # Of cost a rho, where the conversion's derivative vanishes at this order.
        nats = log(10**6) - (log(half) if conversion is improved_conversion else 0)
        rho = Fraction(nats) / (half - 1) ** 2
        steps = {Step(RoundedGaussian(Fraction(1000), 0), Sensitivity(2 * 10**6 * rho, Fraction(1), 1)): 1}
        found = rdp_epsilon(steps, DELTA, conversion)
        with monkeypatch.context() as patch:
            patch.setattr(rdp, "ORDERS", whole)
            coarse = rdp_epsilon(steps, DELTA, conversion)
        assert found.order == half
        assert found.epsilon < coarse.epsilon


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-104", "CAPC-ACCT-108")
@pytest.mark.parametrize(("sigma", "count"), [(40, 100), (30, 20), (25, 40)])
def test_a_joint_figure_is_no_worse_on_the_finer_grid(monkeypatch: pytest.MonkeyPatch, sigma: int, count: int) -> None:
    """Its bounds are not smooth: a search over neighbouring halves could end early."""
    noise = RoundedGaussian(Fraction(sigma), 0)
    steps = {JointStep(Step(noise, TWO), Step(noise, TWO)): count}
    found = rdp_epsilon(steps, DELTA, improved_conversion)
    monkeypatch.setattr(rdp, "ORDERS", tuple(order for order in ORDERS if order <= 10 or order.denominator == 1))
    coarse = rdp_epsilon(steps, DELTA, improved_conversion)
    assert found.epsilon <= coarse.epsilon
    assert 10 < found.order < 64


# --- what delta covers --------------------------------------------------------------------------------------------

deltas = st.integers(1, 12).map(lambda n: Fraction(1, 10**n)) | st.just(Fraction(9, 10))


@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-004")
@given(delta=deltas, part=st.fractions(min_value=Fraction(1, 100), max_value=1))
def test_what_delta_covers_has_no_larger_distance(delta: Fraction, part: Fraction) -> None:
    """The exact distance of two Gaussians with that divergence."""
    rho = 2 * delta**2 * part
    assert delta_covers(rho, delta)
    assert gaussian_dp_delta_upper(2 * rho, Fraction(0)) <= delta
    assert epsilon_upper(CostUnit.RHO, rho, delta) == 0
    assert epsilon_upper(CostUnit.RENYI, rho, delta, Fraction(4)) == 0
    assert keeps(CostUnit.RENYI, rho, Fraction(0), delta, Fraction(4))
    assert not delta_covers(2 * delta**2 * (1 + Fraction(1, 10**9)), delta)


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize("sigma", [Fraction(8), Fraction(20), Fraction(80)])
def test_what_delta_covers_of_integer_noise_has_no_larger_distance(sigma: Fraction) -> None:
    steps = {Step(DiscreteGaussian(sigma, 0), ONE): 1}
    delta = 1 / (2 * sigma) * (1 + Fraction(1, 10**6))
    assert delta_covers(1 / (2 * sigma**2), delta)
    assert PrivacyLossDistribution(steps, delta).delta_upper(Fraction(0)) <= delta


@pytest.mark.parametrize("unit", [CostUnit.RHO, CostUnit.RENYI])
@pytest.mark.parametrize("delta", [Fraction(1, 10), Fraction(1, 10**5)])
def test_beyond_what_delta_covers_the_conversion_holds(unit: CostUnit, delta: Fraction) -> None:
    order = Fraction(2) if unit is CostUnit.RENYI else None
    edge = 2 * delta**2
    assert epsilon_upper(unit, edge, delta, order) == 0
    assert epsilon_upper(unit, edge * (1 + Fraction(1, 10**6)), delta, order) > 0
    # More cost never has a smaller figure, and a budget is no less than what is covered.
    assert budget_lower(CostUnit.RHO, Fraction(1, 10**9), delta) >= edge


@pytest.mark.parametrize("method", [Method.RENYI_IMPROVED, Method.RENYI_CLASSIC, Method.ZCDP])
def test_a_covered_divergence_has_no_epsilon_by_any_method_and_says_why(method: Method) -> None:
    unit = ProtectedUnit(Relation.REPLACE_ONE)
    sigma = Fraction(10**5)
    steps = {Step(RoundedGaussian(sigma, 0), unit.histogram): 1}
    delta = Fraction(8, 10**6)
    statement = statement_for(steps, unit, delta, method)
    assert statement.epsilon == 0
    assert method is Method.ZCDP or "Pinsker" in statement.method
    louder = {Step(replace(RoundedGaussian(sigma, 0), sigma_votes=sigma / 2), unit.histogram): 1}
    assert statement_for(louder, unit, delta, method).epsilon > 0


@pytest.mark.req("CAPC-ACCT-104")
@pytest.mark.parametrize("conversion", [improved_conversion, classic_conversion])
def test_the_last_order_is_an_edge_as_the_first_is(conversion: rdp.Conversion) -> None:
    quiet = {Step(RoundedGaussian(Fraction(10**6), 4), TWO): 1}
    found = rdp_epsilon(quiet, Fraction(1, 10**9), conversion)
    assert found.order == ORDERS[-1]
    assert found.epsilon > 0
    assert found.at_edge


@pytest.mark.req("CAPC-ACCT-104")
@pytest.mark.parametrize("conversion", [improved_conversion, classic_conversion])
def test_an_order_between_the_ends_is_no_edge(conversion: rdp.Conversion) -> None:
    found = rdp_epsilon({Step(RoundedGaussian(Fraction(4), 4), TWO): 1}, DELTA, conversion)
    assert ORDERS[0] < found.order < ORDERS[-1]
    assert not found.at_edge
