"""Tables in a pipe, in a file and in a narrow window: no word of them is cut."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capc.cli.terminal.output import Output, show_table

HEADINGS = ("program", "protocol", "parties", "milliseconds", "bytes")
ROWS = (("argmax", "semi2k", "2", "12.5", "33,012"), ("relu", "replicated-ring", "3", "8.39", "3,428"))


def table_of(headings: tuple[str, ...] = HEADINGS) -> Table:
    table = Table(title="per case")
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in ROWS:
        table.add_row(*row)
    return table


def words_of(width: int) -> str:
    out = io.StringIO()
    show_table(table_of(), Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [1, 20, 40, 50, 60, 80, 1000])
def test_every_heading_and_cell_is_whole_at_any_width(width: int) -> None:
    printed = words_of(width)
    for word in ("per case", *HEADINGS, *(cell for row in ROWS for cell in row)):
        assert word in printed


def test_a_table_that_fits_is_one_and_another_is_a_list_of_rows() -> None:
    assert "│ argmax" in words_of(80)
    assert "protocol: replicated-ring\nparties: 3\n" in words_of(40)


def test_markup_is_followed_in_a_table_and_not_in_texts_of_others() -> None:
    table = Table("extra extra extra extra", "version")
    table.add_row("a", "[red]missing[/red]")
    table.add_row(Text("[b]"), Text("[red]"))
    for width in (10, 80):
        out = io.StringIO()
        show_table(table, Console(file=out, width=width))
        assert "[red]missing" not in out.getvalue()
        assert "[red]" in out.getvalue()


def test_a_table_without_headings_stays_one() -> None:
    table = Table(show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("figure", overflow="fold")
    table.add_row("identity", "0" * 64)
    out = io.StringIO()
    show_table(table, Console(file=out, width=30))
    assert "identity" in out.getvalue()
    assert out.getvalue().count("0") == 64


def test_nothing_is_broken_in_a_pipe_unless_its_width_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert Output(None).console.width > 10_000
    monkeypatch.setenv("COLUMNS", "60")
    assert Output(None).console.width == 60


@pytest.mark.slow
def test_a_command_in_a_pipe_prints_its_table_whole() -> None:
    program = "from capc.cli import main; main()"
    surroundings = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    # Of a record that two parties hold no cost of labels is searched for, which takes long.
    noise = ["--sigma", "4", "--mechanism", "discrete_gaussian", "--held-by", "2"]
    question = ["account", "compare", "--queries", "5", *noise]
    done = subprocess.run(
        [sys.executable, "-c", program, *question], capture_output=True, env=surroundings, timeout=120, check=True
    )
    (row,) = [line for line in done.stdout.decode().splitlines() if line.startswith("│ renyi_classic")]
    assert "Renyi DP, classic (Mironov 2017) conversion at order" in row
