"""Steps 1 to 3 by the embedded engine: HE, garbled circuits and oblivious transfer, from each role's own chair.

Who asks is the querying party, who answers an answering party. Both know every layer's shape, and with it which step
comes next. Spec: section 06.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.models.architecture import Activation
from capc.protocol.costs import Step
from capc.protocol.link import hear_all, layer_steps, tell
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Methods, Queries, QueryingSeat
from capc.session.parameters import Charge, VoteVariant
from capc.steps.answering_party.inference import (
    AnsweringVoteShare,
    AwaitingChoice,
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
    OnlineValue,
    answering_party_enter_offline,
    answering_party_evaluate_offline,
    answering_party_finish_offline,
    answering_party_garble_offline,
    answering_party_keep_masks,
    answering_party_send_labels,
    answering_party_send_vote_labels,
)
from capc.steps.answering_party.party import AwaitingTransfers
from capc.steps.answering_party.vote_rounds import (
    answering_party_begin_rounds,
    answering_party_garble_last_round,
    answering_party_garble_round,
)
from capc.steps.layer_circuits import vote_shape
from capc.steps.privacy_guardian.aggregation import AggregatedVotes, privacy_guardian_aggregate
from capc.steps.privacy_guardian.party import VoteCollection
from capc.steps.privacy_guardian.release import privacy_guardian_read_answered, privacy_guardian_release
from capc.steps.querying_party.inference import (
    AwaitingResponse,
    LayerInput,
    VoteShare,
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_evaluate_vote,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.steps.querying_party.offline import (
    OfflineInput,
    OnlineBatch,
    OnlineCircuits,
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
from capc.steps.querying_party.party import OpenBatch, ReleaseTurn
from capc.steps.querying_party.release import querying_party_finish_release, querying_party_request_release
from capc.steps.querying_party.vote_rounds import (
    querying_party_begin_rounds,
    querying_party_evaluate_last_round,
    querying_party_evaluate_round,
)


async def ask_layers(seat: QueryingSeat, state: LayerInput, transfers: bytes) -> tuple[AwaitingResponse, bytes]:
    """All layers with one answering party, up to the response with the masked logits.

    Encrypted inputs out, masked sums back, then the layer's activation.

    Args:
        seat: the querying party's.
        state: the first layer's input, the queries.
        transfers: the message that makes transfers.
    """
    link, peer = seat.link, state.peer
    link.step = Step.OFFLINE
    await link.send(peer, transfers)
    for stage in seat.session.architecture(peer).stages:
        link.step, after = layer_steps(stage)
        asked = await tell(link, peer, querying_party_request_layer(state)), await link.receive(peer, after)
        if stage.activation is Activation.NONE:
            state = querying_party_keep_sums(*asked)
        elif stage.activation is not Activation.VOTE:
            circuits = await tell(link, peer, querying_party_choose_labels(*asked))
            state = querying_party_evaluate_layer(circuits, await link.receive(peer))
    return asked


async def answer_layers(seat: AnsweringSeat, waiting: AwaitingTransfers) -> AwaitingChoice:
    """The same: an answering party's part."""
    link, peer = seat.link, QUERYING_PARTY
    answering_party_expect_transfers(waiting)
    state = answering_party_enter_batch(answering_party_take_transfers(waiting, await link.receive(peer)))
    for stage in seat.model.architecture.stages:
        before, after = layer_steps(stage)
        request = await link.receive(peer, before)
        choice = await tell(link, peer, answering_party_evaluate_layer(state, request, seat.seeds()))
        link.step = after
        if stage.activation is Activation.NONE:
            state = answering_party_keep_sums(choice)
        elif stage.activation is not Activation.VOTE:
            state = await tell(link, peer, answering_party_garble_layer(choice, await link.receive(peer), seat.seeds()))
    return choice


class EmbeddedInference:
    """Steps 1a to 1c, layer by layer."""

    async def querying_party(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Sends encrypted inputs, chooses labels of the sums, and evaluates garbled circuits."""
        seat.link.step = Step.LINEAR
        asked = (self._ask(seat, state, transfers[state.peer]) for state in querying_party_enter_batch(opened, queries))
        return await seat.link.together(asked)

    async def _ask(self, seat: QueryingSeat, state: LayerInput, transfers: bytes) -> tuple[VoteShare, ...]:
        link, peer, parameters = seat.link, state.peer, seat.session.parameters
        awaiting, response = await ask_layers(seat, state, transfers)
        if parameters.vote_variant is not VoteVariant.MULTI_ROUND:
            circuits = await tell(link, peer, querying_party_choose_labels(awaiting, response))
            return querying_party_evaluate_vote(circuits, await link.receive(peer))
        turn = await tell(link, peer, querying_party_begin_rounds(awaiting, response))
        for _ in range(vote_shape(parameters, state.batch.count).rounds - 1):
            turn = await tell(link, peer, querying_party_evaluate_round(turn, await link.receive(peer), seat.seeds()))
        return querying_party_evaluate_last_round(turn, await link.receive(peer), seat.seeds())

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[AnsweringVoteShare, ...]:
        """Answers with masked sums, and garbles."""
        link, peer, parameters = seat.link, QUERYING_PARTY, seat.session.parameters
        choice = await answer_layers(seat, waiting)
        if parameters.vote_variant is not VoteVariant.MULTI_ROUND:
            return await tell(link, peer, answering_party_garble_vote(choice, await link.receive(peer), seat.seeds()))
        turn = answering_party_begin_rounds(choice)
        for _ in range(vote_shape(parameters, waiting.batch.count).rounds - 1):
            turn = await tell(link, peer, answering_party_garble_round(turn, await link.receive(peer), seat.seeds()))
        return await tell(link, peer, answering_party_garble_last_round(turn, await link.receive(peer), seat.seeds()))


class EmbeddedPreparation:
    """Steps 1a to 1c on masks in the place of queries; then sums, products in the clear, and garbled evaluation."""

    async def querying_party_prepare(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes]
    ) -> list[OnlineBatch]:
        """Goes through all layers, and keeps their circuits."""
        return await seat.link.together(
            self._prepare(seat, state, transfers[state.peer])
            for state in querying_party_mask_batch(opened, seat.seeds())
        )

    async def _prepare(self, seat: QueryingSeat, state: OfflineInput, transfers: bytes) -> OnlineBatch:
        link, peer = seat.link, state.peer
        await link.send(peer, transfers)
        for stage in seat.session.architecture(peer).stages:
            awaiting = await tell(link, peer, querying_party_request_offline(state))
            response = await link.receive(peer)
            if stage.activation is Activation.NONE:
                state = querying_party_keep_sums_offline(awaiting, response)
            else:
                circuits = await tell(link, peer, querying_party_choose_labels_offline(awaiting, response))
                state = querying_party_keep_circuits(circuits, await link.receive(peer), seat.seeds())
        return querying_party_finish_offline(state)

    async def answering_party_prepare(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> OnlineValue:
        """Shares W r with the querying party, and garbles before it knows its inputs."""
        link, peer = seat.link, QUERYING_PARTY
        answering_party_expect_transfers(waiting)
        state = answering_party_enter_offline(answering_party_take_transfers(waiting, await link.receive(peer)))
        for stage in seat.model.architecture.stages:
            choice = await tell(
                link, peer, answering_party_evaluate_offline(state, await link.receive(peer), seat.seeds())
            )
            if stage.activation is Activation.NONE:
                state = answering_party_keep_masks(choice)
            else:
                state = await tell(
                    link, peer, answering_party_garble_offline(choice, await link.receive(peer), seat.seeds())
                )
        return answering_party_finish_offline(state)

    async def querying_party(
        self, seat: QueryingSeat, prepared: Sequence[OnlineBatch], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Sends values minus their masks, and evaluates the kept circuits."""
        seat.link.step = Step.LINEAR
        entered, values = querying_party_enter_online(prepared, queries)
        return await seat.link.together(self._ask(seat, state, values[state.peer]) for state in entered)

    async def _ask(self, seat: QueryingSeat, state: OnlineCircuits, value: bytes) -> tuple[VoteShare, ...]:
        link, peer = seat.link, state.peer
        link.step = Step.LINEAR
        await link.send(peer, value)
        for _ in range(seat.session.architecture(peer).hidden_activations):
            evaluated = querying_party_evaluate_online(state, await link.receive(peer, Step.RELU))
            link.step = Step.LINEAR
            state = await tell(link, peer, evaluated)
        return querying_party_evaluate_online_vote(state, await link.receive(peer, Step.ARGMAX))

    async def answering_party(self, seat: AnsweringSeat, prepared: OnlineValue) -> tuple[AnsweringVoteShare, ...]:
        """Multiplies in the clear, and sends the labels of its inputs."""
        link, peer, state = seat.link, QUERYING_PARTY, prepared
        for _ in range(seat.model.architecture.hidden_activations):
            sent = answering_party_send_labels(state, await link.receive(peer, Step.LINEAR))
            link.step = Step.RELU
            state = await tell(link, peer, sent)
        votes = answering_party_send_vote_labels(state, await link.receive(peer, Step.LINEAR))
        link.step = Step.ARGMAX
        return await tell(link, peer, votes)


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

    async def answering_party(self, seat: AnsweringSeat, votes: Sequence[AnsweringVoteShare]) -> None:
        """Sends its masked shares."""
        seat.link.step = Step.AGGREGATION
        for vote in votes:
            await seat.link.send(PRIVACY_GUARDIAN, answering_party_send_vote(vote), "votes")

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[VoteCollection]) -> None:
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


async def aggregate(seat: GuardianSeat, state: VoteCollection) -> AggregatedVotes:
    """Step 2: the guardian's part."""
    seat.link.step = Step.AGGREGATION
    return privacy_guardian_aggregate(state, await hear_all(seat.link, seat.session.answering_parties))


EMBEDDED = Methods(EmbeddedInference(), EmbeddedRelease(), EmbeddedPreparation())
