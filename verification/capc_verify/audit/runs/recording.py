"""The part of the pytest plugin that runs what `capc verify` asks for, and keeps what became of each test at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capc_verify.audit.runs.journal import Outcome, write_line
from capc_verify.audit.runs.plan import Collected, Plan, write_collected
from capc_verify.quick import CASES, is_quick
from capc_verify.trace.evidence import replayed_vector
from capc_verify.trace.marks import requirements_of

_LONGEST_REASON = 400


def choose(
    named: Mapping[str, Mapping[str, str]], quick: set[str] | None, evidence: Mapping[str, Sequence[str]]
) -> set[str]:
    """The tests to run of those that were found.

    Args:
        named: by node id, the ids that the test names.
        quick: those that are quick; None if all are run.
        evidence: for each statement, the tests that are known to be evidence of its kind.

    Returns:
        All that name one of the statements. Of a quick run the quick ones; and for a statement without a quick one the
        first test that is evidence, or the first few vectors.
    """
    naming = {node for node, ids in named.items() if ids.keys() & evidence.keys()}
    if quick is None:
        return naming
    chosen = naming & quick
    for nodes in evidence.values():
        found = sorted(node for node in nodes if node in naming)
        if not chosen.intersection(found):
            chosen.update(found[: CASES if found and replayed_vector(found[0]) else 1])
    return chosen


class Recording:
    """A plugin for one run: chooses the tests, and writes the journal."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        """Writes nothing yet.

        Args:
            config: of this process.
            plan: what is asked for.
        """
        self._plan = plan
        worker: dict[str, str] | None = getattr(config, "workerinput", None)
        # Workers collect, each the same; the controller hears of the outcomes.
        self._tells_what_it_found = worker is None or worker["workerid"] == "gw0"
        self._is_controller = worker is None
        self._phases: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keeps the tests that are to be run."""
        # A test may name a statement while it runs; the evidence knows of it.
        known: dict[str, dict[str, str]] = {}
        for name, nodes in self._plan.evidence.items():
            for node in nodes:
                known.setdefault(node, {})[name] = "test"
        named = {item.nodeid: known.get(item.nodeid, {}) | requirements_of(item) for item in items}
        quick = {item.nodeid for item in items if is_quick(item)} if self._plan.quick else None
        chosen = choose(named, quick, self._plan.evidence)
        if self._tells_what_it_found:
            wanted = {
                node: {name: kind for name, kind in ids.items() if name in self._plan.evidence}
                for node, ids in named.items()
            }
            found = Collected(
                {node: ids for node, ids in wanted.items() if node in chosen},
                {node: ids for node, ids in wanted.items() if ids and node not in chosen},
            )
            write_collected(Path(self._plan.collected), found)
        running = chosen.difference(self._plan.done)
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in running])
        items[:] = [item for item in items if item.nodeid in running]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Writes a line when a test has ended."""
        if not self._is_controller:
            return
        self._phases.setdefault(report.nodeid, []).append(report)
        # A report of no phase is of a worker that died.
        if report.when == "teardown" or report.when not in {"setup", "call"}:
            write_line(Path(self._plan.journal), _outcome(self._phases.pop(report.nodeid)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Writes a line for a file that cannot be collected."""
        if self._is_controller and report.failed:
            line = {"broken": report.nodeid, "reason": _error_in(report.longreprtext)}
            write_line(Path(self._plan.journal), line)


_IN_GROUP = re.compile(r"^[ |]+\| (\w+(?:Error|Exception): .*)$", re.MULTILINE)
"""Errors of a group, of which pytest's own line says only how many they are."""


def _outcome(phases: Sequence[pytest.TestReport]) -> Outcome:
    worst = next((report for report in phases if report.failed), None)
    skipped = next((report for report in phases if report.skipped), None)
    told = worst or skipped
    outcome = "failed" if worst else "skipped" if skipped else "passed"
    reason = "" if told is None else _reason(told)
    seconds = round(sum(report.duration for report in phases), 2)
    return Outcome(phases[0].nodeid, outcome, seconds, datetime.now(UTC).isoformat(timespec="seconds"), reason)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return _error_in(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    where = "" if report.when == "call" else f"in {report.when}: "
    if crash is None:
        return where + _error_in(report.longreprtext)
    message = " ".join(crash.message.split())
    if message.startswith(("ExceptionGroup", "BaseExceptionGroup")):
        message += "".join(f" {error}" for error in _IN_GROUP.findall(report.longreprtext)[:1])
    return f"{_place(crash.path)}:{crash.lineno}{_caller(report)}: {where}{message}"[:_LONGEST_REASON]


def _caller(report: pytest.TestReport) -> str:
    """Who called what raised, if that stands in another file: of a helper that raises for all it says which it was."""
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", [])
    places = [place for each in entries if (place := getattr(each, "reprfileloc", None)) is not None]
    if len(places) < 2 or _place(places[-2].path) == _place(places[-1].path):
        return ""
    caller = _place(places[-2].path)
    # A library that calls back is not who is meant.
    return "" if "/" not in caller or "site-packages" in caller else f" (from {caller}:{places[-2].lineno})"


def _place(file: str) -> str:
    here = Path.cwd()
    path = here / file
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def _error_in(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # What pytest marks is the error itself; what follows says where.
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["no reason was given"])[-1][:_LONGEST_REASON]
