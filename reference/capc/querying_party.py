"""The querying party's steps. Bytes in, bytes out; no step draws randomness or does any I/O.

Per query and answering party: encrypt its share of a layer's input, transfer its share of the sums into the layer's
circuit, evaluate it, and so on to its share of the vote. Then, with the guardian, the label. Spec: CAPC-ROLE-007 to
CAPC-ROLE-011, CAPC-REL-002, CAPC-REL-003.

Learns: the released label or "no consensus", the participant set, and the answering parties' layer widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from capc import ring, sharing
from capc.architecture import Activation, StageShape
from capc.channel import Channel
from capc.circuits import release
from capc.circuits.activation import activation_circuit, shares_by_instance
from capc.circuits.words import bits_to_words, words_to_bits
from capc.errors import ErrorCode, InputError, ProtocolError, blamed_on
from capc.messages import LABEL_BYTES, MessageType
from capc.parameters import Charge, Parameters
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.randomness import Seed
from capc.session import Session, SingleUse, following_query
from capc.suite import Suite
from capc.two_party import Chosen


@dataclass(frozen=True, repr=False)
class JoiningQueryingParty(SingleUse):
    """The querying party between its two set-up steps. Secret: HE secret key, OT states."""

    session: Session
    suite: Suite
    he_secret_key: object
    ot_states: Mapping[Party, object]


@dataclass(frozen=True, repr=False)
class QueryingParty(SingleUse):
    """The querying party between queries. Secret: HE secret key, evaluator keys."""

    session: Session
    suite: Suite
    he_secret_key: object
    evaluator_keys: Mapping[Party, object]
    next_query: int

    def channel(self, peer: Party) -> Channel:
        """The connection to a peer."""
        return Channel(self.session.tag, QUERYING_PARTY, peer)


@dataclass(frozen=True, repr=False)
class LayerInput(SingleUse):
    """Ready to send a layer's input to one answering party. Secret: its shares of all values (the query in full)."""

    party: QueryingParty
    peer: Party
    query: int
    layer: int
    values: tuple[tuple[int, ...], ...]

    @property
    def stage(self) -> StageShape:
        """The layer's public shape."""
        return self.party.session.architecture(self.peer).stages[self.layer]


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


@dataclass(frozen=True, repr=False)
class ReleaseTurn(SingleUse):
    """The right to request the release of one query, once."""

    party: QueryingParty
    query: int


@dataclass(frozen=True, repr=False)
class AwaitingRelease(SingleUse):
    """Waiting for the guardian's circuit. Secret: its labels, and in realised mode its own threshold noise."""

    party: QueryingParty
    query: int
    chosen: Chosen
    threshold_noise: int


@dataclass(frozen=True)
class Answer:
    """What the querying party learns from one query.

    Attributes:
        query: the query's number in the session.
        label: the released class, or None for "no consensus".
        answered_message: in realised mode the message that tells the guardian the answered bit, else None.
    """

    query: int
    label: int | None
    answered_message: bytes | None = field(repr=False)


def querying_party_begin_setup(
    session: Session, suite: Suite, seed: Seed
) -> tuple[JoiningQueryingParty, dict[Party, bytes], dict[Party, bytes]]:
    """HE keys, and the OT offers.

    Returns:
        the next state; the HE public key message for each answering party; the OT offer message for each answering
        party and the guardian.
    """
    suite.check_session(session)
    secret_key, public_key = suite.linear.generate_keys()
    ot_states: dict[Party, object] = {}
    key_messages: dict[Party, bytes] = {}
    offers: dict[Party, bytes] = {}
    for peer in (*session.answering_parties, PRIVACY_GUARDIAN):
        channel = Channel(session.tag, QUERYING_PARTY, peer)
        source = suite.expand(seed, channel.label("querying_party_begin_setup"))
        ot_states[peer], offer = suite.two_party.evaluator_offer(source)
        offers[peer] = channel.seal(MessageType.BASE_OT_OFFER, offer)
        if peer != PRIVACY_GUARDIAN:
            key_messages[peer] = channel.seal(MessageType.HE_PUBLIC_KEY, public_key)
    return JoiningQueryingParty(session, suite, secret_key, ot_states), key_messages, offers


def querying_party_finish_setup(state: JoiningQueryingParty, choices: Mapping[Party, bytes]) -> QueryingParty:
    """Takes every peer's OT choice.

    Raises:
        ProtocolError: a choice is malformed or misdirected, or a participant's is missing.
    """
    state.require_unspent()
    payloads: dict[Party, bytes] = {}
    for peer in state.ot_states:
        if peer not in choices:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no OT choice from this party")
        channel = Channel(state.session.tag, QUERYING_PARTY, peer)
        payloads[peer] = channel.open(MessageType.BASE_OT_CHOICE, choices[peer], state.suite.two_party.choice_length())
    keys: dict[Party, object] = {}
    for peer, ot_state in state.ot_states.items():
        context = Channel(state.session.tag, QUERYING_PARTY, peer).context()
        with blamed_on(peer):
            keys[peer] = state.suite.two_party.evaluator_finish(ot_state, payloads[peer], context)
    state.spend()
    return QueryingParty(state.session, state.suite, state.he_secret_key, keys, next_query=1)


def querying_party_open_query(
    party: QueryingParty, features: Sequence[int]
) -> tuple[QueryingParty, tuple[LayerInput, ...], ReleaseTurn]:
    """Begins the next query with every answering party.

    Args:
        party: the querying party; it is spent, so no query number is used twice.
        features: d integers with f fraction bits, in [-2^f, 2^f].

    Returns:
        the party after this query; the input for each answering party; the turn to request the label with.

    Raises:
        InputError: another number of features, or one that is no integer in that range; the value is not printed.
    """
    party.require_unspent()
    parameters = party.session.parameters
    if len(features) != parameters.num_features:
        raise InputError(f"a query of {len(features)} features: this session's have {parameters.num_features}")
    for position, value in enumerate(features):
        if not isinstance(value, int) or abs(value) > 1 << parameters.widths.fraction_bits:
            raise InputError(f"feature {position} of the query is no quantised number in [-1, 1]: scale the data first")
    after = replace(party, next_query=following_query(party.next_query))
    party.spend()
    values = tuple(ring.reduce(value, parameters.widths.logit_bits) for value in features)
    inputs = tuple(LayerInput(party, peer, party.next_query, 0, (values,)) for peer in party.session.answering_parties)
    return after, inputs, ReleaseTurn(party, party.next_query)


def querying_party_request_layer(state: LayerInput) -> tuple[AwaitingResponse, bytes]:
    """Step 1a: its share of the layer's input, encrypted under this party's own key."""
    state.spend()
    party, stage = state.party, state.stage
    share = stage.pool_share(state.values[stage.source], party.session.parameters.widths.logit_bits)
    payload = party.suite.linear.encrypt(party.he_secret_key, stage.operator, share)
    message = party.channel(state.peer).seal(MessageType.LINEAR_REQUEST, payload, state.query, state.layer)
    return AwaitingResponse(state), message


def querying_party_keep_sums(state: AwaitingResponse, response: bytes) -> LayerInput:
    """A layer without activation: its share of the sums is its share of the next value.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    sums = _read_sums(state, response)
    state.spend()
    return _next_input(state.layer_input, sums)


def querying_party_choose_labels(state: AwaitingResponse, response: bytes) -> tuple[AwaitingCircuits, bytes]:
    """Step 1b: decrypts its share z - m of the layer's sums, and transfers it into the layer's circuit.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    sums = _read_sums(state, response)
    at, party = state.layer_input, state.layer_input.party
    channel, widths = party.channel(at.peer), party.session.parameters.widths
    circuit, _ = activation_circuit(widths, at.stage)
    inputs = [words_to_bits(shares, widths.logit_bits) for shares in shares_by_instance(at.stage, sums)]
    key, context = party.evaluator_keys[at.peer], channel.context(at.query, at.layer)
    chosen, columns = party.suite.two_party.choose(key, context, circuit, inputs)
    state.spend()
    message = channel.seal(MessageType.OT_COLUMNS, columns, at.query, at.layer)
    return AwaitingCircuits(at, chosen), message


def querying_party_evaluate_layer(state: AwaitingCircuits, circuits: bytes) -> LayerInput | VoteShare:
    """Steps 1a (ReLU) and 1c (vote): evaluates the layer's circuit to its fresh share.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or layer.
    """
    state.require_unspent()
    at, party = state.layer_input, state.layer_input.party
    widths = party.session.parameters.widths
    circuit, instances = activation_circuit(widths, at.stage)
    length = party.suite.two_party.circuits_length(circuit, instances)
    payload = party.channel(at.peer).open(MessageType.GARBLED_CIRCUITS, circuits, length, at.query, at.layer)
    with blamed_on(at.peer):
        evaluation = party.suite.two_party.evaluate(state.chosen, payload)
    state.spend()
    bits = [bit for outputs in evaluation.outputs for bit in outputs]
    if at.stage.activation is Activation.VOTE:
        return VoteShare(party.session.tag, at.peer, at.query, tuple(bits_to_words(bits, widths.vote_bits)))
    return _next_input(at, bits_to_words(bits, widths.logit_bits))


def _read_sums(state: AwaitingResponse, response: bytes) -> list[int]:
    """Its share of the layer's sums: the decrypted response, and its shares of the skipped values."""
    state.require_unspent()
    at, party = state.layer_input, state.layer_input.party
    operator, parameters = at.stage.operator, party.session.parameters
    length = party.suite.linear.response_length(operator)
    payload = party.channel(at.peer).open(MessageType.LINEAR_RESPONSE, response, length, at.query, at.layer)
    with blamed_on(at.peer):
        share = party.suite.linear.decrypt(party.he_secret_key, operator, payload)
    skipped = party.session.architecture(at.peer).skipped(at.layer, at.values, parameters.widths.fraction_bits)
    return sharing.sum_shares([share, *skipped], parameters.widths.logit_bits)


def _next_input(at: LayerInput, share: Sequence[int]) -> LayerInput:
    return LayerInput(at.party, at.peer, at.query, at.layer + 1, (*at.values, tuple(share)))


def querying_party_request_release(
    turn: ReleaseTurn, shares: Sequence[VoteShare], seed: Seed
) -> tuple[AwaitingRelease, bytes]:
    """Step 3: transfers the sum of its vote shares, scaled to the grid, into the release circuit.

    In realised mode it adds threshold noise of its own, since the guardian, which will learn the answered bit, knows
    the guardian's draw.

    Args:
        turn: of this query.
        shares: exactly one share of that query from every answering party.
        seed: for the threshold noise; unused otherwise.

    Raises:
        InputError: a share is missing, double, or of another query.
    """
    turn.require_unspent()
    party, query = turn.party, turn.query
    parameters, channel = party.session.parameters, party.channel(PRIVACY_GUARDIAN)
    for entry in shares:
        entry.require_unspent()
    peers = sorted(entry.peer.index for entry in shares)
    origins = {(entry.session_tag, entry.query) for entry in shares}
    if peers != [peer.index for peer in party.session.answering_parties] or origins != {(party.session.tag, query)}:
        raise InputError(f"release of query {query} needs exactly one vote share of it from every answering party")
    width = parameters.widths.vote_bits
    total = sharing.sum_shares([entry.share for entry in shares], width)
    words = ring.scale(total, 1 << parameters.widths.grid_bits, width)
    own_noise = 0
    threshold_mechanism = party.suite.mechanisms.threshold
    if _adds_noise(parameters) and threshold_mechanism is not None:
        source = party.suite.expand(seed, channel.label("querying_party_request_release", query))
        own_noise = threshold_mechanism.sample(source, 1)[0]
        words.append(ring.reduce(-own_noise, width))
    chosen, columns = party.suite.two_party.choose(
        party.evaluator_keys[PRIVACY_GUARDIAN],
        channel.context(query),
        release.circuit_for(parameters),
        [words_to_bits(words, width)],
    )
    turn.spend()
    for entry in shares:
        entry.spend()
    message = channel.seal(MessageType.OT_COLUMNS, columns, query)
    return AwaitingRelease(party, query, chosen, own_noise), message


def querying_party_finish_release(state: AwaitingRelease, circuits: bytes) -> Answer:
    """Step 3: evaluates the release circuit to the label, or to "no consensus".

    Raises:
        ProtocolError: the message is malformed, or belongs to another session or query.
    """
    state.require_unspent()
    party, channel = state.party, state.party.channel(PRIVACY_GUARDIAN)
    parameters = party.session.parameters
    circuit = release.circuit_for(parameters)
    length = party.suite.two_party.circuits_length(circuit, 1)
    payload = channel.open(MessageType.GARBLED_CIRCUITS, circuits, length, state.query)
    with blamed_on(PRIVACY_GUARDIAN):
        evaluation = party.suite.two_party.evaluate(
            state.chosen, payload, lambda outputs: release.check_outputs(parameters, outputs[0])
        )
    state.spend()
    label = release.read_outputs(parameters, evaluation.outputs[0])
    returned = None
    if _adds_noise(parameters):
        # The active label of the answered bit proves the bit: the other label is unknown to this party.
        proof = evaluation.labels[0][0].to_bytes(LABEL_BYTES, "little")
        returned = channel.seal(MessageType.ANSWERED_LABEL, proof, state.query)
    return Answer(state.query, label, returned)


def _adds_noise(parameters: Parameters) -> bool:
    """Whether the querying party adds threshold noise of its own and returns the answered bit."""
    return parameters.release.charge is Charge.REALISED
