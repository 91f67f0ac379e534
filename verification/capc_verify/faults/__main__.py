"""``python -m capc_verify.faults FAMILY ...``: is every seeded fault caught by the tests that are named for it?

Prints a line for each fault. Run it in a checkout: it runs tests of ``tests``, and needs what they need.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Mapping, Sequence

import pytest

from capc_verify.faults import Fault, families
from capc_verify.faults.check import FaultCheck

_OPTIONS = ("-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:capc_trace_recorder", "--hypothesis-profile=fault")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if every fault of every family is caught, and one of each family by a test that `make quick` runs; else 1.
    """
    available = families()
    parser = argparse.ArgumentParser(prog="faults", description="Checks that seeded faults are caught.")
    parser.add_argument("families", nargs="*", metavar="FAMILY", choices=[*available, []], help=", ".join(available))
    one = "of a family the first that a quick test catches, by quick tests only"
    parser.add_argument("--one", action="store_true", help=one)
    arguments = parser.parse_args(argv)
    chosen = arguments.families or list(available)
    failed = [family for family in chosen if not _check(family, available[family], until_quick=arguments.one)]
    return 1 if failed else 0


def _check(family: str, faults: Mapping[str, Fault], *, until_quick: bool) -> bool:
    """Prints what became of each fault of a family; whether all is as it must be."""
    check = FaultCheck(faults, until_quick=until_quick)
    named = sorted({node for fault in faults.values() for node in fault.detected_by})
    # Of pytest's own output only what stops it is of interest: tests are meant to fail here.
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main([*_OPTIONS, *named], plugins=[check])
    problems = list(check.remains)
    for name, verdict in check.verdicts.items():
        print(f"{family}: {name}: {'NOT CAUGHT' if verdict.problems else 'caught'}", flush=True)
        problems += [f"{name}: {problem}" for problem in verdict.problems]
    if not any(verdict.quick for verdict in check.verdicts.values()):
        problems.append("no fault is caught by a test of `make quick`")
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        problems.append(f"pytest stopped: {output.getvalue().strip()}")
    for problem in problems:
        print(f"{family}: {problem}", file=sys.stderr)
    return not problems


if __name__ == "__main__":
    sys.exit(main())
