"""``capc run``: the main job with its progress, a table at the end, and a JSON report at every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from capc.cli import EXIT_INTERRUPTED, EXIT_OK
from capc.cli.output import STDOUT, Output
from capc.cli.progress import displays
from capc.cli.run_table import show
from capc.foundation.errors import InputError
from capc.job.config import JobConfig, resolve
from capc.job.job import Job
from capc.job.keeping.files import beside, check_not_input, check_writable
from capc.job.keeping.journal import KEY_SUFFIX, ROLES_SUFFIX
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.job.state import Display, Stage
from capc.privacy.ledger import default_key_file


def run(flags: Mapping[str, str], config: Path | None, json_target: str | None, log: Path | None = None) -> int:
    """Runs the job and reports; returns the exit code.

    Args:
        flags: the text of each option that was given, by name.
        config: the file of options.
        json_target: where the JSON report goes.
        log: where lines of progress go, besides standard error.

    Raises:
        InputError: something cannot be used; nothing was trained or sent, unless a model could wrap: then nothing
            was sent.
        KeyboardInterrupt: Ctrl-C before anything was done; no report was written.
    """
    output = Output(json_target)
    options = resolve(flags, config)
    inputs = _inputs(options, config)
    output.check_not_input(inputs)
    if log is not None:
        check_writable(log, "log")
        if json_target not in {None, STDOUT}:
            inputs["--json"] = Path(str(json_target))
        check_not_input(log, inputs, "log")
    return _run(prepare(options), output, log)


def _inputs(options: JobConfig, config: Path | None) -> dict[str, Path]:
    inputs = {} if config is None else {"--config": config}
    if options.data is not None:
        inputs[options.place("data")] = options.data
    if options.ledger is not None:
        inputs[options.place("ledger")] = options.ledger
        inputs[options.place("ledger_key")] = options.ledger_key or default_key_file(options.ledger)
    if options.journal is not None:
        inputs[options.place("journal")] = options.journal
        for suffix in (KEY_SUFFIX, ROLES_SUFFIX):
            inputs[f"{options.place('journal')}, {suffix[1:]}"] = beside(options.journal, suffix)
    return inputs


def _run(plan: Plan, output: Output, log: Path | None) -> int:
    watcher = _Watcher(output)
    job = Job(plan, watcher)
    watcher.job = job
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
