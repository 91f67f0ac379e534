"""How an example is written: tables, and listings of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: str, rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown.

    Args:
        heads: separated by `` | ``.
        rows: a cell for each head.
    """
    count = heads.count("|") + 1
    lines = [heads, "|".join(["---"] * count), *(" | ".join(map(str, row)) for row in rows)]
    return "".join(f"| {line} |\n" if "---" not in line else f"|{line}|\n" for line in lines)


def listing(lines: Iterable[str], language: str = "text") -> str:
    """A fenced listing; it holds no empty line, at which a generated part would end."""
    return "\n".join([f"```{language}", *lines, "```", ""])


def wrapped(text: str, width: int = 96) -> list[str]:
    """A long word, for example of hexadecimal digits, in lines."""
    return [text[start : start + width] for start in range(0, len(text), width)]
