"""What a run has done so far, as its report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from capc.foundation.hidden import type_only
from capc.job.plan import Plan
from capc.job.purse import Purse
from capc.learning.partition import Split
from capc.privacy.account import Account
from capc.protocol.collaboration import PreparedQueries, QueryResult
from capc.protocol.costs import StepCost
from capc.two_party.hash_use import HashUse


class Status(StrEnum):
    """How a run ended. Until it ends, and if it never does, it counts as interrupted."""

    COMPLETE = "complete"
    BUDGET_EXHAUSTED = "budget_exhausted"
    ALLOWANCE_EXHAUSTED = "allowance_exhausted"
    """An answering party's model answered all queries that its circuit privacy was declared for."""
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
        """How many queries the account and the answering parties still admit."""

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


class Score(NamedTuple):
    """Quality of the querying party's model on held-out rows."""

    accuracy: float
    balanced: float


@dataclass(frozen=True)
class QueryRecord:
    """One query that was charged and answered or withheld.

    Attributes:
        index: counts from 1, as in the session.
        row: the queried row of the data.
        label: the released class, None when withheld.
        ideal_label: what the ideal functionality gives.
        seconds: its share of the wall-clock time of its batch, after the batch was prepared if it was.
        bytes: its share of the length of all messages of its batch; the same.
        offline_seconds: its share of the time in which its batch was prepared; 0 if it was not.
        offline_bytes: the same of messages.
    """

    index: int
    row: int
    label: int | None
    ideal_label: int | None
    seconds: float
    bytes: float
    offline_seconds: float
    offline_bytes: float


@dataclass(frozen=True)
class ModelRecord:
    """One answering party's model. Only a demonstration in one process may know the accuracy.

    Attributes:
        layer_sizes: d, hidden widths, C.
        rows: how many rows it was trained on.
        accuracy: on held-out rows, before quantisation.
    """

    layer_sizes: tuple[int, ...]
    rows: int
    accuracy: float


@dataclass
class JobState:
    """Filled by the job, read by reports at any moment.

    Attributes:
        plan: what the run was started with.
        split: who holds which rows.
        account: the privacy account.
        purse: what was asked and bought in earlier runs.
        status: how the run ended.
        models: one for each answering party trained so far.
        queries: those done so far.
        before: the querying party's model before the first query; None until trained.
        after: the same after retraining; None until retrained.
        labeller: the collaboration; None until it is set up.
    """

    plan: Plan
    split: Split
    account: Account
    purse: Purse
    status: Status = Status.INTERRUPTED
    models: list[ModelRecord] = field(default_factory=list)
    queries: list[QueryRecord] = field(default_factory=list)
    before: Score | None = None
    after: Score | None = None
    labeller: Labeller | None = None

    __repr__ = type_only


class Stage(StrEnum):
    """What a run does, in this order."""

    TRAINING = "training local models"
    SETUP = "setting up the session"
    QUERIES = "labelling queries"
    RETRAINING = "retraining"


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
