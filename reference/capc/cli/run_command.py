"""``capc run``: the main job with its progress, a table at the end, and a JSON report at every moment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from capc.cli import EXIT_INTERRUPTED, EXIT_OK
from capc.cli.progress import displays
from capc.cli.run_table import show
from capc.cli.terminal.output import Output, Rendering
from capc.foundation.errors import InputError
from capc.job.config import JobConfig, resolve
from capc.job.job import Job
from capc.job.keeping.files import beside, check_not_input, check_writable
from capc.job.keeping.journal import KEY_SUFFIX, ROLES_SUFFIX
from capc.job.plan import Plan, prepare
from capc.job.rendering.figures import write_figures
from capc.job.rendering.page import page
from capc.job.report import document
from capc.job.state import Display, Stage
from capc.privacy.ledger import default_key_file

OUTPUTS = ("json", "html", "plots", "log")
"""What is written, which is no option of the job."""


def run(given: Mapping[str, str]) -> int:
    """Runs the job and reports; returns the exit code.

    Args:
        given: the text of each option that was given, by name.

    Raises:
        InputError: something cannot be used; nothing was trained or sent, unless a model could wrap: then nothing
            was sent.
        KeyboardInterrupt: Ctrl-C before anything was done; no report was written.
    """
    flags, config = dict(given), given.get("config")
    flags.pop("config", None)
    output, log = open_output({name: flags.pop(name) for name in OUTPUTS if name in flags})
    file = None if config is None else Path(config)
    options = resolve(flags, file)
    check_outputs(output, log, inputs_of(options, file))
    return run_plan(prepare(options), output, log)


def open_output(given: Mapping[str, str]) -> tuple[Output, Path | None]:
    """The targets of reports, and of lines of progress.

    Raises:
        InputError: one of them cannot be written.
    """
    log = None if "log" not in given else Path(given["log"])
    output = Output(given.get("json"), given.get("html"), given.get("plots"))
    if log is not None:
        check_writable(log, "log")
    return output, log


def check_outputs(output: Output, log: Path | None, inputs: Mapping[str, Path]) -> None:
    """Checks that no file is written that is used otherwise.

    Raises:
        InputError: one is.
    """
    output.check_not_input(inputs)
    if log is not None:
        check_not_input(log, {**inputs, **{f"--{option}": file for option, file in output.files.items()}}, "log")


def inputs_of(options: JobConfig, config: Path | None) -> dict[str, Path]:
    """The files that a run reads or goes on from, by the place where each was named."""
    inputs = {} if config is None else {"--config": config}
    if options.data is not None:
        inputs[options.place("data")] = options.data
    if options.models is not None:
        inputs[options.place("models")] = options.models
    if options.ledger is not None:
        inputs[options.place("ledger")] = options.ledger
        inputs[options.place("ledger_key")] = options.ledger_key or default_key_file(options.ledger)
    if options.journal is not None:
        inputs[options.place("journal")] = options.journal
        for suffix in (KEY_SUFFIX, ROLES_SUFFIX):
            inputs[f"{options.place('journal')}, {suffix[1:]}"] = beside(options.journal, suffix)
    return inputs


def run_plan(plan: Plan, output: Output, log: Path | None) -> int:
    """Runs a plan and reports, also what an interrupted run did; returns the exit code.

    Raises:
        InputError: something cannot be used.
    """
    watcher = _Watcher(output)
    job = Job(plan, watcher)
    watcher.job = job
    # Not before: a refusal is one line.
    for warning in plan.advice.warnings:
        sys.stderr.write(f"capc: warning: {warning}\n")
    try:
        return _run_and_report(job, watcher, output, log)
    finally:
        job.close()


def _run_and_report(job: Job, watcher: _Watcher, output: Output, log: Path | None) -> int:
    code = EXIT_OK
    try:
        # A report from the start: an older one must not stand in for a run that is killed early.
        watcher.changed()
        with displays(log) as watcher.displays:
            job.run()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except InputError:
        # Labels that were released before the refusal were paid for.
        if job.state.queries:
            show(job.state, output.console)
            output.finish(document(job.state), RENDERING)
        raise
    try:
        output.finish(document(job.state), RENDERING)
        show(job.state, output.console)
    except KeyboardInterrupt:
        # What was done is in the file already, which is whole at every moment.
        return EXIT_INTERRUPTED
    return code


RENDERING = Rendering(page, write_figures)


class _Watcher:
    """Tells every display of the stages, and keeps the JSON file up to date."""

    def __init__(self, output: Output) -> None:
        self.job: Job | None = None
        self.displays: Sequence[Display] = ()
        self._output = output

    def started(self, stage: Stage, total: int) -> None:
        """Shows that a stage begins."""
        for display in self.displays:
            display.started(stage, total)

    def advanced(self, stage: Stage) -> None:
        """Shows a step."""
        for display in self.displays:
            display.advanced(stage)

    def changed(self) -> None:
        """Saves the report."""
        if self.job is not None:
            self._output.save(document(self.job.state))
