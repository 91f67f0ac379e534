"""Steps 1a to 1c with one answering party, to shares of the votes: the networks that SPU CHEETAH was measured with.

Between two processes, as SPU's parties were: from the queries to the querying party's shares. In one process both ends
run one after another, so a figure is the sum of their work. All of a query counts: transfers, encryption, blinding,
products, garbling and evaluation; base transfers and keys do not. Bytes are of both directions, headers included.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import fresh_seed
from capc.models.architecture import Activation
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.protocol.collaboration import Table
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EmbeddedInference, EmbeddedPreparation
from capc.protocol.exchange import NoObserver
from capc.protocol.seats import Methods, Mode, Queries, QueryingTurn
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy
from capc.session.session import Batch, Participant, Session, fresh_session_id
from capc.session.widths import ParameterSet
from capc.steps.layer_circuits import transfer_counts
from capc.steps.querying_party.inference import VoteShare
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.interface import request_length
from capc.two_party.vectorised import VectorisedTwoParty
from capc_bench.two_roles import QueryingProcess, Report, SharesOnly, make_account, suite_of

NETWORKS = {"64-32-10": (64, 32, 10), "784-128-10": (784, 128, 10)}
SPU = {("64-32-10", 1): (0.17, 0.63), ("64-32-10", 64): (0.43, 1.26), ("784-128-10", 1): (0.33, 0.96)}
SPU |= {("784-128-10", 64): (1.18, 2.99)}
"""Seconds and megabytes of SPU 0.9.5 CHEETAH on the machine on which the targets were set."""
CASES = [(name, count) for name in NETWORKS for count in (1, 64)]
POLICY = ReleasePolicy(
    NoiseName.ROUNDED_GAUSSIAN,
    Fraction(3),
    None,
    None,
    Charge.WORST_CASE,
    Adjacency.REPLACE_ONE,
    Fraction(10),
    Fraction(1, 10**5),
)


def weights(sizes: tuple[int, ...], fraction_bits: int) -> QuantisedModel:
    """Weights of about a trained network's size; their values do not matter for the time."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        most = max(2, (1 << fraction_bits) // inputs)
        rows = [tuple(secrets.randbelow(2 * most) - most for _ in range(inputs)) for _ in range(outputs)]
        layers.append(QuantisedLayer(tuple(rows), (0,) * outputs))
    return dense_model(tuple(layers), fraction_bits)


def make_session(name: str) -> tuple[Session, QuantisedModel]:
    """A querying party and one answering party with a model of that network; and the model."""
    sizes = NETWORKS[name]
    parameters = Parameters(ParameterSet.named("default"), sizes[-1], sizes[0], POLICY)
    model = weights(sizes, parameters.widths.fraction_bits)
    participants = tuple(
        Participant(party, bytes([number] * 32), model.architecture if number == 1 else None)
        for number, party in enumerate((QUERYING_PARTY, answering_party(1), PRIVACY_GUARDIAN))
    )
    return Session(parameters, fresh_session_id(secrets.token_bytes), participants), model


def random_queries(session: Session, count: int) -> list[list[int]]:
    """Uniform features."""
    one, size = 1 << session.parameters.widths.fraction_bits, session.parameters.num_features
    return [[secrets.randbelow(2 * one + 1) - one for _ in range(size)] for _ in range(count)]


class Pair:
    """A querying party and one answering party, set up, in this process."""

    def __init__(self, name: str) -> None:
        self.session, self.model = make_session(name)
        self._release = SharesOnly()
        methods = Methods(EmbeddedInference(), self._release, EmbeddedPreparation())
        suite, account = suite_of(self.session), make_account(self.session)
        self.table = Table(self.session, [self.model], suite, account, methods, fresh_seed, NoObserver())
        self.table.play()

    def play(self, mode: Mode, count: int, queries: Queries = ()) -> Batch:
        """A turn of all parties on the next batch."""
        batch = Batch(self.table.next_query, count)
        self.table.play(QueryingTurn(mode, batch, queries))
        return batch

    def check(self, queries: list[list[int]]) -> None:
        """The last batch's shares open to the model's votes."""
        ((*shares,),), votes = self._release.shares, self._release.votes
        check(self.model, [share.share for share in shares], [vote.vote_share for vote in votes], queries)

    def bytes_sent(self) -> int:
        """Bytes of all steps so far but set-up."""
        return sum(cost.bytes for step, cost in self.table.exchange.costs.items() if step != Step.SETUP.value)


pair = lru_cache(Pair)
"""One set-up for each network."""


def bytes_of_circuits(session: Session, count: int) -> dict[str, float]:
    """What of the bytes are circuits, and what of these silent transfers would not send."""
    parameters, scheme = session.parameters, VectorisedTwoParty()
    architecture = session.architecture(answering_party(1))
    relus = count * sum(stage.outputs for stage in architecture.stages if stage.activation is Activation.RELU)
    circuit = relu_circuit(parameters.widths.logit_bits, parameters.widths.fraction_bits)
    sent = request_length(scheme, circuit, relus) + scheme.circuits_length(circuit, relus)
    extension = scheme.extension_length(sum(transfer_counts(parameters, architecture, count)))
    return {"bytes per ReLU": round(sent / relus, 1), "MB of the extension": round(extension / 1e6, 3)}


Share = tuple[int, ...]


def check(model: QuantisedModel, mine: Sequence[Share], theirs: Sequence[Share], queries: list[list[int]]) -> None:
    """The shares open to the model's votes."""
    for share, other, query in zip(mine, theirs, queries, strict=True):
        logits = model.logits(query)
        opened = [(a + b) % (1 << 16) for a, b in zip(share, other, strict=True)]
        assert opened == [int(c == logits.index(max(logits))) for c in range(len(logits))]


@pytest.mark.parametrize(("name", "count", "workers"), [(*case, 0) for case in CASES] + [("784-128-10", 64, 1)])
def test_inference_between_processes(benchmark: BenchmarkFixture, name: str, count: int, workers: int) -> None:
    """The answering party's HE work may be spread over worker processes; their CPU time is not in its figure."""
    session, model = make_session(name)
    queries = random_queries(session, count)
    reports: list[Report] = []
    with QueryingProcess(session, model, workers) as process:

        def run() -> None:
            mine.append(process.run(queries))

        def finish() -> None:
            """Outside of the time: the answering party tells its shares of the batch before."""
            if mine:
                reports.append(process.report())
                check(model, [share.share for share in mine.pop()], reports[-1].shares, queries)

        mine: list[tuple[VoteShare, ...]] = []
        rounds = 15 if count == 1 else 5
        benchmark.pedantic(run, setup=finish, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]
        finish()
    benchmark.extra_info |= {
        "MB": round(process.bytes / 1e6, 3),
        **bytes_of_circuits(session, count),
        "querying party: ms of CPU": round(1e3 * median(process.cpu), 1),
        "answering party: ms of CPU": round(1e3 * median(report.cpu for report in reports), 1),
        "querying party: peak MB": round(process.peak),
        "answering party: peak MB": round(max(report.peak for report in reports)),
        "SPU seconds, MB": SPU[name, count],
    }


@pytest.mark.parametrize(("name", "count"), CASES)
def test_inference(benchmark: BenchmarkFixture, name: str, count: int) -> None:
    made = pair(name)
    queries = random_queries(made.session, count)
    made.play(Mode.LABEL, count, queries)
    made.check(queries)
    before = made.bytes_sent()
    made.play(Mode.LABEL, count, queries)
    sent = made.bytes_sent() - before
    benchmark.extra_info |= {"MB": sent / 1e6, "MB per query": sent / 1e6 / count}
    benchmark.extra_info["SPU seconds, MB"] = SPU[name, count]
    rounds = 9 if count == 1 else 3
    benchmark.pedantic(made.play, args=(Mode.LABEL, count, queries), rounds=rounds)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("name", "count"), CASES)
def test_prepared_inference(benchmark: BenchmarkFixture, name: str, count: int) -> None:
    made = pair(name)
    queries = random_queries(made.session, count)

    def prepare() -> tuple[tuple[Batch], dict[str, object]]:
        return (made.play(Mode.OFFLINE, count),), {}

    def online(batch: Batch) -> None:
        made.table.play(QueryingTurn(Mode.ONLINE, batch, queries))

    (batch,), _ = prepare()
    before = made.bytes_sent()
    online(batch)
    made.check(queries)
    benchmark.extra_info["online MB"] = (made.bytes_sent() - before) / 1e6
    benchmark.pedantic(online, setup=prepare, rounds=5 if count == 1 else 2)  # type: ignore[no-untyped-call]
