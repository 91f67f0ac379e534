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
class KeptCircuits(SingleUse):
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

    kept: tuple[KeptCircuits, ...] = ()


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
class PreparedBatch(SingleUse):
    """All circuits of a batch are kept; the queries may come. Secret: the masks, which are its shares of all values."""

    last: OfflineInput


@dataclass(frozen=True, repr=False)
class AwaitingLabels(SingleUse):
    """Online, waiting for the labels of the answering party's inputs of the next kept circuits."""

    prepared: PreparedBatch
    position: int

    @property
    def peer(self) -> Party:
        """The answering party."""
        return self.prepared.last.peer

    @property
    def kept(self) -> KeptCircuits:
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
    at = state.layer_input
    require_ending(at.party.session.parameters, at.stage, Ending.SUMS)
    sums = read_sums(at, response)
    state.spend()
    return at.following(sums)


def querying_party_choose_labels_offline(state: OfflineResponse, response: bytes) -> tuple[OfflineCircuits, bytes]:
    """Decrypts its shares W r - m of the layer's sums, and chooses their labels for the layer's circuits.

    Raises:
        InputError: the vote takes rounds, which cannot be prepared.
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    OfflineResponse.require(state)
    at = state.layer_input
    require_ending(at.party.session.parameters, at.stage, Ending.RELU, Ending.VOTE)
    chosen, message = choose_labels(at, read_sums(at, response))
    state.spend()
    return OfflineCircuits(at, chosen), message


def querying_party_keep_circuits(state: OfflineCircuits, circuits: bytes, seed: Seed) -> OfflineInput:
    """Keeps a layer's circuits, and goes on with a uniform mask as its shares of the layer's value, if one follows.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    OfflineCircuits.require(state)
    at, party = state.layer_input, state.layer_input.party
    circuit, instances = activation_circuit(party.session.parameters, at.stage)
    length = party.suite.two_party.ahead_length(circuit, at.batch.count * instances)
    payload = at.channel.open(MessageType.GARBLED_CIRCUITS, circuits, length, at.batch.first, at.layer)
    with blamed_on(at.peer):
        party.suite.two_party.check_ahead(state.chosen, payload)
    state.spend()
    mask: Rows = ()
    if at.layer + 1 < len(party.session.architecture(at.peer).stages):
        source = party.suite.expand(seed, at.channel.label("querying_party_keep_circuits", at.batch.first, at.layer))
        width = party.session.parameters.widths.logit_bits
        mask = tuple(tuple(ring.uniform(source, at.stage.outputs, width)) for _ in at.batch.queries)
    return replace(at.following(mask), kept=(*at.kept, KeptCircuits(at.layer, state.chosen, payload)))


def querying_party_finish_preparation(last: OfflineInput) -> PreparedBatch:
    """All layers are prepared.

    Raises:
        InputError: they are not.
    """
    OfflineInput.require(last)
    if last.layer < len(last.party.session.architecture(last.peer).stages):
        raise InputError("all layers of a masked batch must be prepared first, in order")
    last.spend()
    return PreparedBatch(last)


def querying_party_enter_prepared(
    states: Sequence[PreparedBatch], features: Sequence[Sequence[int]]
) -> tuple[tuple[AwaitingLabels, ...], dict[Party, bytes]]:
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
    PreparedBatch.require_all(states)
    require_whole_batch([(state.last.party, state.last.peer, state.last.batch) for state in states])
    first = states[0].last
    rows = tuple(check_features(first.party.session, query) for query in features)
    if len(rows) != first.batch.count:
        raise InputError(f"{len(rows)} queries in a batch that was prepared for {first.batch.count}")
    for state in states:
        state.spend()
    messages = {state.last.peer: _masked(state.last, 0, rows) for state in states}
    return tuple(AwaitingLabels(state, 0) for state in states), messages


def querying_party_evaluate_prepared(state: AwaitingLabels, labels: bytes) -> tuple[AwaitingLabels, bytes]:
    """Evaluates a layer's kept ReLUs, and sends its shares minus the mask.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    evaluation = _evaluate(state, labels, Ending.RELU)
    at = state.prepared.last
    shares = rows_by_query(evaluation.outputs, at.batch.count)
    return AwaitingLabels(state.prepared, state.position + 1), _masked(at, state.kept.layer + 1, shares)


def querying_party_evaluate_prepared_vote(state: AwaitingLabels, labels: bytes) -> tuple[VoteShare, ...]:
    """Evaluates the last kept circuits to its share of the vote on each query; errors as of the layers before."""
    evaluation = _evaluate(state, labels, Ending.VOTE)
    return read_votes(state.prepared.last, evaluation.outputs)


def _evaluate(state: AwaitingLabels, labels: bytes, ending: Ending) -> Evaluation:
    AwaitingLabels.require(state)
    at, kept, parameters = state.prepared.last, state.kept, state.prepared.last.party.session.parameters
    require_ending(parameters, state.stage, ending)
    scheme, (circuit, instances) = at.party.suite.two_party, activation_circuit(parameters, state.stage)
    length = scheme.labels_length(circuit, at.batch.count * instances)
    payload = at.channel.open(MessageType.INPUT_LABELS, labels, length, at.batch.first, kept.layer)
    with blamed_on(at.peer):
        evaluation = scheme.evaluate_ahead(kept.chosen, kept.payload, payload)
    state.spend()
    return evaluation


def _masked(at: OfflineInput, value: int, shares: Rows) -> bytes:
    """The message with its shares of a value minus its mask: afterwards the mask is its share."""
    width = at.party.session.parameters.widths.logit_bits
    rows = [ring.subtract(row, mask, width) for row, mask in zip(shares, at.values[value], strict=True)]
    payload = b"".join(elements_to_bytes(row, width) for row in rows)
    return at.channel.seal(MessageType.MASKED_VALUE, payload, at.batch.first, value)
