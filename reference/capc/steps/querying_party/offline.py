"""The querying party's part of a batch that is prepared before its queries are known.

Offline, it goes through all layers with uniform masks in the place of its shares, and keeps the garbled circuits
instead of evaluating them. Online it sends its true shares minus the masks, gets the labels of the answering party's
inputs, and evaluates: no encryption, no transfer, no garbling is left. States of the two parts, and of batches that are
evaluated at once, have types of their own.

Source: Mishra et al., "Delphi" (USENIX Security 2020), section 4.1, with re-shared outputs. Spec: CAPC-AHEAD-001 to
CAPC-AHEAD-005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from capc.foundation import ring
from capc.foundation.encoding import elements_to_bytes
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Rows, StageShape
from capc.session.envelope import MessageType
from capc.steps.layer_circuits import Ending, activation_circuit, require_ending, rows_by_query
from capc.steps.querying_party.inference import (
    QueryingLayer,
    VoteShare,
    check_features,
    choose_labels,
    enter_values,
    read_sums,
    read_votes,
    require_whole_batch,
    seal_request,
)
from capc.steps.querying_party.party import OpenBatch
from capc.steps.suite import ChosenLabels
from capc.two_party.interface import Evaluation


@dataclass(frozen=True, repr=False)
class LayerCircuits(SingleUse):
    """Garbled circuits of a layer that wait for the answering party's labels. Secret: its own labels."""

    layer: int
    chosen: ChosenLabels
    payload: bytes


@dataclass(frozen=True, repr=False)
class OfflineInput(QueryingLayer):
    """Offline, ready to send a layer's masks to one answering party. Secret: the masks, and its own labels.

    Attributes:
        kept: the circuits so far.
    """

    kept: tuple[LayerCircuits, ...] = ()


@dataclass(frozen=True, repr=False)
class OfflineResponse(SingleUse):
    """Offline, waiting for the encrypted sums of a layer. Secret: as in the layer's input."""

    layer_input: OfflineInput


@dataclass(frozen=True, repr=False)
class OfflineCircuits(SingleUse):
    """Offline, waiting for the garbled circuits of a layer. Secret: as in the layer's input; labels of the sums."""

    layer_input: OfflineInput
    chosen: ChosenLabels


@dataclass(frozen=True, repr=False)
class OnlineBatch(SingleUse):
    """All circuits of a batch are kept; the queries may come. Secret: the masks, which are its shares of all values."""

    last: OfflineInput


@dataclass(frozen=True, repr=False)
class OnlineCircuits(SingleUse):
    """Online, waiting for the labels of the answering party's inputs of the next kept circuits."""

    prepared: OnlineBatch
    position: int

    @property
    def peer(self) -> Party:
        """The answering party."""
        return self.prepared.last.peer

    @property
    def kept(self) -> LayerCircuits:
        """The next circuits."""
        return self.prepared.last.kept[self.position]

    @property
    def stage(self) -> StageShape:
        """The shape of the layer whose circuits come next."""
        return self.prepared.last.party.session.architecture(self.peer).stages[self.kept.layer]


def querying_party_mask_batch(opened: Sequence[OpenBatch], seed: Seed) -> tuple[OfflineInput, ...]:
    """Begins to prepare: one uniform mask in the place of the queries, the same for all answering parties.

    Args:
        opened: of one batch, one for each answering party.
        seed: for the masks.
    """
    OpenBatch.require_all(opened)
    first = opened[0]
    parameters = first.party.session.parameters
    label = first.party.channel(first.peer).label("querying_party_mask_batch", first.batch.first)
    source, width = first.party.suite.expand(seed, label), parameters.widths.logit_bits
    rows = tuple(tuple(ring.uniform(source, parameters.num_features, width)) for _ in first.batch.queries)
    return enter_values(OfflineInput, opened, rows)


def querying_party_request_offline(state: OfflineInput) -> tuple[OfflineResponse, bytes]:
    """Its masks of the layer's inputs, encrypted under this party's own key."""
    OfflineInput.require(state)
    if state.layer == len(state.party.session.architecture(state.peer).stages):
        raise InputError("all layers are prepared: finish the preparation")
    state.spend()
    return OfflineResponse(state), seal_request(state)


def querying_party_keep_sums_offline(state: OfflineResponse, response: bytes) -> OfflineInput:
    """A layer without activation: its shares of the sums are the mask of the next value; errors as online."""
    OfflineResponse.require(state)
    layer_input = state.layer_input
    require_ending(layer_input.party.session.parameters, layer_input.stage, Ending.SUMS)
    sums = read_sums(layer_input, response)
    state.spend()
    return layer_input.following(sums)


def querying_party_choose_labels_offline(state: OfflineResponse, response: bytes) -> tuple[OfflineCircuits, bytes]:
    """Decrypts its shares of W r, and chooses their labels for the layer's circuits.

    Raises:
        InputError: the vote takes rounds, which cannot be prepared.
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    OfflineResponse.require(state)
    layer_input = state.layer_input
    require_ending(layer_input.party.session.parameters, layer_input.stage, Ending.RELU, Ending.VOTE)
    chosen, message = choose_labels(layer_input, read_sums(layer_input, response))
    state.spend()
    return OfflineCircuits(layer_input, chosen), message


def querying_party_keep_circuits(state: OfflineCircuits, circuits: bytes, seed: Seed) -> OfflineInput:
    """Keeps a layer's circuits, and goes on with a uniform mask as its shares of the layer's value, if one follows.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    OfflineCircuits.require(state)
    layer_input, party = state.layer_input, state.layer_input.party
    circuit, instances = activation_circuit(party.session.parameters, layer_input.stage)
    length = party.suite.two_party.offline_length(circuit, layer_input.batch.count * instances)
    payload = layer_input.channel.open(MessageType.GARBLED_CIRCUITS, circuits, length)
    with blamed_on(layer_input.peer):
        party.suite.two_party.check_offline(state.chosen, payload)
    state.spend()
    mask: Rows = ()
    if layer_input.layer + 1 < len(party.session.architecture(layer_input.peer).stages):
        source = party.suite.expand(seed, layer_input.channel.label("querying_party_keep_circuits"))
        width = party.session.parameters.widths.logit_bits
        mask = tuple(tuple(ring.uniform(source, layer_input.stage.outputs, width)) for _ in layer_input.batch.queries)
    circuits_kept = LayerCircuits(layer_input.layer, state.chosen, payload)
    return replace(layer_input.following(mask), kept=(*layer_input.kept, circuits_kept))


def querying_party_finish_offline(last: OfflineInput) -> OnlineBatch:
    """All layers are prepared.

    Raises:
        InputError: they are not.
    """
    OfflineInput.require(last)
    if last.layer < len(last.party.session.architecture(last.peer).stages):
        raise InputError("all layers of a masked batch must be prepared first, in order")
    last.spend()
    return OnlineBatch(last)


def querying_party_enter_online(
    states: Sequence[OnlineBatch], features: Sequence[Sequence[int]]
) -> tuple[tuple[OnlineCircuits, ...], dict[Party, bytes]]:
    """Sends the queries minus their mask, which tells nothing.

    The mask of the queries is the same for all answering parties, so all of them get the same queries in one call: two
    queries under one mask would show their difference to parties that collude.

    Args:
        states: of one batch, one for each answering party.
        features: for each query d integers with f fraction bits, in [-2^f, 2^f].

    Returns:
        for each answering party the next state, and the message.

    Raises:
        InputError: the states are not of one batch, one for each answering party; another number of queries or
            features, or one that is no integer in its range.
    """
    OnlineBatch.require_all(states)
    require_whole_batch([(state.last.party, state.last.peer, state.last.batch) for state in states])
    first = states[0].last
    rows = tuple(check_features(first.party.session, query) for query in features)
    if len(rows) != first.batch.count:
        raise InputError(f"{len(rows)} queries in a batch that was prepared for {first.batch.count}")
    for state in states:
        state.spend()
    messages = {state.last.peer: _masked(state.last, 0, rows) for state in states}
    return tuple(OnlineCircuits(state, 0) for state in states), messages


def querying_party_evaluate_online(state: OnlineCircuits, labels: bytes) -> tuple[OnlineCircuits, bytes]:
    """Evaluates a layer's kept ReLUs, and sends its shares minus the mask.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    evaluation = _evaluate(state, labels, Ending.RELU)
    layer_input = state.prepared.last
    shares = rows_by_query(evaluation.outputs, layer_input.batch.count)
    return OnlineCircuits(state.prepared, state.position + 1), _masked(layer_input, state.kept.layer + 1, shares)


def querying_party_evaluate_online_vote(state: OnlineCircuits, labels: bytes) -> tuple[VoteShare, ...]:
    """Evaluates the last kept circuits to its share of the vote on each query; errors as of the layers before."""
    evaluation = _evaluate(state, labels, Ending.VOTE)
    return read_votes(state.prepared.last, evaluation.outputs)


def _evaluate(state: OnlineCircuits, labels: bytes, ending: Ending) -> Evaluation:
    OnlineCircuits.require(state)
    layer_input, kept, parameters = state.prepared.last, state.kept, state.prepared.last.party.session.parameters
    require_ending(parameters, state.stage, ending)
    scheme, (circuit, instances) = layer_input.party.suite.two_party, activation_circuit(parameters, state.stage)
    length = scheme.labels_length(circuit, layer_input.batch.count * instances)
    payload = layer_input.channel_of(kept.layer).open(MessageType.INPUT_LABELS, labels, length)
    with blamed_on(layer_input.peer):
        evaluation = scheme.evaluate_online(kept.chosen, kept.payload, payload)
    state.spend()
    return evaluation


def _masked(state: OfflineInput, value: int, shares: Rows) -> bytes:
    """The message with its shares of a value minus its mask: afterwards the mask is its share."""
    width = state.party.session.parameters.widths.logit_bits
    rows = [ring.subtract(row, mask, width) for row, mask in zip(shares, state.values[value], strict=True)]
    payload = b"".join(elements_to_bytes(row, width) for row in rows)
    return state.channel_of(value).seal(MessageType.MASKED_VALUE, payload)
