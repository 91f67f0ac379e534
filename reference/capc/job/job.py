"""The main job, in its order: train, choose queries, label them through the protocol, retrain.

Spec: CAPC-RUN-002 to CAPC-RUN-005, CAPC-RUN-010, CAPC-RUN-011, CAPC-RUN-016 to CAPC-RUN-019, CAPC-RUN-022.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.job.collaboration import open_collaboration
from capc.job.models import train_float, train_relus
from capc.job.plan import Plan, heads_folder
from capc.job.purse import Purse
from capc.job.state import JobObserver, JobState, Labeller, ModelRecord, QueryRecord, Score, Stage, Status
from capc.learning.data import Floats, Indices
from capc.learning.metrics import accuracy, balanced_accuracy
from capc.learning.partition import split
from capc.learning.strategies import Strategy, choose
from capc.learning.training import QUERYING_ARCHITECTURE, FloatModel
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.privacy.ledger import Ledger
from capc.protocol.collaboration import PreparedQueries
from capc.session.parameters import Parameters

Opener = Callable[[Parameters, Sequence[QuantisedModel], Account], Labeller]


class Job:
    """One run. :attr:`state` is true at every moment, so that an interrupted run can still be reported.

    Args:
        plan: what to do.
        observer: told of every step forward.
        opener: sets up the protocol; None takes what the plan needs.
    """

    def __init__(self, plan: Plan, observer: JobObserver, opener: Opener | None = None) -> None:
        data, config = plan.dataset, plan.config
        division = split(data.labels, data.num_classes, config.parties, config.partition, config.seed)
        # What the data alone forbid is refused before a ledger is made.
        Purse(data, division, config, None).free()
        account = plan.open_account()
        try:
            purse = Purse(data, division, config, plan.open_journal(account), charged=account.spent > 0)
            self._free = purse.free()
        except InputError:
            _close(account)
            raise
        self.state = JobState(plan, division, account, purse)
        self._observer = observer
        self._opener = opener or partial(
            open_collaboration, engine=plan.engine, allowances=plan.allowances, workers=plan.config.workers
        )

    def close(self) -> None:
        """Lets go of the ledger, if there is one; :attr:`state` has been read for the last time."""
        _close(self.state.account)

    def run(self) -> None:
        """Does everything, until the queries are done or the budget is spent.

        Raises:
            InputError: a model could wrap in the logit ring; no query was sent.
        """
        with self._telling_of_an_empty_ledger():
            models = self._train_answering()
            own = self._train_own(self.state.purse.bought)
            self.state.before = self._score(own.predict)
            self._observer.changed()
            self._observer.started(Stage.SETUP, 1)
            labeller = self._opener(self.state.plan.parameters, models, self.state.account)
        self.state.labeller = labeller
        self._observer.advanced(Stage.SETUP)
        self._observer.changed()
        config = self.state.plan.config
        order = choose(
            Strategy.MARGIN,
            own,
            self._features,
            self.state.split.labelled,
            self._free,
            config.queries,
            (config.seed, 0),
        )
        status = self._ask(labeller, order)
        self._observer.started(Stage.RETRAINING, 1)
        released = {record.row: record.label for record in self.state.queries if record.label is not None}
        retrained = self._train_own({**self.state.purse.bought, **released})
        self.state.after = self._score(retrained.predict)
        self.state.status = status
        self._observer.advanced(Stage.RETRAINING)
        self._observer.changed()

    @contextmanager
    def _telling_of_an_empty_ledger(self) -> Iterator[None]:
        """A refusal before the first query says what becomes of a ledger that was there for nothing."""
        try:
            yield
        except InputError as error:
            account = self.state.account
            if not isinstance(account, Ledger) or account.created or account.spent:
                raise
            raise InputError(
                f"{error}. The ledger {account.file} has no query yet, and is fixed to this policy: for another one, "
                "remove it and its key"
            ) from None

    def _train_answering(self) -> list[QuantisedModel]:
        shares = self.state.split.answering
        self._observer.started(Stage.TRAINING, len(shares))
        models = []
        for number, rows in enumerate(shares, start=1):
            model, predict = train_relus(self.state.plan, rows, number)
            models.append(model)
            self.state.models.append(ModelRecord(model.layer_sizes, len(rows), self._score(predict).accuracy))
            self._observer.advanced(Stage.TRAINING)
        return models

    def _ask(self, labeller: Labeller, chosen: Indices) -> Status:
        """Asks batch after batch; what a batch released is in the state before the next one begins.

        Args:
            labeller: whom to ask.
            chosen: rows in the order in which they are asked, more of them than are asked.
        """
        rows, left = chosen.tolist(), self.state.plan.config.queries
        self._observer.started(Stage.QUERIES, left)
        while left and rows:
            count = min(self.state.plan.config.batch, left, labeller.remaining_queries())
            if not count:
                return self._exhausted(1)
            # Another run on the same journal may have asked some of them in the meantime.
            batch = self.state.purse.take(rows[:count])
            rows = rows[count:]
            if not batch:
                continue
            try:
                self._ask_batch(labeller, batch)
            except BudgetExhaustedError:
                # Another process charged the same ledger or allowance in the meantime.
                self._take_back(batch)
                return self._exhausted(len(batch))
            left -= len(batch)
        return Status.COMPLETE

    def _take_back(self, batch: Sequence[int]) -> None:
        """Of a batch that was refused, what was not asked."""
        done = {record.row for record in self.state.queries}
        self.state.purse.take_back([row for row in batch if row not in done])

    def _exhausted(self, count: int) -> Status:
        """What does not suffice for ``count`` queries: the account, or an allowance if the account does."""
        enough = self.state.account.remaining_queries() >= count
        return Status.ALLOWANCE_EXHAUSTED if enough else Status.BUDGET_EXHAUSTED

    def _ask_batch(self, labeller: Labeller, rows: Sequence[int]) -> None:
        fraction_bits = self.state.plan.parameters.widths.fraction_bits
        queries = [fixed_point.quantise(self._features[row].tolist(), fraction_bits) for row in rows]
        done, prepared = len(labeller.results), None
        began = known = _Moment.now(labeller)
        if self.state.plan.config.prepare:
            prepared = self._prepare(labeller, rows)
            known = _Moment.now(labeller)
        try:
            if prepared is None:
                labeller.label_batch(queries)
            else:
                labeller.label_prepared(prepared, queries)
        finally:
            # What a batch released before an error or an interrupt was paid for, and is kept.
            outcomes, ended = labeller.results[done:], _Moment.now(labeller)
            # Durable first: a label that is shown or used is never bought again.
            self.state.purse.settle((row, outcome.label) for row, outcome in zip(rows, outcomes, strict=False))
            for row, outcome in zip(rows, outcomes, strict=False):
                index = len(self.state.queries) + 1
                shares = *ended.since(known, len(outcomes)), *known.since(began, len(outcomes))
                self.state.queries.append(QueryRecord(index, row, outcome.label, outcome.ideal_label, *shares))
                self._observer.advanced(Stage.QUERIES)
            self._observer.changed()

    def _prepare(self, labeller: Labeller, rows: Sequence[int]) -> PreparedQueries:
        """Does what does not need the rows. Where that ends early, none of them was asked, and only work is lost."""
        try:
            return labeller.prepare(len(rows))
        except BudgetExhaustedError:
            raise
        except BaseException:
            self._take_back(rows)
            raise

    def _train_own(self, bought: Mapping[int, int]) -> FloatModel:
        """The querying party's model, from its own labelled rows and the rows whose labels it bought."""
        own = self.state.split.labelled
        every = np.concatenate([own, np.array(list(bought), dtype=np.int64)])
        known = np.concatenate([self.state.plan.dataset.labels[own], np.array(list(bought.values()), dtype=np.int64)])
        return train_float(self.state.plan, every, known, QUERYING_ARCHITECTURE, 0)

    def _score(self, predict: Callable[[Floats], Indices]) -> Score:
        test = self.state.split.test
        predicted, labels = predict(self._features[test]), self.state.plan.dataset.labels[test]
        return Score(accuracy(predicted, labels), balanced_accuracy(predicted, labels))

    @property
    def _features(self) -> Floats:
        return self.state.plan.dataset.features


def _close(account: Account) -> None:
    """Lets go of a ledger.

    One that this run made, and that nobody charged or looked at, is removed again: it would be fixed to the policy of a
    run that was refused.
    """
    if not isinstance(account, Ledger):
        return
    try:
        if account.created and not any(heads_folder(account.file).glob("*.json")):
            account.remove_unused()
    finally:
        account.close()


class _Moment(NamedTuple):
    """How long a run takes, and how many bytes were sent, until now."""

    seconds: float
    bytes: int

    @classmethod
    def now(cls, labeller: Labeller) -> _Moment:
        return cls(time.perf_counter(), sum(cost.bytes for cost in labeller.costs.values()))

    def since(self, earlier: _Moment, queries: int) -> tuple[float, float]:
        """What each of so many queries took since then."""
        return (self.seconds - earlier.seconds) / queries, (self.bytes - earlier.bytes) / queries
