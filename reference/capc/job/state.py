"""What a run has done so far, as its report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from capc.foundation.hidden import type_only
from capc.job.plan import Plan
from capc.job.purse import Purse
from capc.learning.baselines import Baseline
from capc.learning.metrics import Score
from capc.learning.partition import Split
from capc.privacy.account import Account
from capc.protocol.collaboration import PreparedQueries, QueryResult
from capc.protocol.costs import StepCost
from capc.two_party.hash_use import HashUse


class Status(StrEnum):
    """How a run ended. Until it ends, and if it never does, it counts as interrupted."""

    COMPLETE = "complete"
    BUDGET_EXHAUSTED = "budget_exhausted"
    INTERRUPTED = "interrupted"


class Labeller(Protocol):
    """A collaboration that is set up, such as :class:`capc.protocol.collaboration.Collaboration`."""

    @property
    def costs(self) -> Mapping[str, StepCost]:
        """The cost of every step so far."""

    @property
    def hash_use(self) -> HashUse:
        """What garblers hashed so far, and under how many keys."""

    @property
    def results(self) -> Sequence[QueryResult]:
        """Every query that was released so far, in order."""

    def remaining_queries(self) -> int:
        """How many queries the account still admits."""

    def label_batch(self, queries: Sequence[Sequence[int]]) -> Sequence[QueryResult]:
        """Runs the protocol for quantised queries, all at once.

        Raises:
            BudgetExhaustedError: the account does not admit as many queries.
        """

    def prepare(self, count: int) -> PreparedQueries:
        """Does all of a batch that does not need to know its queries; nothing is charged to the account.

        Raises:
            BudgetExhaustedError: the account does not admit as many queries.
        """

    def label_prepared(self, prepared: PreparedQueries, queries: Sequence[Sequence[int]]) -> Sequence[QueryResult]:
        """Does the rest, for as many queries as were prepared.

        Raises:
            BudgetExhaustedError: others charged the account in the meantime.
        """


@dataclass(frozen=True)
class QueryRecord:
    """One query that was charged and answered or withheld.

    Attributes:
        index: counts from 1, over all querying parties.
        party: who asked.
        round: of its turn, from 1.
        row: the queried row of the data.
        label: the released class, None when withheld.
        ideal_label: what the ideal functionality gives.
        votes: for each class, before noise. Only a demonstration in one process may know them.
        seconds: its share of the wall-clock time of its batch, after the batch was prepared if it was.
        bytes: its share of the length of all messages of its batch; the same.
        offline_seconds: its share of the time in which its batch was prepared; 0 if it was not.
        offline_bytes: the same of messages.
    """

    index: int
    party: int
    round: int
    row: int
    label: int | None
    ideal_label: int | None
    votes: tuple[int, ...]
    seconds: float
    bytes: float
    offline_seconds: float
    offline_bytes: float


@dataclass(frozen=True)
class PartyRecord:
    """One party's model before any query. Only a demonstration in one process may know the score.

    Attributes:
        party: its number; the first ones ask.
        layer_sizes: d, hidden widths, C.
        per_class: how many of its labelled rows are of each class.
        per_group: how many are of each value of the column by which scores are told apart; empty without one.
        score: on held-out rows, before quantisation.
    """

    party: int
    layer_sizes: tuple[int, ...]
    per_class: tuple[int, ...]
    per_group: tuple[int, ...]
    score: Score


@dataclass(frozen=True)
class RoundRecord:
    """What a querying party has after a round of questions.

    Attributes:
        round: from 1.
        queries: how many it asked until then.
        spent: what its budget paid until then, for whomever.
        score: of the retrained model, on held-out rows.
    """

    round: int
    queries: int
    spent: Fraction
    score: Score


@dataclass
class Turn:
    """One querying party's turn: its questions, and its model before and after.

    Attributes:
        party: its number.
        account: what its queries are charged to.
        purse: what it asked and bought in earlier runs.
        before: its model before its first question; None until trained.
        rounds: those that ended.
        baselines: what the gain is compared with, by name.
        labeller: the collaboration; None until it is set up.
    """

    party: int
    account: Account
    purse: Purse
    before: Score | None = None
    rounds: list[RoundRecord] = field(default_factory=list)
    baselines: dict[Baseline, Score] = field(default_factory=dict)
    labeller: Labeller | None = None

    @property
    def after(self) -> Score | None:
        """Its model after its last round; None before the first ended."""
        return self.rounds[-1].score if self.rounds else None

    __repr__ = type_only


@dataclass
class JobState:
    """Filled by the job, read by reports at any moment.

    Attributes:
        plan: what the run was started with.
        split: who holds which rows.
        turns: one for each querying party, in order.
        status: how the run ended.
        parties: one for each party trained so far.
        queries: those done so far.
        ensemble: what the plurality of those who answer party 0 gets right, without noise; None until trained.
    """

    plan: Plan
    split: Split
    turns: tuple[Turn, ...]
    status: Status = Status.INTERRUPTED
    parties: list[PartyRecord] = field(default_factory=list)
    queries: list[QueryRecord] = field(default_factory=list)
    ensemble: Score | None = None

    @property
    def account(self) -> Account:
        """The one account; with separate budgets the first querying party's."""
        return self.turns[0].account

    def asked_by(self, turn: Turn) -> list[QueryRecord]:
        """The queries of one turn so far."""
        return [query for query in self.queries if query.party == turn.party]

    @property
    def labellers(self) -> list[Labeller]:
        """Every collaboration that was set up."""
        return [turn.labeller for turn in self.turns if turn.labeller is not None]

    __repr__ = type_only


class Stage(StrEnum):
    """What a run does, in this order; a study has one stage of its own."""

    TRAINING = "training local models"
    SETUP = "setting up the session"
    QUERIES = "labelling queries"
    RETRAINING = "retraining"
    BASELINES = "training baselines"
    STUDY = "running the study"


class Display(Protocol):
    """Shows stages."""

    def started(self, stage: Stage, total: int) -> None:
        """A stage of ``total`` steps begins."""

    def advanced(self, stage: Stage) -> None:
        """One step of the stage is done."""


class JobObserver(Display, Protocol):
    """Told of every step forward. It must not raise."""

    def changed(self) -> None:
        """The job's report has changed."""
