"""CKKS in place of exact inference, for the roles' programs: a session that leaks.

The querying party sees every answering party's logits, and learns of the weights (docs/ckks-comparison.md). Shares of
the logits go into step 1c, and all that follows is the protocol's own. CKKS messages have no header: nothing binds them
to a session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.parties import QUERYING_PARTY, Party, organisation
from capc.foundation.randomness import Seed
from capc.job.collaboration import open_session
from capc.linear.ideal import IdealLinear
from capc.models.architecture import dense_architecture
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EmbeddedRelease
from capc.protocol.link import tell
from capc.protocol.seats import AnsweringSeat, Methods, Queries, QueryingSeat
from capc.session.parameters import Parameters
from capc.session.session import Session
from capc.session.widths import ParameterSet
from capc.steps.answering_party.inference import (
    AnsweringVoteShare,
    AwaitingChoice,
    answering_party_enter_batch,
    answering_party_garble_vote,
    answering_party_take_transfers,
)
from capc.steps.answering_party.party import AwaitingTransfers
from capc.steps.querying_party.inference import (
    AwaitingCircuits,
    LayerInput,
    VoteShare,
    choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_vote,
)
from capc.steps.querying_party.party import OpenBatch
from capc.steps.suite import reference_suite
from capc.two_party.vectorised import VectorisedTwoParty
from capc_bench.ckks.network import SquareNetwork
from capc_bench.ckks.parameters import CkksParameters
from capc_bench.ckks.steps import (
    Keys,
    answering_party_evaluate,
    answering_party_read_keys,
    check_network,
    querying_party_decrypt,
    querying_party_encrypt,
    querying_party_make_keys,
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Every role's part of steps 1a and 1b under CKKS, for a process that plays all of them.

    Attributes:
        widths: l and f of the shares.
        networks: the answering parties', by index.
        keys: the querying party's.
        public_keys: the answering parties' copy, which they share in one process.
        public_key_message: what each answering party receives once.
    """

    widths: ParameterSet
    networks: tuple[SquareNetwork, ...]
    keys: Keys
    public_keys: Keys
    public_key_message: bytes

    def encrypt(self, features: Sequence[float]) -> bytes:
        """The querying party's request, one for all answering parties."""
        return querying_party_encrypt(self.keys, features)

    def respond(self, index: int, request: bytes, seed: Seed) -> tuple[bytes, list[int]]:
        """One answering party's part: the response, and the mask, which is its share of the logits."""
        return answering_party_evaluate(self.public_keys, self.networks[index - 1], request, self.widths, seed)

    def open(self, response: bytes) -> list[int]:
        """The querying party's part: its share of an answering party's logits."""
        return querying_party_decrypt(self.keys, response, self.widths)


def open_comparison(widths: ParameterSet, networks: Sequence[SquareNetwork]) -> Comparison:
    """Makes and hands over the keys of a session, for the deepest of the networks.

    Args:
        widths: the session's parameter set.
        networks: the answering parties', by index; all with the same features and classes.

    Raises:
        InputError: a network does not fit.
    """
    parameters = CkksParameters.for_depth(max(network.depth for network in networks))
    for network in networks:
        check_network(parameters, network, widths)
    keys, public = querying_party_make_keys(parameters)
    return Comparison(widths, tuple(networks), keys, answering_party_read_keys(parameters, public), public)


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

    def logits(self, features: Sequence[int]) -> list[int]:
        """In the clear, without the error of CKKS, and rounded to f fraction bits."""
        reals = np.array(features, dtype=np.float64) / (1 << self.fraction_bits)
        return fixed_point.quantise(self.network.logits(reals).tolist(), self.fraction_bits)


def open_ckks_collaboration(
    parameters: Parameters, networks: Sequence[SquareNetwork], account: Account
) -> Collaboration:
    """Sets up a session whose inference is CKKS, with these answering parties' networks.

    Raises:
        InputError: a network does not fit, or the account is not the session's.
    """
    widths = parameters.widths
    models = [SquareModel.of(network, widths.fraction_bits) for network in networks]
    session = open_session(parameters, models, [organisation(number) for number in range(len(models) + 1)])
    methods = Methods(CkksInference(session, open_comparison(widths, networks)), EmbeddedRelease())
    # HE has no keys and no bytes here: the set-up is the protocol's without it.
    suite = reference_suite(parameters, IdealLinear(widths.logit_bits), VectorisedTwoParty())
    return Collaboration(session, models, suite, account, methods)


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
            for state in inputs:
                await link.send(state.peer, request, "request")
        return await link.together(self._vote(seat, state, transfers[state.peer]) for state in inputs)

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[AnsweringVoteShare, ...]:
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
        link.step = Step.OFFLINE
        transfers = answering_party_take_transfers(waiting, await link.receive(QUERYING_PARTY))
        state = answering_party_enter_batch(transfers)
        state.spend()
        link.step = Step.ARGMAX
        choice, bits = AwaitingChoice(state, tuple(masks)), await link.receive(QUERYING_PARTY)
        return await tell(link, QUERYING_PARTY, answering_party_garble_vote(choice, bits, seat.seeds()))

    async def _vote(self, seat: QueryingSeat, state: LayerInput, transfers: bytes) -> tuple[VoteShare, ...]:
        link, peer = seat.link, state.peer
        link.step = Step.MASKED_LOGITS
        logits = [self.comparison.open(await link.receive(peer)) for _ in state.batch.queries]
        link.step = Step.OFFLINE
        await link.send(peer, transfers)
        link.step = Step.ARGMAX
        state.spend()
        chosen = await tell(link, peer, choose_labels(state, tuple(map(tuple, logits))))
        return querying_party_evaluate_vote(AwaitingCircuits(state, chosen), await link.receive(peer))
