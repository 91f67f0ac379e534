"""Two-party computation: two processes over loopback, garbling alone, set-up, and both engines side by side.

``pytest benchmarks/capc_bench/bench_two_party.py``. A batch of two processes is timed by the evaluator, from its first
byte to its last output; beside the median stand bytes, CPU and peak memory of each party, and the set-up's time.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.randomness import XofSource, fresh_seed
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import release_circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.interface import AnyScheme, TwoPartyScheme, answer_at_once, request_at_once
from capc.two_party.transfers import EvaluatorKey, GarblerKey
from capc.two_party.vectorised import VectorisedTwoParty
from capc_mpc.two_processes.one_circuit import Evaluator, Work

RELU = relu_circuit(37, 12)
WORKS = (
    {
        f"argmax of 10, {bits} bits, {label}": (Work(vote_circuit(10, bits, 16), instances, stash), rounds)
        for bits in (32, 37)
        for label, instances, stash, rounds in (
            ("one", 1, False, 31),
            ("one with a stash", 1, True, 31),
            ("100", 100, False, 15),
            ("1000", 1000, False, 7),
        )
    }
    | {
        f"argmax of 10 by all pairs, {bits} bits, {label}": (Work(vote_circuit_low_depth(10, bits, 16), 1, stash), 31)
        for bits in (32, 37)
        for label, stash in (("one", False), ("one with a stash", True))
    }
    | {
        "relu of 37 bits, 32": (Work(RELU, 32), 31),
        "relu of 37 bits, 8192": (Work(RELU, 8192), 7),
    }
)
LANES = 250


@pytest.mark.parametrize("name", WORKS)
def test_two_processes(benchmark: BenchmarkFixture, name: str) -> None:
    work, rounds = WORKS[name]
    with Evaluator(work) as evaluator:
        benchmark.pedantic(evaluator.run, setup=evaluator.prepare, rounds=rounds, warmup_rounds=2)  # type: ignore[no-untyped-call]
        evaluator.check()
        garbler_cpu, garbler_peak = evaluator.garbler_report()
    benchmark.extra_info |= {
        "bytes per instance": round(evaluator.bytes / work.instances, 1),
        "garbler: ms of CPU": round(1e3 * garbler_cpu, 2),
        "evaluator: ms of CPU": round(1e3 * median(evaluator.cpu), 2),
        "garbler: peak MB": round(garbler_peak),
        "evaluator: peak MB": round(evaluator.peak),
        "set-up: ms": round(1e3 * evaluator.set_up_seconds, 1),
        "ANDs": work.circuit.and_count,
    }


Scheme = TwoPartyScheme[Any, Any, EvaluatorKey, GarblerKey, Any, Any, Any, Any, Any, Any]


def set_up(scheme: Scheme[EvaluatorKey, GarblerKey]) -> tuple[GarblerKey, EvaluatorKey]:
    """The garbler's and the evaluator's key of one connection."""
    sources = [XofSource(fresh_seed(), b"benchmark") for _ in range(3)]
    state, offer = scheme.evaluator_offer(sources[0])
    seeds, choice = scheme.garbler_choose(offer, b"benchmark", sources[1])
    evaluator_key, trees = scheme.evaluator_finish(state, choice, b"benchmark", sources[2])
    return scheme.garbler_finish(seeds, trees), evaluator_key


@pytest.mark.parametrize("scheme", [GarbledTwoParty(), VectorisedTwoParty()], ids=["readable", "fast"])
def test_set_up(benchmark: BenchmarkFixture, scheme: AnyScheme) -> None:
    """Once per connection: 128 base transfers and the trees, both ends in one process."""
    benchmark(set_up, scheme)


def test_garbling_alone(benchmark: BenchmarkFixture) -> None:
    """Garbling and shares of 250 lanes, without transfers: ANDs a second on one core."""
    circuit, scheme = vote_circuit(10, 37, 16), VectorisedTwoParty(LANES)
    garbler_key, evaluator_key = set_up(scheme)
    rounds = 30
    count = LANES * circuit.evaluator_inputs
    stash, payload = scheme.stash_evaluator(evaluator_key, 0, rounds * count, rounds)
    kept = scheme.stash_garbler(garbler_key, 0, rounds * count, rounds, payload)
    work = Work(circuit, LANES)
    inputs = work.inputs(circuit.evaluator_words)

    def choose() -> tuple[tuple[object, ...], dict[str, object]]:
        _, bits = scheme.choose(stash.take(count), circuit, inputs)
        return (scheme.garble_stream(kept.take(count), circuit, inputs, bits, XofSource(fresh_seed(), b"")),), {}

    def garble(stream: object) -> None:
        began = time.process_time()
        for _ in stream:  # type: ignore[attr-defined]
            pass
        cpu.append(time.process_time() - began)

    cpu: list[float] = []
    benchmark.pedantic(garble, setup=choose, rounds=rounds - 1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    ands = LANES * circuit.and_count / 1e6
    benchmark.extra_info["million ANDs a second of CPU"] = round(ands / median(cpu), 2)
    if benchmark.stats is not None:
        benchmark.extra_info["million ANDs a second"] = round(ands / benchmark.stats["median"], 2)


@pytest.mark.parametrize("scheme", [GarbledTwoParty(), VectorisedTwoParty()], ids=["readable", "fast"])
@pytest.mark.parametrize(
    ("circuit", "instances"),
    [(vote_circuit(10, 37, 16), 1), (RELU, 32), (release_circuit(10, 16), 1)],
    ids=["vote", "relu_32", "release"],
)
def test_both_ends_in_one_process(
    benchmark: BenchmarkFixture, scheme: AnyScheme, circuit: Circuit, instances: int
) -> None:
    """The readable engine beside the fast one: extension, garbling and evaluation."""
    garbler_key, evaluator_key = set_up(scheme)
    mine, theirs = [[0] * circuit.garbler_words] * instances, [[1] * circuit.evaluator_words] * instances
    position = 0

    def run() -> None:
        nonlocal position
        chosen, request = request_at_once(scheme, evaluator_key, position, circuit, theirs)
        source = XofSource(fresh_seed(), b"benchmark")
        _, answer = answer_at_once(scheme, garbler_key, position, circuit, mine, request, source)
        scheme.evaluate(chosen, answer)
        position += 1

    benchmark(run)
    benchmark.extra_info |= {"ANDs": circuit.and_count * instances}
