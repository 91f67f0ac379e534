"""The check of the seeded faults itself: what counts as caught, and what does not."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest

from capc_verify.faults import Fault
from capc_verify.faults.check import FaultCheck
from capc_verify.faults.patching import replace_everywhere

INI = "[pytest]\naddopts = -p no:benchmark -p no:hypothesispytest\npythonpath = .\n"
CODE = """
    KEPT = []

    def double(number):
        return 2 * number
"""
TESTS = """
    import pytest
    import toy
    from toy import double

    @pytest.fixture
    def doubled():
        assert double(3) == 6

    @pytest.fixture
    def doubled_after():
        yield
        assert double(3) == 6

    def test_doubles(): assert double(3) == 6

    @pytest.mark.slow
    def test_doubles_slowly(): assert toy.double(3) == 6

    def test_of_something_else(): pass

    def test_adds(): assert double(3) + 1 == 7

    def test_skips():
        if double(3) != 6:
            pytest.skip("the result is not the right one")

    def test_with_a_fixture(doubled): pass

    def test_with_a_late_fixture(doubled_after): assert double(3) == 6

    def test_keeps_nothing(): assert toy.KEPT == []

    def test_some_and_some():
        if double(3) != 6:
            raise ExceptionGroup("two", [TypeError("of the fault"), AssertionError("of the test")])
"""


@pytest.fixture
def check(pytester: pytest.Pytester) -> Callable[..., FaultCheck]:
    """Runs the check of one fault, with the tests that are named for it, in a project of its own."""

    def run(plant: Callable[[], None], *named: str, tests: str = TESTS) -> FaultCheck:
        pytester.makeini(INI)
        pytester.makepyfile(toy=CODE, test_toy=tests)
        pytester.makeconftest('pytest_plugins = ["capc_verify.pytest_plugin"]')
        nodes = tuple(f"test_toy.py::{name}" for name in named)
        checking = FaultCheck({"fault": Fault(plant, None, nodes)})
        pytester.inline_run(*nodes, "-p", "no:capc_trace_recorder", plugins=[checking])
        return checking

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("until_quick", "tried"), [(True, ["quick"]), (False, ["slow", "quick", "late"])])
def test_an_ordinary_check_ends_with_a_fault_that_a_quick_test_catches(
    pytester: pytest.Pytester, until_quick: bool, tried: list[str]
) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(toy=CODE, test_toy=TESTS)
    pytester.makeconftest('pytest_plugins = ["capc_verify.pytest_plugin"]')
    named = {"slow": "test_doubles_slowly", "quick": "test_doubles", "late": "test_adds"}
    faults = {name: Fault(more_by_one, None, (f"test_toy.py::{test}",)) for name, test in named.items()}
    checking = FaultCheck(faults, until_quick=until_quick)
    nodes = [node for fault in faults.values() for node in fault.detected_by]
    pytester.inline_run(*nodes, "-p", "no:capc_trace_recorder", plugins=[checking])
    assert list(checking.verdicts) == tried
    assert not any(verdict.problems for verdict in checking.verdicts.values())
    assert checking.remains == []


def more_by_one() -> None:
    replace_everywhere(importlib.import_module("toy").double, lambda number: 2 * number + 1)


def nothing_given() -> None:
    replace_everywhere(importlib.import_module("toy").double, lambda number: None)


def kept() -> None:
    importlib.import_module("toy").KEPT.append(1)


def lost() -> None:
    replace_everywhere(more_by_one.__init__, more_by_one)


Check = Callable[..., FaultCheck]


@pytest.mark.parametrize(
    ("named", "quick"), [("test_doubles", True), ("test_doubles_slowly", False), ("test_some_and_some", True)]
)
def test_a_fault_is_caught_by_tests_that_fail(check: Check, named: str, quick: bool) -> None:
    checked = check(more_by_one, named)
    verdict = checked.verdicts["fault"]
    assert (verdict.problems, verdict.quick) == ((), quick)
    assert checked.remains == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "named", "why"),
    [
        (more_by_one, "test_of_something_else", "passed"),
        (more_by_one, "test_skips", "skipped"),
        (more_by_one, "test_with_a_fixture", "its setup did not pass"),
        (more_by_one, "test_with_a_late_fixture", "its teardown did not pass"),
        (nothing_given, "test_adds", "tripped over the fault's own mistake: TypeError"),
        (lost, "test_doubles", "the fault has lost what it replaces"),
    ],
)
def test_what_is_not_caught_is_said(check: Check, plant: Callable[[], None], named: str, why: str) -> None:
    checked = check(plant, "test_doubles", named)
    (problem,) = checked.verdicts["fault"].problems
    assert why in problem
    assert checked.remains == []


@pytest.mark.slow
def test_one_of_two_tests_is_not_enough(check: Check) -> None:
    (problem,) = check(more_by_one, "test_doubles", "test_of_something_else").verdicts["fault"].problems
    assert problem == "test_toy.py::test_of_something_else: passed"


def test_what_a_fault_leaves_behind_is_found(check: Check) -> None:
    checked = check(kept, "test_keeps_nothing")
    assert checked.verdicts["fault"].problems == ()
    (left,) = checked.remains
    assert left.startswith("test_toy.py::test_keeps_nothing: does not pass without a fault: call failed")


@pytest.mark.parametrize("tests", ["import absent\n" + TESTS, "raise AssertionError\n"])
def test_an_error_of_import_catches_nothing(check: Check, tests: str) -> None:
    checked = check(more_by_one, "test_doubles", tests=tests)
    assert checked.verdicts == {}
    assert len(checked.remains) > 0


def test_a_test_that_does_not_exist_catches_nothing(check: Check) -> None:
    checked = check(more_by_one, "test_doubles", "test_absent")
    assert checked.verdicts == {}
    assert checked.remains == ["no test was run"]
