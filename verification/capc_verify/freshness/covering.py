"""What a record of evidence speaks of, and what of that has changed since."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from capc_verify.freshness.sources import SourceTree, digest_of
from capc_verify.trace.lock import LOCK
from capc_verify.trace.spec import ID, Specification

_FORM = 2
"""Of the digests in a record: 1, which records do not name, was one of lines."""


@dataclass(frozen=True)
class Covered:
    """The code and the statements that evidence is of.

    Attributes:
        files: by name, a digest of what runs in it.
        statements: by id, the hash of the sentence.
    """

    files: Mapping[str, str]
    statements: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """As it stands in a record."""
        return {"form": _FORM, "files": dict(self.files), "statements": dict(self.statements)}


def covered_now(
    root: Path, files: Iterable[Path], specification: Specification, tree: SourceTree | None = None
) -> Covered:
    """What these files run, and the statements that they name, as they are.

    Args:
        root: of the repository.
        files: Python files, relative to the root.
        specification: its statements.
        tree: the checkout, if some of it was read already.
    """
    files, tree = list(files), tree or SourceTree(root)
    named = {name for file in files for name in ID.findall((root / file).read_text(encoding="utf-8"))}
    statements = specification.statements
    return Covered(
        {name: tree.digest(name) for name in tree.covered(files)},
        {name: statements[name].hash for name in sorted(named & statements.keys())},
    )


def covered_then(root: Path, record: Mapping[str, object], now: Covered) -> Covered | None:
    """What a record was of, of what it would be of now; None if nobody can tell any more.

    A record says it itself. One without digests, or with those of an earlier form, is looked up at its commit, of whose
    files it is: files as they were there, and sentences by the lock, which had the hash of each that was confirmed.
    """
    told = record.get("covers")
    if isinstance(told, Mapping) and told.get("form") == _FORM:
        return Covered(told["files"], told["statements"])
    commit = str(record.get("commit", ""))
    contents = _at_commit(root, commit, [LOCK.as_posix(), *now.files])
    if not contents:
        return None
    lock = json.loads(contents.pop(LOCK.as_posix(), b"{}"))
    return Covered(
        {name: digest_of(name, content) for name, content in contents.items()},
        {name: lock[name] for name in now.statements if name in lock},
    )


def changes(then: Covered, now: Covered) -> list[str]:
    """One line for each file and each statement that is not as it was."""
    return [
        f"{name} {'is new' if name not in before else 'is gone' if name not in after else 'changed'}"
        for before, after in ((then.statements, now.statements), (then.files, now.files))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _at_commit(root: Path, commit: str, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of those files that a commit has; none if the repository does not hold the commit."""
    names = list(names)
    asked = "".join(f"{commit}:{name}\n" for name in names).encode()
    command = ["git", "cat-file", "--batch"]
    try:
        done = subprocess.run(command, cwd=root, input=asked, capture_output=True, check=True)  # noqa: S603
    except (FileNotFoundError, subprocess.CalledProcessError):
        # Without version control no commit can be looked at.
        return {}
    found: dict[str, bytes] = {}
    rest = done.stdout
    for name in names:
        # "OBJECT blob SIZE", and the content; or "NAME missing".
        head, _, rest = rest.partition(b"\n")
        if not head.endswith(b" missing"):
            size = int(head.split()[-1])
            found[name], rest = rest[:size], rest[size + 1 :]
    return found
