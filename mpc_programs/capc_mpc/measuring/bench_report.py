"""The report of a matrix of variants: JSON, tables, figures, and the cost model over any network from its numbers."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capc.foundation.environment import installed_version
from capc.foundation.errors import InputError
from capc_mpc.interface.protocols import Adversary, Model
from capc_mpc.measuring import embedded
from capc_mpc.measuring.bench import Row, Variant
from capc_mpc.measuring.network import Network, estimate
from capc_mpc.spdz.costs import Costs, Phase
from capc_mpc.spdz.machine import Machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = "capc_mpc_bench/v2"
_COLUMNS = ("protocol", "model", "parties", "C", "B", "ms", "bytes", "rounds")
_COLOURS = {
    (Model.BASE, Adversary.SEMI_HONEST): "tab:blue",
    (Model.BASE, Adversary.MALICIOUS): "tab:red",
    (Model.HONEST_MAJORITY, Adversary.SEMI_HONEST): "tab:green",
    (Model.HONEST_MAJORITY, Adversary.MALICIOUS): "tab:orange",
}
_MARKERS = "osD^v"


def document(
    rows: Sequence[Row], machine: Machine, networks: Mapping[str, Network], command: Sequence[str]
) -> dict[str, Any]:
    """The rows as JSON, with what they were measured on, and by which command."""
    return {
        "schema": SCHEMA,
        "capc": installed_version("capc"),
        "command": shlex.join(["capc", *command]),
        "mp_spdz": machine.version,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "platform": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "networks": {name: asdict(network) for name, network in networks.items()},
        "rows": [asdict(row) for row in rows],
    }


def load(file: Path) -> tuple[dict[str, Any], list[Row]]:
    """A report that was written before: the document, and its rows.

    Raises:
        InputError: the file is no such report.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError
        return found, [_row(entry) for entry in found["rows"]]
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{file}: no report of capc mpc bench of schema {SCHEMA}: name its bench.json") from None


def _row(entry: dict[str, Any]) -> Row:
    costs = entry["costs"]
    if costs is not None:
        phases = {name: None if costs[name] is None else Phase(**costs[name]) for name in ("online", "offline")}
        costs = Costs(**{**costs, **phases})
    model, adversary = Model(entry["model"]), Adversary(entry["adversary"])
    return Row(
        **{**entry, "variant": Variant(**entry["variant"]), "model": model, "adversary": adversary, "costs": costs}
    )


def over(rows: Sequence[Row], networks: Mapping[str, Network]) -> list[Row]:
    """The rows with the model's seconds over other networks, from what was measured."""
    return [
        replace(row, network_seconds={name: estimate(row.costs, row.parties, net) for name, net in networks.items()})
        for row in rows
        if row.costs is not None
    ]


def headings(networks: Mapping[str, Network]) -> list[str]:
    """Of a table whose cells :func:`cells` gives."""
    return [*_COLUMNS, *(f"ms, {name}" for name in networks), "equal"]


def cells(row: Row, networks: Mapping[str, Network]) -> list[str]:
    """One line of a table: milliseconds and bytes for each case, rounds of the run, or why it did not run."""
    variant = row.variant
    model = f"{row.model}, {row.adversary}"
    head = [variant.protocol, model, str(row.parties), str(variant.classes), str(variant.batch)]
    if row.costs is None:
        return [*head, *[""] * (3 + len(networks)), f"did not run: {row.refused}"]
    costs = [f"{1000 * row.costs.seconds / variant.batch:.3g}", f"{row.costs.bytes_sent / variant.batch:,.0f}"]
    modelled = [f"{1000 * row.network_seconds[name] / variant.batch:.3g}" for name in networks]
    return [*head, *costs, str(row.costs.rounds), *modelled, "yes" if row.equal else "NO"]


def write_folder(folder: Path, found: dict[str, Any], rows: Sequence[Row], networks: Mapping[str, Network]) -> None:
    """Writes a report for people: bench.json, README.md with the tables, and one figure per program.

    Raises:
        InputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} (--report): no folder: {error.strerror}") from None
    (folder / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    modelled = "; ".join(
        f"{name} has {1000 * net.latency_seconds:g} ms one way and {net.bits_per_second / 1e6:g} Mbit/s"
        for name, net in networks.items()
    )
    parts = [
        "# MPC variants, measured",
        f"`{found['command']}` of capc {found['capc']}, with MP-SPDZ {found['mp_spdz']}; {found['platform']}; "
        f"{found['date']}.",
        "Milliseconds and bytes are for one case of the batch, bytes of all parties together, offline and online; the "
        "median of the runs that `bench.json` lists.",
        f"Over a network they are modelled: {modelled}.",
        "Bars are blue for the base model and green for an honest majority, both semi-honest; red and orange for the "
        "same against malicious parties; gray for the embedded engine. Numbers of parties are in brackets.",
    ]
    for program in dict.fromkeys(row.variant.program for row in rows):
        shown = [row for row in rows if row.variant.program == program]
        parts += [f"## {program}", _markdown(shown, networks)]
        if any(row.costs for row in shown):
            parts.insert(-1, f"![{program}: time, bytes and rounds]({_plot(program, shown, folder).name})")
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _markdown(rows: Sequence[Row], networks: Mapping[str, Network]) -> str:
    lines = [headings(networks), ["---"] * len(headings(networks)), *(cells(row, networks) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plot(program: str, rows: Sequence[Row], folder: Path) -> Path:
    """Time, bytes and rounds of each protocol: bars for the largest batch, or lines over the numbers of classes.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        raise InputError("figures need matplotlib: pip install -e '.[account]' in the checkout") from None
    measured = [row for row in rows if row.costs is not None]
    batch = max(row.variant.batch for row in measured)
    shown = [row for row in measured if row.variant.batch == batch]
    several = len({row.variant.classes for row in shown}) > 1
    file = folder / f"{program}.svg"
    # Text stays text, and the same numbers give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": program}):
        figure = Figure(figsize=(13, 4 if several else 1.4 + 0.24 * len(shown)), layout="constrained")
        for axes, title in zip(figure.subplots(1, 3, sharey=not several), _measures(shown[0]), strict=True):
            (_lines if several else _bars)(axes, [(row, _measures(row)[title]) for row in shown])
            axes.set_title(title)
        figure.suptitle(f"{program}, batch of {batch}")
        if not several:
            _network_marks(figure.axes[0], shown)
        figure.savefig(file, metadata={"Date": None})
    return file


def _measures(row: Row) -> dict[str, float]:
    """What the three panels show of a row that ran."""
    costs, batch = row.costs, row.variant.batch
    if costs is None:
        return {}
    return {
        "ms per case": 1000 * costs.seconds / batch,
        "bytes per case": costs.bytes_sent / batch,
        "rounds": costs.rounds,
    }


def _label(row: Row) -> str:
    several = f", K = {row.variant.answering}" if row.variant.program == "guardian_free" else ""
    return f"{row.variant.protocol} ({row.parties}{several})"


def _bars(axes: Axes, values: Sequence[tuple[Row, float]]) -> None:
    labels, heights = [_label(row) for row, _ in values], [value for _, value in values]
    axes.barh(labels, heights, color=[_colour(row) for row, _ in values])
    axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()


def _colour(row: Row) -> str:
    return "tab:gray" if row.variant.protocol == embedded.NAME else _COLOURS[row.model, row.adversary]


def _network_marks(axes: Axes, rows: Sequence[Row]) -> None:
    """The model's times, beside the measured bars."""
    for name, marker in zip(rows[0].network_seconds, _MARKERS, strict=False):
        times = [1000 * row.network_seconds[name] / row.variant.batch for row in rows]
        axes.plot(times, [_label(row) for row in rows], marker, color="black", markersize=4, label=name)
    axes.legend(fontsize="small")


def _lines(axes: Axes, values: Sequence[tuple[Row, float]]) -> None:
    for label in dict.fromkeys(_label(row) for row, _ in values):
        mine = [(row.variant.classes, value) for row, value in values if _label(row) == label]
        axes.plot(*zip(*mine, strict=True), marker="o", label=label)
    classes = sorted({row.variant.classes for row, _ in values})
    axes.set_xscale("log")
    axes.set_xticks(classes, labels=[str(count) for count in classes])
    axes.minorticks_off()
    axes.set_yscale("log")
    axes.set_xlabel("classes")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
