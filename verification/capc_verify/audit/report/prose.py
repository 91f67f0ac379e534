"""The specification's text as elements of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from capc.job.rendering.markup import Child, Element, element
from capc_verify.audit.markdown import items, rows

_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])|\[([^\]]+)\]\([^)]*\)")

_COMMENT = re.compile(r"<!--.*?--> ?")
_BELONGING = re.compile(r"(?<=:) (?=\| |- |1\. |`)")
"""Where a table, a list or a listing begins that belongs to a statement, in its sentence on one line."""
_NUMBER, _DASH = re.compile(r"(?<=[.;,]) (?=\d+\. )"), re.compile(r"(?<=[.;,:]) (?=- )")
"""Where its next item begins."""
_RULE = re.compile(r"(?:---\|)+")


def parted(sentence: str) -> tuple[str, str]:
    """A statement's sentence up to its colon, and the table, list or listing after it, which is empty for most.

    A listing is all that follows its colon; what else is set as code there is a part of the sentence.

    Args:
        sentence: as :class:`capc_verify.trace.spec.Statement` has it, on one line.
    """
    told = _COMMENT.sub("", sentence)
    for place in _BELONGING.finditer(told):
        if told[place.end()] != "`" or told.endswith("`"):
            return told[: place.start()], told[place.end() :]
    return told, ""


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


def belonging_block(text: str) -> Element:
    """A table, list or listing of :func:`parted`, in its own lines again."""
    if text.startswith("| "):
        return _block("table", _lines_of_table(text))
    if not text.startswith(("- ", "1. ")):
        return element("p", *inline(text))
    numbered = text.startswith("1. ")
    begins = _NUMBER if numbered else _DASH
    return element(
        "ol" if numbered else "ul", *(element("li", *inline(each)) for each in items(begins.sub("\n", text)))
    )


def _lines_of_table(text: str) -> str:
    """Between two rows is one cell more, of nothing; the rule below the heads tells how many each has."""
    width = max(len(rule) for rule in _RULE.findall(text)) // len("---|")
    cells = text.split("|")[1:]
    return "\n".join(f"|{'|'.join(cells[at : at + width])}|" for at in range(0, len(cells), width + 1))


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
