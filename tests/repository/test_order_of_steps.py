"""The order of messages stands in three places: the roles' programs, one query told once, and the tests' driver."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "reference" / "capc"
PREFIXES = ("querying_party_", "answering_party_", "privacy_guardian_")
PLACES = {
    "reference/capc/roles.py",
    "reference/capc/embedded_methods.py",
    "reference/capc/outside_methods.py",
    "reference/capc/one_query.py",
    "tests/support/driver.py",
    "tests/support/driver_ahead.py",
}
OTHERS = {
    # The comparison has messages of its own in the place of steps 1a and 1b.
    "reference/capc/job/comparison.py",
    # Faults of single messages, and the vectors' sessions, which name their operations one by one.
    "verification/capc_verify/vectors/cases/honest_session.py",
    "verification/capc_verify/vectors/cases/rounds_session.py",
    "verification/capc_verify/vectors/cases/payload_faults.py",
    "verification/capc_verify/vectors/cases/protocol.py",
    # Attacks on a release need one of chosen votes, which no inference gives.
    "tests/support/release_stage.py",
}


def sources() -> list[Path]:
    folders = ("reference", "mpc_programs", "verification/capc_verify", "benchmarks", "tests/support")
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def step_names() -> set[str]:
    trees = [ast.parse(file.read_text("utf-8")) for file in CORE.glob("*.py")]
    functions = [node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {name for name in functions if name.startswith(PREFIXES)}


def named(node: ast.AST, steps: set[str]) -> set[str]:
    """Which steps code calls, hands over, or names in a string."""
    words = {getattr(part, field, None) for part in ast.walk(node) for field in ("id", "attr", "value")}
    return {word for word in words if isinstance(word, str)} & steps


@pytest.mark.slow
def test_the_order_of_steps_stands_in_three_places() -> None:
    """Elsewhere no function or class names more than one step, and one has no order."""
    steps, found = step_names(), set()
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            is_code = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if is_code and len(named(node, steps)) > 1:
                found.add(str(file.relative_to(ROOT)))
    assert found == PLACES | OTHERS
    assert len(steps) > 40


def test_the_three_programs_are_short() -> None:
    """All that the embedded engine does, set-up, batches, prepared batches and rounds included, without imports."""
    count = 0
    for name in ("roles.py", "embedded_methods.py"):
        for part in ast.parse((CORE / name).read_text("utf-8")).body:
            statements = [node for node in ast.walk(part) if isinstance(node, ast.stmt)]
            texts = [node for node in statements if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
            count += 0 if isinstance(part, ast.Import | ast.ImportFrom) else len(statements) - len(texts)
    assert 100 < count <= 200
