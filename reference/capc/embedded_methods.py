"""Steps 1 to 3 by the embedded engine: HE, garbled circuits and oblivious transfer, from each role's own chair.

Who asks is the querying party, who answers an answering party. Spec: section 06.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from capc.answering_party import (
    AwaitingChoice,
    AwaitingRequest,
    AwaitingTransfers,
    VoteReady,
    answering_party_evaluate_layer,
    answering_party_expect_transfers,
    answering_party_garble_layer,
    answering_party_send_vote,
    answering_party_take_transfers,
)
from capc.answering_party_ahead import (
    AwaitingAheadChoice,
    AwaitingValue,
    answering_party_finish_preparation,
    answering_party_garble_ahead,
    answering_party_prepare_layer,
    answering_party_send_labels,
)
from capc.answering_party_rounds import (
    AwaitingRoundChoice,
    answering_party_begin_rounds,
    answering_party_garble_round,
)
from capc.architecture import Activation
from capc.circuits.activation import votes_in_rounds
from capc.costs import Step
from capc.link import ended_as, hear_all, layer_steps, tell
from capc.parameters import Charge
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.privacy_guardian import (
    Aggregated,
    Collecting,
    privacy_guardian_aggregate,
    privacy_guardian_read_answered,
    privacy_guardian_release,
)
from capc.querying_party import (
    AwaitingResponse,
    LayerInput,
    OpenBatch,
    ReleaseTurn,
    VoteShare,
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.querying_party_ahead import (
    AwaitingLabels,
    PreparedBatch,
    querying_party_enter_prepared,
    querying_party_evaluate_prepared,
    querying_party_finish_preparation,
    querying_party_keep_circuits,
    querying_party_mask_batch,
)
from capc.querying_party_release import querying_party_finish_release, querying_party_request_release
from capc.querying_party_rounds import AwaitingRound, querying_party_begin_rounds, querying_party_evaluate_round
from capc.randomness import Seed
from capc.seats import AnsweringSeat, GuardianSeat, Methods, Queries, QueryingSeat

Choice = TypeVar("Choice", AwaitingChoice, AwaitingAheadChoice)
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


async def ask_layers(
    seat: QueryingSeat,
    first: LayerInput,
    transfers: bytes,
    activate: Callable[[QueryingSeat, AwaitingResponse, bytes], Awaitable[LayerInput | Asked]],
) -> LayerInput | Asked:
    """All layers with one answering party: encrypted inputs out, masked sums back, then the layer's activation.

    Args:
        seat: the querying party's.
        first: the first layer's input: the queries, or masks in their place.
        transfers: the message that makes transfers.
        activate: what it does with the sums of a layer that has an activation.
    """
    link, peer, prepares = seat.link, first.peer, first.kept is not None
    link.step = Step.AHEAD
    await link.send(peer, transfers)
    at: LayerInput | Asked = first
    while isinstance(at, LayerInput) and at.layer < len(seat.session.architecture(peer).stages):
        stage, (link.step, after) = at.stage, layer_steps(at.stage, prepares=prepares)
        awaiting = await tell(link, peer, querying_party_request_layer(at))
        response = await link.receive(peer, after)
        linear = stage.activation is Activation.NONE
        at = querying_party_keep_sums(awaiting, response) if linear else await activate(seat, awaiting, response)
    return at


async def answer_layers(
    seat: AnsweringSeat,
    waiting: AwaitingTransfers,
    evaluate: Callable[[AwaitingRequest, bytes, Seed], tuple[Choice | AwaitingRequest, bytes]],
    garble: Callable[[AnsweringSeat, Choice], Awaitable[AwaitingRequest | Answered]],
    *,
    prepares: bool = False,
) -> AwaitingRequest | Answered:
    """The same: an answering party's part, with its steps for a layer's sums and for its activation."""
    answering_party_expect_transfers(waiting)
    at: AwaitingRequest | Answered = answering_party_take_transfers(waiting, await seat.link.receive(QUERYING_PARTY))
    while isinstance(at, AwaitingRequest) and at.layer < len(seat.model.architecture.stages):
        before, after = layer_steps(at.stage, prepares=prepares)
        request = await seat.link.receive(QUERYING_PARTY, before)
        state = await tell(seat.link, QUERYING_PARTY, evaluate(at, request, seat.seeds()))
        seat.link.step = after
        at = state if isinstance(state, AwaitingRequest) else await garble(seat, state)
    return at


class EmbeddedInference:
    """Steps 1a to 1c, layer by layer."""

    async def querying_party(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Sends encrypted inputs, chooses labels of the sums, and evaluates garbled circuits."""
        seat.link.step = Step.LINEAR
        inputs = querying_party_enter_batch(opened, queries)
        asked = (ask_layers(seat, at, transfers[at.peer], evaluate_circuits) for at in inputs)
        return [ended_as(tuple, shares) for shares in await seat.link.together(asked)]

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[VoteReady, ...]:
        """Answers with masked sums, and garbles."""
        votes = await answer_layers(seat, waiting, answering_party_evaluate_layer, garble_circuits)
        return ended_as(tuple, votes)


async def evaluate_circuits(
    seat: QueryingSeat, awaiting: AwaitingResponse, response: bytes
) -> LayerInput | tuple[VoteShare, ...]:
    """The activation of a layer by garbled circuits, or its vote round after round: the querying party's part."""
    link, peer, stage = seat.link, awaiting.layer_input.peer, awaiting.layer_input.stage
    if not votes_in_rounds(seat.session.parameters, stage):
        circuits = await tell(link, peer, querying_party_choose_labels(awaiting, response))
        return querying_party_evaluate_layer(circuits, await link.receive(peer))
    state: AwaitingRound | tuple[VoteShare, ...]
    state = await tell(link, peer, querying_party_begin_rounds(awaiting, response))
    while isinstance(state, AwaitingRound):
        answer = await link.receive(peer)
        state = await tell(link, peer, querying_party_evaluate_round(state, answer, seat.seeds()))
    return state


async def garble_circuits(seat: AnsweringSeat, choice: AwaitingChoice) -> AwaitingRequest | tuple[VoteReady, ...]:
    """The same: an answering party's part."""
    link, peer = seat.link, QUERYING_PARTY
    if not votes_in_rounds(seat.session.parameters, choice.request.stage):
        bits = await link.receive(peer)
        return await tell(link, peer, answering_party_garble_layer(choice, bits, seat.seeds()))
    state: AwaitingRoundChoice | tuple[VoteReady, ...] = answering_party_begin_rounds(choice)
    while isinstance(state, AwaitingRoundChoice):
        request = await link.receive(peer)
        state = await tell(link, peer, answering_party_garble_round(state, request, seat.seeds()))
    return state


class EmbeddedPreparation:
    """Steps 1a to 1c on masks in the place of queries; then sums, products in the clear, and garbled evaluation."""

    async def querying_party_prepare(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes]
    ) -> list[PreparedBatch]:
        """Goes through all layers, and keeps their circuits."""
        masked = querying_party_mask_batch(opened, seat.seeds())
        return await seat.link.together(self._prepare(seat, at, transfers[at.peer]) for at in masked)

    async def _prepare(self, seat: QueryingSeat, first: LayerInput, transfers: bytes) -> PreparedBatch:
        return querying_party_finish_preparation(await ask_layers(seat, first, transfers, _keep_circuits))

    async def answering_party_prepare(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> AwaitingValue:
        """Answers with W r - m, and garbles before it knows its inputs."""
        last = await answer_layers(seat, waiting, answering_party_prepare_layer, _garble_ahead, prepares=True)
        return answering_party_finish_preparation(last)

    async def querying_party(
        self, seat: QueryingSeat, prepared: Sequence[PreparedBatch], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Sends values minus their masks, and evaluates the kept circuits."""
        seat.link.step = Step.LINEAR
        entered, values = querying_party_enter_prepared(prepared, queries)
        return await seat.link.together(self._ask(seat, state, values[state.peer]) for state in entered)

    async def _ask(self, seat: QueryingSeat, entered: AwaitingLabels, value: bytes) -> tuple[VoteShare, ...]:
        link, peer = seat.link, entered.peer
        after: tuple[AwaitingLabels, bytes] | tuple[tuple[VoteShare, ...], None] = entered, value
        while after[1] is not None:
            link.step = Step.LINEAR
            state = await tell(link, peer, after)
            labels = await link.receive(peer, Step.ARGMAX if state.stage.activation is Activation.VOTE else Step.RELU)
            after = querying_party_evaluate_prepared(state, labels)
        return after[0]

    async def answering_party(self, seat: AnsweringSeat, prepared: AwaitingValue) -> tuple[VoteReady, ...]:
        """Multiplies in the clear, and sends the labels of its inputs."""
        state: AwaitingValue | tuple[VoteReady, ...] = prepared
        while isinstance(state, AwaitingValue):
            value = await seat.link.receive(QUERYING_PARTY, Step.LINEAR)
            state, labels = answering_party_send_labels(state, value)
            seat.link.step = Step.RELU if isinstance(state, AwaitingValue) else Step.ARGMAX
            await seat.link.send(QUERYING_PARTY, labels)
        return state


async def _keep_circuits(seat: QueryingSeat, awaiting: AwaitingResponse, response: bytes) -> LayerInput:
    peer = awaiting.layer_input.peer
    circuits = await tell(seat.link, peer, querying_party_choose_labels(awaiting, response))
    return querying_party_keep_circuits(circuits, await seat.link.receive(peer), seat.seeds())


async def _garble_ahead(seat: AnsweringSeat, choice: AwaitingAheadChoice) -> AwaitingRequest:
    bits = await seat.link.receive(QUERYING_PARTY)
    return await tell(seat.link, QUERYING_PARTY, answering_party_garble_ahead(choice, bits, seat.seeds()))


class EmbeddedRelease:
    """Steps 2 and 3, query by query."""

    async def querying_party(
        self, seat: QueryingSeat, turns: Sequence[ReleaseTurn], shares: Sequence[Sequence[VoteShare]]
    ) -> None:
        """Sends its choice of labels, and evaluates the guardian's circuit to the answer."""
        seat.link.step = Step.RELEASE
        for turn, own in zip(turns, zip(*shares, strict=True), strict=True):
            seat.releasing, choice = querying_party_request_release(turn, own, seat.seeds())
            await seat.link.send(PRIVACY_GUARDIAN, choice, "choice")
            answer = querying_party_finish_release(seat.releasing, await seat.link.receive(PRIVACY_GUARDIAN))
            seat.answers.append((answer, seat.releasing.threshold_noise))
            await tell(seat.link, PRIVACY_GUARDIAN, (answer, answer.answered_message), "answered")

    async def answering_party(self, seat: AnsweringSeat, votes: Sequence[VoteReady]) -> None:
        """Sends its masked shares."""
        seat.link.step = Step.AGGREGATION
        for vote in votes:
            await seat.link.send(PRIVACY_GUARDIAN, answering_party_send_vote(vote), "votes")

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[Collecting]) -> None:
        """Sums the shares; has the account charged before any noise is drawn, and told the message before it leaves."""
        link, account = seat.link, seat.account
        for state in collecting:
            aggregated = await aggregate(seat, state)
            choice = await link.receive(QUERYING_PARTY, Step.RELEASE)
            receipt = account.reserve(seat.session.tag, aggregated.query, aggregated.inputs_digest)
            released, circuits = privacy_guardian_release(aggregated, receipt, choice, seat.seeds())
            seat.noise.append(released.noise)
            await link.send(QUERYING_PARTY, account.dispatch(receipt, circuits), "circuits")
            if seat.session.parameters.release.charge is Charge.REALISED:
                answered = privacy_guardian_read_answered(released, await link.receive(QUERYING_PARTY))
                account.settle(receipt, answered=answered)


async def aggregate(seat: GuardianSeat, state: Collecting) -> Aggregated:
    """Step 2: the guardian's part."""
    seat.link.step = Step.AGGREGATION
    return privacy_guardian_aggregate(state, await hear_all(seat.link, seat.session.answering_parties))


EMBEDDED = Methods(EmbeddedInference(), EmbeddedRelease(), EmbeddedPreparation())
