"""The answering party's steps. Bytes in, bytes out; no step draws randomness or does any I/O.

Per query: evaluate a layer under encryption, garble its activation, and so on to the last layer, whose circuit shares
the vote; then send the masked vote share to the guardian. Spec: CAPC-ROLE-007 to CAPC-ROLE-012, CAPC-ARG-005,
CAPC-AGG-002.

Learns: that a query took place, its shape, the participant set. Not the query, its own vote, or the label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from capc import primitives, ring, sharing
from capc.allowance import PrivacyAllowance
from capc.architecture import Activation
from capc.channel import Channel
from capc.circuits.activation import activation_circuit, shares_by_instance
from capc.circuits.words import words_to_bits
from capc.errors import ErrorCode, InputError, ProtocolError, blamed_on
from capc.messages import LABEL_BYTES, MaskKey, MessageType, VoteShares
from capc.model import QuantisedModel
from capc.operators import per_output
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.primitives import Point, Scalar
from capc.randomness import STREAM_LIMIT, Seed
from capc.session import Session, SingleUse, following_query
from capc.suite import Suite


@dataclass(frozen=True, repr=False)
class JoiningAnsweringParty(SingleUse):
    """An answering party between its two set-up steps. Secret: model and mask scalar."""

    session: Session
    suite: Suite
    me: Party
    model: QuantisedModel
    prepared_layers: tuple[object, ...]
    allowance: PrivacyAllowance | None
    mask_scalar: Scalar
    mask_point: Point


@dataclass(frozen=True, repr=False)
class AnsweringParty(SingleUse):
    """An answering party between queries. Secret: model, garbler key, pairwise mask keys."""

    session: Session
    suite: Suite
    me: Party
    model: QuantisedModel
    prepared_layers: tuple[object, ...]
    he_public_key: object
    garbler_key: object
    pairwise_keys: Mapping[int, Seed]
    allowance: PrivacyAllowance | None
    next_query: int

    @property
    def channel(self) -> Channel:
        """The connection to the querying party."""
        return Channel(self.session.tag, self.me, QUERYING_PARTY)


@dataclass(frozen=True, repr=False)
class AwaitingRequest(SingleUse):
    """Waiting for the encrypted input of a layer. Secret: this party's shares of all values so far (0 of the query)."""

    party: AnsweringParty
    query: int
    layer: int
    values: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, repr=False)
class AwaitingColumns(SingleUse):
    """Waiting for the oblivious transfers of a layer's circuit. Secret: its shares of the values, and of the sums."""

    party: AnsweringParty
    query: int
    layer: int
    values: tuple[tuple[int, ...], ...]
    sums: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class VoteReady(SingleUse):
    """The last circuit is garbled. Secret: the fresh vote share s."""

    party: AnsweringParty
    query: int
    vote_share: tuple[int, ...]


def answering_party_begin_setup(
    session: Session, suite: Suite, me: Party, model: QuantisedModel, seed: Seed
) -> tuple[JoiningAnsweringParty, dict[Party, bytes]]:
    """Admits the model and publishes this party's mask key to every other answering party.

    Raises:
        InputError: the model's architecture is not the one that the session declares, its fixed point is another one,
            a sum could wrap, a layer is too large for one step's randomness, or the suite is another session's.
        ParameterError: the model's responses could tell more of its weights than the parameter set allows.
    """
    suite.check_session(session)
    widths = session.parameters.widths
    if model.architecture != session.architecture(me):
        raise InputError(
            f"the model of {me} has another architecture than the session declares: declare the model's own"
        )
    if model.fraction_bits != widths.fraction_bits:
        raise InputError(
            f"the model of {me} has {model.fraction_bits} fraction bits, the session {widths.fraction_bits}"
        )
    model.check_ranges(widths.logit_bits)
    _check_sizes(session, me)
    prepared = tuple(
        suite.linear.prepare(stage.operator, layer.weights)
        for stage, layer in zip(model.architecture.stages, model.layers, strict=True)
    )
    allowance = None
    if widths.he_distance_bits:
        distance = sum((suite.linear.statistical_distance(layer) for layer in prepared), Fraction(0))
        allowance = PrivacyAllowance.for_model(distance, distance=Fraction(1, 1 << widths.he_distance_bits))
    label = Channel(session.tag, me, QUERYING_PARTY).label("answering_party_begin_setup")
    scalar = primitives.random_scalar(suite.expand(seed, label))
    key = MaskKey(primitives.base_multiply(scalar))
    messages = {
        peer: Channel(session.tag, me, peer).seal(MessageType.MASK_KEY, key.to_bytes())
        for peer in session.answering_parties
        if peer != me
    }
    return JoiningAnsweringParty(session, suite, me, model, prepared, allowance, scalar, key.point), messages


def _check_sizes(session: Session, me: Party) -> None:
    """Refuses a layer whose labels need more than one stream of randomness."""
    for number, stage in enumerate(session.architecture(me).stages):
        if stage.activation is Activation.NONE:
            continue
        circuit, instances = activation_circuit(session.parameters.widths, stage)
        if LABEL_BYTES * (instances * circuit.garbler_inputs + 1) + 8 * stage.outputs > STREAM_LIMIT:
            raise InputError(f"layer {number} of the model of {me} has {stage.outputs} outputs: make it smaller")


def answering_party_finish_setup(
    state: JoiningAnsweringParty, he_public_key: bytes, offer: bytes, mask_keys: Mapping[Party, bytes], seed: Seed
) -> tuple[AnsweringParty, bytes]:
    """Takes the querying party's HE key and OT offer and the others' mask keys; answers with the OT choice.

    Raises:
        ProtocolError: a message is malformed or misdirected, or a participant's mask key is missing.
    """
    state.require_unspent()
    session, suite, me = state.session, state.suite, state.me
    channel = Channel(session.tag, me, QUERYING_PARTY)
    pairwise_keys: dict[int, Seed] = {}
    for peer in session.answering_parties:
        if peer == me:
            continue
        if peer not in mask_keys:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no mask key from this answering party")
        peer_channel = Channel(session.tag, me, peer)
        payload = peer_channel.open(MessageType.MASK_KEY, mask_keys[peer], MaskKey.byte_length())
        with blamed_on(peer):
            points = {me.index: state.mask_point, peer.index: MaskKey.from_bytes(payload).point}
        pairwise_keys[peer.index] = sharing.pairwise_key(session.tag, state.mask_scalar, points, me.index, peer.index)
    key_payload = channel.open(MessageType.HE_PUBLIC_KEY, he_public_key, suite.linear.public_key_length())
    offer_payload = channel.open(MessageType.BASE_OT_OFFER, offer, suite.two_party.offer_length())
    with blamed_on(QUERYING_PARTY):
        public_key = suite.linear.read_public_key(key_payload)
        garbler_key, choice = suite.two_party.garbler_choose(
            offer_payload, channel.context(), suite.expand(seed, channel.label("answering_party_finish_setup"))
        )
    state.spend()
    party = AnsweringParty(
        session,
        suite,
        me,
        state.model,
        state.prepared_layers,
        public_key,
        garbler_key,
        pairwise_keys,
        state.allowance,
        next_query=1,
    )
    return party, channel.seal(MessageType.BASE_OT_CHOICE, choice)


def answering_party_open_query(party: AnsweringParty) -> tuple[AnsweringParty, AwaitingRequest]:
    """Takes part in the next query. The party before it is spent, so no query number is used twice.

    Raises:
        BudgetExhaustedError: the model has answered as many queries as its circuit privacy was declared for.
        InputError: the session has no query number left.
    """
    allowance = None if party.allowance is None else party.allowance.charge()
    after = replace(party, allowance=allowance, next_query=following_query(party.next_query))
    party.spend()
    return after, AwaitingRequest(party, party.next_query, 0, ((0,) * party.model.architecture.inputs,))


def answering_party_evaluate_layer(
    state: AwaitingRequest, request: bytes, seed: Seed
) -> tuple[AwaitingColumns | AwaitingRequest, bytes]:
    """Steps 1a and 1b: the layer's sums, under encryption and additively masked.

    1. m is uniform in Z_{2^l} for each sum.
    2. The response encrypts W x + (W share + b - m), where x is the querying party's share of the source value.
    3. The querying party will hold z - m, this party holds m; both add their shares of skipped values.

    Returns:
        the next state, which waits for the next layer's request where the layer has no activation; the response.

    Reveals: to the querying party uniform elements only.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or layer.
    """
    state.require_unspent()
    party, width = state.party, state.party.session.parameters.widths.logit_bits
    suite, channel, model = party.suite, party.channel, party.model
    stage, prepared = model.architecture.stages[state.layer], party.prepared_layers[state.layer]
    length = suite.linear.request_length(stage.operator)
    payload = channel.open(MessageType.LINEAR_REQUEST, request, length, state.query, state.layer)
    # 1.
    source = suite.expand(seed, channel.label("answering_party_evaluate_layer", state.query, state.layer))
    mask = ring.uniform(source, stage.sums, width)
    # 2.
    share = stage.pool_share(state.values[stage.source], width)
    biases = per_output(stage.operator, model.layers[state.layer].biases)
    own_part = ring.add(suite.linear.multiply(prepared, share), biases, width)
    addend = ring.subtract(own_part, mask, width)
    with blamed_on(QUERYING_PARTY):
        response = suite.linear.evaluate(party.he_public_key, prepared, payload, addend, source)
    # 3.
    skipped = model.architecture.skipped(state.layer, state.values, model.fraction_bits)
    sums = tuple(sharing.sum_shares([mask, *skipped], width))
    state.spend()
    message = channel.seal(MessageType.LINEAR_RESPONSE, response, state.query, state.layer)
    if stage.activation is Activation.NONE:
        return AwaitingRequest(party, state.query, state.layer + 1, (*state.values, sums)), message
    return AwaitingColumns(party, state.query, state.layer, state.values, sums), message


def answering_party_garble_layer(
    state: AwaitingColumns, columns: bytes, seed: Seed
) -> tuple[AwaitingRequest | VoteReady, bytes]:
    """Steps 1a (ReLU) and 1c (vote): garbles the circuit that turns shares of sums into fresh shares.

    The fresh share is drawn here and has nothing to do with the mask m: used again, m would show the querying party
    what it hides (CAPC-ARG-005).

    Reveals: to the querying party its own fresh share only.

    Raises:
        ProtocolError: the columns are malformed, or belong to another session, query or layer.
    """
    state.require_unspent()
    party, widths = state.party, state.party.session.parameters.widths
    suite, channel = party.suite, party.channel
    stage = party.model.architecture.stages[state.layer]
    circuit, instances = activation_circuit(widths, stage)
    length = suite.two_party.columns_length(circuit, instances)
    payload = channel.open(MessageType.OT_COLUMNS, columns, length, state.query, state.layer)
    # Other columns, other labels: one hash key and offset never garble for two sets of choices.
    label = channel.label("answering_party_garble_layer", state.query, state.layer)
    source = suite.expand(seed, label + hashlib.sha256(payload).digest())
    is_vote = stage.activation is Activation.VOTE
    fresh_width = widths.vote_bits if is_vote else widths.logit_bits
    fresh = ring.uniform(source, stage.outputs, fresh_width)
    instance_shares = shares_by_instance(stage, state.sums)
    instance_fresh = [fresh] if is_vote else [[share] for share in fresh]
    inputs = [
        words_to_bits(shares, widths.logit_bits) + words_to_bits(new, fresh_width)
        for shares, new in zip(instance_shares, instance_fresh, strict=True)
    ]
    with blamed_on(QUERYING_PARTY):
        _, circuits = suite.two_party.garble(
            party.garbler_key, channel.context(state.query, state.layer), circuit, inputs, payload, source
        )
    state.spend()
    message = channel.seal(MessageType.GARBLED_CIRCUITS, circuits, state.query, state.layer)
    if is_vote:
        return VoteReady(party, state.query, tuple(fresh)), message
    return AwaitingRequest(party, state.query, state.layer + 1, (*state.values, tuple(fresh))), message


def answering_party_send_vote(state: VoteReady) -> bytes:
    """Step 2: the vote share plus this party's zero-sum mask, for the guardian.

    Reveals: to the guardian uniform elements; to guardian and querying party together, with all other answering
    parties' messages, the sum of the votes only.
    """
    state.spend()
    party, parameters = state.party, state.party.session.parameters
    width = parameters.widths.vote_bits
    label = b"zero-sum/" + party.session.tag + state.query.to_bytes(4, "little")
    mask = sharing.zero_sum_mask(
        party.me.index, party.pairwise_keys, label, parameters.num_classes, width, party.suite.expand
    )
    shares = VoteShares(tuple(ring.add(state.vote_share, mask, width)), width)
    channel = Channel(party.session.tag, party.me, PRIVACY_GUARDIAN)
    return channel.seal(MessageType.VOTE_SHARES, shares.to_bytes(), state.query)
