"""The few forms of Markdown in which the specification is written: headings, paragraphs, lists, tables, listings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(#+) (.*)")
_RULE = re.compile(r"\|[-:| ]+\|\Z")


@dataclass(frozen=True)
class Block:
    """A piece of text between empty lines.

    Attributes:
        kind: `heading`, `paragraph`, `list`, `table` or `listing`.
        text: as it is written; of a listing without its fences.
        level: of a heading, else 0.
    """

    kind: str
    text: str
    level: int = 0


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text, in order. Comments are left out."""
    lines: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fence = line.lstrip().startswith("```")
        if fence or (not fenced and (not line.strip() or line.startswith("#"))):
            if lines:
                yield _block(lines, fenced)
            lines = []
            fenced ^= fence
            if line.startswith("#"):
                level, title = _HEADING.fullmatch(line).groups()  # type: ignore[union-attr]
                yield Block("heading", title.strip(), len(level))
        elif fenced or not line.startswith("<!--"):
            lines.append(line)


def under(text: str, heading: str) -> list[Block] | None:
    """What stands under a heading, with what stands under its own headings; None if there is no such heading."""
    found: list[Block] | None = None
    level = 0
    for block in blocks(text):
        if block.kind == "heading" and found is not None and block.level <= level:
            break
        if found is not None:
            found.append(block)
        elif block.kind == "heading" and block.text == heading:
            found, level = [], block.level
    return found


def rows(table: str) -> list[list[str]]:
    """The rows of a table, the first of which has the heads of its columns."""
    lines = [line for line in table.splitlines() if not _RULE.match(line.strip())]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def items(text: str) -> list[str]:
    """The items of a list, each with the lines that belong to it."""
    return [" ".join(item.split()) for item in re.split(r"(?:\A|\n)[ ]*(?:-|\d+\.) ", text) if item.strip()]


def _block(lines: list[str], fenced: bool) -> Block:
    text = "\n".join(lines)
    if fenced:
        return Block("listing", text)
    if lines[0].lstrip().startswith("|"):
        return Block("table", text)
    return Block("list" if re.match(r"\s*(-|\d+\.) ", text) else "paragraph", text)
