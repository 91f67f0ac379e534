"""Statements in a text: each becomes a box with its id as an anchor and its kind as a badge."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

from capc_verify.trace.spec import ID, WITHDRAWN, end_of_statement

Told = Callable[[str], str]
"""HTML that leads from a statement, by its id, to its evidence."""

_BEGIN = re.compile(rf"\*\*({ID.pattern})\*\* \(([a-z]+)\)\s*")


def badge(kind: str) -> str:
    """The kind of evidence, as a badge."""
    return f'<span class="badge badge-{html.escape(kind)}">{html.escape(kind)}</span>'


def boxed(text: str, evidence: Told) -> str:
    """The text with a box around each statement and the list, table or listing that belongs to it.

    Args:
        text: of a section.
        evidence: what the head of a box says of a statement's evidence; not asked for one that is withdrawn.
    """
    lines = text.splitlines()
    made: list[str] = []
    fenced = False
    place = 0
    while place < len(lines):
        match = None if fenced else _BEGIN.match(lines[place])
        if match is None:
            fenced ^= lines[place].lstrip().startswith("```")
            made.append(lines[place])
            place += 1
            continue
        end = end_of_statement(lines, place)
        inside = [lines[place][match.end() :], *lines[place + 1 : end]]
        made += _box(match[1], match[2], inside, "" if match[2] == WITHDRAWN else evidence(match[1]))
        place = end
    return "\n".join(made) + "\n"


def _box(identifier: str, kind: str, inside: Sequence[str], evidence: str) -> list[str]:
    head = f'<a class="statement-id" href="#{identifier}">{identifier}</a> {badge(kind)} {evidence}'
    return [
        f'<div class="statement statement-{kind}" id="{identifier}" markdown="1">',
        f'<div class="statement-head">{head.rstrip()}</div>',
        "",
        *inside,
        "",
        "</div>",
    ]
