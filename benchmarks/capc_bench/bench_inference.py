"""Steps 1a to 1c with one answering party, to shares of the votes: the networks that SPU CHEETAH was measured with.

Both ends run one after another in this process, so a figure is the sum of their work. All of a query counts: transfers,
encryption, blinding, products, garbling and evaluation; base transfers and keys do not. Bytes are of both directions,
headers included.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.answering_party import answering_party_open_batch
from capc.costs import Step
from capc.exchange import Exchange, NoObserver
from capc.he import BfvLinear
from capc.inference import Ends, infer, infer_prepared, prepare_inference
from capc.joining import set_up
from capc.model import QuantisedLayer, QuantisedModel, dense_model
from capc.parameters import Adjacency, Charge, NoiseName, Parameters, ParameterSet, ReleasePolicy
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.querying_party import querying_party_enter_batch, querying_party_open_batch
from capc.querying_party_ahead import querying_party_enter_prepared, querying_party_mask_batch
from capc.randomness import fresh_seed
from capc.session import Participant, Session, fresh_session_id
from capc.suite import reference_suite
from capc.vectorised import VectorisedTwoParty

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


@dataclass
class Pair:
    """A querying party and one answering party, set up."""

    name: str

    def __post_init__(self) -> None:
        sizes = NETWORKS[self.name]
        parameters = Parameters(ParameterSet.named("default"), sizes[-1], sizes[0], POLICY)
        self.model = weights(sizes, parameters.widths.fraction_bits)
        parties = (QUERYING_PARTY, answering_party(1), PRIVACY_GUARDIAN)
        session = Session(
            parameters,
            fresh_session_id(secrets.token_bytes),
            tuple(
                Participant(party, bytes([number] * 32), self.model.architecture if number == 1 else None)
                for number, party in enumerate(parties)
            ),
        )
        suite = reference_suite(parameters, BfvLinear(parameters.widths), VectorisedTwoParty())
        self.exchange = Exchange(fresh_seed, NoObserver())
        self.querying_party, (self.answering_party,), _ = set_up(session, suite, [self.model], self.exchange)
        self.one = 1 << parameters.widths.fraction_bits

    def queries(self, count: int) -> list[list[int]]:
        """Random queries."""
        size = NETWORKS[self.name][0]
        return [[secrets.randbelow(2 * self.one + 1) - self.one for _ in range(size)] for _ in range(count)]

    def open(self, count: int) -> tuple[object, ...]:
        """Both parties turn to a batch."""
        self.querying_party, opened, messages, _ = querying_party_open_batch(self.querying_party, count)
        self.answering_party, waiting = answering_party_open_batch(self.answering_party, count)
        return opened, waiting, messages[answering_party(1)]

    def bytes_sent(self) -> int:
        """Bytes of all steps so far but set-up."""
        return sum(cost.bytes for step, cost in self.exchange.costs.items() if step != Step.SETUP.value)


@lru_cache
def pair(name: str) -> Pair:
    """One set-up for each network."""
    return Pair(name)


def check(made: Pair, ends: Ends, queries: list[list[int]]) -> None:
    """The shares open to the model's votes."""
    shares, votes = ends
    for share, vote, query in zip(shares, votes, queries, strict=True):
        logits = made.model.logits(query)
        opened = [(a + b) % (1 << 16) for a, b in zip(share.share, vote.vote_share, strict=True)]
        assert opened.index(1) == logits.index(max(logits))


@pytest.mark.parametrize(("name", "count"), CASES)
def bench_inference(benchmark: BenchmarkFixture, name: str, count: int) -> None:
    made = pair(name)

    def run() -> Ends:
        opened, waiting, message = made.open(count)
        (layer_input,) = querying_party_enter_batch(opened, queries)  # type: ignore[arg-type]
        return infer(made.exchange, layer_input, waiting, message)  # type: ignore[arg-type]

    queries = made.queries(count)
    check(made, run(), queries)
    before = made.bytes_sent()
    run()
    sent = made.bytes_sent() - before
    benchmark.extra_info |= {"MB": sent / 1e6, "MB per query": sent / 1e6 / count}
    benchmark.extra_info["SPU seconds, MB"] = SPU[name, count]
    benchmark.pedantic(run, rounds=9 if count == 1 else 3)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("name", "count"), CASES)
def bench_prepared_inference(benchmark: BenchmarkFixture, name: str, count: int) -> None:
    made, queries = pair(name), pair(name).queries(count)

    def prepare() -> tuple[tuple[object, ...], dict[str, object]]:
        opened, waiting, message = made.open(count)
        (masked,) = querying_party_mask_batch(opened, fresh_seed())  # type: ignore[arg-type]
        return prepare_inference(made.exchange, masked, waiting, message), {}  # type: ignore[arg-type]

    def online(mine: object, theirs: object) -> Ends:
        (entered,), messages = querying_party_enter_prepared([mine], queries)  # type: ignore[list-item]
        return infer_prepared(made.exchange, entered, theirs, messages[answering_party(1)])  # type: ignore[arg-type]

    states, _ = prepare()
    before = made.bytes_sent()
    check(made, online(*states), queries)
    benchmark.extra_info["online MB"] = (made.bytes_sent() - before) / 1e6
    benchmark.pedantic(online, setup=prepare, rounds=5 if count == 1 else 2)  # type: ignore[no-untyped-call]
