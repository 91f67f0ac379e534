"""The privacy guardian between queries, and how it opens one."""

from __future__ import annotations

from dataclasses import dataclass, field

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.foundation.single_use import SingleUse
from capc.session.channel import Channel
from capc.session.session import Session, following_query
from capc.steps.release_transfers import ReleaseTransfers
from capc.steps.suite import GarblerEnd, GarblerKey, Suite


@dataclass(frozen=True, repr=False)
class PrivacyGuardian(SingleUse):
    """The guardian between queries. Secret: the garbler key, transfers for releases."""

    session: Session
    suite: Suite
    garbler_key: GarblerKey
    next_query: int
    release_transfers: ReleaseTransfers[GarblerEnd] = field(default_factory=ReleaseTransfers, compare=False)

    @property
    def channel(self) -> Channel:
        """The connection to the querying party."""
        return Channel(self.session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)


@dataclass(frozen=True, repr=False)
class VoteCollection(SingleUse):
    """Waiting for the vote shares of one query."""

    party: PrivacyGuardian
    query: int


def privacy_guardian_open_query(party: PrivacyGuardian) -> tuple[PrivacyGuardian, VoteCollection]:
    """Takes part in the next query. The guardian before it is spent, so no query number is used twice."""
    PrivacyGuardian.require(party)
    after = party.renewed(next_query=following_query(party.next_query))
    party.spend()
    return after, VoteCollection(party, party.next_query)
