"""The privacy account: exact charges, reserved in full before anything leaves the privacy guardian (CAPC-ACCT).

What happened (an :class:`Event`) is kept apart from what it costs (:func:`event_cost`). Costs are exact rationals
in one unit, mu^2 for the rounded Gaussian or rho for the discrete Gaussian, and are only ever added and compared.

The guarantee is the enforced budget. The account is a privacy filter: it admits a mechanism only if the sum of all
costs, this one included, stays within a budget that was fixed before the first query. Mechanisms and their costs may
be chosen in any way that depends on earlier releases, and several sessions may interleave: each release is one
non-interactive mechanism in an adaptive sequence. What makes the budget a valid guarantee:

- mu^2: Smith and Thakurta 2022 (arXiv 2210.17520): Gaussian DP composes under full adaptivity with the same
  parameters as otherwise, so a filter may add up squares and compare the sum to its budget.
- rho: Feldman and Zrnic 2021 (arXiv 2008.11193), a filter for Renyi DP at one order fixed in advance. rho-zCDP is
  Renyi DP of cost a rho at each order a; the condition "the sum of a rho is at most a times the budget" is the same
  for every a, so the filter holds at all orders at once.

What was spent so far is an odometer reading; it is not a guarantee unless the counts were fixed in advance.

One account belongs to one protected data set and counts every query of every querying party and session. This one
lives in memory; a ledger that survives a crash makes the same calls and writes each of them down first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from threading import Lock

from capc.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import CostUnit, ReleaseMechanisms, release_mechanisms
from capc.parameters import Adjacency, Charge, ReleasePolicy
from capc.session import MAX_QUERIES

__all__ = [
    "CHECK_SQUARED_SENSITIVITY",
    "DIGEST_BYTES",
    "Account",
    "CostUnit",
    "Event",
    "EventKind",
    "QueryCost",
    "Receipt",
    "answer_squared_sensitivity",
    "event_cost",
    "query_cost",
]

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


class Account:
    """The account of one protected data set, in memory.

    Calls are atomic: two threads cannot both pass the same budget check.

    Args:
        policy: mechanism, adjacency and mode of charging, fixed for the account's life.
        grid_bits: g.
        budget: the limit of the composed cost, in the unit of the policy's mechanism, at least 0;
            `capc.privacy.budget_lower` derives it from the policy's epsilon and delta.

    Raises:
        InputError: the budget is negative or not an exact rational.

    Spec: CAPC-ACCT-001, CAPC-ACCT-002, CAPC-ACCT-006.
    """

    def __init__(self, policy: ReleasePolicy, grid_bits: int, budget: Fraction) -> None:
        if not isinstance(budget, Fraction) or budget < 0:
            raise InputError(f"budget = {budget!r}: give a Fraction of at least 0, in the mechanism's unit")
        self._policy = policy
        self._mechanisms = release_mechanisms(policy, grid_bits)
        self._cost = query_cost(policy, grid_bits)
        self._budget = budget
        self._spent = Fraction(0)
        self._events: list[Event] = []
        self._receipts: dict[tuple[bytes, int], Receipt] = {}
        self._settled: set[tuple[bytes, int]] = set()
        self._lock = Lock()

    @property
    def policy(self) -> ReleasePolicy:
        """The policy that was fixed when the account was created."""
        return self._policy

    @property
    def mechanisms(self) -> ReleaseMechanisms:
        """The mechanisms that are charged here, and that the privacy guardian must sample from."""
        return self._mechanisms

    @property
    def cost(self) -> QueryCost:
        """What one query costs."""
        return self._cost

    @property
    def budget(self) -> Fraction:
        """The limit that :attr:`spent` never exceeds. This is what is guaranteed."""
        return self._budget

    @property
    def spent(self) -> Fraction:
        """The sum of all costs so far, an odometer reading. A reservation that was never settled counts in full."""
        return self._spent

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything that happened, oldest first. It only ever grows."""
        return tuple(self._events)

    def remaining_queries(self) -> int:
        """How many more queries fit, each at its full cost; 0 when none does."""
        return (self._budget - self._spent) // self._cost.worst_case

    def reserve(self, session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        """Charges the check and the answer of one query in full. Call it before any noise is drawn or sent.

        1. Refuse a malformed name, and a query that was reserved before.
        2. Refuse if the sum would exceed the budget; the account is unchanged.
        3. Record the events, add their costs, return the receipt.

        Args:
            session_tag: 32 bytes, the session.
            query: its number in the session, 0 to 2^32 - 1.
            inputs_digest: 32 bytes, a digest of what the noise will be added to.

        Raises:
            InputError: a length or number is wrong, or this query of this session was reserved before.
            BudgetExhaustedError: the query does not fit the budget.

        Reveals: the refusal depends on counts only (in realised mode also on earlier answered bits), never on
            votes.
        """
        _check_query(session_tag, query, inputs_digest)
        key = (session_tag, query)
        with self._lock:
            if key in self._receipts:
                raise InputError(
                    f"query {query} of session {session_tag.hex()[:16]} was charged before: "
                    "resend the same bytes, or use a new query number"
                )
            cost = self._cost
            if self._spent + cost.worst_case > self._budget:
                raise BudgetExhaustedError(
                    f"spent {self._spent} of the budget {self._budget} ({cost.unit.value}); "
                    f"this query costs {cost.worst_case} and does not fit"
                )
            if self._mechanisms.threshold is not None:
                self._record(EventKind.THRESHOLD_CHECK, key)
            self._record(EventKind.ANSWER_RESERVED, key)
            receipt = Receipt(session_tag, query, inputs_digest, cost.worst_case, cost.unit)
            self._receipts[key] = receipt
            return receipt

    def settle(self, receipt: Receipt, answered: bool) -> None:
        """Realised mode only: records whether a label was released, and gives back the answer's cost if not.

        A query that is never settled stays charged in full.

        Args:
            receipt: as :meth:`reserve` returned it.
            answered: whether a label was released. It must come from the protocol's output, not from the votes.

        Raises:
            InputError: the account charges the worst case, the receipt is not of this account, or the query was
                settled before.
        """
        if self._policy.charge is not Charge.REALISED:
            raise InputError("settle: this account charges the worst case, so nothing is ever given back")
        key = (receipt.session_tag, receipt.query)
        with self._lock:
            if self._receipts.get(key) != receipt:
                raise InputError(f"settle: the receipt of query {receipt.query} is not one of this account")
            if key in self._settled:
                raise InputError(f"settle: query {receipt.query} was settled before; a charge is settled once")
            self._settled.add(key)
            self._record(EventKind.LABEL_RELEASED if answered else EventKind.LABEL_WITHHELD, key)

    def _record(self, kind: EventKind, key: tuple[bytes, int]) -> None:
        self._spent += event_cost(kind, self._cost)
        self._events.append(Event(kind, key[0], key[1]))


def _check_query(session_tag: bytes, query: int, inputs_digest: bytes) -> None:
    if len(session_tag) != DIGEST_BYTES:
        raise InputError(f"reserve: a session tag of {len(session_tag)} bytes: it has {DIGEST_BYTES}")
    if not 0 <= query <= MAX_QUERIES:
        raise InputError(f"reserve: query = {query}: give a number from 0 to {MAX_QUERIES}")
    if len(inputs_digest) != DIGEST_BYTES:
        raise InputError(f"reserve: an inputs digest of {len(inputs_digest)} bytes: it has {DIGEST_BYTES}")
