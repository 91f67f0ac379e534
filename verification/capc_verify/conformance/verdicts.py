"""What a judge says about one vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from capc_verify.conformance.difference import Difference


class Outcome(StrEnum):
    """How a vector ended.

    ``failed``: another result or error than expected. ``errored``: the port said that it could not do it. ``broken``:
    the port hung, ended or wrote what is no reply. ``skipped``: the port said that it does not do this. ``blocked``:
    not passed, and what it stands on did not pass either.
    """

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    BROKEN = "broken"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Finding:
    """What was found about a vector that did not pass.

    Attributes:
        outcome: how it ended.
        message: one line.
        operation: the number of the operation, from 0; None where none is to blame.
        op: its name.
        difference: the first difference, where results were compared.
    """

    outcome: Outcome
    message: str
    operation: int | None = None
    op: str = ""
    difference: Difference | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of one vector.

    Attributes:
        level: its level.
        name: ``stem::name``.
        requirements: the statements that it is evidence for.
        finding: None if it passed.
        seconds: how long it took.
        listed: the entry of the list of expectations that fits it: ``fail``, ``skip`` or nothing.
        oracles: those of which the port was given values on the way.
    """

    level: str
    name: str
    requirements: tuple[str, ...]
    finding: Finding | None
    seconds: float
    listed: str = ""
    oracles: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.finding.outcome if self.finding else Outcome.PASSED

    @property
    def as_it_must(self) -> bool:
        """Whether it passed and was to pass, or did not and the list says so."""
        if self.listed == "skip":
            return self.outcome is Outcome.SKIPPED
        if self.listed == "fail":
            return self.outcome not in {Outcome.PASSED, Outcome.SKIPPED}
        return self.outcome is Outcome.PASSED

    @property
    def message(self) -> str:
        """One line for people; empty if it passed and was to pass."""
        if self.finding:
            return self.finding.message
        return f"listed as `{self.listed}`, but it passed: take it off the list" if self.listed else ""

    def blocked_by(self, what: str) -> Verdict:
        """The same, told as a consequence of something else."""
        if self.finding is None:
            return self
        message = f"blocked by {what}: {self.finding.message}"
        return replace(self, finding=replace(self.finding, outcome=Outcome.BLOCKED, message=message))
