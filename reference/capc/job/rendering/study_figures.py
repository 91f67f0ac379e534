"""Figures of a study: gains against epsilon, a panel for each partition, a line for each strategy.

Spec: CAPC-RUN-036.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from capc.job.rendering import drawing, reading
from capc.job.rendering.drawing import Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FIGURES = (
    ("gain", "Gain of accuracy"),
    ("balanced_gain", "Gain of balanced accuracy"),
    ("worst_class_gain", "Gain of the worst class"),
    ("worst_group_gain", "Gain of the worst group"),
)
_COLUMNS = 3
_MOST_PANELS = 12
_MOST_LINES = 6

Cell = Mapping[str, Any]


def drawings(study: Mapping[str, Any]) -> list[Drawing]:
    """The figures that a study has something for.

    Raises:
        InputError: the document is no study/v1.
    """
    reading.check_schema(study, reading.STUDY)
    cells = study.get("cells") or []
    drawn = [_against_epsilon(cells, key, title) for key, title in _FIGURES]
    return [figure for figure in drawn if figure is not None]


def _against_epsilon(cells: Sequence[Cell], key: str, title: str) -> Drawing | None:
    known = [cell for cell in cells if cell["values"].get(key) is not None and _epsilon(cell) is not None]
    if not known:
        return None
    varied = {key for cell in known for key in cell["labels"] if cell["labels"][key] != known[0]["labels"].get(key)}
    panels: dict[tuple[str, ...], list[Cell]] = {}
    for cell in known:
        panels.setdefault(_panel(cell, varied), []).append(cell)
    shown = dict(list(panels.items())[:_MOST_PANELS])
    lines = list(dict.fromkeys(_line(cell) for cell in known))[:_MOST_LINES]
    left = len(panels) - len(shown), len({_line(cell) for cell in known}) - len(lines)
    ticks = sorted({found for cell in known if (found := _epsilon(cell)) is not None})
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place >= len(shown):
                axes.set_visible(False)
                continue
            heading, found = list(shown.items())[place]
            for number, line in enumerate(lines):
                _draw_line(axes, [cell for cell in found if _line(cell) == line], key, number, len(lines))
            axes.axhline(0, color=drawing.INK, linewidth=0.8)
            axes.set_title("\n".join(drawing.label(part, 34) for part in heading) or title)
            _epsilon_axis(axes, ticks, place + columns >= len(shown))
            if place % columns == 0:
                axes.set_ylabel("points of accuracy")
        figure.suptitle(f"{title}, means with 95 % intervals")
        if len(lines) > 1:
            figure.legend(*_legend(list(grid.flat)), loc="outside lower center", ncols=3)

    omitted = (
        "" if left == (0, 0) else f" Left out for want of room: {left[0]} panels, {left[1]} lines; the table has all."
    )
    means = [cell["values"][key]["mean"] for cell in known]
    told = (
        f"Against epsilon, {len(known)} settings: means from {reading.points(min(means))} to "
        f"{reading.points(max(means))} points.{omitted}"
    )
    return draw(key, title, told, (1.6 + 3.6 * columns + (1.6 if columns == 1 else 0), 1.8 + 2.9 * rows), fill)


def _legend(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """Each line once, also if some panel has not all of them."""
    found = {told: handle for axes in panels for handle, told in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)


def _draw_line(axes: Axes, cells: Sequence[Cell], key: str, number: int, lines: int) -> None:
    """One strategy's means and intervals; strategies stand a little apart, so that intervals do not hide others."""
    if not cells:
        return
    ordered = sorted(cells, key=lambda cell: _epsilon(cell) or 0.0)
    stats = [cell["values"][key] for cell in ordered]
    means = [100 * stat["mean"] for stat in stats]
    reach = [
        [_reach(stat, "low") for stat in stats],
        [_reach(stat, "high") for stat in stats],
    ]
    apart = 1.0 + 0.05 * (number - (lines - 1) / 2)
    axes.errorbar(
        [(_epsilon(cell) or 0.0) * apart for cell in ordered],
        means,
        yerr=reach,
        color=drawing.SERIES[number],
        marker=drawing.MARKERS[number],
        markersize=5,
        capsize=3,
        label=drawing.label(_line(ordered[0])),
    )


def _reach(stat: Mapping[str, Any], end: str) -> float:
    """In points, from the mean to an end of its interval, which a single repeat has not."""
    return 0.0 if stat.get(end) is None else max(0.0, 100 * abs(stat[end] - stat["mean"]))


def _epsilon_axis(axes: Axes, ticks: Sequence[float], is_lowest: bool) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator  # noqa: PLC0415

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(ticks) / 1.3, max(ticks) * 1.3)
    if is_lowest:
        axes.set_xlabel("epsilon")
        axes.tick_params(labelbottom=True)


def _panel(cell: Cell, varied: set[str]) -> tuple[str, ...]:
    """The partition, and every label that differs among the cells but those that a panel shows by itself."""
    return tuple(
        str(value) if key == "partition" else f"{reading.words(key)} {value}"
        for key, value in cell["labels"].items()
        if key == "partition" or (key in varied and key not in {"epsilon", "strategy"})
    )


def _line(cell: Cell) -> str:
    return reading.words(str(cell["labels"].get("strategy", "all")))


def _epsilon(cell: Cell) -> float | None:
    """Where the cell stands on the axis; None without an epsilon above 0 that can be drawn."""
    found = cell["labels"].get("epsilon")
    try:
        value = float(Fraction(str(found)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if value > 0 else None
