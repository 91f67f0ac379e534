"""``capc doctor``: what is installed, and what to install."""

from __future__ import annotations

import platform
from importlib.metadata import entry_points

from rich.table import Table

from capc.cli.terminal.output import Output
from capc.foundation.environment import REMEDY, installed_version, requirements

EXIT_INCOMPLETE = 1
EXTENSIONS = "capc.doctor"
"""The entry-point group of further findings: each is a function that returns one line for people."""


def run(json_target: str | None) -> int:
    """Shows every package of every extra. The exit code is 0 if ``capc run`` has all that it needs, else 1."""
    output = Output(json_target)
    found = requirements()
    missing = sorted({entry.distribution for entry in found if entry.version is None})
    table = Table(title=f"capc {installed_version('capc') or 'not installed'}, Python {platform.python_version()}")
    for heading in ("extra", "package", "version"):
        table.add_column(heading)
    for entry in found:
        table.add_row(entry.extra, entry.distribution, entry.version or "[red]missing[/red]")
    output.show(table)
    if missing:
        output.console.print(f"Missing: {', '.join(missing)}. {REMEDY}.", markup=False)
    else:
        output.console.print("capc run has everything that it needs.")
    further = {extension.name: str(extension.load()()) for extension in entry_points(group=EXTENSIONS)}
    for line in further.values():
        output.console.print(line, markup=False)
    output.finish(
        {
            "capc": installed_version("capc"),
            "python": platform.python_version(),
            "packages": {entry.distribution: entry.version for entry in found},
            "missing": missing,
            "further": further,
        }
    )
    return EXIT_INCOMPLETE if missing else 0
