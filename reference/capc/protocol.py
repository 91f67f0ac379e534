"""The whole protocol, played in one process: the order of steps, who sends what to whom, and nothing else.

Every party's messages pass as bytes, exactly as on a network. :class:`Collaboration` is what examples, tests and the
main job use; networked parties call the same step functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from capc.accounting import Account
from capc.allowance import AllowanceKeeper
from capc.answering_party import (
    AwaitingTransfers,
    VoteReady,
    after_batch,
    answering_party_open_batch,
    answering_party_send_vote,
    response_distance,
)
from capc.answering_party_ahead import AwaitingValue
from capc.costs import Step, StepCost
from capc.errors import BudgetExhaustedError, InputError
from capc.exchange import Exchange, NoObserver, Observer
from capc.hash_keys import HashUse
from capc.ideal import ideal_functionality
from capc.inference import Ends, infer, infer_prepared, prepare_inference
from capc.joining import set_up
from capc.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.parameters import VoteVariant
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.privacy_guardian import (
    Aggregated,
    Collecting,
    privacy_guardian_aggregate,
    privacy_guardian_open_query,
    privacy_guardian_read_answered,
    privacy_guardian_release,
)
from capc.querying_party import (
    LayerInput,
    OpenBatch,
    ReleaseTurn,
    VoteShare,
    check_features,
    querying_party_enter_batch,
    querying_party_open_batch,
)
from capc.querying_party_ahead import PreparedBatch, querying_party_enter_prepared, querying_party_mask_batch
from capc.querying_party_release import Answer, querying_party_finish_release, querying_party_request_release
from capc.randomness import Seed, fresh_seed
from capc.session import Batch, Session
from capc.suite import Suite


@dataclass(frozen=True)
class QueryResult:
    """One query's outcome.

    Attributes:
        index: the query's number in the session, from 1.
        label: what the protocol released, None for "no consensus".
        ideal_label: what F_CaPC gives on the same models, query and noise. Only a demonstration in one process can
            know it: it needs every party's secrets.
        noise: the guardian's draw, for tests.
    """

    index: int
    label: int | None
    ideal_label: int | None
    noise: ReleaseNoise = field(repr=False)


@dataclass(frozen=True, repr=False)
class OpenedBatch:
    """All parties' states at the beginning of a batch.

    Attributes:
        batch: the queries.
        peers: for each answering party both ends of the connection.
        turns: for each query the querying party's turn to release it.
        collecting: for each query the guardian's state.
    """

    batch: Batch
    peers: tuple[tuple[OpenBatch, AwaitingTransfers, bytes], ...]
    turns: tuple[ReleaseTurn, ...]
    collecting: tuple[Collecting, ...]


@dataclass(frozen=True, repr=False)
class PreparedQueries:
    """A batch of which all is made but sums, evaluation and release: :meth:`Collaboration.label_prepared` uses it."""

    opened: OpenedBatch
    peers: tuple[tuple[PreparedBatch, AwaitingValue], ...]


class Collaboration:
    """One querying party, K answering parties and one guardian, in this process.

    Args:
        session: parameters, participants, id.
        models: one per answering party, in order.
        suite: the building blocks; every party uses the same object.
        account: charged before any noise is drawn.
        allowances: where each answering party keeps its circuit-privacy allowance; None keeps all of them in memory.
        draw_seed: where the seeds of all steps come from; the operating system, except in tests.
        observer: for tests.

    Raises:
        InputError: another number of models or allowances, a model that is not admitted, or an account that charges
            other noise than the suite samples.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        suite: Suite,
        account: Account,
        *,
        allowances: Sequence[AllowanceKeeper] | None = None,
        draw_seed: Callable[[], Seed] = fresh_seed,
        observer: Observer | None = None,
    ) -> None:
        for what, given in (("models", models), ("allowances", allowances)):
            if given is not None and len(given) != session.num_answering:
                raise InputError(f"{len(given)} {what} for {session.num_answering} answering parties: give one each")
        if account.policy != session.parameters.release or account.mechanisms != suite.mechanisms:
            raise InputError(
                "the account has another policy or other noise than the session: make it from the session's"
            )
        self._session = session
        self._models = tuple(models)
        self._suite = suite
        self._account = account
        self._allowances = allowances
        self._prepared = 0
        self._results: list[QueryResult] = []
        self._exchange = Exchange(draw_seed, observer or NoObserver())
        with self._exchange.computing(Step.SETUP):
            left = None if allowances is None else [kept.value for kept in allowances]
            parties = set_up(session, suite, self._models, self._exchange, left)
        self._querying_party, self._answering_parties, self._guardian = parties
        self._exchange.close_lanes()

    @property
    def costs(self) -> dict[str, StepCost]:
        """Seconds, bytes and rounds of each step so far."""
        return self._exchange.costs

    @property
    def hash_use(self) -> HashUse:
        """What garblers hashed so far, and under how many keys."""
        return self._suite.two_party.hash_use

    @property
    def results(self) -> tuple[QueryResult, ...]:
        """Every query that was released so far: also those of a batch that an error ended half-way."""
        return tuple(self._results)

    def remaining_queries(self) -> int:
        """How many queries the account and every answering party's allowance still admit.

        A kept allowance is read anew, since other runs may charge it too.
        """
        if self._allowances is None:
            allowed = [party.allowance.remaining for party in self._answering_parties if party.allowance is not None]
        else:
            allowed = [kept.value.remaining for kept in self._allowances]
        return min([self._account.remaining_queries() - self._prepared, *allowed])

    def label(self, features: Sequence[int]) -> QueryResult:
        """Runs steps 1 to 3 for one quantised query; see :meth:`label_batch`."""
        return self.label_batch([features])[0]

    def label_batch(self, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        """Runs step 1 for all of 1 or more quantised queries at once, then steps 2 and 3 for each.

        Raises:
            BudgetExhaustedError: the account does not admit as many queries; nothing was sent or drawn.
            InputError: a query has another length or lies outside of [-1, 1].
        """
        for query in queries:
            check_features(self._session, query)
        opened = self._open_batch(len(queries))
        with self._exchange.computing(Step.LINEAR):
            inputs = querying_party_enter_batch([peer for peer, _, _ in opened.peers], queries)
        return self._release(opened, self._infer_all(opened, inputs), queries)

    def prepare(self, count: int) -> PreparedQueries:
        """Does all of the next ``count`` queries that does not need to know them, with the same errors.

        Raises:
            InputError: the vote takes rounds, which cannot be garbled ahead.
        """
        if self._session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
            raise InputError(
                "batches are prepared ahead for a vote of one circuit: "
                f"choose vote_variant = {VoteVariant.TOURNAMENT.value}"
            )
        opened = self._open_batch(count)
        with self._exchange.computing(Step.AHEAD):
            masked = querying_party_mask_batch([peer for peer, _, _ in opened.peers], self._exchange.seed())
            peers = tuple(
                prepare_inference(self._exchange, layer_input, waiting, message)
                for layer_input, (_, waiting, message) in zip(masked, opened.peers, strict=True)
            )
        self._prepared += count
        self._exchange.close_lanes()
        return PreparedQueries(opened, peers)

    def label_prepared(self, prepared: PreparedQueries, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        """Labels a prepared batch: additions, products in the clear, garbled evaluation, and the release.

        Raises:
            BudgetExhaustedError: the account was charged by others meanwhile; the batch stays prepared.
            InputError: another number of queries than were prepared, or a query as in :meth:`label_batch`.
            StateReuseError: the batch was labelled before.
        """
        if len(queries) > self._account.remaining_queries():
            raise self._exhausted(len(queries))
        with self._exchange.computing(Step.LINEAR):
            states, messages = querying_party_enter_prepared([mine for mine, _ in prepared.peers], queries)
        self._prepared -= prepared.opened.batch.count
        ends = [
            infer_prepared(self._exchange, mine, theirs, messages[theirs.request.party.me])
            for mine, (_, theirs) in zip(states, prepared.peers, strict=True)
        ]
        return self._release(prepared.opened, ends, queries)

    def _open_batch(self, count: int) -> OpenedBatch:
        """Every party turns to the next queries, before the first message: an interrupted one leaves all in step.

        Every party is asked first, so that one that refuses leaves all in step too. What is prepared and not labelled
        yet will be charged, and counts.
        """
        if count + self._prepared > self._account.remaining_queries():
            raise self._exhausted(count)
        for party in self._answering_parties:
            after_batch(party, count)
        for kept, party in zip(self._allowances or (), self._answering_parties, strict=False):
            kept.charge(count, response_distance(party.suite, party.prepared_layers, count))
        with self._exchange.computing(Step.AHEAD):
            self._querying_party, states, messages, turns = querying_party_open_batch(self._querying_party, count)
            opened = [answering_party_open_batch(party, count) for party in self._answering_parties]
            self._answering_parties = [party for party, _ in opened]
            collecting = []
            for _ in turns:
                self._guardian, state = privacy_guardian_open_query(self._guardian)
                collecting.append(state)
        peers = tuple(
            (state, waiting, messages[state.peer]) for state, (_, waiting) in zip(states, opened, strict=True)
        )
        return OpenedBatch(states[0].batch, peers, turns, tuple(collecting))

    def _exhausted(self, count: int) -> BudgetExhaustedError:
        account, prepared = self._account, f" and {self._prepared} queries are prepared" if self._prepared else ""
        return BudgetExhaustedError(
            f"the budget {account.budget} ({account.cost.unit.value}) does not admit {count} more: "
            f"{account.spent} is spent{prepared}, and a query costs {account.cost.worst_case}"
        )

    def _infer_all(self, opened: OpenedBatch, inputs: Sequence[LayerInput]) -> list[Ends]:
        """Steps 1a to 1c between the querying party and each answering party."""
        return [
            self._infer(layer_input, waiting, message)
            for layer_input, (_, waiting, message) in zip(inputs, opened.peers, strict=True)
        ]

    def _infer(self, layer_input: LayerInput, waiting: AwaitingTransfers, message: bytes) -> Ends:
        """Steps 1a to 1c between the querying party and one answering party."""
        return infer(self._exchange, layer_input, waiting, message)

    def _release(
        self,
        opened: OpenedBatch,
        ends: Sequence[Ends],
        queries: Sequence[Sequence[int]],
    ) -> list[QueryResult]:
        """Steps 2 and 3 for each query of a batch."""
        results: list[QueryResult] = []
        for number, (turn, collecting) in enumerate(zip(opened.turns, opened.collecting, strict=True)):
            shares = [mine[number] for mine, _ in ends]
            votes = [theirs[number] for _, theirs in ends]
            results.append(self._release_query(turn, collecting, shares, votes, queries[number]))
            self._results.append(results[-1])
        self._exchange.close_lanes()
        return results

    def _release_query(
        self,
        turn: ReleaseTurn,
        collecting: Collecting,
        shares: Sequence[VoteShare],
        votes: Sequence[VoteReady],
        features: Sequence[int],
    ) -> QueryResult:
        exchange = self._exchange
        aggregated = self._aggregate(collecting, votes)
        # Step 3: the account is charged before any noise is drawn, and knows the message before it leaves.
        with exchange.computing(Step.RELEASE):
            awaiting, choice = querying_party_request_release(turn, shares, exchange.seed())
            exchange.hand_over(Step.RELEASE, QUERYING_PARTY, PRIVACY_GUARDIAN, choice, "choice")
            receipt = self._account.reserve(self._session.tag, aggregated.query, aggregated.inputs_digest)
            released, circuits = privacy_guardian_release(aggregated, receipt, choice, exchange.seed())
            circuits = self._account.dispatch(receipt, circuits)
            exchange.hand_over(Step.RELEASE, PRIVACY_GUARDIAN, QUERYING_PARTY, circuits, "circuits")
            exchange.state(PRIVACY_GUARDIAN, released)
            exchange.state(QUERYING_PARTY, awaiting)
            answer = querying_party_finish_release(awaiting, circuits)
            if answer.answered_message is not None:
                exchange.hand_over(Step.RELEASE, QUERYING_PARTY, PRIVACY_GUARDIAN, answer.answered_message, "answered")
                answered = privacy_guardian_read_answered(released, answer.answered_message)
                self._account.settle(receipt, answered=answered)
        return self._result(answer, released.noise, awaiting.threshold_noise, features)

    def _aggregate(self, collecting: Collecting, votes: Sequence[VoteReady]) -> Aggregated:
        """Step 2."""
        exchange = self._exchange
        with exchange.computing(Step.AGGREGATION):
            messages = {
                vote.party.me: exchange.hand_over(
                    Step.AGGREGATION, vote.party.me, PRIVACY_GUARDIAN, answering_party_send_vote(vote), "votes"
                )
                for vote in votes
            }
            return privacy_guardian_aggregate(collecting, messages)

    def _result(
        self, answer: Answer, noise: ReleaseNoise, threshold_noise: int, features: Sequence[int]
    ) -> QueryResult:
        """The outcome, beside F_CaPC's with the same noise."""
        logits = [model.logits(features) for model in self._models]
        ideal = ideal_functionality(self._session.parameters, logits, noise, threshold_noise)
        return QueryResult(answer.query, answer.label, ideal.querying_party, noise)
