"""The privacy account: exact charges, reserved in full before anything leaves the privacy guardian (CAPC-ACCT).

What happened (:mod:`capc.privacy.events`) is kept apart from what it costs (:mod:`capc.privacy.query_cost`). Costs are
exact rationals in one unit, mu^2 for the rounded Gaussian, rho for the discrete Gaussian, or the Renyi divergence at an
order that the policy fixes, and are only ever added and compared.

The guarantee is the enforced budget. The account is a privacy filter: it admits a mechanism only if the sum of all
costs, this one included, stays within a budget that was fixed before the first query. Mechanisms and their costs may
be chosen in any way that depends on earlier releases, and several sessions may interleave: each release is one
non-interactive mechanism in an adaptive sequence. What makes the budget a valid guarantee:

- mu^2: Smith and Thakurta 2022 (arXiv 2210.17520): Gaussian DP composes under full adaptivity with the same
  parameters as otherwise, so a filter may add up squares and compare the sum to its budget.
- Renyi: Feldman and Zrnic 2021 (arXiv 2008.11193), a filter for Renyi DP at one order fixed in advance.
- rho: rho-zCDP is Renyi DP of cost a rho at each order a; the condition "the sum of a rho is at most a times the
  budget" is the same for every a, so the Renyi filter holds at all orders at once.

What was spent so far is an odometer reading; it is not a guarantee unless the counts were fixed in advance.

One account belongs to one protected data set and counts every query of every querying party and session. This one
lives in memory. A ledger that survives a crash (:mod:`capc.privacy.ledger`) is an account too: it keeps these rules,
and replaces only how an :data:`Entry` is written down.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from threading import Lock

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import release_mechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.events import DIGEST_BYTES, Dispatch, Entry, Event, EventKind, Receipt, Reservation, Settlement
from capc.privacy.query_cost import event_cost, query_cost
from capc.session.parameters import Charge, ReleasePolicy
from capc.session.session import MAX_QUERIES

_Key = tuple[bytes, int]
"""A session's tag, and the number of a query in it."""


class Account:
    """The account of one protected data set, in memory.

    Calls are atomic: two threads cannot both pass the same budget check.

    Args:
        policy: mechanism, adjacency and mode of charging, fixed for the account's life.
        grid_bits: g.
        budget: the limit of the composed cost, in the unit of the policy's mechanism, at least 0;
            `capc.privacy.accountants.policies.policy_budget` derives it from the policy's epsilon and delta.
        answered: how far one party moves what noise is added to; None where it is the vote histogram.

    Attributes, all fixed for its life:
        policy: as above.
        grid_bits: g.
        mechanisms: what is charged here, and what the privacy guardian must sample from.
        cost: what one query costs.
        budget: the limit that :attr:`spent` never exceeds. This is what is guaranteed.

    Raises:
        InputError: the budget is negative or not an exact rational. Whoever opens an account certifies that its budget
            keeps the policy's epsilon, and its joint cost (`capc.privacy.accountants.policies.certify`).

    Spec: CAPC-ACCT-001, CAPC-ACCT-002, CAPC-ACCT-006, CAPC-ERR-006.
    """

    def __init__(
        self, policy: ReleasePolicy, grid_bits: int, budget: Fraction, answered: Sensitivity | None = None
    ) -> None:
        if not isinstance(budget, Fraction) or budget < 0:
            raise InputError(f"budget = {budget!r}: give a Fraction of at least 0, in the mechanism's unit")
        self.policy = policy
        self.grid_bits = grid_bits
        self.mechanisms = release_mechanisms(policy, grid_bits)
        self.cost = query_cost(policy, grid_bits, answered)
        self.budget = budget
        self._spent = Fraction(0)
        self._events: list[Event] = []
        self._receipts: dict[_Key, Receipt] = {}
        self._dispatched: dict[_Key, bytes] = {}
        self._settled: set[_Key] = set()
        self._lock = Lock()
        self._reserved_events = _reserved_events(policy)

    @property
    def spent(self) -> Fraction:
        """The sum of all costs so far, an odometer reading. A reservation that was never settled counts in full."""
        self._refresh()
        return self._spent

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything that happened, oldest first. It only ever grows."""
        self._refresh()
        return tuple(self._events)

    def remaining_queries(self) -> int:
        """How many more queries fit, each at its full cost; 0 when none does."""
        return (self.budget - self.spent) // self.cost.worst_case

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
            InputError: a type, length or number is wrong, or this query of this session was reserved before.
            BudgetExhaustedError: the query does not fit the budget.

        Reveals: the refusal depends on counts only (in realised mode also on earlier answered bits), never on
            votes.
        """
        with self._turn():
            receipt = self._admit(session_tag, query, inputs_digest)
            self._write(Reservation(receipt))
        return receipt

    def dispatch(self, receipt: Receipt, message: bytes) -> bytes:
        """Writes down the one message that may carry this query's noise, and returns it: send only what it returns.

        The same message again is the same bytes sent again, and changes nothing.

        Args:
            receipt: as :meth:`reserve` returned it.
            message: what is about to leave the privacy guardian.

        Raises:
            InputError: the receipt is not of this account, the message is not bytes, or another message was written
                down for this query: its noise would be drawn a second time for one charge.

        Spec: CAPC-LEDG-006.
        """
        if type(message) is not bytes:
            raise InputError(f"dispatch: a message of type {type(message).__name__}: give bytes")
        digest = hashlib.sha256(message).digest()
        with self._turn():
            if self._check_dispatch(receipt, digest):
                self._write(Dispatch(receipt, digest), message)
        return message

    def settle(self, receipt: Receipt, answered: bool) -> None:
        """Realised mode only: records whether a label was released, and gives back the answer's cost if not.

        A query that is never settled stays charged in full.

        Args:
            receipt: as :meth:`reserve` returned it.
            answered: whether a label was released. It must come from the protocol's output, not from the votes.

        Raises:
            InputError: the account charges the worst case, the receipt is not of this account, the query was settled
                before, its message was never dispatched, or the answer is no bool.
        """
        if type(answered) is not bool:
            raise InputError(f"settle: answered = {answered!r}: give True or False")
        with self._turn():
            self._check_settlement(receipt)
            self._write(Settlement(receipt, answered))

    # How entries are written down and read: a ledger replaces these three.

    def _turn(self) -> AbstractContextManager[object]:
        """Held while a call checks the rules and writes its entry: nobody else writes in between."""
        return self._lock

    def _write(self, entry: Entry, message: bytes | None = None) -> None:  # noqa: ARG002
        """Makes an entry part of the account; ``message`` is what a dispatched entry is about."""
        self._apply(entry)

    def _refresh(self) -> None:
        """Reads what others have written."""

    # The rules.

    def _admit(self, session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        _check_query(session_tag, query, inputs_digest)
        if (session_tag, query) in self._receipts:
            raise InputError(
                f"query {query} of session {session_tag.hex()[:16]} was charged before: "
                "resend the same bytes, or use a new query number"
            )
        cost = self.cost
        if self._spent + cost.worst_case > self.budget:
            raise BudgetExhaustedError(
                f"spent {self._spent} of the budget {self.budget} ({cost.unit.value}); "
                f"this query costs {cost.worst_case} and does not fit"
            )
        return Receipt(session_tag, query, inputs_digest, cost.worst_case, cost.unit)

    def _check_dispatch(self, receipt: Receipt, digest: bytes) -> bool:
        """Whether the message is new; False if these very bytes were written down before."""
        known = self._dispatched.get(self._key_of(receipt, "dispatch"))
        if known not in (None, digest):
            raise InputError(
                f"dispatch: another message was written down for query {receipt.query}: send that one again, or "
                "charge a new query and draw fresh noise"
            )
        return known is None

    def _check_settlement(self, receipt: Receipt) -> None:
        if self.policy.charge is not Charge.REALISED:
            raise InputError("settle: this account charges the worst case, so nothing is ever given back")
        key = self._key_of(receipt, "settle")
        if key in self._settled:
            raise InputError(f"settle: query {receipt.query} was settled before; a charge is settled once")
        # So no noise can leave after its cost was given back: after dispatch, no other message is ever admitted.
        if key not in self._dispatched:
            raise InputError(
                f"settle: no message of query {receipt.query} was dispatched, so nothing is known of its answer"
            )

    def _key_of(self, receipt: Receipt, call: str) -> _Key:
        key = (receipt.session_tag, receipt.query)
        if type(receipt.query) is not int or self._receipts.get(key) != receipt:
            raise InputError(f"{call}: the receipt of query {receipt.query} is not one of this account")
        return key

    def _apply(self, entry: Entry) -> None:
        for kind in self._take(entry):
            self._record(kind, (entry.receipt.session_tag, entry.receipt.query))

    def _apply_all(self, entries: Iterable[Entry]) -> None:
        """Applies many, with one product for each kind of event instead of a sum for each event."""
        counts: Counter[EventKind] = Counter()
        for entry in entries:
            for kind in self._take(entry):
                self._events.append(Event(kind, entry.receipt.session_tag, entry.receipt.query))
                counts[kind] += 1
        self._spent += sum(count * event_cost(kind, self.cost) for kind, count in counts.items())

    def _take(self, entry: Entry) -> Sequence[EventKind]:
        """Makes an entry part of what is known of its query; returns the events that are to be charged."""
        key = (entry.receipt.session_tag, entry.receipt.query)
        match entry:
            case Reservation(receipt):
                self._receipts[key] = receipt
                return self._reserved_events
            case Dispatch(_, digest):
                self._dispatched[key] = digest
                return ()
            case Settlement(_, answered):
                self._settled.add(key)
                return (EventKind.LABEL_RELEASED if answered else EventKind.LABEL_WITHHELD,)

    def _record(self, kind: EventKind, key: _Key) -> None:
        self._spent += event_cost(kind, self.cost)
        self._events.append(Event(kind, key[0], key[1]))


def _reserved_events(policy: ReleasePolicy) -> tuple[EventKind, ...]:
    """What a reservation consists of."""
    if policy.joint_cost is not None:
        return (EventKind.CONFIDENT_STEP,)
    if policy.threshold_sigma is not None:
        return (EventKind.THRESHOLD_CHECK, EventKind.ANSWER_RESERVED)
    return (EventKind.ANSWER_RESERVED,)


def _check_query(session_tag: bytes, query: int, inputs_digest: bytes) -> None:
    for name, value in (("a session tag", session_tag), ("an inputs digest", inputs_digest)):
        if type(value) is not bytes:
            raise InputError(f"reserve: {name} of type {type(value).__name__}: give bytes")
        if len(value) != DIGEST_BYTES:
            raise InputError(f"reserve: {name} of {len(value)} bytes: it has {DIGEST_BYTES}")
    # True is equal to 1, and is another record.
    if type(query) is not int or not 0 <= query <= MAX_QUERIES:
        raise InputError(f"reserve: query = {query!r}: give a whole number from 0 to {MAX_QUERIES}")
