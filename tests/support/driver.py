"""Drives the step functions one by one, as networked parties would, and lets a test interfere at every delivery.

It is a second composition of the steps, beside `capc.protocol.roles`: every message passes through
:meth:`Driver.deliver`, where a test may hand the receiver something else first, and every consumed state is kept for a
second attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, Role
from capc.foundation.randomness import Seed
from capc.models.architecture import Activation
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.protocol.engine import ArgmaxCase, ReleaseCase, SecureEngine
from capc.protocol.functionality import ideal_functionality
from capc.session.envelope import HEADER, MessageType
from capc.session.parameters import Charge, VoteVariant
from capc.session.session import Session
from capc.steps.answering_party.external import answering_party_enter_argmax
from capc.steps.answering_party.inference import (
    answering_party_enter_batch,
    answering_party_evaluate_layer,
    answering_party_expect_transfers,
    answering_party_garble_layer,
    answering_party_garble_vote,
    answering_party_keep_sums,
    answering_party_send_vote,
    answering_party_take_transfers,
)
from capc.steps.answering_party.offline import (
    answering_party_enter_offline,
    answering_party_evaluate_offline,
    answering_party_finish_offline,
    answering_party_garble_offline,
    answering_party_keep_masks,
    answering_party_send_labels,
    answering_party_send_vote_labels,
)
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.answering_party.reverse_setup import answering_party_finish_reverse, answering_party_offer_reverse
from capc.steps.answering_party.setup import (
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.steps.answering_party.vote_rounds import (
    answering_party_begin_rounds,
    answering_party_garble_last_round,
    answering_party_garble_round,
)
from capc.steps.privacy_guardian.aggregation import privacy_guardian_aggregate
from capc.steps.privacy_guardian.external import privacy_guardian_enter_release, privacy_guardian_take_answered
from capc.steps.privacy_guardian.party import PrivacyGuardian, privacy_guardian_open_query
from capc.steps.privacy_guardian.release import privacy_guardian_read_answered, privacy_guardian_release
from capc.steps.privacy_guardian.setup import (
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)
from capc.steps.querying_party.external import (
    querying_party_enter_argmax,
    querying_party_enter_release,
    querying_party_take_label,
    querying_party_take_votes,
)
from capc.steps.querying_party.inference import (
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_evaluate_vote,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.steps.querying_party.offline import (
    querying_party_choose_labels_offline,
    querying_party_enter_online,
    querying_party_evaluate_online,
    querying_party_evaluate_online_vote,
    querying_party_finish_offline,
    querying_party_keep_circuits,
    querying_party_keep_sums_offline,
    querying_party_mask_batch,
    querying_party_request_offline,
)
from capc.steps.querying_party.party import QueryingParty, querying_party_open_batch
from capc.steps.querying_party.release import querying_party_finish_release, querying_party_request_release
from capc.steps.querying_party.reverse_setup import querying_party_choose_reverse, querying_party_finish_reverse
from capc.steps.querying_party.setup import querying_party_begin_setup, querying_party_finish_setup
from capc.steps.querying_party.vote_rounds import (
    querying_party_begin_rounds,
    querying_party_evaluate_last_round,
    querying_party_evaluate_round,
)
from capc.steps.release_transfers import ReleaseTransfers
from capc.steps.suite import Suite
from support.builders import make_account

ROLES = (Role.QUERYING_PARTY, Role.ANSWERING_PARTY, Role.PRIVACY_GUARDIAN)


@dataclass(frozen=True)
class Place:
    """Where in the protocol a message belongs."""

    message_type: MessageType
    sender: Party
    receiver: Party
    query: int
    layer: int

    @classmethod
    def of(cls, message: bytes) -> Place:
        """What an honest message's header says."""
        kind, _, query, layer, sender_role, sender, receiver_role, receiver = HEADER.unpack_from(message)
        ends = Party(ROLES[sender_role], sender), Party(ROLES[receiver_role], receiver)
        return cls(MessageType(kind), *ends, query, layer)


@dataclass(frozen=True)
class Delivery:
    """One message on its way. ``receive`` may be called with other bytes; None stands for no message at all."""

    place: Place
    honest: bytes
    receive: Callable[[bytes | None], object]
    may_be_missing: bool


@dataclass(frozen=True)
class Given:
    """What an outside engine gives a party.

    Attributes:
        kind: votes, label or bit.
        honest: the outputs.
        receive: may be called with other outputs.
        blame: the party that an output is blamed on; None where the caller is.
    """

    kind: str
    honest: object
    receive: Callable[[object], object]
    blame: Party | None


@dataclass(frozen=True)
class Call:
    """A step that consumed a state, and what else it was given."""

    step: Callable[..., object]
    state: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """One query: what the protocol released, what F_CaPC gives, and the bit that the guardian learned."""

    label: int | None
    ideal_label: int | None
    guardian_bit: bool | None


def flat(result: object) -> list[Any]:
    """What a step returned, tuples taken apart."""
    if isinstance(result, tuple):
        return [entry for part in result for entry in flat(part)]
    return [result]


@dataclass
class Driver:
    """One session, all of whose parties are played here; on an outside engine, if there is one.

    Attributes:
        interfere: called before every message is handed over.
        interfere_with_engine: called before every output of the outside engine is handed over.
        sent: all messages.
        entered: all that was entered in the outside engine.
        calls: all steps that consumed a state.
        results: all that these steps returned.
    """

    session: Session
    models: Sequence[QuantisedModel]
    suite: Suite
    account: Account
    draw_seed: Callable[[], Seed]
    interfere: Callable[[Delivery], None] = lambda delivery: None
    engine: SecureEngine | None = None
    interfere_with_engine: Callable[[Given], None] = lambda given: None
    sent: dict[Place, bytes] = field(default_factory=dict)
    entered: list[object] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    querying_party: QueryingParty = field(init=False)
    answering_parties: list[AnsweringParty] = field(init=False)
    guardian: PrivacyGuardian = field(init=False)

    # How messages, outputs and states are handed over.

    def deliver(self, inbound: Mapping[Any, bytes], receive: Callable[..., Any], missing: Collection[Any] = ()) -> Any:
        """Hands over some messages; first lets the test interfere with each, or leave one of ``missing`` out."""
        for key, message in inbound.items():

            def receive_instead(other: bytes | None, key: object = key) -> object:
                rest = {name: data for name, data in inbound.items() if name != key}
                return receive(rest if other is None else {**rest, key: other})

            place = Place.of(message)
            self.sent[place] = message
            self.interfere(Delivery(place, message, receive_instead, key in missing))
        return receive(inbound)

    def hand_over(self, sender: Party, message: bytes, step: Callable[..., Any], state: object, *more: object) -> Any:
        """Delivers a message to a step that takes it after its state."""
        return self.deliver({sender: message}, lambda given: self.consume(step, state, given[sender], *more))

    def hand_over_all(
        self, messages: Mapping[Party, bytes], step: Callable[..., Any], state: object, *more: object
    ) -> Any:
        """Delivers one message of each of several parties to a step that needs all of them."""
        return self.deliver(messages, lambda given: self.consume(step, state, given, *more), messages)

    def give(
        self, kind: str, step: Callable[..., Any], state: object, honest: object, blame: Party | None = None
    ) -> Any:
        """Hands the engine's outputs over; first lets the test interfere."""
        self.interfere_with_engine(Given(kind, honest, lambda outputs: self.consume(step, state, outputs), blame))
        return self.consume(step, state, honest)

    def consume(self, step: Callable[..., Any], state: object, *arguments: object) -> Any:
        """Runs a step and keeps its state and its results."""
        result = step(state, *arguments)
        self.calls.append(Call(step, state, arguments))
        self.results += flat(result)
        return result

    def consume_all(self, step: Callable[..., Any], states: Sequence[object], *arguments: object) -> Any:
        """Runs a step that takes the states of all answering parties at once; keeps each of them."""
        result = step(states, *arguments)
        self.calls += [Call(lambda _, *rest: step(states, *rest), state, arguments) for state in states]
        self.results += flat(result)
        return result

    def call_of(self, step: Callable[..., object]) -> Call:
        (call,) = [call for call in self.calls if call.step is step]
        return call

    def states_of(self, kind: type) -> list[Any]:
        return [call.state for call in self.calls if isinstance(call.state, kind)]

    def results_of(self, kind: type) -> list[Any]:
        return [entry for entry in self.results if isinstance(entry, kind)]

    def payloads_of(self, message_type: MessageType) -> dict[Place, bytes]:
        return {place: sent[HEADER.size :] for place, sent in self.sent.items() if place.message_type is message_type}

    # Step 0.

    def set_up(self) -> None:
        """Step 0, with the second base transfers that a vote in rounds needs."""
        session, suite = self.session, self.suite
        joining = {
            peer: answering_party_begin_setup(session, suite, peer, model, self.draw_seed())
            for peer, model in zip(session.answering_parties, self.models, strict=True)
        }
        starting, offers = querying_party_begin_setup(session, suite, self.draw_seed())
        from_guardian = privacy_guardian_begin_setup(session, suite)
        self.results += [starting, *flat(tuple(joining.values()))]
        choices, waiting = {}, []
        for me, (state, _) in joining.items():
            first = {"offer": offers[me], "check": from_guardian[me]}
            mask_keys = {other: keys[me] for other, (_, keys) in joining.items() if other != me}
            after, choices[me] = self._answer_setup(state, first, mask_keys)
            waiting.append(after)
        checks = {me: first[PRIVACY_GUARDIAN] for me, (_, first) in joining.items()}
        # The guardian's seed makes no difference to the others.
        joining_guardian, choices[PRIVACY_GUARDIAN] = self.deliver(
            {"offer": offers[PRIVACY_GUARDIAN], **checks},
            lambda given: privacy_guardian_answer_setup(
                session, suite, given["offer"], {peer: given[peer] for peer in checks if peer in given}, Seed(bytes(32))
            ),
            checks,
        )
        self.results.append(joining_guardian)
        seed = self.draw_seed()
        self.querying_party, he_keys, trees = self.hand_over_all(choices, querying_party_finish_setup, starting, seed)
        self.answering_parties = [
            self._finish_setup(state, he_keys[state.joining.me], trees[state.joining.me]) for state in waiting
        ]
        self.guardian = self.hand_over(
            QUERYING_PARTY, trees[PRIVACY_GUARDIAN], privacy_guardian_finish_setup, joining_guardian
        )
        if session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
            self._set_up_reverse()

    def _answer_setup(self, state: object, first: Mapping[str, bytes], mask_keys: Mapping[Party, bytes]) -> Any:
        """Three kinds of messages reach one step."""
        seed = self.draw_seed()

        def answer(given: Mapping[Any, bytes]) -> Any:
            keys = {peer: given[peer] for peer in mask_keys if peer in given}
            messages = given["offer"], keys, given["check"]
            return self.consume(answering_party_answer_setup, state, *messages, seed)

        return self.deliver({**first, **mask_keys}, answer, mask_keys)

    def _finish_setup(self, state: object, key: bytes, trees: bytes) -> Any:
        """Two messages of the querying party reach one step."""

        def finish(given: Mapping[Any, bytes]) -> Any:
            return self.consume(answering_party_finish_setup, state, given["key"], given["trees"])

        return self.deliver({"key": key, "trees": trees}, finish)

    def _set_up_reverse(self) -> None:
        """The second base transfers, in which answering parties offer."""
        offering, offers, trees = [], {}, {}
        for party in self.answering_parties:
            state, offers[party.me] = self.consume(answering_party_offer_reverse, party, self.draw_seed())
            offering.append(state)
        choosing, choices = self.hand_over_all(
            offers, querying_party_choose_reverse, self.querying_party, self.draw_seed()
        )
        for position, state in enumerate(offering):
            me, seed = state.party.me, self.draw_seed()
            self.answering_parties[position], trees[me] = self.hand_over(
                QUERYING_PARTY, choices[me], answering_party_finish_reverse, state, seed
            )
        self.querying_party = self.hand_over_all(trees, querying_party_finish_reverse, choosing)

    def fork(self, models: Sequence[QuantisedModel], suite: Suite, draw_seed: Callable[[], Seed]) -> Driver:
        """The same set-up again, unspent, with other models of the same widths: base transfers are slow."""
        other = Driver(self.session, models, suite, make_account(self.session.parameters), draw_seed)
        other.querying_party = self.querying_party.renewed(suite=suite, release_transfers=ReleaseTransfers())
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
        other.guardian = self.guardian.renewed(suite=suite, release_transfers=ReleaseTransfers())
        return other

    # Steps 1 to 3.

    def run_query(self, features: Sequence[int]) -> Outcome:
        return self.run_batch([features])[0]

    def run_batch(self, queries: Sequence[Sequence[int]]) -> list[Outcome]:
        opened, waiting, turns, collecting = self._open(len(queries))
        inputs = self.consume_all(querying_party_enter_batch, opened, queries)
        entered = [self.consume(answering_party_enter_batch, transfers) for transfers in waiting]
        ends = [self.infer(*states) for states in zip(inputs, entered, strict=True)]
        return self._release(ends, turns, collecting, queries)

    def run_prepared(self, queries: Sequence[Sequence[int]]) -> list[Outcome]:
        """The same, prepared before the queries are known."""
        prepared, turns, collecting = self.prepare(len(queries))
        entered, messages = self.consume_all(querying_party_enter_online, [mine for mine, _ in prepared], queries)
        ends = [
            self._infer_prepared(mine, theirs, messages[mine.prepared.last.peer])
            for mine, (_, theirs) in zip(entered, prepared, strict=True)
        ]
        return self._release(ends, turns, collecting, queries)

    def prepare(self, count: int) -> tuple[list[tuple[Any, Any]], Any, Any]:
        """The first part of it: both ends with each answering party, and what the release takes."""
        opened, waiting, turns, collecting = self._open(count)
        masked = querying_party_mask_batch(opened, self.draw_seed())
        return [self._prepare(*states) for states in zip(masked, waiting, strict=True)], turns, collecting

    def _open(self, count: int) -> tuple[Any, ...]:
        """Every party turns to the next queries; transfers are made."""
        self.querying_party, opened, messages, turns = self.consume(
            querying_party_open_batch, self.querying_party, count
        )
        states, collecting = [], []
        for position, party in enumerate(self.answering_parties):
            self.answering_parties[position], state = self.consume(answering_party_open_batch, party, count)
            # Some work ahead: it makes no difference.
            if position % 2:
                answering_party_expect_transfers(state)
            states.append(state)
        for _ in range(count):
            self.guardian, collects = self.consume(privacy_guardian_open_query, self.guardian)
            collecting.append(collects)
        waiting = [
            self.hand_over(QUERYING_PARTY, messages[mine.peer], answering_party_take_transfers, state)
            for mine, state in zip(opened, states, strict=True)
        ]
        return opened, waiting, turns, collecting

    def infer(self, layer_input: Any, waiting: Any) -> tuple[Any, Any]:
        """Steps 1a to 1c with one answering party: both parties' shares of the votes."""
        peer = layer_input.peer
        for stage in self.session.architecture(peer).stages:
            layer_seed, garble_seed = self.draw_seed(), self.draw_seed()
            before, request = self.consume(querying_party_request_layer, layer_input)
            summed, response = self.hand_over(
                QUERYING_PARTY, request, answering_party_evaluate_layer, waiting, layer_seed
            )
            if stage.activation is Activation.NONE:
                layer_input = self.hand_over(peer, response, querying_party_keep_sums, before)
                waiting = self.consume(answering_party_keep_sums, summed)
                continue
            votes = stage.activation is Activation.VOTE
            if votes and self.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
                return self._vote_in_rounds(before, response, summed)
            if votes and self.engine is not None:
                return self._vote_on_engine(self.engine, before, response, summed)
            chosen, bits = self.hand_over(peer, response, querying_party_choose_labels, before)
            garble = answering_party_garble_vote if votes else answering_party_garble_layer
            waiting, circuits = self.hand_over(QUERYING_PARTY, bits, garble, summed, garble_seed)
            evaluate = querying_party_evaluate_vote if votes else querying_party_evaluate_layer
            layer_input = self.hand_over(peer, circuits, evaluate, chosen)
        return layer_input, waiting

    def _vote_in_rounds(self, before: Any, response: bytes, theirs: object) -> tuple[Any, Any]:
        """Step 1c, round after round."""
        peer = before.layer_input.peer
        mine, request = self.hand_over(peer, response, querying_party_begin_rounds, before)
        theirs = self.consume(answering_party_begin_rounds, theirs)
        for _ in range(mine.turn.shape.rounds - 1):
            garble_seed, evaluate_seed = self.draw_seed(), self.draw_seed()
            theirs, answer = self.hand_over(QUERYING_PARTY, request, answering_party_garble_round, theirs, garble_seed)
            mine, request = self.hand_over(peer, answer, querying_party_evaluate_round, mine, evaluate_seed)
        garble_seed, evaluate_seed = self.draw_seed(), self.draw_seed()
        ready, answer = self.hand_over(QUERYING_PARTY, request, answering_party_garble_last_round, theirs, garble_seed)
        return self.hand_over(peer, answer, querying_party_evaluate_last_round, mine, evaluate_seed), ready

    def _vote_on_engine(self, engine: SecureEngine, before: Any, response: bytes, summed: object) -> tuple[Any, Any]:
        """Step 1c on the outside engine."""
        peer = before.layer_input.peer
        mine, logits = self.hand_over(peer, response, querying_party_enter_argmax, before)
        ready, masks, fresh = self.consume(answering_party_enter_argmax, summed, self.draw_seed())
        cases = [ArgmaxCase(*case) for case in zip(masks, fresh, logits, strict=True)]
        self.entered += cases
        shares, _ = engine.argmax(self.session.parameters, cases)
        return self.give("votes", querying_party_take_votes, mine, shares, peer), ready

    def _prepare(self, masked: Any, transfers: object) -> tuple[Any, Any]:
        """All layers with one answering party, on masks."""
        peer, waiting = masked.peer, self.consume(answering_party_enter_offline, transfers)
        for stage in self.session.architecture(peer).stages:
            layer_seed, garble_seed, mask_seed = self.draw_seed(), self.draw_seed(), self.draw_seed()
            before, request = self.consume(querying_party_request_offline, masked)
            summed, response = self.hand_over(
                QUERYING_PARTY, request, answering_party_evaluate_offline, waiting, layer_seed
            )
            if stage.activation is Activation.NONE:
                masked = self.hand_over(peer, response, querying_party_keep_sums_offline, before)
                waiting = self.consume(answering_party_keep_masks, summed)
                continue
            chosen, bits = self.hand_over(peer, response, querying_party_choose_labels_offline, before)
            waiting, circuits = self.hand_over(
                QUERYING_PARTY, bits, answering_party_garble_offline, summed, garble_seed
            )
            masked = self.hand_over(peer, circuits, querying_party_keep_circuits, chosen, mask_seed)
        mine = self.consume(querying_party_finish_offline, masked)
        return mine, self.consume(answering_party_finish_offline, waiting)

    def _infer_prepared(self, mine: Any, theirs: object, value: bytes) -> tuple[Any, Any]:
        """Steps 1a to 1c with one answering party, for the queries of a prepared batch."""
        peer = mine.prepared.last.peer
        activations = [stage.activation for stage in self.session.architecture(peer).stages]
        for activation in activations:
            if activation in (Activation.RELU, Activation.RELU_MAX_POOL):
                theirs, labels = self.hand_over(QUERYING_PARTY, value, answering_party_send_labels, theirs)
                mine, value = self.hand_over(peer, labels, querying_party_evaluate_online, mine)
        ready, labels = self.hand_over(QUERYING_PARTY, value, answering_party_send_vote_labels, theirs)
        return self.hand_over(peer, labels, querying_party_evaluate_online_vote, mine), ready

    def _release(self, ends: Any, turns: Any, collecting: Any, queries: Sequence[Sequence[int]]) -> list[Outcome]:
        """Steps 2 and 3 of every query."""
        outcomes = []
        for number, features in enumerate(queries):
            shares = [mine[number] for mine, _ in ends]
            votes = {
                ready[number].party.me: self.consume(answering_party_send_vote, ready[number]) for _, ready in ends
            }
            aggregated = self.hand_over_all(votes, privacy_guardian_aggregate, collecting[number])
            receipt = self.account.reserve(self.session.tag, aggregated.query, aggregated.inputs_digest)
            release = self._release_embedded if self.engine is None else self._release_on_engine
            label, bit, noise, own_noise = release(turns[number], shares, aggregated, receipt)
            logits = [model.logits(features) for model in self.models]
            ideal = ideal_functionality(self.session.parameters, logits, noise, own_noise)
            outcomes.append(Outcome(label, ideal.querying_party, bit))
        return outcomes

    def _release_embedded(self, turn: object, shares: object, aggregated: object, receipt: Any) -> tuple[Any, ...]:
        """Step 3, once the account is charged: the label, the guardian's bit, and the noise of both parties."""
        awaiting, choice = self.consume(querying_party_request_release, turn, shares, self.draw_seed())
        seed = self.draw_seed()
        released, circuits = self.deliver(
            {QUERYING_PARTY: choice},
            lambda given: self.consume(privacy_guardian_release, aggregated, receipt, given[QUERYING_PARTY], seed),
        )
        circuits = self.account.dispatch(receipt, circuits)
        answer = self.hand_over(PRIVACY_GUARDIAN, circuits, querying_party_finish_release, awaiting)
        bit = None
        if answer.answered_message is not None:
            bit = self.hand_over(QUERYING_PARTY, answer.answered_message, privacy_guardian_read_answered, released)
        return answer.label, bit, released.noise, awaiting.threshold_noise

    def _release_on_engine(self, turn: object, shares: object, aggregated: object, receipt: Any) -> tuple[Any, ...]:
        """The same on the outside engine."""
        parameters = self.session.parameters
        mine, words = self.consume(querying_party_enter_release, turn, shares, self.draw_seed())
        guardian, guardian_words, commitment = self.consume(
            privacy_guardian_enter_release, aggregated, receipt, self.draw_seed()
        )
        self.account.dispatch(receipt, commitment)
        case = ReleaseCase(guardian_words, words)
        self.entered += [case, commitment]
        (outputs,), _ = self.engine.release(parameters, [case])
        answer = self.give("label", querying_party_take_label, mine, outputs.querying_party, PRIVACY_GUARDIAN)
        bit = None
        if parameters.release.charge is Charge.REALISED:
            bit = self.give("bit", privacy_guardian_take_answered, guardian, outputs.privacy_guardian)
        return answer.label, bit, guardian.noise, mine.threshold_noise
