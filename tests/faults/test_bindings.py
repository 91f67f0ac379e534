"""What belongs together stays together: messages and their session, noise and the shares it is added to, wide elements.

Small tests of their own, so that each seeded fault of this kind has one that names it.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from capc.foundation.errors import ErrorCode, InputError, ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import Seed
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.session import Session
from capc.steps.messages import VoteShares
from capc.steps.privacy_guardian.aggregation import AggregatedVotes, privacy_guardian_aggregate
from capc.steps.privacy_guardian.party import privacy_guardian_open_query
from capc.steps.privacy_guardian.release import ReleasedQuery
from capc.steps.privacy_guardian.release import privacy_guardian_release as release
from capc.steps.privacy_guardian.setup import privacy_guardian_answer_setup, privacy_guardian_finish_setup
from capc.steps.suite import hybrid_suite
from support.builders import make_account, make_parameters, make_policy, make_session, make_widths

TAG, OTHER_TAG = bytes(32), bytes([1]) * 32
AP_1 = answering_party(1)
SEED = Seed(bytes(range(32)))


def sent_and_opened(tag: bytes, query: int) -> bytes:
    """Opens, in query 2 of session TAG, a message of another one."""
    message = Channel(tag, AP_1, PRIVACY_GUARDIAN).seal(MessageType.VOTE_SHARES, b"payload", query)
    return Channel(TAG, PRIVACY_GUARDIAN, AP_1).open(MessageType.VOTE_SHARES, message, 7, query=2)


@pytest.mark.req("CAPC-WIRE-006")
def test_a_message_of_another_session_is_refused() -> None:
    assert sent_and_opened(TAG, 2) == b"payload"
    with pytest.raises(ProtocolError) as refusal:
        sent_and_opened(OTHER_TAG, 2)
    assert refusal.value.code is ErrorCode.FOREIGN_SESSION


@pytest.mark.req("CAPC-WIRE-006")
def test_a_message_of_another_query_is_refused() -> None:
    with pytest.raises(ProtocolError) as refusal:
        sent_and_opened(TAG, 1)
    assert refusal.value.code is ErrorCode.WRONG_QUERY


def test_wide_elements_survive_the_wire() -> None:
    """The widest vote ring has 64 bits: no element loses any on its way."""
    shares = (*(1 << position for position in range(64)), (1 << 64) - 1, 0)
    assert VoteShares.from_bytes(VoteShares(shares, 64).to_bytes(), len(shares), 64).shares == shares


def aggregated(session: Session, shares: tuple[int, ...]) -> AggregatedVotes:
    """A guardian that received these shares from the only answering party."""
    from_querying_party = Channel(session.tag, QUERYING_PARTY, PRIVACY_GUARDIAN)
    offer = from_querying_party.seal(MessageType.BASE_OT_OFFER, b"")
    checks = {AP_1: Channel(session.tag, AP_1, PRIVACY_GUARDIAN).seal(MessageType.SESSION_CHECK, b"")}
    joining, _ = privacy_guardian_answer_setup(session, hybrid_suite(session.parameters), offer, checks, SEED)
    guardian = privacy_guardian_finish_setup(joining, from_querying_party.seal(MessageType.OT_TREES, b""))
    _, collecting = privacy_guardian_open_query(guardian)
    payload = VoteShares(shares, session.parameters.widths.vote_bits).to_bytes()
    message = Channel(session.tag, AP_1, PRIVACY_GUARDIAN).seal(MessageType.VOTE_SHARES, payload, query=1)
    return privacy_guardian_aggregate(collecting, {AP_1: message})


def released(session: Session, shares: tuple[int, ...], charged_for: tuple[int, ...]) -> ReleasedQuery:
    """A release for these shares, with a receipt that was given for those."""
    charged = aggregated(session, charged_for)
    receipt = make_account(session.parameters).reserve(session.tag, 1, charged.inputs_digest)
    choice = Channel(session.tag, QUERYING_PARTY, PRIVACY_GUARDIAN).seal(MessageType.CHOICE_BITS, b"", query=1)
    return release(aggregated(session, shares), receipt, choice, SEED)[0]


def noisy_session() -> Session:
    """Ten classes and a deviation of 100 votes: two independent noise vectors are never the same."""
    parameters = make_parameters(make_widths(vote_bits=20), make_policy(sigma=Fraction(100)), num_classes=10)
    return make_session(parameters, num_answering=1)


@pytest.mark.req("CAPC-REL-005")
def test_other_shares_give_other_noise_from_the_same_seed() -> None:
    session = noisy_session()
    noises = [released(session, shares, shares).noise for shares in ((0,) * 10, (0,) * 9 + (1,), (0,) * 10)]
    assert noises[0] != noises[1]
    assert noises[0] == noises[2]


@pytest.mark.req("CAPC-REL-004")
def test_a_receipt_for_other_shares_is_refused() -> None:
    with pytest.raises(InputError, match="was not given for these shares"):
        released(noisy_session(), (0,) * 10, charged_for=(1,) * 10)
