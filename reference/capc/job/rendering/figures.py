"""Figures of a run: accuracy against queries and epsilon, per class and group before and after, votes, parties.

Spec: CAPC-RUN-036.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capc.foundation.errors import InputError
from capc.job.keeping.files import write_text
from capc.job.rendering import drawing, reading
from capc.job.rendering.drawing import Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LINES = 6
"""Querying parties that a figure tells apart; of more it shows the mean."""
_MOST_ROWS = 60
"""Classes or groups of one figure."""


def write_figures(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Writes the figures that a report has something for.

    Args:
        report: a document of the shape run_report/v2, also of an interrupted run.
        folder: where they go; it is made if its parent is there.

    Returns:
        The files, SVG, the same bytes for the same report and library.

    Raises:
        InputError: the document is another, or a file cannot be written.
    """
    return write_drawings(drawings(report), folder)


def write_drawings(drawn: Sequence[Drawing], folder: Path) -> list[Path]:
    """Writes figures, each whole at every moment.

    Raises:
        InputError: a file cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"plots = {folder} (--plots): no folder ({error.strerror}): name another") from None
    files = [folder / f"{figure.name}.svg" for figure in drawn]
    for figure, file in zip(drawn, files, strict=True):
        write_text(figure.svg, file, "plots")
    return files


def drawings(report: Mapping[str, Any]) -> list[Drawing]:
    """The figures that a report has something for.

    Raises:
        InputError: the document is no run_report/v2.
    """
    reading.check_schema(report, reading.RUN)
    drawn = [_accuracy(report), _per_class(report), _per_group(report), _votes(report), _parties(report)]
    return [figure for figure in drawn if figure is not None]


def _accuracy(report: Mapping[str, Any]) -> Drawing | None:
    """Against queries, and against spent epsilon where the report has it."""
    queriers = reading.queriers_with(report, "before")
    lines = {querier["party"]: _course(querier) for querier in queriers}
    if not any(len(line) > 1 for line in lines.values()):
        return None
    has_epsilon = all(epsilon is not None for line in lines.values() for _, epsilon, _ in line)

    def fill(figure: Figure) -> None:
        panels = figure.subplots(1, 2 if has_epsilon else 1, sharey=True, squeeze=False)[0]
        for place, axes in enumerate(panels):
            _courses(axes, {party: [(point[place], point[2]) for point in line] for party, line in lines.items()})
        drawing.percent_axis(panels[0], "accuracy on held-out rows")
        drawing.whole_axis(panels[0], "queries asked by the party")
        if has_epsilon:
            panels[1].set_xlabel("epsilon spent by all queries so far")
        figure.suptitle("Accuracy of the querying parties")
        if 1 < len(lines) <= _MOST_LINES or len(lines) > _MOST_LINES:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

    ends = [f"party {party}: {_ends(line)}" for party, line in list(lines.items())[:_MOST_LINES]]
    return draw(
        "accuracy",
        "Accuracy of the querying parties",
        "Accuracy on held-out rows after each round, from before the first query: " + "; ".join(ends) + ".",
        (10.0 if has_epsilon else 7.0, 4.6),
        fill,
    )


def _course(querier: Mapping[str, Any]) -> list[tuple[int, float | None, float]]:
    """Queries, epsilon and accuracy from before the first query on."""
    rounds = [entry for entry in querier.get("rounds") or [] if entry.get("score") is not None]
    return [(0, 0.0, querier["before"]["accuracy"])] + [
        (entry["queries"], entry.get("epsilon"), entry["score"]["accuracy"]) for entry in rounds
    ]


def _ends(line: Sequence[tuple[int, float | None, float]]) -> str:
    return f"{reading.percent(line[0][2])} to {reading.percent(line[-1][2])} with {line[-1][0]} queries"


def _courses(axes: Axes, lines: Mapping[int, Sequence[tuple[Any, float]]]) -> None:
    if len(lines) <= _MOST_LINES:
        for place, (party, line) in enumerate(lines.items()):
            queries, accuracy = _columns(line)
            colour, marker = drawing.SERIES[place], drawing.MARKERS[place]
            axes.plot(queries, accuracy, color=colour, marker=marker, label=f"party {party}")
        return
    for place, line in enumerate(lines.values()):
        told = f"each of {len(lines)} querying parties" if place == 0 else None
        axes.plot(*_columns(line), color=drawing.BEFORE, linewidth=0.8, alpha=0.6, label=told)
    # Rounds that not all have reached say nothing of all.
    common = min(len(line) for line in lines.values())
    averaged = [(_mean_at(lines, step, 0), _mean_at(lines, step, 1)) for step in range(common)]
    axes.plot(*_columns(averaged), color=drawing.AFTER, marker="o", label="their mean")


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """What an axis takes: all of one, all of the other."""
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _mean_at(lines: Mapping[int, Sequence[tuple[Any, float]]], step: int, part: int) -> float:
    return sum(float(line[step][part]) for line in lines.values()) / len(lines)


def _per_class(report: Mapping[str, Any]) -> Drawing | None:
    rows = [
        (f"{label}", _of_class(report, False, place), _of_class(report, True, place))
        for place, label in enumerate(reading.class_names(report))
    ]
    return _before_after(rows, "per_class", "class", "recall: rows of the class labelled right")


def _of_class(report: Mapping[str, Any], after: bool, place: int) -> list[float]:
    scores = _scores(report, after)
    found = [score["per_class"][place] for score in scores if place < len(score.get("per_class") or [])]
    return [value for value in found if value is not None]


def _per_group(report: Mapping[str, Any]) -> Drawing | None:
    group = report["data"].get("group")
    if group is None:
        return None
    rows = [
        (f"{group['name']} {value}", _of_group(report, False, value), _of_group(report, True, value))
        for value in group["values"]
    ]
    return _before_after(rows, "per_group", "group", "balanced accuracy on the group's held-out rows")


def _of_group(report: Mapping[str, Any], after: bool, value: object) -> list[float]:
    found = [
        entry["balanced"] for score in _scores(report, after) for entry in score["groups"] if entry["value"] == value
    ]
    return [balanced for balanced in found if balanced is not None]


def _scores(report: Mapping[str, Any], after: bool) -> list[Mapping[str, Any]]:
    """Of the querying parties, before they bought labels or after."""
    queriers = report.get("queriers") or []
    found = [reading.final(querier) if after else querier.get("before") for querier in queriers]
    return [score for score in found if score is not None]


def _before_after(
    rows: Sequence[tuple[str, list[float], list[float]]], name: str, kind: str, axis: str
) -> Drawing | None:
    """Two points for each class or group, the means over the querying parties, and a line between them."""
    means = [(label, reading.mean(before), reading.mean(after)) for label, before, after in rows]
    known = [row for row in means if row[1] is not None or row[2] is not None]
    if not known:
        return None
    shown = _most_changed(known)
    has_after = any(row[2] is not None for row in shown)
    several = any(len(before) > 1 for _, before, _ in rows)
    of_more = "" if len(shown) == len(known) else f", the {len(shown)} of {len(known)} that change most"

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        places = list(range(len(shown)))
        for place, (_, before, after) in zip(places, shown, strict=True):
            if before is not None and after is not None:
                axes.plot([before, after], [place, place], color=drawing.BEFORE, linewidth=1.2, zorder=1)
        _dots(axes, [row[1] for row in shown], drawing.BEFORE, "s", "before the first query")
        if has_after:
            _dots(axes, [row[2] for row in shown], drawing.AFTER, "o", "after the last round")
        axes.set_yticks(places, [drawing.label(row[0]) for row in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylabel(kind)
        drawing.percent_axis(axes, axis, vertical=False)
        figure.suptitle(f"Each {kind} before and after{', mean of the querying parties' if several else ''}{of_more}")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    worst = [_worst([row[1] for row in known]), _worst([row[2] for row in known])]
    told = f"Of the worst {kind} {worst[0]} before and {worst[1]} after; the table has all."
    return draw(name, f"Each {kind} before and after{of_more}", told, (8.0, 2.2 + 0.3 * len(shown)), fill)


def _worst(values: Sequence[float | None]) -> str:
    return reading.percent(min((value for value in values if value is not None), default=None))


def _most_changed(
    rows: list[tuple[str, float | None, float | None]],
) -> list[tuple[str, float | None, float | None]]:
    """Those for which there is room, in their order."""
    changes = [abs(reading.difference(row[1], row[2]) or 0.0) for row in rows]
    chosen = sorted(range(len(rows)), key=lambda place: -changes[place])[:_MOST_ROWS]
    return [rows[place] for place in sorted(chosen)]


def _dots(axes: Axes, values: Sequence[float | None], colour: str, marker: str, told: str) -> None:
    known = [(value, place) for place, value in enumerate(values) if value is not None]
    if known:
        axes.scatter(
            [value for value, _ in known],
            [place for _, place in known],
            s=48,
            color=colour,
            marker=marker,
            label=told,
            zorder=2,
        )


def _votes(report: Mapping[str, Any]) -> Drawing | None:
    """How many votes the class with most votes had: released right, released wrong, withheld."""
    queries = [query for query in report.get("queries") or [] if query.get("votes")]
    if not queries:
        return None
    kinds = (
        ("right label", drawing.RIGHT, [query for query in queries if _is_right(query) is True]),
        ("wrong label", drawing.WRONG, [query for query in queries if _is_right(query) is False]),
        ("withheld: no consensus", drawing.WITHHELD, [query for query in queries if query["label"] is None]),
    )
    counts = [[max(query["votes"]) for query in found] for _, _, found in kinds]
    voters = max(sum(query["votes"]) for query in queries)
    threshold = _threshold(report)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        width = max(1, -(-voters // 40))
        edges = [edge - 0.5 for edge in range(0, voters + width + 1, width)]
        axes.hist(
            counts,
            bins=edges,
            stacked=True,
            color=[colour for _, colour, _ in kinds],
            label=[f"{told} ({len(found)})" for told, _, found in kinds],
            edgecolor="white",
            linewidth=0.4,
        )
        if threshold is not None:
            axes.axvline(threshold, color=drawing.INK, linestyle="--", label=f"threshold {threshold:g}")
        drawing.whole_axis(axes, f"votes for the class with most votes, of {voters}")
        drawing.whole_axis(axes, "queries", vertical=True)
        figure.suptitle("Votes and what was released")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    told = ", ".join(f"{len(found)} {kind}" for kind, _, found in kinds)
    return draw("votes", "Votes and what was released", f"Of {len(queries)} queries: {told}.", (8.0, 4.6), fill)


def _is_right(query: Mapping[str, Any]) -> bool | None:
    """Whether a released label is the data's own; None if none was released."""
    return None if query["label"] is None else bool(query["label"] == query["true_label"])


def _threshold(report: Mapping[str, Any]) -> float | None:
    found = (report.get("privacy") or {}).get("threshold")
    return None if found is None else float(Fraction(str(found)))


def _parties(report: Mapping[str, Any]) -> Drawing | None:
    """Where the parties' own models stand, and the plurality of them."""
    asking = {querier["party"] for querier in report.get("queriers") or []}
    scored = [party for party in report.get("parties") or [] if party.get("score") is not None]
    if not scored:
        return None
    ordered = sorted(scored, key=lambda party: party["score"]["accuracy"])
    ensemble = report.get("ensemble")

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        for among, colour, marker, told in (
            (False, drawing.BEFORE, "o", "parties that only answer"),
            (True, drawing.SERIES[1], "s", "querying parties, before"),
        ):
            dots = [
                (place, party["score"]["accuracy"])
                for place, party in enumerate(ordered, 1)
                if (party["party"] in asking) is among
            ]
            if dots:
                axes.scatter(*_columns(dots), 30, color=colour, marker=marker, label=told)
        if ensemble is not None:
            axes.axhline(ensemble["accuracy"], color=drawing.AFTER, label="plurality of all answers, without noise")
        drawing.whole_axis(axes, "parties, from the least accurate to the most")
        drawing.percent_axis(axes, "accuracy on held-out rows")
        figure.suptitle("Each party's own model")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    low, high = (reading.percent(ordered[place]["score"]["accuracy"]) for place in (0, -1))
    plurality = (
        "" if ensemble is None else f"; their plurality without noise has {reading.percent(ensemble['accuracy'])}"
    )
    return draw("parties", "Each party's own model", f"From {low} to {high}{plurality}.", (8.0, 4.6), fill)
