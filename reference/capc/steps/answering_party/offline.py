"""The answering party's part of a batch that is prepared before its queries are known.

Ahead, it evaluates each layer on the querying party's masks under encryption and garbles the circuits; it keeps
the labels of its inputs. Online it adds what the querying party sends to its shares, multiplies in the clear, and
sends the labels of its inputs. Spec: CAPC-AHEAD-001 to CAPC-AHEAD-004.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.encoding import elements_from_bytes
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Activation, Rows
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import (
    AwaitingRequest,
    KeptLayer,
    VoteReady,
    open_choice,
    own_sums,
    ready_votes,
    respond_to_request,
)
from capc.steps.layer_circuits import activation_circuit, circuit_words, rows_by_query
from capc.steps.layer_modes import require_circuits, require_layer, require_prepared


@dataclass(frozen=True, repr=False)
class AwaitingAheadChoice(SingleUse):
    """Waiting for the choice bits of a layer that is prepared. Secret: the masks m of its sums."""

    request: AwaitingRequest
    masks: Rows


@dataclass(frozen=True, repr=False)
class AwaitingValue(SingleUse):
    """Prepared, and waiting for the masked queries, or for the masked value of a layer. Secret: all that is kept.

    Attributes:
        request: the layer that follows, with the shares of all earlier values, and what is kept of every layer.
        own: this party's shares of the value, to which the message is added.
    """

    request: AwaitingRequest
    own: Rows


def answering_party_prepare_layer(
    state: AwaitingRequest, request: bytes, seed: Seed
) -> tuple[AwaitingAheadChoice | AwaitingRequest, bytes]:
    """The response W r - m to a layer's masks r, with fresh m.

    Returns:
        the next state, which waits for the next layer's request where the layer has no activation; the response.

    Reveals: to the querying party uniform elements only.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or layer.
    """
    AwaitingRequest.require(state)
    require_prepared(len(state.kept), state.layer)
    require_layer(state.party.model.architecture, state.layer)
    if state.stage.activation is not Activation.NONE:
        require_circuits(state.party.session.parameters, state.stage)
    nothing = [[0] * state.stage.sums] * state.batch.count
    drawn, message = respond_to_request("answering_party_prepare_layer", state, request, nothing, seed)
    masks = tuple(map(tuple, drawn))
    state.spend()
    if state.stage.activation is Activation.NONE:
        return _keep(state, KeptLayer(masks, None)), message
    return AwaitingAheadChoice(state, masks), message


def answering_party_garble_ahead(state: AwaitingAheadChoice, bits: bytes, seed: Seed) -> tuple[AwaitingRequest, bytes]:
    """Garbles a layer's circuits before it knows its inputs.

    Raises:
        ProtocolError: the bits are malformed, or belong to another session, query or layer.
    """
    AwaitingAheadChoice.require(state)
    at = state.request
    circuit, payload, source = open_choice("answering_party_garble_ahead", at, bits, seed)
    _, instances = activation_circuit(at.party.session.parameters, at.stage)
    transfers = at.transfers[at.layer]
    with blamed_on(QUERYING_PARTY):
        ahead, circuits = at.party.suite.two_party.garble_ahead(
            transfers, circuit, at.batch.count * instances, payload, source
        )
    state.spend()
    message = at.party.channel.seal(MessageType.GARBLED_CIRCUITS, circuits, at.batch.first, at.layer)
    return _keep(at, KeptLayer(state.masks, ahead)), message


def answering_party_finish_preparation(last: AwaitingRequest) -> AwaitingValue:
    """All layers are prepared.

    Raises:
        InputError: they are not.
    """
    AwaitingRequest.require(last)
    stages = last.party.model.architecture.stages
    if len(last.kept) != len(stages):
        raise InputError(f"all {len(stages)} layers must be prepared, in order: {len(last.kept)} were")
    last.spend()
    return AwaitingValue(last.renewed(layer=0, values=()), last.values[0])


def answering_party_send_labels(
    state: AwaitingValue, message: bytes
) -> tuple[AwaitingValue | tuple[VoteReady, ...], bytes]:
    """Takes a masked value, computes up to the next circuits, and sends the labels of its inputs.

    1. Its shares of the value are what it had, plus what the message holds.
    2. Its shares of a layer's sums are W share + b + m, and its shares of skipped values.
    3. Its shares of the circuits' outputs were known since they were garbled.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    AwaitingValue.require(state)
    at, widths = state.request, state.request.party.session.parameters.widths
    # 1.
    share = tuple(
        tuple(ring.add(row, masked, widths.logit_bits))
        for row, masked in zip(state.own, _read_value(state, message), strict=True)
    )
    at = at.renewed(values=(*at.values, share))
    architecture = at.party.model.architecture
    while True:
        # 2.
        kept = at.kept[at.layer]
        own = [ring.add(*rows, widths.logit_bits) for rows in zip(own_sums(at), kept.masks, strict=True)]
        sums = architecture.add_skipped(at.layer, own, at.values, widths.fraction_bits, widths.logit_bits)
        if kept.circuits is not None:
            break
        at = at.following(sums)
    labels = at.party.suite.two_party.activate(
        kept.circuits, circuit_words(at.party.session.parameters, at.stage, sums)
    )
    state.spend()
    reply = at.party.channel.seal(MessageType.INPUT_LABELS, labels, at.batch.first, at.layer)
    # 3.
    shares = rows_by_query(kept.circuits.output.shares, at.batch.count)
    if at.stage.activation is Activation.VOTE:
        return ready_votes(at, shares), reply
    return AwaitingValue(at.renewed(layer=at.layer + 1), shares), reply


def _read_value(state: AwaitingValue, message: bytes) -> list[list[int]]:
    at, width = state.request, state.request.party.session.parameters.widths.logit_bits
    size = len(state.own[0])
    length = at.batch.count * size * ((width + 7) // 8)
    payload = at.party.channel.open(MessageType.MASKED_VALUE, message, length, at.batch.first, at.layer)
    with blamed_on(QUERYING_PARTY):
        elements = elements_from_bytes(payload, width)
    return [elements[start : start + size] for start in range(0, len(elements), size)]


def _keep(at: AwaitingRequest, layer: KeptLayer) -> AwaitingRequest:
    """The next layer; this party's shares of the value between them are not known yet."""
    return at.renewed(layer=at.layer + 1, kept=(*at.kept, layer))
