"""The last parts of the page: seeded faults, records of long runs, environment and hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capc.job.rendering.markup import Child, Element, element, facts, heading, table
from capc_verify.audit.report.inventory import digest

Report = Mapping[str, Any]

_MOST_CHANGES = 8
"""Of one record; how many more there are is told."""


def faults(report: Report) -> list[Element]:
    """Statements against seeded faults, and what became of each fault when it was tried last."""
    matrix = report["matrix"]
    covered, missing = matrix["statements"], matrix["without_fault"]
    rows: list[list[Child]] = [[name, ", ".join(found)] for name, found in covered.items()]
    told: list[list[Child]] = [
        [
            fault["name"],
            fault["family"],
            fault["summary"],
            _last(fault["last"], report["tree"]),
            ", ".join(fault["statements"]) or "none",
        ]
        for fault in matrix["faults"]
    ]
    by_fault = ("fault", "family", "what the faulty code does", "tried last", "statements of the tests that catch it")
    return [
        heading(2, "Seeded faults", "faults"),
        element(
            "p",
            f"A test is worth what it catches. {len(matrix['faults'])} faults can be put into the code, each of which "
            f"must make its tests fail. Of {len(covered) + len(missing)} binding statements of kind test, "
            f"{len(covered)} have a test that catches one.",
        ),
        _folded(
            f"Statements with faults ({len(covered)})", table("By statement", ("statement", "faults"), rows, words=2)
        ),
        _folded(f"Statements of kind test without a fault ({len(missing)})", *_without(missing, matrix["reasons"])),
        _folded(f"All faults ({len(told)})", table("By fault", by_fault, told, words=5)),
    ]


def records(report: Report) -> list[Element]:
    """Evidence that is recorded once, and whether it is still of this code."""
    rows: list[list[Child]] = [
        [
            record["name"],
            _state(record["state"]),
            record["date"] or "–",
            record["commit"][:12] or "–",
            "; ".join(record["reasons"][:_MOST_CHANGES]) + _more(len(record["reasons"])),
            element("code", record["command"]),
        ]
        for record in report["records"]
    ]
    columns = ("record", "state", "made", "at commit", "what changed since", "made again by")
    return [
        heading(2, "Records of long runs", "records"),
        element(
            "p",
            "Kills, fuzz and long properties take hours, and are recorded with their commit. A record is stale when "
            "code that its tests run, or a statement that they name, is another than at that time; comments, "
            "docstrings and layout do not count. What is stale says nothing about this code.",
        ),
        table("Records", columns, rows, words=6),
    ]


def hashes(report: Report) -> list[Element]:
    """Of what the report speaks, exactly."""
    environment = report["environment"]
    groups: list[tuple[str, Child]] = [
        (f"{group} ({len(found)} files)", element("code", digest({group: found})))
        for group, found in report["hashes"].items()
    ]
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    return [
        heading(2, "Environment and hashes", "hashes"),
        facts(
            [
                ("interpreter", f"{environment['implementation']} {environment['python']}"),
                (
                    "machine",
                    f"{environment['system']}, {environment['machine']}, {environment['processors']} processors",
                ),
                ("all files", element("code", report["tree"])),
                *groups,
            ]
        ),
        element(
            "p",
            "Each digest is the SHA-256 of lines of a hash, two spaces and a name, in the order of names, as sha256sum "
            "writes them. The JSON beside this page has the hash of every file; ",
            element("code", "capc verify check"),
            " compares them with a checkout, and names each that differs.",
        ),
        _folded("Packages", element("p", packages)),
        _folded(
            "Files that differ from the commit", element("p", ", ".join(report["commit"]["uncommitted"]) or "None.")
        ),
    ]


def _without(missing: Sequence[str], reasons: Sequence[Report]) -> Iterator[Element]:
    """The statements under the reasons that are given for them, and those without any."""
    groups = [(reason["text"], reason["statements"]) for reason in reasons]
    told = {name for _, names in groups for name in names}
    groups.append(("No reason is given:", [name for name in missing if name not in told]))
    for text, names in groups:
        if names:
            yield element("p", f"{text} ({len(names)})")
            yield element("ul", *(element("li", name) for name in names), attributes={"class": "columns"})


def _folded(title: str, *content: Element) -> Element:
    return element("details", element("summary", title), *content)


def _last(last: Report | None, tree: str) -> str:
    if last is None:
        return "not tried by capc verify faults"
    when = last["at"] if last["tree"] == tree else f"{last['at']}, on other files"
    return f"{'caught' if last['caught'] else 'NOT CAUGHT: ' + '; '.join(last['problems'])}, {when}"


def _state(state: str) -> Element:
    return element("span", state, attributes={"class": f"verdict {'good' if state == 'fresh' else 'open'}"})


def _more(count: int) -> str:
    return f"; and {count - _MOST_CHANGES} more" if count > _MOST_CHANGES else ""
