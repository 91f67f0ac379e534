"""Random circuits over words, and whole computations of which either end may be of either engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import strategies as st

from capc import ot_extension
from capc.circuits.builder import Circuit, Gate, Operation, Sharing
from capc.garbled_two_party import GarbledTwoParty
from capc.randomness import Seed, XofSource
from capc.two_party import Evaluation, GarblerOutput
from capc.vectorised import VectorisedTwoParty, extension

Engine = Callable[[int], GarbledTwoParty]
ENGINES: tuple[Engine, Engine] = (GarbledTwoParty, VectorisedTwoParty)
Inputs = list[list[int]]


def stream(number: int, label: bytes) -> XofSource:
    return XofSource(Seed(bytes([number % 256]) * 32), label)


def set_up(garbler: GarbledTwoParty, evaluator: GarbledTwoParty, number: int = 0) -> tuple[object, object, bytes]:
    """Fresh keys of a garbler and an evaluator, and everything that was sent."""
    state, offer = evaluator.evaluator_offer(stream(number, b"offer"))
    seeds, choice = garbler.garbler_choose(offer, b"context", stream(number, b"choice"))
    evaluator_key, trees = evaluator.evaluator_finish(state, choice, b"context", stream(number, b"trees"))
    return garbler.garbler_finish(seeds, trees), evaluator_key, offer + choice + trees


@lru_cache
def scalar_keys() -> tuple[ot_extension.GarblerKey, ot_extension.EvaluatorKey]:
    """The readable engine's keys, which hold no state."""
    garbler, evaluator, _ = set_up(GarbledTwoParty(), GarbledTwoParty())
    return garbler, evaluator


def fresh_keys(garbler: GarbledTwoParty, evaluator: GarbledTwoParty) -> tuple[object, object]:
    """Keys of one set-up, for ends of either engine, that have used no position."""
    garbler_key, evaluator_key = scalar_keys()
    return (
        extension.GarblerKey(garbler_key) if isinstance(garbler, VectorisedTwoParty) else garbler_key,
        extension.EvaluatorKey(evaluator_key) if isinstance(evaluator, VectorisedTwoParty) else evaluator_key,
    )


@st.composite
def circuits(draw: st.DrawFn, max_gates: int = 40) -> Circuit:
    """Any circuit over 0 to 3 words of each party, its outputs opened or shared."""
    bits, garbler, evaluator = draw(st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 3)))
    garbler += garbler + evaluator == 0
    inputs = bits * (garbler + evaluator)
    gates = []
    for position in range(draw(st.integers(0, max_gates))):
        wires = st.integers(0, inputs + position - 1)
        operation, left = draw(st.sampled_from(Operation)), draw(wires)
        gates.append(Gate(operation, left, left if operation is Operation.INV else draw(wires)))
    sharing = draw(st.none() | st.tuples(st.integers(1, 4), st.integers(4, 64)).map(lambda pair: Sharing(*pair)))
    outputs = draw(st.lists(st.integers(0, inputs + len(gates) - 1), min_size=1, max_size=8))
    if sharing is not None:
        outputs = outputs * sharing.word_bits
    return Circuit("random", bits, garbler, evaluator, tuple(gates), tuple(outputs), sharing)


@dataclass(frozen=True)
class Computation:
    """One batch; ``expected`` says how much the garbler expects of its extension, None that it does not."""

    circuit: Circuit
    mine: Inputs
    theirs: Inputs
    chunk: int
    position: int
    seed: int
    expected: int | None = None


@st.composite
def computations(draw: st.DrawFn) -> Computation:
    circuit = draw(circuits())
    instances = draw(st.integers(1, 11))
    word = st.integers(0, (1 << circuit.input_bits) - 1)
    sides = [
        draw(st.lists(st.lists(word, min_size=n, max_size=n), min_size=instances, max_size=instances))
        for n in (circuit.garbler_words, circuit.evaluator_words)
    ]
    position = draw(st.integers(0, 9) | st.integers(0, (1 << 64) - 2))
    chunk, seed = draw(st.integers(1, 12)), draw(st.integers(0, 255))
    right = 3 + instances * circuit.evaluator_inputs
    expected = draw(st.none() | st.just(right) | st.integers(1, 200))
    return Computation(circuit, sides[0], sides[1], chunk, position, seed, expected)


@dataclass(frozen=True)
class Transcript:
    """What was sent, and what both ends hold then, in plain lists."""

    sent: list[bytes]
    evaluator: tuple[list[list[int]], list[list[int]]]
    garbler: tuple[list[list[int]], list[list[int]], int]


def compute(garbler: Engine, evaluator: Engine, job: Computation, *, ahead: bool) -> Transcript:
    """The whole computation, each end of the engine that is named."""
    mine, theirs = garbler(job.chunk), evaluator(job.chunk)
    garbler_key, evaluator_key = fresh_keys(mine, theirs)
    counts = [3, len(job.theirs) * job.circuit.evaluator_inputs]
    if job.expected is not None:
        mine.expect_transfers(garbler_key, job.position, [job.expected])
    (_, received), extension = theirs.extend_evaluator(evaluator_key, job.position, counts)
    _, kept = mine.extend_garbler(garbler_key, job.position, counts, extension)
    chosen, bits = theirs.choose(received, job.circuit, job.theirs)
    source = stream(job.seed, b"garble")
    if ahead:
        state, payload = mine.garble_ahead(kept, job.circuit, len(job.mine), bits, source)
        output, labels = state.output, mine.activate(state, job.mine)
        evaluation = theirs.evaluate_ahead(chosen, payload, labels)
        return _transcript([extension, bits, payload, labels], evaluation, output)
    output, payload = mine.garble(kept, job.circuit, job.mine, bits, source)
    return _transcript([extension, bits, payload], theirs.evaluate(chosen, payload), output)


def _transcript(sent: list[bytes], evaluation: Evaluation, output: GarblerOutput) -> Transcript:
    zeros, delta = (output.labels.zero_labels, output.labels.delta) if output.labels else ([], 0)
    return Transcript(
        sent,
        ([list(row) for row in evaluation.outputs], [list(row) for row in evaluation.labels]),
        ([list(row) for row in output.shares], [list(row) for row in zeros], delta),
    )
