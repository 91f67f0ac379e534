"""The main job, in its order: train, and for each querying party choose queries, label them, retrain.

Spec: CAPC-RUN-002 to CAPC-RUN-005, CAPC-RUN-010, CAPC-RUN-011, CAPC-RUN-016 to CAPC-RUN-019,
CAPC-RUN-022, CAPC-RUN-023, CAPC-RUN-048 to CAPC-RUN-051.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.job.baselines import baselines
from capc.job.collaboration import open_collaboration
from capc.job.config import Budgets
from capc.job.keeping.files import heads_folder
from capc.job.models import PartyModel, Trained, ensemble_score, retrain, score_of, train_parties, vote_counts
from capc.job.plan import Plan
from capc.job.purse import Purse
from capc.job.simulation import Draw, open_simulation, seeded_noise
from capc.job.state import (
    JobObserver,
    JobState,
    Labeller,
    PartyRecord,
    QueryRecord,
    RoundRecord,
    Stage,
    Status,
    Turn,
)
from capc.learning.data import Indices
from capc.learning.partition import split
from capc.learning.strategies import choose
from capc.learning.training import LocalModel
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.privacy.ledger import Ledger
from capc.protocol.collaboration import PreparedQueries
from capc.session.parameters import Parameters

Opener = Callable[[Parameters, Sequence[QuantisedModel], Account, Sequence[int]], Labeller]
"""Sets up the protocol for the organisations of these numbers, the one that asks first."""


class Job:
    """One run. :attr:`state` is true at every moment, so that an interrupted run can still be reported.

    Args:
        plan: what to do.
        observer: told of every step forward.
        opener: sets up the protocol; None takes what the plan needs.
    """

    def __init__(self, plan: Plan, observer: JobObserver, opener: Opener | None = None) -> None:
        data, config = plan.dataset, plan.config
        with config.placing("partition"):
            division = split(data, config.division, config.seed)
        askers = range(config.queriers)
        # What the data alone forbid is refused before a ledger is made.
        for party in askers:
            Purse(data, division, config, party, None).free()
        first = plan.open_account()
        accounts = [first if config.budgets is Budgets.SHARED or not party else plan.open_account() for party in askers]
        charged = first.spent > 0
        try:
            purses = [
                Purse(data, division, config, party, plan.open_journal(account, party), charged=charged)
                for party, account in enumerate(accounts)
            ]
            self._free = [purse.free() for purse in purses]
        except InputError:
            _close(first)
            raise
        turns = tuple(Turn(*of_party) for of_party in zip(askers, accounts, purses, strict=True))
        self.state = JobState(plan, division, turns)
        self._observer = observer
        self._opener = opener or _opener_of(plan)

    def close(self) -> None:
        """Lets go of the ledger, if there is one; :attr:`state` has been read for the last time."""
        _close(self.state.account)

    def run(self) -> None:
        """Does everything, until the queries are done or the budget is spent.

        Raises:
            InputError: a model could wrap in the logit ring; no query was sent.
        """
        with self._telling_of_an_empty_ledger():
            models = self._train()
        status = Status.COMPLETE
        for turn in self.state.turns:
            ended = self._take_turn(turn, models)
            status = ended if status is Status.COMPLETE else status
        self.state.status = status
        self._observer.changed()

    def _take_turn(self, turn: Turn, models: Sequence[PartyModel]) -> Status:
        """All questions of one querying party; the others answer with the models that they began with."""
        answering = [number for number in range(len(models)) if number != turn.party]
        own = models[turn.party].own
        if turn.purse.bought:
            own = self._retrain(turn)
        turn.before = score_of(self.state.plan, self.state.split.test, own)
        with self._telling_of_an_empty_ledger():
            self._observer.started(Stage.SETUP, 1)
            quantised = [models[number].quantised for number in answering]
            parties = turn.party, *answering
            turn.labeller = labeller = self._opener(self.state.plan.parameters, quantised, turn.account, parties)
        self._observer.advanced(Stage.SETUP)
        self._observer.changed()
        status = self._ask_in_rounds(turn, own, quantised, labeller)
        self._train_baselines(turn)
        return status

    def _ask_in_rounds(
        self, turn: Turn, own: LocalModel, models: Sequence[QuantisedModel], labeller: Labeller
    ) -> Status:
        """Chooses with the model of the moment, asks a part of the queries, and retrains."""
        config, status = self.state.plan.config, Status.COMPLETE
        for number in range(1, config.rounds + 1):
            asking = _Round(turn, number, models, labeller)
            left = config.queries * number // config.rounds - len(self.state.asked_by(turn))
            status = self._ask(asking, self._choose(turn, own, number, left), left)
            self._observer.started(Stage.RETRAINING, 1)
            own = self._retrain(turn)
            score = score_of(self.state.plan, self.state.split.test, own)
            turn.rounds.append(RoundRecord(number, len(self.state.asked_by(turn)), turn.account.spent, score))
            self._observer.advanced(Stage.RETRAINING)
            self._observer.changed()
            if status is not Status.COMPLETE:
                break
        return status

    def _choose(self, turn: Turn, own: LocalModel, number: int, count: int) -> Indices:
        """Rows of the party's pool in the order in which they are to be asked, all that may be."""
        config, split_of = self.state.plan.config, self.state.split
        asked = {record.row for record in self.state.asked_by(turn)}
        free = np.array([row for row in self._free[turn.party].tolist() if row not in asked], dtype=np.int64)
        known = np.concatenate([split_of.parties[turn.party], np.array(sorted(asked), dtype=np.int64)])
        features = self.state.plan.dataset.features
        return choose(config.strategy, own, features, known, free, count, (config.seed, turn.party, number))

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

    def _train(self) -> list[PartyModel]:
        """Every party's model, and what is told of it."""
        state = self.state
        self._observer.started(Stage.TRAINING, len(state.split.parties))
        models = []
        for party, model in enumerate(train_parties(state.plan, state.split)):
            rows, group = state.split.parties[party], state.plan.group
            per_class = _counts(state.plan.dataset.labels[rows], state.plan.dataset.num_classes)
            per_group = () if group is None else _counts(group.of(rows).codes, len(group.values))
            score = score_of(state.plan, state.split.test, model.own)
            state.parties.append(PartyRecord(party, model.quantised.layer_sizes, per_class, per_group, score))
            models.append(model)
            self._observer.advanced(Stage.TRAINING)
        state.ensemble = ensemble_score(state.plan, state.split.test, [model.quantised for model in models[1:]])
        self._observer.changed()
        return models

    def _ask(self, asking: _Round, chosen: Indices, left: int) -> Status:
        """Asks batch after batch; what a batch released is in the state before the next one begins.

        Args:
            asking: who, and in which round.
            chosen: rows in the order in which they are asked, perhaps more of them than are asked.
            left: how many are to be asked.
        """
        rows, turn, labeller = chosen.tolist(), asking.turn, asking.labeller
        self._observer.started(Stage.QUERIES, left)
        while left and rows:
            count = min(self.state.plan.config.batch, left, labeller.remaining_queries())
            if not count:
                return Status.BUDGET_EXHAUSTED
            # Another run on the same journal may have asked some of them in the meantime.
            batch = turn.purse.take(rows[:count])
            rows = rows[count:]
            if not batch:
                continue
            try:
                self._ask_batch(asking, batch)
            except BudgetExhaustedError:
                # Another process charged the same ledger in the meantime.
                self._take_back(turn, batch)
                return Status.BUDGET_EXHAUSTED
            left -= len(batch)
        return Status.COMPLETE

    def _take_back(self, turn: Turn, batch: Sequence[int]) -> None:
        """Of a batch that was refused, what was not asked."""
        done = {record.row for record in self.state.asked_by(turn)}
        turn.purse.take_back([row for row in batch if row not in done])

    def _ask_batch(self, asking: _Round, rows: Sequence[int]) -> None:
        plan, turn, labeller = self.state.plan, asking.turn, asking.labeller
        fraction_bits = plan.parameters.widths.fraction_bits
        queries = [fixed_point.quantise(plan.dataset.features[row].tolist(), fraction_bits) for row in rows]
        done, prepared = len(labeller.results), None
        began = known = _Moment.now(labeller)
        if plan.config.prepare:
            prepared = self._prepare(turn, labeller, rows)
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
            turn.purse.settle((row, outcome.label) for row, outcome in zip(rows, outcomes, strict=False))
            votes = vote_counts(asking.models, queries[: len(outcomes)], plan.parameters.num_classes).tolist()
            for row, outcome, counts in zip(rows, outcomes, votes, strict=False):
                index = len(self.state.queries) + 1
                shares = *ended.since(known, len(outcomes)), *known.since(began, len(outcomes))
                labels = outcome.label, outcome.ideal_label
                self.state.queries.append(
                    QueryRecord(index, turn.party, asking.number, row, *labels, tuple(counts), *shares)
                )
                self._observer.advanced(Stage.QUERIES)
            self._observer.changed()

    def _prepare(self, turn: Turn, labeller: Labeller, rows: Sequence[int]) -> PreparedQueries:
        """Does what does not need the rows. Where that ends early, none of them was asked, and only work is lost."""
        try:
            return labeller.prepare(len(rows))
        except BudgetExhaustedError:
            raise
        except BaseException:
            self._take_back(turn, rows)
            raise

    def _retrain(self, turn: Turn) -> Trained:
        """From own labelled rows, and from rows whose labels were bought, now or by earlier runs."""
        released = {record.row: record.label for record in self.state.asked_by(turn) if record.label is not None}
        own, pool = self.state.split.parties[turn.party], self.state.split.pools[turn.party]
        return retrain(self.state.plan, turn.party, own, {**turn.purse.bought, **released}, pool)

    def _train_baselines(self, turn: Turn) -> None:
        wanted = self.state.plan.config.baselines
        if not wanted:
            return
        self._observer.started(Stage.BASELINES, len(wanted))
        for name, score in baselines(self.state, turn, self._noise_of_the_trusted_place(turn)):
            turn.baselines[name] = score
            self._observer.advanced(Stage.BASELINES)
        self._observer.changed()

    def _noise_of_the_trusted_place(self, turn: Turn) -> Draw:
        plan = self.state.plan
        # A real run compares with a real one: its noise is nobody's to know.
        seed = f"pate/{plan.config.seed}" if plan.simulated else secrets.token_hex()
        return seeded_noise(plan.parameters, turn.account, seed, turn.party, plan.voting)


@dataclass(frozen=True, repr=False)
class _Round:
    """Who asks, in which part of its turn, whose models vote, and what labels."""

    turn: Turn
    number: int
    models: Sequence[QuantisedModel]
    labeller: Labeller


def _counts(codes: Indices, values: int) -> tuple[int, ...]:
    return tuple(np.bincount(codes, minlength=values).tolist())


def _opener_of(plan: Plan) -> Opener:
    if plan.simulated:
        return partial(open_simulation, seed=plan.config.seed, voting=plan.voting)
    return partial(open_collaboration, engine=plan.engine, workers=plan.config.workers)


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
