"""What is told about a judged port: lines for people, a JSON report, and a JUnit report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from capc_verify.conformance.levels import LEVELS, spec_version
from capc_verify.conformance.verdicts import Outcome, Verdict
from capc_verify.vectors.values import Json

_SHOWN = 10
"""Lines of one level that are shown to people; the reports have all."""


@dataclass(frozen=True)
class Judgement:
    """All that is known at the end.

    Attributes:
        port: how the port described itself.
        verdicts: one for each vector that was judged.
        farewell: what was wrong with the port's end, or None.
        stderr: the end of what it wrote to standard error.
        oracles: of which the port was given values.
        left_out: vectors that an oracle stands for, which were not judged.
    """

    port: Mapping[str, Any]
    verdicts: Sequence[Verdict]
    farewell: str | None
    stderr: str
    oracles: Sequence[str] = ()
    left_out: Sequence[str] = ()

    @property
    def passes(self) -> bool:
        """Whether every vector that was judged is as it must be, at least one was, and the port ended as agreed."""
        return bool(self.verdicts) and self.farewell is None and all(verdict.as_it_must for verdict in self.verdicts)

    def of_level(self, name: str) -> list[Verdict]:
        """The verdicts of a level."""
        return [verdict for verdict in self.verdicts if verdict.level == name]


def lines(judgement: Judgement) -> Iterator[str]:
    """The report for people."""
    port = judgement.port
    yield f"{port['name']} {port['version']} in {port['language']}, specification {port['spec_version']}"
    for name in LEVELS:
        verdicts = judgement.of_level(name)
        if not verdicts:
            continue
        counts = _counts(verdicts)
        others = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if outcome != "passed" and count)
        with_help = sum(bool(verdict.oracles) for verdict in verdicts if verdict.outcome is Outcome.PASSED)
        helped = f", {with_help} of them with values of an oracle" if with_help else ""
        yield f"{name:<10} {counts['passed']:>5} of {len(verdicts)} passed{helped}{', ' + others if others else ''}"
        wrong = [verdict for verdict in verdicts if not verdict.as_it_must]
        # A consequence says less than its cause.
        wrong.sort(key=lambda verdict: verdict.outcome is Outcome.BLOCKED)
        for verdict in wrong[:_SHOWN]:
            yield f"  {verdict.name}: {_told(verdict)}"
        if len(wrong) > _SHOWN:
            yield f"  and {len(wrong) - _SHOWN} more; --json FILE has all"
    if judgement.farewell:
        yield f"the port {judgement.farewell}"
    if not judgement.passes and judgement.stderr.strip():
        yield "the end of what it wrote to standard error:"
        yield from (f"  {line[:200]}" for line in judgement.stderr.strip().splitlines()[-_SHOWN:])
    yield from _conclusion(judgement)


def _conclusion(judgement: Judgement) -> Iterator[str]:
    """The last lines: what passes with an oracle is not told as what passes."""
    if not judgement.oracles:
        yield "passes" if judgement.passes else "DOES NOT PASS"
        return
    files = ", ".join(dict.fromkeys(name.partition("::")[0] for name in judgement.left_out)) or "nothing"
    yield f"not judged, as oracles stand for it: {files} ({len(judgement.left_out)} vectors)"
    word = "passes ONLY" if judgement.passes else "DOES NOT PASS, even"
    yield f"{word} with the oracle {', '.join(judgement.oracles)}"


def _told(verdict: Verdict) -> str:
    finding = verdict.finding
    place = f"operation {finding.operation} ({finding.op}): " if finding and finding.operation is not None else ""
    return f"{verdict.outcome}: {place}{verdict.message}"


def json_report(judgement: Judgement) -> Json:
    """The report for programs."""
    return {
        "port": dict(judgement.port),
        "vectors": spec_version(),
        "passes": judgement.passes and not judgement.oracles,
        "passes_with_oracles": judgement.passes if judgement.oracles else None,
        "oracles": list(judgement.oracles),
        "not_judged": list(judgement.left_out),
        "farewell": judgement.farewell,
        "levels": {name: _counts(found) for name in LEVELS if (found := judgement.of_level(name))},
        "statements": statements(judgement.verdicts),
        "tests": [_test(verdict) for verdict in judgement.verdicts],
        "stderr": judgement.stderr,
    }


def statements(verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    """For each statement of the specification, how its vectors ended."""
    named = sorted({name for verdict in verdicts for name in verdict.requirements})
    return {name: _counts([verdict for verdict in verdicts if name in verdict.requirements]) for name in named}


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    found = Counter(verdict.outcome.value for verdict in verdicts)
    return {outcome.value: found[outcome.value] for outcome in Outcome}


def _test(verdict: Verdict) -> Json:
    finding = verdict.finding
    difference = finding.difference if finding else None
    return {
        "name": verdict.name,
        "level": verdict.level,
        "requirements": list(verdict.requirements),
        "outcome": verdict.outcome.value,
        "listed": verdict.listed or None,
        "oracles": list(verdict.oracles),
        "as_it_must": verdict.as_it_must,
        "operation": finding.operation if finding else None,
        "op": (finding.op or None) if finding else None,
        "message": verdict.message or None,
        "difference": difference.to_json() if difference else None,
        "seconds": verdict.seconds,
    }


def junit_report(judgement: Judgement) -> str:
    """The report for what reads JUnit's: what is listed and fails as listed is a skipped case there."""
    helped = f", with the oracle {', '.join(judgement.oracles)}" if judgement.oracles else ""
    top = ElementTree.Element("testsuites", name=f"capc conformance: {_clean(str(judgement.port['name']))}{helped}")
    for name in LEVELS:
        verdicts = judgement.of_level(name)
        if verdicts:
            _suite(top, name, verdicts)
    if judgement.left_out:
        counts = {"tests": str(len(judgement.left_out)), "failures": "0", "skipped": str(len(judgement.left_out))}
        suite = ElementTree.SubElement(top, "testsuite", {"name": "not judged", **counts})
        for name in judgement.left_out:
            case = ElementTree.SubElement(suite, "testcase", classname="not judged", name=name)
            ElementTree.SubElement(case, "skipped", message="an oracle stands for it")
    if judgement.farewell:
        suite = ElementTree.SubElement(top, "testsuite", name="end", tests="1", failures="1", skipped="0")
        case = ElementTree.SubElement(suite, "testcase", classname="end", name="stop")
        ElementTree.SubElement(case, "failure", message=_clean(judgement.farewell))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _suite(top: ElementTree.Element, name: str, verdicts: Sequence[Verdict]) -> None:
    failures = sum(not verdict.as_it_must for verdict in verdicts)
    skipped = sum(verdict.as_it_must and verdict.finding is not None for verdict in verdicts)
    counts = {"name": name, "tests": str(len(verdicts)), "failures": str(failures), "skipped": str(skipped)}
    suite = ElementTree.SubElement(top, "testsuite", counts)
    properties = ElementTree.SubElement(suite, "properties")
    for statement, found in statements(verdicts).items():
        told = f"{found['passed']} of {sum(found.values())} passed"
        ElementTree.SubElement(properties, "property", name=statement, value=told)
    for verdict in verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=verdict.name, time=f"{verdict.seconds:.3f}"
        )
        if not verdict.as_it_must:
            ElementTree.SubElement(case, "failure", type=verdict.outcome.value, message=_clean(_told(verdict)))
        elif verdict.finding:
            ElementTree.SubElement(case, "skipped", message=_clean(f"listed as {verdict.listed}: {_told(verdict)}"))


def _clean(text: str) -> str:
    """The text without characters that XML does not have."""
    return "".join(char if char.isprintable() else "?" for char in text)
