"""The pytest plugin: what counts as passed, which markers are refused, and seeded faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc_verify.quick import CASES

SPEC = (
    "**CAPC-ARG-001** (test) It MUST.\n\n**CAPC-ARG-002** (test) It MUST too.\n\n**CAPC-ARG-003** (withdrawn) Gone.\n"
)
INI = "[pytest]\naddopts = --strict-markers -p no:benchmark -p no:hypothesispytest\nxfail_strict = true\n"


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of its own with the plugin and a specification."""
    pytester.makeconftest('pytest_plugins = ["capc_verify.pytest_plugin"]')
    pytester.makeini(INI)
    pytester.mkdir("spec")
    (pytester.path / "spec" / "01.md").write_text(SPEC, encoding="utf-8")
    return pytester


def recorded(inner: pytest.Pytester) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((inner.path / ".trace" / "results.json").read_text(encoding="utf-8"))
    return results


def refusal(inner: pytest.Pytester, *arguments: str) -> str:
    """The one line with which a run is refused that runs no test."""
    result = inner.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "passed" not in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    (line,) = [line for line in (*result.outlines, *result.errlines) if "@pytest.mark.req: " in line]
    return line


OUTCOMES = """
    import pytest

    @pytest.fixture
    def fails_late():
        yield
        raise RuntimeError

    @pytest.fixture
    def fails_early():
        raise RuntimeError

    @pytest.mark.req("CAPC-ARG-001", "CAPC-ARG-002")
    def test_passes(): pass

    @pytest.mark.req("CAPC-ARG-001")
    def test_fails(): assert False

    @pytest.mark.req("CAPC-ARG-001")
    def test_fails_late(fails_late): pass

    @pytest.mark.req("CAPC-ARG-001")
    def test_fails_early(fails_early): pass

    @pytest.mark.req("CAPC-ARG-001")
    def test_skips(): pytest.skip("absent")

    @pytest.mark.xfail
    @pytest.mark.req("CAPC-ARG-001")
    def test_fails_as_expected(): assert False

    @pytest.mark.xfail(strict=False)
    @pytest.mark.req("CAPC-ARG-001")
    def test_passes_unexpectedly(): pass

    def test_without_marker(): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_only_tests_that_passed_in_all_phases_are_recorded(inner: pytest.Pytester, workers: tuple[str, ...]) -> None:
    inner.makepyfile(test_outcomes=OUTCOMES)
    inner.runpytest(*workers)
    both = {"CAPC-ARG-001": "test", "CAPC-ARG-002": "test"}
    assert recorded(inner) == {"test_outcomes.py::test_passes": both}


def test_markers_of_parameters_classes_modules_and_requests_are_recorded(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_markers="""
        import pytest

        pytestmark = pytest.mark.req("CAPC-ARG-001", kind="enumeration")

        @pytest.mark.parametrize("vector", [
            pytest.param(1, id="argmax::tie", marks=pytest.mark.req("CAPC-ARG-002")),
        ])
        def test_parameter(vector): pass

        class TestClass:
            @pytest.mark.req("CAPC-ARG-001", kind="proof")
            def test_nearest_wins(self): pass

        def test_request(request):
            request.node.add_marker(pytest.mark.req("CAPC-ARG-002", kind="model"))
        """
    )
    inner.runpytest().assert_outcomes(passed=3)
    assert recorded(inner) == {
        "test_markers.py::test_parameter[argmax::tie]": {"CAPC-ARG-001": "enumeration", "CAPC-ARG-002": "test"},
        "test_markers.py::TestClass::test_nearest_wins": {"CAPC-ARG-001": "proof"},
        "test_markers.py::test_request": {"CAPC-ARG-001": "enumeration", "CAPC-ARG-002": "model"},
    }


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ('"CAPC-ARG-009", "CAPC-ARG-008"', "CAPC-ARG-008 is not a statement of spec/*.md; CAPC-ARG-009 is not"),
        ('"CAPC-ARG-003"', "CAPC-ARG-003 is withdrawn"),
        ("", "give one or more ids as strings"),
        ("1", "give one or more ids as strings"),
        ('"CAPC-ARG-001", kind="guess"', "the only keyword is kind"),
        ('"CAPC-ARG-001", level="MUST"', "the only keyword is kind"),
    ],
)
def test_markers_that_name_no_statement_stop_the_collection_with_one_line(
    inner: pytest.Pytester, marker: str, reason: str
) -> None:
    inner.makepyfile(f"import pytest\n\n@pytest.mark.req({marker})\ndef test_runs(): pass\n")
    assert reason in refusal(inner)


@pytest.mark.slow
def test_workers_refuse_with_the_same_line_and_without_a_crash(inner: pytest.Pytester) -> None:
    inner.makepyfile('import pytest\n\n@pytest.mark.req("CAPC-ARG-009")\ndef test_runs(): pass\n')
    assert refusal(inner, "-n", "2") == refusal(inner)


def test_ids_are_free_only_while_there_is_no_specification(inner: pytest.Pytester) -> None:
    inner.makepyfile('import pytest\n\n@pytest.mark.req("CAPC-NEW-001")\ndef test_runs(): pass\n')
    (inner.path / "spec" / "01.md").unlink()
    inner.runpytest().assert_outcomes(passed=1)
    (inner.path / "spec" / "01.md").write_text("", encoding="utf-8")
    assert inner.runpytest().ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.slow
def test_append_keeps_other_tests_and_forgets_those_that_now_fail(inner: pytest.Pytester) -> None:
    header = 'import pytest\n\npytestmark = pytest.mark.req("CAPC-ARG-001")\n\n'
    inner.makepyfile(
        test_one=header + "def test_keeps(): pass\n",
        test_two=header + "def test_breaks(): pass\n",
    )
    inner.runpytest()
    assert len(recorded(inner)) == 2
    inner.makepyfile(test_two=header + "def test_breaks(): assert 0\n\ndef test_new(): pass\n")
    inner.runpytest("--trace-append", "test_two.py")
    assert sorted(recorded(inner)) == ["test_one.py::test_keeps", "test_two.py::test_new"]
    inner.runpytest("test_two.py")
    assert sorted(recorded(inner)) == ["test_two.py::test_new"]


def test_collecting_alone_keeps_the_results(inner: pytest.Pytester) -> None:
    inner.makepyfile('import pytest\n\n@pytest.mark.req("CAPC-ARG-001")\ndef test_runs(): pass\n')
    inner.runpytest()
    before = recorded(inner)
    inner.runpytest("--collect-only")
    assert recorded(inner) == before != {}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stand-in for the library of faults; the names that went in and out."""
    names: list[str] = []

    @contextmanager
    def block(name: str) -> Iterator[None]:
        names.append(name)
        yield
        names.append(f"{name} is out")

    def seeded(name: str) -> AbstractContextManager[None]:
        if name == "unknown":
            raise InputError("no fault is called 'unknown'")
        return block(name)

    module = ModuleType("capc_verify.faults")
    monkeypatch.setattr(module, "seeded", seeded, raising=False)
    monkeypatch.setattr(module, "names", names, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return names


def test_seeded_fault_is_planted_before_collection_and_is_no_evidence(
    inner: pytest.Pytester, planted: list[str]
) -> None:
    inner.makepyfile(
        """
        import pytest
        from capc_verify import pytest_plugin
        import sys

        SEEN = sys.modules["capc_verify.faults"].names[:]

        @pytest.mark.req("CAPC-ARG-001")
        def test_runs(): assert SEEN == ["mask_omitted"]
        """
    )
    inner.runpytest("--seed-fault", "mask_omitted").assert_outcomes(passed=1)
    assert planted == ["mask_omitted", "mask_omitted is out"]
    assert not (inner.path / ".trace").exists()


def test_unknown_fault_is_refused_with_one_line(inner: pytest.Pytester, planted: list[str]) -> None:
    result = inner.runpytest("--seed-fault", "unknown")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no fault is called 'unknown'"])
    assert planted == []


def test_without_the_option_no_fault_is_planted(inner: pytest.Pytester, planted: list[str]) -> None:
    inner.makepyfile("def test_runs(): pass\n")
    inner.runpytest().assert_outcomes(passed=1)
    assert planted == []


MANY = """
    import pytest

    def test_alone(): pass

    @pytest.mark.slow
    def test_long(): pass

    @pytest.mark.parametrize("case", "abcdefgh")
    def test_cases(case): pass
"""


def test_quick_tests_are_the_first_cases_of_those_that_are_not_slow(inner: pytest.Pytester) -> None:
    inner.makepyfile(MANY)
    inner.runpytest().assert_outcomes(passed=1 + 1 + 8)
    inner.runpytest("--quick").assert_outcomes(passed=1 + CASES, deselected=1 + 8 - CASES)
