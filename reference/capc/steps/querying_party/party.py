"""The querying party between its batches, and how it opens one.

Spec: CAPC-OT-004, CAPC-BATCH-001.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capc.foundation.parties import QUERYING_PARTY, Party
from capc.foundation.single_use import SingleUse
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.session import Batch, Session, following_query
from capc.steps.layer_circuits import transfer_counts
from capc.steps.release_transfers import ReleaseTransfers
from capc.steps.suite import EvaluatorEnd, EvaluatorKey, EvaluatorTransfers, GarblerKey, SecretKey, Suite


@dataclass(frozen=True, repr=False)
class QueryingParty(SingleUse):
    """The querying party between batches. Secret: HE secret key, evaluator keys, transfers for releases.

    Reverse keys are there where the parameters name the vote in rounds, after
    `capc.steps.querying_party.reverse_setup`.
    """

    session: Session
    suite: Suite
    he_secret_key: SecretKey
    evaluator_keys: Mapping[Party, EvaluatorKey]
    next_query: int
    reverse_keys: Mapping[Party, GarblerKey] = field(default_factory=dict)
    release_transfers: ReleaseTransfers[EvaluatorEnd] = field(default_factory=ReleaseTransfers, compare=False)

    def channel(self, peer: Party) -> Channel:
        """The connection to a peer."""
        return Channel(self.session.tag, QUERYING_PARTY, peer)


@dataclass(frozen=True, repr=False)
class OpenBatch(SingleUse):
    """Transfers with one answering party are made, for each layer; the queries may be unknown yet. Secret: those."""

    party: QueryingParty
    peer: Party
    batch: Batch
    transfers: tuple[EvaluatorTransfers, ...]


@dataclass(frozen=True, repr=False)
class ReleaseTurn(SingleUse):
    """The right to request the release of one query, once."""

    party: QueryingParty
    query: int


def querying_party_open_batch(
    party: QueryingParty, count: int
) -> tuple[QueryingParty, tuple[OpenBatch, ...], dict[Party, bytes], tuple[ReleaseTurn, ...]]:
    """Begins the next ``count`` queries with every answering party. They need not be known yet.

    Returns:
        the party after these queries; for each answering party the state and the message that makes transfers; for
        each query the turn to request its label with.

    Raises:
        InputError: the session has no room for as many queries.
    """
    QueryingParty.require(party)
    session, scheme = party.session, party.suite.two_party
    session.check_batch(count)
    batch = Batch(party.next_query, count)
    after = party.renewed(next_query=following_query(batch.first, count))
    party.spend()
    opened: list[OpenBatch] = []
    messages: dict[Party, bytes] = {}
    for peer in session.answering_parties:
        channel = party.channel(peer)
        counts = transfer_counts(session.parameters, session.architecture(peer), count)
        transfers, payload = scheme.extend_evaluator(party.evaluator_keys[peer], channel.nonce(batch.first), counts)
        opened.append(OpenBatch(party, peer, batch, tuple(transfers)))
        messages[peer] = channel.seal(MessageType.OT_EXTENSION, payload, batch.first)
    return after, tuple(opened), messages, tuple(ReleaseTurn(party, query) for query in batch.queries)
