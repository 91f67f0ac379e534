"""Asks a port to perform the operations of the vectors, and compares what it replies with what they expect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from capc_verify.conformance.checks import check_input, check_output, difference_of
from capc_verify.conformance.child import BrokenPortError
from capc_verify.conformance.levels import LEVELS, Group
from capc_verify.conformance.oracles import given, helped
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Finding, Outcome, Verdict
from capc_verify.conformance.wire import ReplyKind, run_fields
from capc_verify.vectors.values import Json, resolve

BREAKS_OF_ONE_OPERATION, BREAKS_OF_A_RUN = 3, 20
"""How often the port may break in one operation until that is not asked for any more, and in all until nothing is."""

_Place = tuple[str, int]
"""The states that a test of the group has left after so many operations."""


class Judge:
    """Judges one port.

    Args:
        conversation: with the port.
        validate: whether all inputs and outputs are also held to the schemas.
        oracles: of which the port is given values.
    """

    def __init__(self, conversation: Conversation, *, validate: bool = False, oracles: Sequence[str] = ()) -> None:
        self._conversation = conversation
        self._validate = validate
        self.oracles = oracles
        self._breaks: Counter[str] = Counter()

    def judge(self, groups: Sequence[Group]) -> list[Verdict]:
        """The verdicts about all chosen tests, in order; those that a level before them blocks are told so."""
        return blocked_by_levels([verdict for group in groups for verdict in _GroupJudge(self, group).verdicts()])

    def perform(self, group: Group, step: Json, place: str) -> Finding | None:
        """Has one operation performed, and compares; None if the result is the expected one."""
        op = step["op"]
        if self._breaks[op] >= BREAKS_OF_ONE_OPERATION or self._breaks.total() >= BREAKS_OF_A_RUN:
            often = f"{op} broke the port {self._breaks[op]} times, and all operations {self._breaks.total()} times"
            return Finding(Outcome.BLOCKED, f"not asked any more: {often}")
        inputs = resolve(step["in"], group.document["blobs"])
        expected = resolve(step["expect"], group.document["blobs"])
        if self._validate:
            check_input(group, step, inputs)
        try:
            oracle = given(self.oracles, step["op"], expected)
            reply = self._conversation.ask("run", place, **run_fields(group.document, step, inputs, oracle))
        except BrokenPortError as error:
            return self._broken(op, str(error))
        if reply.kind in {ReplyKind.SKIPPED, ReplyKind.ERRORED}:
            return Finding(Outcome(reply.kind.value), str(reply.value)[:300])
        invalid = check_output(group, step, reply) if self._validate else None
        found = difference_of(group, step, inputs, expected, reply, self._conversation.port["codes"])
        if found is None and invalid is None:
            return None
        return Finding(
            Outcome.FAILED, "; ".join(str(problem) for problem in (found, invalid) if problem), difference=found
        )

    def reset(self, **fields: str | bool | None) -> Finding | None:
        """Resets the port's states; what went wrong, or None."""
        try:
            self._conversation.reset(**fields)  # type: ignore[arg-type]
        except BrokenPortError as error:
            return self._broken("reset", str(error))
        return None

    @property
    def snapshots(self) -> bool:
        """Whether the port keeps states."""
        return bool(self._conversation.port["snapshots"])

    def _broken(self, op: str, message: str) -> Finding:
        self._breaks[op] += 1
        return Finding(Outcome.BROKEN, f"the port {message}")


class _GroupJudge:
    """The tests of one group: what they share is performed once, if the port keeps states."""

    def __init__(self, judge: Judge, group: Group) -> None:
        self._judge = judge
        self._group = group
        self._tests = {test["name"]: test for test in group.document["tests"]}
        self._kept: set[_Place] = set()
        self._failed: dict[str, tuple[int, Finding]] = {}
        self._needed: dict[str, set[int]] = {}
        for name in group.chosen:
            self._need(self._tests[name]["prelude"])

    def _need(self, prelude: Json) -> None:
        if prelude is not None and prelude["operations"] not in self._needed.setdefault(prelude["test"], set()):
            self._needed[prelude["test"]].add(prelude["operations"])
            self._need(self._tests[prelude["test"]]["prelude"])

    def verdicts(self) -> Iterator[Verdict]:
        for name in self._group.chosen:
            started = time.monotonic()
            test = self._tests[name]
            finding = self._reach(name, len(test["operations"]))
            # A second answer to the last operation shows here, while it is known whose it is.
            closing = self._reset(forget=name == self._group.chosen[-1])
            seconds = round(time.monotonic() - started, 3)
            full = f"{self._group.stem}::{name}"
            oracles = helped(self._judge.oracles, self._group, name)
            statements = tuple(test["requirements"])
            yield Verdict(self._group.level, full, statements, finding or closing, seconds, oracles=oracles)

    def _reach(self, name: str, count: int) -> Finding | None:
        """Brings the port to the states after so many operations of a test; what stood in the way, or None."""
        if name in self._failed and self._failed[name][0] < count:
            return self._failed[name][1]
        finding, done = self._begin(name), 0
        operations = self._tests[name]["operations"]
        while finding is None and done < count:
            place = f"{self._group.stem}::{name}, operation {done} ({operations[done]['op']})"
            finding = self._judge.perform(self._group, operations[done], place)
            if finding:
                finding = Finding(finding.outcome, finding.message, done, operations[done]["op"], finding.difference)
                self._failed[name] = (done, finding)
                self._forget_after_break(finding)
                return finding
            done += 1
            finding = self._keep((name, done))
        return finding

    def _begin(self, name: str) -> Finding | None:
        """Brings the port to the states with which a test begins; what stood in the way, or None."""
        prelude = self._tests[name]["prelude"]
        if prelude is None:
            return self._reset()
        base = (prelude["test"], prelude["operations"])
        if self._judge.snapshots and base not in self._kept:
            # Once, as far as any test needs it.
            self._reach(base[0], max(self._needed[base[0]]))
        failure = self._failed.get(base[0])
        if failure and failure[0] < base[1]:
            return _follows(failure[1], f"{self._group.stem}::{base[0]}, operation {failure[0]}")
        if base in self._kept:
            return self._reset(to=_kept_name(base))
        finding = self._reach(*base)
        return _follows(finding, f"{self._group.stem}::{base[0]}") if finding else None

    def _keep(self, place: _Place) -> Finding | None:
        """Keeps the present states, if a test begins with them."""
        name, count = place
        if place in self._kept or not self._judge.snapshots or count not in self._needed.get(name, ()):
            return None
        finding = self._reset(keep=_kept_name(place), to=_kept_name(place))
        if finding is None:
            self._kept.add(place)
        return finding

    def _reset(self, **fields: str | bool | None) -> Finding | None:
        finding = self._judge.reset(**fields)
        if finding:
            self._forget_after_break(finding)
        return finding

    def _forget_after_break(self, finding: Finding) -> None:
        if finding.outcome is Outcome.BROKEN:
            self._kept.clear()


def _kept_name(place: _Place) -> str:
    return f"{place[0]}/{place[1]}"


def _follows(finding: Finding, place: str) -> Finding:
    """What is found about a test that begins with operations of another, one of which did not pass."""
    if finding.outcome is Outcome.SKIPPED:
        return Finding(Outcome.SKIPPED, f"begins with {place}, which is skipped: {finding.message}")
    return Finding(Outcome.BLOCKED, f"blocked by {place}: {finding.message}")


def blocked_by_levels(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts, with failures told as blocked where a level that theirs stands on did not pass as a whole."""
    lacking = {verdict.level for verdict in verdicts if verdict.outcome is not Outcome.PASSED}
    told = []
    for verdict in verdicts:
        causes = [name for name in LEVELS[verdict.level].after if name in lacking]
        consequence = causes and verdict.outcome in {Outcome.FAILED, Outcome.ERRORED}
        told.append(verdict.blocked_by(f"level {', '.join(causes)}") if consequence else verdict)
    return told
