"""The specification's text as elements of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from capc.job.rendering.markup import Child, Element, element
from capc_verify.audit.markdown import items, rows

_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])|\[([^\]]+)\]\([^)]*\)")


def inline(text: str) -> list[Child]:
    """The spans of a text: code, emphasis, and of links what they are called."""
    found: list[Child] = []
    end = 0
    for match in _SPAN.finditer(text):
        found.append(text[end : match.start()])
        code, strong, emphasis, link = match.groups()
        if code:
            found.append(element("code", code))
        elif strong:
            found.append(element("strong", strong))
        elif emphasis:
            found.append(element("em", emphasis))
        else:
            found.append(link)
        end = match.end()
    return [*found, text[end:]]


def blocks_of(blocks: Iterable[Mapping[str, object]]) -> list[Element]:
    """Blocks of a report, as :class:`capc_verify.audit.markdown.Block` makes them."""
    return [_block(str(block["kind"]), str(block["text"])) for block in blocks]


def _block(kind: str, text: str) -> Element:
    if kind == "heading":
        return element("h5", text)
    if kind == "listing":
        return element("pre", text)
    if kind == "list":
        return element("ul", *(element("li", *inline(item)) for item in items(text)))
    if kind == "table":
        head, *body = rows(text)
        lines = [element("tr", *(element("td", *inline(cell)) for cell in row)) for row in body]
        heads = element("tr", *(element("th", *inline(cell)) for cell in head))
        return element(
            "div", element("table", element("thead", heads), element("tbody", *lines)), attributes={"class": "wide"}
        )
    return element("p", *inline(" ".join(text.split())))
