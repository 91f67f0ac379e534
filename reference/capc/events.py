"""What can happen to a query, what each of these events costs, and the receipts and entries that record it (CAPC-ACCT).

Costs are exact rationals in the unit of the policy's mechanism. Nothing here adds them up:
:class:`capc.accounting.Account` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from capc.errors import InputError
from capc.noise.mechanism import CostUnit, release_mechanisms
from capc.parameters import Adjacency, ReleasePolicy

DIGEST_BYTES = 32
"""Length of a session tag and of a digest of inputs."""
CHECK_SQUARED_SENSITIVITY = Fraction(1)
"""The largest vote count moves by at most 1 vote under both adjacencies."""


def answer_squared_sensitivity(adjacency: Adjacency) -> Fraction:
    """D^2 of the vote histogram in votes^2.

    Under `replace_one` one vote moves from one class to another, which changes two counts by 1: D^2 = 2. Under
    `null_vote` one vote becomes zero: D^2 = 1. Both assume that a protected party has one vote per query.
    """
    return Fraction(2) if adjacency is Adjacency.REPLACE_ONE else Fraction(1)


@dataclass(frozen=True)
class QueryCost:
    """The cost of one query's parts.

    Attributes:
        check: of the threshold check; 0 without a threshold.
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


def query_cost(policy: ReleasePolicy, grid_bits: int) -> QueryCost:
    """What one query under this policy costs, asked of the mechanisms that sample its noise (CAPC-ACCT-003).

    Args:
        policy: names mechanism, deviations and adjacency.
        grid_bits: g.
    """
    mechanisms = release_mechanisms(policy, grid_bits)
    check = Fraction(0)
    if mechanisms.threshold is not None:
        check = mechanisms.threshold.cost(CHECK_SQUARED_SENSITIVITY)
    answer = mechanisms.answer.cost(answer_squared_sensitivity(policy.adjacency))
    return QueryCost(check, answer, mechanisms.answer.unit)


class EventKind(StrEnum):
    """What can happen to a query. Nothing else is charged or given back."""

    THRESHOLD_CHECK = "threshold_check"
    """The largest count was, or is about to be, compared with the threshold."""
    ANSWER_RESERVED = "answer_reserved"
    """A label may leave from now on. It counts as released until a settlement says otherwise."""
    LABEL_RELEASED = "label_released"
    """A settlement: the querying party got a label."""
    LABEL_WITHHELD = "label_withheld"
    """A settlement: the check failed and no label was released."""


@dataclass(frozen=True)
class Event:
    """One thing that happened, without its cost.

    Attributes:
        kind: what happened.
        session_tag: the 32 bytes of the session.
        query: the number of the query in its session.
    """

    kind: EventKind
    session_tag: bytes
    query: int


def event_cost(kind: EventKind, cost: QueryCost) -> Fraction:
    """What an event adds to the sum of costs; a withheld label takes back what its reservation added.

    Raises:
        InputError: the kind is unknown.
    """
    if kind == EventKind.THRESHOLD_CHECK:
        return cost.check
    if kind == EventKind.ANSWER_RESERVED:
        return cost.answer
    if kind == EventKind.LABEL_RELEASED:
        return Fraction(0)
    if kind == EventKind.LABEL_WITHHELD:
        return -cost.answer
    raise InputError(f"event kind {kind!r} is unknown: the account cannot tell what it costs")


@dataclass(frozen=True)
class Receipt:
    """Proof that one query was charged: whoever draws its noise shows it (CAPC-ACCT-006).

    Attributes:
        session_tag: the session, 32 bytes.
        query: the number of the query in its session.
        inputs_digest: 32 bytes that bind the charge to what the noise is added to. Other inputs need another
            charge and fresh noise.
        reserved: the cost that was reserved.
        unit: its unit.
    """

    session_tag: bytes
    query: int
    inputs_digest: bytes
    reserved: Fraction
    unit: CostUnit


@dataclass(frozen=True)
class Reserved:
    """An entry: one query was charged in full."""

    receipt: Receipt


@dataclass(frozen=True)
class Dispatched:
    """An entry: the one message that may carry this query's noise.

    Attributes:
        receipt: of the query.
        message_digest: SHA-256 of the message.
    """

    receipt: Receipt
    message_digest: bytes


@dataclass(frozen=True)
class Settled:
    """An entry: whether a label was released, in realised mode."""

    receipt: Receipt
    answered: bool


Entry = Reserved | Dispatched | Settled
"""What one call writes down."""
