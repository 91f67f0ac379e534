"""What a query costs an account: exact rationals in the unit of its policy.

:class:`capc.privacy.account.Account` adds up.

Spec: CAPC-ACCT-003, CAPC-ACCT-101, CAPC-ACCT-115, CAPC-ACCT-130, CAPC-ACCT-119, CAPC-ACCT-120.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, Mechanism, release_mechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.events import EventKind
from capc.session.parameters import Accounting, Adjacency, ReleasePolicy


def answer_sensitivity(adjacency: Adjacency) -> Sensitivity:
    """Of the vote histogram, where a protected party has one vote per query; a check compares counts of it, too.

    Under `replace_one` one vote moves from one class to another, which changes two counts by 1: D^2 = 2. Under
    `null_vote` one vote becomes zero: D^2 = 1.
    """
    return Sensitivity(Fraction(1), Fraction(1), 1).times(2 if adjacency is Adjacency.REPLACE_ONE else 1)


@dataclass(frozen=True)
class QueryCost:
    """The cost of one query's parts.

    Attributes:
        check: of a check with draws of its own; 0 without one, and where the answer's cost is that of both.
        answer: of the label.
        unit: the unit of both.
    """

    check: Fraction
    answer: Fraction
    unit: CostUnit

    @property
    def worst_case(self) -> Fraction:
        """Check and answer: what is reserved before a query."""
        return self.check + self.answer


def query_cost(policy: ReleasePolicy, grid_bits: int, answered: Sensitivity | None = None) -> QueryCost:
    """What one query under this policy costs, asked of the mechanisms that sample its noise (CAPC-ACCT-003).

    Args:
        policy: names mechanism, deviations, adjacency, and the Renyi order or joint cost where there is one.
        grid_bits: g.
        answered: of what noise is added to; None where it is the vote histogram.

    Raises:
        InputError: the policy charges for a label, and what is answered is more.
    """
    if policy.method is not Accounting.GAUSSIAN_DP:
        if answered is not None:
            raise InputError(
                f"{policy.method.value}: it charges for one label of a vote histogram, and more leaves here: charge "
                f"{Accounting.GAUSSIAN_DP.value}"
            )
        if policy.argmax_cost is not None:
            return QueryCost(Fraction(0), policy.argmax_cost, CostUnit.RENYI)
        return QueryCost(Fraction(0), Fraction(1), CostUnit.QUERIES)
    if policy.joint_cost is not None:
        return QueryCost(Fraction(0), policy.joint_cost, CostUnit.RENYI)
    mechanisms = release_mechanisms(policy, grid_bits)

    def cost(mechanism: Mechanism, sensitivity: Sensitivity) -> Fraction:
        if policy.renyi_order is None:
            return mechanism.cost(sensitivity.squared)
        return mechanism.rdp_cost(policy.renyi_order, sensitivity)

    histogram = answer_sensitivity(policy.adjacency)
    check = Fraction(0) if mechanisms.threshold is None else cost(mechanisms.threshold, histogram)
    # With a single draw label and answered bit are a function of one noised histogram, which is charged as that.
    answer = cost(mechanisms.answer, answered or histogram)
    return QueryCost(check, answer, mechanisms.answer.unit if policy.renyi_order is None else CostUnit.RENYI)


def event_cost(kind: EventKind, cost: QueryCost) -> Fraction:
    """What an event adds to the sum of costs; a withheld label takes back what its reservation added.

    Raises:
        InputError: the kind is not one that happens to a query of an account.
    """
    costs = {
        EventKind.THRESHOLD_CHECK: cost.check,
        EventKind.ANSWER_RESERVED: cost.answer,
        EventKind.CONFIDENT_STEP: cost.worst_case,
        EventKind.LABEL_RELEASED: Fraction(0),
        EventKind.LABEL_WITHHELD: -cost.answer,
    }
    if kind not in costs:
        raise InputError(f"event kind {kind!r} is unknown: the account cannot tell what it costs")
    return costs[kind]
