"""An answering party between its batches, and how it opens one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capc.foundation.parties import QUERYING_PARTY, Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.model import QuantisedModel
from capc.session.channel import Channel
from capc.session.session import Batch, Session, following_query
from capc.steps.suite import EncodedWeights, EvaluatorKey, GarblerKey, PublicKey, Suite


@dataclass(frozen=True, repr=False)
class AnsweringParty(SingleUse):
    """An answering party between batches. Secret: model, garbler key, pairwise mask keys.

    A reverse key, one, is there where the parameters name the vote in rounds, after
    `capc.steps.answering_party.reverse_setup`.
    """

    session: Session
    suite: Suite
    me: Party
    model: QuantisedModel
    prepared_layers: tuple[EncodedWeights, ...]
    he_public_key: PublicKey
    garbler_key: GarblerKey
    pairwise_keys: Mapping[int, Seed]
    next_query: int
    reverse_keys: tuple[EvaluatorKey, ...] = ()

    @property
    def channel(self) -> Channel:
        """The connection to the querying party."""
        return Channel(self.session.tag, self.me, QUERYING_PARTY)


@dataclass(frozen=True, repr=False)
class AwaitingTransfers(SingleUse):
    """Waiting for the message that makes the transfers of a batch."""

    party: AnsweringParty
    batch: Batch


def answering_party_open_batch(party: AnsweringParty, count: int) -> tuple[AnsweringParty, AwaitingTransfers]:
    """Takes part in the next ``count`` queries. The party before is spent, so no query number is used twice.

    Raises:
        InputError: as :func:`after_batch`.
    """
    AnsweringParty.require(party)
    after = after_batch(party, count)
    party.spend()
    return after, AwaitingTransfers(party, Batch(party.next_query, count))


def after_batch(party: AnsweringParty, count: int) -> AnsweringParty:
    """What the party would be after taking part in a batch. Nothing is spent: a runner asks all parties first.

    Raises:
        InputError: the session has no room for as many queries.
    """
    party.require_unspent()
    party.session.check_batch(count)
    return party.renewed(next_query=following_query(party.next_query, count))
