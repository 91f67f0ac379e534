"""The main job, in its order: train, choose queries, label them through the protocol, retrain.

Spec: CAPC-RUN-002 to CAPC-RUN-005.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from capc import fixed_point
from capc.accounting import Account
from capc.errors import BudgetExhaustedError, InputError
from capc.job.collaboration import open_collaboration
from capc.job.config import JobConfig
from capc.job.observer import JobObserver, Stage
from capc.job.options import flag
from capc.job.plan import Plan
from capc.job.state import JobState, Labeller, ModelRecord, QueryRecord, Score, Status
from capc.learning.active import by_margin
from capc.learning.data import Indices
from capc.learning.metrics import accuracy, balanced_accuracy
from capc.learning.partition import split
from capc.learning.quantise import quantise
from capc.learning.training import ARCHITECTURES, QUERYING_ARCHITECTURE, FloatModel, train
from capc.ledger import Ledger
from capc.model import QuantisedModel
from capc.parameters import Parameters, ParameterSet
from capc.parties import answering_party

Opener = Callable[[Parameters, Sequence[QuantisedModel], Account], Labeller]


class Job:
    """One run. :attr:`state` is true at every moment, so that an interrupted run can still be reported.

    Args:
        plan: what to do.
        observer: told of every step forward.
        opener: sets up the protocol; None takes the real one, with the plan's engine.
    """

    def __init__(self, plan: Plan, observer: JobObserver, opener: Opener | None = None) -> None:
        data, config = plan.dataset, plan.config
        division = split(data.labels, data.num_classes, config.parties, config.partition, config.seed)
        self.state = JobState(plan, division, plan.open_account())
        self._observer = observer
        self._opener = opener or partial(open_collaboration, engine=plan.engine)

    def close(self) -> None:
        """Lets go of the ledger, if there is one; :attr:`state` has been read for the last time."""
        if isinstance(self.state.account, Ledger):
            self.state.account.close()

    def run(self) -> None:
        """Does everything, until the queries are done or the budget is spent.

        Raises:
            InputError: a model could wrap in the logit ring; no query was sent.
        """
        models = self._train_answering()
        own = self._train_own([], [])
        self.state.before = self._score(own)
        self._observer.changed()
        self._observer.started(Stage.SETUP, 1)
        labeller = self._opener(self.state.plan.parameters, models, self.state.account)
        self.state.labeller = labeller
        self._observer.advanced(Stage.SETUP)
        self._observer.changed()
        chosen = by_margin(own, self._features, self.state.split.pool, self.state.plan.config.queries)
        status = self._ask(labeller, chosen)
        self._observer.started(Stage.RETRAINING, 1)
        released = [(record.row, record.label) for record in self.state.queries if record.label is not None]
        retrained = self._train_own([row for row, _ in released], [label for _, label in released])
        self.state.after = self._score(retrained)
        self.state.status = status
        self._observer.advanced(Stage.RETRAINING)
        self._observer.changed()

    def _train_answering(self) -> list[QuantisedModel]:
        data, widths = self.state.plan.dataset, self.state.plan.parameters.widths
        shares = self.state.split.answering
        self._observer.started(Stage.TRAINING, len(shares))
        models = []
        for number, rows in enumerate(shares, start=1):
            hidden = ARCHITECTURES[(number - 1) % len(ARCHITECTURES)]
            model = self._train(rows, data.labels[rows], hidden, number)
            quantised = quantise(model, widths.fraction_bits)
            try:
                quantised.check_ranges(widths.logit_bits)
            except InputError:
                raise self._range_refusal(number, model) from None
            models.append(quantised)
            score = self._score(model)
            self.state.models.append(ModelRecord(quantised.layer_sizes, len(rows), score.accuracy))
            self._observer.advanced(Stage.TRAINING)
        return models

    def _range_refusal(self, number: int, model: FloatModel) -> InputError:
        """A user of the job cannot shrink the weights, but can choose the set, or what the weights come from."""
        widths, default = self.state.plan.parameters.widths, ParameterSet.named(JobConfig.parameters)
        remedy = f"choose {flag('parameters')} {default.name}"
        try:
            quantise(model, default.fraction_bits).check_ranges(default.logit_bits)
        except InputError:
            remedy = f"no set is made for such weights: choose other {flag('data')}, or another {flag('seed')}"
        return self.state.plan.config.refusal(
            "parameters",
            f"the model that {answering_party(number)} trained could wrap in the logit ring of {widths.logit_bits} "
            f"bits: {remedy}",
        )

    def _ask(self, labeller: Labeller, chosen: Indices) -> Status:
        fraction_bits = self.state.plan.parameters.widths.fraction_bits
        self._observer.started(Stage.QUERIES, len(chosen))
        for index, row in enumerate(chosen.tolist(), start=1):
            query = fixed_point.quantise(self._features[row].tolist(), fraction_bits)
            start = time.perf_counter()
            try:
                outcome = labeller.label(query)
            except BudgetExhaustedError:
                return Status.BUDGET_EXHAUSTED
            seconds = time.perf_counter() - start
            self.state.queries.append(QueryRecord(index, row, outcome.label, outcome.ideal_label, seconds))
            self._observer.advanced(Stage.QUERIES)
            self._observer.changed()
        return Status.COMPLETE

    def _train_own(self, rows: Sequence[int], labels: Sequence[int]) -> FloatModel:
        """The querying party's model, from its own labelled rows and these newly labelled ones."""
        own = self.state.split.labelled
        every = np.concatenate([own, np.array(rows, dtype=np.int64)])
        known = np.concatenate([self.state.plan.dataset.labels[own], np.array(labels, dtype=np.int64)])
        return self._train(every, known, QUERYING_ARCHITECTURE, 0)

    def _train(self, rows: Indices, labels: Indices, hidden: Sequence[int], party: int) -> FloatModel:
        num_classes = self.state.plan.dataset.num_classes
        return train(self._features[rows], labels, num_classes, hidden, (self.state.plan.config.seed, party))

    def _score(self, model: FloatModel) -> Score:
        test = self.state.split.test
        predicted, labels = model.predict(self._features[test]), self.state.plan.dataset.labels[test]
        return Score(accuracy(predicted, labels), balanced_accuracy(predicted, labels))

    @property
    def _features(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return self.state.plan.dataset.features
