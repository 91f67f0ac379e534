"""The answering party's part of a batch that is prepared before its queries are known.

Offline, it evaluates each layer on the querying party's masks under encryption and garbles the circuits; it keeps
the labels of its inputs. Online it adds what the querying party sends to its shares, multiplies in the clear, and
sends the labels of its inputs. States of the two parts, and of batches that are answered at once, have types of their
own. Spec: CAPC-AHEAD-001 to CAPC-AHEAD-005.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.encoding import elements_from_bytes
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Rows
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import (
    AnsweringLayer,
    AnsweringVoteShare,
    BatchTransfers,
    answering_vote_shares,
    open_choice,
    own_sums,
    respond_to_request,
)
from capc.steps.layer_circuits import Ending, activation_circuit, garbled_rows, garbler_words, require_ending
from capc.steps.suite import GarblerTransfers, OfflineGarblings


@dataclass(frozen=True, repr=False)
class OfflineLayer(SingleUse):
    """What is kept of a prepared layer. Secret: its shares of W r, and the labels of its circuits' inputs."""

    shares: Rows
    circuits: OfflineGarblings | None


@dataclass(frozen=True, repr=False)
class OfflineRequest(AnsweringLayer):
    """Offline, waiting for the encrypted masks of a layer. Secret: all that is kept.

    Attributes:
        transfers: for each layer.
        kept: of each layer so far.
    """

    transfers: tuple[GarblerTransfers, ...]
    kept: tuple[OfflineLayer, ...]

    def following(self, layer: OfflineLayer) -> OfflineRequest:
        """Waiting for the next layer's; this party's shares of the value between them are not known yet."""
        return self.renewed(layer=self.layer + 1, kept=(*self.kept, layer))


@dataclass(frozen=True, repr=False)
class OfflineChoice(SingleUse):
    """Offline, a layer's request is answered. Secret: its shares of W r."""

    request: OfflineRequest
    shares: Rows


@dataclass(frozen=True, repr=False)
class OnlineValue(AnsweringLayer):
    """Online, waiting for the masked queries, or for the masked value before a layer. Secret: all that is kept.

    Attributes:
        kept: of each layer.
        values: this party's shares of all earlier values.
        own: its shares of the value, to which the message is added.
    """

    kept: tuple[OfflineLayer, ...]
    values: tuple[Rows, ...]
    own: Rows


def answering_party_enter_offline(state: BatchTransfers) -> OfflineRequest:
    """Prepares the batch.

    Raises:
        InputError: the vote takes rounds, which cannot be prepared.
    """
    BatchTransfers.require(state)
    party = state.party
    require_ending(party.session.parameters, party.model.architecture.stages[-1], Ending.VOTE)
    state.spend()
    return OfflineRequest(party, state.batch, 0, state.transfers, ())


def answering_party_evaluate_offline(state: OfflineRequest, request: bytes, seed: Seed) -> tuple[OfflineChoice, bytes]:
    """The response to a layer's masks r: both get shares of W r.

    Reveals: to the querying party shares whose law depends on nothing.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or layer.
    """
    OfflineRequest.require(state)
    if state.layer == len(state.party.model.architecture.stages):
        raise InputError("all layers are prepared: finish the preparation")
    shares, message = respond_to_request("answering_party_prepare_layer", state, request, seed)
    state.spend()
    return OfflineChoice(state, shares), message


def answering_party_keep_masks(state: OfflineChoice) -> OfflineRequest:
    """A layer without activation: there is nothing to garble."""
    OfflineChoice.require(state)
    require_ending(state.request.party.session.parameters, state.request.stage, Ending.SUMS)
    state.spend()
    return state.request.following(OfflineLayer(state.shares, None))


def answering_party_garble_offline(state: OfflineChoice, bits: bytes, seed: Seed) -> tuple[OfflineRequest, bytes]:
    """Garbles a layer's circuits before it knows its inputs.

    Raises:
        ProtocolError: the bits are malformed, or belong to another session, query or layer.
    """
    OfflineChoice.require(state)
    request, parameters = state.request, state.request.party.session.parameters
    require_ending(parameters, request.stage, Ending.RELU, Ending.VOTE)
    circuit, payload, source = open_choice("answering_party_garble_ahead", request, bits, seed)
    instances = request.batch.count * activation_circuit(parameters, request.stage)[1]
    with blamed_on(QUERYING_PARTY):
        offline, circuits = request.party.suite.two_party.garble_offline(
            request.transfers[request.layer], circuit, instances, payload, source
        )
    state.spend()
    message = request.channel.seal(MessageType.GARBLED_CIRCUITS, circuits)
    return request.following(OfflineLayer(state.shares, offline)), message


def answering_party_finish_offline(last: OfflineRequest) -> OnlineValue:
    """All layers are prepared; of the queries its shares are 0 before the message.

    Raises:
        InputError: they are not.
    """
    OfflineRequest.require(last)
    architecture = last.party.model.architecture
    if len(last.kept) != len(architecture.stages):
        raise InputError(f"all {len(architecture.stages)} layers must be prepared, in order: {len(last.kept)} were")
    last.spend()
    return OnlineValue(last.party, last.batch, 0, last.kept, (), ((0,) * architecture.inputs,) * last.batch.count)


def answering_party_send_labels(state: OnlineValue, message: bytes) -> tuple[OnlineValue, bytes]:
    """Takes a masked value, computes up to the next circuits, ReLUs, and sends the labels of its inputs.

    1. Its shares of the value are what it had, plus what the message holds.
    2. Its shares of a layer's sums are those of W r, plus W share + b and its shares of skipped values.
    3. Its shares of the circuits' outputs were known since they were garbled.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    last, shares, reply = _send_labels(state, message, Ending.RELU)
    return last.renewed(layer=last.layer + 1, own=shares), reply


def answering_party_send_vote_labels(
    state: OnlineValue, message: bytes
) -> tuple[tuple[AnsweringVoteShare, ...], bytes]:
    """The same up to the vote: its share of it on each query, and the labels of its inputs."""
    last, shares, reply = _send_labels(state, message, Ending.VOTE)
    return answering_vote_shares(last, shares), reply


def _send_labels(state: OnlineValue, message: bytes, ending: Ending) -> tuple[OnlineValue, Rows, bytes]:
    """The layer of the circuits; its shares of their outputs, for each query; the reply."""
    OnlineValue.require(state)
    last, party, parameters = state, state.party, state.party.session.parameters
    width = parameters.widths.logit_bits
    # 1.
    received = zip(state.own, _read_value(state, message), strict=True)
    values = (*state.values, tuple(tuple(ring.add(*rows, width)) for rows in received))
    # 2.
    while True:
        kept = last.kept[last.layer]
        sums = own_sums(last, kept.shares, values)
        if kept.circuits is not None:
            break
        last, values = last.renewed(layer=last.layer + 1), (*values, sums)
    require_ending(parameters, last.stage, ending)
    labels = party.suite.two_party.activate(kept.circuits, garbler_words(parameters, last.stage, sums))
    state.spend()
    # 3.
    reply = last.channel.seal(MessageType.INPUT_LABELS, labels)
    shares = garbled_rows(parameters, last.stage, kept.circuits.output.shares, last.batch.count)
    return last.renewed(values=values), shares, reply


def _read_value(state: OnlineValue, message: bytes) -> list[list[int]]:
    width, size = state.party.session.parameters.widths.logit_bits, len(state.own[0])
    length = state.batch.count * size * ((width + 7) // 8)
    payload = state.channel.open(MessageType.MASKED_VALUE, message, length)
    with blamed_on(QUERYING_PARTY):
        elements = elements_from_bytes(payload, width)
    return [elements[start : start + size] for start in range(0, len(elements), size)]
