"""The text as people read it: ids in order, paragraphs that end, sections that the overview lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from capc_verify.trace.spec import spec_files

ROOT = Path(__file__).parents[2]
FILES = spec_files(ROOT)
STATEMENT = re.compile(r"\*\*CAPC-([A-Z]+)-(\d{3})\*\* \(")
MOST_LINES = 8
"""Of a paragraph, a statement, or an item of a list; tables and listings have rows and lines of their own."""

BEGIN_AGAIN = {
    ("02-roles.md", "Steps and states"),
    ("07-noise-and-accounting.md", "What a printed delta counts"),
    ("07-noise-and-accounting.md", "What every method keeps to"),
    ("07-noise-and-accounting.md", "Multi-label votes"),
    ("07-noise-and-accounting.md", "Diagnostics and the calculator"),
    ("08-main-job.md", "Who holds which rows"),
    ("08-main-job.md", "Sets of labels"),
    ("09-ledger.md", "Records"),
    ("09-ledger.md", "Checkpoints"),
    ("09-ledger.md", "Files of others"),
    ("09-ledger.md", "Heads that others keep"),
    ("12-cost-of-a-label.md", "The recursion"),
    ("12-cost-of-a-label.md", "Certificates"),
    ("16-sessions-and-payloads.md", "Limits"),
    ("16-sessions-and-payloads.md", "Sums of a model"),
    ("17-operations.md", "States"),
    ("90-security-claims.md", "Seeded faults"),
}
"""Headings at which the order by subject wins: they begin below the last id of their area under the heading before."""
WALLS = ("The second difference in u of P_o(u + D, w)", "A curve is piecewise linear between the point")
"""Paragraphs of proofs that are longer. Both lists may only shrink."""


def paragraphs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Heading and lines of each paragraph and item of a list, without listings, tables and what is generated."""
    heading = ""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. |#|\||<!--))", prose):
        lines = block.strip("\n").splitlines()
        if lines and lines[0].startswith("#"):
            heading = lines[0].lstrip("# ")
        elif lines and not lines[0].startswith(("|", "<!--")):
            yield heading, lines


def numbers(file: Path) -> dict[str, list[tuple[str, int]]]:
    """Of each area the statements in the order of the text, each with its heading."""
    found: dict[str, list[tuple[str, int]]] = {}
    for heading, lines in paragraphs(file.read_text("utf-8")):
        if match := STATEMENT.match(lines[0]):
            found.setdefault(match[1], []).append((heading, int(match[2])))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_ids_of_an_area_ascend_under_a_heading(file: Path) -> None:
    for area, order in numbers(file).items():
        fallen = [(area, b) for a, b in pairwise(order) if a[0] == b[0] and a[1] > b[1]]
        assert fallen == []


def begin_again() -> set[tuple[str, str]]:
    """Headings whose first number of an area is below the last of the heading before."""
    orders = [(file.name, order) for file in FILES for order in numbers(file).values()]
    return {(name, b[0]) for name, order in orders for a, b in pairwise(order) if a[0] != b[0] and a[1] > b[1]}


def test_ids_of_an_area_ascend_in_a_file_but_at_headings_that_are_listed() -> None:
    assert begin_again() == BEGIN_AGAIN


def test_statements_are_found() -> None:
    assert sum(len(order) for file in FILES for order in numbers(file).values()) > 350


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_paragraph_is_a_wall(file: Path) -> None:
    walls = {lines[0] for _, lines in paragraphs(file.read_text("utf-8")) if len(lines) > MOST_LINES}
    assert [wall for wall in walls if not wall.startswith(WALLS)] == []


def test_the_overview_lists_every_section() -> None:
    listed = re.findall(r"^\| \[\d\d [^\]]+\]\(([\w-]+\.md)\)", FILES[0].read_text("utf-8"), flags=re.MULTILINE)
    assert listed == [file.name for file in FILES[1:]]


def test_what_counts_as_a_paragraph() -> None:
    text = "# A\n\none\ntwo\n- item\n  more\n- next\n\n```\nlisting\n\nlisting\n```\n\n| a |\n| b |\n\nlast\n"
    assert [lines for _, lines in paragraphs(text)] == [["one", "two"], ["- item", "  more"], ["- next"], ["last"]]
