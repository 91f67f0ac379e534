"""``capc run``: the main job with progress bars, a table at the end, and a JSON report at every moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from capc.cli import EXIT_INTERRUPTED, EXIT_OK
from capc.cli.output import Output
from capc.cli.run_table import show
from capc.errors import InputError
from capc.job.config import JobConfig, resolve
from capc.job.job import Job
from capc.job.observer import Stage
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.ledger import default_key_file


def run(flags: Mapping[str, str], config: Path | None, json_target: str | None) -> int:
    """Runs the job and reports; returns the exit code.

    Raises:
        InputError: something cannot be used; nothing was trained or sent, unless a model could wrap: then nothing
            was sent.
        KeyboardInterrupt: Ctrl-C before anything was done; no report was written.
    """
    output = Output(json_target)
    options = resolve(flags, config)
    output.check_not_input(_inputs(options, config))
    return _run(prepare(options), output)


def _inputs(options: JobConfig, config: Path | None) -> dict[str, Path]:
    inputs = {} if config is None else {"--config": config}
    if options.data is not None:
        inputs[options.place("data")] = options.data
    if options.ledger is not None:
        inputs[options.place("ledger")] = options.ledger
        inputs[options.place("ledger_key")] = options.ledger_key or default_key_file(options.ledger)
    return inputs


def _run(plan: Plan, output: Output) -> int:
    watcher = _Watcher(output)
    job = Job(plan, watcher)
    watcher.job = job
    try:
        return _run_and_report(job, watcher, output)
    finally:
        job.close()


def _run_and_report(job: Job, watcher: _Watcher, output: Output) -> int:
    code = EXIT_OK
    try:
        # A report from the start: an older one must not stand in for a run that is killed early.
        watcher.changed()
        with watcher.progress:
            job.run()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except InputError:
        # Labels that were released before the refusal were paid for.
        if job.state.queries:
            show(job.state, output.console)
            output.finish(document(job.state))
        raise
    try:
        output.finish(document(job.state))
        show(job.state, output.console)
    except KeyboardInterrupt:
        # What was done is in the file already, which is whole at every moment.
        return EXIT_INTERRUPTED
    return code


class _Watcher:
    """Shows progress on standard error, and keeps the JSON file up to date."""

    def __init__(self, output: Output) -> None:
        self.job: Job | None = None
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._output = output
        self._tasks: dict[Stage, TaskID] = {}

    def started(self, stage: Stage, total: int) -> None:
        """Adds a bar."""
        self._tasks[stage] = self.progress.add_task(stage.value, total=total)

    def advanced(self, stage: Stage) -> None:
        """Moves a bar."""
        self.progress.advance(self._tasks[stage])

    def changed(self) -> None:
        """Saves the report."""
        if self.job is not None:
            self._output.save(document(self.job.state))
