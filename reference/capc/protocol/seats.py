"""What the roles' programs are given, what they leave, and what they have agreed to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from capc.foundation.errors import InputError
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.account import Account
from capc.protocol.link import Link
from capc.session.parameters import VoteVariant, require_counts
from capc.session.session import Batch, Session
from capc.steps.answering_party.inference import AnsweringVoteShare
from capc.steps.answering_party.offline import OnlineValue
from capc.steps.answering_party.party import AnsweringParty, AwaitingTransfers
from capc.steps.privacy_guardian.party import PrivacyGuardian, VoteCollection
from capc.steps.querying_party.inference import VoteShare
from capc.steps.querying_party.offline import OnlineBatch
from capc.steps.querying_party.party import OpenBatch, QueryingParty, ReleaseTurn
from capc.steps.querying_party.release import Answer, AwaitingRelease
from capc.steps.suite import Suite

Queries = Sequence[Sequence[int]]


class Mode(Enum):
    """What happens in a turn."""

    LABEL = "label"
    OFFLINE = "prepare"
    ONLINE = "label prepared"


@dataclass(frozen=True)
class Turn:
    """What all roles have agreed to do next.

    Attributes:
        mode: to label a batch, to prepare one, or to label a prepared one.
        batch: its queries' numbers.
    """

    mode: Mode
    batch: Batch


@dataclass(frozen=True)
class QueryingTurn(Turn):
    """A turn as the querying party knows it. Secret: the queries, empty where a batch is prepared."""

    queries: Queries = field(default=(), repr=False)


@dataclass(repr=False)
class Seat:
    """What a role program is given, and where it leaves its party between turns.

    Attributes:
        link: to the other parties.
        session: parameters, participants, id.
        suite: the building blocks.
        seeds: gives every step a fresh seed.
        methods: of inference and release, the same for all roles.
    """

    link: Link
    session: Session
    suite: Suite
    seeds: Callable[[], Seed]
    methods: Methods

    @property
    def preparation(self) -> Preparation:
        """How batches are prepared.

        Raises:
            InputError: they are not, or the vote takes rounds, which cannot be garbled ahead.
        """
        if self.methods.preparation is None:
            raise InputError("no batch can be prepared: only the embedded engine makes step 1c ahead: use label_batch")
        if self.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
            raise InputError(
                "batches are prepared ahead for a vote of one circuit: "
                f"choose vote_variant = {VoteVariant.TOURNAMENT.value}"
            )
        return self.methods.preparation


@dataclass(repr=False)
class QueryingSeat(Seat):
    """The querying party's. Secret: its party, and what it prepared, by the batch's first query.

    Attributes:
        answers: of the queries so far, each as soon as it is known, and its own noise of the check beside it.
        releasing: the last release that was asked for. Where the guardian's message is lost, the query is paid: the
            guardian sends the very message again that its account knows, and `querying_party_finish_release` opens it.
    """

    party: QueryingParty | None = None
    prepared: dict[int, tuple[list[OnlineBatch], tuple[ReleaseTurn, ...]]] = field(default_factory=dict)
    answers: list[tuple[Answer, tuple[int, ...]]] = field(default_factory=list)
    releasing: AwaitingRelease | None = None


@dataclass(repr=False)
class AnsweringSeat(Seat):
    """An answering party's. Secret: its model, its party, and what it prepared.

    Attributes:
        me: which one.
        model: its own.
    """

    me: Party
    model: QuantisedModel
    party: AnsweringParty | None = None
    prepared: dict[int, OnlineValue] = field(default_factory=dict)


@dataclass(repr=False)
class GuardianSeat(Seat):
    """The guardian's. Secret: its party, and the noise of all queries so far, which tests compare.

    Attributes:
        account: charged before any noise is drawn; it knows every message with noise before that leaves.
    """

    account: Account
    party: PrivacyGuardian | None = None
    prepared: dict[int, list[VoteCollection]] = field(default_factory=dict)
    noise: list[ReleaseNoise] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.methods.outside:
            require_counts(self.account.policy, "another engine than the embedded one")


class Inference(Protocol):
    """Steps 1a to 1c: from queries and models to shares of the votes."""

    async def querying_party(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """The querying party's part with all answering parties: for each of them a share of its vote on each query."""

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[AnsweringVoteShare, ...]:
        """An answering party's part: its share of its vote on each query."""


class Preparation(Protocol):
    """Steps 1a to 1c in two parts: before the queries are known, and after."""

    async def querying_party_prepare(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes]
    ) -> list[OnlineBatch]:
        """The querying party's part before."""

    async def answering_party_prepare(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> OnlineValue:
        """An answering party's part before."""

    async def querying_party(
        self, seat: QueryingSeat, prepared: Sequence[OnlineBatch], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """The querying party's part after; as of :class:`Inference`."""

    async def answering_party(self, seat: AnsweringSeat, prepared: OnlineValue) -> tuple[AnsweringVoteShare, ...]:
        """An answering party's part after."""


class Release(Protocol):
    """Steps 2 and 3: from shares of the votes to labels."""

    async def querying_party(
        self, seat: QueryingSeat, turns: Sequence[ReleaseTurn], shares: Sequence[Sequence[VoteShare]]
    ) -> None:
        """The querying party's part; answers are left on the seat."""

    async def answering_party(self, seat: AnsweringSeat, votes: Sequence[AnsweringVoteShare]) -> None:
        """An answering party's part."""

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[VoteCollection]) -> None:
        """The guardian's part; noise is left on the seat."""


@dataclass(frozen=True)
class Methods:
    """How a session computes steps 1 to 3. All roles use the same.

    Attributes:
        inference: of a batch whose queries are known.
        release: of each query.
        preparation: of batches before their queries are known; None where there is none.
        outside: whether labels are released by what is not known to tell labels only (CAPC-ACCT-133).
    """

    inference: Inference
    release: Release
    preparation: Preparation | None = None
    outside: bool = False
