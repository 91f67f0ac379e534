"""Runs, in one process, the tests that are named for each of some faults: with it they must fail, without it pass."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from capc.foundation.errors import InputError
from capc_verify.faults.planting import Fault, planted
from capc_verify.quick import is_quick

_ACCIDENTS = (TypeError, AttributeError, NameError, ImportError, LookupError, SyntaxError, struct.error)
"""A test that trips over the fault's own mistake proves nothing."""


@dataclass(frozen=True)
class Verdict:
    """What the tests that are named for a fault did with it.

    Attributes:
        problems: for each test that did not catch it, why; empty if the fault is caught.
        quick: whether a test caught it that `make quick` runs.
    """

    problems: tuple[str, ...]
    quick: bool


class FaultCheck:
    """A plugin for one run of pytest, in the place of its loop over the tests.

    Every test is run with all fixtures set up for it alone. After the last fault is out, all tests are run once more:
    they must pass, which shows too that no fault left anything behind.

    Attributes:
        verdicts: by the name of the fault.
        remains: what did not pass without a fault, or could not be collected.
    """

    def __init__(self, faults: Mapping[str, Fault], *, until_quick: bool = False) -> None:
        """Checks some faults.

        Args:
            faults: by their names.
            until_quick: run only tests that `make quick` runs, and end with the first fault that one of them catches.
        """
        self._faults = faults
        self._until_quick = until_quick
        self._outcomes: list[tuple[pytest.TestReport, BaseException | None]] = []
        self.verdicts: dict[str, Verdict] = {}
        self.remains: list[str] = ["no test was run"]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keeps what stopped the collection."""
        if report.failed:
            self.remains.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keeps how each phase of a test ended."""
        report = yield
        self._outcomes.append((report, call.excinfo.value if call.excinfo else None))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs the tests of every fault with it, and then all without any."""
        if session.testsfailed:
            raise session.Interrupted("not all tests could be collected")
        items = {item.nodeid: item for item in session.items}
        tried: set[str] = set()
        for name, fault in self._faults.items():
            named = fault.detected_by
            if self._until_quick:
                named = tuple(node for node in named if node not in items or is_quick(items[node]))
            if not named:
                continue
            self.verdicts[name] = self._verdict(fault, named, items)
            tried.update(named)
            if self._until_quick and self.verdicts[name].quick:
                break
        self.remains = []
        for node, item in items.items():
            if node not in tried:
                continue
            self._run(item)
            if not all(report.passed for report, _ in self._outcomes):
                self.remains.append(f"{node}: does not pass without a fault: {_told(self._outcomes)}")
        return True

    def _verdict(self, fault: Fault, named: Sequence[str], items: Mapping[str, pytest.Item]) -> Verdict:
        problems: list[str] = []
        quick = False
        try:
            with planted(fault.plant):
                for node in named:
                    if node not in items:
                        problems.append(f"{node}: there is no such test")
                        continue
                    self._run(items[node])
                    problem = self._why_not_caught()
                    if problem is None:
                        quick |= is_quick(items[node])
                    else:
                        problems.append(f"{node}: {problem}")
        except InputError as error:
            problems.append(f"cannot be planted: {error}")
        return Verdict(tuple(problems), quick)

    def _run(self, item: pytest.Item) -> None:
        self._outcomes.clear()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def _why_not_caught(self) -> str | None:
        """What the test did other than to fail for what it found; None if it did that."""
        by_phase = {report.when: (report, error) for report, error in self._outcomes}
        for phase in ("setup", "teardown"):
            report, error = by_phase[phase]
            if not report.passed:
                return f"its {phase} did not pass: {error!r}"
        report, error = by_phase["call"]
        if not report.failed or error is None:
            return report.outcome
        if all(isinstance(leaf, _ACCIDENTS) for leaf in _leaves(error)):
            return f"tripped over the fault's own mistake: {error!r}"
        return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, as Hypothesis raises them, or the one error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _told(outcomes: list[tuple[pytest.TestReport, BaseException | None]]) -> str:
    return "; ".join(f"{report.when} {report.outcome}: {error!r}" for report, error in outcomes if not report.passed)
