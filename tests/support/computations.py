"""Two-party computations: keys of real set-ups, random circuits and batches, and whole runs between any two ends."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import strategies as st

from capc.foundation.randomness import Seed, XofSource
from capc.two_party.circuits.builder import Circuit, Gate, Operation, Sharing, evaluate
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers import ot_extension
from capc.two_party.interface import Evaluation, EvaluatorChoice, GarblerOutput, TwoPartyScheme
from capc.two_party.vectorised import VectorisedTwoParty, extension

Engine = Callable[[int], TwoPartyScheme]
ENGINES: tuple[Engine, Engine] = (GarbledTwoParty, VectorisedTwoParty)
Inputs = list[list[int]]


def stream(number: int, label: str) -> XofSource:
    """Deterministic randomness."""
    return XofSource(Seed(hashlib.sha256(str(number).encode()).digest()), label.encode())


def uniform(circuit: Circuit, instances: int, number: int = 0) -> tuple[Inputs, Inputs]:
    source = stream(number, "inputs")
    words = [circuit.garbler_words, circuit.evaluator_words]
    mine, theirs = ([[source.bits(circuit.input_bits) for _ in range(n)] for _ in range(instances)] for n in words)
    return mine, theirs


# Set-ups.


def set_up(garbler: TwoPartyScheme, evaluator: TwoPartyScheme, name: str = "forward") -> tuple[object, object, bytes]:
    """Keys of a garbler and an evaluator, and everything that was sent."""
    number, context = int.from_bytes(name.encode(), "little"), name.encode()
    state, offer = evaluator.evaluator_offer(stream(number, "offer"))
    seeds, choice = garbler.garbler_choose(offer, context, stream(number, "choice"))
    evaluator_key, trees = evaluator.evaluator_finish(state, choice, context, stream(number, "trees"))
    lengths = evaluator.offer_length(), garbler.choice_length(), evaluator.trees_length()
    assert (len(offer), len(choice), len(trees)) == lengths
    return garbler.garbler_finish(seeds, trees), evaluator_key, offer + choice + trees


@lru_cache
def readable_keys(name: str = "forward") -> tuple[ot_extension.GarblerKey, ot_extension.EvaluatorKey]:
    """Both ends' keys of one set-up for the readable engine; they hold no state."""
    return set_up(GarbledTwoParty(), GarbledTwoParty(), name)[:2]


def fresh_keys(garbler: TwoPartyScheme, evaluator: TwoPartyScheme, name: str = "forward") -> tuple[object, object]:
    """Keys of one set-up, for ends of either engine, that have used no nonce."""
    garbler_key, evaluator_key = readable_keys(name)
    # The cached one is never given out: a test may destroy its own.
    garbler_key = ot_extension.GarblerKey(garbler_key.delta, garbler_key.leaves, garbler_key.set_up)
    return (
        extension.GarblerKey(garbler_key) if isinstance(garbler, VectorisedTwoParty) else garbler_key,
        extension.EvaluatorKey(evaluator_key) if isinstance(evaluator, VectorisedTwoParty) else evaluator_key,
    )


# Batches.


@st.composite
def circuits(draw: st.DrawFn, *, shared: bool | None = None, small: bool = False) -> Circuit:
    """Any circuit over 0 to 3 words of 1 to 6 bits of each party, its outputs opened, or shared, or either.

    A small one has 1 to 3 words of up to 3 bits of each.
    """
    bits, word_counts = draw(st.integers(1, 3 if small else 6)), st.integers(int(small), 3)
    garbler, evaluator = draw(word_counts), draw(word_counts)
    garbler += garbler + evaluator == 0
    inputs = bits * (garbler + evaluator)
    gates = []
    for nonce in range(draw(st.integers(int(small), 30 if small else 40))):
        wires = st.integers(0, inputs + nonce - 1)
        operation, left = draw(st.sampled_from(Operation)), draw(wires)
        gates.append(Gate(operation, left, left if operation is Operation.INV else draw(wires)))
    sharings = st.builds(Sharing, st.integers(1, 4), st.integers(4, 64))
    sharing = draw({True: sharings, False: st.none(), None: st.none() | sharings}[shared])
    count = draw(st.integers(1, 8)) * (sharing.word_bits if sharing else 1)
    outputs = draw(st.lists(st.integers(0, inputs + len(gates) - 1), min_size=count, max_size=count))
    return Circuit("random", bits, garbler, evaluator, tuple(gates), tuple(outputs), sharing)


@dataclass(frozen=True)
class Computation:
    """One batch; ``expected`` says how much the garbler expects of its extension, None that it does not."""

    circuit: Circuit
    mine: Inputs
    theirs: Inputs
    chunk: int = 256
    nonce: int = 9
    seed: int = 0
    expected: int | None = None

    @property
    def clear(self) -> list[list[int]]:
        """The outputs of the circuit in the clear: words that are shared, or bits."""
        bits = [evaluate(self.circuit, *pair) for pair in zip(self.mine, self.theirs, strict=True)]
        return bits if self.circuit.sharing is None else [self.circuit.output_words(each) for each in bits]


@st.composite
def computations(draw: st.DrawFn) -> Computation:
    circuit = draw(circuits())
    instances = draw(st.integers(1, 11))
    word = st.integers(0, (1 << circuit.input_bits) - 1)
    sides = [
        draw(st.lists(st.lists(word, min_size=n, max_size=n), min_size=instances, max_size=instances))
        for n in (circuit.garbler_words, circuit.evaluator_words)
    ]
    nonce = draw(st.integers(0, 9) | st.integers(0, (1 << 64) - 2))
    chunk, seed = draw(st.integers(1, 12)), draw(st.integers(0, 255))
    right = 3 + instances * circuit.evaluator_inputs
    expected = draw(st.none() | st.just(right) | st.integers(1, 200))
    return Computation(circuit, sides[0], sides[1], chunk, nonce, seed, expected)


@dataclass(frozen=True)
class Played:
    """What was sent: extension, choice bits, circuits, labels ahead; and what both ends hold then."""

    job: Computation
    sent: list[bytes]
    chosen: EvaluatorChoice
    evaluation: Evaluation
    output: GarblerOutput

    @property
    def opened(self) -> list[list[int]]:
        """The outputs: shares added up, or bits."""
        sharing, outputs = self.job.circuit.sharing, self.evaluation.outputs
        if sharing is None:
            return [list(bits) for bits in outputs]
        pairs = zip(outputs, self.output.shares, strict=True)
        return [[(a + b) % 2**sharing.width for a, b in zip(*pair, strict=True)] for pair in pairs]

    @property
    def plain(self) -> tuple[object, ...]:
        """All of it in plain lists, by which runs of different engines can be compared."""
        labels = self.output.labels
        zeros, delta = (labels.zero_labels, labels.delta) if labels else ([], 0)
        rows = self.evaluation.outputs, self.evaluation.labels, self.output.shares, zeros
        return self.sent, [[list(row) for row in each] for each in rows], delta


def compute(garbler: TwoPartyScheme, evaluator: TwoPartyScheme, job: Computation, *, offline: bool = False) -> Played:
    """The whole computation between two ends; checks all lengths."""
    garbler_key, evaluator_key = fresh_keys(garbler, evaluator)
    circuit, instances = job.circuit, len(job.mine)
    counts = [3, instances * circuit.evaluator_inputs]
    if job.expected is not None:
        garbler.expect_transfers(garbler_key, job.nonce, [job.expected])
    (_, received), rows = evaluator.extend_evaluator(evaluator_key, job.nonce, counts)
    _, kept = garbler.extend_garbler(garbler_key, job.nonce, counts, rows)
    chosen, bits = evaluator.choose(received, circuit, job.theirs)
    source, labels = stream(job.seed, "garble"), b""
    if offline:
        state, payload = garbler.garble_offline(kept, circuit, instances, bits, source)
        output, labels = state.output, garbler.activate(state, job.mine)
        evaluation = evaluator.evaluate_online(chosen, payload, labels)
    else:
        output, payload = garbler.garble(kept, circuit, job.mine, bits, source)
        evaluation = evaluator.evaluate(chosen, payload)
    assert len(rows) == evaluator.extension_length(sum(counts))
    assert len(bits) == evaluator.bits_length(circuit, instances)
    length = evaluator.offline_length if offline else evaluator.circuits_length
    assert len(payload) == length(circuit, instances)
    assert len(labels) == (evaluator.labels_length(circuit, instances) if offline else 0)
    return Played(job, [rows, bits, payload, labels], chosen, evaluation, output)


def check_same_bytes(job: Computation, *, offline: bool = False) -> None:
    """All four pairs of engines agree, and with the clear outputs."""
    pairs = itertools.product(ENGINES, repeat=2)
    played = [compute(garbler(job.chunk), evaluator(job.chunk), job, offline=offline) for garbler, evaluator in pairs]
    assert all(each.plain == played[0].plain for each in played)
    assert played[0].opened == job.clear
    if job.circuit.sharing is None:
        wires, delta = played[0].output.labels, played[0].output.labels.delta
        for outputs, labels, zeros in zip(job.clear, played[0].evaluation.labels, wires.zero_labels, strict=True):
            assert list(labels) == [zero ^ bit * delta for zero, bit in zip(zeros, outputs, strict=True)]
