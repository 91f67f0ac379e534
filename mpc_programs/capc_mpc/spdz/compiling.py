"""Compiling programs with MP-SPDZ's own compiler, each content once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import Protocol
from capc_mpc.interface.steps import Step, program_file
from capc_mpc.spdz import tuning
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.tuning import DERIVED, Choices

SHARED = ("capc_lib.py", "capc_noise.py", "capc_sampler.py")
"""The files that programs import."""
_TOOK = "seconds"
"""The file of an entry that says what compiling it took."""


@dataclass(frozen=True)
class Compiled:
    """A compiled step.

    Attributes:
        programs: the folder ``Programs`` that party programs read.
        seconds: what compiling took.
        before: whether that was in an earlier call.
    """

    programs: Path
    seconds: float
    before: bool


def default_cache() -> Path:
    """Where compiled programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "capc" / "mpc"


def compile_command(
    machine: Machine, step: Step, protocol: Protocol, parties: int, chosen: Choices = DERIVED
) -> list[str]:
    """What compiles a step: MP-SPDZ's compiler, the protocol's options, the program and its arguments."""
    options = tuning.compile_options(protocol, step, parties, chosen)
    program = str(program_file(f"{step.program}.mpc"))
    return [sys.executable, str(machine.home / "compile.py"), *options, program, *step.arguments]


def bytecode_name(step: Step) -> str:
    """What the compiler calls the result, and the party programs are told."""
    return "-".join([step.program, *step.arguments])


def compiled(
    machine: Machine,
    step: Step,
    protocol: Protocol,
    parties: int,
    cache: Path,
    limit: float,
    chosen: Choices = DERIVED,
) -> Compiled:
    """A compiled step, from the cache if its content was compiled before.

    The cache's key covers the texts of the program and of what it imports, arguments, options, and the compiler.

    Args:
        machine: whose compiler.
        step: program and arguments.
        protocol: whose options.
        parties: of the run.
        cache: the folder of compiled programs.
        limit: seconds.
        chosen: options in the place of those that are derived from the step.

    Raises:
        MpcError: the compiler failed or took too long.
    """
    command = compile_command(machine, step, protocol, parties, chosen)
    entry = cache / _key(machine, step, command[2:])
    if (entry / _TOOK).is_file():
        return Compiled(entry / "Programs", float((entry / _TOOK).read_text()), before=True)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as name:
        work = Path(name) / "entry"
        for folder in ("Source", "Bytecode", "Schedules"):
            (work / "Programs" / folder).mkdir(parents=True)
        start = time.perf_counter()
        _run_compiler(command, work, step, limit)
        seconds = time.perf_counter() - start
        (work / _TOOK).write_text(f"{seconds}\n")
        shutil.rmtree(work / "Player-Data", ignore_errors=True)
        try:
            work.rename(entry)
        except OSError:
            # Another process compiled the same content meanwhile; its result serves as well.
            if not entry.is_dir():
                raise
    return Compiled(entry / "Programs", seconds, before=False)


def is_compiled(
    machine: Machine, step: Step, protocol: Protocol, parties: int, cache: Path, chosen: Choices = DERIVED
) -> bool:
    """Whether :func:`compiled` would find a step in the cache; arguments as there."""
    return (cache / _key(machine, step, compile_command(machine, step, protocol, parties, chosen)[2:])).is_dir()


def _run_compiler(command: Sequence[str], folder: Path, step: Step, limit: float) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(  # noqa: S603  # the installation's own compiler
            command, cwd=folder, capture_output=True, text=True, timeout=limit, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise MpcError(f"compiling {step.program} took more than {limit:g} s") from None
    if done.returncode:
        raise MpcError(f"compiling {step.program} {' '.join(step.arguments)} failed", done.stderr or done.stdout)


def _key(machine: Machine, step: Step, options: Sequence[str]) -> str:
    compiler = machine.home / "compile.py"
    facts = ["timed", str(machine.home), machine.version, str(compiler.stat().st_mtime_ns), *options]
    return hashlib.sha256("\0".join([text_digest(step), *facts]).encode()).hexdigest()


def text_digest(step: Step) -> str:
    """SHA-256 of a program's file and of those that programs share, in hexadecimal."""
    files = [program_file(name).read_bytes() + b"\0" for name in (f"{step.program}.mpc", *SHARED)]
    return hashlib.sha256(b"".join(files)).hexdigest()
