"""The querying party's inference. Bytes in, bytes out; no step draws randomness or does any I/O.

Per batch of queries and answering party: make transfers ahead; then, layer by layer, encrypt its shares of the
layer's inputs, choose labels of its shares of the sums, evaluate the layer's circuits. Set-up is
`capc.steps.querying_party.setup`, step 3 `capc.steps.querying_party.release`; the mode in which all but sums is made
ahead is `capc.steps.querying_party.offline`. Spec: CAPC-ROLE-007 to CAPC-ROLE-011.

Learns: the released labels or "no consensus", the participant set, and the answering parties' architectures.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from capc.foundation import ring
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import Party
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Activation, Rows, StageShape
from capc.session.envelope import MessageType
from capc.session.session import Batch, Session
from capc.steps.layer_circuits import activation_circuit, circuit_words, rows_by_query
from capc.steps.layer_modes import require_batch, require_circuits, require_layer, require_sums_kept
from capc.steps.querying_party.party import OpenBatch, QueryingParty
from capc.two_party.interface import Chosen, Evaluation, Transfers


@dataclass(frozen=True, repr=False)
class KeptCircuits(SingleUse):
    """Garbled circuits of a layer that wait for the answering party's labels. Secret: its own labels."""

    layer: int
    chosen: Chosen
    payload: bytes


@dataclass(frozen=True, repr=False)
class LayerInput(SingleUse):
    """Ready to send a layer's inputs to one answering party. Secret: its shares of all values (the queries in full).

    Attributes:
        party: the querying party.
        peer: the answering party.
        batch: the queries.
        transfers: for each layer.
        layer: its number.
        values: its shares of value 0, the queries, and of those that earlier layers made.
        request: the encrypted inputs, where they were made already.
        kept: while a batch is prepared, the circuits so far; None where the values are true ones.
    """

    party: QueryingParty
    peer: Party
    batch: Batch
    transfers: tuple[Transfers, ...]
    layer: int
    values: tuple[Rows, ...]
    request: bytes | None
    kept: tuple[KeptCircuits, ...] | None = None

    @property
    def stage(self) -> StageShape:
        """The layer's public shape."""
        return self.party.session.architecture(self.peer).stages[self.layer]

    def following(self, share: Rows) -> LayerInput:
        """The next layer's input, with its shares of this layer's value."""
        return self.renewed(layer=self.layer + 1, values=(*self.values, share), request=None)


@dataclass(frozen=True, repr=False)
class AwaitingResponse(SingleUse):
    """Waiting for the encrypted sums of a layer. Secret: as in the layer's input."""

    layer_input: LayerInput


@dataclass(frozen=True, repr=False)
class AwaitingCircuits(SingleUse):
    """Waiting for the garbled circuits of a layer. Secret: as in the layer's input; the labels of its shares."""

    layer_input: LayerInput
    chosen: Chosen


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
    require_batch(opened)
    for each in opened:
        OpenBatch.require(each)
    rows = tuple(check_features(opened[0].party.session, query) for query in features)
    if len(rows) != opened[0].batch.count:
        raise InputError(f"{len(rows)} queries in a batch that was opened for {opened[0].batch.count}")
    return enter_values(opened, rows)


def check_features(session: Session, features: Sequence[int]) -> tuple[int, ...]:
    """One query in Z_{2^l}, checked as :func:`querying_party_enter_batch` says."""
    parameters = session.parameters
    if len(features) != parameters.num_features:
        raise InputError(f"a query of {len(features)} features: this session's have {parameters.num_features}")
    for position, value in enumerate(features):
        if not isinstance(value, int) or abs(value) > 1 << parameters.widths.fraction_bits:
            raise InputError(f"feature {position} of the query is no quantised number in [-1, 1]: scale the data first")
    return tuple(ring.reduce(value, parameters.widths.logit_bits) for value in features)


def enter_values(
    opened: Sequence[OpenBatch], rows: Rows, kept: tuple[KeptCircuits, ...] | None = None
) -> tuple[LayerInput, ...]:
    """The first layer's inputs for each answering party, from one value 0 for all of them.

    Raises:
        InputError: the states are not those of one batch, one for each answering party.
    """
    for state in opened:
        state.require_unspent()
    require_whole_batch([(state.party, state.peer, state.batch) for state in opened])
    requests: dict[Hashable, bytes] = {}
    inputs = []
    for state in opened:
        state.spend()
        linear = state.party.suite.linear
        at = LayerInput(state.party, state.peer, state.batch, state.transfers, 0, (rows,), None, kept)
        layout = linear.request_layout(at.stage.operator, at.batch.count), at.stage.sum_pool
        if layout not in requests:
            requests[layout] = _encrypt(at)
        inputs.append(replace(at, request=requests[layout]))
    return tuple(inputs)


def require_whole_batch(states: Sequence[tuple[QueryingParty, Party, Batch]]) -> None:
    """Refuses states that are not of one batch, one for each answering party: all of them get the same queries.

    Raises:
        InputError: as said.
    """
    origins = {(id(party), batch) for party, _, batch in states}
    if len(origins) != 1 or tuple(peer for _, peer, _ in states) != states[0][0].session.answering_parties:
        raise InputError("the states of one batch are needed, one for each answering party, in order")


def _encrypt(at: LayerInput) -> bytes:
    width = at.party.session.parameters.widths.logit_bits
    shares = [at.stage.pool_share(row, width) for row in at.values[at.stage.source]]
    return at.party.suite.linear.encrypt(at.party.he_secret_key, at.stage.operator, shares)


def querying_party_request_layer(state: LayerInput) -> tuple[AwaitingResponse, bytes]:
    """Step 1a: its shares of the layer's inputs, encrypted under this party's own key."""
    LayerInput.require(state)
    require_layer(state.party.session.architecture(state.peer), state.layer)
    state.spend()
    payload = _encrypt(state) if state.request is None else state.request
    channel = state.party.channel(state.peer)
    return AwaitingResponse(state), channel.seal(MessageType.LINEAR_REQUEST, payload, state.batch.first, state.layer)


def querying_party_keep_sums(state: AwaitingResponse, response: bytes) -> LayerInput:
    """A layer without activation: its shares of the sums are its shares of the next value.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    require_sums_kept(state.layer_input.stage, state.layer_input.kept is not None)
    sums = read_sums(state, response)
    state.spend()
    return state.layer_input.following(sums)


def querying_party_choose_labels(state: AwaitingResponse, response: bytes) -> tuple[AwaitingCircuits, bytes]:
    """Step 1b: decrypts its shares z - m of the layer's sums, and chooses their labels for the layer's circuits.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    require_circuits(state.layer_input.party.session.parameters, state.layer_input.stage)
    sums = read_sums(state, response)
    chosen = choose_labels(state.layer_input, sums)
    state.spend()
    return chosen


def choose_labels(at: LayerInput, sums: Rows) -> tuple[AwaitingCircuits, bytes]:
    """Chooses the labels of its shares of a layer's sums for the layer's circuits. The transfers are spent."""
    party = at.party
    circuit, _ = activation_circuit(party.session.parameters, at.stage)
    chosen, bits = party.suite.two_party.choose(
        at.transfers[at.layer], circuit, circuit_words(party.session.parameters, at.stage, sums)
    )
    message = party.channel(at.peer).seal(MessageType.CHOICE_BITS, bits, at.batch.first, at.layer)
    return AwaitingCircuits(at, chosen), message


def querying_party_evaluate_layer(state: AwaitingCircuits, circuits: bytes) -> LayerInput | tuple[VoteShare, ...]:
    """Steps 1a (ReLU) and 1c (vote): evaluates the layer's circuits to its fresh shares.

    Returns:
        the next layer's input, or, after the last, its share of the vote on each query.

    Raises:
        InputError: the batch is prepared ahead; its values are masks.
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    AwaitingCircuits.require(state)
    if state.layer_input.kept is not None:
        raise InputError(
            "this batch is prepared ahead: keep its circuits, and evaluate them when the queries are known"
        )
    at, party = state.layer_input, state.layer_input.party
    circuit, instances = activation_circuit(party.session.parameters, at.stage)
    length = party.suite.two_party.circuits_length(circuit, at.batch.count * instances)
    payload = party.channel(at.peer).open(MessageType.GARBLED_CIRCUITS, circuits, length, at.batch.first, at.layer)
    with blamed_on(at.peer):
        evaluation = party.suite.two_party.evaluate(state.chosen, payload)
    state.spend()
    if at.stage.activation is Activation.VOTE:
        return read_votes(at, evaluation)
    return at.following(rows_by_query(evaluation.outputs, at.batch.count))


def read_votes(at: LayerInput, evaluation: Evaluation) -> tuple[VoteShare, ...]:
    """Its share of the answering party's vote on each query."""
    shares = rows_by_query(evaluation.outputs, at.batch.count)
    pairs = zip(at.batch.queries, shares, strict=True)
    return tuple(VoteShare(at.party.session.tag, at.peer, query, share) for query, share in pairs)


def read_sums(state: AwaitingResponse, response: bytes) -> Rows:
    """Its shares of the layer's sums: the decrypted response, and its shares of the skipped values."""
    state.require_unspent()
    at, party = state.layer_input, state.layer_input.party
    operator, widths, count = at.stage.operator, party.session.parameters.widths, at.batch.count
    length = party.suite.linear.response_length(operator, count)
    payload = party.channel(at.peer).open(MessageType.LINEAR_RESPONSE, response, length, at.batch.first, at.layer)
    with blamed_on(at.peer):
        shares = party.suite.linear.decrypt(party.he_secret_key, operator, count, payload)
    architecture = party.session.architecture(at.peer)
    return architecture.add_skipped(at.layer, shares, at.values, widths.fraction_bits, widths.logit_bits)
