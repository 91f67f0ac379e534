"""What a release policy claims, certified: its budget, its costs, and the noise that fits a budget.

An account only adds rationals. Some of them are claims that need certified arithmetic: that the budget keeps the
policy's epsilon and delta, that the joint cost is one, and that a label costs no more than is said. They are checked
wherever an account is opened.

Spec: CAPC-ACCT-115, CAPC-ACCT-116, CAPC-ACCT-130 to CAPC-ACCT-132, CAPC-LEDG-014.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, RoundedGaussian, release_mechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.argmax.composition import (
    composition_epsilon,
    composition_holds,
    composition_queries,
    kept_by_user,
    smallest_composed_sigma,
)
from capc.privacy.accountants.argmax.cost import Adversary, argmax_cost, argmax_cost_holds
from capc.privacy.accountants.argmax.fitting import (
    fitting_labels,
    share_of_budget,
    smallest_label_sigma,
)
from capc.privacy.accountants.argmax.noise_table import Noise
from capc.privacy.accountants.ball_arithmetic import decimal_text, require, shown, smallest_sigma
from capc.privacy.accountants.confident_gnmax import joint_cost_holds, joint_renyi_upper
from capc.privacy.accountants.conversion import budget_lower, epsilon_upper, keeps
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.query_cost import answer_sensitivity, query_cost
from capc.session.parameters import Accounting, NoiseName, ReleasePolicy
from capc.session.session import MAX_QUERIES


def policy_budget(policy: ReleasePolicy) -> Fraction:
    """The largest budget, rounded down, that keeps the policy's epsilon and delta, in the unit of its costs.

    Raises:
        InputError: epsilon or delta is out of range, or leaves nothing at the policy's Renyi order.
    """
    if policy.argmax_queries is not None:
        return Fraction(policy.argmax_queries)
    unit = query_cost(policy, 0).unit
    return budget_lower(unit, policy.epsilon, policy.delta_of_noise, policy.renyi_order)


def policy_epsilon(policy: ReleasePolicy, grid_bits: int, cost: Fraction) -> Fraction:
    """The epsilon, rounded up, that so much cost is certified to keep at the policy's delta.

    Labels that are counted keep the policy's epsilon as long as they are no more than it says, and what their noised
    counts keep.

    Args:
        policy: whose claims hold (:func:`certify`).
        grid_bits: g.
        cost: in the unit of its costs.

    Raises:
        InputError: an argument is out of range.
    """
    if policy.argmax_queries is None:
        return epsilon_upper(query_cost(policy, grid_bits).unit, cost, policy.delta_of_noise, policy.renyi_order)
    counts = counts_epsilon(policy, grid_bits, cost)
    return min(policy.epsilon, counts) if cost <= policy.argmax_queries else counts


def counts_epsilon(policy: ReleasePolicy, grid_bits: int, queries: Fraction) -> Fraction:
    """The epsilon, rounded up, of so many queries that are charged for all of their noised counts.

    It holds whatever is made of the counts.

    Args:
        policy: which charges for labels.
        grid_bits: g.
        queries: how many.

    Raises:
        InputError: an argument is out of range, or no order suits Skellam noise.
    """
    order = None
    if policy.mechanism is NoiseName.SKELLAM:
        order = policy.renyi_order or default_order(policy.epsilon, policy.delta)
    counts = replace(policy, argmax_cost=None, argmax_queries=None, renyi_order=order)
    cost = query_cost(counts, grid_bits)
    return epsilon_upper(cost.unit, queries * cost.worst_case, policy.delta, order)


@lru_cache(maxsize=256)
def cheated_epsilon(policy: ReleasePolicy, grid_bits: int, queries: int) -> Fraction:
    """The epsilon, rounded up, of so many labels towards a querying party that adds to its shares of the votes.

    The smaller of two bounds, both fixed before the first query: what all noised counts keep, and what labels cost
    against offsets: each at the policy's order, or all that the policy speaks of together.

    Args:
        policy: which charges for labels.
        grid_bits: g.
        queries: how many.

    Raises:
        InputError: an argument is out of range, or no order suits Skellam noise.
    """
    counts = counts_epsilon(policy, grid_bits, Fraction(queries))
    if policy.argmax_queries is not None:
        return min(counts, _cheated_together(policy, grid_bits)) if queries <= policy.argmax_queries else counts
    if policy.renyi_order is None or not queries:
        return counts
    cost = queries * argmax_cost(*_label(policy, grid_bits), Adversary.CHEATING)
    return min(counts, epsilon_upper(CostUnit.RENYI, cost, policy.delta, policy.renyi_order))


def _cheated_together(policy: ReleasePolicy, grid_bits: int) -> Fraction:
    """Of all labels of a policy that counts them."""
    noise, unit = _drawn(policy, grid_bits)
    most = Fraction(policy.argmax_queries or 0)
    if not isinstance(noise, RoundedGaussian):
        return counts_epsilon(policy, grid_bits, most)
    return composition_epsilon(noise, unit, int(most), policy.delta, kept_by_user(), Adversary.CHEATING)


@lru_cache(maxsize=256)
def certify(policy: ReleasePolicy, grid_bits: int, budget: Fraction) -> None:
    """Checks the claims of an account's terms.

    Raises:
        InputError: the budget is not certified to keep epsilon and delta, or the joint cost, or a label's, is below its
            bound.
    """
    if policy.argmax_queries is not None:
        _certify_composition(policy, policy.argmax_queries, grid_bits, budget)
        return
    unit = query_cost(policy, grid_bits).unit
    if not keeps(unit, budget, policy.epsilon, policy.delta_of_noise, policy.renyi_order):
        kept = epsilon_upper(unit, budget, policy.delta_of_noise, policy.renyi_order)
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
    if policy.argmax_cost is not None and not argmax_cost_holds(*_label(policy, grid_bits), policy.argmax_cost):
        raise InputError(
            f"argmax_cost = {shown(policy.argmax_cost)}: a label is not certified to cost no more at order "
            f"{shown(policy.renyi_order)}: take the cost that with_argmax_cost gives"
        )


def _certify_composition(policy: ReleasePolicy, queries: int, grid_bits: int, budget: Fraction) -> None:
    if budget > queries:
        raise InputError(
            f"budget = {shown(budget)} (queries): the policy speaks of {queries}: take the budget that policy_budget "
            "gives"
        )
    if not _composition_holds(policy, queries, grid_bits):
        raise InputError(
            f"argmax_queries = {queries}: so many labels are not certified to keep epsilon = {shown(policy.epsilon)} "
            f"at delta = {shown(policy.delta)}: take the number that with_argmax_queries gives"
        )


def _composition_holds(policy: ReleasePolicy, queries: int, grid_bits: int) -> bool:
    noise, unit = _drawn(policy, grid_bits)
    return composition_holds(noise, unit, queries, policy.epsilon, policy.delta_of_noise, kept_by_user())


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


def with_argmax_cost(policy: ReleasePolicy, grid_bits: int) -> ReleasePolicy:
    """The policy that charges for a label at its Renyi order, and for nothing else of the noised counts.

    Raises:
        ParameterError: the policy's charging or threshold does not allow it.
        InputError: there is no order, or it, the noise or the grid cannot be used.
    """
    return replace(policy, argmax_cost=argmax_cost(*_label(policy, grid_bits)))


def with_argmax_queries(policy: ReleasePolicy, grid_bits: int) -> ReleasePolicy:
    """The policy that counts labels, as many as are certified to keep its budget together.

    Raises:
        ParameterError: the policy's charging or threshold does not allow it.
        InputError: not even one label keeps the budget, or the noise or the grid cannot be used.
    """
    found = composition_queries(*_drawn(policy, grid_bits), policy.epsilon, policy.delta_of_noise, kept_by_user())
    require(found > 0, "sigma", policy.sigma, "not even one label keeps the budget: choose more noise")
    return replace(policy, argmax_queries=found)


def one_by_one(policy: ReleasePolicy) -> ReleasePolicy:
    """The policy, with a cost for each label where it counts them: for plans, which ask about many deviations.

    What fits one by one also fits a composition.
    """
    if policy.argmax_queries is None:
        return policy
    order = default_order(policy.epsilon, policy.delta, whole=False)
    return replace(policy, argmax_queries=None, argmax_cost=Fraction(1), renyi_order=order)


def _label(policy: ReleasePolicy, grid_bits: int) -> tuple[Noise, Fraction, ProtectedUnit]:
    """Noise, order, and whom the figure protects."""
    order, (noise, unit) = policy.renyi_order, _drawn(policy, grid_bits)
    if order is None:
        raise InputError("a label is charged at a Renyi order: give one above 1")
    return noise, order, unit


def _drawn(policy: ReleasePolicy, grid_bits: int) -> tuple[Noise, ProtectedUnit]:
    """Noise, and whom the figure protects."""
    noise = release_mechanisms(policy, grid_bits).answer
    if not isinstance(noise, Noise):
        raise InputError(f"noise {noise.name.value}: nothing is known of what a label under it costs")
    return noise, ProtectedUnit(Relation(policy.adjacency.value))


def default_order(epsilon: Fraction, delta: Fraction, *, whole: bool = True) -> Fraction:
    """A Renyi order that suits a budget: where most queries fit, as costs grow about like the order.

    It depends on public figures only, so it may be fixed in advance.

    Args:
        epsilon: of the budget.
        delta: of the budget.
        whole: whether only whole orders are taken, for which alone the bound of Skellam's noised counts is.

    Raises:
        InputError: epsilon or delta is out of range, or no order of the grid leaves anything.
    """
    found: dict[Fraction, Fraction] = {}
    for order in (order for order in ORDERS if order.denominator == 1 or not whole):
        # An order whose conversion alone is above epsilon leaves nothing.
        with suppress(InputError):
            found[order] = budget_lower(CostUnit.RENYI, epsilon, delta, order) / order
    require(bool(found), "epsilon", epsilon, "no Renyi order leaves anything of it: give a larger budget")
    return max(found, key=lambda order: found[order])


def calibrated(
    policy: ReleasePolicy, grid_bits: int, queries: int, answered: Sensitivity | None = None
) -> ReleasePolicy:
    """The policy with the deviation of :func:`calibrate_sigma`, and with the costs that it has there.

    A label's cost is its share of the budget: what was certified while the deviation was searched for.

    Args and Raises: as of :func:`calibrate_sigma`.
    """
    sigma = calibrate_sigma(policy, grid_bits, queries, answered)
    if policy.method is Accounting.ARGMAX_RENYI:
        return replace(policy, sigma=sigma, argmax_cost=share_of_budget(policy_budget(policy), queries))
    if policy.method is Accounting.ARGMAX_COMPOSITION:
        return replace(policy, sigma=sigma, argmax_queries=queries)
    return with_sigma(policy, sigma, grid_bits)


def calibrate_sigma(
    policy: ReleasePolicy, grid_bits: int, queries: int, answered: Sensitivity | None = None
) -> Fraction:
    """The smallest deviation, on a grid of 1/64 votes, for which that many queries fit the budget at their full cost.

    Args:
        policy: its sigma is what is asked for; the threshold's deviation keeps its proportion to it, and a joint cost,
            or a label's, is that of the deviation.
        grid_bits: g.
        queries: how many must fit, at least 1.
        answered: as of :func:`query_cost`.

    Raises:
        InputError: an argument is out of range, or no deviation up to 2^20 votes is enough.
    """
    require(queries >= 1, "queries", queries, "give at least 1")
    if policy.method is not Accounting.GAUSSIAN_DP:
        # Refuses an answer that is more than a label.
        query_cost(policy, grid_bits, answered)
        return _sigma_of_labels(policy, grid_bits, queries)
    budget = policy_budget(policy)

    def fits(sigma: Fraction) -> bool:
        return queries * query_cost(with_sigma(policy, sigma, grid_bits), grid_bits, answered).worst_case <= budget

    return smallest_sigma(fits, policy.epsilon)


def _sigma_of_labels(policy: ReleasePolicy, grid_bits: int, queries: int) -> Fraction:
    def noise(sigma: Fraction) -> Noise:
        return _drawn(replace(policy, sigma=sigma), grid_bits)[0]

    if policy.argmax_queries is not None:
        budget = policy.epsilon, policy.delta_of_noise
        return smallest_composed_sigma(noise, _drawn(policy, grid_bits)[1], queries, budget, kept_by_user())
    _, order, unit = _label(policy, grid_bits)
    claim = share_of_budget(policy_budget(policy), queries)
    return smallest_label_sigma(noise, order, unit, claim, policy.epsilon)


def fitting_queries(policy: ReleasePolicy, grid_bits: int, answered: Sensitivity | None = None) -> int:
    """How many queries fit the policy's budget at their full cost.

    Args and Raises: as of :func:`query_cost` and :func:`policy_budget`.
    """
    return policy_budget(policy) // query_cost(policy, grid_bits, answered).worst_case


def fitting_queries_at(
    policy: ReleasePolicy, sigma: Fraction, grid_bits: int, answered: Sensitivity | None = None
) -> int:
    """As :func:`fitting_queries`, with another deviation in the place of the policy's."""
    policy = one_by_one(policy)
    if policy.argmax_cost is None:
        return fitting_queries(with_sigma(policy, sigma, grid_bits), grid_bits, answered)
    noise, order, unit = _label(replace(policy, sigma=sigma), grid_bits)
    return fitting_labels(noise, sigma, order, unit, policy_budget(policy), MAX_QUERIES)


def with_sigma(policy: ReleasePolicy, sigma: Fraction, grid_bits: int) -> ReleasePolicy:
    """The policy with another deviation.

    The threshold's keeps its proportion to it; a joint cost, or a label's, follows.
    """
    check = None if policy.threshold_sigma is None else policy.threshold_sigma * sigma / policy.sigma
    if policy.argmax_cost is not None:
        return with_argmax_cost(replace(policy, sigma=sigma), grid_bits)
    moved = replace(policy, sigma=sigma, threshold_sigma=check, joint_cost=None)
    return moved if policy.joint_cost is None else with_joint_cost(moved)
