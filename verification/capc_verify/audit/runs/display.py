"""How far a run is: a bar on a terminal, and anywhere else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from capc.cli.terminal import timed_lines
from capc_verify.audit.runs.running import Watcher


class Lines:
    """A line when the number of tests is known, one when all have ended, and between them one every ten seconds.

    Args:
        what: is counted.
        write: takes a line.
        clock: seconds.
    """

    def __init__(self, what: str, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._write, self._clock = what, write, clock
        self._began = clock()
        self._said: tuple[int, int] | None = None
        self._at = self._began

    def at(self, done: int, total: int) -> None:
        """Says so, if it is the first or the last time, or the last line is long ago."""
        now = self._clock()
        is_new = total and (self._said is None or (done == total and self._said != (done, total)))
        if is_new or now - self._at >= timed_lines.INTERVAL:
            self._at = now
            self._said = (done, total) if total else None
            told = f"{done} of {total}" if total else "looking for tests"
            self._write(f"{self._what}: {told}, {self._at - self._began:.0f} s")


class Bar:
    """A bar on standard error."""

    def __init__(self, what: str) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self.progress = Progress(*columns, console=Console(stderr=True))
        self._task = self.progress.add_task(what, total=None)

    def at(self, done: int, total: int) -> None:
        """Moves the bar."""
        self.progress.update(self._task, completed=done, total=total or None)


@contextmanager
def shown(what: str) -> Iterator[Watcher]:
    """What shows how far a run is, until it ends."""
    if sys.stderr.isatty():
        bar = Bar(what)
        with bar.progress:
            yield bar
    else:
        yield Lines(what, timed_lines.writer(sys.stderr))
