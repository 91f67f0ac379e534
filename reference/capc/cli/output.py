"""Where reports go: a file, or standard output, and then nothing else is written there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from capc.job.keeping.files import check_not_input, check_writable, to_json, write

STDOUT = "-"


class Output:
    """The target of ``--json``, checked when it is made.

    Args:
        target: a file name, `-` for standard output, None for no JSON.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, target: str | None) -> None:
        self._to_stdout = target == STDOUT
        self._file = None if target is None or self._to_stdout else Path(target)
        if self._file is not None:
            check_writable(self._file)

    def check_not_input(self, inputs: Mapping[str, Path]) -> None:
        """Checks that the report would not replace what the run reads.

        Args:
            inputs: the files that are read, by the place where each was named.

        Raises:
            InputError: the report's file is one of them, under this or another name.
        """
        if self._file is not None:
            check_not_input(self._file, inputs)

    @property
    def console(self) -> Console:
        """Where tables for people go: standard output, or standard error if the JSON goes there."""
        return Console(stderr=self._to_stdout)

    def save(self, report: dict[str, object]) -> None:
        """Replaces the file, if there is one, by this report."""
        if self._file is not None:
            write(report, self._file)

    def finish(self, report: dict[str, object]) -> None:
        """Saves the last report, or writes it to standard output."""
        self.save(report)
        if self._to_stdout:
            sys.stdout.write(to_json(report))
