"""``capc simulate``: one run with F_CaPC in the clear, or a study of many, which goes on where it was interrupted."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from capc.cli import EXIT_INTERRUPTED, EXIT_OK
from capc.cli.progress import displays
from capc.cli.run_command import OUTPUTS, check_outputs, inputs_of, open_output, run_plan
from capc.cli.terminal.output import Output, Rendering, folder_named, show_table
from capc.foundation.errors import InputError
from capc.job.config import JobConfig
from capc.job.job import Job
from capc.job.keeping.files import check_folder
from capc.job.models import trial_seconds
from capc.job.options import flag
from capc.job.plan import Plan, prepare
from capc.job.rendering.study import study_page, write_study_figures
from capc.job.report import document
from capc.job.state import Display, Stage
from capc.job.study import MAX_RUNS, Study, keep_report, kept_report, read_study, run_file, summary
from capc.learning.data import Dataset

RENDERING = Rendering(study_page, write_study_figures)
_SHOWN = (
    *("before", "after", "gain", "balanced_gain", "worst_class_gain", "worst_group_gain"),
    *("unseen_class_gain", "unseen_group_gain", "per_label_gain"),
    *("labels_right", "ensemble"),
)
_MOST_WARNINGS = 5


def run(given: Mapping[str, str]) -> int:
    """Simulates and reports; returns the exit code.

    Args:
        given: the text of each option that was given, by name.

    Raises:
        InputError: something cannot be used; nothing was trained.
        KeyboardInterrupt: Ctrl-C before anything was done.
    """
    flags = dict(given)
    file = Path(flags.pop("config")) if "config" in flags else None
    out = folder_named(flags.pop("out"), "out") if "out" in flags else None
    repeats = _whole(flags.pop("repeats")) if "repeats" in flags else None
    output, log = open_output({name: flags.pop(name) for name in OUTPUTS if name in flags})
    study = read_study(flags, file, repeats)
    check_outputs(output, log, inputs_of(study.cells[0][1], file))
    if out is not None:
        check_folder(out, "out")
    if study.runs == 1 and out is None:
        return run_plan(prepare(study.cells[0][1], simulated=True), output, log)
    command = shlex.join(["capc", "simulate", *(f"{flag(name)}={text}" for name, text in given.items())])
    return _Runner(study, output, out, command).run(log)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"repeats = {text} (--repeats): choose a whole number from 1 to {MAX_RUNS}") from None


class _Silent:
    """The job of one run in a study: its stages are not shown."""

    def started(self, stage: Stage, total: int) -> None:
        """Nothing."""

    def advanced(self, stage: Stage) -> None:
        """Nothing."""

    def changed(self) -> None:
        """Nothing."""


class _Runner:
    """Runs what is not kept yet, repeat after repeat, so that an early end has something of every cell.

    Args:
        study: what is to be run.
        output: where its summary goes.
        out: the folder that keeps reports and models; None for one that is forgotten.
        command: what runs it again.

    Raises:
        InputError: an option cannot be used.
    """

    def __init__(self, study: Study, output: Output, out: Path | None, command: str) -> None:
        self._study = study
        self._output = output
        self._out = out
        self._command = command
        self._reports: list[list[dict[str, Any]]] = [[] for _ in study.cells]
        self._plans = _plans([config for _, config in study.cells])
        if out is not None:
            _check_known(self._plans)
        self._data = _told_of(self._plans[0])

    def run(self, log: Path | None) -> int:
        """Runs and reports; returns the exit code.

        Raises:
            InputError: something cannot be used. After the first run that is a damaged file of the study, or the disk.
            KeyboardInterrupt: Ctrl-C before the first run.
        """
        with ExitStack() as stack:
            folder = self._out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            left = self._left(folder)
            self._warn()
            self._estimate(left)
            try:
                return self._run(folder, log)
            except KeyboardInterrupt:
                # A second one, while the first was reported: the summary is in the file already.
                return EXIT_INTERRUPTED

    def _run(self, folder: Path, log: Path | None) -> int:
        code = EXIT_OK
        try:
            # From the start: an older summary must not stand in for a study that is killed early.
            self._output.save(self._summary())
            with displays(log) as shown:
                self._run_all(folder, shown)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
        except InputError:
            self._output.finish(self._summary(), RENDERING)
            raise
        self._output.finish(self._summary(), RENDERING)
        show_study(self._summary(), self._output.console)
        return code

    def _run_all(self, folder: Path, shown: Sequence[Display]) -> None:
        for display in shown:
            display.started(Stage.STUDY, self._study.runs)
        for repeat in range(self._study.repeats):
            for place, plan in enumerate(self._plans):
                self._reports[place].append(self._report(folder, _seeded(plan, repeat, folder)))
                self._output.save(self._summary())
                for display in shown:
                    display.advanced(Stage.STUDY)

    def _report(self, folder: Path, plan: Plan) -> dict[str, Any]:
        kept = self._kept(folder, plan)
        if kept is not None:
            return kept
        job = Job(plan, _Silent())
        job.run()
        report: dict[str, Any] = document(job.state)
        keep_report(report, self._file(folder, plan))
        return report

    def _file(self, folder: Path, plan: Plan) -> Path:
        own = [(party, (model.digest or b"").hex()) for party, model in sorted(plan.own.items())]
        return run_file(folder, plan.config, str(self._data["sha256"]), own)

    def _kept(self, folder: Path, plan: Plan) -> dict[str, Any] | None:
        return kept_report(self._file(folder, plan), plan.config)

    def _left(self, folder: Path) -> list[Plan]:
        """The runs that are not kept; each is refused now if its job would be, before the first training."""
        repeats = range(self._study.repeats)
        runs = [_seeded(plan, repeat, folder) for plan in self._plans for repeat in repeats]
        left = [plan for plan in runs if self._kept(folder, plan) is None]
        for plan in left:
            Job(plan, _Silent())
        return left

    def _warn(self) -> None:
        """Says what is known of noise that the votes do not carry; of a large study, of its first settings."""
        told = [
            (", ".join(f"{name} = {value}" for name, value in labels.items()), warning)
            for (labels, _), plan in zip(self._study.cells, self._plans, strict=True)
            for warning in plan.advice.warnings
        ]
        for setting, warning in told[:_MOST_WARNINGS]:
            sys.stderr.write(f"capc: warning: {setting}{': ' if setting else ''}{warning}\n")
        if len(told) > _MOST_WARNINGS:
            sys.stderr.write(f"capc: warning: {len(told) - _MOST_WARNINGS} more settings have noise of this kind\n")

    def _estimate(self, left: Sequence[Plan]) -> None:
        """Says how long it will take, from the time of one training, before it begins."""
        if not left:
            return
        each = trial_seconds(left[0])
        configs = [plan.config for plan in left]
        retrained = sum(config.queriers * config.rounds for config in configs)
        # Models of the mix are trained once for each split, and used again over whatever does not change it.
        splits = {(config.seed, config.parameters, config.scaling, config.division) for config in configs}
        trained = sum(division.parties for *_, division in splits) + sum(len(plan.own) for plan in left)
        seconds = each * (trained / (os.cpu_count() or 1) + retrained)
        work = f"at most {trained} models to train and {retrained} to retrain"
        sys.stderr.write(f"{len(left)} of {self._study.runs} runs, {work}: about {_duration(seconds)}\n")

    def _summary(self) -> dict[str, Any]:
        return {**summary(self._study, self._reports, self._data), "commands": [self._command]}


def _plans(configs: Sequence[JobConfig]) -> list[Plan]:
    """A plan for each; what is loaded alike is loaded once."""
    loaded: dict[tuple[object, ...], Dataset] = {}
    plans = []
    for config in configs:
        alike = config.data, config.scaling, config.column, config.group, config.multi_label is not None
        plan = prepare(config, simulated=True, dataset=loaded.get(alike))
        loaded[alike] = plan.dataset
        plans.append(plan)
    return plans


def _check_known(plans: Sequence[Plan]) -> None:
    """Refuses to keep reports of models that code decides.

    Raises:
        InputError: one is no file.
    """
    for plan in plans:
        for model in plan.own.values():
            if model.digest is None:
                problem = f"--out keeps reports, and cannot know when the code of {model.named.name} changed"
                raise plan.config.refusal("models", f"{problem}: leave out --out, or give ONNX files")


def _told_of(plan: Plan) -> dict[str, object]:
    """What a study says of its data."""
    dataset, file = plan.dataset, plan.config.data
    digest = dataset.name if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    return {"name": dataset.name, "sha256": digest, "rows": dataset.num_rows}


def _seeded(plan: Plan, repeat: int, folder: Path) -> Plan:
    """The same with the seed of a repeat, which decides nothing that a plan says."""
    config = plan.config
    return replace(plan, config=replace(config, seed=config.seed + repeat, keep=config.keep or folder / "models"))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{ceil(seconds)} seconds"
    return f"{ceil(seconds / 60)} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} hours"


def show_study(summary: Mapping[str, Any], console: Console) -> None:
    """Prints the means of a study: as many columns beside each other as fit, so that none is cut off."""
    cells = summary["cells"]
    names = list(cells[0]["labels"])
    columns = [name for name in _SHOWN if any(name in cell["values"] for cell in cells)]
    head = {name: [_text(cell["labels"][name]) for cell in cells] for name in names}
    head["repeats"] = [str(cell["repeats"]) for cell in cells]
    figures = {name: [_figure(cell["values"].get(name)) for cell in cells] for name in columns}
    room = console.width - sum(map(_width, head.items())) - 1
    title = f"{summary['name']}: simulated, no guarantee; means with 95 % intervals"
    groups = _side_by_side(figures, room)
    for shown in groups:
        table = Table(title=Text(title) if shown == groups[0] else None)
        for heading in head:
            table.add_column(Text(heading.replace("_", " ")), justify="right", overflow="fold")
        for heading in shown:
            table.add_column(heading.replace("_", " "), justify="right", no_wrap=True)
        for row in zip(*head.values(), *(figures[name] for name in shown), strict=True):
            table.add_row(*map(Text, row))
        show_table(table, console)


def _side_by_side(figures: Mapping[str, Sequence[str]], room: int) -> list[list[str]]:
    """Names of columns, in groups of at least one that fit the room."""
    groups: list[list[str]] = [[]]
    left = room
    for named in figures.items():
        width = _width(named)
        if width > left and groups[-1]:
            groups.append([])
            left = room
        groups[-1].append(named[0])
        left -= width
    return groups


def _width(column: tuple[str, Sequence[str]]) -> int:
    """Of a column with its margins and one line beside it."""
    heading, values = column
    return max(len(heading), *map(len, values)) + 3


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _figure(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "-"
    reach = "" if value["low"] is None else f" ± {value['high'] - value['mean']:.3f}"
    return f"{value['mean']:.3f}{reach}"
