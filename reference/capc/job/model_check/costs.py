"""What a query costs with one answering party, from its architecture alone.

Bytes and ANDs are those of the protocol, by the lengths that its parsers demand. Seconds are computed from counts of
ANDs, ciphertexts and bytes, at rates that were measured once on one machine (:mod:`capc.protocol.network`,
:mod:`capc.linear.bfv.scheme`); they leave out products in the clear and transfers: a small network and
LeNet-5 took 2 and 2.3 times as long.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from capc.job.own_models.sessions import session_of
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import context_for
from capc.linear.bfv.scheme import COEFFICIENTS_PER_BYTE_OF_PRODUCT, WORK_PER_CIPHERTEXT, encoding_for
from capc.models.architecture import Architecture, StageShape
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step, StepCost
from capc.protocol.network import NETWORKS, NetworkName, circuit_seconds
from capc.session.envelope import HEADER
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy
from capc.session.widths import ParameterSet
from capc.steps.layer_circuits import Ending, activation_circuit, ending, transfer_counts
from capc.steps.messages import VoteShares
from capc.steps.release_circuit import circuit_for
from capc.steps.release_transfers import FIRST_BYTES, RELEASES_AHEAD, request_lengths
from capc.steps.suite import reference_suite
from capc.two_party.vectorised import VectorisedTwoParty

WORK_PER_SECOND = 6.25e6
"""Bytes that the work of homomorphic encryption is told in, for a second: those of a line of 50 Mbit/s."""


@dataclass(frozen=True)
class StageCost:
    """Of one stage, for one query.

    Attributes:
        ands: garbled.
        bytes: of its messages.
        seconds: of computing, both ends together, without waiting for a network.
    """

    ands: int
    bytes: float
    seconds: float


@dataclass(frozen=True)
class QueryCost:
    """Of one query with one answering party, as one of a batch.

    Attributes:
        batch: queries that are asked at once.
        stages: of the network.
        ahead_bytes: of the transfers for all stages, and of the masked votes.
        release_bytes: of the label's release, which is one for all answering parties; in the mean over 32 queries.
        rounds: of a batch, which all answering parties go through side by side.
    """

    batch: int
    stages: tuple[StageCost, ...]
    ahead_bytes: float
    release_bytes: float
    rounds: int

    @property
    def ands(self) -> int:
        """Of the network."""
        return sum(stage.ands for stage in self.stages)

    @property
    def bytes(self) -> float:
        """With one answering party, without the release."""
        return self.ahead_bytes + sum(stage.bytes for stage in self.stages)

    @property
    def seconds(self) -> float:
        """Of computing with one answering party, both ends together."""
        return sum(stage.seconds for stage in self.stages)


@dataclass(frozen=True)
class Measured:
    """A batch that was labelled on this machine, by one answering party in one process.

    Attributes:
        batch: its queries.
        seconds: of computing by all roles, for one query, without the set-up.
        bytes: of one query, without the release.
        setup_seconds: of the set-up.
        setup_bytes: of the set-up.
    """

    batch: int
    seconds: float
    bytes: float
    setup_seconds: float
    setup_bytes: int


def parameters_for(architecture: Architecture, widths: ParameterSet) -> Parameters:
    """Those of a session of such networks; its noise, which costs nothing here, is 1 vote."""
    policy = ReleasePolicy(
        NoiseName.ROUNDED_GAUSSIAN,
        Fraction(1),
        None,
        None,
        Charge.WORST_CASE,
        Adjacency.REPLACE_ONE,
        epsilon=Fraction(10**4),
        delta=Fraction(1, 10**6),
    )
    return Parameters(widths, architecture.outputs, architecture.inputs, policy)


def query_cost(architecture: Architecture, widths: ParameterSet, batch: int) -> QueryCost:
    """What a query costs.

    Args:
        architecture: of the answering party's network.
        widths: the parameter set.
        batch: queries that are asked at once, 1 or more.

    Raises:
        InputError: a window of the network does not fit the set's polynomials, or the batch the session.
    """
    parameters, scheme = parameters_for(architecture, widths), VectorisedTwoParty()
    session_of(parameters, [architecture]).check_batch(batch)
    stages = tuple(_stage_cost(parameters, stage, batch, scheme) for stage in architecture.stages)
    transfers = scheme.extension_length(sum(transfer_counts(parameters, architecture, batch)))
    votes = HEADER.size + VoteShares.byte_length(parameters.num_classes, widths.vote_bits)
    extension, bits = request_lengths(scheme, parameters)
    # Of 32 releases the first makes the transfers of all; each other names the one that did.
    front = (extension + (RELEASES_AHEAD - 1) * FIRST_BYTES) / RELEASES_AHEAD
    release = 2 * HEADER.size + front + bits + scheme.circuits_length(circuit_for(parameters), 1)
    flights = sum(2 if ending(parameters, stage) is Ending.SUMS else 4 for stage in architecture.stages)
    # As reports count them: one of transfers, one of votes, and the release's two.
    return QueryCost(batch, stages, (HEADER.size + transfers) / batch + votes, release, flights + 4)


def _stage_cost(parameters: Parameters, stage: StageShape, batch: int, scheme: VectorisedTwoParty) -> StageCost:
    linear = BfvLinear(parameters.widths)
    length = linear.request_length(stage.operator, batch) + linear.response_length(stage.operator, batch)
    sent, seconds, ands = 2 * HEADER.size + length, _encrypted_seconds(parameters.widths, stage, batch), 0
    if ending(parameters, stage) is not Ending.SUMS:
        circuit, each = activation_circuit(parameters, stage)
        instances = batch * each
        sent += 2 * HEADER.size + scheme.bits_length(circuit, instances) + scheme.circuits_length(circuit, instances)
        seconds += circuit_seconds(circuit, instances, NETWORKS[NetworkName.LOOPBACK])
        ands = each * circuit.and_count
    return StageCost(ands, sent / batch, seconds / batch)


def _encrypted_seconds(widths: ParameterSet, stage: StageShape, batch: int) -> float:
    """Of the encrypted product: ciphertexts of requests and responses, and products of polynomials."""
    context = context_for(widths)
    tiling = encoding_for(context, stage.operator, batch).tiling
    ciphertexts, products = tiling.layout.requests + tiling.responses, tiling.layout.requests * len(tiling.rows)
    work = ciphertexts * WORK_PER_CIPHERTEXT * context.degree
    return (work + products * context.degree / COEFFICIENTS_PER_BYTE_OF_PRODUCT) / WORK_PER_SECOND


def measure(model: QuantisedModel, widths: ParameterSet, queries: Sequence[Sequence[int]]) -> Measured:
    """Labels a batch by the real protocol, with one answering party, here and now.

    Args:
        model: the answering party's.
        widths: the parameter set.
        queries: quantised; 1 or more.
    """
    parameters = parameters_for(model.architecture, widths)
    policy = parameters.release
    account = Account(policy, widths.grid_bits, policy_budget(policy))
    suite = reference_suite(parameters, BfvLinear(widths), VectorisedTwoParty())
    began = time.perf_counter()
    collaboration = Collaboration(session_of(parameters, [model.architecture]), [model], suite, account)
    ready = time.perf_counter()
    before = dict(collaboration.costs)
    collaboration.label_batch(queries)
    after = {Step(name): cost for name, cost in collaboration.costs.items() if name not in before}
    sent = sum(cost.bytes for step, cost in after.items() if step is not Step.RELEASE)
    setup = before.get(Step.SETUP.value, StepCost())
    count = len(queries)
    seconds = sum(cost.seconds for cost in after.values())
    return Measured(count, seconds / count, sent / count, ready - began, setup.bytes)
