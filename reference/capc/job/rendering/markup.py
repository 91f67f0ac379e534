"""HTML as a tree of elements: what a report says is text in it, and never markup.

No page is put together from pieces of text. Elements and attributes come from this package alone; whatever a report
names becomes the text of an element, and the serializer of the standard library escapes it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str

MOST_CHARACTERS = 160
"""Of a name on a page; what is longer ends with an ellipsis."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# The page loads nothing, sends nothing and runs nothing, whatever came into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def element(tag: str, *children: Child, attributes: Mapping[str, str] | None = None) -> Element:
    """An element of HTML with its children in order.

    Args:
        tag: its name, of this package's own.
        children: elements, and text that is escaped when the page is written.
        attributes: of this package's own as well; none holds what a report names.
    """
    made = Element(tag, dict(attributes or {}))
    last: Element | None = None
    for child in children:
        if not isinstance(child, str):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + printable(child)
        else:
            last.tail = (last.tail or "") + printable(child)
    return made


def name(text: object) -> Element:
    """A name from a report: its direction of writing does not reach what stands beside it."""
    return element("bdi", shortened(str(text), MOST_CHARACTERS))


def printable(text: str) -> str:
    """The text with a replacement character for each that HTML does not admit."""
    return "".join(_REPLACEMENT if _inadmissible(char) else char for char in text)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis, in at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _inadmissible(char: str) -> bool:
    if char in "\n\t":
        return False
    return unicodedata.category(char) in {"Cc", "Cs"} or ord(char) & 0xFFFE == 0xFFFE


def document(title: str, style: str, body: Sequence[Element]) -> str:
    """A whole page, self-contained: no script, no link but to its own parts, and nothing loaded.

    Args:
        title: of the window, as text.
        style: the style sheet, of this package's own.
        body: what the page shows.
    """
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes={"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("meta", attributes={"name": "referrer", "content": "no-referrer"}),
        element("title", title),
        element("style", style),
    )
    page = element("html", head, element("body", *body), attributes={"lang": "en"})
    return "<!DOCTYPE html>\n" + ElementTree.tostring(page, encoding="unicode", method="html") + "\n"


def heading(level: int, text: str, anchor: str | None = None) -> Element:
    """A heading, to which `#anchor` leads."""
    return element(f"h{level}", text, attributes={} if anchor is None else {"id": anchor})


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Child]], words: int = 1) -> Element:
    """A table with a caption, heads of columns, and the first cell of each row as its head.

    Args:
        caption: what the table shows.
        columns: the heads, as many as each row has cells.
        rows: the cells.
        words: so many first columns hold words, the others hold figures and are set to the right.
    """
    heads = [_cell("th", column, place >= words, {"scope": "col"}) for place, column in enumerate(columns)]
    lines = [
        element(
            "tr",
            *(
                _cell("td" if place else "th", cell, place >= words, {} if place else {"scope": "row"})
                for place, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    made = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *lines),
    )
    # What is wider than the window scrolls by itself, also by the keyboard.
    frame = {"class": "wide", "role": "region", "tabindex": "0", "aria-label": caption}
    return element("div", made, attributes=frame)


def _cell(tag: str, content: Child, is_figure: bool, attributes: Mapping[str, str]) -> Element:
    return element(tag, content, attributes={**attributes, **({"class": "figure"} if is_figure else {})})


def facts(pairs: Sequence[tuple[str, Child]]) -> Element:
    """A list of names and values."""
    parts = [part for term, value in pairs for part in (element("dt", term), element("dd", value))]
    return element("dl", *parts)
