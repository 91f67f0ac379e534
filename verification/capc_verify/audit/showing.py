"""One statement with all that stands behind it, as lines for people (``capc verify show``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.audit.claims import Claims
from capc_verify.audit.matrix import faults_of_statements
from capc_verify.audit.report.statements import function_of
from capc_verify.audit.runs.faulting import Caught, last_results
from capc_verify.audit.runs.journal import Outcome, latest
from capc_verify.faults import FAULTS
from capc_verify.freshness.records import all_records
from capc_verify.trace.evidence import replayed_vector
from capc_verify.trace.lock import read_lock
from capc_verify.trace.report import Traced
from capc_verify.trace.spec import Specification, Statement, end_of_statement, explain_unknown

_Last = Mapping[str, tuple[Outcome, Mapping[str, Any]]]
_MOST_LINES = 40
"""Of a function that is listed."""
_MOST_VECTORS = 12


def show(root: Path, identifier: str, specification: Specification, claims: Claims, traced: Traced) -> Iterator[str]:
    """The lines about a statement.

    Raises:
        InputError: there is none of this id.
    """
    problem = explain_unknown(identifier, specification)
    if problem:
        raise InputError(problem)
    statement = specification.statements[identifier]
    evidence = traced.evidence.get(identifier, ())
    last = latest(root)
    yield f"{identifier} ({statement.kind}), {statement.place}"
    yield ""
    yield from _as_written(root, statement)
    yield ""
    behind = [claim.name for claim in claims.claims.values() if identifier in claim.statements]
    confirmed = read_lock(root).get(identifier)
    yield f"claims: {', '.join(behind) or 'none'}"
    yield f"hash: {statement.hash}, {_confirmed(statement, confirmed)}"
    yield from _code(root, traced.code.get(identifier, ()))
    yield from _tests(evidence, last)
    yield from _vectors(evidence)
    yield from _faults(faults_of_statements({identifier: evidence})[identifier], last_results(root))
    for record in all_records(root, specification, naming=identifier):
        yield f"record {record.name}: {record.state} {record.date}".rstrip()


def _as_written(root: Path, statement: Statement) -> Iterator[str]:
    """The paragraph, and the list, table or listing that belongs to it."""
    lines = (root / statement.file).read_text(encoding="utf-8").splitlines()
    begin = statement.line - 1
    yield from (f"  {line}".rstrip() for line in lines[begin : end_of_statement(lines, begin)])


def _confirmed(statement: Statement, confirmed: str | None) -> str:
    if not statement.needs_test:
        return "which needs no confirmation"
    return "confirmed with its evidence" if confirmed == statement.hash else "CHANGED since its evidence was confirmed"


def _code(root: Path, places: Sequence[str]) -> Iterator[str]:
    yield f"code: {len(places)} places"
    for place in places:
        file, _, name = place.partition("::")
        node = _found(root / file, name.split(".")) if name else None
        yield f"  {place}" if node is None else f"  {file}:{node.lineno} {name}"
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno < _MOST_LINES:
            yield from (f"    {line}" for line in _listing(root / file, node))


def _found(path: Path, names: Sequence[str]) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    """The function or class of a file by its dotted name; None if it is not there any more."""
    found: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None = None
    within: ast.AST = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    for name in names:
        inner = (node for node in ast.walk(within) if getattr(node, "name", None) == name)
        found = next(
            (node for node in inner if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)), None
        )
        if found is None:
            return None
        within = found
    return found


def _listing(path: Path, node: ast.FunctionDef) -> Iterator[str]:
    """The lines of a function without its docstring and empty lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = node.body[0]
    is_told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    told = range(first.lineno, (first.end_lineno or first.lineno) + 1) if is_told else range(0)
    for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        if number not in told and lines[number - 1].strip():
            yield lines[number - 1]


def _tests(evidence: Sequence[str], last: _Last) -> Iterator[str]:
    together: dict[str, list[str]] = {}
    for node in evidence:
        together.setdefault(function_of(node), []).append(node)
    yield f"tests: {len(together)} functions, {len(evidence)} cases"
    for name, nodes in together.items():
        results = [last[node] for node in nodes if node in last]
        yield f"  {name}: {len(nodes)} {'case' if len(nodes) == 1 else 'cases'}, {_told(len(nodes), results)}"
        for outcome, _ in results:
            if outcome.outcome == "failed":
                yield f"    {outcome.node}: {outcome.reason}"


def _told(cases: int, results: Sequence[tuple[Outcome, Mapping[str, Any]]]) -> str:
    if not results:
        return "passed in the run that spec/traceability.json is of; not run by capc verify here"
    counts = {kind: sum(outcome.outcome == kind for outcome, _ in results) for kind in ("passed", "failed", "skipped")}
    newest, head = max(results, key=lambda each: each[0].at)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    rest = f", {cases - len(results)} not run here" if len(results) < cases else ""
    commit = str(head.get("commit", {}).get("id", ""))[:12]
    return f"{told}{rest}; last {newest.at}{f' at {commit}' if commit else ''}"


def _vectors(evidence: Sequence[str]) -> Iterator[str]:
    found = [vector for vector in map(replayed_vector, evidence) if vector]
    yield f"vectors: {len(found)}"
    yield from (f"  {vector}" for vector in found[:_MOST_VECTORS])
    if len(found) > _MOST_VECTORS:
        yield f"  and {len(found) - _MOST_VECTORS} more"


def _faults(names: Sequence[str], last: Mapping[str, Caught]) -> Iterator[str]:
    yield f"seeded faults: {len(names)}"
    for name in names:
        result = last.get(name)
        when = "not tried here" if result is None else f"{'caught' if result.caught else 'NOT CAUGHT'} {result.at}"
        yield f"  {name}: {FAULTS[name].summary} {when}"
