"""CKKS in place of exact inference, to compare with: a run that leaks, imported only if it is asked for by name.

The querying party sees every answering party's logits, and learns of the weights (docs/ckks-comparison.md). Shares of
the logits go into step 1c, and all that follows is the protocol's own. CKKS messages have no header: nothing binds them
to a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capc import fixed_point
from capc.accountants.policies import certify
from capc.accounting import Account
from capc.answering_party import (
    AwaitingChoice,
    AwaitingTransfers,
    VoteReady,
    answering_party_garble_layer,
    answering_party_take_transfers,
)
from capc.architecture import Rows, dense_architecture
from capc.comparison import Comparison, LogitShares, SquareNetwork, open_comparison
from capc.comparison.ckks import check_network
from capc.comparison.parameters import CkksParameters
from capc.comparison.training import train
from capc.costs import Step
from capc.errors import InputError
from capc.job.collaboration import open_session
from capc.job.models import AnsweringModel, hidden_widths
from capc.job.options import flag
from capc.job.plan import Plan
from capc.job.state import Labeller
from capc.learning.data import Floats, Indices
from capc.linear import IdealLinear
from capc.model import QuantisedLayer, QuantisedModel
from capc.parameters import Parameters
from capc.parties import QUERYING_PARTY, answering_party
from capc.protocol import Collaboration, PreparedQueries, QueryResult
from capc.querying_party import (
    LayerInput,
    VoteShare,
    check_features,
    choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
)
from capc.randomness import Seed
from capc.session import Session
from capc.suite import reference_suite
from capc.vectorised import VectorisedTwoParty

Ends = tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]


@dataclass(frozen=True, repr=False)
class SquareModel(QuantisedModel):
    """A network with squares, as a session knows it: one stage from features to logits, whose circuit is the vote.

    Attributes:
        network: what CKKS evaluates, in place of the stage's weights, which are 0.
    """

    network: SquareNetwork

    @classmethod
    def of(cls, network: SquareNetwork, fraction_bits: int) -> SquareModel:
        """The network, with logits of f fraction bits."""
        inputs, outputs = network.sizes[0], network.sizes[-1]
        stage = QuantisedLayer(((0,) * inputs,) * outputs, (0,) * outputs)
        return cls(dense_architecture((inputs, outputs)), (stage,), fraction_bits, network)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The network's own."""
        return self.network.sizes

    def logits(self, features: Sequence[int]) -> list[int]:
        """In the clear, without the error of CKKS, and rounded to f fraction bits."""
        reals = np.array(features, dtype=np.float64) / (1 << self.fraction_bits)
        return fixed_point.quantise(self.network.logits(reals).tolist(), self.fraction_bits)


def train_squares(plan: Plan, rows: Indices, number: int) -> AnsweringModel:
    """A network with squares and at most one hidden layer: a second square would let logits wrap.

    Raises:
        InputError: CKKS would evaluate it wrongly, or a logit could wrap.
    """
    data, widths = plan.dataset, plan.parameters.widths
    # Weights at the start of training, and nothing else, come from the seed (CAPC-RUN-002).
    seed = Seed(hashlib.sha256(f"capc run: squares {plan.config.seed} {number}".encode("ascii")).digest())
    network = train(data.features[rows], data.labels[rows], data.num_classes, hidden_widths(number)[:1], seed)
    try:
        check_network(CkksParameters.for_depth(network.depth), network, widths)
    except InputError:
        raise plan.config.refusal(
            "inference",
            f"the model that {answering_party(number)} trained does not fit CKKS: choose {flag('inference')} exact, "
            f"or other {flag('data')}",
        ) from None

    def predict(features: Floats) -> Indices:
        return np.asarray(network.logits(features).argmax(axis=1), dtype=np.int64)

    return AnsweringModel(SquareModel.of(network, widths.fraction_bits), predict)


def open_ckks_collaboration(parameters: Parameters, models: Sequence[QuantisedModel], account: Account) -> Labeller:
    """Sets up a session whose inference is CKKS; every model comes from :func:`train_squares`.

    Raises:
        InputError: the account's budget does not keep its policy's epsilon.
    """
    certify(account.policy, account.budget)
    networks = [model.network for model in models if isinstance(model, SquareModel)]
    return CkksCollaboration(open_session(parameters, models), models, networks, account)


class CkksCollaboration(Collaboration):
    """The protocol with CKKS for steps 1a and 1b. What its suite's HE layer makes is never sent.

    Args:
        session: parameters, participants, id.
        models: one per answering party, in order.
        networks: of these models.
        account: charged before any noise is drawn.

    Raises:
        InputError: as of :class:`Collaboration`, or a network does not fit.
    """

    def __init__(
        self,
        session: Session,
        models: Sequence[QuantisedModel],
        networks: Sequence[SquareNetwork],
        account: Account,
    ) -> None:
        # It has no keys and no bytes: the set-up is the protocol's without HE.
        unsent = IdealLinear(session.parameters.widths.logit_bits)
        suite = reference_suite(session.parameters, unsent, VectorisedTwoParty())
        super().__init__(session, models, suite, account)
        with self._exchange.computing(Step.SETUP):
            self._comparison: Comparison = open_comparison(session.parameters.widths, networks)
            for peer in session.answering_parties:
                self._exchange.hand_over(Step.SETUP, QUERYING_PARTY, peer, self._comparison.public_key_message)
        self._exchange.close_lanes()

    def label_batch(self, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        """As of the protocol, with the same errors; CKKS takes one query after the other."""
        for query in queries:
            check_features(self._session, query)
        opened = self._open_batch(len(queries))
        # The inputs of the vote's stage, but not its sums: these come from CKKS.
        inputs = querying_party_enter_batch([state for state, _, _ in opened.peers], queries)
        by_query = [self._evaluate(query) for query in queries]
        ends = [
            self._vote(at, waiting, message, shares)
            for at, (_, waiting, message), shares in zip(inputs, opened.peers, zip(*by_query, strict=True), strict=True)
        ]
        return self._release(opened, ends, queries)

    def prepare(self, count: int) -> PreparedQueries:
        """There is nothing to prepare.

        Raises:
            InputError: always.
        """
        raise InputError(f"{count} queries cannot be prepared for CKKS: label them at once")

    def _evaluate(self, query: Sequence[int]) -> list[LogitShares]:
        """Steps 1a and 1b of one query: every answering party's logits, as shares."""
        unit, exchange = 1 << self._session.parameters.widths.fraction_bits, self._exchange
        peers = self._session.answering_parties
        with exchange.computing(Step.LINEAR):
            request = self._comparison.encrypt([value / unit for value in query])
            for peer in peers:
                exchange.hand_over(Step.LINEAR, QUERYING_PARTY, peer, request, "request")
        with exchange.computing(Step.MASKED_LOGITS):
            shares = self._comparison.answer(request, [exchange.seed() for _ in peers])
            for peer, share in zip(peers, shares, strict=True):
                exchange.hand_over(Step.MASKED_LOGITS, peer, QUERYING_PARTY, share.response, "response")
        return shares

    def _vote(self, at: LayerInput, waiting: AwaitingTransfers, message: bytes, shares: Sequence[LogitShares]) -> Ends:
        """Step 1c for a batch, between the querying party and one answering party; a share for each query."""
        exchange, peer = self._exchange, at.peer
        with exchange.computing(Step.AHEAD):
            exchange.hand_over(Step.AHEAD, QUERYING_PARTY, peer, message)
            theirs = _with_sums(waiting, message, tuple(tuple(share.answering_party) for share in shares))
        with exchange.computing(Step.ARGMAX):
            at.spend()
            awaiting, bits = choose_labels(at, tuple(tuple(share.querying_party) for share in shares))
            exchange.hand_over(Step.ARGMAX, QUERYING_PARTY, peer, bits)
            after, circuits = answering_party_garble_layer(theirs, bits, exchange.seed())
            exchange.hand_over(Step.ARGMAX, peer, QUERYING_PARTY, circuits)
            result = querying_party_evaluate_layer(awaiting, circuits)
        if not isinstance(result, tuple) or not isinstance(after, tuple):
            raise InputError(f"the model of {peer} has more than the vote: train it for the comparison")
        return result, after


def _with_sums(waiting: AwaitingTransfers, message: bytes, shares: Rows) -> AwaitingChoice:
    """The answering party before the vote, with its shares of the logits."""
    state = answering_party_take_transfers(waiting, message)
    state.spend()
    return AwaitingChoice(state, shares)
