"""The querying party's set-up: HE keys, and base oblivious transfers with every other party.

Bytes in, bytes out; no step draws randomness or does any I/O. Spec: CAPC-ROLE-007 to CAPC-ROLE-011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capc.foundation.errors import ErrorCode, ProtocolError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.session import Session
from capc.steps.querying_party.party import QueryingParty
from capc.steps.suite import EvaluatorKey, OfferState, Suite


@dataclass(frozen=True, repr=False)
class JoiningQueryingParty(SingleUse):
    """The querying party between its two set-up steps. Secret: OT states."""

    session: Session
    suite: Suite
    ot_states: Mapping[Party, OfferState]


def querying_party_begin_setup(
    session: Session, suite: Suite, seed: Seed
) -> tuple[JoiningQueryingParty, dict[Party, bytes]]:
    """The OT offers.

    Returns:
        the next state; the OT offer message for each answering party and the guardian.
    """
    suite.check_session(session)
    ot_states: dict[Party, OfferState] = {}
    offers: dict[Party, bytes] = {}
    for peer in (*session.answering_parties, PRIVACY_GUARDIAN):
        channel = Channel(session.tag, QUERYING_PARTY, peer)
        source = suite.expand(seed, channel.label("querying_party_begin_setup"))
        ot_states[peer], offer = suite.two_party.evaluator_offer(source)
        offers[peer] = channel.seal(MessageType.BASE_OT_OFFER, offer)
    return JoiningQueryingParty(session, suite, ot_states), offers


def querying_party_finish_setup(
    state: JoiningQueryingParty, choices: Mapping[Party, bytes], seed: Seed
) -> tuple[QueryingParty, dict[Party, bytes], dict[Party, bytes]]:
    """Takes every peer's OT choice, and answers each with the trees that complete the set-up; draws its HE secret key.

    The uniform half of the public key for an answering party is expanded from that party's choice, so that this party
    has no say in it (CAPC-HE-016).

    Returns:
        the party; the HE public key message for each answering party; the trees for each answering party and the
        guardian.

    Raises:
        ProtocolError: a choice is malformed or misdirected, or a participant's is missing.
    """
    JoiningQueryingParty.require(state)
    suite = state.suite
    payloads: dict[Party, bytes] = {}
    for peer in state.ot_states:
        if peer not in choices:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no OT choice from this party")
        channel = Channel(state.session.tag, QUERYING_PARTY, peer)
        payloads[peer] = channel.open(MessageType.BASE_OT_CHOICE, choices[peer], suite.two_party.choice_length())
    keys: dict[Party, EvaluatorKey] = {}
    key_messages: dict[Party, bytes] = {}
    messages: dict[Party, bytes] = {}
    secret_key = suite.linear.generate_secret_key()
    for peer, ot_state in state.ot_states.items():
        channel = Channel(state.session.tag, QUERYING_PARTY, peer)
        source = suite.expand(seed, channel.label("querying_party_finish_setup"))
        with blamed_on(peer):
            keys[peer], trees = suite.two_party.evaluator_finish(ot_state, payloads[peer], channel.context(), source)
        messages[peer] = channel.seal(MessageType.OT_TREES, trees)
        if peer != PRIVACY_GUARDIAN:
            public_key = suite.linear.public_key(secret_key, channel.key_binding(payloads[peer]), source)
            key_messages[peer] = channel.seal(MessageType.HE_PUBLIC_KEY, public_key)
    state.spend()
    return QueryingParty(state.session, suite, secret_key, keys, next_query=1), key_messages, messages
