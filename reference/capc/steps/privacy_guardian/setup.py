"""The privacy guardian's part of the set-up.

Spec: CAPC-ROLE-018, CAPC-OT-002, CAPC-OT-006.
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
from capc.steps.privacy_guardian.party import PrivacyGuardian
from capc.steps.suite import ChoiceState, Suite


@dataclass(frozen=True, repr=False)
class JoiningPrivacyGuardian(SingleUse):
    """The guardian before the set-up's last message. Secret: the OT state."""

    session: Session
    suite: Suite
    ot_state: ChoiceState


def privacy_guardian_begin_setup(session: Session, suite: Suite) -> dict[Party, bytes]:
    """A session check for every answering party: the guardian sends them nothing else in set-up.

    Raises:
        InputError: the suite is another session's.
    """
    suite.check_session(session)
    return {
        peer: Channel(session.tag, PRIVACY_GUARDIAN, peer).seal(MessageType.SESSION_CHECK, b"")
        for peer in session.answering_parties
    }


def privacy_guardian_answer_setup(
    session: Session, suite: Suite, offer: bytes, checks: Mapping[Party, bytes], seed: Seed
) -> tuple[JoiningPrivacyGuardian, bytes]:
    """Takes the querying party's OT offer and every answering party's check; answers with the OT choice.

    Raises:
        ProtocolError: a message is malformed or misdirected, or a participant's check is missing. With
            `foreign_session` its sender holds another document: :mod:`capc.session.hello` finds the field.
    """
    suite.check_session(session)
    channel = Channel(session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)
    payload = channel.open(MessageType.BASE_OT_OFFER, offer, suite.two_party.offer_length())
    for peer in session.answering_parties:
        if peer not in checks:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no session check from this answering party")
        Channel(session.tag, PRIVACY_GUARDIAN, peer).open(MessageType.SESSION_CHECK, checks[peer], 0)
    source = suite.expand(seed, channel.label("privacy_guardian_answer_setup"))
    with blamed_on(QUERYING_PARTY):
        state, choice = suite.two_party.garbler_choose(payload, channel.context(), source)
    joining = JoiningPrivacyGuardian(session, suite, state, destroyed=suite.two_party.destruction(state))
    return joining, channel.seal(MessageType.BASE_OT_CHOICE, choice)


def privacy_guardian_finish_setup(state: JoiningPrivacyGuardian, trees: bytes) -> PrivacyGuardian:
    """Takes the trees that complete the base OTs.

    Raises:
        ProtocolError: the message is malformed or misdirected, or trees are inconsistent, which destroys the state.
    """
    JoiningPrivacyGuardian.require(state)
    channel = Channel(state.session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)
    payload = channel.open(MessageType.OT_TREES, trees, state.suite.two_party.trees_length())
    with blamed_on(QUERYING_PARTY):
        key = state.suite.two_party.garbler_finish(state.ot_state, payload)
    state.spend()
    # The session ends with the key: every state of the guardian holds the guardian.
    destroyed = state.suite.two_party.destruction(key)
    return PrivacyGuardian(state.session, state.suite, key, next_query=1, destroyed=destroyed)
