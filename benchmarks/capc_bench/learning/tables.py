"""The page of recorded studies, whose tables are made from them.

    python -m capc_bench.learning.tables benchmarks/evidence/learning

Writes the tables of every `*.json` in the folder into its README.md, between two lines that mark their place, and keeps
what is written around them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capc_bench.learning import runs

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"

_COLUMNS = {
    "before": "before",
    "after": "after",
    "gain": "gain",
    "balanced_gain": "balanced",
    "worst_class_gain": "worst class",
    "worst_group_gain": "worst group",
    "unseen_class_gain": "classes without rows",
    "unseen_group_gain": "group without rows",
    "per_label_gain": "labels",
    "labels_right": "labels right",
    "ensemble": "votes without noise",
}


def table(study: Mapping[str, Any]) -> str:
    """One study: a row for each cell, means in percent or points with half of the 95 % interval."""
    cells = study["cells"]
    found = [name for name in _COLUMNS if any(name in cell["values"] for cell in cells)]
    varied = list(cells[0]["labels"])
    head = [*varied, *(_COLUMNS[name] for name in found)]
    source = study["data"][0]
    repeats, queriers = cells[0]["repeats"], cells[0]["queriers"]
    digest = "of scikit-learn" if source["sha256"] == source["name"] else f"SHA-256 `{source['sha256']}`"
    asking = "one querying party" if queriers == 1 else f"{queriers} querying parties"
    lines = [
        f"## {study['name']}",
        "",
        f"`{source['name']}`, {digest}; {repeats} repeats of {asking}; `{study['commands'][0]}`.",
        "",
        f"| {' | '.join(name.replace('_', ' ') for name in head)} |",
        f"|{'---|' * len(head)}",
    ]
    for cell in cells:
        shown = [str(cell["labels"][name]) for name in varied]
        lines.append(f"| {' | '.join([*shown, *(_figure(name, cell['values'].get(name)) for name in found)])} |")
    return "\n".join([*lines, ""])


def _figure(name: str, value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "–"
    sign = "+" if name.endswith("gain") else ""
    reach = "" if value["low"] is None else f" ± {100 * (value['high'] - value['mean']):.1f}"
    return f"{100 * value['mean']:{sign}.1f}{reach}"


def page(folder: Path) -> str:
    """The README of a folder, with the tables of its studies in the order of their files' names.

    Raises:
        ValueError: it does not mark where tables go.
    """
    text = (folder / "README.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{folder / 'README.md'}: there is no place for tables: write {BEGIN} and {END}")
    studies = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    real = "## The real protocol beside its simulation\n"
    return "\n".join([before + BEGIN, "", *map(table, studies), real, runs.table(folder / "real"), END + after])


def main(arguments: list[str]) -> int:
    """Writes the page of one folder."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder = Path(arguments[0])
    try:
        text = page(folder)
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{folder}: no tables were written: {error}\n")
        return 2
    (folder / "README.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
