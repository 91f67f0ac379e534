"""The pytest plugin that ties tests to statements, and runs a suite against a seeded fault.

A test names the statements it is evidence for: ``@pytest.mark.req(id, ...)``, with ``kind="enumeration"``,
``"proof"`` or ``"model"`` if it is evidence of that kind. Ids that the specification does not hold stop the
collection. What passed is written to ``.trace/results.json``, for ``capc-trace``.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.audit.runs.plan import read_plan
from capc_verify.audit.runs.recording import Recording
from capc_verify.quick import CASES, is_quick
from capc_verify.trace.evidence import RESULTS
from capc_verify.trace.marks import REQUIREMENTS, requirements_of
from capc_verify.trace.spec import TESTED_KINDS, explain_unknown, read_specification, spec_files

_REFUSAL = "capc_req_refusal"
_MARKED_KINDS = tuple(kind for kind in TESTED_KINDS if kind != "vector")
_RECORDER = "capc_trace_recorder"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of this plugin."""
    group = parser.getgroup("capc", "CaPC: traceability, quick tests and seeded faults")
    group.addoption(
        "--trace-append", action="store_true", help=f"keep what earlier runs wrote to {RESULTS} about other tests"
    )
    group.addoption("--quick", action="store_true", help=f"leave out slow tests, and cases after the first {CASES}")
    group.addoption("--verify-plan", metavar="FILE", help="run and record what `capc verify` asks for in this file")
    group.addoption("--seed-fault", metavar="NAME", help="run the tests against a named fault of capc_verify.faults")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, plants the fault if one is asked for, and starts to record."""
    config.addinivalue_line(
        "markers", "req(id, ..., kind='test'): the test is evidence for these statements of the specification"
    )
    config.addinivalue_line("markers", "slow: takes more than a moment: `make quick` leaves it out")
    fault: str | None = config.getoption("--seed-fault")
    if fault is not None:
        try:
            stack = ExitStack()
            stack.enter_context(importlib.import_module("capc_verify.faults").seeded(fault))
        except InputError as error:
            raise pytest.UsageError(str(error)) from error
        config.add_cleanup(stack.close)
    # What passes against a fault is no evidence, and a worker's reports reach the controller.
    elif not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config), _RECORDER)
    plan: str | None = config.getoption("--verify-plan")
    if plan is not None:
        config.pluginmanager.register(Recording(config, read_plan(Path(plan))))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuses markers that name no statement in force, and leaves out what is not quick if that is asked for.

    Raises:
        pytest.UsageError: the one line that lists them.
    """
    problems = sorted({problem for item in items for problem in _marker_problems(item)})
    if spec_files(config.rootpath):
        specification = read_specification(config.rootpath)
        named = {identifier for item in items for identifier in requirements_of(item)}
        explained = (explain_unknown(identifier, specification) for identifier in sorted(named))
        problems += [problem for problem in explained if problem]
    if config.getoption("--quick"):
        left_out = [item for item in items if not is_quick(item)]
        items[:] = [item for item in items if is_quick(item)]
        config.hook.pytest_deselected(items=left_out)
    if not problems:
        return
    line = "@pytest.mark.req: " + "; ".join(problems)
    if not hasattr(config, "workeroutput"):
        raise pytest.UsageError(line)
    # A worker that stops here looks like a crash. It runs nothing, and leaves the refusal to the controller.
    config.workeroutput[_REFUSAL] = line
    items.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Refuses on the controller what a worker of pytest-xdist collected.

    Raises:
        pytest.UsageError: the worker's one line.
    """
    line = getattr(node, "workeroutput", {}).get(_REFUSAL)
    if line:
        raise pytest.UsageError(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts the ids into the report: only reports travel from a worker to the controller."""
    report = yield
    if call.when == "call":
        report.user_properties.append((REQUIREMENTS, requirements_of(item)))
    return report


class _Recorder:
    """Records which tests passed, in all their phases, and for which statements."""

    def __init__(self, config: pytest.Config) -> None:
        self._path: Path = config.rootpath / RESULTS
        self._append: bool = config.getoption("--trace-append")
        self._collect_only: bool = config.getoption("collectonly")
        self._passed: dict[str, dict[str, str]] = {}
        self._not_passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed or hasattr(report, "wasxfail"):
            self._not_passed.add(report.nodeid)
        for name, value in report.user_properties:
            if name == REQUIREMENTS and isinstance(value, dict) and value:
                self._passed[report.nodeid] = value

    def pytest_sessionfinish(self) -> None:
        if self._collect_only:
            return
        earlier: dict[str, dict[str, str]] = {}
        if self._append and self._path.is_file():
            earlier = json.loads(self._path.read_text(encoding="utf-8"))
        known = earlier | self._passed
        merged = {node: named for node, named in known.items() if node not in self._not_passed}
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _marker_problems(item: pytest.Item) -> Iterable[str]:
    for marker in item.iter_markers("req"):
        if not marker.args or not all(isinstance(identifier, str) for identifier in marker.args):
            yield f"{item.nodeid}: give one or more ids as strings"
        if marker.kwargs.get("kind", "test") not in _MARKED_KINDS or set(marker.kwargs) - {"kind"}:
            yield f"{item.nodeid}: the only keyword is kind, one of {', '.join(_MARKED_KINDS)}"
