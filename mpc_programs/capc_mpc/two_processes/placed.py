"""The two processes on an emulated network: party 0 garbles, as under yao."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from capc_mpc.emulated.network import EmulatedNetwork
from capc_mpc.interface.errors import MpcError
from capc_mpc.two_processes.party import EVALUATOR, GARBLER, Measured, Task

_MODULE = "capc_mpc.two_processes.party"


def measure_over(network: EmulatedNetwork, task: Task, seconds: float) -> Measured:
    """Runs a task between two parties of a network.

    Args:
        network: of at least two parties.
        task: what they do; the evaluator's address is filled in.
        seconds: after which they are stopped.

    Raises:
        MpcError: a process failed, or the time is over.
    """
    told = json.dumps(asdict(replace(task, evaluator=network.address(1))))
    command: Callable[[str], list[str]] = lambda role: [sys.executable, "-P", "-m", _MODULE, role, told]  # noqa: E731
    what = f"{task.program} in the way {task.way}"
    with _started(network.command(1, command(EVALUATOR))) as evaluator:
        try:
            with _started(network.command(0, command(GARBLER))) as garbler:
                try:
                    out, said = evaluator.communicate(timeout=seconds)
                finally:
                    if evaluator.poll() != 0:
                        garbler.kill()
                _, also = garbler.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise MpcError(f"{what} took more than {seconds:g} s and was stopped") from None
        finally:
            evaluator.kill()
    if evaluator.returncode or garbler.returncode:
        raise MpcError(f"{what} failed", said + also)
    found = json.loads(out)
    pairs = {name: tuple(found[name]) for name in ("sent", "cpu", "peak")}
    return Measured(**{**found, **pairs})


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  # this package's own module
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
