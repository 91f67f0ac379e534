"""The journal of a run: a line of JSON for its beginning, one for each test, one for its end; whole at every line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError

FOLDER = Path(".trace") / "verify"
"""Where runs are kept, relative to the root."""


@dataclass(frozen=True)
class Outcome:
    """What became of a test.

    Attributes:
        node: its id.
        outcome: `passed`, `failed` or `skipped`.
        seconds: of all its phases.
        at: when it ended, in UTC.
        reason: why it failed or was skipped, in one line; else empty.
    """

    node: str
    outcome: str
    seconds: float
    at: str
    reason: str = ""


@dataclass
class Journal:
    """What is known of a run.

    Attributes:
        head: selection, tree, commit and environment, as its beginning says.
        outcomes: of each test that ended, by its id.
        broken: why a file could not be collected, by its name.
        ended: when the run came to its end; empty if it was interrupted, or before it was reported.
    """

    head: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    ended: str = ""

    def take(self, line: Mapping[str, Any]) -> None:
        """Adds what a line says."""
        if "head" in line:
            self.head = dict(line["head"])
        elif "node" in line:
            self.outcomes[line["node"]] = Outcome(**line)
        elif "broken" in line:
            self.broken[line["broken"]] = line["reason"]
        elif "ended" in line:
            self.ended = line["ended"]


def read_journal(path: Path) -> Journal | None:
    """What a journal says; None if there is none. A last line that a kill cut is not counted.

    Raises:
        InputError: another line is damaged.
    """
    if not path.is_file():
        return None
    journal = Journal()
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            journal.take(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}:{number}: not a line of a journal ({error}); remove the file") from error
    return journal


def write_line(path: Path, line: Mapping[str, Any] | Outcome) -> None:
    """Appends a line."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(line) if isinstance(line, Outcome) else line) + "\n")


def latest(root: Path) -> dict[str, tuple[Outcome, dict[str, Any]]]:
    """Of every test in any journal its last outcome, with the head of the run that it is of."""
    found: dict[str, tuple[Outcome, dict[str, Any]]] = {}
    for path in sorted((root / FOLDER).glob("*.jsonl")):
        journal = read_journal(path) or Journal()
        for node, outcome in journal.outcomes.items():
            if node not in found or found[node][0].at < outcome.at:
                found[node] = outcome, journal.head
    return found
