"""``capc simulate``: one run with F_CaPC in the clear, or a study of many, which goes on where it was interrupted."""

from __future__ import annotations

import hashlib
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from capc.cli import EXIT_INTERRUPTED, EXIT_OK
from capc.cli.output import Output, Rendering
from capc.cli.progress import displays
from capc.cli.run_command import OUTPUTS, check_outputs, inputs_of, open_output, run_plan
from capc.foundation.errors import InputError
from capc.job.config import JobConfig
from capc.job.job import Job
from capc.job.keeping.files import check_folder
from capc.job.models import trial_seconds
from capc.job.options import flag
from capc.job.plan import prepare
from capc.job.rendering.study import study_page, write_study_figures
from capc.job.report import document
from capc.job.state import Display, Stage
from capc.job.study import Study, keep_report, kept_report, read_study, run_file, summary
from capc.learning.data import Dataset

RENDERING = Rendering(study_page, write_study_figures)
_SHOWN = (
    "before",
    "after",
    "gain",
    "balanced_gain",
    "worst_class_gain",
    "worst_group_gain",
    "labels_right",
    "ensemble",
)


def run(given: Mapping[str, str]) -> int:
    """Simulates and reports; returns the exit code.

    Args:
        given: the text of each option that was given, by name.

    Raises:
        InputError: something cannot be used; nothing was trained.
        KeyboardInterrupt: Ctrl-C before anything was done.
    """
    flags = dict(given)
    file, out = (None if name not in flags else Path(flags.pop(name)) for name in ("config", "out"))
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
        raise InputError(f"repeats = {text} (--repeats): choose a whole number") from None


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
    """

    def __init__(self, study: Study, output: Output, out: Path | None, command: str) -> None:
        self._study = study
        self._output = output
        self._out = out
        self._command = command
        self._reports: list[list[dict[str, Any]]] = [[] for _ in study.cells]
        self._data: dict[str, object] = {}

    def run(self, log: Path | None) -> int:
        """Runs and reports; returns the exit code."""
        code = EXIT_OK
        with ExitStack() as stack:
            folder = self._out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            # All that can be refused is refused before the first training.
            for _, config in self._study.cells:
                self._remember(prepare(config, simulated=True).dataset, config)
            self._estimate(folder)
            try:
                with displays(log) as shown:
                    self._run_all(folder, shown)
            except KeyboardInterrupt:
                code = EXIT_INTERRUPTED
            self._output.finish(self._summary(), RENDERING)
        _show(self._summary(), self._output.console)
        return code

    def _run_all(self, folder: Path, shown: Sequence[Display]) -> None:
        for display in shown:
            display.started(Stage.STUDY, self._study.runs)
        for repeat in range(self._study.repeats):
            for place, (_, config) in enumerate(self._study.cells):
                self._reports[place].append(self._report(folder, _seeded(config, repeat, folder)))
                self._output.save(self._summary())
                for display in shown:
                    display.advanced(Stage.STUDY)

    def _report(self, folder: Path, config: JobConfig) -> dict[str, Any]:
        file = run_file(folder, config, str(self._data["sha256"]))
        kept = kept_report(file)
        if kept is not None:
            return kept
        job = Job(prepare(config, simulated=True), _Silent())
        job.run()
        report: dict[str, Any] = document(job.state)
        keep_report(report, file)
        return report

    def _remember(self, dataset: Dataset, config: JobConfig) -> None:
        digest = dataset.name if config.data is None else hashlib.sha256(config.data.read_bytes()).hexdigest()
        entry: dict[str, object] = {"name": dataset.name, "sha256": digest, "rows": dataset.num_rows}
        if self._data not in ({}, entry):
            raise config.refusal("data", "a study has one set of data: leave this out of what varies")
        self._data = entry

    def _estimate(self, folder: Path) -> None:
        """Says how long it will take, from the time of one training, before it begins."""
        configs = [
            _seeded(config, repeat, folder) for _, config in self._study.cells for repeat in range(self._study.repeats)
        ]
        left = [
            config for config in configs if kept_report(run_file(folder, config, str(self._data["sha256"]))) is None
        ]
        if not left:
            return
        began = time.perf_counter()
        each = trial_seconds(prepare(left[0], simulated=True))
        retrained = sum(config.queriers * config.rounds for config in left)
        # Parties' models are trained once for each split, and used again over whatever does not change it.
        splits = {(config.seed, config.parties, config.parameters, config.scaling, config.division) for config in left}
        trained = sum(parties + 1 for _, parties, *_ in splits)
        seconds = each * (trained / 2 + retrained) + (time.perf_counter() - began) * len(left)
        work = f"{trained} models to train and {retrained} to retrain"
        sys.stderr.write(f"{len(left)} of {len(configs)} runs, {work}: about {seconds / 60:.0f} minutes\n")

    def _summary(self) -> dict[str, Any]:
        return {**summary(self._study, self._reports, self._data), "commands": [self._command]}


def _seeded(config: JobConfig, repeat: int, folder: Path) -> JobConfig:
    return replace(config, seed=config.seed + repeat, keep=config.keep or folder / "models")


def _show(summary: Mapping[str, Any], console: Console) -> None:
    table = Table(title=f"{summary['name']}: simulated, no guarantee; means with 95 % intervals")
    cells = summary["cells"]
    columns = [name for name in _SHOWN if any(name in cell["values"] for cell in cells)]
    labels = list(cells[0]["labels"])
    for heading in (*labels, "repeats", *columns):
        table.add_column(heading.replace("_", " "), justify="right")
    for cell in cells:
        shown = [_figure(cell["values"].get(name)) for name in columns]
        table.add_row(*(str(cell["labels"][name]) for name in labels), str(cell["repeats"]), *shown)
    console.print(table)


def _figure(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "-"
    reach = "" if value["low"] is None else f" ± {value['high'] - value['mean']:.3f}"
    return f"{value['mean']:.3f}{reach}"
