"""Section 91: where each statement of the specification stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from capc_verify.vectors.places import spec_folder
from capc_verify.vectors.text.writing import table

_STATEMENT = re.compile(r"^\*\*CAPC-([A-Z]+)-(\d{3})\*\* \(")


def _text() -> Path:
    """The folder of the text."""
    return spec_folder().parent


def _places() -> Iterator[tuple[str, int, str, str]]:
    """Area, number, section and heading of each statement, in the order of the text."""
    for file in sorted(_text().glob("[0-9][0-9]-*.md")):
        heading = ""
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("#"):
                heading = line.lstrip("# ")
            if match := _STATEMENT.match(line):
                yield match[1], int(match[2]), file.name[:2], heading


def _runs(numbers: list[int]) -> str:
    """Ascending numbers, with `to` in the place of those between that follow each other."""
    pieces = []
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        ends = [f"{number:03d}" for number in (run[0], run[-1])]
        pieces.append(ends[0] if len(run) == 1 else f"{ends[0]} to {ends[1]}")
    return ", ".join(pieces)


def index() -> str:
    """Of each area the numbers under each heading, the lowest first."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for area, number, section, heading in _places():
        found.setdefault((area, section, heading), []).append(number)
    rows = [
        (area, _runs(sorted(numbers)), f"{section} {heading}")
        for (area, section, heading), numbers in sorted(found.items(), key=lambda entry: (entry[0][0], min(entry[1])))
    ]
    return table("area | numbers | section and heading", rows)
