"""Faults of accounts that charge for labels: claims taken on trust, and releases of which more leaves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from capc.noise.sensitivity import Sensitivity
from capc.privacy import query_cost
from capc.privacy.account import Account
from capc.privacy.accountants import policies
from capc.privacy.accountants.argmax import fitting
from capc.privacy.accountants.argmax.cost import Adversary, argmax_cost_holds
from capc.privacy.accountants.argmax.noise_table import Noise
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.figures import statement
from capc.privacy.ledger import terms
from capc.privacy.query_cost import QueryCost
from capc.session import parameters
from capc.session.parameters import Accounting, ReleasePolicy
from capc_verify.faults.patching import replace_everywhere, replace_in


def label_costs_taken_on_trust() -> None:
    """Nobody checks that a label costs no more than a policy says."""

    def holds(noise: Noise, order: Fraction, unit: ProtectedUnit, claim: Fraction) -> bool:  # noqa: ARG001
        return True

    replace_in(policies, "argmax_cost_holds", holds)


def label_costs_on_the_bare_grid() -> None:
    """A label's cost is checked for noise on whole votes, as costs of counts are the same on every grid."""
    correct = policies._label

    def label(policy: ReleasePolicy, grid_bits: int) -> tuple[Noise, Fraction, ProtectedUnit]:  # noqa: ARG001
        return correct(policy, 0)

    replace_in(policies, "_label", label)


def more_than_a_label_at_a_labels_cost() -> None:
    """Votes on each label of a set are charged what one label costs."""
    correct = query_cost.query_cost

    def cost(policy: ReleasePolicy, grid_bits: int, answered: Sensitivity | None = None) -> QueryCost:
        labels = policy.method is not Accounting.GAUSSIAN_DP
        return correct(policy, grid_bits, None if labels else answered)

    replace_everywhere(correct, cost)


def labels_by_any_engine() -> None:
    """What may tell more than labels is given a policy that charges for labels."""

    def anything(policy: ReleasePolicy, by: str) -> None:
        pass

    replace_everywhere(parameters.require_counts, anything)


def labels_and_counts_in_one_policy() -> None:
    """A policy of labels may have a check with draws of its own, or give answers back."""

    def unchecked(self: ReleasePolicy) -> None:
        pass

    parameters.ReleasePolicy._check_argmax = unchecked  # type: ignore[method-assign]


def a_label_tells_a_cheat_no_more() -> None:
    """A querying party that adds to its shares is said to be kept to what holds against one that does not."""
    correct = statement._towards_each

    def towards(account: Account, cost: Fraction) -> dict[Adversary, Fraction]:
        return dict.fromkeys(Adversary, correct(account, cost)[Adversary.SEMI_HONEST])

    replace_in(statement, "_towards_each", towards)


def ledger_forgets_labels() -> None:
    """A ledger's terms are read without what a label costs: it is charged for its counts from then on."""
    correct = terms.Terms.from_document.__func__  # type: ignore[attr-defined]

    def from_document(cls: type[terms.Terms], document: dict[str, Any]) -> terms.Terms:
        read: terms.Terms = correct(cls, document)
        return replace(read, policy=replace(read.policy, argmax_cost=None))

    terms.Terms.from_document = classmethod(from_document)  # type: ignore[method-assign, assignment]


def claims_for_a_vote_that_is_nulled() -> None:
    """Noise is calibrated for labels as if a vote became zero, where it moves to another class."""

    def holds(noise: Noise, order: Fraction, unit: ProtectedUnit, claim: Fraction) -> bool:
        return argmax_cost_holds(noise, order, unit, 2 * claim)

    replace_in(fitting, "argmax_cost_holds", holds)
