"""Where reports go: JSON into a file or to standard output, a page, and figures; then nothing else is written there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from capc.foundation.environment import missing_module
from capc.foundation.errors import InputError
from capc.job.keeping.files import check_folder, check_not_input, check_writable, to_json, write_text

STDOUT = "-"
_DRAWS = "matplotlib"
_UNBROKEN = 1 << 20
"""Columns of what is no terminal."""


@dataclass(frozen=True)
class Rendering:
    """How a report is shown to people.

    Attributes:
        page: a page of it for a browser.
        figures: draws it into a folder.
    """

    page: Callable[[Mapping[str, object]], str]
    figures: Callable[[Mapping[str, object], Path], object]


class Output:
    """The targets of ``--json``, ``--html`` and ``--plots``, checked when it is made.

    Args:
        target: a file name, `-` for standard output, None for no JSON.
        html: the file of the page; None for none.
        plots: the folder of the figures; None for none.

    Raises:
        InputError: something cannot be written, or what draws figures is not installed.
    """

    def __init__(self, target: str | None, html: str | None = None, plots: str | None = None) -> None:
        self._to_stdout = target == STDOUT
        self._file = None if target is None or self._to_stdout else Path(target)
        self._html = None if html is None else Path(html)
        self._plots = None if plots is None else folder_named(plots, "plots")
        for option, file in self.files.items():
            check_writable(file, option)
        if self._plots is not None:
            check_folder(self._plots, "plots")
        # A page has figures too, and both are made when all work is done.
        if (html is not None or plots is not None) and find_spec(_DRAWS) is None:
            raise InputError(f"{'html' if plots is None else 'plots'}: {missing_module(_DRAWS)}")

    @property
    def files(self) -> dict[str, Path]:
        """The files that are written, by the option that names them."""
        named = {"json": self._file, "html": self._html}
        return {option: file for option, file in named.items() if file is not None}

    def check_not_input(self, inputs: Mapping[str, Path]) -> None:
        """Checks that a report would not replace what the run reads, or another report.

        Args:
            inputs: the files that are read, by the place where each was named.

        Raises:
            InputError: a report's file is one of them, under this or another name.
        """
        used = dict(inputs)
        for option, file in self.files.items():
            check_not_input(file, used, option)
            used[f"--{option}"] = file

    @property
    def console(self) -> Console:
        """Where tables for people go: standard output, or standard error if the JSON goes there.

        A file or a pipe has no width of its own, so nothing is broken there, unless ``COLUMNS`` says how wide it is.
        """
        console = Console(stderr=self._to_stdout)
        narrow = console.is_terminal or "COLUMNS" in os.environ
        return console if narrow else Console(stderr=self._to_stdout, width=_UNBROKEN)

    def show(self, table: Table) -> None:
        """Prints a table, as :func:`show_table` does."""
        show_table(table, self.console)

    def save(self, report: Mapping[str, object]) -> None:
        """Replaces the JSON file, if there is one, by this report."""
        if self._file is not None:
            write_text(to_json(report), self._file)

    def finish(self, report: Mapping[str, object], rendering: Rendering | None = None) -> None:
        """Saves the last report, or writes it to standard output; then what people look at, which may fail."""
        self.save(report)
        if self._to_stdout:
            sys.stdout.write(to_json(report))
        if rendering is not None and self._html is not None:
            write_text(rendering.page(report), self._html, "html")
        if rendering is not None and self._plots is not None:
            try:
                self._plots.mkdir(parents=True, exist_ok=True)
                rendering.figures(report, self._plots)
            except OSError as error:
                raise InputError(
                    f"plots = {self._plots} (--plots): not drawn ({error.strerror}): name another"
                ) from None


def show_table(table: Table, console: Console) -> None:
    """Prints a table; one whose words do not fit beside each other is a list of rows, a line for each cell.

    A table without headings has two columns, of which the second may be broken anywhere.
    """
    needed = Measurement.get(console, console.options.update(max_width=_UNBROKEN), table).minimum
    if needed <= console.width or not table.show_header:
        console.print(table)
        return
    if table.title is not None:
        console.print(table.title, soft_wrap=True)
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        console.print()
        for column, cell in zip(table.columns, cells, strict=True):
            console.print(Text.assemble(_as_text(column.header), ": ", _as_text(cell)), soft_wrap=True)


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def folder_named(text: str, option: str) -> Path:
    """The folder that an option names.

    Raises:
        InputError: it names none.
    """
    if not text or "\0" in text:
        raise InputError(f"{option} = {text} (--{option}): choose the name of a folder")
    return Path(text)
