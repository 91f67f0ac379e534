"""The whole protocol, played in one process: the order of steps, who sends what to whom, and nothing else.

Every party's messages pass as bytes, exactly as on a network. :class:`Collaboration` is what examples, tests and the
main job use; networked parties call the same step functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from capc.accounting import Account
from capc.answering_party import (
    AnsweringParty,
    AwaitingRequest,
    VoteReady,
    answering_party_begin_setup,
    answering_party_evaluate_layer,
    answering_party_finish_setup,
    answering_party_garble_layer,
    answering_party_open_query,
    answering_party_send_vote,
)
from capc.architecture import Activation
from capc.costs import CostMeter, Step, StepCost
from capc.errors import BudgetExhaustedError, InputError
from capc.handshake import check_hello, hello
from capc.ideal import ideal_functionality
from capc.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.privacy_guardian import (
    Collecting,
    PrivacyGuardian,
    privacy_guardian_aggregate,
    privacy_guardian_open_query,
    privacy_guardian_read_answered,
    privacy_guardian_release,
    privacy_guardian_setup,
)
from capc.querying_party import (
    LayerInput,
    QueryingParty,
    ReleaseTurn,
    VoteShare,
    querying_party_begin_setup,
    querying_party_choose_labels,
    querying_party_evaluate_layer,
    querying_party_finish_release,
    querying_party_finish_setup,
    querying_party_keep_sums,
    querying_party_open_query,
    querying_party_request_layer,
    querying_party_request_release,
)
from capc.randomness import Seed, fresh_seed
from capc.session import Session
from capc.suite import Suite


class Observer(Protocol):
    """Sees every message, and the states that steps return. Only tests attach one: it sees all secrets."""

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Called for every message, as it is handed over."""

    def state(self, party: Party, state: object) -> None:
        """Called with the state in which a party ends a query's step."""


class _NoObserver:
    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Sees nothing."""

    def state(self, party: Party, state: object) -> None:
        """Sees nothing."""


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


@dataclass(frozen=True)
class _Opened:
    """All parties' states at the beginning of one query."""

    inputs: tuple[LayerInput, ...]
    awaiting_requests: tuple[AwaitingRequest, ...]
    turn: ReleaseTurn
    collecting: Collecting


class Collaboration:
    """One querying party, K answering parties and one guardian, in this process.

    Args:
        session: parameters, participants, id.
        models: one per answering party, in order.
        suite: the building blocks; every party uses the same object.
        account: charged before any noise is drawn.
        draw_seed: where the seeds of all steps come from; the operating system, except in tests.
        observer: for tests.

    Raises:
        InputError: another number of models, a model that is not admitted, or an account that charges other noise
            than the suite samples.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        suite: Suite,
        account: Account,
        *,
        draw_seed: Callable[[], Seed] = fresh_seed,
        observer: Observer | None = None,
    ) -> None:
        if len(models) != session.num_answering:
            raise InputError(f"{len(models)} models for {session.num_answering} answering parties: give one each")
        if account.policy != session.parameters.release or account.mechanisms != suite.mechanisms:
            raise InputError(
                "the account has another policy or other noise than the session: make it from the session's"
            )
        self._session = session
        self._models = tuple(models)
        self._suite = suite
        self._account = account
        self._draw_seed = draw_seed
        self._observer: Observer = observer or _NoObserver()
        self._meter = CostMeter()
        with self._meter.computing(Step.SETUP):
            self._querying_party, self._answering_parties, self._guardian = self._set_up()
        self._meter.close_lanes()

    @property
    def costs(self) -> dict[str, StepCost]:
        """Seconds, bytes and rounds of each step so far."""
        return self._meter.steps

    def label(self, features: Sequence[int]) -> QueryResult:
        """Runs steps 1 to 3 for one quantised query.

        Raises:
            BudgetExhaustedError: the account does not admit another query; nothing was sent or drawn.
            InputError: the query has another length or lies outside of [-1, 1].
        """
        if self._account.remaining_queries() < 1:
            raise BudgetExhaustedError(
                f"the budget {self._account.budget} ({self._account.cost.unit.value}) does not admit another query: "
                f"{self._account.spent} is spent and a query costs {self._account.cost.worst_case}"
            )
        opened = self._open_query(features)
        shares: list[VoteShare] = []
        votes: list[VoteReady] = []
        for layer_input, awaiting_request in zip(opened.inputs, opened.awaiting_requests, strict=True):
            share, vote = self._infer(layer_input, awaiting_request)
            shares.append(share)
            votes.append(vote)
        # Step 2.
        with self._meter.computing(Step.AGGREGATION):
            messages = {
                vote.party.me: self._hand_over(
                    Step.AGGREGATION, vote.party.me, PRIVACY_GUARDIAN, answering_party_send_vote(vote)
                )
                for vote in votes
            }
            aggregated = privacy_guardian_aggregate(opened.collecting, messages)
        # Step 3: the account is charged before any noise is drawn, and knows the message before it leaves.
        with self._meter.computing(Step.RELEASE):
            awaiting, columns = querying_party_request_release(opened.turn, shares, self._draw_seed())
            self._hand_over(Step.RELEASE, QUERYING_PARTY, PRIVACY_GUARDIAN, columns)
            receipt = self._account.reserve(self._session.tag, aggregated.query, aggregated.inputs_digest)
            released, circuits = privacy_guardian_release(aggregated, receipt, columns, self._draw_seed())
            circuits = self._account.dispatch(receipt, circuits)
            self._hand_over(Step.RELEASE, PRIVACY_GUARDIAN, QUERYING_PARTY, circuits)
            self._observer.state(PRIVACY_GUARDIAN, released)
            self._observer.state(QUERYING_PARTY, awaiting)
            answer = querying_party_finish_release(awaiting, circuits)
            if answer.answered_message is not None:
                self._hand_over(Step.RELEASE, QUERYING_PARTY, PRIVACY_GUARDIAN, answer.answered_message)
                answered = privacy_guardian_read_answered(released, answer.answered_message)
                self._account.settle(receipt, answered=answered)
        self._meter.close_lanes()
        logits = [model.logits(features) for model in self._models]
        ideal = ideal_functionality(self._session.parameters, logits, released.noise, awaiting.threshold_noise)
        return QueryResult(answer.query, answer.label, ideal.querying_party, released.noise)

    def _open_query(self, features: Sequence[int]) -> _Opened:
        """Every party turns to the next query, before the first message: an interrupted one leaves all in step."""
        self._querying_party, inputs, turn = querying_party_open_query(self._querying_party, features)
        opened = [answering_party_open_query(party) for party in self._answering_parties]
        self._answering_parties = [party for party, _ in opened]
        self._guardian, collecting = privacy_guardian_open_query(self._guardian)
        return _Opened(inputs, tuple(waiting for _, waiting in opened), turn, collecting)

    def _infer(self, layer_input: LayerInput, awaiting_request: AwaitingRequest) -> tuple[VoteShare, VoteReady]:
        """Steps 1a to 1c between the querying party and one answering party."""
        peer = layer_input.peer
        while True:
            activation = layer_input.stage.activation
            linear, circuit = (Step.LINEAR, Step.RELU)
            if activation is Activation.VOTE:
                linear, circuit = (Step.MASKED_LOGITS, Step.ARGMAX)
            with self._meter.computing(linear):
                awaiting_response, request = querying_party_request_layer(layer_input)
                self._hand_over(linear, QUERYING_PARTY, peer, request)
                evaluated, response = answering_party_evaluate_layer(awaiting_request, request, self._draw_seed())
                self._hand_over(linear, peer, QUERYING_PARTY, response)
            if isinstance(evaluated, AwaitingRequest):
                layer_input, awaiting_request = querying_party_keep_sums(awaiting_response, response), evaluated
                continue
            with self._meter.computing(circuit):
                awaiting_circuits, columns = querying_party_choose_labels(awaiting_response, response)
                self._hand_over(circuit, QUERYING_PARTY, peer, columns)
                after, circuits = answering_party_garble_layer(evaluated, columns, self._draw_seed())
                self._hand_over(circuit, peer, QUERYING_PARTY, circuits)
                result = querying_party_evaluate_layer(awaiting_circuits, circuits)
            self._observer.state(QUERYING_PARTY, result)
            self._observer.state(peer, after)
            if isinstance(result, VoteShare) and isinstance(after, VoteReady):
                return result, after
            if isinstance(result, VoteShare) or isinstance(after, VoteReady):
                raise InputError(f"{peer} and the querying party disagree on the number of layers")
            layer_input, awaiting_request = result, after

    def _set_up(self) -> tuple[QueryingParty, list[AnsweringParty], PrivacyGuardian]:
        """Step 0: hellos, HE keys, base OTs and mask keys."""
        session, suite, seed = self._session, self._suite, self._draw_seed
        joining = [
            answering_party_begin_setup(session, suite, peer, model, seed())
            for peer, model in zip(session.answering_parties, self._models, strict=True)
        ]
        everyone = [entry.party for entry in session.participants]
        for sender in everyone:
            for receiver in everyone:
                if sender != receiver:
                    message = self._hand_over(Step.SETUP, sender, receiver, hello(session, sender, receiver), "hello")
                    check_hello(session, sender, receiver, message)
        joining_querying_party, he_keys, offers = querying_party_begin_setup(session, suite, seed())
        choices: dict[Party, bytes] = {}
        parties: list[AnsweringParty] = []
        for state, _ in joining:
            me = state.me
            mask_keys = {
                other.me: self._hand_over(Step.SETUP, other.me, me, keys[me], "keys")
                for other, keys in joining
                if other.me != me
            }
            key = self._hand_over(Step.SETUP, QUERYING_PARTY, me, he_keys[me], "keys")
            offer = self._hand_over(Step.SETUP, QUERYING_PARTY, me, offers[me], "keys")
            party, choice = answering_party_finish_setup(state, key, offer, mask_keys, seed())
            parties.append(party)
            choices[me] = self._hand_over(Step.SETUP, me, QUERYING_PARTY, choice, "choices")
        offer = self._hand_over(Step.SETUP, QUERYING_PARTY, PRIVACY_GUARDIAN, offers[PRIVACY_GUARDIAN], "keys")
        guardian, choice = privacy_guardian_setup(session, suite, offer, seed())
        choices[PRIVACY_GUARDIAN] = self._hand_over(Step.SETUP, PRIVACY_GUARDIAN, QUERYING_PARTY, choice, "choices")
        return querying_party_finish_setup(joining_querying_party, choices), parties, guardian

    def _hand_over(
        self, step: Step, sender: Party, receiver: Party, message: bytes, flight: str | None = None
    ) -> bytes:
        self._meter.message(step, frozenset((sender, receiver)), len(message), flight)
        self._observer.message(step, sender, receiver, message)
        return message
