"""One program, one protocol, one run: own folder, own keys, free ports, limits, and every party's own outputs.

Spec: CAPC-MPC-006.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface.encoding import Case, FullCase, complete, decode, input_text, printed
from capc_mpc.interface.protocols import Model, Protocol, check_model, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.spdz import tuning
from capc_mpc.spdz.compiling import bytecode_name, compiled, default_cache
from capc_mpc.spdz.costs import Costs, read_costs
from capc_mpc.spdz.kept import keep as keep_keys
from capc_mpc.spdz.kept import restore as restore_keys
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine, the_machine
from capc_mpc.spdz.ports import held_ports
from capc_mpc.spdz.processes import Ended, Limits, execute, failure, failures, read_streams
from capc_mpc.spdz.site import LOOPBACK, Site
from capc_mpc.spdz.tuning import DERIVED, Choices
from capc_spec.registry import TAGS

KEPT_KEYS = "keys"
"""Where in the cache the keys of all parties of runs on this machine are."""
_BIND_ATTEMPTS = 3
_PORT_LOST = ("in use", "unknown ca")
"""What a party says when another process took its port meanwhile, or answered there with keys of its own."""


@dataclass(frozen=True)
class Around:
    """What a run took besides what MP-SPDZ times.

    Attributes:
        keys_seconds: for keys and certificates of all parties.
        made_keys: whether the parties generated keys together in it, which later runs take over.
        compile_seconds: what compiling took, when it was done.
        compiled_before: whether that was before this run.
        setup_seconds: the longest time of a party outside of what it timed: start, connecting, handshakes, end.
        peak_bytes: of each party, as :class:`capc_mpc.spdz.processes.Ended` has it.
    """

    keys_seconds: float
    made_keys: bool
    compile_seconds: float
    compiled_before: bool
    setup_seconds: float
    peak_bytes: tuple[int | None, ...]


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
        around: what it took besides.
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
    around: Around


def run(
    step: Step,
    cases: Sequence[Case],
    protocol: str,
    *,
    model: Model = Model.BASE,
    limits: Limits | None = None,
    machine: Machine | None = None,
    cache: Path | None = None,
    chosen: Choices = DERIVED,
    site: Site = LOOPBACK,
) -> MpcRun:
    """Runs a program among processes on this machine.

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
        chosen: options and flags in the place of those that are derived from the step.
        site: where the parties are; side by side on loopback by default.

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
    made = compiled(machine, step, row, parties, cache, limits.seconds, chosen)
    texts = [input_text(step, row.domain, party, full) for party in range(parties)]
    told = [[program.name, *flags(row, step, parties, party, chosen)] for party in range(parties)]
    commands = [[str(program), *words[1:]] for words in told]
    what = f"{step.program} under {row.name}"
    finished = _run_parties(
        row, made.programs, commands, bytecode_name(step), texts, limits, cache / KEPT_KEYS, site, what
    )
    raw = [printed(out) for out, _ in finished.streams]
    costs = read_costs([err for _, err in finished.streams])
    return MpcRun(
        protocol=protocol,
        model=model,
        version=machine.version,
        command=[*told[0], "-pn", "PORT", bytecode_name(step)],
        compile_options=tuning.compile_options(row, step, parties, chosen),
        cases=full,
        raw=raw,
        learnt=decode(step, row.domain, raw, full),
        costs=costs,
        around=Around(
            keys_seconds=finished.keys_seconds,
            made_keys=finished.made_keys,
            compile_seconds=made.seconds,
            compiled_before=made.before,
            setup_seconds=max(
                max(0.0, end.seconds - seconds)
                for end, seconds in zip(finished.ended, costs.party_seconds, strict=True)
            ),
            peak_bytes=tuple(end.peak_bytes for end in finished.ended),
        ),
    )


def fresh_source() -> XofSource:
    """One party's own randomness, from the operating system."""
    return XofSource(fresh_seed(), TAGS["mpc-inputs"])


def flags(row: Protocol, step: Step, parties: int, party: int, chosen: Choices = DERIVED) -> list[str]:
    """What a party program is told besides where the others are and what it runs."""
    return [*place_flags(row, parties, party), *tuning.party_flags(row, step, chosen)]


def place_flags(row: Protocol, parties: int, party: int) -> list[str]:
    """What a party program is told about its place among the parties, its channels and its outputs."""
    count = ["-N", str(parties)] if row.pairwise else []
    encrypt = [row.encrypts] if row.encrypts else []
    return ["-p", str(party), *count, *encrypt, "-v", "-OF", "."]


@dataclass(frozen=True)
class _Finished:
    """A run that every party ended well: streams and ends of each, and what was made for it."""

    streams: list[tuple[str, str]]
    ended: list[Ended]
    keys_seconds: float
    made_keys: bool


def _run_parties(
    row: Protocol,
    programs: Path,
    commands: Sequence[Sequence[str]],
    bytecode: str,
    texts: Sequence[str],
    limits: Limits,
    kept: Path,
    site: Site,
    what: str,
) -> _Finished:
    """Starts all parties, once more where another process took their ports.

    Raises:
        MpcError: one of them failed.
    """
    parties = len(texts)
    for attempt in range(_BIND_ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="capc-mpc-") as name, held_ports(parties + 2) as first_port:
            folder = Path(name)
            data = prepare(folder, programs, dict(enumerate(texts)))
            start = time.perf_counter()
            write_keys(data, parties)
            keys_seconds = time.perf_counter() - start
            restored = restore_keys(row, kept, data)
            where = site.where(folder, parties, first_port)
            placed = {n: site.placed(n, [*command, *where, bytecode]) for n, command in enumerate(commands)}
            ended = execute(placed, folder, limits, what)
            streams = [read_streams(folder, party) for party in placed]
            if not failures(ended):
                made = keep_keys(row, data, kept)
                return _Finished(streams, [*ended.values()], keys_seconds, made_keys=made and not restored)
            error = failure(ended, folder, what)
        said = "\n".join(streams[party][1] for party in failures(ended))
        if not any(sign in said for sign in _PORT_LOST) or attempt == _BIND_ATTEMPTS - 1:
            break
    raise error


def prepare(folder: Path, programs: Path, texts: Mapping[int, str]) -> Path:
    """The folder of one run, readable by the user only, as a temporary folder is; returns where its keys belong."""
    data = folder / "Player-Data"
    data.mkdir()
    (folder / "Programs").symlink_to(programs)
    for party, text in texts.items():
        (data / f"Input-P{party}-0").write_text(text)
    return data
