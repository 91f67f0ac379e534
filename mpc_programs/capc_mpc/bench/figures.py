"""Figures of a report: time, bytes and rounds of every protocol, with the colours explained in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from capc.foundation.environment import missing_module
from capc.foundation.errors import InputError
from capc_mpc.bench.rows import Row
from capc_mpc.bench.tables import is_embedded, label
from capc_mpc.bench.variants import SIZES
from capc_mpc.interface.protocols import Adversary, Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = {
    (Model.BASE, Adversary.SEMI_HONEST): ("tab:blue", "all coalitions, semi-honest"),
    (Model.BASE, Adversary.MALICIOUS): ("tab:red", "all coalitions, malicious"),
    (Model.HONEST_MAJORITY, Adversary.SEMI_HONEST): ("tab:green", "honest majority, semi-honest"),
    (Model.HONEST_MAJORITY, Adversary.MALICIOUS): ("tab:orange", "honest majority, malicious"),
}
_EMBEDDED = ("tab:gray", "embedded engine")
_MARKERS = "osD^v"
_TIME, _BYTES, _ROUNDS = "ms per case", "bytes per case", "rounds"


def draw(program: str, over: str, rows: Sequence[Row], folder: Path) -> Path:
    """Draws a program's rows: bars for the largest batch, or lines over the numbers of classes where there are several.

    Args:
        program: its name, and that of the file.
        over: which network, where there are several: with it the file's name ends.
        rows: those that ran, over one network.
        folder: where the file goes.

    Returns:
        The file, an SVG whose text stays text: the same rows give the same bytes.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(missing_module(error.name or "") or str(error)) from None
    batch = max(row.variant.batch for row in rows)
    shown = [row for row in rows if row.variant.batch == batch]
    several = len({row.variant.classes for row in shown}) > 1
    file = folder / f"{program}{over.replace(' ', '-')}.svg"
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": program}):
        figure = Figure(figsize=(13, 5 if several else 2.2 + 0.26 * len(shown)), layout="constrained")
        panels = figure.subplots(1, 3, sharey=not several)
        names = _names(shown)
        for axes, measure in zip(panels, (_TIME, _BYTES, _ROUNDS), strict=True):
            (_lines if several else _bars)(axes, [(name, row, _figures(row)[measure]) for name, row in names])
            axes.set_title(measure)
        figure.suptitle(f"{program}{over}, batch of {batch}")
        if not several:
            _network_marks(panels[0], names)
            _explain_colours(figure, shown)
        figure.savefig(file, metadata={"Date": None})
    return file


def _figures(row: Row) -> dict[str, float]:
    """What the three panels show of a row that ran."""
    costs, batch = row.costs, row.variant.batch
    if costs is None:
        return {}
    return {_TIME: 1000 * row.seconds / batch, _BYTES: costs.bytes_sent / batch, _ROUNDS: costs.rounds}


def _names(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Each row with its name among the others, which has the sizes that differ among them."""
    differing = [axis for axis in SIZES if axis != "classes" and len({getattr(row.variant, axis) for row in rows}) > 1]
    named = []
    for row in rows:
        sizes = {axis.replace("_", " "): getattr(row.variant, axis) for axis in differing}
        told = "".join(f", {axis} {value}" for axis, value in sizes.items() if value is not None)
        named.append((f"{label(row)} ({row.parties}{told})", row))
    return named


def _kind(row: Row) -> tuple[str, str]:
    """(colour, what it stands for)."""
    return _EMBEDDED if is_embedded(row) else _KINDS[row.model, row.adversary]


def _bars(axes: Axes, values: Sequence[tuple[str, Row, float]]) -> None:
    names, widths = [name for name, _, _ in values], [value for _, _, value in values]
    axes.barh(names, widths, color=[_kind(row)[0] for _, row, _ in values])
    axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()


def _explain_colours(figure: Figure, rows: Sequence[Row]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    kinds = dict.fromkeys(_kind(row) for row in rows)
    patches = [Patch(color=colour, label=meaning) for colour, meaning in kinds]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize="small")


def _network_marks(axes: Axes, rows: Sequence[tuple[str, Row]]) -> None:
    """The model's times over networks, beside the measured bars."""
    networks = dict.fromkeys(network for _, row in rows for network in row.predicted)
    for network, marker in zip(networks, _MARKERS, strict=False):
        said = [(name, row) for name, row in rows if network in row.predicted]
        times = [1000 * row.predicted[network].seconds / row.variant.batch for _, row in said]
        names = [name for name, _ in said]
        axes.plot(times, names, marker, color="black", markersize=4, label=f"{network}, modelled")
    if networks:
        axes.legend(fontsize="small")


def _lines(axes: Axes, values: Sequence[tuple[str, Row, float]]) -> None:
    for name in dict.fromkeys(name for name, _, _ in values):
        mine = sorted((row.variant.classes or 0, value) for other, row, value in values if other == name)
        axes.plot(*zip(*mine, strict=True), marker="o", label=name)
    classes = sorted({row.variant.classes or 0 for _, row, _ in values})
    axes.set_xscale("log")
    axes.set_xticks(classes, labels=[str(count) for count in classes])
    axes.minorticks_off()
    axes.set_yscale("log")
    axes.set_xlabel("classes")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
