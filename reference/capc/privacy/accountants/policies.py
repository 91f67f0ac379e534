"""What a release policy claims, certified: its budget, its joint cost, and the noise that fits a budget.

An account only adds rationals. Two of them are claims that need certified arithmetic: that the budget keeps the
policy's epsilon and delta, and that the joint cost is one. They are checked wherever an account is opened.

Spec: CAPC-ACCT-115, CAPC-ACCT-116, CAPC-LEDG-014.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, release_mechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.ball_arithmetic import decimal_text, require, shown, smallest_sigma
from capc.privacy.accountants.confident_gnmax import joint_cost_holds, joint_renyi_upper
from capc.privacy.accountants.conversion import budget_lower, epsilon_upper, keeps
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.query_cost import answer_sensitivity, query_cost
from capc.session.parameters import ReleasePolicy


def policy_budget(policy: ReleasePolicy) -> Fraction:
    """The largest budget, rounded down, that keeps the policy's epsilon and delta, in the unit of its costs.

    Raises:
        InputError: epsilon or delta is out of range, or leaves nothing at the policy's Renyi order.
    """
    unit = query_cost(policy, 0).unit
    return budget_lower(unit, policy.epsilon, policy.delta, policy.renyi_order)


@lru_cache(maxsize=256)
def certify(policy: ReleasePolicy, budget: Fraction) -> None:
    """Checks the claims of an account's terms.

    Raises:
        InputError: the budget is not certified to keep epsilon and delta, or the joint cost is below its bound.
    """
    unit = query_cost(policy, 0).unit
    if not keeps(unit, budget, policy.epsilon, policy.delta, policy.renyi_order):
        kept = epsilon_upper(unit, budget, policy.delta, policy.renyi_order)
        raise InputError(
            f"budget = {shown(budget)} ({unit.value}): it keeps no more than epsilon = {decimal_text(kept)} at delta = "
            f"{shown(policy.delta)}, and the policy promises {shown(policy.epsilon)}: take the budget "
            "that policy_budget gives"
        )
    if policy.joint_cost is not None and not joint_cost_holds(*_joint_arguments(policy), policy.joint_cost):
        raise InputError(
            f"joint_cost = {shown(policy.joint_cost)}: a check and its answer can cost up to "
            f"{decimal_text(joint_cost(policy))} at order {shown(policy.renyi_order)}: take the cost that "
            "with_joint_cost gives"
        )


@lru_cache(maxsize=256)
def joint_cost(policy: ReleasePolicy) -> Fraction:
    """A certified bound of what a check and its answer cost together at the policy's Renyi order.

    Raises:
        InputError: there is no threshold, no order, or no rounded Gaussian noise.
    """
    return joint_renyi_upper(*_joint_arguments(policy))


def _joint_arguments(policy: ReleasePolicy) -> tuple[Fraction, Fraction, Fraction]:
    """Order, mu^2 of the check, and the answer's cost at the order."""
    order, mechanisms = policy.renyi_order, release_mechanisms(policy, 0)
    if order is None or mechanisms.threshold is None:
        raise InputError("a joint cost needs a threshold with two_draws and a Renyi order: give both")
    moved = answer_sensitivity(policy.adjacency)
    return order, mechanisms.threshold.cost(moved.squared), mechanisms.answer.rdp_cost(order, moved)


def with_joint_cost(policy: ReleasePolicy) -> ReleasePolicy:
    """The policy that charges check and answer as one step.

    Raises:
        ParameterError: the policy's noise or charging does not allow it.
        InputError: as :func:`joint_cost`.
    """
    return replace(policy, joint_cost=joint_cost(policy))


def default_order(epsilon: Fraction, delta: Fraction) -> Fraction:
    """A Renyi order that suits a budget: where most queries fit, as costs grow about like the order.

    It depends on public figures only, so it may be fixed in advance.

    Raises:
        InputError: epsilon or delta is out of range, or no order of the grid leaves anything.
    """
    # Whole numbers: the bound of Skellam noise is for these.
    found: dict[Fraction, Fraction] = {}
    for order in (order for order in ORDERS if order.denominator == 1):
        # An order whose conversion alone is above epsilon leaves nothing.
        with suppress(InputError):
            found[order] = budget_lower(CostUnit.RENYI, epsilon, delta, order) / order
    require(bool(found), "epsilon", epsilon, "no Renyi order leaves anything of it: give a larger budget")
    return max(found, key=lambda order: found[order])


def calibrate_sigma(
    policy: ReleasePolicy, grid_bits: int, queries: int, answered: Sensitivity | None = None
) -> Fraction:
    """The smallest deviation, on a grid of 1/64 votes, for which that many queries fit the budget at their full cost.

    Args:
        policy: its sigma is what is asked for; the threshold's deviation keeps its proportion to it, and a joint cost
            is computed anew.
        grid_bits: g.
        queries: how many must fit, at least 1.
        answered: as of :func:`query_cost`.

    Raises:
        InputError: an argument is out of range, or no deviation up to 2^20 votes is enough.
    """
    require(queries >= 1, "queries", queries, "give at least 1")
    budget = policy_budget(policy)

    def fits(sigma: Fraction) -> bool:
        return queries * query_cost(with_sigma(policy, sigma), grid_bits, answered).worst_case <= budget

    return smallest_sigma(fits, policy.epsilon)


def with_sigma(policy: ReleasePolicy, sigma: Fraction) -> ReleasePolicy:
    """The policy with another deviation; the threshold's keeps its proportion to it, and a joint cost follows."""
    check = None if policy.threshold_sigma is None else policy.threshold_sigma * sigma / policy.sigma
    moved = replace(policy, sigma=sigma, threshold_sigma=check, joint_cost=None)
    return moved if policy.joint_cost is None else with_joint_cost(moved)
