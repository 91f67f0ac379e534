"""The whole protocol in one process: every role's program, and what a caller sees of it.

Every party's messages pass as bytes, exactly as on a network; :mod:`capc.protocol.roles` has their order.
:class:`Collaboration` is what examples, tests and the main job use.

Spec: CAPC-NAME-011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.foundation.randomness import Seed, fresh_seed
from capc.foundation.single_use import SingleUse
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.account import Account
from capc.protocol.costs import StepCost
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.exchange import Exchange, NoObserver, Observer
from capc.protocol.functionality import ideal_functionality
from capc.protocol.roles import answering_party, privacy_guardian, querying_party
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Methods, Mode, Queries, QueryingSeat, QueryingTurn, Turn
from capc.session.session import Batch, Session
from capc.steps.answering_party.party import AnsweringParty, after_batch
from capc.steps.querying_party.inference import check_features
from capc.steps.suite import Suite
from capc.two_party.hash_use import HashUse


@dataclass(frozen=True)
class QueryResult:
    """One query's outcome.

    Attributes:
        index: the query's number in the session, from 1.
        label: what the protocol released, None for "no consensus".
        noise: the guardian's draw, for tests.
        compute_ideal: gives :attr:`ideal_label`.
    """

    index: int
    label: int | None
    noise: ReleaseNoise = field(repr=False)
    compute_ideal: Callable[[], int | None] = field(repr=False, compare=False)

    @cached_property
    def ideal_label(self) -> int | None:
        """What F_CaPC gives on the same models, query and noise. Only a demonstration in one process can know it.

        It needs every party's secrets; and it runs all models in the clear, which takes longer than the protocol where
        they are deep: so it is computed when it is first asked for.
        """
        return self.compute_ideal()


@dataclass(frozen=True, repr=False)
class PreparedQueries(SingleUse):
    """A batch of which all is made but sums, evaluation and release: :meth:`Collaboration.label_prepared` uses it."""

    batch: Batch


class Table:
    """All roles of a session at one table: their seats, and what connects them.

    Arguments as of :class:`Collaboration`.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        suite: Suite,
        account: Account,
        methods: Methods,
        draw_seed: Callable[[], Seed],
        observer: Observer,
    ) -> None:
        self.exchange = Exchange(observer)
        self._links = {entry.party: self.exchange.link(entry.party) for entry in session.participants}
        links, shared = self._links, (session, suite, draw_seed, methods)
        self.querying = QueryingSeat(links[QUERYING_PARTY], *shared)
        self.answering = [
            AnsweringSeat(links[me], *shared, me, model)
            for me, model in zip(session.answering_parties, models, strict=True)
        ]
        self.guardian = GuardianSeat(links[PRIVACY_GUARDIAN], *shared, account)

    def play(self, *turns: QueryingTurn) -> None:
        """Plays turns, after the set-up if there was none. The querying party begins last: then all others listen."""
        public = [Turn(turn.mode, turn.batch) for turn in turns]
        self.exchange.run(
            [
                *((self._links[seat.me], answering_party(seat, public)) for seat in self.answering),
                (self._links[PRIVACY_GUARDIAN], privacy_guardian(self.guardian, public)),
                (self._links[QUERYING_PARTY], querying_party(self.querying, turns)),
            ]
        )

    def require_alive(self) -> None:
        """Raises :class:`StateReuseError` if a check of a party's transfers failed: there is no further turn."""
        guardians = [] if self.guardian.party is None else [self.guardian.party]
        for party in (*self.answering_parties, *guardians):
            party.require_alive()

    @property
    def next_query(self) -> int:
        """The number of the first query of the next batch."""
        return 1 if self.querying.party is None else self.querying.party.next_query

    @property
    def answering_parties(self) -> list[AnsweringParty]:
        """Between turns."""
        return [seat.party for seat in self.answering if seat.party is not None]


class Collaboration:
    """One querying party, K answering parties and one guardian, in this process.

    Args:
        session: parameters, participants, id.
        models: one per answering party, in order.
        suite: the building blocks; every party uses the same object.
        account: charged before any noise is drawn.
        methods: of inference and release: the embedded engine, or an outside one
            (`capc.protocol.engine_protocol.with_engine`).
        draw_seed: where the seeds of all steps come from; the operating system, except in tests.
        observer: for tests.

    Raises:
        InputError: another number of models, a model that is not admitted, or an account that charges other noise than
            the suite samples.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        suite: Suite,
        account: Account,
        methods: Methods = EMBEDDED,
        *,
        draw_seed: Callable[[], Seed] = fresh_seed,
        observer: Observer | None = None,
    ) -> None:
        if len(models) != session.num_answering:
            raise InputError(f"{len(models)} models for {session.num_answering} answering parties: give one each")
        if account.policy != session.parameters.release or account.mechanisms != suite.mechanisms:
            raise InputError(
                "the account has another policy or other noise than the session: make it from the session's"
            )
        self._session = session
        self._models = tuple(models)
        self._suite = suite
        self._account = account
        self._prepared = 0
        self._results: list[QueryResult] = []
        self.table = Table(session, models, suite, account, methods, draw_seed, observer or NoObserver())
        self.table.play()

    @property
    def costs(self) -> dict[str, StepCost]:
        """Seconds, bytes and rounds of each step so far."""
        return self.table.exchange.costs

    @property
    def hash_use(self) -> HashUse:
        """What garblers hashed so far, and under how many keys."""
        return self._suite.two_party.hash_use

    @property
    def results(self) -> tuple[QueryResult, ...]:
        """Every query that was released so far: also those of a batch that an error ended half-way."""
        return tuple(self._results)

    def remaining_queries(self) -> int:
        """How many queries the account still admits, beside those that are prepared."""
        return self._account.remaining_queries() - self._prepared

    def label(self, features: Sequence[int]) -> QueryResult:
        """Runs steps 1 to 3 for one quantised query; see :meth:`label_batch`."""
        return self.label_batch([features])[0]

    def label_batch(self, queries: Queries) -> list[QueryResult]:
        """Runs step 1 for all of 1 or more quantised queries at once, then steps 2 and 3 for each.

        Raises:
            BudgetExhaustedError: the account does not admit as many queries; nothing was sent or drawn.
            InputError: a query has another length or lies outside of [-1, 1].
        """
        for query in queries:
            check_features(self._session, query)
        return self._label(Mode.LABEL, self._open_batch(len(queries)), queries)

    def prepare(self, count: int) -> PreparedQueries:
        """Does all of the next ``count`` queries that does not need to know them, with the same errors.

        Raises:
            InputError: the vote takes rounds, which cannot be garbled ahead, or an outside engine computes it.
        """
        _ = self.table.querying.preparation
        batch = self._open_batch(count)
        self.table.play(QueryingTurn(Mode.OFFLINE, batch))
        self._prepared += count
        return PreparedQueries(batch)

    def label_prepared(self, prepared: PreparedQueries, queries: Queries) -> list[QueryResult]:
        """Labels a prepared batch: additions, products in the clear, garbled evaluation, and the release.

        Raises:
            BudgetExhaustedError: the account was charged by others meanwhile; the batch stays prepared.
            InputError: another number of queries than were prepared, or a query as in :meth:`label_batch`.
            StateReuseError: the batch was labelled before.
        """
        batch = prepared.batch
        if len(queries) > self._account.remaining_queries():
            raise self._exhausted(len(queries))
        for query in queries:
            check_features(self._session, query)
        if len(queries) != batch.count:
            raise InputError(f"{len(queries)} queries in a batch that was prepared for {batch.count}")
        self.table.require_alive()
        prepared.spend()
        self._prepared -= batch.count
        return self._label(Mode.ONLINE, batch, queries)

    def _open_batch(self, count: int) -> Batch:
        """The next queries' numbers. Every party is asked first, so that one that refuses leaves all in step.

        What is prepared and not labelled yet will be charged, and counts.
        """
        self.table.require_alive()
        if count + self._prepared > self._account.remaining_queries():
            raise self._exhausted(count)
        for party in self.table.answering_parties:
            after_batch(party, count)
        return Batch(self.table.next_query, count)

    def _exhausted(self, count: int) -> BudgetExhaustedError:
        account, prepared = self._account, f" and {self._prepared} queries are prepared" if self._prepared else ""
        return BudgetExhaustedError(
            f"the budget {account.budget} ({account.cost.unit.value}) does not admit {count} more: "
            f"{account.spent} is spent{prepared}, and a query costs {account.cost.worst_case}"
        )

    def _label(self, mode: Mode, batch: Batch, queries: Queries) -> list[QueryResult]:
        """Plays a turn that labels. What was released before an error is kept."""
        done, answers, noise = len(self._results), self.table.querying.answers, self.table.guardian.noise
        try:
            self.table.play(QueryingTurn(mode, batch, queries))
        finally:
            # The guardian draws, and the querying party learns, query after query, in this order.
            for (answer, own_noise), drawn, features in zip(answers, noise, queries, strict=False):
                ideal = partial(self._ideal_label, tuple(features), drawn, own_noise)
                self._results.append(QueryResult(answer.query, answer.label, drawn, ideal))
            answers.clear()
            noise.clear()
        return self._results[done:]

    def _ideal_label(self, features: Sequence[int], noise: ReleaseNoise, own_noise: Sequence[int]) -> int | None:
        logits = [model.logits(features) for model in self._models]
        return ideal_functionality(self._session.parameters, logits, noise, own_noise).querying_party
