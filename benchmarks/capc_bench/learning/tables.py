"""The tables of recorded studies, in Markdown: python -m capc_bench.learning.tables STUDY.json ..."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_COLUMNS = {
    "before": "before",
    "after": "after",
    "gain": "gain",
    "balanced_gain": "balanced",
    "worst_class_gain": "worst class",
    "worst_group_gain": "worst group",
    "unseen_class_gain": "classes without rows",
    "unseen_group_gain": "group without rows",
    "per_label_gain": "of labels",
    "labels_right": "labels right",
    "ensemble": "votes without noise",
}


def table(study: Mapping[str, Any]) -> str:
    """One study: a row for each cell, means in percent or points with half of the 95 % interval."""
    cells = study["cells"]
    found = [name for name in _COLUMNS if any(name in cell["values"] for cell in cells)]
    varied = list(cells[0]["labels"])
    head = [*varied, *(_COLUMNS[name] for name in found)]
    lines = [f"### {study['name']}", ""]
    source = study["data"][0]
    repeats, queriers = cells[0]["repeats"], cells[0]["queriers"]
    lines += [
        f"`{source['name']}`, SHA-256 `{source['sha256']}`; {repeats} repeats of {queriers} querying parties.",
        "",
    ]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
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


if __name__ == "__main__":
    for file in sys.argv[1:]:
        sys.stdout.write(table(json.loads(Path(file).read_text(encoding="utf-8"))) + "\n")
