"""``capc model check``: a model of one's own, as it would answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from capc.cli.terminal.output import Output, show_table
from capc.cli.terminal.timed_lines import beating, writer
from capc.foundation.errors import InputError
from capc.job.config import MAX_BATCH
from capc.job.model_check.check import ModelCheck, check_model
from capc.job.options import Option, OptionValue, flag, named, whole, yes_or_no
from capc.learning.data import MAX_CLASSES
from capc.learning.own_models.factories import is_onnx
from capc.learning.own_models.networks import Named
from capc.session.session import MAX_ANSWERING
from capc.session.widths import ParameterSet

_SHAPE = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8},[1-9][0-9]{0,8})?")


def _shape(raw: object) -> str:
    text = "".join(str(raw).split())
    if not _SHAPE.fullmatch(text):
        raise ValueError
    return text


_OPTIONS: dict[str, Option] = {
    "parameters": named("the name of a parameter set, such as default or test"),
    "input": Option("the number of features, or channels,height,width, as 64 or 1,8,8", _shape),
    "output": named("the name of one of the file's outputs"),
    "classes": whole(2, MAX_CLASSES),
    "trained": yes_or_no(),
    "data": named("the name of an .npz or .npy file"),
    "parties": whole(1, MAX_ANSWERING),
    "batch": whole(1, MAX_BATCH),
    "measure": yes_or_no(),
}


def check(given: Mapping[str, str]) -> None:
    """Checks a model and reports.

    Args:
        given: the model, and the text of each option that was given, by name.

    Raises:
        InputError: an option or the model cannot be used.
    """
    model, json_target = given["model"], given.get("json")
    options = {name: _read(name, text) for name, text in given.items() if name not in {"model", "json"}}
    data = Path(str(options["data"])) if "data" in options else None
    output = Output(json_target)
    output.check_not_input({flag("data"): data} if data is not None else {})
    _check_fitting(model, options)
    if is_onnx(model):
        output.check_not_input({"MODEL": Path(model)})
    else:
        writer(sys.stderr)(f"capc: this runs the code of {model}, as you")
    try:
        widths = ParameterSet.named(str(options.get("parameters", "default")))
    except InputError as error:
        raise InputError(f"{error} ({flag('parameters')})") from None
    shape = tuple(map(int, str(options["input"]).split(","))) if "input" in options else None
    chosen = str(options["output"]) if "output" in options else None
    with beating([lambda: writer(sys.stderr)("still checking the model")]):
        try:
            found = check_model(
                Named(model, Path(), shape, chosen, options.get("trained", False) is True),
                widths,
                parties=_number(options, "parties", 20),
                batch=_number(options, "batch", 10),
                data=data,
                classes=_number(options, "classes", 0) or None,
                measures=options.get("measure", False) is True,
            )
        except InputError as error:
            raise InputError(f"model = {model}: {error}") from None
    _show(found, output.console)
    output.finish(found.document())


def _read(name: str, text: str) -> OptionValue:
    kind = _OPTIONS[name]
    try:
        return kind.from_text(text)
    except ValueError:
        raise InputError(f"{name} = {' '.join(text.split())} ({flag(name)}): choose {kind.remedy}") from None


def _number(options: Mapping[str, OptionValue], name: str, default: int) -> int:
    value = options.get(name, default)
    return value if isinstance(value, int) else default


def _check_fitting(model: str, options: Mapping[str, OptionValue]) -> None:
    """Refuses what would have to be ignored."""
    for_factories, for_files = ("classes", "trained"), ("output",)
    for name in for_factories if is_onnx(model) else for_files:
        if name in options:
            kind = "an ONNX file" if is_onnx(model) else "a factory"
            raise InputError(f"{name} ({flag(name)}): {kind} has none: leave this out")


def _show(found: ModelCheck, console: Console) -> None:
    report, cost, widths = found.report, found.cost, found.widths

    def tell(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    again = "; its weights are those before training" if found.is_trained_in_runs else ""
    tell(f"{found.named.name}: read, and its logits are those of its framework{again}")
    tell(
        f"in integers of the set {widths.name} it gives the same class on {report.agreeing} of {report.rows} rows "
        f"({found.rows_from}); logits differ by at most {report.largest_error:.3g}"
    )
    for note in report.notes:
        tell(note)
    table = Table(title=f"Stages: bits of {widths.logit_bits}, and for one query with one party")
    for heading in ("stage", "place", "bits", "own bits", "scaled down", "lost", "ANDs", "bytes", "seconds"):
        table.add_column(heading, justify="left" if heading == "place" else "right")
    for number, (stage, own, of_stage) in enumerate(zip(report.stages, found.own_bits, cost.stages, strict=True)):
        shares = f"{stage.clipped:.0%}", f"{stage.lost:.2%}"
        figures = f"{of_stage.ands:,}", f"{of_stage.bytes:,.0f}", f"{of_stage.seconds:.4f}"
        table.add_row(str(number), Text(stage.place), str(stage.bits), str(own), *shares, *figures)
    show_table(table, console)
    tell("bits: by the figures by rule, under which every network fits; own bits: what its weights need without")
    tell(
        f"a query, {cost.batch} at once, with {found.parties} such parties: "
        f"{found.parties * cost.bytes + cost.release_bytes:,.0f} bytes, {found.parties * cost.ands:,} ANDs, "
        f"{cost.rounds} rounds a batch (exact); at least {found.parties * cost.seconds:.2f} s of computing (from "
        "counts, at rates of another machine, without transfers and products in the clear: expect twice that or more)"
    )
    if found.measured is not None:
        seen = found.measured
        tell(
            f"measured here with one party: {seen.seconds:.3f} s and {seen.bytes:,.0f} bytes a query, {seen.batch} at "
            f"once; set-up {seen.setup_seconds:.2f} s and {seen.setup_bytes:,} bytes"
        )
    for line in found.changes() or ["nothing"]:
        tell(f"to change: {line}")
    tell("this depends on the weights and the rows: keep it to yourself")
