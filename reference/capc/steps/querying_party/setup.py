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
from capc.steps.suite import EvaluatorKey, OfferState, SecretKey, Suite


@dataclass(frozen=True, repr=False)
class JoiningQueryingParty(SingleUse):
    """The querying party between its two set-up steps. Secret: HE secret key, OT states."""

    session: Session
    suite: Suite
    he_secret_key: SecretKey
    ot_states: Mapping[Party, OfferState]


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
    ot_states: dict[Party, OfferState] = {}
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


def querying_party_finish_setup(
    state: JoiningQueryingParty, choices: Mapping[Party, bytes], seed: Seed
) -> tuple[QueryingParty, dict[Party, bytes]]:
    """Takes every peer's OT choice, and answers each with the trees that complete the set-up.

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
    messages: dict[Party, bytes] = {}
    for peer, ot_state in state.ot_states.items():
        channel = Channel(state.session.tag, QUERYING_PARTY, peer)
        source = suite.expand(seed, channel.label("querying_party_finish_setup"))
        with blamed_on(peer):
            keys[peer], trees = suite.two_party.evaluator_finish(ot_state, payloads[peer], channel.context(), source)
        messages[peer] = channel.seal(MessageType.OT_TREES, trees)
    state.spend()
    return QueryingParty(state.session, suite, state.he_secret_key, keys, next_query=1), messages
