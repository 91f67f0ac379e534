"""Drives the step functions one by one, as networked parties would, and lets a test interfere at every delivery.

It is a second composition of the steps, beside `capc.roles`: every message passes through :meth:`Driver.deliver`,
where a test may hand the receiver something else first, and every consumed state is kept for a second attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from capc.accounting import Account
from capc.answering_party import (
    AnsweringParty,
    AwaitingRequest,
    AwaitingTransfers,
    BatchTransfers,
    VoteReady,
    answering_party_enter_batch,
    answering_party_evaluate_layer,
    answering_party_expect_transfers,
    answering_party_garble_layer,
    answering_party_garble_vote,
    answering_party_keep_sums,
    answering_party_open_batch,
    answering_party_send_vote,
    answering_party_take_transfers,
)
from capc.architecture import Activation
from capc.ideal import ideal_functionality
from capc.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.parameters import VoteVariant
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.privacy_guardian import (
    Collecting,
    PrivacyGuardian,
    privacy_guardian_aggregate,
    privacy_guardian_open_query,
    privacy_guardian_read_answered,
    privacy_guardian_release,
)
from capc.querying_party import (
    LayerInput,
    OpenBatch,
    QueryingParty,
    ReleaseTurn,
    VoteShare,
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_evaluate_vote,
    querying_party_keep_sums,
    querying_party_open_batch,
    querying_party_request_layer,
)
from capc.querying_party_ahead import querying_party_enter_prepared, querying_party_mask_batch
from capc.querying_party_release import querying_party_finish_release, querying_party_request_release
from capc.randomness import Seed
from capc.session import Session
from capc.suite import Suite
from support.builders import make_account
from support.driver_ahead import infer_prepared, prepare
from support.driver_engine import OutsideEngine, release_on_engine, vote_on_engine
from support.driver_rounds import set_up_reverse, vote_in_rounds
from support.driver_setup import set_up
from support.driver_traffic import Delivery, Place, flat, place_of

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A step that consumed a state, and what else it was given."""

    step: Callable[..., object]
    state: object
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Outcome:
    """One query: what the protocol released, what F_CaPC gives, and the bit that the guardian learned."""

    label: int | None
    ideal_label: int | None
    guardian_bit: bool | None


@dataclass
class Driver:
    """One session, all of whose parties are played here; on an outside engine, if there is one."""

    session: Session
    models: Sequence[QuantisedModel]
    suite: Suite
    account: Account
    draw_seed: Callable[[], Seed]
    interfere: Callable[[Delivery], None] = lambda delivery: None
    engine: OutsideEngine | None = None
    sent: dict[Place, bytes] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    results: list[object] = field(default_factory=list)
    querying_party: QueryingParty = field(init=False)
    answering_parties: list[AnsweringParty] = field(init=False)
    guardian: PrivacyGuardian = field(init=False)

    def deliver(
        self, inbound: Mapping[Party, bytes], receive: Callable[[Mapping[Party, bytes]], T], *, needs_all: bool = False
    ) -> T:
        """Hands over one message per sender; first lets the test interfere with each of them.

        A step that takes messages of several parties, or that ``needs_all``, refuses when one is missing.
        """
        for sender, message in inbound.items():

            def receive_instead(other: bytes | None, sender: Party = sender) -> T:
                rest = {peer: bytes(data) for peer, data in inbound.items() if peer != sender}
                return receive(rest if other is None else {**rest, sender: other})

            place = self.record(message)
            self.interfere(Delivery(place, message, receive_instead, may_be_missing=needs_all or len(inbound) > 1))
        return receive(inbound)

    def consume(self, step: Callable[..., T], state: object, *arguments: object) -> T:
        """Runs a step and keeps its state and its results."""
        result = step(state, *arguments)
        self.calls.append(Call(step, state, arguments))
        self.results += flat(result)
        return result

    def consume_all(self, step: Callable[..., T], states: Sequence[object], *arguments: object) -> T:
        """Runs a step that takes the states of all answering parties at once; keeps each of them."""
        result = step(states, *arguments)
        self.calls += [Call(lambda _, *rest: step(states, *rest), state, arguments) for state in states]
        self.results += flat(result)
        return result

    def set_up(self) -> None:
        """Step 0."""
        set_up(self)
        if self.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
            set_up_reverse(self)

    def fork(self, models: Sequence[QuantisedModel], suite: Suite, draw_seed: Callable[[], Seed]) -> Driver:
        """The same set-up again, unspent, with other models of the same widths: base transfers are slow."""
        other = Driver(self.session, models, suite, make_account(self.session.parameters), draw_seed)
        other.querying_party = self.querying_party.renewed(suite=suite)
        other.answering_parties = [
            party.renewed(
                suite=suite,
                model=model,
                prepared_layers=tuple(
                    suite.linear.prepare(stage.operator, layer.weights)
                    for stage, layer in zip(model.architecture.stages, model.layers, strict=True)
                ),
            )
            for party, model in zip(self.answering_parties, models, strict=True)
        ]
        other.guardian = self.guardian.renewed(suite=suite)
        return other

    def run_query(self, features: Sequence[int]) -> Outcome:
        """Steps 1 to 3 of one query."""
        return self.run_batch([features])[0]

    def run_batch(self, queries: Sequence[Sequence[int]]) -> list[Outcome]:
        """Steps 1 to 3 of a batch."""
        opened, waiting, turns, collecting = self._open(len(queries))
        inputs = self.consume_all(querying_party_enter_batch, opened, queries)
        entered = [self.consume(answering_party_enter_batch, transfers) for transfers in waiting]
        ends = [self.infer(*states) for states in zip(inputs, entered, strict=True)]
        return self._release(ends, turns, collecting, queries)

    def run_prepared(self, queries: Sequence[Sequence[int]]) -> list[Outcome]:
        """The same, prepared before the queries are known."""
        opened, waiting, turns, collecting = self._open(len(queries))
        masked = querying_party_mask_batch(opened, self.draw_seed())
        prepared = [prepare(self, *states) for states in zip(masked, waiting, strict=True)]
        entered, messages = self.consume_all(querying_party_enter_prepared, [mine for mine, _ in prepared], queries)
        ends = [
            infer_prepared(self, mine, theirs, messages[mine.prepared.last.peer])
            for mine, (_, theirs) in zip(entered, prepared, strict=True)
        ]
        return self._release(ends, turns, collecting, queries)

    def _open(
        self, count: int
    ) -> tuple[tuple[OpenBatch, ...], list[BatchTransfers], tuple[ReleaseTurn, ...], list[Collecting]]:
        """Every party turns to the next queries; transfers are made."""
        self.querying_party, opened, messages, turns = self.consume(
            querying_party_open_batch, self.querying_party, count
        )
        states: list[AwaitingTransfers] = []
        for position, party in enumerate(self.answering_parties):
            self.answering_parties[position], state = self.consume(answering_party_open_batch, party, count)
            # Some work ahead: it makes no difference.
            if position % 2:
                answering_party_expect_transfers(state)
            states.append(state)
        collecting = []
        for _ in range(count):
            self.guardian, collects = self.consume(privacy_guardian_open_query, self.guardian)
            collecting.append(collects)
        waiting = [
            self.deliver(
                {QUERYING_PARTY: messages[mine.peer]},
                lambda given, state=state: self.consume(  # type: ignore[misc]
                    answering_party_take_transfers, state, given[QUERYING_PARTY]
                ),
            )
            for mine, state in zip(opened, states, strict=True)
        ]
        return opened, waiting, turns, collecting

    def _release(
        self,
        ends: Sequence[tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]],
        turns: Sequence[ReleaseTurn],
        collecting: Sequence[Collecting],
        queries: Sequence[Sequence[int]],
    ) -> list[Outcome]:
        outcomes = []
        for number, features in enumerate(queries):
            shares = [mine[number] for mine, _ in ends]
            votes = [theirs[number] for _, theirs in ends]
            outcomes.append(self._release_query(shares, votes, turns[number], collecting[number], features))
        return outcomes

    def _release_query(
        self,
        shares: list[VoteShare],
        ready: Sequence[VoteReady],
        turn: ReleaseTurn,
        collecting: Collecting,
        features: Sequence[int],
    ) -> Outcome:
        """Steps 2 and 3."""
        votes = {vote.party.me: self.consume(answering_party_send_vote, vote) for vote in ready}
        aggregated = self.deliver(votes, lambda given: self.consume(privacy_guardian_aggregate, collecting, given))
        receipt = self.account.reserve(self.session.tag, aggregated.query, aggregated.inputs_digest)
        if self.engine is not None:
            return release_on_engine(self, self.engine, turn, shares, aggregated, receipt, features)
        awaiting, choice = self.consume(querying_party_request_release, turn, shares, self.draw_seed())
        seed = self.draw_seed()
        released, circuits = self.deliver(
            {QUERYING_PARTY: choice},
            lambda given: self.consume(privacy_guardian_release, aggregated, receipt, given[QUERYING_PARTY], seed),
        )
        circuits = self.account.dispatch(receipt, circuits)
        answer = self.deliver(
            {PRIVACY_GUARDIAN: circuits},
            lambda given: self.consume(querying_party_finish_release, awaiting, given[PRIVACY_GUARDIAN]),
        )
        bit = None
        if answer.answered_message is not None:
            bit = self.deliver(
                {QUERYING_PARTY: answer.answered_message},
                lambda given: self.consume(privacy_guardian_read_answered, released, given[QUERYING_PARTY]),
            )
        return self.outcome(answer.label, bit, released.noise, awaiting.threshold_noise, features)

    def outcome(
        self, label: int | None, bit: bool | None, noise: ReleaseNoise, own_noise: int, features: Sequence[int]
    ) -> Outcome:
        """What was released, beside F_CaPC's label for the same noise."""
        logits = [model.logits(features) for model in self.models]
        ideal = ideal_functionality(self.session.parameters, logits, noise, own_noise)
        return Outcome(label, ideal.querying_party, bit)

    def infer(
        self, layer_input: LayerInput, waiting: AwaitingRequest
    ) -> tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]:
        """Steps 1a to 1c with one answering party."""
        peer = layer_input.peer
        for stage in self.session.architecture(peer).stages:
            layer_seed, garble_seed = self.draw_seed(), self.draw_seed()
            after_request, request = self.consume(querying_party_request_layer, layer_input)
            after_response, response = self.deliver(
                {QUERYING_PARTY: request},
                lambda given, state=waiting, seed=layer_seed: self.consume(  # type: ignore[misc]
                    answering_party_evaluate_layer, state, given[QUERYING_PARTY], seed
                ),
            )
            if stage.activation is Activation.NONE:
                layer_input = self.hand_over(peer, response, querying_party_keep_sums, after_request)
                waiting = self.consume(answering_party_keep_sums, after_response)
                continue
            votes = stage.activation is Activation.VOTE
            if votes and self.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
                return vote_in_rounds(self, after_request, response, after_response)
            if votes and self.engine is not None:
                return vote_on_engine(self, self.engine, after_request, response, after_response)
            after_choice, bits = self.hand_over(peer, response, querying_party_choose_labels, after_request)
            after_garbling, circuits = self.deliver(
                {QUERYING_PARTY: bits},
                lambda given, state=after_response, seed=garble_seed, votes=votes: self.consume(  # type: ignore[misc]
                    answering_party_garble_vote if votes else answering_party_garble_layer,
                    state,
                    given[QUERYING_PARTY],
                    seed,
                ),
            )
            evaluate = querying_party_evaluate_vote if votes else querying_party_evaluate_layer
            layer_input, waiting = self.hand_over(peer, circuits, evaluate, after_choice), after_garbling
        return layer_input, waiting

    def hand_over(self, peer: Party, message: bytes, step: Callable[..., T], state: object, *arguments: object) -> T:
        """Delivers an answering party's message to a step of the querying party."""
        return self.deliver({peer: message}, lambda given: self.consume(step, state, given[peer], *arguments))

    def record(self, message: bytes) -> Place:
        """Notes a message that is on its way."""
        place = place_of(message)
        self.sent[place] = message
        return place
