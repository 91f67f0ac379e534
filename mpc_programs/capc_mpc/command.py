"""``capc mpc``: run programs, here or among machines, and measure them.

Registered as an extension of ``capc`` in pyproject.toml.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from capc.cli.app import Finished, interruptible
from capc.cli.terminal.options import above_zero, from_zero
from capc.cli.terminal.output import Output
from capc.foundation.errors import InputError
from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc import bench_command
from capc_mpc.interface import shown, steps
from capc_mpc.interface.encoding import FullCase, complete
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.expected import learnt_as_expected
from capc_mpc.interface.preconditions import check_precondition
from capc_mpc.interface.protocols import HEADINGS as PROTOCOL_HEADINGS
from capc_mpc.interface.protocols import PROTOCOLS, Protocol, check_model, model_named, protocol_cells, protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.measuring import evidence
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.keys import DAYS, certificate_of, write_key
from capc_mpc.spdz.machine import the_machine
from capc_mpc.spdz.processes import Limits
from capc_mpc.spdz.running import MpcRun, fresh_source
from capc_mpc.spdz.running import run as run_step
from capc_spec.registry import TAGS

app = typer.Typer(help="The secure steps on MP-SPDZ: run one program, or measure the variants.", no_args_is_help=True)
_EXIT_FAILED = 1

_Program = Annotated[str, typer.Argument(help="argmax, label_release, discrete_gaussian, guardian_free, ...")]
_Arguments = Annotated[list[str] | None, typer.Argument(help="As the program's head documents them.")]
_Protocol = Annotated[str, typer.Option(metavar="NAME", help=f"One of {', '.join(PROTOCOLS)}.")]
_Model = Annotated[str, typer.Option(metavar="base|honest_majority", help="The declared threat model.")]
_Json = Annotated[str | None, typer.Option(metavar="FILE", help="Write the report as JSON; - is stdout.")]
_Seconds = Annotated[float, typer.Option(metavar="S", callback=above_zero, help="Time limit of one run.")]

app.command()(bench_command.bench)
app.command()(bench_command.network)


@app.command()
def run(
    program: _Program,
    arguments: _Arguments = None,
    protocol: _Protocol = "semi2k",
    model: _Model = "base",
    inputs: Annotated[
        str | None, typer.Option(metavar="FILE.json", help='Columns {"PARTY FIELD": [[...], ...]}. Default: samples.')
    ] = None,
    seconds: _Seconds = 600.0,
    json: _Json = None,
) -> Finished:
    """Run one program among local processes, and compare what each party learns with the reference."""
    with interruptible():
        output = Output(json)
        step = steps.parse(program, arguments or [])
        declared, given = model_named(model), _read_cases(inputs) if inputs else None
        row = protocol_named(protocol)
        check_model(row, declared)
        if given is not None:
            sources = {party: fresh_source() for party in range(row.parties_for(step.parties))}
            given = complete(step, row.domain, given, sources)
            check_precondition(step, given)
        machine = the_machine()
        cases = given or sample_cases(step, XofSource(fresh_seed(), TAGS["mpc-sample"]))
        try:
            done = run_step(step, cases, protocol, model=declared, limits=Limits(seconds=seconds), machine=machine)
        except MpcError as error:
            raise InputError(str(error)) from None
        equal = learnt_as_expected(step, done.cases, done.learnt)
        _show_run(output, step, done, equal=equal)
        return Finished(0 if equal else _EXIT_FAILED)


def _show_run(output: Output, step: steps.Step, done: MpcRun, *, equal: bool) -> None:
    parties = len(done.learnt)
    kept, channels = protocol_named(done.protocol).withstands(parties), protocol_named(done.protocol).channels
    costs = done.costs
    report = {
        "program": step.program,
        "arguments": list(step.arguments),
        "protocol": done.protocol,
        "model": done.model,
        "withstands": kept,
        "channels": channels,
        "mp_spdz": done.version,
        "compile_options": done.compile_options,
        "command": done.command,
        "equals_reference": equal,
        "learnt": done.learnt,
        "costs": asdict(costs),
        "around": asdict(done.around),
    }
    table = Table(title=f"{step.program} under {done.protocol}, MP-SPDZ {done.version}")
    for heading in ("", ""):
        table.add_column(heading)
    rows = {
        "threat model": f"{done.model.value}, {parties} parties",
        "withstands": ", ".join(name for name, holds in kept.items() if holds) or "nobody",
        "does not withstand": ", ".join(name for name, holds in kept.items() if not holds) or "-",
        "under TLS": {"tls": "yes", "partly_tls": "not its public keys", "plain": "no"}[channels],
        "seconds": f"{costs.seconds:.4f} for {step.batch} cases",
        "bytes sent": f"{costs.bytes_sent:,} by all parties",
        "rounds": str(costs.rounds),
        "equals the reference": "yes" if equal else "NO",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    output.show(table)
    output.finish(report)


@app.command()
def protocols(json: _Json = None) -> Finished:
    """Show the table of protocols: what each computes over, and which coalitions it withstands."""
    with interruptible():
        output = Output(json)
        table = _table(PROTOCOL_HEADINGS)
        for row in PROTOCOLS.values():
            table.add_row(*protocol_cells(row))
        output.show(table)
        output.finish(
            {"protocols": [dict(zip(PROTOCOL_HEADINGS, protocol_cells(r), strict=True)) for r in PROTOCOLS.values()]}
        )
        return Finished(0)


@app.command()
def show(
    program: _Program,
    arguments: _Arguments = None,
    protocol: _Protocol = "semi2k",
    json: _Json = None,
) -> Finished:
    """Show a program: arguments, limits, and with arguments every input in its order and who learns what."""
    with interruptible():
        output = Output(json)
        head = shown.head_of(program)
        output.console.print(head, markup=False, highlight=False, soft_wrap=True)
        output.console.print(f"\nLimits: {shown.LIMITS}.\nOrder: {shown.ORDER}", markup=False, soft_wrap=True)
        report: dict[str, object] = {"program": program, "head": head, "limits": shown.LIMITS, "order": shown.ORDER}
        if arguments:
            step = steps.parse(program, arguments)
            inputs, outputs = shown.inputs_of(step, protocol_named(protocol).domain), shown.outputs_of(step)
            _show_lines(output, f"inputs, for each of {step.batch} cases", inputs)
            _show_lines(output, "outputs: who learns what; others learn nothing", outputs)
            report |= {"inputs": [asdict(line) for line in inputs], "outputs": [asdict(line) for line in outputs]}
        output.finish(report)
        return Finished(0)


def _show_lines(output: Output, title: str, lines: Sequence[shown.Line]) -> None:
    table = _table(("party", "name", "numbers", "bits", "left out"), title=title)
    for line in lines:
        table.add_row(str(line.party), line.name, str(line.count), str(line.width), "is drawn" if line.drawn else "")
    output.show(table)


@app.command()
def party(
    program: _Program,
    number: Annotated[int, typer.Option("--party", metavar="N", help="Its number in the program, from 0.")],
    addresses: Annotated[str, typer.Option(metavar="HOST:PORT,...", help="Of all parties, in order.")],
    keys: Annotated[str, typer.Option(metavar="FOLDER", help="Own key, everybody's certificates: capc mpc keys.")],
    arguments: _Arguments = None,
    inputs: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help='Own columns {"PARTY FIELD": [[...], ...]}; none for a role without.'),
    ] = None,
    protocol: _Protocol = "semi2k",
    model: _Model = "base",
    wait: Annotated[
        float, typer.Option(metavar="S", callback=from_zero, help="How long to wait for the others.")
    ] = 60.0,
    plain_channels: Annotated[
        bool, typer.Option("--plain-channels", help="A tunnel of yours protects what MP-SPDZ does not: no relay.")
    ] = False,
    seconds: _Seconds = 600.0,
    json: _Json = None,
) -> Finished:
    """Run one party among several machines, with its own inputs; it tells what this party learns, and nothing else."""
    with interruptible():
        output = Output(json)
        step = steps.parse(program, arguments or [])
        deployment = Deployment(tuple(addresses.split(",")), Path(keys), wait, plain_channels)
        cases = _read_cases(inputs) if inputs else None
        limits = Limits(seconds=seconds)
        try:
            done = run_party(step, number, cases, protocol, deployment, model=model_named(model), limits=limits)
        except MpcError as error:
            raise InputError(str(error)) from None
        for name, values in done.learnt.items():
            output.console.print(f"{name} {values}", markup=False)
        output.console.print(f"{done.costs.seconds:.4f} s, {done.costs.rounds} rounds", markup=False)
        output.finish({"learnt": done.learnt, "costs": asdict(done.costs)})
        return Finished(0)


@app.command()
def keys(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Made if it is missing.")],
    number: Annotated[int, typer.Option("--party", metavar="N", min=0, help="Its number in the program, from 0.")],
    days: Annotated[int, typer.Option(metavar="N", help="How long the certificate is valid.")] = DAYS,
) -> Finished:
    """Make one party's key and certificate; the certificate's two files go to every other party."""
    with interruptible():
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(f"{folder}: no folder: {error.strerror}") from None
        if (path / f"P{number}.key").exists():
            raise InputError(f"{folder}/P{number}.key exists: name another folder, or remove it")
        public = write_key(path, number, days)
        ends = certificate_of(path, number).not_valid_after_utc
        console = Output(None).console
        console.print(f"give to every other party: {', '.join(map(str, public))}", markup=False, soft_wrap=True)
        console.print(f"valid until {ends:%Y-%m-%d %H:%M} UTC ({days} days)", markup=False)
        return Finished(0)


def _table(headings: Sequence[str], title: str | None = None) -> Table:
    """A table that shortens nothing, however narrow it is printed: the first column stays whole, others are broken."""
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=number == 0, overflow="fold")
    return table


@app.command()
def record(
    programs: Annotated[str, typer.Option(metavar="NAMES", help="Records, separated by commas, or all.")] = "all",
    protocols: Annotated[str, typer.Option(metavar="NAMES", help="Separated by commas.")] = ",".join(
        evidence.PROTOCOLS
    ),
    seconds: _Seconds = 600.0,
    json: _Json = None,
) -> Finished:
    """Record the evidence in this checkout again: fixed inputs, every party's raw outputs, and costs.

    The record `main_job` is of whole runs, one per engine, whatever protocols are named.
    """
    from capc_mpc.measuring import main_job  # noqa: PLC0415  # needs NumPy and torch

    with interruptible():
        output = Output(json)
        machine, known = the_machine(), [*evidence.recorded_steps(), main_job.NAME]
        names = known if programs == "all" else programs.split(",")
        for name in names:
            if name not in known:
                raise InputError(f"record {name!r} is unknown (--programs): choose among {', '.join(known)}")
        rows = [protocol_named(name) for name in protocols.split(",")]
        files: list[str] = []
        try:
            for name in names:
                if name == main_job.NAME:
                    output.console.print(f"{name}: {', '.join(main_job.ENGINES)}")
                    files += [str(main_job.record(engine)) for engine in main_job.ENGINES]
                else:
                    files += _record(output, name, rows, seconds)
        except MpcError as error:
            raise InputError(str(error)) from None
        output.finish({"mp_spdz": machine.version, "files": files})
        return Finished(0)


def _record(output: Output, name: str, protocols: Sequence[Protocol], seconds: float) -> list[str]:
    step = evidence.recorded_steps()[name]
    able = [row.name for row in protocols if row.takes(step.parties)]
    output.console.print(f"{name}: {', '.join(able)}")
    return [str(evidence.record(name, able, the_machine(), Limits(seconds=seconds)))]


def _read_cases(file: str) -> list[FullCase]:
    """Cases from columns: for every party and field one list of numbers per case."""
    try:
        columns = json.loads(Path(file).read_text(encoding="utf-8"))
        keyed = {(int(name.split(" ", 1)[0]), name.split(" ", 1)[1]): rows for name, rows in columns.items()}
        return [dict(zip(keyed, rows, strict=True)) for rows in zip(*keyed.values(), strict=True)]
    except OSError as error:
        raise InputError(f"{file} (--inputs): cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, IndexError, TypeError, RecursionError):
        raise InputError(
            f'{file} (--inputs): not JSON of columns of one length {{"PARTY FIELD": [[...], ...]}}'
        ) from None
