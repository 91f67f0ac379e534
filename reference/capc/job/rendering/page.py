"""The page of a run: one HTML file that a person reads in a browser.

It says of privacy what the report says, in the report's words, and adds no claim of its own.

Spec: CAPC-RUN-036, CAPC-RUN-037, CAPC-RUN-038.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc.job.rendering import figures, tables
from capc.job.rendering.drawing import Drawing, inline
from capc.job.rendering.markup import Element, document, element, facts, heading, name
from capc.job.rendering.reading import RUN, bounds, check_schema, number
from capc.job.rendering.style import STYLE

_STATUS = {
    "complete": "all queries were asked",
    "budget_exhausted": "it stopped because the budget does not admit another query",
    "interrupted": "it was interrupted; this is what it did until then",
}
_SECTIONS = (
    ("privacy", "Privacy"),
    ("gains", "What the querying parties gained"),
    ("parties", "All parties"),
    ("classes", "Classes and groups"),
    ("queries", "Queries"),
    ("costs", "What it cost"),
    ("details", "Details"),
)


def page(report: Mapping[str, Any]) -> str:
    """The page.

    Args:
        report: a document of the shape run_report/v2, also of an interrupted run.

    Returns:
        HTML that holds its style and figures, loads nothing and runs nothing.

    Raises:
        InputError: the document is another.
    """
    check_schema(report, RUN)
    drawn = {figure.name: figure for figure in figures.drawings(report)}
    main = element(
        "main",
        _privacy(report),
        _gains(report, drawn),
        _parties(report, drawn),
        _classes(report, drawn),
        _queries(report, drawn),
        _costs(report),
        _details(report),
    )
    title = f"CaPC: {'simulated ' if report['simulated'] else ''}run on {report['data']['name']}"
    return document(title[:120], STYLE, [_head(report), _contents(), main])


def _head(report: Mapping[str, Any]) -> Element:
    data, agreement = report["data"], report.get("agreement") or {}
    asking = len(report.get("queriers") or [])
    told = (
        f"{number(len(data['split']['parties']))} parties with rows of their own, {asking} of which asked: "
        f"{number(agreement.get('queries'))} queries, {number(agreement.get('released'))} labels released, "
        f"{number(agreement.get('withheld'))} withheld. "
    )
    size = f", {number(data['rows'])} rows, {number(data['features'])} features, {len(data['classes'])} classes. "
    ended = _STATUS.get(report["status"]) or name(report["status"])
    return element(
        "header",
        heading(1, "Simulated run of CaPC" if report["simulated"] else "Run of CaPC"),
        _banner(bool(report["simulated"])),
        element("p", "Data: ", name(data["name"]), size, told, "The run: ", ended, "."),
        *_warnings(report.get("advice") or {}),
    )


def _banner(simulated: bool) -> Element:
    if simulated:
        words = (
            "Simulation",
            "No cryptography ran and nobody's data were protected: labels were computed in the clear, with noise from "
            "a seeded generator. Accuracies are those that a real run with such noise has; figures of privacy say what "
            "a real run would be charged.",
        )
    else:
        words = (
            "Real run",
            "Every label came from the protocol: encrypted queries, garbled circuits and the guardian's noise. All "
            "parties ran on one machine, so that this page can show what no party of its own would see: all models' "
            "accuracies, votes and true labels.",
        )
    kind = "simulated" if simulated else "real"
    parts = (element("strong", words[0]), element("p", words[1]))
    return element("div", *parts, attributes={"class": f"banner {kind}", "role": "note"})


def _warnings(advice: Mapping[str, Any]) -> list[Element]:
    warnings = advice.get("warnings") or []
    if not warnings:
        return []
    lines = [element("li", name_in_full(warning)) for warning in warnings]
    parts = (element("strong", "Warnings of the plan"), element("ul", *lines))
    return [element("div", *parts, attributes={"class": "warnings", "role": "note"})]


def name_in_full(text: object) -> Element:
    """What a report says, unshortened."""
    return element("bdi", str(text))


def _contents() -> Element:
    links = [element("li", element("a", title, attributes={"href": f"#{anchor}"})) for anchor, title in _SECTIONS]
    return element("nav", element("ul", *links), attributes={"aria-label": "Contents"})


def _section(anchor: str, *parts: Element) -> Element:
    return element("section", heading(2, dict(_SECTIONS)[anchor], anchor), *parts)


def _figure(drawn: Mapping[str, Drawing], which: str) -> list[Element]:
    return inline([drawn[which]], f"{which}-") if which in drawn else []


def _privacy(report: Mapping[str, Any]) -> Element:
    """The figures with the labels that the report gives them, word by word (CAPC-RUN-037)."""
    privacy = bounds(report.get("privacy") or {})
    statement = element(
        "div",
        element("p", f"epsilon = {number(privacy.get('epsilon'))}, delta = {number(privacy.get('delta'))}: ",
                name_in_full(privacy.get("label", "no label")), attributes={"class": "label"}),
        *([] if privacy.get("realised") is None else [
            element("p", f"Spent so far: epsilon = {number(privacy['realised'])}: ",
                    name_in_full(privacy.get("realised_label", "no label")))]),
        attributes={"class": "privacy"},
    )  # fmt: skip
    hypotheses = [element("li", name_in_full(told)) for told in privacy.get("hypotheses") or []]
    said = {"epsilon", "delta", "label", "realised", "realised_label", "hypotheses"}
    rest = {key: value for key, value in privacy.items() if key not in said}
    held = [] if not hypotheses else [heading(3, "It rests on"), element("ul", *hypotheses)]
    return _section("privacy", statement, *held, facts(tables.pairs(rest)), *_advice(report.get("advice") or {}))


def _advice(advice: Mapping[str, Any]) -> list[Element]:
    if not advice:
        return []
    reasons = [element("li", name_in_full(reason)) for reason in advice.get("reasons") or []]
    figures_ = {key: value for key, value in advice.items() if key not in {"warnings", "reasons"}}
    told = [] if not reasons else [element("ul", *reasons)]
    return [heading(3, "What the plan advises"), facts(tables.pairs(figures_)), *told]


def _gains(report: Mapping[str, Any], drawn: Mapping[str, Drawing]) -> Element:
    return _section(
        "gains",
        tables.querying(report),
        *_figure(drawn, "accuracy"),
        *tables.rounds(report),
        *tables.baselines(report),
    )


def _parties(report: Mapping[str, Any], drawn: Mapping[str, Drawing]) -> Element:
    return _section("parties", *_figure(drawn, "parties"), *tables.folded(tables.parties(report)))


def _classes(report: Mapping[str, Any], drawn: Mapping[str, Drawing]) -> Element:
    return _section(
        "classes",
        *_figure(drawn, "per_class"),
        *tables.folded(tables.per_class(report)),
        *_figure(drawn, "per_group"),
        *tables.per_group(report),
    )


def _queries(report: Mapping[str, Any], drawn: Mapping[str, Drawing]) -> Element:
    agreement = report.get("agreement") or {}
    return _section("queries", facts(tables.pairs(agreement)), *_figure(drawn, "votes"), *tables.queries(report))


def _costs(report: Mapping[str, Any]) -> Element:
    if report["simulated"]:
        told = element(
            "p", "The protocol did not run: it cost nothing that could be shown.", attributes={"class": "note"}
        )
        return _section("costs", told)
    return _section("costs", *tables.costs(report))


def _details(report: Mapping[str, Any]) -> Element:
    parts: list[Element] = []
    for key in ("config", "data", "engine", "garbling", "ledger", "journal", "versions"):
        found = report.get(key)
        if isinstance(found, Mapping) and found:
            parts += [heading(3, key.capitalize()), facts(tables.pairs(found))]
    return _section("details", *parts)
