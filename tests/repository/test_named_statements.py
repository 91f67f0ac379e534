"""Text and code name each other: each statement is named where it is done, and what makes or reads bytes names one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from capc_verify.trace.spec import ID, read_specification

ROOT = Path(__file__).parents[2]
SOURCES = ("reference/capc", "mpc_programs", "spec/capc_spec", "verification")
RANGE = re.compile(r"(CAPC-[A-Z]+)-(\d{3}) to (?:CAPC-[A-Z]+-)?(\d{3})")
BYTES = re.compile(r"\bbytes\b")

DONE_BY_NO_CODE = {
    # What programs for MP-SPDZ open and draw: their text, which is no Python, does it.
    "CAPC-MPC-002",
    "CAPC-MPC-004",
    "CAPC-MPC-011",
    "CAPC-MPC-032",
    # What parties that deviate can do, and what they cannot: code has no part for it but the whole protocol.
    "CAPC-SEC-020",
    "CAPC-SEC-021",
    "CAPC-SEC-022",
    "CAPC-SEC-023",
    "CAPC-SEC-024",
    "CAPC-SEC-025",
    "CAPC-SEC-030",
    "CAPC-SEC-033",
}
"""Statements that tests show and no docstring names. May only shrink."""
BYTES_OF_NO_STATEMENT = {
    # Handles of the hybrid model, which are made for tests; section 15 has those that vectors hold.
    "reference/capc/linear/ideal.py",
    "reference/capc/two_party/ideal.py",
    "reference/capc/two_party/ideal_vote_rounds.py",
    # Hands messages over, and reads nothing in them.
    "reference/capc/protocol/exchange.py",
}
"""Modules whose functions take or give bytes, and name no statement. May only shrink."""


def ids_in(text: str | None) -> set[str]:
    """The ids that a text names, by themselves or in a range."""
    words = " ".join((text or "").split())
    ranges = RANGE.findall(words)
    return set(ID.findall(words)) | {f"{area}-{n:03d}" for area, a, b in ranges for n in range(int(a), int(b) + 1)}


def files() -> Iterator[Path]:
    for source in SOURCES:
        yield from sorted((ROOT / source).rglob("*.py"))


def unnamed(tree: ast.AST, named: bool) -> Iterator[str]:
    """Public functions with bytes in their signature for which nothing names an id: not they, nor class or module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from unnamed(node, named or bool(ids_in(ast.get_docstring(node))))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            hints = [ast.unparse(hint) for hint in (node.returns, *(one.annotation for one in node.args.args)) if hint]
            if any(map(BYTES.search, hints)) and not named and not ids_in(ast.get_docstring(node)):
                yield node.name


def test_each_statement_is_named_where_it_is_done() -> None:
    named = {identifier for file in files() for identifier in ids_in(file.read_text("utf-8"))}
    statements = {each.id for each in read_specification(ROOT).statements.values() if each.needs_test}
    assert len(statements) > 300
    assert statements - named == DONE_BY_NO_CODE


@pytest.mark.slow
def test_what_makes_or_reads_bytes_names_a_statement() -> None:
    found = {}
    for file in sorted((ROOT / "reference" / "capc").rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        if names := list(unnamed(tree, bool(ids_in(ast.get_docstring(tree))))):
            found[file.relative_to(ROOT).as_posix()] = names
    assert set(found) == BYTES_OF_NO_STATEMENT, found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def make(a: int) -> bytes:\n    '''Bytes.'''", ["make"]),
        ("def make(a: int) -> bytes:\n    '''Spec: CAPC-OT-001.'''", []),
        ("class A:\n    '''Spec: CAPC-OT-001.'''\n    def read(self, data: bytes) -> int:\n        return 0", []),
        ("class A:\n    def read(self, data: bytes) -> int:\n        return 0", ["read"]),
        ("def _own(data: bytes) -> None:\n    return", []),
        ("def count(a: int) -> int:\n    return a", []),
    ],
)
def test_what_counts_as_making_bytes(text: str, found: list[str]) -> None:
    assert list(unnamed(ast.parse(text), named=False)) == found


def test_ranges_name_all_between() -> None:
    assert ids_in("Spec: CAPC-OT-001 to\n    CAPC-OT-003.") == {"CAPC-OT-001", "CAPC-OT-002", "CAPC-OT-003"}


REFUTES = re.compile(r"_(has_a_counterexample|(is|are)_(found|seen|refused|noticed))\Z")
"""How tests are called that a wrong circuit, program or law is told from a right one."""


@pytest.mark.slow
def test_what_refutes_something_wrong_is_no_proof_of_what_is_right() -> None:
    """It shows that a proof can fail, and is evidence of kind test: else a statement were shown without its proof."""
    proofs = [
        node.name
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for marker in node.decorator_list
        if "mark.req" in ast.unparse(marker) and "kind=" in ast.unparse(marker)
    ]
    assert len(proofs) > 50
    assert [name for name in proofs if REFUTES.search(name)] == []
