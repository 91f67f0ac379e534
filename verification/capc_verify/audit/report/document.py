"""The report as a JSON document (capc_spec/schemas/verify_report.schema.json)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capc_verify.audit.claims import Claim, Claims
from capc_verify.audit.matrix import faults_of_statements, without_fault
from capc_verify.audit.questions import Question
from capc_verify.audit.report.statements import Group, Judged, Verdict, judge, verdict_of
from capc_verify.audit.runs.faulting import as_json, last_results
from capc_verify.audit.runs.running import Run, now
from capc_verify.audit.selection import Selection
from capc_verify.audit.unfaulted import reasons_for
from capc_verify.faults import FAULTS
from capc_verify.freshness.records import Freshness, all_records
from capc_verify.trace.lock import read_lock
from capc_verify.trace.report import Traced
from capc_verify.trace.spec import Specification

SCHEMA = "verify_report/v1"

_MOST_REASONS = 20
"""Of one statement; the count of the others is told."""


@dataclass(frozen=True)
class Audit:
    """All that a report is made of.

    Attributes:
        root: of the checkout.
        specification: its statements.
        claims: those of section 90.
        questions: those of an auditor.
        traced: what the last whole run of the suite had for each statement.
        selection: what was run again.
        run: what became of it.
        hashes: of every file, by group and name.
    """

    root: Path
    specification: Specification
    claims: Claims
    questions: tuple[Question, ...]
    traced: Traced
    selection: Selection
    run: Run
    hashes: Mapping[str, Mapping[str, str]]


def document(audit: Audit) -> dict[str, Any]:
    """The report, but for the hash of its page."""
    head, journal = audit.run.journal.head, audit.run.journal
    lock = read_lock(audit.root)
    judged = {
        name: judge(
            audit.specification.statements[name],
            audit.traced.evidence.get(name, ()),
            audit.run.collected,
            journal,
            lock,
        )
        for name in audit.selection.statements
    }
    records = all_records(audit.root, audit.specification)
    faults = faults_of_statements(audit.traced.evidence)
    return {
        "schema": SCHEMA,
        "passes": not journal.broken and all(each.verdict is not Verdict.FAILED for each in judged.values()),
        "made": now(),
        "asked": {"names": list(audit.selection.asked), "quick": audit.selection.quick, "words": audit.selection.words},
        "run": {
            "started": head["started"],
            "ended": journal.ended,
            "seconds": round(sum(outcome.seconds for outcome in journal.outcomes.values()), 1),
            "went_on_from": audit.run.went_on_from,
            "tests": _counts(outcome.outcome for outcome in journal.outcomes.values()),
            "left_out": len(audit.run.collected.left_out),
            "broken": [{"file": file, "reason": reason} for file, reason in sorted(journal.broken.items())],
        },
        "commit": head["commit"],
        "environment": head["environment"],
        "tree": head["tree"],
        "assumptions": [{"tag": tag, "text": text} for tag, text in audit.claims.assumptions.items()],
        "claims": [_claim(claim, judged) for claim in audit.claims.claims.values()],
        "questions": [_question(each, judged, audit.specification) for each in audit.questions],
        "not_claimed": list(audit.claims.not_claimed),
        "statements": [_statement(each, audit.traced, faults, records) for each in judged.values()],
        "not_asked": [name for name in audit.specification.statements if name not in judged],
        "matrix": _matrix(audit, faults),
        "records": [{**asdict(record), "state": record.state} for record in records],
        "hashes": {group: dict(hashes) for group, hashes in audit.hashes.items()},
    }


def _counts(outcomes: Iterable[str]) -> dict[str, int]:
    found = {"passed": 0, "failed": 0, "skipped": 0}
    for outcome in outcomes:
        found[outcome] += 1
    return found


def _claim(claim: Claim, judged: Mapping[str, Judged]) -> dict[str, Any]:
    known = [judged[name].verdict for name in claim.statements if name in judged]
    complete = len(known) == len(claim.statements)
    return {
        "name": claim.name,
        "text": claim.text,
        "verdict": verdict_of(known if complete else [*known, Verdict.NOT_RERUN]).value,
        "assumptions": {"text": claim.assumptions, "tags": list(claim.tags)},
        "argument": [
            {"file": part.file, "heading": part.heading, "blocks": [asdict(block) for block in part.text]}
            for part in claim.arguments
        ],
        "statements": list(claim.statements),
        "falsified_by": claim.falsified_by,
    }


def _question(question: Question, judged: Mapping[str, Judged], specification: Specification) -> dict[str, Any]:
    verdicts = {each.id: _verdict(each.id, judged, specification) for each in question.rests_on}
    return {
        "number": question.number,
        "question": question.text,
        "verdict": verdict_of(verdicts.values()).value,
        "answer": [asdict(block) for block in question.answer],
        "rests_on": [
            {
                "id": each.id,
                "kind": specification.statements[each.id].kind,
                "verdict": verdicts[each.id].value,
                "behind": each.behind,
                "sentence": specification.statements[each.id].sentence,
            }
            for each in question.rests_on
        ],
    }


def _verdict(identifier: str, judged: Mapping[str, Judged], specification: Specification) -> Verdict:
    """What is said of a statement, also where it was not asked for."""
    if identifier in judged:
        return judged[identifier].verdict
    assumed = specification.statements[identifier].kind == "assumption"
    return Verdict.ASSUMED if assumed else Verdict.NOT_RERUN


def _statement(
    judged: Judged, traced: Traced, faults: Mapping[str, Sequence[str]], records: Sequence[Freshness]
) -> dict[str, Any]:
    statement = judged.statement
    reasons = list(judged.reasons[:_MOST_REASONS])
    if len(judged.reasons) > _MOST_REASONS:
        reasons.append(f"and {len(judged.reasons) - _MOST_REASONS} more of the same kinds")
    return {
        "id": statement.id,
        "kind": statement.kind,
        "level": statement.level,
        "file": statement.file,
        "line": statement.line,
        "sentence": statement.sentence,
        "sentence_hash": statement.hash,
        "verdict": judged.verdict.value,
        "reasons": reasons,
        "code": list(traced.code.get(statement.id, ())),
        "evidence": [_group(group) for group in judged.groups],
        "faults": list(faults.get(statement.id, ())),
        "records": [record.name for record in records if statement.id in record.statements],
    }


def _group(group: Group) -> dict[str, Any]:
    told = [case for case in group.cases if case.at]
    return {
        "name": group.name,
        "obtained": group.obtained,
        "cases": len(group.cases),
        "passed": group.count("passed"),
        "failed": group.count("failed"),
        "missing": group.count("missing"),
        "skipped": group.count("skipped"),
        "not_run_again": group.count(Verdict.NOT_RERUN.value),
        "seconds": round(sum(case.seconds for case in told), 2),
        "at": max((case.at for case in told), default=""),
    }


def _matrix(audit: Audit, faults: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    statements = audit.specification.statements
    last = last_results(audit.root)
    of_kind_test = [name for name, entry in statements.items() if entry.binding and entry.kind == "test"]
    broken: dict[str, list[str]] = {}
    for name in statements:
        for fault in faults.get(name, ()):
            broken.setdefault(fault, []).append(name)
    without = without_fault(audit.specification, faults)
    return {
        "statements": {name: list(faults.get(name, ())) for name in of_kind_test if faults.get(name)},
        "without_fault": without,
        "reasons": [{"text": each.text, "statements": list(each.statements)} for each in reasons_for(without)],
        "faults": [
            {
                "name": name,
                "family": fault.family,
                "summary": fault.summary,
                "tests": list(fault.detected_by),
                "statements": broken.get(name, []),
                "last": as_json(last.get(name)),
            }
            for name, fault in sorted(FAULTS.items())
        ],
    }
