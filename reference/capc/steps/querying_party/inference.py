"""The querying party's inference. Bytes in, bytes out; no step draws randomness or does any I/O.

Per batch of queries and answering party: make transfers ahead; then, layer by layer, encrypt its shares of the
layer's inputs, choose labels of its shares of the sums, evaluate the layer's circuits. Set-up is
`capc.steps.querying_party.setup`, step 3 `capc.steps.querying_party.release`; the mode in which all but sums is made
ahead is `capc.steps.querying_party.offline`. Spec: CAPC-ROLE-007 to CAPC-ROLE-011, CAPC-BATCH-003.

Learns: the released labels or "no consensus", the participant set, and the answering parties' architectures.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from capc.foundation import ring
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import Party
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Rows, StageShape
from capc.session.channel import LayerChannel
from capc.session.envelope import MessageType
from capc.session.session import Batch, Session
from capc.steps.layer_circuits import Ending, activation_circuit, evaluator_words, require_ending, rows_by_query
from capc.steps.querying_party.party import OpenBatch, QueryingParty
from capc.steps.suite import ChosenLabels, EvaluatorTransfers
from capc.two_party.interface import Evaluation
from capc.two_party.transfers import Words


@dataclass(frozen=True, repr=False)
class QueryingLayer(SingleUse):
    """A layer of a batch with one answering party: what batches of both kinds have, each in a type of its own.

    Attributes:
        party: the querying party.
        peer: the answering party.
        batch: the queries.
        transfers: for each layer.
        layer: its number.
        values: for value 0, the queries, and those that earlier layers made, its shares, or masks in their place.
        request: the encrypted inputs, where they were made already.
    """

    party: QueryingParty
    peer: Party
    batch: Batch
    transfers: tuple[EvaluatorTransfers, ...]
    layer: int
    values: tuple[Rows, ...]
    request: bytes | None

    @property
    def stage(self) -> StageShape:
        """The layer's public shape."""
        return self.party.session.architecture(self.peer).stages[self.layer]

    @property
    def channel(self) -> LayerChannel:
        """The connection to the answering party, for this layer."""
        return self.channel_of(self.layer)

    def channel_of(self, layer: int) -> LayerChannel:
        """The same for another layer, or a round of the vote."""
        return self.party.channel(self.peer).at(self.batch.first, layer)

    def following(self, share: Rows) -> Self:
        """The next layer, with this layer's value."""
        return self.renewed(layer=self.layer + 1, values=(*self.values, share), request=None)


Layer = TypeVar("Layer", bound=QueryingLayer)


@dataclass(frozen=True, repr=False)
class LayerInput(QueryingLayer):
    """Ready to send a layer's inputs to one answering party. Secret: its shares of all values (the queries in full)."""


@dataclass(frozen=True, repr=False)
class AwaitingResponse(SingleUse):
    """Waiting for the encrypted sums of a layer. Secret: as in the layer's input."""

    layer_input: LayerInput


@dataclass(frozen=True, repr=False)
class AwaitingCircuits(SingleUse):
    """Waiting for the garbled circuits of a layer. Secret: as in the layer's input; the labels of its shares."""

    layer_input: LayerInput
    chosen: ChosenLabels


@dataclass(frozen=True, repr=False)
class VoteShare(SingleUse):
    """The querying party's share of one answering party's vote, C elements of Z_{2^w}. Secret."""

    session_tag: bytes
    peer: Party
    query: int
    share: tuple[int, ...]


def querying_party_enter_batch(
    opened: Sequence[OpenBatch], features: Sequence[Sequence[int]]
) -> tuple[LayerInput, ...]:
    """Takes the queries in, and encrypts them: once for all answering parties whose first layers admit the same bytes.

    Args:
        opened: of one batch, one for each answering party.
        features: for each query d integers with f fraction bits, in [-2^f, 2^f].

    Raises:
        InputError: another number of queries or features, or one that is no integer in that range; the value is not
            printed.
    """
    OpenBatch.require_all(opened)
    rows = tuple(check_features(opened[0].party.session, query) for query in features)
    if len(rows) != opened[0].batch.count:
        raise InputError(f"{len(rows)} queries in a batch that was opened for {opened[0].batch.count}")
    return enter_values(LayerInput, opened, rows)


def check_features(session: Session, features: Sequence[int]) -> tuple[int, ...]:
    """One query in Z_{2^l}, checked as :func:`querying_party_enter_batch` says."""
    parameters = session.parameters
    if len(features) != parameters.num_features:
        raise InputError(f"a query of {len(features)} features: this session's have {parameters.num_features}")
    for position, value in enumerate(features):
        if not isinstance(value, int) or abs(value) > 1 << parameters.widths.fraction_bits:
            raise InputError(f"feature {position} of the query is no quantised number in [-1, 1]: scale the data first")
    return tuple(ring.reduce(value, parameters.widths.logit_bits) for value in features)


def enter_values(kind: type[Layer], opened: Sequence[OpenBatch], rows: Rows) -> tuple[Layer, ...]:
    """The first layer for each answering party, in a batch of this kind, from one value 0 for all of them.

    Raises:
        InputError: the states are not those of one batch, one for each answering party.
    """
    require_whole_batch([(state.party, state.peer, state.batch) for state in opened])
    requests: dict[Hashable, bytes] = {}
    inputs = []
    for state in opened:
        state.spend()
        linear = state.party.suite.linear
        layer_input = kind(state.party, state.peer, state.batch, state.transfers, 0, (rows,), None)
        layout = linear.request_layout(layer_input.stage.operator, layer_input.batch.count), layer_input.stage.sum_pool
        if layout not in requests:
            requests[layout] = _encrypt(layer_input)
        inputs.append(replace(layer_input, request=requests[layout]))
    return tuple(inputs)


def require_whole_batch(states: Sequence[tuple[QueryingParty, Party, Batch]]) -> None:
    """Refuses states that are not of one batch, one for each answering party: all of them get the same queries.

    Raises:
        InputError: as said.
    """
    origins = {(id(party), batch) for party, _, batch in states}
    if len(origins) != 1 or tuple(peer for _, peer, _ in states) != states[0][0].session.answering_parties:
        raise InputError("the states of one batch are needed, one for each answering party, in order")


def _encrypt(state: QueryingLayer) -> bytes:
    width = state.party.session.parameters.widths.logit_bits
    shares = [state.stage.pool_share(row, width) for row in state.values[state.stage.source]]
    return state.party.suite.linear.encrypt(state.party.he_secret_key, state.stage.operator, shares)


def querying_party_request_layer(state: LayerInput) -> tuple[AwaitingResponse, bytes]:
    """Step 1a: its shares of the layer's inputs, encrypted under this party's own key."""
    LayerInput.require(state)
    state.spend()
    return AwaitingResponse(state), seal_request(state)


def seal_request(state: QueryingLayer) -> bytes:
    """The message with a layer's encrypted inputs."""
    payload = _encrypt(state) if state.request is None else state.request
    return state.channel.seal(MessageType.LINEAR_REQUEST, payload)


def querying_party_keep_sums(state: AwaitingResponse, response: bytes) -> LayerInput:
    """A layer without activation: its shares of the sums are its shares of the next value.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    layer_input = state.layer_input
    require_ending(layer_input.party.session.parameters, layer_input.stage, Ending.SUMS)
    sums = read_sums(layer_input, response)
    state.spend()
    return layer_input.following(sums)


def querying_party_choose_labels(state: AwaitingResponse, response: bytes) -> tuple[AwaitingCircuits, bytes]:
    """Step 1b: decrypts its shares of the layer's sums, and chooses their labels for the layer's circuits.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    layer_input = state.layer_input
    require_ending(layer_input.party.session.parameters, layer_input.stage, Ending.RELU, Ending.VOTE)
    chosen, message = choose_labels(layer_input, read_sums(layer_input, response))
    state.spend()
    return AwaitingCircuits(layer_input, chosen), message


def choose_labels(state: QueryingLayer, sums: Rows) -> tuple[ChosenLabels, bytes]:
    """Chooses the labels of its shares of a layer's sums for the layer's circuits. The transfers are spent."""
    parameters = state.party.session.parameters
    circuit, _ = activation_circuit(parameters, state.stage)
    words = evaluator_words(parameters, state.stage, sums)
    chosen, bits = state.party.suite.two_party.choose(state.transfers[state.layer], circuit, words)
    return chosen, state.channel.seal(MessageType.CHOICE_BITS, bits)


def querying_party_evaluate_layer(state: AwaitingCircuits, circuits: bytes) -> LayerInput:
    """Step 1a: evaluates a layer's ReLUs to its fresh shares.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    evaluation = _evaluate(state, circuits, Ending.RELU)
    return state.layer_input.following(rows_by_query(evaluation.outputs, state.layer_input.batch.count))


def querying_party_evaluate_vote(state: AwaitingCircuits, circuits: bytes) -> tuple[VoteShare, ...]:
    """Step 1c: evaluates the last layer's circuits to its share of the vote on each query.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    evaluation = _evaluate(state, circuits, Ending.VOTE)
    return read_votes(state.layer_input, evaluation.outputs)


def _evaluate(state: AwaitingCircuits, circuits: bytes, ending: Ending) -> Evaluation:
    AwaitingCircuits.require(state)
    layer_input, scheme = state.layer_input, state.layer_input.party.suite.two_party
    require_ending(layer_input.party.session.parameters, layer_input.stage, ending)
    circuit, instances = activation_circuit(layer_input.party.session.parameters, layer_input.stage)
    length = scheme.circuits_length(circuit, layer_input.batch.count * instances)
    payload = layer_input.channel.open(MessageType.GARBLED_CIRCUITS, circuits, length)
    with blamed_on(layer_input.peer):
        evaluation = scheme.evaluate(state.chosen, payload)
    state.spend()
    return evaluation


def read_votes(state: QueryingLayer, outputs: Sequence[Words]) -> tuple[VoteShare, ...]:
    """Its share of the answering party's vote on each query."""
    pairs = zip(state.batch.queries, rows_by_query(outputs, state.batch.count), strict=True)
    return tuple(VoteShare(state.party.session.tag, state.peer, query, share) for query, share in pairs)


def read_sums(state: QueryingLayer, response: bytes) -> Rows:
    """Its shares of the layer's sums in Z_{2^T}: the decrypted response, and its shares of the skipped values."""
    party, count = state.party, state.batch.count
    operator, widths = state.stage.operator, party.session.parameters.widths
    length = party.suite.linear.response_length(operator, count)
    payload = state.channel.open(MessageType.LINEAR_RESPONSE, response, length)
    with blamed_on(state.peer):
        shares = party.suite.linear.decrypt(party.he_secret_key, operator, count, payload)
    architecture = party.session.architecture(state.peer)
    scale_bits = state.stage.scale_bits(widths.fraction_bits) + widths.guard_bits
    return architecture.add_skipped(state.layer, shares, state.values, scale_bits, widths.share_bits)
