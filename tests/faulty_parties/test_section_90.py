"""The tables of attacks in section 90 and the tests of attacks name each other: neither changes without the other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from capc.session.envelope import MessageType

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "spec" / "90-security-claims.md").read_text(encoding="utf-8")
SECTION = TEXT.split("## Malicious parties")[1]
TABLES = ("CAPC-SEC-020", "CAPC-SEC-021", "CAPC-SEC-022", "CAPC-SEC-023")


def rows_of(statement: str) -> list[list[str]]:
    """The cells of each row of a statement's table."""
    after = SECTION.split(f"**{statement}**")[1].split("\n\n")[1]
    lines = after.strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def marked_tests() -> dict[str, set[str]]:
    """For each statement the attacks' test functions that name it."""
    found = defaultdict(set)
    for path in Path(__file__).parent.glob("test_*_attacks.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for identifier in re.findall(r"CAPC-SEC-\d{3}", ast.unparse(ast.Tuple(node.decorator_list))):
                    found[identifier].add(node.name)
    return found


@pytest.mark.req("CAPC-SEC-025")
@pytest.mark.parametrize("statement", TABLES)
def test_a_table_names_the_tests_of_its_attacks(statement: str) -> None:
    rows = rows_of(statement)
    assert len(rows) >= 5
    for row in rows:
        assert len(row) == 5
        assert row[-1] == "argued" or re.fullmatch(r"`test_\w+`", row[-1]), row
    named = {row[-1].strip("`") for row in rows} - {"argued"}
    # What a check alone would be worth is said below its table.
    assert named == marked_tests()[statement] - {"test_check_with_retries_reads_delta"}


@pytest.mark.req("CAPC-SEC-025")
def test_every_test_of_an_attack_is_in_the_text() -> None:
    tests = marked_tests()
    assert set(tests) == {*TABLES, "CAPC-SEC-024"}
    attacks = set().union(*(tests[statement] for statement in TABLES))
    assert attacks == set(re.findall(r"`(test_\w+)`", SECTION))


@pytest.mark.req("CAPC-SEC-025")
def test_every_message_of_section_04_is_considered() -> None:
    assert [kind for kind in MessageType if f"`{kind.name.lower()}`" not in SECTION] == []
