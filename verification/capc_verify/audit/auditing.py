"""What the commands of `capc verify` do, put together from its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.audit.claims import Claims, read_claims
from capc_verify.audit.questions import read_questions
from capc_verify.audit.report.document import Audit, document
from capc_verify.audit.report.environment import commit_here, environment_here
from capc_verify.audit.report.inventory import digest, inventory
from capc_verify.audit.report.statements import Verdict
from capc_verify.audit.runs.display import shown as displayed
from capc_verify.audit.runs.faulting import Caught, check_faults, last_results, try_faults
from capc_verify.audit.runs.running import Files, check_runnable, finish, now, run_again
from capc_verify.audit.selection import Selection, select
from capc_verify.audit.showing import show
from capc_verify.faults import FAULTS
from capc_verify.freshness.records import Freshness, all_records
from capc_verify.trace.report import read_report
from capc_verify.trace.spec import Specification, read_specification, spec_files

_MOST_FAILURES = 10
"""Of which a line is printed; the page has all."""


def check_asked(what: Sequence[str], *, everything: bool, quick: bool) -> None:
    """Checks that it was said what to run, once.

    Raises:
        InputError: it was not, or twice.
    """
    if everything and (what or quick):
        raise InputError(f"--all with {'--quick' if quick else what[0]}: give one of them")
    if not everything and not quick and not what:
        raise InputError("nothing to run: give claims or statements, or --quick, or --all")


def audit(
    root: Path, what: Sequence[str], *, quick: bool, workers: int, fresh: bool, log: Path | None
) -> dict[str, Any]:
    """Runs evidence again, and reports.

    Raises:
        InputError: something cannot be used, or files changed while tests ran.
        InterruptedRunError: Ctrl-C while tests ran.
    """
    specification, claims = _read(root)
    questions = read_questions(root, specification)
    selection = select(what, specification, claims, quick=quick)
    check_runnable(root)
    traced = read_report(root)
    hashes = inventory(root)
    head = {
        "asked": selection.words,
        "started": now(),
        "tree": digest(hashes),
        "commit": commit_here(root),
        "environment": environment_here(),
    }
    files = Files.of(root, selection.name, log)
    with displayed(f"verify {selection.words}") as watcher:
        run = run_again(root, selection, traced.evidence, head, watcher, files=files, workers=workers, fresh=fresh)
    changed = [
        name
        for group, found in inventory(root).items()
        for name in sorted(found.keys() | hashes[group].keys())
        if found.get(name) != hashes[group].get(name)
    ]
    if changed:
        raise InputError(f"{changed[0]}: changed while tests ran, so that nothing is shown: run it again")
    return document(Audit(root, specification, claims, questions, traced, selection, run, hashes))


def reported(root: Path, report: Mapping[str, Any]) -> None:
    """Ends the run of a report that is written: the same command begins anew."""
    asked = report["asked"]
    name = Selection(tuple(asked["names"]), (), asked["quick"]).name
    finish(Files.of(root, name, None), report["run"]["ended"])


def summary(report: Mapping[str, Any]) -> list[str]:
    """What people read in the terminal."""
    counts = Counter(entry["verdict"] for entry in report["statements"])
    lines = [
        f"{count} {'statement' if count == 1 else 'statements'} {verdict}"
        for verdict in Verdict
        if (count := counts[verdict.value])
    ]
    tests = report["run"]["tests"]
    lines.append(f"tests: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped")
    failed = [entry for entry in report["statements"] if entry["verdict"] == Verdict.FAILED.value]
    lines += [f"FAILED {entry['id']}: {entry['reasons'][0]}" for entry in failed[:_MOST_FAILURES]]
    if len(failed) > _MOST_FAILURES:
        lines.append(f"and {len(failed) - _MOST_FAILURES} more")
    lines += [f"FAILED {each['file']}: cannot be collected: {each['reason']}" for each in report["run"]["broken"]]
    stale = [record["name"] for record in report["records"] if record["state"] != "fresh"]
    if stale:
        lines.append(f"records that are stale or missing: {', '.join(stale)}")
    return [*lines, "PASSES" if report["passes"] else "FAILS"]


def shown(root: Path, identifier: str) -> list[str]:
    """The lines about a statement."""
    specification, claims = _read(root)
    return list(show(root, identifier, specification, claims, read_report(root)))


def tried(root: Path, names: Sequence[str], *, fresh: bool) -> list[Caught]:
    """What became of these faults, or of all; those that were tried on these very files are not tried again."""
    check_runnable(root)
    check_faults(names)
    tree, commit = digest(inventory(root)), str(commit_here(root)["id"])
    known = {} if fresh or names else {name: was for name, was in last_results(root).items() if was.tree == tree}
    open_ = [name for name in names or FAULTS if name not in known]
    with displayed("faults") as watcher:
        found = known | try_faults(root, open_, tree, commit, watcher)
    return [found[name] for name in names or FAULTS]


def records(root: Path) -> list[Freshness]:
    """All records of long runs."""
    specification, _ = _read(root)
    return all_records(root, specification)


def _read(root: Path) -> tuple[Specification, Claims]:
    if not spec_files(root):
        raise InputError(f"{root}: holds no spec/*.md: run this in a checkout, or give --root")
    specification = read_specification(root)
    return specification, read_claims(root, specification)
