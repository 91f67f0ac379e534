"""The part of the page that answers questions, each with what became of the statements that its answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from capc.job.rendering.markup import Child, Element, element, heading, table
from capc_verify.audit.report.prose import blocks_of, inline, parted
from capc_verify.audit.report.statements import Verdict

Report = Mapping[str, Any]

_COLUMNS = ("statement", "now", "kind", "what stands behind it", "what it says")
_MOST_CHARACTERS = 160


def questions(report: Report, badge: Callable[[str], Element], link: Callable[[str, bool], Child]) -> list[Element]:
    """All questions: a table of them, and each with its answer.

    Args:
        report: the document.
        badge: a verdict in its colour.
        link: an id that leads to its statement, if that is on the page.
    """
    reasons = {entry["id"]: entry["reasons"] for entry in report["statements"]}
    told: list[list[Child]] = [
        [
            str(each["number"]),
            element("a", each["question"], attributes={"href": f"#question-{each['number']}"}),
            badge(each["verdict"]),
        ]
        for each in report["questions"]
    ]
    return [
        heading(2, "Questions", "questions"),
        element(
            "p",
            "What an auditor asks first, with short answers. Beside each answer stands what became of the statements "
            "that it rests on: its colour is that of the worst of them, and no colour judges the answer itself. "
            "Answers are those of docs/questions.md.",
        ),
        table("All questions", ("no.", "question", "statements"), told, words=3),
        *(_question(each, reasons, badge, link) for each in report["questions"]),
    ]


def _question(
    entry: Report,
    reasons: Mapping[str, Iterable[str]],
    badge: Callable[[str], Element],
    link: Callable[[str, bool], Child],
) -> Element:
    anchor = {"id": f"question-{entry['number']}"}
    rows: list[list[Child]] = [
        [
            link(each["id"], each["id"] in reasons),
            badge(each["verdict"]),
            each["kind"],
            element("span", *inline(each["behind"])),
            element("span", *inline(shortened(each["sentence"]))),
        ]
        for each in entry["rests_on"]
    ]
    failed = [
        element("li", link(each["id"], True), ": ", reason)
        for each in entry["rests_on"]
        if each["verdict"] == Verdict.FAILED.value
        for reason in list(reasons.get(each["id"], ()))[:1]
    ]
    unasked = [each["id"] for each in entry["rests_on"] if each["id"] not in reasons]
    parts: list[Child] = [
        element("h3", f"{entry['number']}. {entry['question']} ", badge(entry["verdict"]), attributes=anchor),
        *blocks_of(entry["answer"]),
    ]
    if failed:
        parts.append(element("ul", *failed, attributes={"class": "reasons"}))
    parts.append(table("Statements that the answer rests on", _COLUMNS, rows, words=len(_COLUMNS)))
    if unasked:
        parts.append(element("p", f"Not asked for in this run: {', '.join(unasked)}.", attributes={"class": "note"}))
    kind = "question failed" if entry["verdict"] == Verdict.FAILED.value else "question"
    return element("section", *parts, attributes={"class": kind})


def shortened(sentence: str) -> str:
    """The beginning of a statement's sentence, for a row of a table."""
    text = parted(sentence)[0]
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"
