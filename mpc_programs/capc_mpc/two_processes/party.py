"""One of the two processes, as a command: ``ROLE`` and JSON of what to do; the evaluator tells what it measured.

A process of its own, and no child, so that each party can be in a namespace of the network of its own.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

from capc_mpc.interface.steps import parse
from capc_mpc.two_processes.ways import evaluator_of, run_garbler, work_of

GARBLER, EVALUATOR = "garbler", "evaluator"


@dataclass(frozen=True)
class Task:
    """What both processes are told.

    Attributes:
        way: one of :data:`capc_mpc.two_processes.ways.WAYS`.
        program: of the step.
        arguments: likewise.
        warm_ups: batches before those that count.
        repeats: batches that count.
        evaluator: its host, for the garbler.
        port: likewise.
    """

    way: str
    program: str
    arguments: tuple[str, ...]
    warm_ups: int
    repeats: int
    evaluator: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True)
class Measured:
    """What the evaluator tells.

    Attributes:
        began: of each batch that counts, on the system's monotonic clock.
        ended: likewise.
        offline: seconds of what each took beforehand.
        set_up: seconds of base transfers.
        sent: bytes of a batch, of garbler and evaluator.
        cpu: seconds of a batch, likewise.
        peak: bytes of memory, likewise.
        equal: whether outputs that were looked at are those in the clear, each time.
    """

    began: list[float]
    ended: list[float]
    offline: list[float]
    set_up: float
    sent: tuple[int, int]
    cpu: tuple[float, float]
    peak: tuple[int, int]
    equal: bool


def measure(task: Task) -> Measured:
    """The evaluator's process."""
    work = work_of(task.way, parse(task.program, list(task.arguments)))
    times: list[tuple[float, float, float]] = []
    equal = True
    with evaluator_of(work, ("", task.port)) as evaluator:
        for _ in range(task.warm_ups + task.repeats):
            before = time.monotonic()
            evaluator.prepare()
            began = time.monotonic()
            evaluator.run()
            times.append((began - before, began, time.monotonic()))
            try:
                evaluator.check()
            except ValueError:
                equal = False
        garbler_cpu, garbler_peak = evaluator.garbler_report()
    counted = times[task.warm_ups :]
    return Measured(
        began=[began for _, began, _ in counted],
        ended=[ended for _, _, ended in counted],
        offline=[offline for offline, _, _ in counted],
        set_up=evaluator.set_up_seconds,
        sent=evaluator.sent,
        cpu=(garbler_cpu, sorted(evaluator.cpu)[len(evaluator.cpu) // 2]),
        peak=(int(1e6 * garbler_peak), int(1e6 * evaluator.peak)),
        equal=equal,
    )


if __name__ == "__main__":
    role, text = sys.argv[1:]
    told = json.loads(text)
    given = Task(**{**told, "arguments": tuple(told["arguments"])})
    if role == GARBLER:
        run_garbler(work_of(given.way, parse(given.program, list(given.arguments))), (given.evaluator, given.port))
    else:
        print(json.dumps(asdict(measure(given))))
