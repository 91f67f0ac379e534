"""The vote in rounds between two processes over loopback, beside `bench_two_party`, with the same conditions.

``pytest benchmarks/capc_bench/bench_vote_rounds.py``. Extensions in both directions are included, base transfers not.
"""

from __future__ import annotations

from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.guarded import GUARD_BITS
from capc.two_party.vote_rounds import VoteShape
from capc_mpc.two_processes.vote_rounds import VoteEvaluator, VoteWork

WORKS = {
    f"argmax of 10 in rounds, {bits} bits, {instances}": (
        VoteWork(VoteShape(10, bits, GUARD_BITS, 16, instances)),
        repetitions,
    )
    for bits in (32, 37)
    for instances, repetitions in ((1, 31), (100, 15), (1000, 9))
}


@pytest.mark.parametrize("name", WORKS)
def test_two_processes(benchmark: BenchmarkFixture, name: str) -> None:
    work, repetitions = WORKS[name]
    with VoteEvaluator(work) as evaluator:
        benchmark.pedantic(evaluator.run, setup=evaluator.prepare, rounds=repetitions, warmup_rounds=2)  # type: ignore[no-untyped-call]
        evaluator.check()
        garbler_cpu, garbler_peak = evaluator.garbler_report()
    shape = work.shape
    benchmark.extra_info |= {
        "bytes per vote": round(evaluator.bytes / shape.instances, 1),
        "garbler: ms of CPU": round(1e3 * garbler_cpu, 2),
        "evaluator: ms of CPU": round(1e3 * median(evaluator.cpu), 2),
        "garbler: peak MB": round(garbler_peak),
        "evaluator: peak MB": round(evaluator.peak),
        "set-up, both directions: ms": round(1e3 * evaluator.set_up_seconds, 1),
        "round trips": shape.rounds,
        "ANDs": sum(shape.circuit(number).and_count for number in range(shape.rounds)),
    }
