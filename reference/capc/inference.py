"""Steps 1a to 1c between the querying party and one answering party, played in one process.

:func:`infer` does everything when the queries are known, :func:`infer_logits` all but step 1c.
:func:`prepare_inference` does ahead what does not need them, and :func:`infer_prepared` the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from capc.answering_party import (
    AwaitingChoice,
    AwaitingRequest,
    AwaitingTransfers,
    VoteReady,
    answering_party_evaluate_layer,
    answering_party_garble_layer,
    answering_party_take_transfers,
)
from capc.answering_party_ahead import (
    AwaitingValue,
    answering_party_finish_preparation,
    answering_party_garble_ahead,
    answering_party_prepare_layer,
    answering_party_send_labels,
)
from capc.answering_party_rounds import answering_party_begin_rounds, answering_party_garble_round
from capc.architecture import Activation
from capc.circuits.activation import votes_in_rounds
from capc.costs import Step
from capc.errors import InputError
from capc.exchange import Exchange
from capc.hidden import type_only
from capc.parties import QUERYING_PARTY, Party
from capc.querying_party import (
    AwaitingResponse,
    LayerInput,
    VoteShare,
    querying_party_choose_labels,
    querying_party_evaluate_layer,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.querying_party_ahead import (
    AwaitingLabels,
    PreparedBatch,
    querying_party_evaluate_prepared,
    querying_party_finish_preparation,
    querying_party_keep_circuits,
)
from capc.querying_party_rounds import querying_party_begin_rounds, querying_party_evaluate_round

Ends = tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]
"""Both parties' shares of the vote on each query."""


def infer(exchange: Exchange, layer_input: LayerInput, waiting: AwaitingTransfers, transfers: bytes) -> Ends:
    """Steps 1a to 1c for a batch of queries.

    Args:
        exchange: hands messages over.
        layer_input: the querying party's state.
        waiting: the answering party's state.
        transfers: the message that makes the transfers.
    """
    before = _until_vote(exchange, layer_input, waiting, transfers)
    if votes_in_rounds(layer_input.party.session.parameters, before.mine.layer_input.stage):
        with exchange.computing(Step.ARGMAX):
            return _vote_in_rounds(exchange, before)
    shares, ready = _activate(exchange, before)
    if isinstance(shares, tuple) and isinstance(ready, tuple):
        return shares, ready
    raise _out_of_step(layer_input.peer)


def infer_logits(
    exchange: Exchange, layer_input: LayerInput, waiting: AwaitingTransfers, transfers: bytes
) -> tuple[LayerInput, AwaitingChoice]:
    """Steps 1a and 1b only: both parties' shares of the logits, for a step 1c elsewhere. Arguments as of `infer`."""
    before = _until_vote(exchange, layer_input, waiting, transfers)
    if before.theirs.request.stage.activation is not Activation.VOTE:
        raise _out_of_step(layer_input.peer)
    return querying_party_keep_sums(before.mine, before.response), before.theirs


class _BeforeCircuits(NamedTuple):
    """Both parties before the circuits of a layer, and the response with the masked sums."""

    mine: AwaitingResponse
    response: bytes
    theirs: AwaitingChoice

    def __repr__(self) -> str:
        return type_only(self)


def _until_vote(
    exchange: Exchange, layer_input: LayerInput, waiting: AwaitingTransfers, transfers: bytes
) -> _BeforeCircuits:
    """All layers, up to the masked sums of the one that votes."""
    peer = layer_input.peer
    with exchange.computing(Step.AHEAD):
        request_state = _take_transfers(exchange, peer, waiting, transfers)
    while True:
        linear, _ = _steps(layer_input.stage.activation)
        with exchange.computing(linear):
            awaiting_response, request = querying_party_request_layer(layer_input)
            exchange.hand_over(linear, QUERYING_PARTY, peer, request)
            evaluated, response = answering_party_evaluate_layer(request_state, request, exchange.seed())
            exchange.hand_over(linear, peer, QUERYING_PARTY, response)
            if isinstance(evaluated, AwaitingRequest):
                layer_input, request_state = querying_party_keep_sums(awaiting_response, response), evaluated
                continue
        before = _BeforeCircuits(awaiting_response, response, evaluated)
        if layer_input.stage.activation is Activation.VOTE:
            return before
        result, after = _activate(exchange, before)
        if isinstance(result, tuple) or isinstance(after, tuple):
            raise _out_of_step(peer)
        layer_input, request_state = result, after


def _vote_in_rounds(exchange: Exchange, before: _BeforeCircuits) -> Ends:
    """Step 1c, round after round."""
    peer = before.theirs.request.party.me
    mine, request = querying_party_begin_rounds(before.mine, before.response)
    theirs = answering_party_begin_rounds(before.theirs)
    while True:
        exchange.hand_over(Step.ARGMAX, QUERYING_PARTY, peer, request)
        after, answer = answering_party_garble_round(theirs, request, exchange.seed())
        exchange.hand_over(Step.ARGMAX, peer, QUERYING_PARTY, answer)
        result, following = querying_party_evaluate_round(mine, answer, exchange.seed())
        exchange.state(QUERYING_PARTY, result)
        exchange.state(peer, after)
        if isinstance(result, tuple) and isinstance(after, tuple):
            return result, after
        if isinstance(result, tuple) or isinstance(after, tuple) or following is None:
            raise _out_of_step(peer)
        mine, theirs, request = result, after, following


def _activate(
    exchange: Exchange, before: _BeforeCircuits
) -> tuple[LayerInput | tuple[VoteShare, ...], AwaitingRequest | tuple[VoteReady, ...]]:
    """The garbled circuits of a layer."""
    layer_input = before.mine.layer_input
    peer = layer_input.peer
    _, circuit = _steps(layer_input.stage.activation)
    with exchange.computing(circuit):
        awaiting_circuits, bits = querying_party_choose_labels(before.mine, before.response)
        exchange.hand_over(circuit, QUERYING_PARTY, peer, bits)
        after, circuits = answering_party_garble_layer(before.theirs, bits, exchange.seed())
        exchange.hand_over(circuit, peer, QUERYING_PARTY, circuits)
        result = querying_party_evaluate_layer(awaiting_circuits, circuits)
    exchange.state(QUERYING_PARTY, result)
    exchange.state(peer, after)
    return result, after


def prepare_inference(
    exchange: Exchange, layer_input: LayerInput, waiting: AwaitingTransfers, transfers: bytes
) -> tuple[PreparedBatch, AwaitingValue]:
    """All layers on masks in the place of queries; the circuits are kept. Arguments as of :func:`infer`."""
    peer = layer_input.peer
    state = _take_transfers(exchange, peer, waiting, transfers)
    for _ in state.party.model.architecture.stages:
        awaiting_response, request = querying_party_request_layer(layer_input)
        exchange.hand_over(Step.AHEAD, QUERYING_PARTY, peer, request)
        prepared, response = answering_party_prepare_layer(state, request, exchange.seed())
        exchange.hand_over(Step.AHEAD, peer, QUERYING_PARTY, response)
        if isinstance(prepared, AwaitingRequest):
            layer_input, state = querying_party_keep_sums(awaiting_response, response), prepared
            continue
        awaiting_circuits, bits = querying_party_choose_labels(awaiting_response, response)
        exchange.hand_over(Step.AHEAD, QUERYING_PARTY, peer, bits)
        state, circuits = answering_party_garble_ahead(prepared, bits, exchange.seed())
        exchange.hand_over(Step.AHEAD, peer, QUERYING_PARTY, circuits)
        layer_input = querying_party_keep_circuits(awaiting_circuits, circuits, exchange.seed())
    return querying_party_finish_preparation(layer_input), answering_party_finish_preparation(state)


def infer_prepared(exchange: Exchange, mine: AwaitingLabels, waiting: AwaitingValue, value: bytes) -> Ends:
    """Steps 1a to 1c for the queries of a prepared batch.

    Args:
        exchange: hands messages over.
        mine: the querying party's state, after it entered the queries.
        waiting: the answering party's state.
        value: the message with the masked queries.
    """
    peer = mine.prepared.last.peer
    while True:
        with exchange.computing(Step.LINEAR):
            exchange.hand_over(Step.LINEAR, QUERYING_PARTY, peer, value)
            after, labels = answering_party_send_labels(waiting, value)
        circuit = Step.ARGMAX if isinstance(after, tuple) else Step.RELU
        with exchange.computing(circuit):
            exchange.hand_over(circuit, peer, QUERYING_PARTY, labels)
            result, next_value = querying_party_evaluate_prepared(mine, labels)
        exchange.state(QUERYING_PARTY, result)
        exchange.state(peer, after)
        if isinstance(result, tuple) and isinstance(after, tuple):
            return result, after
        if isinstance(result, tuple) or isinstance(after, tuple) or next_value is None:
            raise _out_of_step(peer)
        mine, waiting, value = result, after, next_value


def _take_transfers(exchange: Exchange, peer: Party, waiting: AwaitingTransfers, transfers: bytes) -> AwaitingRequest:
    exchange.hand_over(Step.AHEAD, QUERYING_PARTY, peer, transfers)
    return answering_party_take_transfers(waiting, transfers)


def _steps(activation: Activation) -> tuple[Step, Step]:
    """The steps to which a layer's sums and its circuits belong."""
    if activation is Activation.VOTE:
        return Step.MASKED_LOGITS, Step.ARGMAX
    return Step.LINEAR, Step.RELU


def _out_of_step(peer: Party) -> InputError:
    return InputError(f"{peer} and the querying party disagree on the number of layers")
