"""What is kept of a test that failed: where it was raised, for whom, and what."""

from __future__ import annotations

import pytest

from support.toy_checkout import Audited

NAME = "tests/toy/test_toy.py"
HELPER = """def need(held, message):
    if not held:
        raise ValueError(message)
"""
CALLER = """from toy_helper import need

def low(height):
    need(height < 3, f"height = {height}: give less")
"""
TEST = """import toy_caller

import pytest
from hypothesis import given, strategies as st

@pytest.mark.req("CAPC-TOY-001")
@pytest.mark.parametrize("height", [4, 9])
def test_low(height):
    toy_caller.low(height)

@pytest.mark.req("CAPC-TOY-002", kind="enumeration")
def test_each():
    raise ExceptionGroup("two", [AssertionError("one\\nwas high"), ValueError("another")])

@pytest.fixture
def pushed():
    assert False, "no push"

@pytest.mark.req("CAPC-TOY-003")
def test_push(pushed): pass

@pytest.mark.req("CAPC-TOY-003")
@given(st.integers(3, 4))
def test_any_push(height):
    assert height == 3
"""


@pytest.mark.slow
def test_a_reason_says_who_called_what_raised_and_an_error_of_a_group(audited: Audited) -> None:
    for name, text in {"reference/toy_helper.py": HELPER, "reference/toy_caller.py": CALLER, NAME: TEST}.items():
        audited.toy.write(name, text)
    ini = audited.toy.read("pytest.ini")
    audited.toy.write("pytest.ini", f"{ini}pythonpath = reference\n")
    assert audited.verify("--all", "--json", str(audited.report)) == 1
    told = [reason for entry in audited.document()["statements"] for reason in entry["reasons"]]
    failed = [
        reason.removeprefix(f"{NAME}::test_").partition(": failed: ") for reason in told if ": failed: " in reason
    ]
    reasons = {node: raised for node, _, raised in failed}
    raised = "reference/toy_helper.py:3 (from reference/toy_caller.py:4): ValueError: height = {}: give less"
    assert reasons["low[4]"] == raised.format(4)
    assert reasons["low[9]"] == raised.format(9)
    assert reasons["each"] == f"{NAME}:13: ExceptionGroup: two (2 sub-exceptions) AssertionError: one"
    assert reasons["push"] == f"{NAME}:17: in setup: AssertionError: no push assert False"
    assert reasons["any_push"].startswith(f"{NAME}:25: ")
