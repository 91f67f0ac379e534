"""One program, one protocol, one run: own folder, own keys, free ports, limits, and every party's own outputs.

Spec: CAPC-MPC-006.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from capc.foundation.errors import InputError
from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface.encoding import Case, FullCase, complete, decode, input_text, printed
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import Model, Protocol, check_model, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.spdz import tuning
from capc_mpc.spdz.compiling import bytecode_name, compiled, default_cache
from capc_mpc.spdz.costs import Costs, read_costs
from capc_mpc.spdz.kept import keep as keep_keys
from capc_mpc.spdz.kept import restore as restore_keys
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine, the_machine
from capc_spec.registry import TAGS

KEPT_KEYS = "keys"
"""Where in the cache the keys of all parties of runs on this machine are."""
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_POLL_SECONDS = 0.005
_BIND_ATTEMPTS = 3
_PORT_LOST = ("in use", "unknown ca")
"""What a party says when another process took its port meanwhile, or answered there with keys of its own."""
_held: set[int] = set()
_holding = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        seconds: of one run, and of one compilation.
        memory_bytes: address space of each party.
    """

    seconds: float = 600.0
    memory_bytes: int = 8 << 30


@dataclass(frozen=True)
class MpcRun:
    """What came out of a run.

    Attributes:
        protocol: its name.
        model: the declared threat model, which reports print.
        version: of MP-SPDZ.
        command: of party 0, without the folder.
        compile_options: as the compiler was told.
        cases: the inputs, with what the runner drew.
        raw: for each party what it printed, name and values: what was opened to it, as it was opened.
        learnt: for each party the numbers that it learns, by name, one per case.
        costs: as MP-SPDZ reports them.
    """

    protocol: str
    model: Model
    version: str
    command: list[str]
    compile_options: list[str]
    cases: list[FullCase] = field(repr=False)
    raw: list[list[tuple[str, list[int]]]] = field(repr=False)
    learnt: list[dict[str, list[int]]] = field(repr=False)
    costs: Costs


def run(
    step: Step,
    cases: Sequence[Case],
    protocol: str,
    *,
    model: Model = Model.BASE,
    limits: Limits | None = None,
    machine: Machine | None = None,
    cache: Path | None = None,
) -> MpcRun:
    """Runs a program among processes on this machine, over loopback.

    Every party reads its own file and writes its own output. Fresh uniform inputs that a case does not give are drawn
    from a seed of the operating system, one seed per party.

    Args:
        step: program and arguments.
        cases: the inputs, one mapping per case of the batch.
        protocol: a name of the table.
        model: the threat model that the configuration declares.
        limits: time and memory.
        machine: the MP-SPDZ to use; the installed one by default.
        cache: where compiled programs are kept.

    Raises:
        InputError: MP-SPDZ or the protocol's program is missing, the protocol is weaker than the declared model, or the
            inputs do not fit the program.
        MpcError: compiler or machine failed, or a limit was reached.
    """
    row, limits = protocol_named(protocol), limits or Limits()
    check_model(row, model)
    parties = row.parties_for(step.parties)
    machine = machine or the_machine()
    program = machine.party_program(row.program)
    sources = {party: fresh_source() for party in range(parties)}
    full = complete(step, row.domain, cases, sources)
    cache = cache or default_cache()
    programs = compiled(machine, step, row, parties, cache, limits.seconds)
    texts = [input_text(step, row.domain, party, full) for party in range(parties)]
    streams = _run_parties(row, program, programs, step, texts, limits, cache / KEPT_KEYS)
    raw = [printed(out) for out, _ in streams]
    return MpcRun(
        protocol=protocol,
        model=model,
        version=machine.version,
        command=[program.name, *flags(row, step, parties, 0), "-pn", "PORT", bytecode_name(step)],
        compile_options=tuning.compile_options(row, step, parties),
        cases=full,
        raw=raw,
        learnt=decode(step, row.domain, raw, full),
        costs=read_costs([err for _, err in streams]),
    )


def fresh_source() -> XofSource:
    """One party's own randomness, from the operating system."""
    return XofSource(fresh_seed(), TAGS["mpc-inputs"])


def flags(row: Protocol, step: Step, parties: int, party: int) -> list[str]:
    """What a party program is told besides where the others are and what it runs."""
    return [*place_flags(row, parties, party), *tuning.party_flags(row, step)]


def place_flags(row: Protocol, parties: int, party: int) -> list[str]:
    """What a party program is told about its place among the parties, its channels and its outputs."""
    count = ["-N", str(parties)] if row.pairwise else []
    encrypt = [row.encrypts] if row.encrypts else []
    return ["-p", str(party), *count, *encrypt, "-v", "-OF", "."]


def _run_parties(
    row: Protocol, program: Path, programs: Path, step: Step, texts: Sequence[str], limits: Limits, kept: Path
) -> list[tuple[str, str]]:
    """(output, error stream) of every party."""
    for attempt in range(_BIND_ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="capc-mpc-") as name, _held_ports(len(texts) + 2) as first_port:
            folder = Path(name)
            data = prepare(folder, programs, dict(enumerate(texts)))
            write_keys(data, len(texts))
            restore_keys(row, kept, data)
            where = ["-pn", str(first_port)]
            commands = {
                party: [str(program), *flags(row, step, len(texts), party), *where, bytecode_name(step)]
                for party in range(len(texts))
            }
            failed = execute(commands, folder, limits, f"{step.program} under {row.name}")
            streams = [read_streams(folder, party) for party in commands]
            if not failed:
                keep_keys(row, data, kept)
                return streams
        said = "\n".join(streams[party][1] for party in failed)
        if not any(sign in said for sign in _PORT_LOST) or attempt == _BIND_ATTEMPTS - 1:
            break
    raise MpcError(f"{step.program} under {row.name}: party {failed[0]} failed", said)


def prepare(folder: Path, programs: Path, texts: Mapping[int, str]) -> Path:
    """The folder of one run, readable by the user only, as a temporary folder is; returns where its keys belong."""
    data = folder / "Player-Data"
    data.mkdir()
    (folder / "Programs").symlink_to(programs)
    for party, text in texts.items():
        (data / f"Input-P{party}-0").write_text(text)
    return data


def execute(commands: Mapping[int, Sequence[str]], folder: Path, limits: Limits, what: str) -> list[int]:
    """Runs the parties of this machine to their end, and returns those that failed.

    Raises:
        MpcError: the time is over.
    """
    processes: dict[int, subprocess.Popen[bytes]] = {}
    with _termination_as_exit():
        try:
            for party, command in commands.items():
                processes[party] = _start(party, command, folder, limits)
            _wait(processes.values(), limits.seconds, what)
        finally:
            _kill(processes.values())
    return [party for party, process in processes.items() if process.returncode]


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """SIGTERM, which would end this process at once, unwinds it instead: parties have sessions of their own."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start(party: int, command: Sequence[str], folder: Path, limits: Limits) -> subprocess.Popen[bytes]:
    with (folder / f"out-{party}").open("wb") as out, (folder / f"err-{party}").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  # the installation's own party program
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    if hasattr(resource, "prlimit"):
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    return process


def _wait(processes: Collection[subprocess.Popen[bytes]], seconds: float, what: str) -> None:
    """Waits until all have ended or one has failed.

    Raises:
        MpcError: the time is over.
    """
    end = time.monotonic() + seconds
    while any(process.poll() is None for process in processes):
        if any(process.returncode for process in processes):
            return
        if time.monotonic() > end:
            raise MpcError(f"{what} took more than {seconds:g} s and was stopped")
        time.sleep(_POLL_SECONDS)


def _kill(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ends what was started, each process with its own session, and collects it."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_streams(folder: Path, party: int) -> tuple[str, str]:
    """(output, error stream) of a party that has ended."""
    out, err = ((folder / f"{kind}-{party}").read_text(errors="replace") for kind in ("out", "err"))
    return out, err


@contextmanager
def _held_ports(count: int) -> Iterator[int]:
    """The first of ``count`` free ports, which other threads pass by until the run has ended."""
    with _holding:
        first = free_ports(count)
        _held.update(range(first, first + count))
    try:
        yield first
    finally:
        with _holding:
            _held.difference_update(range(first, first + count))


def free_ports(count: int) -> int:
    """The first of ``count`` neighbouring ports of loopback that nobody listens on or holds at this moment.

    Raises:
        InputError: there are none.
    """
    start = _FIRST_PORT + os.getpid() * 37 % (_LAST_PORT - _FIRST_PORT)
    for offset in range(0, _LAST_PORT - _FIRST_PORT, count):
        first = _FIRST_PORT + (start - _FIRST_PORT + offset) % (_LAST_PORT - _FIRST_PORT)
        if all(port not in _held and _is_free(port) for port in range(first, first + count)):
            return first
    raise InputError(f"no {count} neighbouring ports from {_FIRST_PORT} to {_LAST_PORT} are free: end other runs")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
