"""The claims of section 90: each with its assumptions, its argument and its statements; and what is not claimed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.audit.markdown import Block, blocks, items, rows, under
from capc_verify.trace.spec import ID, Specification

CLAIMS = Path("spec") / "90-security-claims.md"

_RANGE = re.compile(rf"({ID.pattern})(?: to ({ID.pattern}))?")
_CLAIM = re.compile(r"(\d+\*?)\. (.*)", re.DOTALL)
_OTHER_CLAIM = re.compile(r"\b(?:those|as) of(?: claim)? (\d+\*?)")
"""A row takes over the assumptions, or the statements, of one above it."""


@dataclass(frozen=True)
class Argument:
    """A part of the text that argues for a claim.

    Attributes:
        file: relative to the root.
        heading: under which it stands.
        text: its blocks.
    """

    file: str
    heading: str
    text: tuple[Block, ...]


@dataclass(frozen=True)
class Claim:
    """A row of the tables of claims.

    Attributes:
        name: its number, with a star if it is about a querying party that deviates.
        text: what is claimed.
        assumptions: as the row says it.
        tags: the assumptions by their tags, with those of claims that the row refers to.
        statements: the ids behind it, likewise.
        falsified_by: what would show it wrong.
        arguments: where it is argued.
    """

    name: str
    text: str
    assumptions: str
    tags: tuple[str, ...]
    statements: tuple[str, ...]
    falsified_by: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Claims:
    """What section 90 says.

    Attributes:
        claims: by name, in order.
        assumptions: what each tag stands for.
        not_claimed: one text for each thing.
    """

    claims: Mapping[str, Claim]
    assumptions: Mapping[str, str]
    not_claimed: tuple[str, ...]


def read_claims(root: Path, specification: Specification) -> Claims:
    """Reads section 90.

    Raises:
        InputError: it is not there, or does not have the form that is read here.
    """
    try:
        text = (root / CLAIMS).read_text(encoding="utf-8")
    except OSError:
        raise InputError(f"{root / CLAIMS}: not there; run this in a checkout, or give --root") from None
    tables = [rows(block.text) for block in blocks(text) if block.kind == "table"]
    tags = _table(tables, "tag", "assumption")
    listed = [row for table in tables if table[0][:1] == ["claim"] and "falsified by" in table[0] for row in table[1:]]
    argued = _table(tables, "claim", "argued in")
    claims: dict[str, Claim] = {}
    for row in listed:
        match = _CLAIM.match(row[0])
        if match is None or len(row) != 4:
            raise InputError(f"{root / CLAIMS}: {row[0][:60]!r} is no claim: write its number, a dot, and 4 columns")
        name, told = match.groups()
        _, assumptions, shown_by, falsified_by = row
        claims[name] = Claim(
            name,
            told,
            assumptions,
            _tags(assumptions, tags, _others(assumptions, claims)),
            _statements(shown_by, specification, _others(shown_by, claims)),
            falsified_by,
            tuple(_argument(root, place) for place in argued.get(name, "").split("; ") if place),
        )
    not_claimed = [
        item for block in under(text, "Not claimed") or [] if block.kind == "list" for item in items(block.text)
    ]
    return Claims(claims, tags, tuple(not_claimed))


def _table(tables: list[list[list[str]]], *heads: str) -> dict[str, str]:
    """The table with these two columns, as a mapping; empty if there is none."""
    return {row[0]: row[1] for table in tables if table[0] == list(heads) for row in table[1:]}


def _others(text: str, claims: Mapping[str, Claim]) -> list[Claim]:
    return [claims[name] for name in _OTHER_CLAIM.findall(text) if name in claims]


def _tags(text: str, tags: Mapping[str, str], others: list[Claim]) -> tuple[str, ...]:
    words = {*re.findall(r"[\w-]+", text), *(tag for claim in others for tag in claim.tags)}
    return tuple(tag for tag in tags if tag in words)


def _statements(text: str, specification: Specification, others: list[Claim]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for first, last in _RANGE.findall(text):
        # An id has a fixed number of digits, so those between two of an area are between them as texts.
        area = first.rpartition("-")[0]
        between = [
            name for name in specification.statements if name.startswith(area) and first <= name <= (last or first)
        ]
        found |= dict.fromkeys(between or [first])
    return tuple(found | dict.fromkeys(name for claim in others for name in claim.statements))


def _argument(root: Path, place: str) -> Argument:
    number, _, heading = place.partition(" ")
    for path in sorted((root / "spec").glob(f"{number}-*.md")):
        found = under(path.read_text(encoding="utf-8"), heading)
        if found is not None:
            return Argument(path.relative_to(root).as_posix(), heading, tuple(found))
    raise InputError(f"{root / CLAIMS}: argued in {place!r}: there is no such heading; name a section and its heading")
