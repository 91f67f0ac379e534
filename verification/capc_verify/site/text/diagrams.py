"""Sequence diagrams, written as Mermaid writes them, drawn as SVG: for pages that load nothing, and for paper.

Known are participants, messages, notes and loops, which are all that the texts use; anything else is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree

from capc.foundation.errors import InputError

_PARTICIPANT = re.compile(r"participant (\w+)(?: as (.+))?\Z")
_MESSAGE = re.compile(r"(\w+)->>(\w+): ?(.+)\Z")
_NOTE = re.compile(r"Note over (\w+)(?:,(\w+))?: ?(.+)\Z")
_LOOP = re.compile(r"loop (.+)\Z")

_LETTER = 7.2
"""The width of a letter of the text, generously."""
_SIDE = 16.0
_HEAD = 34.0
_HEIGHTS = {"message": 38.0, "self": 46.0, "note": 40.0, "loop": 32.0, "end": 22.0}
_LEAST_GAP = 120.0


@dataclass(frozen=True)
class _Row:
    """A message, a note, the begin of a loop, or its end."""

    kind: str
    first: int
    last: int
    text: str


@dataclass
class _Diagram:
    names: dict[str, str] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)

    def place(self, name: str) -> int:
        self.names.setdefault(name, name)
        return list(self.names).index(name)


def sequence_diagram(source: str) -> str:
    """The picture of a diagram, as an element of SVG on one line; it takes its colours from the text around it.

    Raises:
        InputError: a line of it is of no known form.
    """
    diagram = _read(source)
    columns = _columns(diagram)
    height = _HEAD * 2 + sum(map(_height, diagram.rows)) + 14
    right = columns[-1] + _half_name(list(diagram.names.values())[-1])
    width = max([right, *(_reach_right(row, columns) for row in diagram.rows)]) + _SIDE
    sizes = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "width": f"{width:.0f}", "height": f"{height:.0f}"}
    spoken = "; ".join(row.text for row in diagram.rows if row.text)
    picture = ElementTree.Element(
        "svg", sizes | {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": f"Sequence: {spoken}"}
    )
    for column in columns:
        _line(picture, column, _HEAD, column, height - _HEAD, {"stroke-dasharray": "3 4", "class": "life"})
    _draw_rows(picture, diagram.rows, columns, width)
    for top in (2.0, height - _HEAD - 2):
        for column, name in zip(columns, diagram.names.values(), strict=True):
            half = _half_name(name)
            _box(picture, column - half, top, 2 * half, _HEAD - 4, "role")
            _text(picture, column, top + _HEAD / 2 + 2, name, {"font-weight": "600"})
    return ElementTree.tostring(picture, encoding="unicode")


def _read(source: str) -> _Diagram:
    lines = [line.strip() for line in source.strip().splitlines() if line.strip()]
    if lines[:1] != ["sequenceDiagram"]:
        raise InputError(f"diagram {lines[:1]}: only sequence diagrams are drawn; begin it with sequenceDiagram")
    diagram = _Diagram()
    for line in lines[1:]:
        if match := _PARTICIPANT.match(line):
            diagram.names[match[1]] = match[2] or match[1]
        elif match := _MESSAGE.match(line):
            diagram.rows.append(_Row("message", diagram.place(match[1]), diagram.place(match[2]), match[3]))
        elif match := _NOTE.match(line):
            ends = sorted((diagram.place(match[1]), diagram.place(match[2] or match[1])))
            diagram.rows.append(_Row("note", ends[0], ends[1], match[3]))
        elif match := _LOOP.match(line):
            diagram.rows.append(_Row("loop", 0, 0, match[1]))
        elif line == "end":
            diagram.rows.append(_Row("end", 0, 0, ""))
        else:
            raise InputError(f"diagram: {line!r} is no participant, message, note or loop; write one, or draw it here")
    return diagram


def _height(row: _Row) -> float:
    return _HEIGHTS["self" if row.kind == "message" and row.first == row.last else row.kind]


def _half_name(name: str) -> float:
    return len(name) * _LETTER / 2 + 12


def _columns(diagram: _Diagram) -> list[float]:
    """Where the lifelines stand: as far from each other as their names and texts need."""
    names = list(diagram.names.values())
    gaps = [max(_LEAST_GAP, _half_name(a) + _half_name(b) + 12) for a, b in pairwise(names)]
    for row in sorted(diagram.rows, key=lambda row: abs(row.last - row.first)):
        low, high = sorted((row.first, row.last))
        needed = len(row.text) * _LETTER + 34
        if row.kind == "message" and low < high:
            missing = needed - sum(gaps[low:high])
            gaps[low:high] = [gap + max(0.0, missing) / (high - low) for gap in gaps[low:high]]
        elif row.kind != "end" and low == high and low + 1 < len(names) and row.kind != "loop":
            gaps[low] = max(gaps[low], needed / 2 + 30 if row.kind == "note" else needed + 30)
    left = _SIDE + max([_half_name(names[0]), *(_reach_left(row, gaps) for row in diagram.rows)])
    columns = [left]
    for gap in gaps:
        columns.append(columns[-1] + gap)
    return columns


def _reach_left(row: _Row, gaps: Sequence[float]) -> float:
    """How far a note reaches to the left of the first lifeline."""
    if row.kind != "note":
        return 0.0
    middle = (sum(gaps[: row.first]) + sum(gaps[: row.last])) / 2
    return len(row.text) * _LETTER / 2 + 14 - middle


def _reach_right(row: _Row, columns: Sequence[float]) -> float:
    """How far a row reaches to the right; what a loop is called may be longer than its messages."""
    long = len(row.text) * _LETTER
    if row.kind == "note":
        return (columns[row.first] + columns[row.last]) / 2 + long / 2 + 14
    if row.kind == "loop":
        return long + 70
    return columns[row.first] + 50 + long if row.first == row.last and row.kind == "message" else 0.0


def _draw_rows(picture: ElementTree.Element, rows: Sequence[_Row], columns: Sequence[float], width: float) -> None:
    loops: list[tuple[float, str]] = []
    bottom = _HEAD
    for row in rows:
        top, bottom = bottom, bottom + _height(row)
        if row.kind == "loop":
            loops.append((top + 8, row.text))
        elif row.kind == "end":
            begin, text = loops.pop()
            inset = 4.0 + 6 * len(loops)
            _box(picture, inset, begin, width - 2 * inset, top + 12 - begin, "loop")
            _text(picture, inset + 8, begin + 17, f"loop: {text}", {"text-anchor": "start", "font-style": "italic"})
        elif row.kind == "note":
            _note(picture, row, columns, top)
        else:
            _message(picture, row, columns, top)


def _note(picture: ElementTree.Element, row: _Row, columns: Sequence[float], top: float) -> None:
    middle = (columns[row.first] + columns[row.last]) / 2
    half = max(len(row.text) * _LETTER / 2 + 10, (columns[row.last] - columns[row.first]) / 2 + 20)
    _box(picture, middle - half, top + 8, 2 * half, 26, "note")
    _text(picture, middle, top + 26, row.text, {})


def _message(picture: ElementTree.Element, row: _Row, columns: Sequence[float], top: float) -> None:
    begin, end, y = columns[row.first], columns[row.last], top + 30
    if row.first == row.last:
        y += 6
    if row.first == row.last:
        path = f"M{begin:.0f} {y - 16:.0f} h34 v14 h-30"
        ElementTree.SubElement(picture, "path", {"d": path, "fill": "none", "stroke": "currentColor"})
        _tip(picture, begin, y - 2, 1)
        _text(picture, begin + 42, y - 5, row.text, {"text-anchor": "start"})
        return
    way = 1 if end > begin else -1
    _line(picture, begin, y, end - 5 * way, y, {"class": "message"})
    _tip(picture, end, y, -way)
    _text(picture, (begin + end) / 2, y - 7, row.text, {})


def _tip(picture: ElementTree.Element, x: float, y: float, way: int) -> None:
    points = f"{x:.0f},{y:.0f} {x + 9 * way:.0f},{y - 4:.0f} {x + 9 * way:.0f},{y + 4:.0f}"
    ElementTree.SubElement(picture, "polygon", {"points": points, "fill": "currentColor"})


def _line(picture: ElementTree.Element, x1: float, y1: float, x2: float, y2: float, more: dict[str, str]) -> None:
    ends = {"x1": f"{x1:.0f}", "y1": f"{y1:.0f}", "x2": f"{x2:.0f}", "y2": f"{y2:.0f}", "stroke": "currentColor"}
    ElementTree.SubElement(picture, "line", ends | more)


def _box(picture: ElementTree.Element, x: float, y: float, width: float, height: float, kind: str) -> None:
    shade = {"role": "0.10", "note": "0.16", "loop": "0.04"}[kind]
    sizes = {"x": f"{x:.0f}", "y": f"{y:.0f}", "width": f"{width:.0f}", "height": f"{height:.0f}", "rx": "4"}
    colours = {"fill": "currentColor", "fill-opacity": shade, "stroke": "currentColor", "stroke-opacity": "0.5"}
    ElementTree.SubElement(picture, "rect", sizes | colours | {"class": kind})


def _text(picture: ElementTree.Element, x: float, y: float, text: str, more: dict[str, str]) -> None:
    # A rim in the colour of the page keeps what it crosses away from it.
    place = {
        "class": "words",
        "x": f"{x:.0f}",
        "y": f"{y:.0f}",
        "text-anchor": "middle",
        "font-size": "13",
        "fill": "currentColor",
    }
    ElementTree.SubElement(picture, "text", place | more).text = text
