"""The report: ``spec/traceability.json`` for machines and auditors, a table of counts for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.trace.evidence import Evidence
from capc_verify.trace.spec import KINDS, Specification, Statement

REPORT = Path("spec") / "traceability.json"


@dataclass(frozen=True)
class Traced:
    """What the committed report says.

    Attributes:
        evidence: for each statement the tests that were evidence of its kind in the last whole run of the suite.
        code: for each statement the places of the code that name it.
    """

    evidence: Mapping[str, tuple[str, ...]]
    code: Mapping[str, tuple[str, ...]]


def read_report(root: Path) -> Traced:
    """Reads ``spec/traceability.json``.

    Raises:
        InputError: it is not there, or is no such report.
    """
    path = root / REPORT
    try:
        requirements = json.loads(path.read_text(encoding="utf-8"))["requirements"]
        evidence = {entry["id"]: tuple(entry["evidence"]) for entry in requirements}
        return Traced(evidence, {entry["id"]: tuple(entry["code"]) for entry in requirements})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a report of `capc-trace report` ({error!r}); make test generate") from error


def render(specification: Specification, evidence: Evidence) -> str:
    """The text of ``spec/traceability.json``: the same for the same statements, code and passing tests."""
    requirements = [
        {
            "id": statement.id,
            "kind": statement.kind,
            "level": statement.level,
            "file": statement.file,
            "sentence_hash": statement.hash,
            "code": list(evidence.code.get(statement.id, ())),
            "evidence": evidence.of(statement),
        }
        for statement in specification.statements.values()
    ]
    document = {"requirements": requirements, "withdrawn": sorted(specification.withdrawn)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def summary(specification: Specification, evidence: Evidence) -> str:
    """Counts per kind of evidence and per area, and every assumption by name."""
    statements = list(specification.statements.values())
    areas = sorted({statement.area for statement in statements})
    by_kind = _table("kind", KINDS, lambda entry: entry.kind, statements, evidence)
    by_area = _table("area", areas, lambda entry: entry.area, statements, evidence)
    assumptions = [f"  {entry.id}  {entry.sentence}" for entry in statements if entry.kind == "assumption"]
    return "\n".join([*by_kind, "", *by_area, "", "Assumptions:", *(assumptions or ["  none"])])


def _table(
    title: str,
    rows: Iterable[str],
    group_of: Callable[[Statement], str],
    statements: list[Statement],
    evidence: Evidence,
) -> list[str]:
    lines = [f"{title:<12} statements  binding  with tests  tests"]
    for row in rows:
        members = [entry for entry in statements if group_of(entry) == row]
        binding = sum(entry.binding for entry in members)
        tests = [evidence.of(entry) for entry in members]
        distinct = len({node for nodes in tests for node in nodes})
        lines.append(f"{row:<12} {len(members):>10} {binding:>8} {sum(map(bool, tests)):>11} {distinct:>6}")
    return lines
