"""The page of a study: many simulated runs, their means with intervals, and how to run them again.

Spec: CAPC-RUN-036, CAPC-RUN-037, CAPC-RUN-038.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capc.job.rendering import figures, study_figures
from capc.job.rendering.drawing import inline
from capc.job.rendering.markup import Child, Element, document, element, heading, name, table
from capc.job.rendering.reading import NONE, STUDY, check_schema, number, percent, points, words
from capc.job.rendering.style import STYLE

_NUMBERS = ("queries", "released", "epsilon")
"""Figures that are no shares."""
_MAIN = ("before", "after", "gain", "labels_right", "ensemble")
_FAIR = ("balanced_gain", "worst_class_gain", "worst_group_gain")


def study_page(study: Mapping[str, Any]) -> str:
    """The page.

    Args:
        study: a document of the shape study/v1.

    Returns:
        HTML that holds its style and figures, loads nothing and runs nothing.

    Raises:
        InputError: the document is another.
    """
    check_schema(study, STUDY)
    drawn = inline(study_figures.drawings(study), "figure")
    main = element(
        "main",
        element("section", heading(2, "What was gained"), *drawn, *_results(study)),
        element("section", heading(2, "How to run it again"), *_sources(study)),
    )
    header = element("header", heading(1, "Study of CaPC"), element("p", name(study["name"])), _banner())
    return document(f"CaPC: study {study['name']}"[:120], STYLE, [header, main])


def write_study_figures(study: Mapping[str, Any], folder: Path) -> list[Path]:
    """Writes the figures of a study, as :func:`capc.job.rendering.figures.write_figures` those of a run.

    Raises:
        InputError: the document is another, or a file cannot be written.
    """
    return figures.write_drawings(study_figures.drawings(study), folder)


def _banner() -> Element:
    told = (
        "Every run of this study was computed in the clear, with noise from a seeded generator: nobody's data were "
        "protected. Epsilon is what a real run would be charged. Brackets hold 95 % intervals of the means."
    )
    parts = (element("strong", "Simulations"), element("p", told))
    return element("div", *parts, attributes={"class": "banner simulated", "role": "note"})


def _results(study: Mapping[str, Any]) -> list[Element]:
    cells = study.get("cells") or []
    if not any(cell["repeats"] for cell in cells):
        return [element("p", "No run has ended yet.", attributes={"class": "note"})]
    keys = list(dict.fromkeys(key for cell in cells for key in cell["labels"]))
    found = list(dict.fromkeys(key for cell in cells for key, value in cell["values"].items() if value is not None))
    others = [key for key in found if key not in {*_MAIN, *_FAIR}]
    parts = (
        ("Accuracy: means over repeats", [key for key in _MAIN if key in found]),
        ("Fairness: gains in points, means over repeats", [key for key in _FAIR if key in found]),
        ("The same by other means", others),
    )
    return [_table(caption, keys, columns, cells) for caption, columns in parts if columns]


def _table(caption: str, keys: Sequence[str], columns: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> Element:
    # Labels come from the study, so they are names; figures have this package's words.
    head = [words(key) for key in keys]
    rows: list[list[Child]] = [
        [
            *(name(cell["labels"].get(key, NONE)) for key in keys),
            number(cell["repeats"]),
            number(cell.get("queriers")),
            *(_stat(column, cell["values"].get(column)) for column in columns),
        ]
        for cell in cells
    ]
    shown = [_column(column) for column in columns]
    return table(caption, [*head, "repeats", "querying parties", *shown], rows, words=len(keys))


def _column(key: str) -> str:
    told = words(key)
    if key in _NUMBERS:
        return told
    return f"{told} (points)" if key.endswith("gain") else f"{told} (%)"


def _stat(key: str, stat: Mapping[str, Any] | None) -> str:
    if stat is None or stat.get("mean") is None:
        return NONE

    def write(value: float) -> str:
        if key in _NUMBERS:
            return number(value)
        return points(value) if key.endswith("gain") else percent(value).removesuffix(" %")

    if stat.get("low") is None or stat.get("high") is None:
        return write(stat["mean"])
    # The figures of an interval stay on one line.
    return f"{write(stat['mean'])} [{write(stat['low'])}, {write(stat['high'])}]".replace(" ", "\N{NO-BREAK SPACE}")


def _sources(study: Mapping[str, Any]) -> list[Element]:
    commands = [str(command) for command in study.get("commands") or []]
    rows: list[list[Child]] = [
        [name(source["name"]), number(source["rows"]), element("code", str(source["sha256"]))]
        for source in study.get("data") or []
    ]
    made = [element("pre", element("code", "\n".join(commands)))] if commands else []
    return [*made, table("Data", ("name", "rows", "SHA-256"), rows, words=1)] if rows else made
