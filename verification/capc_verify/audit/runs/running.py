"""Runs evidence again: pytest in a process of its own, its journal read as it grows, and what was done kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from capc.foundation.errors import InputError
from capc_verify.audit.runs.journal import FOLDER, Journal, read_journal, write_line
from capc_verify.audit.runs.plan import Collected, Plan, read_collected, write_plan
from capc_verify.audit.selection import Selection

FEW = 40
"""So many tests are run in one process: a second one would take longer to begin."""

_PAUSE = 0.5
_FINE = {0, 1, 5}
"""Codes of pytest: all passed, some failed, none was left to run."""


class Watcher(Protocol):
    """Is told how far a run is."""

    def at(self, done: int, total: int) -> None:
        """So many tests of so many have ended."""


class InterruptedRunError(Exception):
    """Ctrl-C while tests ran.

    Attributes:
        done: how many had ended, which are kept.
        total: how many there are; 0 if they were not counted yet.
    """

    def __init__(self, done: int, total: int) -> None:
        super().__init__(f"{done} of {total}")
        self.done, self.total = done, total


@dataclass(frozen=True)
class Run:
    """A run that has come to its end.

    Attributes:
        journal: what became of each test.
        collected: which tests there were.
        went_on_from: how many tests an earlier, interrupted run had done.
    """

    journal: Journal
    collected: Collected
    went_on_from: int


@dataclass(frozen=True)
class Files:
    """Where a run is kept."""

    journal: Path
    collected: Path
    plan: Path
    log: Path

    @classmethod
    def of(cls, root: Path, name: str, log: Path | None) -> Files:
        """The files of a run by its name, in a folder that is made."""
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        of_run = [folder / f"{name}.{kind}" for kind in ("jsonl", "collected.json", "plan.json", "log")]
        return cls(of_run[0], of_run[1], of_run[2], log or of_run[3])


def check_runnable(root: Path) -> None:
    """Checks that tests can be run here.

    Raises:
        InputError: this is no checkout, or what runs tests is not installed.
    """
    if not (root / "tests").is_dir() or not list((root / "spec").glob("*.md")):
        raise InputError(f"{root}: holds no spec/*.md and no tests: run this in a checkout, or give --root")
    for package in ("pytest", "hypothesis", "xdist"):
        if find_spec(package) is None:
            raise InputError(
                f"evidence is run again with the package {package}, which is not installed: pip install -e '.[dev]' in "
                "the checkout"
            )


def run_again(
    root: Path,
    selection: Selection,
    evidence: Mapping[str, Sequence[str]],
    head: Mapping[str, Any],
    watcher: Watcher,
    *,
    files: Files,
    workers: int,
    fresh: bool,
) -> Run:
    """Runs what is evidence for the selected statements.

    Args:
        root: of the checkout.
        selection: the statements.
        evidence: of each, the tests that are known.
        head: what the journal begins with; `tree` is the digest of all files.
        watcher: is told how far it is.
        files: where it is kept.
        workers: processes that share the tests.
        fresh: do not go on from an interrupted run of the same selection on the same files.

    Raises:
        InputError: pytest could not run.
        InterruptedRunError: Ctrl-C.
    """
    earlier = None if fresh else read_journal(files.journal)
    if earlier is None or earlier.ended or earlier.head.get("tree") != head["tree"]:
        earlier = Journal()
        files.journal.unlink(missing_ok=True)
        files.log.write_text("", encoding="utf-8")
        write_line(files.journal, {"head": dict(head)})
    files.collected.unlink(missing_ok=True)
    wanted = {name: list(evidence.get(name, ())) for name in selection.statements}
    done = sorted(earlier.outcomes)
    write_plan(files.plan, Plan(wanted, selection.quick, done, str(files.journal), str(files.collected)))
    known = {node for nodes in wanted.values() for node in nodes}
    processes = 0 if len(known) <= FEW else workers
    code = _pytest(root, _places(root, selection, known), files, processes, watcher)
    if code not in _FINE or not files.collected.is_file():
        raise InputError(f"pytest ended with exit code {code}: {_last_words(files.log)}; all of it is in {files.log}")
    journal = read_journal(files.journal) or Journal()
    journal.ended = now()
    return Run(journal, read_collected(files.collected), len(earlier.outcomes))


def finish(files: Files, ended: str) -> None:
    """Says in the journal that the run was reported: until then the same command goes on from it."""
    write_line(files.journal, {"ended": ended})


def now() -> str:
    """The time in UTC, as reports have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _places(root: Path, selection: Selection, known: set[str]) -> list[str]:
    """The files to collect: all for all statements, else those that hold evidence or name a statement."""
    if not selection.asked:
        return ["tests"]
    found = {node.partition("::")[0] for node in known}
    for path in (root / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if any(name in text for name in selection.statements):
            found.add(path.relative_to(root).as_posix())
    return sorted(place for place in found if (root / place).is_file())


def _pytest(root: Path, places: Sequence[str], files: Files, workers: int, watcher: Watcher) -> int:
    """Runs it, and tells how far it is; its code. Ctrl-C reaches it once, from here."""
    options = ["-v", "--tb=short", "--trace-append", "--continue-on-collection-errors", "-n", str(workers)]
    options += ["--dist", "worksteal", "--verify-plan", str(files.plan)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with files.log.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "pytest", *options, *places],
            cwd=root,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                watcher.at(*_how_far(files))
                time.sleep(_PAUSE)
        except KeyboardInterrupt:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            process.wait()
            raise InterruptedRunError(*_how_far(files)) from None
        finally:
            if process.poll() is None:
                process.kill()
    watcher.at(*_how_far(files))
    return process.returncode


def _how_far(files: Files) -> tuple[int, int]:
    total = len(read_collected(files.collected).chosen) if files.collected.is_file() else 0
    return files.journal.read_bytes().count(b'\n{"node"'), total


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("ERROR")] or lines or ["it said nothing"]
    return told[-1][:300]
