"""How figures look, and their bytes: SVG without a date, with the same names each time.

Colours are Okabe and Ito's, which people with colour blindness tell apart; series differ by their markers as well.
"""

from __future__ import annotations

import functools
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from capc.job.rendering.markup import Element, element, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = ("o", "s", "^", "D", "v", "P")
BEFORE, AFTER = "#8b949e", "#0072b2"
RIGHT, WRONG, WITHHELD = "#0072b2", "#d55e00", "#8b949e"
INK = "#1b1f24"
LONGEST_NAME = 22
"""Characters of a name in a figure; tables have more of it."""

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 11.0,
    "axes.titlesize": 12.0,
    "axes.grid": True,
    # What lies behind shows through: white in a file, the page on a page.
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    # A name that holds $ is no formula.
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "capc",
}


@dataclass(frozen=True)
class Drawing:
    """A figure that was drawn."""

    name: str
    """Of its file, without a suffix."""
    title: str
    description: str
    """What one who cannot see it is told; of this package's own words and figures."""
    svg: str
    """A document of its own, on white."""


def draw(name: str, title: str, description: str, size: tuple[float, float], fill: Callable[[Figure], None]) -> Drawing:
    """Draws a figure.

    Args:
        name: of its file.
        title: of the figure.
        description: in the place of it.
        size: width and height in inches.
        fill: puts axes into it.
    """
    import matplotlib as mpl  # noqa: PLC0415  # slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context():
        # A user's own settings of matplotlib change no figure.
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    return Drawing(name, title, description, target.getvalue())


def label(value: object, most: int = LONGEST_NAME) -> str:
    """A name as the figures' font can show it: on one line, short, without what has no glyph."""
    text = " ".join("".join(_drawn(char) for char in shortened(str(value), 4 * most)).split())
    return shortened(text, most) or "(no name)"


def _drawn(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char)[0] == "C" or ord(char) not in _glyphs():
        return "\N{REPLACEMENT CHARACTER}"
    return char


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager  # noqa: PLC0415

    found = font_manager.findfont(font_manager.FontProperties(family=["DejaVu Sans"]), fallback_to_default=False)
    return frozenset(font_manager.get_font(found).get_charmap())


def percent_axis(axes: Axes, title: str, vertical: bool = True) -> None:
    """An axis of fractions, in per cent."""
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    (axes.yaxis if vertical else axes.xaxis).set_major_formatter(PercentFormatter(1.0, symbol=""))
    (axes.set_ylabel if vertical else axes.set_xlabel)(f"{title} (%)")


def whole_axis(axes: Axes, title: str, vertical: bool = False) -> None:
    """An axis of counts."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    (axes.yaxis if vertical else axes.xaxis).set_major_locator(MaxNLocator(nbins=6, integer=True))
    (axes.set_ylabel if vertical else axes.set_xlabel)(title)


def inline(drawings: Sequence[Drawing], place: str) -> list[Element]:
    """The figures as parts of a page: ink in the page's own colour, no names that two figures share, no links.

    Args:
        drawings: the figures.
        place: a prefix of this package's own for the names in them.
    """
    return [
        element(
            "figure",
            _embedded(drawing, f"{place}{number}-"),
            element("figcaption", drawing.description),
        )
        for number, drawing in enumerate(drawings)
    ]


def _embedded(drawing: Drawing, prefix: str) -> Element:
    source = ElementTree.fromstring(drawing.svg)  # noqa: S314  # our own, from matplotlib
    made = element(
        "svg",
        attributes={
            "viewBox": source.attrib["viewBox"],
            "role": "img",
            "aria-label": f"{drawing.title}. {drawing.description}",
        },
    )
    width = source.attrib["width"].removesuffix("pt")
    made.set("width", f"{float(width) * 4 / 3:.0f}")
    for child in source:
        _copy(child, made, prefix)
    return made


def _copy(source: Element, parent: Element, prefix: str) -> None:
    tag = source.tag.removeprefix(_SVG)
    # The background is the page's, the style sheet too, and of metadata there is none that helps.
    if tag in {"metadata", "style"} or source.attrib.get("id") == "patch_1":
        return
    made = element(tag, attributes=_attributes(source.attrib, prefix))
    parent.append(made)
    for child in source:
        _copy(child, made, prefix)


def _attributes(found: Mapping[str, str], prefix: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for key, value in found.items():
        if key == "id":
            made["id"] = prefix + value
        elif key == _LINK:
            made["href"] = "#" + prefix + value.removeprefix("#")
        else:
            renamed = re.sub(r"url\(#", f"url(#{prefix}", value)
            made[key] = renamed.replace(INK, "currentColor")
    return made
