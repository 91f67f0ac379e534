"""Step 2: the guardian adds up the vote shares that it received.

Spec: CAPC-AGG-004, CAPC-NAME-001.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.errors import ErrorCode, ProtocolError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN, Party
from capc.foundation.single_use import SingleUse
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.steps.messages import VoteShares
from capc.steps.privacy_guardian.party import PrivacyGuardian, VoteCollection
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class AggregatedVotes(SingleUse):
    """All shares are in; the account must be charged next. Secret: the sum of the shares, and the digest.

    Attributes:
        party: the guardian.
        query: the query's number.
        total: C elements of Z_{2^w}, the guardian's share of the votes.
        inputs_digest: what the noise draw and the receipt are bound to: session, query and every received share. It
            hides nothing from who can form the candidates, so it leaves the guardian in a commitment only.
    """

    party: PrivacyGuardian
    query: int
    total: tuple[int, ...]
    inputs_digest: bytes


def privacy_guardian_aggregate(state: VoteCollection, messages: Mapping[Party, bytes]) -> AggregatedVotes:
    """Step 2: sums the masked vote shares of exactly the session's answering parties.

    Raises:
        ProtocolError: a participant's message is missing, malformed, or of another session or query.
    """
    VoteCollection.require(state)
    session, parameters = state.party.session, state.party.session.parameters
    width, length = (
        parameters.widths.vote_bits,
        VoteShares.byte_length(parameters.num_classes, parameters.widths.vote_bits),
    )
    digest = hashlib.sha256(TAGS["noise-binding"] + session.tag + state.query.to_bytes(4, "little"))
    shares: list[tuple[int, ...]] = []
    for peer in session.answering_parties:
        if peer not in messages:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no vote shares from this answering party")
        channel = Channel(session.tag, PRIVACY_GUARDIAN, peer)
        payload = channel.open(MessageType.VOTE_SHARES, messages[peer], length, state.query)
        with blamed_on(peer):
            shares.append(VoteShares.from_bytes(payload, parameters.num_classes, width).shares)
        digest.update(payload)
    state.spend()
    return AggregatedVotes(state.party, state.query, tuple(ring.sum_shares(shares, width)), digest.digest())
