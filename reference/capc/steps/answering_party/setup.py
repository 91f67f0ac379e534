"""The answering party's set-up: its model is admitted, and keys are agreed with the querying party and its peers.

Bytes in, bytes out; no step draws randomness or does any I/O. Spec: CAPC-ROLE-007 to CAPC-ROLE-012.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capc.foundation import primitives
from capc.foundation.errors import ErrorCode, InputError, ProtocolError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.foundation.primitives import Point, Scalar
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.model import QuantisedModel
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.session import Session
from capc.steps import zero_sum
from capc.steps.answering_party.party import AnsweringParty
from capc.steps.messages import MaskKey
from capc.steps.suite import ChoiceState, EncodedWeights, Suite


@dataclass(frozen=True, repr=False)
class JoiningAnsweringParty(SingleUse):
    """An answering party after its first set-up step. Secret: model and mask scalar."""

    session: Session
    suite: Suite
    me: Party
    model: QuantisedModel
    prepared_layers: tuple[EncodedWeights, ...]
    mask_scalar: Scalar
    mask_point: Point


@dataclass(frozen=True, repr=False)
class AwaitingTrees(SingleUse):
    """An answering party before the set-up's last messages. Secret: model, OT state, pairwise mask keys.

    The key binding is what the HE public key's uniform half is expanded from: of this party's OT choice.
    """

    joining: JoiningAnsweringParty
    key_binding: bytes
    ot_state: ChoiceState
    pairwise_keys: Mapping[int, Seed]


def answering_party_begin_setup(
    session: Session, suite: Suite, me: Party, model: QuantisedModel, seed: Seed
) -> tuple[JoiningAnsweringParty, dict[Party, bytes]]:
    """Admits the model, and begins with every party but the querying party: mask keys, and the guardian's check.

    Args:
        session: parameters, participants, id.
        suite: the building blocks.
        me: this party.
        model: its model.
        seed: for the mask key.

    Returns:
        the next state; this party's mask key for every other answering party, and a session check for the guardian,
        with which it exchanges nothing else in set-up.

    Raises:
        InputError: the model's architecture is not the one that the session declares, its fixed point is another one,
            a sum could wrap, a layer is too large for one step's randomness, or the suite is another session's.
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
    session.check_batch(1)
    prepared = tuple(
        suite.linear.prepare(stage.operator, layer.weights)
        for stage, layer in zip(model.architecture.stages, model.layers, strict=True)
    )
    label = Channel(session.tag, me, QUERYING_PARTY).label("answering_party_begin_setup")
    scalar = primitives.random_scalar(suite.expand(seed, label))
    key = MaskKey(primitives.base_multiply(scalar))
    messages = {
        peer: Channel(session.tag, me, peer).seal(MessageType.MASK_KEY, key.to_bytes())
        for peer in session.answering_parties
        if peer != me
    }
    messages[PRIVACY_GUARDIAN] = Channel(session.tag, me, PRIVACY_GUARDIAN).seal(MessageType.SESSION_CHECK, b"")
    return JoiningAnsweringParty(session, suite, me, model, prepared, scalar, key.point), messages


def answering_party_answer_setup(
    state: JoiningAnsweringParty,
    offer: bytes,
    mask_keys: Mapping[Party, bytes],
    check: bytes,
    seed: Seed,
) -> tuple[AwaitingTrees, bytes]:
    """Takes everybody's first message, and answers the querying party's.

    1. Every header is checked, and with it that everybody is in this session, before anything received is used.
    2. A pairwise key with each other answering party.
    3. The OT choice.

    Args:
        state: after :func:`answering_party_begin_setup`.
        offer: the querying party's OT offer.
        mask_keys: of every other answering party.
        check: the guardian's session check.
        seed: for the OT choice.

    Raises:
        ProtocolError: a message is malformed or misdirected, or a participant's mask key is missing. With
            `foreign_session` its sender holds another document: :mod:`capc.session.hello` finds the field.
    """
    JoiningAnsweringParty.require(state)
    session, suite, me = state.session, state.suite, state.me
    channel = Channel(session.tag, me, QUERYING_PARTY)
    # 1.
    offer_payload = channel.open(MessageType.BASE_OT_OFFER, offer, suite.two_party.offer_length())
    Channel(session.tag, me, PRIVACY_GUARDIAN).open(MessageType.SESSION_CHECK, check, 0)
    payloads = _open_mask_keys(session, me, mask_keys)
    # 2.
    pairwise_keys: dict[int, Seed] = {}
    for peer, payload in payloads.items():
        with blamed_on(peer):
            points = {me.index: state.mask_point, peer.index: MaskKey.from_bytes(payload).point}
        pairwise_keys[peer.index] = zero_sum.pairwise_key(session.tag, state.mask_scalar, points, me.index, peer.index)
    # 3.
    with blamed_on(QUERYING_PARTY):
        ot_state, choice = suite.two_party.garbler_choose(
            offer_payload, channel.context(), suite.expand(seed, channel.label("answering_party_answer_setup"))
        )
    state.spend()
    message = channel.seal(MessageType.BASE_OT_CHOICE, choice)
    destroyed = suite.two_party.destruction(ot_state)
    return AwaitingTrees(state, channel.key_binding(choice), ot_state, pairwise_keys, destroyed=destroyed), message


def _open_mask_keys(session: Session, me: Party, mask_keys: Mapping[Party, bytes]) -> dict[Party, bytes]:
    """The payload of every other answering party's mask key."""
    payloads: dict[Party, bytes] = {}
    for peer in session.answering_parties:
        if peer == me:
            continue
        if peer not in mask_keys:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no mask key from this answering party")
        channel = Channel(session.tag, me, peer)
        payloads[peer] = channel.open(MessageType.MASK_KEY, mask_keys[peer], MaskKey.byte_length())
    return payloads


def answering_party_finish_setup(state: AwaitingTrees, he_public_key: bytes, trees: bytes) -> AnsweringParty:
    """Takes the HE public key, and the trees that complete the base OTs.

    Args:
        state: after :func:`answering_party_answer_setup`.
        he_public_key: of the querying party, for this party only.
        trees: of the base OTs.

    Raises:
        ProtocolError: a message is malformed or misdirected, or trees are inconsistent, which destroys the state.
    """
    AwaitingTrees.require(state)
    joining, linear, scheme = state.joining, state.joining.suite.linear, state.joining.suite.two_party
    channel = Channel(joining.session.tag, joining.me, QUERYING_PARTY)
    key_payload = channel.open(MessageType.HE_PUBLIC_KEY, he_public_key, linear.public_key_length())
    payload = channel.open(MessageType.OT_TREES, trees, scheme.trees_length())
    with blamed_on(QUERYING_PARTY):
        public_key = linear.read_public_key(key_payload, state.key_binding)
        garbler_key = scheme.garbler_finish(state.ot_state, payload)
    state.spend()
    return AnsweringParty(
        joining.session,
        joining.suite,
        joining.me,
        joining.model,
        joining.prepared_layers,
        public_key,
        garbler_key,
        state.pairwise_keys,
        next_query=1,
        # The session ends with the key: every state of this party holds the party.
        destroyed=scheme.destruction(garbler_key),
    )
