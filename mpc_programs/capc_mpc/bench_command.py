"""``capc mpc bench`` and ``capc mpc network``: variants measured beside each other, and modelled elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from capc.cli import EXIT_INTERRUPTED
from capc.cli.app import Finished, interruptible
from capc.cli.terminal.options import above_zero, from_zero
from capc.cli.terminal.output import Output
from capc.foundation.environment import missing_module
from capc.foundation.errors import InputError
from capc.job.keeping.files import check_folder, check_writable, write_text
from capc_mpc.bench import forecast, links, tables, traffic
from capc_mpc.bench.campaign import Campaign, Measure, over_loopback
from capc_mpc.bench.document import Status, document, load, resumable, to_csv
from capc_mpc.bench.folder import REPORT, keep, write_pages
from capc_mpc.bench.measure import LONG_SECONDS, Setting
from capc_mpc.bench.over_networks import OverNetworks, model_only
from capc_mpc.bench.plan import ALL, PROGRAMS, QUICK, Plan, make_plan, needs_machine
from capc_mpc.bench.rows import Row, to_json
from capc_mpc.bench.variants import AUTO, CHOSEN, OFF, ON, Variant
from capc_mpc.emulated.probe import Ceiling
from capc_mpc.emulated.probe import ceiling as ceiling_of
from capc_mpc.spdz.machine import the_machine
from capc_mpc.spdz.processes import Limits

_EXIT_FAILED = 1
_DRAWS = "matplotlib"

Json = Annotated[str | None, typer.Option(metavar="FILE", help="Write the report as JSON; - is stdout.")]
Csv = Annotated[str | None, typer.Option(metavar="FILE", help="Write the rows as CSV.")]
Latency = Annotated[
    float | None, typer.Option(metavar="MS", callback=from_zero, help="One way, of a link besides the named ones.")
]
Megabits = Annotated[
    float, typer.Option(metavar="MBIT", callback=above_zero, help="Its bandwidth per party and second.")
]


def _axis(metavar: str, told: str) -> Any:  # noqa: ANN401 - what typer takes
    return typer.Option(metavar=metavar, help=told, rich_help_panel="What is varied: one value, or several with commas")


def _network(name: str, told: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - what typer takes
    return typer.Option(name, metavar=metavar, help=told, rich_help_panel="Over networks")


def bench(
    programs: Annotated[str, typer.Option(metavar="NAMES", help=f"With commas, or {ALL}.")] = ",".join(PROGRAMS),
    protocols: Annotated[
        str, typer.Option(metavar="NAMES", help=f"With commas; {ALL} or {QUICK}: of these all that are installed.")
    ] = QUICK,
    batch: Annotated[str, _axis("B,...", "Cases.")] = "1,100",
    classes: Annotated[str, _axis("C,...", "Classes, or labels.")] = "10",
    parties: Annotated[str, _axis("K,...", "Answering parties of guardian_free.")] = "2",
    logit_bits: Annotated[str, _axis("l,...", "Bits of a logit.")] = "37",
    vote_bits: Annotated[str, _axis("w,...", "Bits of a vote share.")] = "16",
    grid_bits: Annotated[str, _axis("g,...", "Grid bits.")] = "4",
    sigma: Annotated[str, _axis("S,...", "Deviation of noise that nobody knows, in grid units.")] = "20",
    edabits: Annotated[str, _axis(f"{AUTO}|{ON}|{OFF},...", "EdaBits, where a protocol can choose.")] = AUTO,
    threads: Annotated[str, _axis("N,...", "Runs side by side that share a batch.")] = "1",
    party_flags: Annotated[str, typer.Option(metavar="'FLAGS'", help="For MP-SPDZ's party programs.")] = "",
    compile_flags: Annotated[str, typer.Option(metavar="'FLAGS'", help="For MP-SPDZ's compiler.")] = "",
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of a variant that count.")] = 3,
    warm_ups: Annotated[int, typer.Option(metavar="N", min=0, help="Runs before them.")] = 1,
    minutes: Annotated[
        float, typer.Option(metavar="MIN", callback=from_zero, help="No variant begins after that.")
    ] = 15.0,
    long: Annotated[
        float, typer.Option(metavar="S", callback=from_zero, help="A run that takes longer is the only one.")
    ] = LONG_SECONDS,
    seconds: Annotated[float, typer.Option(metavar="S", callback=above_zero, help="Time limit of one run.")] = 600.0,
    measure_network: Annotated[
        bool, _network("--measure-network", "Measure over emulated links too, and model them; needs root.")
    ] = False,
    record_traffic: Annotated[
        bool, _network("--record-traffic", "Model links from traffic, without measuring over them; needs root.")
    ] = False,
    over: Annotated[str, _network("--links", "Which are measured, with commas.", "NAMES")] = ",".join(links.LINKS),
    first: Annotated[
        bool, _network("--first", "With these, parties come before whatever else this machine does.")
    ] = False,
    latency_ms: Latency = None,
    megabits: Megabits = 100.0,
    report: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Keep every row there, and write tables and figures.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the report in the folder.")] = False,
    csv: Csv = None,
    json: Json = None,
) -> Finished:
    """Measure programs under protocols, beside the embedded engine; over networks too, and what a model says of them.

    Inputs are samples, so honest-majority protocols are measured too. Everything is checked before the first run, and
    how long all will take is told. With --report each row is kept as soon as it is measured, also after Ctrl-C.
    """
    with interruptible():
        output, folder = Output(json), None if report is None else Path(report)
        _check_targets(folder, csv, resume=resume)
        axes = _axes(
            batch=batch,
            classes=classes,
            answering=parties,
            logit_bits=logit_bits,
            vote_bits=vote_bits,
            grid_bits=grid_bits,
            sigma=sigma,
            edabits=edabits,
            threads=threads,
        )
        axes |= {"party_flags": [party_flags], "compile_flags": [compile_flags]}
        networks = links.links(latency_ms, megabits)
        if not measure_network and not record_traffic:
            if latency_ms is not None:
                raise InputError("--latency-ms is of a link: give --measure-network or --record-traffic too")
            networks = {}
        measured = links.chosen(over, networks) if measure_network else {}
        if latency_ms is not None and measure_network:
            measured[links.GIVEN] = networks[links.GIVEN]
        ceiling = ceiling_of(first=first) if networks else None
        machine = the_machine() if needs_machine(protocols) else None
        setting = Setting(machine, Limits(seconds=seconds), repeats, warm_ups, networks, measured, long)
        plan = make_plan(programs.split(","), protocols, axes, machine)
        rows = resumable(folder / REPORT, setting) if folder is not None and resume else []
        found = _Found(plan, setting, sys.argv[1:], ceiling)
        return _measure(found, rows, minutes, output, folder, csv, first=first)


@dataclass(frozen=True)
class _Found:
    """What was asked for, as the document has it."""

    plan: Plan
    setting: Setting
    command: Sequence[str]
    ceiling: Ceiling | None

    def document(self, rows: Sequence[Row], status: Status, seconds: float) -> dict[str, Any]:
        return document(rows, self.plan, self.setting, self.command, status, seconds, self.ceiling)

    def measure(self, folder: Path | None, say: Callable[[str], None], *, first: bool) -> Measure:
        if not self.setting.networks:
            return over_loopback

        def keep(variant: Variant, recorded: traffic.Traffic) -> None:
            if folder is not None:
                traffic.save(folder, variant, recorded)

        return OverNetworks(first, say, keep)


def _measure(
    asked: _Found,
    rows: list[Row],
    minutes: float,
    output: Output,
    folder: Path | None,
    csv: str | None,
    *,
    first: bool,
) -> Finished:
    """Measures what the rows lack, and writes everything that was asked for, however it ends."""

    def say(line: str) -> None:
        output.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def kept(rows: Sequence[Row], status: Status) -> None:
        found = asked.document(rows, status, seconds)
        output.save(found)
        if folder is not None:
            keep(folder, found)

    plan, setting = asked.plan, asked.setting
    campaign = Campaign(plan, setting, minutes, kept, say, asked.measure(folder, say, first=first), rows)
    seconds = forecast.total(campaign.left(), setting)
    say(_forecast_line(len(campaign.left()), len(rows), seconds, minutes))
    status = campaign.run()
    show(output, campaign.rows)
    found = asked.document(campaign.rows, status, seconds)
    if csv is not None:
        write_text(to_csv(campaign.rows), Path(csv), "csv")
    if folder is not None:
        write_pages(folder, found, campaign.rows)
    for variant, why in plan.left_out:
        say(f"left out: {variant.told()}: {why}")
    for line in campaign.missing():
        say(f"NOT MEASURED: {line}")
    output.finish(found)
    if status is Status.INTERRUPTED:
        say("interrupted; " + ("every row before is kept, --resume goes on" if folder else "--report would keep rows"))
        return Finished(EXIT_INTERRUPTED)
    wrong = any(row.equal is False for row in campaign.rows)
    return Finished(_EXIT_FAILED if wrong or campaign.missing() else 0)


def _forecast_line(left: int, there: int, seconds: float, minutes: float) -> str:
    more = f", besides {there} rows that are there" if there else ""
    over = f"; no variant begins after {minutes:g} min (--minutes)" if seconds > 60 * minutes else ""
    return f"{left} variants{more}: about {forecast.told(seconds)}{over}"


def network(
    file: Annotated[str, typer.Argument(metavar="REPORT.json", help="As capc mpc bench wrote it.")],
    latency_ms: Latency = None,
    megabits: Megabits = 100.0,
    csv: Csv = None,
    json: Json = None,
) -> Finished:
    """Model over other links what was measured before, from the traffic beside its report: no MP-SPDZ is needed."""
    with interruptible():
        output = Output(json)
        output.check_not_input({"REPORT.json": Path(file)})
        _check_targets(None, csv, resume=False)
        networks = links.links(latency_ms, megabits)
        found, measured = load(Path(file))
        rows = model_only(Path(file).parent, measured, networks)
        if not any(row.predicted for row in rows):
            show(output, measured)
            raise InputError(f"{file}: no traffic was recorded beside it: bench --record-traffic --report FOLDER does")
        show(output, rows)
        if csv is not None:
            write_text(to_csv(rows), Path(csv), "csv")
        named = {name: asdict(net) for name, net in networks.items()}
        output.finish({**found, "networks": named, "rows": [to_json(row) for row in rows]})
        return Finished(0)


def show(output: Output, rows: Sequence[Row]) -> None:
    """Prints the rows, a table for each size of a program."""
    for section in tables.sections(rows):
        if section.rows:
            lines = [tables.narrow(section), *(tables.narrow_cells(row, section) for row in section.rows)]
            output.show(_table(f"{section.title}, per case", lines))
        if modelled := tables.modelled(section):
            output.show(_table("the same over links, by the model: ms per case", modelled))
        for line in section.refused:
            output.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(title: str, lines: Sequence[Sequence[str]]) -> Table:
    """A heading and lines, as narrow as they can be."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    for heading in lines[0]:
        table.add_column(heading, justify="left" if heading in {"protocol", "TLS"} else "right")
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _check_targets(folder: Path | None, csv: str | None, *, resume: bool) -> None:
    """Checks where rows go, before anything is measured.

    Raises:
        InputError: something cannot be written, would replace an unfinished report, or is missing.
    """
    if csv is not None:
        check_writable(Path(csv), "csv")
    if folder is None and resume:
        raise InputError("--resume goes on with a report: name its folder with --report")
    if folder is None:
        return
    check_folder(folder, "report")
    if find_spec(_DRAWS) is None:
        raise InputError(f"report: {missing_module(_DRAWS)}")
    there = folder / REPORT
    if resume or not there.is_file():
        return
    try:
        unfinished = load(there)[0]["status"] != Status.COMPLETE
    except InputError:
        unfinished = False
    if unfinished:
        raise InputError(f"{there}: a report that is not whole: give --resume to go on with it, or name another folder")


def _axes(**texts: str) -> dict[str, list[int | str]]:
    """The values of each axis.

    Raises:
        InputError: a text holds none.
    """
    return {name: _values(name, text) for name, text in texts.items()}


def _values(name: str, text: str) -> list[int | str]:
    option = "--parties" if name == "answering" else f"--{name.replace('_', '-')}"
    words = text.split(",")
    if name == "edabits":
        if not set(words) <= {AUTO, ON, OFF}:
            raise InputError(f"{text!r} ({option}): choose among {AUTO}, {ON} and {OFF}")
        return [*words]
    try:
        if name == "sigma":
            return [str(_positive(Decimal(word))) for word in words]
        numbers = [int(word) for word in words]
    except (ValueError, InvalidOperation):
        raise InputError(f"{text!r} ({option}): give numbers separated by commas") from None
    if name in CHOSEN and min(numbers) < 1:
        raise InputError(f"{text!r} ({option}): give numbers from 1 upwards")
    return [*numbers]


def _positive(number: Decimal) -> Decimal:
    """Raises :class:`ValueError` unless it is a number above 0."""
    if not number.is_finite() or number <= 0:
        raise ValueError
    return number
