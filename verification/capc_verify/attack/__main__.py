"""``python -m capc_verify.attack``: an auditor's attack on the shipped release, beside all that is printed.

Prints, for each case, what was found from below and what is printed from above. ``--record`` keeps it in
``verification/evidence/attack.json`` with the commit it is of. Randomness is fresh, so no two runs give the same
numbers, and no seed is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.attack.attack import FAILURE, Finding, Outcome, attack
from capc_verify.attack.cases import CASES, Case
from capc_verify.freshness.covering import Covered, covered_now
from capc_verify.freshness.records import OTHERS
from capc_verify.nightly import commit_of
from capc_verify.trace.spec import read_specification

RECORD, PROGRAM, COMMAND = OTHERS["attack"]
TRIALS = 40_000
_SESSIONS = 10
"""How many fewer trials whole sessions get, which take so much longer."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if nothing printed is refuted, 1 if something is, 2 if the command cannot work.
    """
    parser = argparse.ArgumentParser(prog="attack", description="Attacks released labels, beside what is printed.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="parts of names of cases (default: all cases)")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"under each hypothesis (default: {TRIALS})")
    parser.add_argument("--record", action="store_true", help=f"keep all cases in {RECORD.as_posix()}")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    try:
        chosen = [case for case in CASES if not arguments.cases or any(part in case.name for part in arguments.cases)]
        _check(chosen, arguments)
        root = arguments.root.resolve()
        commit = commit_of(root, RECORD) if arguments.record else ""
        covered = covered_now(root, [PROGRAM], read_specification(root)) if arguments.record else None
        outcomes = [_tried(case, arguments.trials, FAILURE / len(chosen)) for case in chosen]
    except InputError as error:
        print(f"attack: {error}", file=sys.stderr)
        return 2
    if covered is not None:
        record = _record(outcomes, commit, covered, round((time.monotonic() - started) / 60, 1))
        (arguments.root / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return int(any(outcome.refuted for outcome in outcomes))


def _check(chosen: Sequence[Case], arguments: argparse.Namespace) -> None:
    if not chosen:
        raise InputError(f"case {arguments.cases[0]!r}: there is none; choose from {', '.join(c.name for c in CASES)}")
    if arguments.trials < 2 * _SESSIONS:
        raise InputError(f"--trials {arguments.trials}: give at least {2 * _SESSIONS}")
    if arguments.record and len(chosen) < len(CASES):
        raise InputError("--record: a record is of all cases: name none")


def _tried(case: Case, trials: int, failure: float) -> Outcome:
    outcome = attack(case, trials // _SESSIONS if case.whole_sessions else trials, failure)
    print(f"{'REFUTED: ' if outcome.refuted else ''}{case.name}: {outcome.trials} trials under each hypothesis")
    for finding in outcome.findings:
        print(f"  delta {float(finding.delta):g}: {_told(finding)}", flush=True)
    return outcome


def _told(finding: Finding) -> str:
    exact = f"the adversary's exact epsilon {finding.played:.3f}, the best one's {finding.best:.3f}"
    printed = "; ".join(
        f"{method.value} {' and '.join(f'{float(value):.3f}' for value in dict.fromkeys(each.values()))}"
        for method, each in finding.printed.items()
    )
    return f"epsilon >= {finding.estimate:.3f} found; {exact}; printed <= {printed}"


def _record(outcomes: Sequence[Outcome], commit: str, covered: Covered, minutes: float) -> dict[str, object]:
    return {
        "about": (
            "Lower bounds of epsilon that an attack found in released labels, beside every epsilon that is printed for "
            "them. All lower bounds hold together with probability 1 - 10^-6 over fresh draws; exact values are those "
            "of the adversaries against the laws of section 12, in floats. Towards a cheat the offsets are its own."
        ),
        "command": COMMAND,
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "failure": FAILURE,
        "minutes": minutes,
        "covers": covered.to_json(),
        "cases": [_case_record(outcome) for outcome in outcomes],
    }


def _case_record(outcome: Outcome) -> dict[str, object]:
    case = outcome.case
    return {
        "name": case.name,
        "noise": case.noise.value,
        "sigma": str(case.sigma),
        "grid_bits": case.grid_bits,
        "adjacency": case.adjacency.value,
        "labels": case.labels,
        "parties": case.parties,
        "classes": case.classes,
        "threshold": None if case.threshold is None else str(case.threshold),
        "threshold_mode": None if case.threshold is None else case.mode.value,
        "cheating_querying_party": case.cheating,
        "released_by": "steps of all parties" if case.whole_sessions else "ideal functionality",
        "trials": outcome.trials,
        "at": [_finding_record(finding) for finding in outcome.findings],
    }


def _finding_record(finding: Finding) -> dict[str, object]:
    return {
        "delta": str(finding.delta),
        "found_from_below": _rounded(finding.estimate),
        "exact_of_this_adversary": _rounded(finding.played),
        "exact_of_the_best_adversary": _rounded(finding.best),
        "printed": {
            method.value: {towards.value: _rounded(value) for towards, value in each.items()}
            for method, each in finding.printed.items()
        },
    }


def _rounded(value: float | Fraction) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    sys.exit(main())
