"""CKKS in place of exact inference, to compare with: a run that leaks, imported only if it is asked for by name.

The querying party sees every answering party's logits, and learns of the weights (docs/ckks-comparison.md). Shares of
the logits go into step 1c, and all that follows is the protocol's own. CKKS messages have no header: nothing binds them
to a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capc import fixed_point
from capc.accountants.policies import certify
from capc.accounting import Account
from capc.answering_party import (
    AwaitingChoice,
    AwaitingTransfers,
    VoteReady,
    answering_party_enter_batch,
    answering_party_garble_vote,
    answering_party_take_transfers,
)
from capc.architecture import dense_architecture
from capc.comparison import Comparison, SquareNetwork, open_comparison
from capc.comparison.ckks import check_network
from capc.comparison.parameters import CkksParameters
from capc.comparison.training import train
from capc.costs import Step
from capc.embedded_methods import EmbeddedRelease
from capc.errors import InputError
from capc.job.collaboration import open_session
from capc.job.models import AnsweringModel, hidden_widths
from capc.job.options import flag
from capc.job.plan import Plan
from capc.job.state import Labeller
from capc.learning.data import Floats, Indices
from capc.linear import IdealLinear
from capc.link import tell
from capc.model import QuantisedLayer, QuantisedModel
from capc.parameters import Parameters
from capc.parties import QUERYING_PARTY, Party, answering_party
from capc.protocol import Collaboration
from capc.querying_party import (
    AwaitingCircuits,
    LayerInput,
    OpenBatch,
    VoteShare,
    choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_vote,
)
from capc.randomness import Seed
from capc.seats import AnsweringSeat, Methods, Queries, QueryingSeat
from capc.session import Session
from capc.suite import reference_suite
from capc.vectorised import VectorisedTwoParty
from capc_spec.registry import TAGS


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
    name = TAGS["run"] + TAGS["run-squares"] + f"{plan.config.seed} {number}".encode("ascii")
    seed = Seed(hashlib.sha256(name).digest())
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
    session = open_session(parameters, models)
    networks = [model.network for model in models if isinstance(model, SquareModel)]
    inference = CkksInference(session, open_comparison(parameters.widths, networks))
    # HE has no keys and no bytes here: the set-up is the protocol's without it.
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits), VectorisedTwoParty())
    return Collaboration(session, models, suite, account, Methods(inference, EmbeddedRelease()))


class CkksInference:
    """Steps 1a and 1b under CKKS, then the embedded vote. What the suite's HE layer makes is never sent.

    Args:
        session: whose answering parties have the comparison's networks.
        comparison: all parties' keys and networks. In one process, answering parties share the public keys.
    """

    def __init__(self, session: Session, comparison: Comparison) -> None:
        self.comparison = comparison
        self._without_keys = set(session.answering_parties)

    async def querying_party(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Opens every answering party's logits, which is the leak, and shares them again for the vote."""
        link, comparison = seat.link, self.comparison
        link.step = Step.SETUP
        for peer in sorted(self._without_keys, key=str):
            await link.send(peer, comparison.public_key_message)
        # The inputs of the vote's stage, but not its sums: these come from CKKS.
        link.step = Step.LINEAR
        inputs = querying_party_enter_batch(opened, queries)
        unit = 1 << seat.session.parameters.widths.fraction_bits
        for query in queries:
            request = comparison.encrypt([value / unit for value in query])
            for at in inputs:
                await link.send(at.peer, request, "request")
        return await link.together(self._vote(seat, at, transfers[at.peer]) for at in inputs)

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[VoteReady, ...]:
        """Answers with its logits under a mask, and garbles the vote."""
        link, comparison, masks = seat.link, self.comparison, []
        if seat.me in self._without_keys:
            await link.receive(QUERYING_PARTY)
            self._without_keys.discard(seat.me)
        link.step = Step.MASKED_LOGITS
        for _ in waiting.batch.queries:
            request = await link.receive(QUERYING_PARTY)
            response, mask = comparison.respond(seat.me.index, request, seat.seeds())
            masks.append(tuple(mask))
            await link.send(QUERYING_PARTY, response, "response")
        link.step = Step.AHEAD
        transfers = answering_party_take_transfers(waiting, await link.receive(QUERYING_PARTY))
        state = answering_party_enter_batch(transfers)
        state.spend()
        link.step = Step.ARGMAX
        choice, bits = AwaitingChoice(state, tuple(masks)), await link.receive(QUERYING_PARTY)
        return await tell(link, QUERYING_PARTY, answering_party_garble_vote(choice, bits, seat.seeds()))

    async def _vote(self, seat: QueryingSeat, at: LayerInput, transfers: bytes) -> tuple[VoteShare, ...]:
        link, peer = seat.link, at.peer
        link.step = Step.MASKED_LOGITS
        logits = [self.comparison.open(peer.index, await link.receive(peer)) for _ in at.batch.queries]
        link.step = Step.AHEAD
        await link.send(peer, transfers)
        link.step = Step.ARGMAX
        at.spend()
        chosen = await tell(link, peer, choose_labels(at, tuple(map(tuple, logits))))
        return querying_party_evaluate_vote(AwaitingCircuits(at, chosen), await link.receive(peer))
