"""Everything that can be wrong between the specification, its evidence, the lock and the committed report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from capc_verify.trace.evidence import RESULTS, VECTORS, Evidence
from capc_verify.trace.lock import LOCK, read_lock
from capc_verify.trace.report import REPORT, render
from capc_verify.trace.spec import Finding, Mention, Specification, Statement, explain_unknown


def check(root: Path, specification: Specification, evidence: Evidence) -> list[Finding]:
    """All findings, sorted by place; an empty list means that every statement is tied to its evidence."""
    return sorted(
        {
            *specification.findings,
            *_unknown_ids(specification, evidence),
            *_missing_evidence(specification, evidence),
            *_reviews(specification),
            *_stale_sentences(root, specification),
            *_stale_report(root, specification, evidence),
        }
    )


def _unknown_ids(specification: Specification, evidence: Evidence) -> Iterator[Finding]:
    in_tests = [Mention(node, name) for node, named in evidence.passed.items() for name in named]
    for mention in (*specification.mentions, *evidence.mentions, *in_tests):
        problem = explain_unknown(mention.id, specification)
        if problem:
            yield Finding(mention.place, problem)


def _missing_evidence(specification: Specification, evidence: Evidence) -> Iterator[Finding]:
    for statement in specification.statements.values():
        if statement.needs_test and not evidence.of(statement):
            yield Finding(statement.place, _what_is_missing(statement, evidence))
    for vector in evidence.unreplayed():
        yield Finding(f"{VECTORS.as_posix()} {vector}", f"no test that passed replays this vector ({RESULTS})")


def _what_is_missing(statement: Statement, evidence: Evidence) -> str:
    others = sorted(node for node, named in evidence.passed.items() if statement.id in named)
    message = f"{statement.id} ({statement.level}) has no passing evidence of kind {statement.kind}"
    if not others:
        return message
    if statement.kind == "vector":
        return f"{message}: {others[0]} names it, but replays no vector that lists it"
    return f"{message}: if {others[0]} is one, mark it req(..., kind={statement.kind!r})"


def _reviews(specification: Specification) -> Iterator[Finding]:
    for statement in specification.statements.values():
        if statement.kind == "review" and statement.review_hash != statement.hash:
            reason = "was reviewed with another text" if statement.review_hash else "has no review"
            remedy = f"review it, and end the paragraph with: Reviewed by NAME, YYYY-MM-DD, hash {statement.hash}."
            yield Finding(statement.place, f"{statement.id} {reason}; {remedy}")


def _stale_sentences(root: Path, specification: Specification) -> Iterator[Finding]:
    lock = read_lock(root)
    for statement in specification.statements.values():
        if statement.needs_test and lock.get(statement.id) != statement.hash:
            reason = "changed since its evidence was confirmed" if statement.id in lock else "was never confirmed"
            remedy = f"read its tests again, then `capc-trace confirm {statement.id}`"
            yield Finding(statement.place, f"{statement.id} {reason}; {remedy}")
    for name in lock:
        if name not in specification.statements or not specification.statements[name].needs_test:
            yield Finding(LOCK.as_posix(), f"{name} no longer needs a test; `capc-trace confirm --all` drops it")


def _stale_report(root: Path, specification: Specification, evidence: Evidence) -> Iterator[Finding]:
    path = root / REPORT
    if not path.is_file() or path.read_text(encoding="utf-8") != render(specification, evidence):
        yield Finding(REPORT.as_posix(), "not what the present tree gives; run `capc-trace report` and commit it")
