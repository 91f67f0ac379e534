"""The protocol in one process, with steps 1c and 3 on an outside engine. Everything else is :mod:`capc.protocol`.

All answering parties and queries of a batch are cases of one run of step 1c, and all queries of one run of step 3: a
run here stands for as many runs side by side, of one answering party each. Where the parties are apart, each enters its
own cases.

Spec: CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from capc.accounting import Account
from capc.allowance import AllowanceKeeper
from capc.architecture import Rows
from capc.costs import Step
from capc.engine import ArgmaxCase, ReleaseCase, SecureEngine
from capc.engine_steps import (
    EnteredNoise,
    EnteredRelease,
    answering_party_enter_argmax,
    privacy_guardian_enter_release,
    privacy_guardian_take_answered,
    querying_party_enter_release,
    querying_party_take_label,
    querying_party_take_votes,
)
from capc.errors import InputError
from capc.exchange import Observer
from capc.inference import Ends, infer_logits
from capc.model import QuantisedModel
from capc.parameters import Charge
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.privacy_guardian import Collecting
from capc.protocol import Collaboration, OpenedBatch, PreparedQueries, QueryResult
from capc.querying_party import LayerInput, ReleaseTurn, VoteShare
from capc.randomness import Seed, fresh_seed
from capc.session import Session
from capc.suite import Suite


class EngineCollaboration(Collaboration):
    """A collaboration whose steps 1c and 3 run on an engine.

    Args:
        session: parameters, participants, id.
        models: one per answering party, in order.
        suite: the building blocks of all other steps.
        account: charged before any noise is drawn.
        engine: computes steps 1c and 3.
        allowances: as of :class:`capc.protocol.Collaboration`.
        draw_seed: where the seeds of all steps come from; the operating system, except in tests.
        observer: for tests.

    Raises:
        InputError: as of :class:`capc.protocol.Collaboration`.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        suite: Suite,
        account: Account,
        engine: SecureEngine,
        *,
        allowances: Sequence[AllowanceKeeper] | None = None,
        draw_seed: Callable[[], Seed] = fresh_seed,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(session, models, suite, account, allowances=allowances, draw_seed=draw_seed, observer=observer)
        self._engine = engine

    def prepare(self, count: int) -> PreparedQueries:
        """Refused: what is made ahead is garbled.

        Raises:
            InputError: always.
        """
        raise InputError(f"{count} queries to prepare: only the embedded engine makes step 1c ahead: use label_batch")

    def _infer_all(self, opened: OpenedBatch, inputs: Sequence[LayerInput]) -> list[Ends]:
        exchange = self._exchange
        before = [
            infer_logits(exchange, layer_input, waiting, message)
            for layer_input, (_, waiting, message) in zip(inputs, opened.peers, strict=True)
        ]
        with exchange.computing(Step.ARGMAX):
            entered = [answering_party_enter_argmax(theirs, exchange.seed()) for _, theirs in before]
            cases = [
                ArgmaxCase(*case)
                for (mine, _), (_, masks, fresh) in zip(before, entered, strict=True)
                for case in zip(masks, fresh, mine.values[-1], strict=True)
            ]
            outputs, cost = self._engine.argmax(self._session.parameters, cases)
            exchange.outside(Step.ARGMAX, cost.bytes, cost.rounds)
            shares = _by_party(outputs, opened.batch.count)
            votes = [querying_party_take_votes(mine, rows) for (mine, _), rows in zip(before, shares, strict=True)]
        ends = [(mine, ready) for mine, (ready, _, _) in zip(votes, entered, strict=True)]
        for (mine, ready), (_, theirs) in zip(ends, before, strict=True):
            exchange.state(QUERYING_PARTY, mine)
            exchange.state(theirs.request.party.me, ready)
        return ends

    def _release(
        self, opened: OpenedBatch, ends: Sequence[Ends], queries: Sequence[Sequence[int]]
    ) -> list[QueryResult]:
        entered: list[tuple[EnteredRelease, EnteredNoise]] = []
        cases = []
        for number, (turn, collecting) in enumerate(zip(opened.turns, opened.collecting, strict=True)):
            querying, guardian, case = self._enter(turn, collecting, ends, number)
            entered.append((querying, guardian))
            cases.append(case)
        results = []
        with self._exchange.computing(Step.RELEASE):
            outcomes, cost = self._engine.release(self._session.parameters, cases)
            self._exchange.outside(Step.RELEASE, cost.bytes, cost.rounds)
            for (querying, guardian), outcome, features in zip(entered, outcomes, queries, strict=True):
                answer = querying_party_take_label(querying, outcome.querying_party)
                if self._session.parameters.release.charge is Charge.REALISED:
                    answered = privacy_guardian_take_answered(guardian, outcome.privacy_guardian)
                    self._account.settle(guardian.receipt, answered=answered)
                results.append(self._result(answer, guardian.noise, querying.threshold_noise, features))
                self._results.append(results[-1])
        self._exchange.close_lanes()
        return results

    def _enter(
        self, turn: ReleaseTurn, collecting: Collecting, ends: Sequence[Ends], number: int
    ) -> tuple[EnteredRelease, EnteredNoise, ReleaseCase]:
        """Step 2, and both parties' words of step 3: the account is charged before any noise is drawn."""
        exchange = self._exchange
        shares: list[VoteShare] = [mine[number] for mine, _ in ends]
        aggregated = self._aggregate(collecting, [theirs[number] for _, theirs in ends])
        with exchange.computing(Step.RELEASE):
            querying, querying_words = querying_party_enter_release(turn, shares, exchange.seed())
            receipt = self._account.reserve(self._session.tag, aggregated.query, aggregated.inputs_digest)
            guardian, guardian_words, commitment = privacy_guardian_enter_release(aggregated, receipt, exchange.seed())
            self._account.dispatch(receipt, commitment)
        exchange.state(PRIVACY_GUARDIAN, guardian)
        exchange.state(QUERYING_PARTY, querying)
        return querying, guardian, ReleaseCase(guardian_words, querying_words)


def _by_party(rows: Sequence[tuple[int, ...]], count: int) -> list[Rows]:
    """The rows of each answering party, ``count`` queries each."""
    return [tuple(rows[first : first + count]) for first in range(0, len(rows), count)]
