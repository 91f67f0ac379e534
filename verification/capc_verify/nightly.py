"""``python -m capc_verify.nightly ROOM ...``: the long property runs, and the record of them.

Kills, fuzz and long properties have an ordinary size, which every change must pass, and a nightly one. A test that has
both reads them from ``support.sizes``. This runs the files of a room that do so (``privacy.ledger`` is the folder
``tests/privacy/ledger``), at the nightly size, and keeps what passed in ``verification/evidence/nightly/ROOM.json``
with the commit it is of, and with hashes of the code and of the statements that it speaks of. A run that is not whole
is not recorded: something failed, or the tree is not that of a commit. The room ``stale`` is all those whose record is
of other code or other statements, or is missing (:mod:`capc_verify.freshness.records`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from capc.foundation.errors import InputError
from capc_verify.freshness.checkout import git
from capc_verify.freshness.covering import covered_now
from capc_verify.freshness.records import EVIDENCE, stale_rooms
from capc_verify.freshness.rooms import rooms
from capc_verify.trace.spec import read_specification

STALE = "stale"
"""Names all rooms without a fresh record."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if every room passed and was recorded, 1 if a test failed, 2 if the command cannot work.
    """
    parser = argparse.ArgumentParser(prog="nightly", description="Runs and records the nightly sizes of the tests.")
    parser.add_argument(
        "rooms", nargs="*", metavar="ROOM", help="dotted folders of tests/ (default: all with sizes), or stale"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--workers", default="2", help="processes that share a room's tests (default: 2)")
    arguments = parser.parse_args(argv)
    root: Path = arguments.root.resolve()
    try:
        available = rooms(root)
        for room in _chosen(root, arguments.rooms, list(available)):
            if not _run_room(root, room, available[room], arguments.workers):
                print(f"nightly: {room}: not recorded, since not everything passed", file=sys.stderr)
                return 1
    except InputError as error:
        print(f"nightly: {error}", file=sys.stderr)
        return 2
    return 0


def _chosen(root: Path, named: list[str], available: list[str]) -> list[str]:
    for room in named:
        if room not in {*available, STALE}:
            raise InputError(f"{room}: no tests with nightly sizes there; choose from {', '.join(available)}")
    stale = stale_rooms(root, read_specification(root)) if STALE in named else []
    if named == [STALE]:
        print(f"nightly: {len(stale)} of {len(available)} rooms are stale{': ' if stale else ''}{', '.join(stale)}")
    wanted = {*named, *stale} if named else {*available}
    return [room for room in available if room in wanted]


Digest = dict[str, dict[str, float | dict[str, str]]]


def digest(report: Path) -> Digest:
    """What a run came to, test function by test function, all their parameters together.

    Args:
        report: a JUnit report of pytest.

    Returns:
        For each ``file::function`` how many of its cases passed, were skipped and failed, and their seconds;
        and what they told by pytest's ``record_property``, where they did.
    """
    tests: dict[str, dict[str, float]] = {}
    told: dict[str, dict[str, str]] = {}
    # The report is one that pytest wrote just now.
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        name = _node(case.get("classname", ""), case.get("name", ""))
        entry = tests.setdefault(name, {"passed": 0, "skipped": 0, "failed": 0, "seconds": 0.0})
        failed = any(case.find(kind) is not None for kind in ("failure", "error"))
        outcome = "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
        entry[outcome] += 1
        entry["seconds"] = round(entry["seconds"] + float(case.get("time", "0")), 1)
        for told_one in case.iter("property"):
            told.setdefault(name, {})[told_one.get("name", "")] = told_one.get("value", "")
    return {name: {**entry, **({"told": told[name]} if name in told else {})} for name, entry in sorted(tests.items())}


def _node(classname: str, name: str) -> str:
    """``file::function`` or ``file::class::function``, without parameters."""
    parts = classname.split(".")
    module = max(index for index, part in enumerate(parts) if part.startswith("test_"))
    return "::".join(["/".join(parts[: module + 1]) + ".py", *parts[module + 1 :], name.partition("[")[0]])


def commit_of(root: Path, records: Path = EVIDENCE) -> str:
    """The commit whose tree this is.

    Args:
        root: of the checkout.
        records: what is about to be written, which may differ.

    Raises:
        InputError: files other than records differ from the last commit, so that a record would be of no commit.
    """
    changed = git(root, "status", "--porcelain", "--untracked-files=all", "--", ".", f":!{records.as_posix()}")
    if changed:
        raise InputError(f"{changed.splitlines()[0].strip()}: not committed; a record is of a commit, so commit first")
    return git(root, "rev-parse", "HEAD")


def _run_room(root: Path, room: str, files: list[Path], workers: str) -> bool:
    commit, started = commit_of(root), time.monotonic()
    covered = covered_now(root, files, read_specification(root))
    print(f"== nightly {room}: {len(files)} files", flush=True)
    options = ["-n", workers, "--dist", "worksteal", "--trace-append"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # The older form of the report has what tests tell.
        kept = [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        command = [sys.executable, "-m", "pytest", *options, *kept, *map(str, files)]
        code = subprocess.run(command, cwd=root, env=os.environ | {"CAPC_NIGHTLY": "1"}, check=False).returncode  # noqa: S603
        if code != 0:
            return False
        tests = digest(report)
    record = {
        "about": "The nightly sizes of these tests, run once at this commit. Seconds are those of a shared machine.",
        "command": f"python -m capc_verify.nightly {room}",
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "covers": covered.to_json(),
        "tests": tests,
    }
    path = root / EVIDENCE / f"{room}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
