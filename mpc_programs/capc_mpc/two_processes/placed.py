"""The two processes where parties of MP-SPDZ would be: party 0 garbles, as under yao."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from capc_mpc.interface.errors import MpcError
from capc_mpc.spdz.ports import held_ports
from capc_mpc.spdz.site import Site
from capc_mpc.two_processes.party import EVALUATOR, GARBLER, Measured, Task

_MODULE = "capc_mpc.two_processes.party"


def measure_at(site: Site, task: Task, seconds: float) -> Measured:
    """Runs a task between two processes.

    Args:
        site: where these are.
        task: what they do; the evaluator's address is filled in.
        seconds: after which they are stopped.

    Raises:
        MpcError: a process failed, or the time is over.
    """
    with held_ports(1) as port:
        told = json.dumps(asdict(replace(task, evaluator=site.address(1), port=port)))
        return _measured(site, task, told, seconds)


def _measured(site: Site, task: Task, told: str, seconds: float) -> Measured:
    command = [sys.executable, "-P", "-m", _MODULE]
    what = f"{task.program} in the way {task.way}"
    with _started(site.placed(1, [*command, EVALUATOR, told])) as evaluator:
        try:
            with _started(site.placed(0, [*command, GARBLER, told])) as garbler:
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
