"""``capc-trace``: check, report and confirm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.trace.check import check
from capc_verify.trace.evidence import Evidence, collect
from capc_verify.trace.lock import confirm
from capc_verify.trace.report import REPORT, render, summary
from capc_verify.trace.spec import Specification, explain_unknown, read_specification, spec_files


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if nothing is wrong, 1 if there are findings, 2 if the command cannot work.
    """
    arguments = _parser().parse_args(argv)
    root: Path = arguments.root
    try:
        if not spec_files(root):
            raise InputError(f"{root}: holds no spec/*.md; run this in the repository, or give --root")
        specification = read_specification(root)
        evidence = collect(root, specification)
        if arguments.command == "check":
            return _check(root, specification, evidence)
        if arguments.command == "report":
            return _report(root, specification, evidence)
        return _confirm(root, specification, evidence, arguments.ids)
    except InputError as error:
        print(f"capc-trace: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="capc-trace", description="Ties the specification to its evidence.")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="fail with one line per finding")
    commands.add_parser("report", help=f"write {REPORT.as_posix()} and print the counts")
    confirming = commands.add_parser("confirm", help="record that the evidence fits the sentences as they are")
    which = confirming.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", metavar="ID", default=[], help="the statements whose tests were read")
    which.add_argument("--all", action="store_true", help="every statement that has evidence")
    return parser


def _check(root: Path, specification: Specification, evidence: Evidence) -> int:
    findings = check(root, specification, evidence)
    for finding in findings:
        print(finding)
    count = len(specification.statements)
    print(f"{len(findings)} findings in {count} statements" if findings else f"{count} statements, no finding")
    return 1 if findings else 0


def _report(root: Path, specification: Specification, evidence: Evidence) -> int:
    (root / REPORT).write_text(render(specification, evidence), encoding="utf-8")
    print(summary(specification, evidence))
    return 0


def _confirm(root: Path, specification: Specification, evidence: Evidence, ids: list[str]) -> int:
    needing = {name for name, statement in specification.statements.items() if statement.needs_test}
    for name in ids:
        if name not in needing:
            problem = explain_unknown(name, specification) or f"{name} needs no test, so nothing is confirmed"
            raise InputError(problem)
    wanted = sorted(ids or needing)
    covered = [name for name in wanted if evidence.of(specification.statements[name])]
    confirm(root, specification, covered)
    for name in wanted:
        if name not in covered:
            print(f"{specification.statements[name].place}: {name} has no passing evidence; not confirmed")
    print(f"{len(covered)} of {len(wanted)} statements confirmed")
    return 0 if len(covered) == len(wanted) else 1
