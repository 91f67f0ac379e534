"""``python -m capc_verify.audit.runs.faulting JOURNAL NAME ...``: some seeded faults of a family, and what caught them.

Each fault is put in, the tests that are named for it must fail, it is taken out, and all must pass
(:mod:`capc_verify.faults.check`). A line for each goes into the journal.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.audit.runs.journal import FOLDER, write_line
from capc_verify.audit.runs.running import Watcher, now
from capc_verify.faults import FAULTS, families

JOURNAL = FOLDER / "faults.jsonl"

_OPTIONS = ("-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:capc_trace_recorder", "--hypothesis-profile=fault")


@dataclass(frozen=True)
class Caught:
    """What became of a fault.

    Attributes:
        fault: its name.
        caught: whether every test that is named for it failed with it, and passed without.
        problems: what did not, one line each.
        at: when, in UTC.
        tree: the digest of all files at that time.
        commit: the commit, empty without version control.
    """

    fault: str
    caught: bool
    problems: tuple[str, ...]
    at: str
    tree: str
    commit: str

    @property
    def lines(self) -> list[str]:
        """For people."""
        return [f"{self.fault}: {'caught' if self.caught else 'NOT CAUGHT'}", *(f"  {each}" for each in self.problems)]


def last_results(root: Path) -> dict[str, Caught]:
    """Of every fault that was tried here, what became of it the last time.

    Raises:
        InputError: the journal is damaged.
    """
    path = root / JOURNAL
    found: dict[str, Caught] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            result = Caught(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: not a journal of faults ({error}); remove the file") from error
        found[result.fault] = result
    return found


def check_faults(names: Sequence[str]) -> None:
    """Checks that there are such faults.

    Raises:
        InputError: there is none of such a name.
    """
    for name in names:
        if name not in FAULTS:
            raise InputError(f"fault {name!r} is unknown: choose one of {', '.join(sorted(FAULTS))}")


def try_faults(root: Path, names: Sequence[str], tree: str, commit: str, watcher: Watcher) -> dict[str, Caught]:
    """Tries faults, family after family, each in a process of its own.

    Args:
        root: of the checkout.
        names: of the faults.
        tree: the digest of all files.
        commit: the commit.
        watcher: is told how far it is.

    Returns:
        What became of each, by its name.

    Raises:
        InputError: a process ended without a word about one of them.
    """
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    done = 0
    watcher.at(done, len(names))
    for family in families().values():
        chosen = [name for name in family if name in names]
        if not chosen:
            continue
        code, told = _try_family(root, chosen, tree, commit)
        results = last_results(root)
        silent = [name for name in chosen if name not in results or results[name].tree != tree]
        if silent:
            raise InputError(f"fault {silent[0]}: its tests were not run (exit code {code}): {told}")
        done += len(chosen)
        watcher.at(done, len(names))
    return {name: result for name, result in last_results(root).items() if name in names}


def _try_family(root: Path, names: Sequence[str], tree: str, commit: str) -> tuple[int, str]:
    """Tries faults in a process of its own; its code, and its last words."""
    command = [sys.executable, "-m", __name__, str(JOURNAL), tree, commit, *names]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    return ended.returncode, (ended.stderr.strip() or ended.stdout.strip() or "nothing was said").splitlines()[-1]


def main(argv: Sequence[str]) -> int:
    """Tries the faults of one family in this process.

    Args:
        argv: the journal, the digest of all files, the commit, and names of faults.

    Returns:
        0 if all are caught, else 1.
    """
    # Of pytest's own output only what stops it is of interest: tests are meant to fail here.
    import pytest  # noqa: PLC0415  # whoever reads results needs none

    from capc_verify.faults.check import FaultCheck  # noqa: PLC0415  # likewise

    journal, tree, commit, *names = argv
    faults = {name: FAULTS[name] for name in names}
    check = FaultCheck(faults)
    nodes = sorted({node for fault in faults.values() for node in fault.detected_by})
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main([*_OPTIONS, *nodes], plugins=[check])
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        print(f"pytest stopped: {output.getvalue().strip()[-300:]}", file=sys.stderr)
        return 1
    results = [
        Caught(
            name, not verdict.problems and not check.remains, (*verdict.problems, *check.remains), now(), tree, commit
        )
        for name, verdict in check.verdicts.items()
    ]
    for result in results:
        write_line(Path(journal), asdict(result))
    return 0 if all(result.caught for result in results) else 1


def as_json(result: Caught | None) -> Mapping[str, object] | None:
    """As it stands in a report."""
    return None if result is None else asdict(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
