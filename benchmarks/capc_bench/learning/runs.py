"""Condenses reports of single runs for the record: without what is told of each query and party.

    python -m capc_bench.learning.runs FOLDER adult_k20_run.json adult_k20_simulate.json ...

Reports whose names end in `_run` and `_simulate` are of the same options, with the real protocol and in simulation. A
report does not hold its own command: it is that of its options, which stay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LEFT_OUT = ("queries", "parties", "advice", "journal", "ledger")


def condensed(report: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a report, and the worst and mean accuracy of each architecture in the place of the parties."""
    by_sizes: dict[str, list[float]] = {}
    for party in report["parties"]:
        by_sizes.setdefault("-".join(map(str, party["layer_sizes"])), []).append(party["score"]["accuracy"])
    told = {sizes: {"mean": sum(found) / len(found), "worst": min(found)} for sizes, found in sorted(by_sizes.items())}
    kept = {name: value for name, value in report.items() if name not in _LEFT_OUT}
    kept["data"] = {name: value for name, value in report["data"].items() if name != "split"}
    return {**kept, "accuracy_by_layer_sizes": told}


def table(folder: Path) -> str:
    """Real runs beside their simulations."""
    lines = [
        "| run | options | queries | equal to the ideal | before | after | simulated | seconds of all steps | MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for file in sorted(folder.glob("*_run.json")):
        real, simulated = (
            json.loads((folder / file.name.replace("_run", f"_{kind}")).read_text(encoding="utf-8"))
            for kind in ("run", "simulate")
        )
        turn, options, agreed = real["queriers"][0], real["config"], real["agreement"]
        named = f"K = {options['parties']}, {options['strategy']}, epsilon {options['epsilon']}"
        cells = [
            file.name.removesuffix("_run.json").replace("_", " "),
            named,
            str(agreed["queries"]),
            str(agreed["equal_to_ideal"]),
            *(f"{100 * score['accuracy']:.1f}" for score in (turn["before"], turn["after"])),
            f"{100 * simulated['queriers'][0]['after']['accuracy']:.1f}",
            f"{sum(step['seconds'] for step in real['steps'].values()):.0f}",
            f"{sum(step['bytes'] for step in real['steps'].values()) / 1e6:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> int:
    """Writes the condensed reports into a folder that is there."""
    if len(arguments) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder = Path(arguments[0])
    for name in map(Path, arguments[1:]):
        try:
            kept = condensed(json.loads(name.read_text(encoding="utf-8")))
            (folder / name.name).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.stderr.write(f"{name}: not condensed: {error}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
