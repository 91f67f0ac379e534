"""A labeller that charges the real account and answers with the plain plurality: for tests of what is around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema
import referencing

from capc.foundation.errors import BudgetExhaustedError
from capc.job import report
from capc.job.job import Job
from capc.job.state import Labeller, Stage
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.account import Account
from capc.protocol.collaboration import PreparedQueries, QueryResult
from capc.protocol.costs import StepCost
from capc.session.parameters import Charge, Parameters
from capc.session.session import Batch
from capc.two_party.hash_use import HashUse


@dataclass
class Plurality:
    """Counts models' votes in the clear, with no noise.

    Attributes:
        models: whose votes count.
        account: charged for each query.
        interrupt_at: the query at which Ctrl-C is pressed, after it was charged.
        withhold: queries whose label is withheld.
        first_query: the number of the first query; another run on one ledger needs other ones.
        asked: the queries so far.
        batches: how many queries each batch had, also one that was interrupted.
        prepared: how many queries were prepared; each sends 7 bytes.
        prepare_error: what ends a preparation.
    """

    models: Sequence[QuantisedModel]
    account: Account
    interrupt_at: int | None = None
    withhold: frozenset[int] = frozenset()
    first_query: int = 1
    asked: list[tuple[int, ...]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    results: list[QueryResult] = field(default_factory=list)
    prepared: int = 0
    prepare_error: BaseException | None = None

    @property
    def costs(self) -> Mapping[str, StepCost]:
        return {"setup": StepCost(0.5, 10, 2), "ahead": StepCost(0.5, 2 * len(self.asked) + 7 * self.prepared, 1)}

    @property
    def hash_use(self) -> HashUse:
        return HashUse(4, 5 << 16, 1 << 17, 9 << 32) if self.asked else HashUse()

    def remaining_queries(self) -> int:
        return self.account.remaining_queries()

    def label_batch(self, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        self.batches.append(len(queries))
        if len(queries) > self.account.remaining_queries():
            raise BudgetExhaustedError("a batch that the account does not admit")
        first = len(self.results)
        for features in queries:
            self.results.append(self._label(features))
        return self.results[first:]

    def prepare(self, count: int) -> PreparedQueries:
        if self.prepare_error is not None:
            raise self.prepare_error
        if count > self.account.remaining_queries():
            raise BudgetExhaustedError("a batch that the account does not admit")
        self.prepared += count
        return PreparedQueries(Batch(self.first_query + len(self.asked), count))

    def label_prepared(self, prepared: PreparedQueries, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        prepared.spend()
        return self.label_batch(queries)

    def _label(self, features: Sequence[int]) -> QueryResult:
        number = len(self.asked) + 1
        receipt = self.account.reserve(bytes(32), self.first_query + number - 1, bytes(32))
        if number == self.interrupt_at:
            raise KeyboardInterrupt
        self.asked.append(tuple(features))
        self.account.dispatch(receipt, b"circuits")
        votes: dict[int, int] = {}
        for model in self.models:
            logits = model.logits(features)
            winner = logits.index(max(logits))
            votes[winner] = votes.get(winner, 0) + 1
        label = None if number in self.withhold else max(sorted(votes), key=lambda c: votes[c])
        if self.account.policy.charge is Charge.REALISED:
            self.account.settle(receipt, answered=label is not None)
        return QueryResult(number, label, ReleaseNoise(()), lambda: label)


class Opener:
    """Opens the stand-in, and remembers what it was opened with."""

    def __init__(
        self, interrupt_at: int | None = None, withhold: frozenset[int] = frozenset(), first_query: int = 1
    ) -> None:
        self.opened: list[Plurality] = []
        self.parameters: list[Parameters] = []
        self.parties: list[tuple[int, ...]] = []
        self._interrupt_at = interrupt_at
        self._withhold = withhold
        self._first_query = first_query

    def __call__(
        self, parameters: Parameters, models: Sequence[QuantisedModel], account: Account, parties: Sequence[int]
    ) -> Labeller:
        # Numbers of queries go on from turn to turn: each turn has a session of its own, and all charge one account.
        first = self._first_query + sum(len(labeller.asked) for labeller in self.opened)
        self.parameters.append(parameters)
        self.parties.append(tuple(parties))
        self.opened.append(Plurality(models, account, self._interrupt_at, self._withhold, first))
        return self.opened[-1]


class Recorder:
    """Remembers what a job told its observer."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Stage | None]] = []

    def started(self, stage: Stage, total: int) -> None:
        self.events.append(("started", stage))

    def advanced(self, stage: Stage) -> None:
        self.events.append(("advanced", stage))

    def changed(self) -> None:
        self.events.append(("changed", None))


def finished(job: Job) -> Job:
    """The job after its end, whose report has the published shape and whose ledger is let go of."""
    try:
        job.run()
        validate(report.document(job.state))
    finally:
        job.close()
    return job


def validate(document: object, name: str = "run_report") -> None:
    """Raises if a report, or a study, does not have the published shape."""
    _validator(name).validate(document)


@lru_cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    schemas = [_schema("run_report"), _schema("study")]
    registry = referencing.Registry().with_resources(
        (schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas
    )
    return jsonschema.Draft202012Validator(_schema(name), registry=registry)


@lru_cache
def _schema(name: str) -> Any:
    schema = json.loads((resources.files("capc_spec") / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema
