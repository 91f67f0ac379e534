"""The part of the page that says what failed: by reason, since one cause fails many tests, and by statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from capc.job.rendering.markup import Child, Element, element, heading, shortened, table
from capc_verify.audit.report.statements import Verdict

Report = Mapping[str, Any]

_TEST = re.compile(r"(?P<node>\S+::.*?): failed: (?P<reason>.*)", re.DOTALL)
_PLACE = re.compile(r"(?:\S+:\d+(?: \(from \S+:\d+\))?: )?(?:in \w+: )?")
"""Where an error was raised, and in which phase: other tests meet the same one in other phases."""
_BYTES = re.compile(r"b'[^']*'|b\"[^\"]*\"|\b[0-9a-f]{16,}\b|\b\d{5,}\b")
"""What differs from run to run where one cause is met by several tests: tags, digests, messages, large numbers."""
_LONGEST = 240
_MOST = 12
"""Reasons, and statements of one reason; how many more there are is told."""


def failures(report: Report, link: Callable[[str, bool], Child]) -> list[Element]:
    """What failed; nothing if nothing did.

    Args:
        report: the document.
        link: an id that leads to its statement.
    """
    failed = [entry for entry in report["statements"] if entry["verdict"] == Verdict.FAILED.value]
    broken = report["run"]["broken"]
    if not failed and not broken:
        return []
    lines = [
        element("li", link(entry["id"], True), ": ", reason) for entry in failed for reason in entry["reasons"][:3]
    ]
    lines += [element("li", f"{each['file']} cannot be collected: {each['reason']}") for each in broken]
    listed = element("ul", *lines, attributes={"class": "reasons"})
    rows = _by_reason(failed, broken, link)
    parts = [heading(2, "What failed", "failed"), *_beneath(report, failed, link)]
    reasons = sum(len(entry["reasons"]) for entry in failed) + len(broken)
    # What is alike is told once, and what the list leaves out is told at all.
    if len(rows) < reasons or len(lines) < reasons:
        parts.append(element("p", "The same error of many tests has one cause: begin with the first row."))
        columns = ("what was raised, and where", "tests and files", "statements")
        parts.append(table("By reason", columns, rows[:_MOST], words=1))
        parts += [element("p", f"And {len(rows) - _MOST} reasons more.")] if len(rows) > _MOST else []
        listed = element("details", element("summary", f"By statement ({len(failed)})"), listed)
    return [*parts, listed]


def _beneath(report: Report, failed: list[Report], link: Callable[[str, bool], Child]) -> list[Element]:
    """Says of what failed that no claim and no question names it, lest what is green beside it be believed."""
    named = {name for claim in report["claims"] for name in claim["statements"]}
    named |= {rests["id"] for question in report["questions"] for rests in question["rests_on"]}
    if not (unnamed := [entry["id"] for entry in failed if entry["id"] not in named]):
        return []
    words = "No claim and no question names these, and what they say may be beneath any of them: until it is mended, "
    return [element("p", words, "believe no green beside it. ", _links(unnamed, link))]


def _by_reason(failed: list[Report], broken: list[Report], link: Callable[[str, bool], Child]) -> list[list[Child]]:
    """A row for each error: as it was met first, by how many tests and files, and the statements behind them."""
    first: dict[str, str] = {}
    met: dict[str, set[str]] = {}
    of: dict[str, dict[str, None]] = {}
    told = [
        (match["node"], match["reason"], entry["id"])
        for entry in failed
        for reason in entry["reasons"]
        if (match := _TEST.fullmatch(reason))
    ]
    for node, reason, identifier in [*told, *((each["file"], each["reason"], "") for each in broken)]:
        error = _BYTES.sub("", _PLACE.sub("", reason, count=1))
        first.setdefault(error, reason)
        met.setdefault(error, set()).add(node)
        of.setdefault(error, {}).update({identifier: None} if identifier else {})
    return [
        [shortened(first[error], _LONGEST), str(len(met[error])), _links(list(of[error]), link)]
        for error in sorted(met, key=lambda error: -len(met[error]))
    ]


def _links(names: list[str], link: Callable[[str, bool], Child]) -> Element:
    shown: list[Child] = [part for name in names[:_MOST] for part in (link(name, True), " ")]
    return element("span", *shown, f"and {len(names) - _MOST} more" if len(names) > _MOST else "")
