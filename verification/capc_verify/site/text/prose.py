"""Prose of a text: what is outside of its listings, and outside of code and links in a line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from capc_verify.trace.spec import ID

Rewrite = Callable[[str], str]

_SPAN = re.compile(r"(^<div[^\n]*$|`+[^`].*?`+|!?\[[^\]]*\]\([^)]*\)|<[^>\s][^>]*>)", re.DOTALL | re.MULTILINE)
"""Lines of boxes, code, links and tags: in them no id and no section becomes a link."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"(`+[^`].*?`+)", re.DOTALL)
_SECTION = re.compile(r"\b([Ss]ection) (\d\d)\b")


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """The text in order, divided into listings (True) and prose (False)."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith("```")
        if fence and not fenced and lines:
            yield False, "".join(lines)
            lines = []
        lines.append(line)
        if fence and fenced:
            yield True, "".join(lines)
            lines = []
        fenced ^= fence
    if lines:
        yield fenced, "".join(lines)


def outside_listings(text: str, rewrite: Rewrite) -> str:
    """The text with its prose rewritten."""
    return "".join(piece if listing else rewrite(piece) for listing, piece in pieces(text))


def outside_spans(prose: str, rewrite: Rewrite) -> str:
    """The prose with everything rewritten that is no code, link or tag."""
    return "".join(part if place % 2 else rewrite(part) for place, part in enumerate(_SPAN.split(prose)))


def with_links(prose: str, target: Callable[[str], str | None]) -> str:
    """The prose with the targets of its links replaced.

    Args:
        prose: without listings.
        target: the new target of a link; None where there is nothing to go to, and only the words stay.
    """

    def replaced(match: re.Match[str]) -> str:
        picture, words, old = match.groups()
        new = target(old)
        return words if new is None else f"{picture}[{words}]({new})"

    parts = _CODE.split(prose)
    # A link around code is one as well, so code is put aside while links are looked for.
    kept = "".join(part if place % 2 == 0 else f"\0{place}\0" for place, part in enumerate(parts))
    return re.sub("\0(\\d+)\0", lambda match: parts[int(match[1])], _LINK.sub(replaced, kept))


def with_ids(prose: str, address: Callable[[str], str | None]) -> str:
    """The prose with links from the ids of statements to their places; those without one stay as they are."""

    def linked(match: re.Match[str]) -> str:
        place = address(match[0])
        return f"[{match[0]}]({place})" if place else match[0]

    return outside_spans(prose, lambda part: ID.sub(linked, part))


def with_sections(prose: str, address: Callable[[str], str | None]) -> str:
    """The prose with links from "section 07" to that section; headings stay as they are."""

    def linked(match: re.Match[str]) -> str:
        place = address(match[2])
        return f"[{match[0]}]({place})" if place else match[0]

    def line_of(line: str) -> str:
        return line if line.startswith("#") else outside_spans(line, lambda part: _SECTION.sub(linked, part))

    return "".join(map(line_of, prose.splitlines(keepends=True)))


def relative(page: str, address: str) -> str:
    """How a page refers to an address of the site.

    Args:
        page: that has the link.
        address: perhaps with an anchor.
    """
    target, hash_sign, anchor = address.partition("#")
    if target == page:
        return hash_sign + anchor or posixpath.basename(target)
    return posixpath.relpath(target, posixpath.dirname(page) or ".") + hash_sign + anchor
