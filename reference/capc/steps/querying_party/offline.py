"""The querying party's part of a batch that is prepared before its queries are known.

Ahead, it goes through all layers with uniform masks in the place of its shares (:func:`querying_party_mask_batch`,
then the steps of `capc.steps.querying_party.inference`), and keeps the garbled circuits instead of evaluating them.
Online it sends its true shares minus the masks, gets the labels of the answering party's inputs, and evaluates: no
encryption, no transfer, no garbling is left.

Source: Mishra et al., "Delphi" (USENIX Security 2020), section 4.1, with re-shared outputs. Spec: CAPC-AHEAD-001 to
CAPC-AHEAD-004.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.encoding import elements_to_bytes
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Activation, Rows, StageShape
from capc.session.envelope import MessageType
from capc.steps.layer_circuits import activation_circuit, rows_by_query
from capc.steps.layer_modes import require_batch
from capc.steps.querying_party.inference import (
    AwaitingCircuits,
    KeptCircuits,
    LayerInput,
    VoteShare,
    check_features,
    enter_values,
    read_votes,
    require_whole_batch,
)
from capc.steps.querying_party.party import OpenBatch


@dataclass(frozen=True, repr=False)
class PreparedBatch(SingleUse):
    """All circuits of a batch are kept; the queries may come. Secret: the masks, which are its shares of all values."""

    last: LayerInput

    @property
    def kept(self) -> tuple[KeptCircuits, ...]:
        """The circuits of each layer that has some."""
        return self.last.kept or ()


@dataclass(frozen=True, repr=False)
class AwaitingLabels(SingleUse):
    """Waiting for the labels of the answering party's inputs of the next kept circuits."""

    prepared: PreparedBatch
    position: int

    @property
    def peer(self) -> Party:
        """The answering party."""
        return self.prepared.last.peer

    @property
    def stage(self) -> StageShape:
        """The shape of the layer whose circuits come next."""
        return self.prepared.last.party.session.architecture(self.peer).stages[self.prepared.kept[self.position].layer]


def querying_party_mask_batch(opened: Sequence[OpenBatch], seed: Seed) -> tuple[LayerInput, ...]:
    """Begins to prepare: one uniform mask in the place of the queries, the same for all answering parties.

    Args:
        opened: of one batch, one for each answering party.
        seed: for the masks.
    """
    require_batch(opened)
    for each in opened:
        OpenBatch.require(each)
    first = opened[0]
    parameters = first.party.session.parameters
    label = first.party.channel(first.peer).label("querying_party_mask_batch", first.batch.first)
    source, width = first.party.suite.expand(seed, label), parameters.widths.logit_bits
    rows = tuple(tuple(ring.uniform(source, parameters.num_features, width)) for _ in first.batch.queries)
    return enter_values(opened, rows, kept=())


def querying_party_keep_circuits(state: AwaitingCircuits, circuits: bytes, seed: Seed) -> LayerInput:
    """Keeps a layer's circuits, and goes on with a uniform mask as its shares of the layer's value, if one follows.

    Raises:
        InputError: the batch is not prepared ahead: its values are true ones.
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    AwaitingCircuits.require(state)
    at, party = state.layer_input, state.layer_input.party
    if at.kept is None:
        raise InputError("this batch is not prepared ahead: evaluate its circuits")
    channel, widths = party.channel(at.peer), party.session.parameters.widths
    circuit, instances = activation_circuit(party.session.parameters, at.stage)
    length = party.suite.two_party.ahead_length(circuit, at.batch.count * instances)
    payload = channel.open(MessageType.GARBLED_CIRCUITS, circuits, length, at.batch.first, at.layer)
    with blamed_on(at.peer):
        party.suite.two_party.check_ahead(state.chosen, payload)
    state.spend()
    at = at.renewed(kept=(*at.kept, KeptCircuits(at.layer, state.chosen, payload)))
    if at.stage.activation is Activation.VOTE:
        return at.following(())
    source = party.suite.expand(seed, channel.label("querying_party_keep_circuits", at.batch.first, at.layer))
    mask = tuple(tuple(ring.uniform(source, at.stage.outputs, widths.logit_bits)) for _ in at.batch.queries)
    return at.following(mask)


def querying_party_finish_preparation(last: LayerInput) -> PreparedBatch:
    """All layers are prepared.

    Raises:
        InputError: they are not, or the values are true ones instead of masks.
    """
    LayerInput.require(last)
    if last.kept is None or last.layer != len(last.party.session.architecture(last.peer).stages):
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
    require_batch(states)
    for each in states:
        PreparedBatch.require(each)
    for state in states:
        state.require_unspent()
    require_whole_batch([(state.last.party, state.last.peer, state.last.batch) for state in states])
    first = states[0].last
    rows = tuple(check_features(first.party.session, query) for query in features)
    if len(rows) != first.batch.count:
        raise InputError(f"{len(rows)} queries in a batch that was prepared for {first.batch.count}")
    for state in states:
        state.spend()
    messages = {state.last.peer: _masked(state.last, 0, rows) for state in states}
    return tuple(AwaitingLabels(state, 0) for state in states), messages


def querying_party_evaluate_prepared(
    state: AwaitingLabels, labels: bytes
) -> tuple[AwaitingLabels, bytes] | tuple[tuple[VoteShare, ...], None]:
    """Evaluates kept circuits; then sends its shares minus the mask, or has its shares of the votes and sends nothing.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    AwaitingLabels.require(state)
    at, kept, stage = state.prepared.last, state.prepared.kept[state.position], state.stage
    party, scheme = at.party, at.party.suite.two_party
    circuit, instances = activation_circuit(party.session.parameters, stage)
    length = scheme.labels_length(circuit, at.batch.count * instances)
    payload = party.channel(at.peer).open(MessageType.INPUT_LABELS, labels, length, at.batch.first, kept.layer)
    with blamed_on(at.peer):
        evaluation = scheme.evaluate_ahead(kept.chosen, kept.payload, payload)
    state.spend()
    if stage.activation is Activation.VOTE:
        return read_votes(at, evaluation), None
    shares = rows_by_query(evaluation.outputs, at.batch.count)
    return AwaitingLabels(state.prepared, state.position + 1), _masked(at, kept.layer + 1, shares)


def _masked(at: LayerInput, value: int, shares: Rows) -> bytes:
    """The message with its shares of a value minus its mask: afterwards the mask is its share."""
    width = at.party.session.parameters.widths.logit_bits
    rows = [ring.subtract(row, mask, width) for row, mask in zip(shares, at.values[value], strict=True)]
    payload = b"".join(elements_to_bytes(row, width) for row in rows)
    return at.party.channel(at.peer).seal(MessageType.MASKED_VALUE, payload, at.batch.first, value)
