"""The argmax over 10 classes beside MP-SPDZ's yao, both in one run: batches of 100 and 1,000, at 32 and 37 bits.

``MP_SPDZ_HOME=FOLDER pytest benchmarks/capc_bench/bench_yao.py``; without MP-SPDZ it is skipped, and says what to do.
Either side runs as two processes over loopback, with transfers and re-sharing: this engine from the evaluator's first
byte to its last output, without base transfers; yao as the machine reports its time, without start-up and connecting.
All votes of yao, and some of this engine's, are compared with the argmax in the clear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.circuits.vote import vote_circuit
from capc.multi_round import VoteShape
from capc.parameters import VoteVariant
from capc.randomness import XofSource, fresh_seed
from capc_bench.two_processes import Evaluator, Work
from capc_bench.vote_rounds import VoteEvaluator, VoteWork
from capc_mpc.costs import Costs
from capc_mpc.expected import expected
from capc_mpc.machine import REMEDY, Machine, find_machine
from capc_mpc.running import run
from capc_mpc.sampling import sample_cases
from capc_mpc.steps import argmax

CLASSES, VOTE_BITS = 10, 16
ROUNDS = 5


@pytest.fixture(scope="module")
def machine() -> Machine:
    """The installed MP-SPDZ."""
    found = find_machine()
    if found is None or "yao" not in found.protocols():
        pytest.skip(f"MP-SPDZ's yao-party.x is not installed: {REMEDY}")
    return found


def yao(machine: Machine, logit_bits: int, instances: int) -> Costs:
    """One run of MP-SPDZ, whose outputs are compared with the argmax in the clear."""
    step = argmax(CLASSES, logit_bits, VOTE_BITS, instances)
    done = run(step, sample_cases(step, XofSource(fresh_seed(), b"benchmark")), "yao", machine=machine)
    if done.learnt != expected(step, done.cases):
        raise ValueError("yao's votes differ from the argmax in the clear")
    return done.costs


@pytest.fixture(scope="module")
def yao_costs(machine: Machine) -> Callable[[int, int], list[Costs]]:
    """Several runs of a width and a batch, made once."""
    return cache(lambda logit_bits, instances: [yao(machine, logit_bits, instances) for _ in range(ROUNDS)])


def evaluator_of(variant: VoteVariant, logit_bits: int, instances: int) -> Evaluator | VoteEvaluator:
    """This engine, on one circuit or in rounds."""
    if variant is VoteVariant.MULTI_ROUND:
        return VoteEvaluator(VoteWork(VoteShape(CLASSES, logit_bits, VOTE_BITS, instances)))
    return Evaluator(Work(vote_circuit(CLASSES, logit_bits, VOTE_BITS), instances))


@pytest.mark.parametrize("instances", [100, 1000])
@pytest.mark.parametrize("logit_bits", [32, 37])
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.MULTI_ROUND])
def test_argmax_beside_yao(
    benchmark: BenchmarkFixture,
    machine: Machine,
    yao_costs: Callable[[int, int], list[Costs]],
    variant: VoteVariant,
    logit_bits: int,
    instances: int,
) -> None:
    """What is timed is this engine; its figures stand beside yao's."""
    theirs = yao_costs(logit_bits, instances)
    with evaluator_of(variant, logit_bits, instances) as evaluator:
        benchmark.pedantic(evaluator.run, setup=evaluator.prepare, rounds=2 * ROUNDS + 1, warmup_rounds=2)  # type: ignore[no-untyped-call]
        evaluator.check()
    seconds, sent = median(costs.seconds for costs in theirs), theirs[0].bytes_sent
    benchmark.extra_info |= {
        "MP-SPDZ": machine.version,
        "yao: ms each": round(1e3 * seconds / instances, 4),
        "yao: bytes each": round(sent / instances, 1),
        "bytes each": round(evaluator.bytes / instances, 1),
        "part of yao's bytes": round(evaluator.bytes / sent, 3),
    }
    if benchmark.stats is not None:
        mine = benchmark.stats["median"]
        benchmark.extra_info |= {"ms each": round(1e3 * mine / instances, 4), "times as fast": round(seconds / mine, 2)}
