"""F_CaPC in the clear in the place of the protocol: for studies of what labels do for accuracy, never for a guarantee.

The noise of a simulation comes from the seed that anybody gives on the command line, so that a study repeats. Nobody's
data are protected by it, and nothing here opens a ledger. Spec: CAPC-RUN-039, CAPC-RUN-040,
CAPC-RUN-042 to CAPC-RUN-044.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.foundation.hidden import type_only
from capc.foundation.randomness import Seed, XofSource
from capc.job.models import exact_logits
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise, draw_release_noise
from capc.privacy.account import Account
from capc.privacy.accountants.policies import certify
from capc.privacy.multi_label import SetRule, SetVoting
from capc.protocol.collaboration import PreparedQueries, QueryResult
from capc.protocol.costs import StepCost
from capc.protocol.functionality import ideal_functionality
from capc.session.parameters import Charge, Parameters, require_counts
from capc.two_party.hash_use import HashUse
from capc_spec.registry import TAGS

Draw = Callable[[int], tuple[ReleaseNoise, tuple[int, ...]]]
"""From a query's number in its session to the guardian's noise and the querying party's own of a check."""


def open_simulation(
    parameters: Parameters,
    models: Sequence[QuantisedModel],
    account: Account,
    parties: Sequence[int],
    *,
    seed: int,
    voting: SetVoting | None = None,
) -> Simulation:
    """The labeller of one querying party's turn.

    Args:
        parameters: of the session that it stands for.
        models: one for each answering party.
        account: charged for each query; in memory.
        parties: numbers of the organisations, the one that asks first.
        seed: of the study.
        voting: how sets of labels are voted on; None where each row has one class.
    """
    draw = seeded_noise(parameters, account, str(seed), parties[0], voting)
    return Simulation(parameters, models, account, draw, voting)


class Simulation:
    """A labeller that is given every model and query in the clear.

    Args:
        parameters: of the session that it stands for.
        models: one for each answering party.
        account: charged for each query as the protocol's would be; in memory.
        draw: the noise of each query.
        voting: how sets of labels are voted on; None where each row has one class.
    """

    def __init__(
        self,
        parameters: Parameters,
        models: Sequence[QuantisedModel],
        account: Account,
        draw: Draw,
        voting: SetVoting | None = None,
    ) -> None:
        certify(account.policy, account.grid_bits, account.budget)
        if voting is not None and voting.rule is not SetRule.POWERSET:
            require_counts(account.policy, "a vote on each label of a set")
        for model in models:
            model.check_ranges(parameters.widths.logit_bits)
        self._parameters = parameters
        self._models = models
        self._account = account
        self._draw = draw
        self._voting = voting
        self._tag = hashlib.sha256(TAGS["simulation"] + str(len(account.events)).encode()).digest()
        self._results: list[QueryResult] = []

    __repr__ = type_only

    @property
    def costs(self) -> Mapping[str, StepCost]:
        """Nothing is sent."""
        return {}

    @property
    def hash_use(self) -> HashUse:
        """Nothing is garbled."""
        return HashUse()

    @property
    def results(self) -> Sequence[QueryResult]:
        """Every query so far."""
        return self._results

    def remaining_queries(self) -> int:
        """How many more queries the account admits."""
        return self._account.remaining_queries()

    def label_batch(self, queries: Sequence[Sequence[int]]) -> Sequence[QueryResult]:
        """F_CaPC on each query, in order.

        Raises:
            BudgetExhaustedError: the account does not admit as many queries.
        """
        if len(queries) > self._account.remaining_queries():
            raise BudgetExhaustedError(f"the budget does not admit {len(queries)} more queries")
        logits = [exact_logits(model, queries).tolist() for model in self._models]
        done = len(self._results)
        for place in range(len(queries)):
            self._results.append(self._label(done + place + 1, [rows[place] for rows in logits]))
        return self._results[done:]

    def _label(self, number: int, logits: Sequence[Sequence[int]]) -> QueryResult:
        noise, own = self._draw(number)
        receipt = self._account.reserve(self._tag, number, bytes(len(self._tag)))
        label = released(self._parameters, self._voting, logits, noise, own)
        if self._account.policy.charge is Charge.REALISED:
            self._account.dispatch(receipt, b"")
            self._account.settle(receipt, answered=label is not None)
        return QueryResult(number, label, noise, lambda: label)

    def prepare(self, count: int) -> PreparedQueries:
        """Refused: there is nothing to prepare."""
        raise InputError(f"prepare: a simulation prepares nothing, asked for {count} queries: leave this out")

    def label_prepared(self, prepared: PreparedQueries, queries: Sequence[Sequence[int]]) -> Sequence[QueryResult]:
        """Refused, likewise."""
        raise InputError(f"label_prepared: a simulation prepares nothing, given {prepared} and {len(queries)} queries")


def released(
    parameters: Parameters,
    voting: SetVoting | None,
    logits: Sequence[Sequence[int]],
    noise: ReleaseNoise,
    own: Sequence[int],
) -> int | None:
    """The class that a querying party gets, or the number of a set; None where a label is withheld.

    Args:
        parameters: of the session.
        voting: how sets are voted on; None where each row has one class.
        logits: of each answering party, for each class or set.
        noise: the guardian's.
        own: the querying party's in a check, a draw per class; none unless charged as realised.
    """
    if voting is None:
        return ideal_functionality(parameters, logits, noise, own).querying_party
    votes = [0] * parameters.num_classes
    for row in logits:
        votes[row.index(max(row))] += 1
    return voting.release(votes, noise.classes)


def seeded_noise(
    parameters: Parameters, account: Account, seed: str, party: int, voting: SetVoting | None = None
) -> Draw:
    """Noise of the account's own mechanisms, from a seed.

    Args:
        parameters: number of classes, charging.
        account: whose mechanisms sample.
        seed: of the study.
        party: who asks.
        voting: how sets are voted on.
    """
    root = _root(seed, party)
    count = parameters.num_classes if voting is None else voting.draws
    threshold = account.mechanisms.threshold if parameters.release.charge is Charge.REALISED else None

    def draw(number: int) -> tuple[ReleaseNoise, tuple[int, ...]]:
        source = XofSource(root, str(number).encode())
        noise = draw_release_noise(account.mechanisms, count, source)
        return noise, () if threshold is None else tuple(threshold.sample(source, count))

    return draw


def _root(seed: str, party: int) -> Seed:
    return Seed(hashlib.sha256(TAGS["simulation"] + f"{seed}/{party}".encode()).digest())
