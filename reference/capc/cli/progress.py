"""How a run shows what it is doing: bars on a terminal, lines anywhere else, and lines in a log file if asked.

Spec: CAPC-RUN-021.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from capc.cli.terminal import timed_lines
from capc.foundation.errors import InputError
from capc.job.state import Display, Stage


class Lines:
    """One line when a stage begins, one when it ends, and between them one every ten seconds.

    Lines come also while no step ends: :meth:`beat` is called from another thread.

    Args:
        write: takes one line.
        clock: seconds.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._stage: Stage | None = None
        self._done = self._total = 0
        self._began = self._said = 0.0

    def started(self, stage: Stage, total: int) -> None:
        """Says so."""
        with self._lock:
            self._stage, self._done, self._total = stage, 0, total
            self._began = self._said = self._clock()
            self._write(f"{stage.value}: 0 of {total}")

    def advanced(self, stage: Stage) -> None:
        """Says so, if it was the last step or the last line is long ago."""
        with self._lock:
            self._done += 1
            if self._done == self._total:
                self._say(stage)
                self._stage = None
            elif self._is_due():
                self._say(stage)

    def beat(self) -> None:
        """Says how far the stage is, if the last line is long ago."""
        with self._lock:
            if self._stage is not None and self._is_due():
                self._say(self._stage)

    def _is_due(self) -> bool:
        return self._clock() - self._said >= timed_lines.INTERVAL

    def _say(self, stage: Stage) -> None:
        self._said = self._clock()
        self._write(f"{stage.value}: {self._done} of {self._total}, {self._said - self._began:.0f} s")


class Bars:
    """A bar for each stage, on standard error."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[Stage, TaskID] = {}

    def started(self, stage: Stage, total: int) -> None:
        """Adds a bar."""
        self._tasks[stage] = self.progress.add_task(stage.value, total=total)

    def advanced(self, stage: Stage) -> None:
        """Moves a bar."""
        self.progress.advance(self._tasks[stage])


@contextmanager
def displays(log: Path | None) -> Iterator[Sequence[Display]]:
    """Where a run shows its stages, until it ends.

    Args:
        log: a file for lines, which replaces what is there; None for none.

    Raises:
        InputError: the file cannot be written.
    """
    with ExitStack() as stack:
        shown: list[Display] = []
        lines: list[Lines] = []
        if sys.stderr.isatty():
            bars = Bars()
            stack.enter_context(bars.progress)
            shown.append(bars)
        else:
            lines.append(Lines(timed_lines.writer(sys.stderr)))
        if log is not None:
            try:
                stream = stack.enter_context(log.open("w", encoding="utf-8"))
            except OSError as error:
                raise InputError(f"log = {log} (--log): cannot be written ({error.strerror}): name another") from None
            lines.append(Lines(timed_lines.writer(stream)))
        stack.enter_context(timed_lines.beating([each.beat for each in lines]))
        yield [*shown, *lines]
