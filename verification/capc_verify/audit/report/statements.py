"""What became of a statement: its tests by function, what of them was run again, and whether they show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from capc_verify.audit.runs.journal import Journal, Outcome
from capc_verify.audit.runs.plan import Collected
from capc_verify.trace.evidence import replayed_vector
from capc_verify.trace.spec import Statement

_CASE = re.compile(r"\[.*\Z", re.DOTALL)


class Verdict(StrEnum):
    """What is said of a statement or a claim."""

    SHOWN = "shown"
    FAILED = "failed"
    NOT_RERUN = "not run again"
    ASSUMED = "assumed"
    NOT_BINDING = "not binding"


@dataclass(frozen=True)
class Case:
    """A test, and what became of it: `passed`, `failed`, `skipped`, `missing` or `not run again`."""

    node: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    at: str = ""


@dataclass(frozen=True)
class Group:
    """The cases of one test function, or the vectors of one file.

    Attributes:
        name: of the function, or of the file of vectors.
        obtained: `test`, `enumeration`, `proof`, `model` or `vector`.
        cases: what became of each.
    """

    name: str
    obtained: str
    cases: tuple[Case, ...]

    def count(self, outcome: str) -> int:
        """How many cases ended so."""
        return sum(case.outcome == outcome for case in self.cases)


@dataclass(frozen=True)
class Judged:
    """A statement with its evidence.

    Attributes:
        statement: the statement.
        verdict: what is said of it.
        reasons: why, one line each, if it failed.
        groups: its evidence.
    """

    statement: Statement
    verdict: Verdict
    reasons: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def not_run(self) -> int:
        """How many of its tests were not run again, or did not tell."""
        return sum(group.count(outcome) for group in self.groups for outcome in (Verdict.NOT_RERUN.value, "skipped"))


def judge(
    statement: Statement, evidence: Sequence[str], collected: Collected, journal: Journal, lock: Mapping[str, str]
) -> Judged:
    """Judges a statement by a run.

    Args:
        statement: the statement.
        evidence: the tests that the last whole run of the suite had for it.
        collected: which tests the run found.
        journal: what became of them.
        lock: the hash of each sentence when somebody confirmed that its evidence fits it.
    """
    if not statement.binding:
        return Judged(statement, Verdict.NOT_BINDING, (), ())
    if statement.kind == "assumption":
        return Judged(statement, Verdict.ASSUMED, (), ())
    if statement.kind == "review":
        if statement.review_hash == statement.hash:
            return Judged(statement, Verdict.SHOWN, (), ())
        return Judged(statement, Verdict.FAILED, ("nobody has reviewed this text",), ())
    found = {**collected.left_out, **collected.chosen}
    nodes = {*evidence, *(node for node, ids in collected.chosen.items() if statement.id in ids)}
    cases = [_case(node, found, journal) for node in sorted(nodes)]
    reasons = [f"{case.node}: {case.outcome}: {case.reason}" for case in cases if case.outcome in {"failed", "missing"}]
    if lock.get(statement.id) != statement.hash:
        reasons.insert(0, "its sentence changed since somebody confirmed that this evidence fits it")
    if not evidence:
        reasons.insert(0, f"no test that passed is evidence of kind {statement.kind}")
    of_its_kind = set(evidence)
    passed = any(case.outcome == "passed" and case.node in of_its_kind for case in cases)
    verdict = Verdict.FAILED if reasons else Verdict.SHOWN if passed else Verdict.NOT_RERUN
    return Judged(statement, verdict, tuple(reasons), tuple(_groups(statement, cases, found)))


def verdict_of(verdicts: Iterable[Verdict]) -> Verdict:
    """What is said of a claim whose statements have these."""
    found = set(verdicts)
    for worst in (Verdict.FAILED, Verdict.NOT_RERUN, Verdict.SHOWN):
        if worst in found:
            return worst
    return Verdict.ASSUMED


def function_of(node: str) -> str:
    """The test function of a node id, without its parameters."""
    return _CASE.sub("", node)


def _case(node: str, found: Mapping[str, Mapping[str, str]], journal: Journal) -> Case:
    outcome: Outcome | None = journal.outcomes.get(node)
    if outcome is not None:
        return Case(node, outcome.outcome, outcome.reason, outcome.seconds, outcome.at)
    for file, reason in journal.broken.items():
        if node.startswith(file):
            return Case(node, "failed", f"{file} cannot be collected: {reason}")
    if node in found:
        return Case(node, Verdict.NOT_RERUN.value)
    return Case(node, "missing", "there is no such test any more")


def _groups(statement: Statement, cases: Iterable[Case], found: Mapping[str, Mapping[str, str]]) -> Iterable[Group]:
    together: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        vector = replayed_vector(case.node)
        declared = found.get(case.node, {}).get(statement.id, "test")
        of = (vector.partition("::")[0], "vector") if vector else (function_of(case.node), declared)
        together.setdefault(of, []).append(case)
    for (name, obtained), members in together.items():
        yield Group(name, obtained, tuple(members))
