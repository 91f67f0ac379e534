"""The argmax under MP-SPDZ's yao, by two programs: this project's circuit, and one in MP-SPDZ's own integer types."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface.encoding import FullCase, complete, decode, input_text, printed
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.expected import learnt_as_expected
from capc_mpc.interface.protocols import protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step, argmax
from capc_mpc.spdz.costs import Costs, read_costs
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.ports import free_ports
from capc_mpc.spdz.processes import Limits, execute, failures, read_streams
from capc_mpc.spdz.running import flags, fresh_source, prepare, run

YAO = protocol_named("yao")
PARTIES = 2
TYPES_PROGRAM = Path(__file__).with_name("argmax_types.mpc")
TYPES_SHAPES = frozenset({(32, 100)})
"""Logit bits and instances for which they serve: they read wider numbers otherwise, and no larger batch compiles."""


def with_own_circuit(machine: Machine, num_classes: int, logit_bits: int, vote_bits: int, instances: int) -> Costs:
    """The program that this project runs: tournament, additions of one AND per bit."""
    step = argmax(num_classes, logit_bits, vote_bits, instances)
    done = run(step, _cases(step), "yao", machine=machine)
    _require_votes(step, done.cases, done.learnt)
    return done.costs


def with_integer_types(machine: Machine, num_classes: int, logit_bits: int, vote_bits: int, instances: int) -> Costs:
    """The same inputs and outputs with MP-SPDZ's integers, comparisons and reduction by a tree."""
    step = argmax(num_classes, logit_bits, vote_bits, instances)
    sources = {party: fresh_source() for party in range(PARTIES)}
    cases = complete(step, YAO.domain, _cases(step), sources)
    texts = {party: input_text(step, YAO.domain, party, cases) for party in sources}
    with tempfile.TemporaryDirectory(prefix="capc-yao-") as name:
        compiled, folder = Path(name) / "compiled", Path(name) / "run"
        folder.mkdir()
        _compile(machine, step, compiled)
        write_keys(prepare(folder, compiled / "Programs", texts), PARTIES)
        program, port = str(machine.party_program(YAO.program)), str(free_ports(PARTIES + 2))
        bytecode = "-".join([TYPES_PROGRAM.stem, *step.arguments])
        commands = {party: [program, *flags(YAO, step, PARTIES, party), "-pn", port, bytecode] for party in sources}
        failed = failures(execute(commands, folder, Limits(), "yao with integer types"))
        streams = [read_streams(folder, party) for party in sources]
    if failed:
        raise MpcError(f"party {failed[0]} failed", streams[failed[0]][1])
    _require_votes(step, cases, decode(step, YAO.domain, [printed(out) for out, _ in streams], cases))
    return read_costs([err for _, err in streams])


def _cases(step: Step) -> list[FullCase]:
    return sample_cases(step, XofSource(fresh_seed(), b"benchmark"))


def _require_votes(step: Step, cases: list[FullCase], learnt: list[dict[str, list[int]]]) -> None:
    if not learnt_as_expected(step, cases, learnt):
        raise ValueError("yao's votes differ from the argmax in the clear")


def _compile(machine: Machine, step: Step, folder: Path) -> None:
    for name in ("Source", "Bytecode", "Schedules"):
        (folder / "Programs" / name).mkdir(parents=True)
    command = [sys.executable, str(machine.home / "compile.py"), *YAO.compile_options(PARTIES), str(TYPES_PROGRAM)]
    subprocess.run(  # noqa: S603  # the installation's own compiler
        [*command, *step.arguments], cwd=folder, capture_output=True, check=True
    )
