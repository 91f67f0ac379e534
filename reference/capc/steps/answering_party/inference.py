"""The answering party's steps. Bytes in, bytes out; no step draws randomness or does any I/O.

Per batch of queries: make transfers ahead; evaluate a layer under encryption, garble its activations, and so on to the
last layer, whose circuits share the votes; then send the masked vote shares to the guardian. The mode in which all but
sums is made ahead is `capc.steps.answering_party.offline`. Spec: CAPC-ROLE-007 to CAPC-ROLE-012, CAPC-ARG-005,
CAPC-AGG-002.

Learns: that a query took place, its shape, the participant set. Not the query, its own vote, or the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.errors import blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.foundation.randomness import RandomSource, Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Rows, StageShape
from capc.models.operators import per_output
from capc.session.channel import Channel, LayerChannel
from capc.session.envelope import MessageType
from capc.session.session import Batch
from capc.steps import zero_sum
from capc.steps.answering_party.party import AnsweringParty, AwaitingTransfers
from capc.steps.layer_circuits import (
    Ending,
    activation_circuit,
    garbled_rows,
    garbler_words,
    require_ending,
    transfer_counts,
)
from capc.steps.messages import VoteShares
from capc.steps.suite import GarblerTransfers
from capc.two_party.circuits.builder import Circuit
from capc_spec.registry import STEP_LABELS


@dataclass(frozen=True, repr=False)
class BatchTransfers(SingleUse):
    """The transfers of a batch are made; whether it is answered at once or prepared is open. Secret: those.

    Attributes:
        party: this party.
        batch: the queries.
        transfers: for each layer.
    """

    party: AnsweringParty
    batch: Batch
    transfers: tuple[GarblerTransfers, ...]


@dataclass(frozen=True, repr=False)
class AnsweringLayer(SingleUse):
    """A layer of a batch: what batches of both kinds have, each in types of its own.

    Attributes:
        party: this party.
        batch: the queries.
        layer: its number.
    """

    party: AnsweringParty
    batch: Batch
    layer: int

    @property
    def stage(self) -> StageShape:
        """The layer's shape."""
        return self.party.model.architecture.stages[self.layer]

    @property
    def channel(self) -> LayerChannel:
        """The connection to the querying party, for this layer."""
        return self.channel_of(self.layer)

    def channel_of(self, layer: int) -> LayerChannel:
        """The same for a round of the vote."""
        return self.party.channel.at(self.batch.first, layer)


@dataclass(frozen=True, repr=False)
class AwaitingRequest(AnsweringLayer):
    """Waiting for the encrypted inputs of a layer. Secret: this party's shares of all values so far (0 of queries).

    Attributes:
        transfers: for each layer.
        values: its shares of value 0, the queries, and of those that earlier layers made; a row for each query.
    """

    transfers: tuple[GarblerTransfers, ...]
    values: tuple[Rows, ...]

    def following(self, share: Rows) -> AwaitingRequest:
        """Waiting for the next layer's, with its shares of this layer's value."""
        return self.renewed(layer=self.layer + 1, values=(*self.values, share))


@dataclass(frozen=True, repr=False)
class AwaitingChoice(SingleUse):
    """A layer's sums are answered; its activation comes next. Secret: its shares of the values, and of the sums."""

    request: AwaitingRequest
    sums: Rows


@dataclass(frozen=True, repr=False)
class AnsweringVoteShare(SingleUse):
    """The last circuit of a query is garbled. Secret: the fresh vote share s."""

    party: AnsweringParty
    query: int
    vote_share: tuple[int, ...]


def answering_party_expect_transfers(state: AwaitingTransfers) -> None:
    """Works ahead while the message of :func:`answering_party_take_transfers` is on its way; never needed.

    Reveals: nothing. Raises nothing that the step itself would not.
    """
    AwaitingTransfers.require(state)
    party, batch = state.party, state.batch
    counts = transfer_counts(party.session.parameters, party.model.architecture, batch.count)
    party.suite.two_party.expect_transfers(party.garbler_key, party.channel.nonce(batch.first), counts)


def answering_party_take_transfers(state: AwaitingTransfers, message: bytes) -> BatchTransfers:
    """Makes its ends of the transfers for every layer of the batch.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session or query; or rows are inconsistent, which
            destroys the session.
    """
    AwaitingTransfers.require(state)
    party, batch, scheme = state.party, state.batch, state.party.suite.two_party
    channel, counts = party.channel, transfer_counts(party.session.parameters, party.model.architecture, batch.count)
    payload = channel.open(MessageType.OT_EXTENSION, message, scheme.extension_length(sum(counts)), batch.first)
    with blamed_on(QUERYING_PARTY):
        transfers = scheme.extend_garbler(party.garbler_key, channel.nonce(batch.first), counts, payload)
    state.spend()
    return BatchTransfers(party, batch, tuple(transfers))


def answering_party_enter_batch(state: BatchTransfers) -> AwaitingRequest:
    """Answers the batch at once; of the queries its shares are 0."""
    BatchTransfers.require(state)
    state.spend()
    zeros = ((0,) * state.party.model.architecture.inputs,) * state.batch.count
    return AwaitingRequest(state.party, state.batch, 0, state.transfers, (zeros,))


def answering_party_evaluate_layer(state: AwaitingRequest, request: bytes, seed: Seed) -> tuple[AwaitingChoice, bytes]:
    """Steps 1a and 1b: shares of the layer's sums.

    1. Both get shares of W x, where x is the querying party's share of the source value: it from the response.
    2. This party adds W share + b to its own; both add their shares of skipped values.

    Reveals: to the querying party shares whose law depends on nothing.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or layer.
    """
    AwaitingRequest.require(state)
    shares, message = respond_to_request("answering_party_evaluate_layer", state, request, seed)
    sums = own_sums(state, shares, state.values)
    state.spend()
    return AwaitingChoice(state, sums), message


def answering_party_keep_sums(state: AwaitingChoice) -> AwaitingRequest:
    """A layer without activation: its shares of the sums are its shares of the next value."""
    AwaitingChoice.require(state)
    require_ending(state.request.party.session.parameters, state.request.stage, Ending.SUMS)
    state.spend()
    return state.request.following(state.sums)


def own_sums(state: AnsweringLayer, shares: Sequence[Sequence[int]], values: Sequence[Rows]) -> Rows:
    """Its shares of a layer's sums, in Z_{2^T}: shares of W x, plus W share + b and its shares of skipped values."""
    party, stage, widths = state.party, state.stage, state.party.session.parameters.widths
    inputs = [stage.pool_share(row, widths.logit_bits) for row in values[stage.source]]
    biases = per_output(stage.operator, party.model.layers[state.layer].biases)
    products = party.suite.linear.multiply(party.prepared_layers[state.layer], inputs)
    sums = []
    for share, product in zip(shares, products, strict=True):
        own = [total + bias << widths.guard_bits for total, bias in zip(product, biases, strict=True)]
        sums.append(ring.add(share, own, widths.share_bits))
    scale_bits = stage.scale_bits(widths.fraction_bits) + widths.guard_bits
    return party.model.architecture.add_skipped(state.layer, sums, values, scale_bits, widths.share_bits)


def respond_to_request(step: str, state: AnsweringLayer, request: bytes, seed: Seed) -> tuple[Rows, bytes]:
    """Its shares of W x for each query, in Z_{2^T}, and the message with the response.

    The masks depend on the request: two requests never meet the same masks, not even under one seed.
    """
    party, stage, batch, channel = state.party, state.stage, state.batch, state.channel
    linear = party.suite.linear
    payload = channel.open(MessageType.LINEAR_REQUEST, request, linear.request_length(stage.operator, batch.count))
    source = party.suite.expand(seed, channel.label(step, bound_to=payload))
    with blamed_on(QUERYING_PARTY):
        shares, response = linear.evaluate(
            party.he_public_key, party.prepared_layers[state.layer], payload, batch.count, source
        )
    return tuple(map(tuple, shares)), channel.seal(MessageType.LINEAR_RESPONSE, response)


def answering_party_garble_layer(state: AwaitingChoice, bits: bytes, seed: Seed) -> tuple[AwaitingRequest, bytes]:
    """Step 1a: garbles the ReLUs that turn shares of sums into fresh shares.

    The fresh shares come from this garbling and have nothing to do with the masks of responses: used again, they would
    show the querying party what they hide (CAPC-ARG-005).

    Reveals: to the querying party its own fresh shares only.

    Raises:
        ProtocolError: the bits are malformed, or belong to another session, query or layer.
    """
    shares, message = _garble(state, bits, seed, Ending.RELU)
    return state.request.following(shares), message


def answering_party_garble_vote(
    state: AwaitingChoice, bits: bytes, seed: Seed
) -> tuple[tuple[AnsweringVoteShare, ...], bytes]:
    """Step 1c: garbles the votes, from shares of the logits to fresh shares; all else as of a layer's ReLUs."""
    shares, message = _garble(state, bits, seed, Ending.VOTE)
    return answering_vote_shares(state.request, shares), message


def _garble(state: AwaitingChoice, bits: bytes, seed: Seed, ending: Ending) -> tuple[Rows, bytes]:
    """Its fresh shares, a row for each query; the message with the circuits."""
    AwaitingChoice.require(state)
    request, parameters = state.request, state.request.party.session.parameters
    require_ending(parameters, request.stage, ending)
    circuit, payload, source = open_choice("answering_party_garble_layer", request, bits, seed)
    scheme, words = request.party.suite.two_party, garbler_words(parameters, request.stage, state.sums)
    with blamed_on(QUERYING_PARTY):
        output, circuits = scheme.garble(request.transfers[request.layer], circuit, words, payload, source)
    state.spend()
    message = request.channel.seal(MessageType.GARBLED_CIRCUITS, circuits)
    return garbled_rows(parameters, request.stage, output.shares, request.batch.count), message


def open_choice(step: str, state: AnsweringLayer, bits: bytes, seed: Seed) -> tuple[Circuit, bytes, RandomSource]:
    """The layer's circuit, the payload of choice bits, and the step's randomness to garble with."""
    party, channel = state.party, state.channel
    circuit, instances = activation_circuit(party.session.parameters, state.stage)
    length = party.suite.two_party.bits_length(circuit, state.batch.count * instances)
    payload = channel.open(MessageType.CHOICE_BITS, bits, length)
    # Other bits, other labels: one hash key and offset never garble for two sets of choices.
    return circuit, payload, party.suite.expand(seed, channel.label(step, bound_to=payload))


def answering_vote_shares(state: AnsweringLayer, shares: Rows) -> tuple[AnsweringVoteShare, ...]:
    """Its fresh vote share of each query."""
    return tuple(
        AnsweringVoteShare(state.party, query, row) for query, row in zip(state.batch.queries, shares, strict=True)
    )


def answering_party_send_vote(state: AnsweringVoteShare) -> bytes:
    """Step 2: the vote share plus this party's zero-sum mask, for the guardian.

    Reveals: to the guardian uniform elements; to guardian and querying party together, with all other answering
    parties' messages, the sum of the votes only.
    """
    AnsweringVoteShare.require(state)
    state.spend()
    party, parameters = state.party, state.party.session.parameters
    width = parameters.widths.vote_bits
    label = STEP_LABELS["answering_party_send_vote"] + b"/" + party.session.tag + state.query.to_bytes(4, "little")
    mask = zero_sum.zero_sum_mask(
        party.me.index, party.pairwise_keys, label, parameters.num_classes, width, party.suite.expand
    )
    shares = VoteShares(tuple(ring.add(state.vote_share, mask, width)), width)
    channel = Channel(party.session.tag, party.me, PRIVACY_GUARDIAN)
    return channel.seal(MessageType.VOTE_SHARES, shares.to_bytes(), state.query)
