"""The page of a report: one HTML file that opens alone and offline, and says nothing but what the document says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capc.job.rendering.markup import Child, Element, document, element, facts, heading, table
from capc_verify.audit.report import appendix
from capc_verify.audit.report.failures import failures
from capc_verify.audit.report.prose import belonging_block, blocks_of, inline, parted
from capc_verify.audit.report.questions import questions, shortened
from capc_verify.audit.report.statements import Verdict
from capc_verify.audit.report.style import AUDIT_STYLE

Report = Mapping[str, Any]

_CLASSES = {Verdict.SHOWN: "good", Verdict.FAILED: "bad", Verdict.NOT_RERUN: "open"}
_SECTIONS = (
    ("questions", "Questions"),
    ("claims", "Claims"),
    ("not-claimed", "Not claimed"),
    ("not-run", "Not run again"),
    ("statements", "Statements"),
    ("faults", "Seeded faults"),
    ("records", "Records of long runs"),
    ("hashes", "Environment and hashes"),
)
_KINDS = {
    "test": "tests on examples and properties",
    "enumeration": "every case of a finite set is computed",
    "proof": "a solver proves it for all inputs of a width",
    "vector": "test vectors are replayed byte by byte",
    "model": "a model is explored",
    "review": "a person read this very text",
    "assumption": "nothing: it is taken for granted",
}


def page(report: Report) -> str:
    """The page of a document of the shape verify_report/v1."""
    statements = {entry["id"]: entry for entry in report["statements"]}
    main = element(
        "main",
        *failures(report, link),
        *questions(report, badge, link),
        *_claims(report, statements),
        heading(2, "Not claimed", "not-claimed"),
        element("ul", *(element("li", *inline(item)) for item in report["not_claimed"])),
        *_not_run(report),
        *_statements(report),
        *appendix.faults(report),
        *appendix.records(report),
        *appendix.hashes(report),
    )
    return document("CaPC: claims and evidence", AUDIT_STYLE, [_head(report), _contents(), main])


def badge(verdict: str) -> Element:
    """A verdict in its colour."""
    kind = _CLASSES.get(Verdict(verdict), "plain")
    return element("span", verdict, attributes={"class": f"verdict {kind}"})


def link(identifier: str, known: bool) -> Child:
    """A link to a statement of this page, or its id alone."""
    return element("a", identifier, attributes={"href": f"#{identifier}"}) if known else identifier


def _head(report: Report) -> Element:
    tests, run, commit = report["run"]["tests"], report["run"], report["commit"]
    words = "Everything that was run again passed." if report["passes"] else "Something failed: see below."
    banner = element(
        "div",
        element("strong", "PASSES" if report["passes"] else "FAILS"),
        element("p", words),
        attributes={"class": f"banner {'good' if report['passes'] else 'bad'}", "role": "note"},
    )
    changed = commit["uncommitted"]
    told = commit["id"] or "no version control here"
    of_commit = f"{told}, with {len(changed)} files that differ from it" if changed else told
    environment = report["environment"]
    return element(
        "header",
        heading(1, "CaPC: claims and evidence"),
        banner,
        facts(
            [
                ("asked", report["asked"]["words"]),
                (
                    "statements",
                    f"{len(report['statements'])} of {len(report['statements']) + len(report['not_asked'])}",
                ),
                ("tests run again", f"{tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped"),
                ("tests left out", f"{run['left_out']}"),
                ("when", f"{run['started']} to {run['ended']}" + _went_on(run)),
                ("commit", of_commit),
                ("environment", f"Python {environment['python']}, {environment['system']}, {environment['machine']}"),
                ("signed by", report.get("signed_by") or "nobody"),
            ]
        ),
        element(
            "p",
            "A statement is ",
            badge("shown"),
            " if evidence of its kind was run again and passed, and none failed; ",
            badge("failed"),
            " if some failed, is gone, or fits another sentence; ",
            badge("not run again"),
            " if nothing of its kind ran; ",
            badge("assumed"),
            " if it is taken for granted. A claim is what its worst statement is. No colour says that a claim is true: "
            "it says what was tried, and by which means. The argument that leads from statements to claim is text, and "
            "for people to judge.",
        ),
    )


def _went_on(run: Report) -> str:
    return f"; {run['went_on_from']} tests were kept from an interrupted run" if run["went_on_from"] else ""


def _contents() -> Element:
    links = [element("li", element("a", title, attributes={"href": f"#{anchor}"})) for anchor, title in _SECTIONS]
    return element("nav", element("ul", *links), attributes={"aria-label": "contents"})


def _claims(report: Report, statements: Mapping[str, Report]) -> list[Element]:
    meaning = {entry["tag"]: entry["text"] for entry in report["assumptions"]}
    found = [heading(2, "Claims", "claims")]
    rows: list[list[Child]] = [
        [
            element("a", claim["name"], attributes={"href": f"#claim-{claim['name']}"}),
            claim["text"],
            badge(claim["verdict"]),
        ]
        for claim in report["claims"]
    ]
    found.append(table("All claims of section 90", ("claim", "what is claimed", "evidence"), rows, words=3))
    for claim in report["claims"]:
        found.append(_claim(claim, meaning, statements))
    return found


def _claim(claim: Report, meaning: Mapping[str, str], statements: Mapping[str, Report]) -> Element:
    known = [name for name in claim["statements"] if name in statements]
    shown: list[list[Child]] = [
        [
            link(name, True),
            badge(statements[name]["verdict"]),
            statements[name]["kind"],
            element("span", *inline(shortened(statements[name]["sentence"]))),
        ]
        for name in known
    ]
    rest = [name for name in claim["statements"] if name not in statements]
    tags = [element("li", element("code", tag), f": {meaning[tag]}") for tag in claim["assumptions"]["tags"]]
    parts: list[Child] = [
        element("h3", f"Claim {claim['name']}. ", badge(claim["verdict"]), attributes={"id": f"claim-{claim['name']}"}),
        element("p", *inline(claim["text"])),
        element("h4", "Assumptions"),
        element("p", *inline(claim["assumptions"]["text"])),
        element("ul", *tags),
        element("h4", "What would show it wrong"),
        element("p", *inline(claim["falsified_by"])),
        element("h4", "Argument"),
    ]
    for part in claim["argument"]:
        title = element("summary", f"{part['heading']} ({part['file']})")
        parts.append(element("details", title, *blocks_of(part["blocks"])))
    if not claim["argument"]:
        parts.append(element("p", "The specification does not say where it is argued."))
    if shown:
        parts.append(table("Statements behind it", ("statement", "evidence", "kind", "what it says"), shown, words=4))
    if rest:
        parts.append(element("p", f"Not asked for in this run: {', '.join(rest)}."))
    kind = "claim failed" if claim["verdict"] == Verdict.FAILED.value else "claim"
    return element("section", *parts, attributes={"class": kind})


def _not_run(report: Report) -> list[Element]:
    unseen = [entry for entry in report["statements"] if entry["verdict"] == Verdict.NOT_RERUN.value]
    in_part = [
        (entry["id"], sum(group["not_run_again"] + group["skipped"] for group in entry["evidence"]))
        for entry in report["statements"]
        if entry["verdict"] != Verdict.NOT_RERUN.value
    ]
    some = [f"{name} ({count})" for name, count in in_part if count]
    return [
        heading(2, "Not run again", "not-run"),
        element("p", "Of these statements nothing of their kind ran, or all of it was skipped:"),
        _columns([link(entry["id"], True) for entry in unseen]),
        element("p", "Of these some evidence ran, and in brackets so many tests did not:"),
        _columns(some),
        element("p", "These were not asked for:"),
        _columns(report["not_asked"]),
    ]


def _columns(entries: Sequence[Child]) -> Element:
    if not entries:
        return element("p", "None.")
    listed = element("ul", *(element("li", entry) for entry in entries), attributes={"class": "columns"})
    return element("details", element("summary", f"{len(entries)}"), listed)


def _statements(report: Report) -> list[Element]:
    kinds = [(kind, told) for kind, told in _KINDS.items() if any(e["kind"] == kind for e in report["statements"])]
    return [
        heading(2, "Statements", "statements"),
        element("p", "How evidence is obtained, by the kind of a statement:"),
        facts(kinds),
        *map(_statement, report["statements"]),
    ]


def _statement(entry: Report) -> Element:
    sentence, belonging = parted(entry["sentence"])
    parts: list[Child] = [
        element("h3", f"{entry['id']} ", badge(entry["verdict"]), attributes={"id": entry["id"]}),
        element("p", *inline(sentence), attributes={"class": "sentence"}),
    ]
    if belonging:
        parts.append(belonging_block(belonging))
    if entry["reasons"]:
        parts.append(element("ul", *map(_item, entry["reasons"]), attributes={"class": "reasons"}))
    parts.append(
        element(
            "p",
            f"Kind: {entry['kind']}. In {entry['file']}, line {entry['line']}; hash of the sentence "
            f"{entry['sentence_hash']}. Seeded faults that its tests catch: {', '.join(entry['faults']) or 'none'}. "
            f"Records of long runs: {', '.join(entry['records']) or 'none'}.",
            attributes={"class": "note"},
        )
    )
    if entry["code"]:
        places = element("ul", *map(_item, entry["code"]))
        parts.append(element("details", element("summary", f"Code ({len(entry['code'])} places)"), places))
    if entry["evidence"]:
        tests = sum(group["cases"] for group in entry["evidence"])
        ran = sum(group["passed"] + group["failed"] for group in entry["evidence"])
        title = element("summary", f"Evidence: {ran} of {tests} tests ran again")
        parts.append(element("details", title, _evidence(entry["evidence"])))
    kind = "statement failed" if entry["verdict"] == Verdict.FAILED.value else "statement"
    return element("section", *parts, attributes={"class": kind})


def _item(text: str) -> Element:
    return element("li", text)


def _test(name: str) -> Child:
    """A test's file and its function, on two lines where one is too short."""
    file, colons, function = name.partition("::")
    return element("span", file + colons, element("wbr"), function) if colons else name


def _evidence(groups: Sequence[Report]) -> Element:
    rows: list[list[Child]] = [
        [
            _test(group["name"]),
            group["obtained"],
            str(group["passed"]),
            str(group["failed"] + group["missing"]),
            str(group["skipped"]),
            str(group["not_run_again"]),
            f"{group['seconds']:.1f}",
            group["at"][:16].replace("T", " ") or "–",
        ]
        for group in groups
    ]
    columns = (
        "test, or file of vectors",
        "obtained by",
        "passed",
        "failed or gone",
        "skipped",
        "not run",
        "seconds",
        "last, in UTC",
    )
    return table("Evidence", columns, rows, words=2)
