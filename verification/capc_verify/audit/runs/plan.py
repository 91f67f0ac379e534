"""What is asked of a run, and what it found: the files between `capc verify` and the pytest that it starts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What a run is asked for.

    Attributes:
        evidence: for each statement the tests that are known to be evidence of its kind.
        quick: only the cheapest evidence of each statement.
        done: tests that are not run again.
        journal: the file that takes what became of each.
        collected: the file that takes which tests were found.
    """

    evidence: Mapping[str, Sequence[str]]
    quick: bool
    done: Sequence[str]
    journal: str
    collected: str


@dataclass(frozen=True)
class Collected:
    """What a run found.

    Attributes:
        chosen: the tests that are run, also those that were done before, with what they name and of which kind.
        left_out: tests that name the same statements and are not run, as the run is a quick one.
    """

    chosen: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, Mapping[str, str]]


def write_plan(path: Path, plan: Plan) -> None:
    """Writes the plan into a file."""
    path.write_text(json.dumps(asdict(plan)), encoding="utf-8")


def read_plan(path: Path) -> Plan:
    """The plan in a file."""
    return Plan(**json.loads(path.read_text(encoding="utf-8")))


def write_collected(path: Path, found: Collected) -> None:
    """Writes what was found; the file is whole as soon as it is there."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(asdict(found)), encoding="utf-8")
    beside.replace(path)


def read_collected(path: Path) -> Collected:
    """What a run found."""
    return Collected(**json.loads(path.read_text(encoding="utf-8")))
