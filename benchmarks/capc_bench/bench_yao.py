"""The argmax over 10 classes beside MP-SPDZ's yao, both in one run: batches of 100 and 1,000, at 32 and 37 bits.

``MP_SPDZ_HOME=FOLDER pytest benchmarks/capc_bench/bench_yao.py``; without MP-SPDZ it is skipped, and says what to do.
Either side runs as two processes over loopback, with transfers and re-sharing: this engine from the evaluator's first
byte to its last output, without base transfers; yao as the machine reports its time, without start-up and connecting.
Yao makes its transfers as it goes, so that what is like it is this engine without a stash.
Yao runs two programs: this project's circuit, which it would not have without this project, and what one writes with
MP-SPDZ's integer types. All votes of yao, and some of this engine's, are compared with the
argmax in the clear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.guarded import GUARD_BITS
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.vote_rounds import VoteShape
from capc_bench.yao import with_integer_types, with_own_circuit
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import REMEDY, Machine, find_machine
from capc_mpc.two_processes.one_circuit import Evaluator, Work
from capc_mpc.two_processes.vote_rounds import VoteEvaluator, VoteWork

CLASSES, VOTE_BITS = 10, 16
ROUNDS = 5
ONE_CIRCUIT, STASH_WAY, ROUNDS_WAY = "one circuit", "one circuit with a stash", "in rounds"
CostsOf = Callable[[int, int], dict[str, list[Costs]]]


@pytest.fixture(scope="module")
def machine() -> Machine:
    """The installed MP-SPDZ."""
    found = find_machine()
    if found is None or "yao" not in found.protocols():
        pytest.skip(f"MP-SPDZ's yao-party.x is not installed: {REMEDY}")
    return found


@pytest.fixture(scope="module")
def yao_costs(machine: Machine) -> CostsOf:
    """Several runs of each program that takes a width and a batch, made once."""

    @cache
    def costs(logit_bits: int, instances: int) -> dict[str, list[Costs]]:
        own = [with_own_circuit(machine, CLASSES, logit_bits, VOTE_BITS, instances) for _ in range(ROUNDS)]
        types = [with_integer_types(machine, CLASSES, logit_bits, VOTE_BITS, instances) for _ in range(ROUNDS)]
        return {"own circuit": own, "integer types": types}

    return costs


def evaluator_of(way: str, logit_bits: int, instances: int) -> Evaluator | VoteEvaluator:
    """This engine, on one circuit or in rounds."""
    if way == ROUNDS_WAY:
        return VoteEvaluator(VoteWork(VoteShape(CLASSES, logit_bits, GUARD_BITS, VOTE_BITS, instances)))
    return Evaluator(Work(vote_circuit(CLASSES, logit_bits, VOTE_BITS), instances, stash=way == STASH_WAY))


@pytest.mark.parametrize("instances", [100, 1000])
@pytest.mark.parametrize("logit_bits", [32, 37])
@pytest.mark.parametrize("way", [ONE_CIRCUIT, STASH_WAY, ROUNDS_WAY])
def test_argmax_beside_yao(
    benchmark: BenchmarkFixture,
    machine: Machine,
    yao_costs: CostsOf,
    way: str,
    logit_bits: int,
    instances: int,
) -> None:
    """What is timed is this engine; its figures stand beside yao's."""
    with evaluator_of(way, logit_bits, instances) as evaluator:
        benchmark.pedantic(evaluator.run, setup=evaluator.prepare, rounds=2 * ROUNDS + 1, warmup_rounds=2)  # type: ignore[no-untyped-call]
        evaluator.check()
    benchmark.extra_info |= {"MP-SPDZ": machine.version, "bytes each": round(evaluator.bytes / instances, 1)}
    mine = None if benchmark.stats is None else benchmark.stats["median"]
    if mine is not None:
        benchmark.extra_info["ms each"] = round(1e3 * mine / instances, 4)
    for program, theirs in yao_costs(logit_bits, instances).items():
        seconds, sent = median(costs.seconds for costs in theirs), theirs[0].bytes_sent
        benchmark.extra_info |= {
            f"yao, {program}: ms each": round(1e3 * seconds / instances, 4),
            f"yao, {program}: bytes each": round(sent / instances, 1),
            f"part of its bytes, {program}": round(evaluator.bytes / sent, 3),
        }
        if mine is not None:
            benchmark.extra_info[f"times as fast, {program}"] = round(seconds / mine, 2)
