"""The order of messages stands in three places: the roles' programs, one query told once, and the tests' driver."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("reference", "spec", "mpc_programs", "verification", "benchmarks", "tests")
ROLES = ("querying_party_", "answering_party_", "privacy_guardian_")
PROGRAMS = ("roles.py", "embedded_methods.py", "external_methods.py")
TELLING = "one_query.py"
DRIVER = ("driver.py",)


def the_file(root: str, name: str) -> Path:
    """The only file of this name."""
    (found,) = (ROOT / root).rglob(name)
    return found


def words(tree: ast.AST) -> set[str]:
    """Names that code calls, hands over, or writes in a string."""
    found = {getattr(part, field, None) for part in ast.walk(tree) for field in ("id", "attr", "value")}
    return {word for word in found if isinstance(word, str)}


def called(tree: ast.AST) -> set[str]:
    """Names of what code calls, or has another function call."""
    calls = [part for part in ast.walk(tree) if isinstance(part, ast.Call)]
    named = [part for call in calls for part in (call.func, *call.args) if isinstance(part, ast.Name | ast.Attribute)]
    return {part.id if isinstance(part, ast.Name) else part.attr for part in named}


def step_names() -> set[str]:
    """What the programs call of what is defined under a role's name."""
    trees = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "reference" / "capc").rglob("*.py")]
    functions = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
    programs = [ast.parse(the_file("reference", name).read_text("utf-8")) for name in PROGRAMS]
    return {name for tree in programs for name in words(tree) & functions if name.startswith(ROLES)}


def orders(file: Path, steps: set[str]) -> Iterator[str]:
    """Functions in which steps follow each other.

    Outside of tests those that name more than one step. Tests take single steps of a role again, and compare them: in
    tests those that call steps of more than one role, as a message has a sender and a receiver.
    """
    is_test = file.is_relative_to(ROOT / "tests")
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = (called(node) if is_test else words(node)) & steps
            if len({next(role for role in ROLES if name.startswith(role)) for name in found} if is_test else found) > 1:
                yield node.name


@pytest.mark.slow
def test_the_order_of_steps_stands_in_three_places() -> None:
    """Every one of them is found, and nothing else."""
    steps = step_names()
    files = [file for root in ROOTS for file in (ROOT / root).rglob("*.py")]
    found = {file for file in files if any(orders(file, steps))}
    places = [the_file("reference", name) for name in (*PROGRAMS, TELLING)]
    # The comparison's methods are part of the roles' programs, with messages of their own for steps 1a and 1b.
    places += [file for file in files if "\nclass CkksInference:" in file.read_text("utf-8")]
    places += [the_file("tests", name) for name in DRIVER]
    assert sorted(found ^ set(places)) == []
    assert len(steps) > 40


def test_the_three_programs_are_short() -> None:
    """All that the embedded engine does, set-up, batches, prepared batches and rounds included, without imports."""
    count = 0
    for name in ("roles.py", "embedded_methods.py"):
        for part in ast.parse(the_file("reference", name).read_text("utf-8")).body:
            statements = [node for node in ast.walk(part) if isinstance(node, ast.stmt)]
            texts = [node for node in statements if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
            count += 0 if isinstance(part, ast.Import | ast.ImportFrom) else len(statements) - len(texts)
    assert 100 < count <= 200
