"""Every record of evidence that ordinary runs do not make again, and whether it is still of this code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.freshness.covering import Covered, changes, covered_now, covered_then
from capc_verify.freshness.rooms import rooms
from capc_verify.freshness.sources import SourceTree
from capc_verify.trace.spec import Specification

EVIDENCE = Path("verification") / "evidence" / "nightly"
OTHERS = {
    "attack": (
        Path("verification") / "evidence" / "attack.json",
        Path("verification") / "capc_verify" / "attack" / "__main__.py",
        "python -m capc_verify.attack --record",
    )
}
"""Records that no room of tests makes: the record, the program that makes it, and the command."""


@dataclass(frozen=True)
class Freshness:
    """A record, and what changed since it was made.

    Attributes:
        name: the room of tests, or a name of :data:`OTHERS`.
        file: of the record, relative to the root.
        command: makes it anew.
        commit: of which it is; empty if there is no record.
        date: when it was made; empty likewise.
        statements: the ids that its tests name.
        reasons: why it is stale, one line each; empty if it is fresh.
    """

    name: str
    file: str
    command: str
    commit: str
    date: str
    statements: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def state(self) -> str:
        """Fresh, stale, or missing."""
        return "missing" if not self.commit else "stale" if self.reasons else "fresh"

    @property
    def line(self) -> str:
        """For people: the first reason, how many more there are, and what makes it anew."""
        told = f"{self.name}: {self.state}{f', made {self.date} at {self.commit[:12]}' if self.commit else ''}"
        if self.state == "fresh":
            return told
        more = f", and {len(self.reasons) - 1} more" if len(self.reasons) > 1 else ""
        return f"{told}: {self.reasons[0]}{more}; {self.command}"


def all_records(root: Path, specification: Specification, naming: str = "") -> list[Freshness]:
    """Every room with a nightly size, and every other record, with what became of it.

    Args:
        root: of the repository.
        specification: its statements.
        naming: a statement's id, for those records only of which a file names it.

    Raises:
        InputError: a record is not JSON.
    """
    wanted = [
        (room, EVIDENCE / f"{room}.json", files, f"make nightly ROOMS={room}") for room, files in rooms(root).items()
    ]
    wanted += [
        (name, record, [program], command)
        for name, (record, program, command) in OTHERS.items()
        if (root / program).is_file()
    ]
    tree = SourceTree(root)
    return [
        _judged(root, name, record, command, covered_now(root, files, specification, tree))
        for name, record, files, command in wanted
        if any(naming in (root / file).read_text(encoding="utf-8") for file in files)
    ]


def stale_rooms(root: Path, specification: Specification) -> list[str]:
    """The rooms of tests without a fresh record."""
    with_sizes = rooms(root)
    records = all_records(root, specification)
    return [record.name for record in records if record.name in with_sizes and record.state != "fresh"]


def _judged(root: Path, name: str, file: Path, command: str, now: Covered) -> Freshness:
    record = _read(root / file)
    if record is None:
        commit, date, reasons = "", "", ["it was never recorded"]
    else:
        commit, date = str(record.get("commit", "")), str(record.get("date", ""))
        then = covered_then(root, record, now)
        reasons = [f"nobody can tell: {commit[:12]} is not in this repository"] if then is None else changes(then, now)
    return Freshness(name, file.as_posix(), command, commit, date, tuple(now.statements), tuple(reasons))


def _read(path: Path) -> Mapping[str, object] | None:
    if not path.is_file():
        return None
    try:
        record: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); restore it from version control") from error
    return record
