"""Pages: names stay text, nothing is loaded, a simulation is shown as one, and no claim is added."""

from __future__ import annotations

import copy
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job.rendering import figures, study_figures
from capc.job.rendering.page import page
from capc.job.rendering.study import study_page
from support.reports import LABEL, run_report, study

VOID = {"meta", "br", "hr", "img", "link", "input"}
Attributes = list[tuple[str, str | None]]


class Outline(HTMLParser):
    """An independent parser's view: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.elements.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take a second, and hold no text: test_figures has them."""
    monkeypatch.setattr(figures, "drawings", lambda _: [])
    monkeypatch.setattr(study_figures, "drawings", lambda _: [])


def every_text(value: Any, text: str) -> Any:
    """The document with each string that is not this program's own, and each key of an open object, replaced."""
    kept = {"schema", "status", "label", "realised_label", "threshold"}
    if isinstance(value, dict):
        return {key: found if key in kept else every_text(found, text) for key, found in value.items()}
    if isinstance(value, list):
        return [every_text(part, text) for part in value]
    return text if isinstance(value, str) else value


def with_keys(report: dict[str, Any], text: str) -> dict[str, Any]:
    """Names of baselines, steps and parts of the configuration come from the report as well."""
    for querier in report["queriers"]:
        querier["baselines"] = {text: querier["before"]}
    report["steps"] = {text: {"seconds": 1.0, "bytes": 2, "rounds": 3}}
    report["config"] = {text: text, "nested": {text: [text]}}
    return report


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    "</style><script>x</script>",
    "</title><h1>x",
    "<!-- ",
    "]]><svg onload=x>",
    "&lt;b&gt;&#0;&#x202e;",
    "https://example.org/x.png",
    "\x00\x08\x1b[31m\x7f\x85\ufffe",
    "\u202egnitirw\u2066",
    "مرحبا 猫 😀",
    "\ud800",
    "x" * 100_000,
    "",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=40), st.text("<>&\"'/=! -a", max_size=40))


def documents(text: str) -> list[str]:
    """The pages of a run and a study all of whose names are the text."""
    report = run_report(parties=4, queriers=2, queries=5, simulated=False, classes=["b", "a"], groups=["c"])
    report["privacy"]["threshold"] = None
    named = with_keys(every_text(copy.deepcopy(report), text), text)
    named["privacy"]["label"] = named["privacy"]["realised_label"] = text
    studied = study(partitions=["p"], epsilons=[1])
    cells = [{**cell, "labels": {"partition": text, "epsilon": text}} for cell in studied["cells"]]
    return [page(named), study_page({**every_text(studied, text), "cells": cells})]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-036")
@settings(max_examples=60)
@given(text=TEXTS)
def test_no_element_and_no_attribute_comes_from_a_name(text: str) -> None:
    """The same elements with the same attributes as with a harmless name, whatever the names are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "drawings", lambda _: [])
        patch.setattr(study_figures, "drawings", lambda _: [])
        for harmless, found in zip(documents("harmless"), documents(text), strict=True):
            expected, outline = Outline(harmless), Outline(found)
            assert outline.elements == expected.elements
            assert outline.open == []
            assert outline.others == []
            found.encode("utf-8")
            assert not [char for char in found if ord(char) < 32 and char not in "\n\t"]


@pytest.mark.req("CAPC-RUN-036")
@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable() and 0 < len(text) < 100])
def test_a_name_is_shown_as_it_is(no_figures: None, text: str) -> None:
    for found in documents(text):
        assert text in Outline(found).text


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-036")
def test_a_whole_page_loads_and_runs_nothing() -> None:
    report = run_report(groups=HOSTILE[:3], classes=HOSTILE[:8], queriers=2)
    for text in (page(report), study_page(study())):
        outline = Outline(text)
        assert outline.open == []
        names = [name for _, attributes in outline.elements for name, _ in attributes]
        assert not [
            name for name in names if name.startswith("on") or name in {"src", "srcset", "action", "xlink:href"}
        ]
        tags = {tag for tag, _ in outline.elements}
        assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "image", "base"})
        values = [(name, value or "") for _, attributes in outline.elements for name, value in attributes]
        identifiers = [value for name, value in values if name == "id"]
        assert len(identifiers) == len(set(identifiers))
        for name, value in values:
            assert "http" not in value or name == "http-equiv" or value == "http"
            assert name != "href" or value.removeprefix("#") in identifiers
        assert "url(" not in text.replace("url(#", "")
        assert "@import" not in text
        policy = [
            dict(attributes).get("content") for tag, attributes in outline.elements if "http-equiv" in dict(attributes)
        ]
        assert policy == [
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
        ]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-036")
def test_a_page_can_be_read_without_seeing_it() -> None:
    outline = Outline(page(run_report(groups=("female", "male"))))
    assert ("html", [("lang", "en")]) in outline.elements
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("h1") == 1
    assert tags.count("table") == tags.count("caption") > 6
    pictures = [dict(attributes) for tag, attributes in outline.elements if tag == "svg"]
    assert len(pictures) == 5
    assert all(picture["role"] == "img" and len(picture["aria-label"] or "") > 20 for picture in pictures)
    assert {dict(attributes).get("scope") for tag, attributes in outline.elements if tag == "th"} == {"col", "row"}


def counted(report: Any) -> int:
    """How often the report's own strings say the word."""
    if isinstance(report, dict):
        return sum(counted(value) for value in report.values())
    if isinstance(report, list):
        return sum(counted(value) for value in report)
    return report.lower().count("guarantee") if isinstance(report, str) else 0


@pytest.mark.req("CAPC-RUN-037")
@pytest.mark.parametrize(
    ("simulated", "label"),
    [
        (False, LABEL),
        (False, "no guarantee: under the declared model honest_majority only, which is weaker than the base model"),
        (False, "other words"),
        (True, "no guarantee: simulated"),
        (True, "other words"),
    ],
)
def test_a_page_says_of_privacy_what_the_report_says(no_figures: None, simulated: bool, label: str) -> None:
    report = run_report(simulated=simulated)
    report["privacy"]["label"] = label
    text = Outline(page(report)).text
    assert f"epsilon = 2, delta = 0.000001: {label}" in text
    assert f"epsilon = 1.25: {report['privacy']['realised_label']}" in text
    assert text.lower().count("guarantee") == counted(report)


@pytest.mark.req("CAPC-ACCT-004")
def test_no_bound_on_a_page_is_below_the_reports(no_figures: None) -> None:
    report = run_report()
    bound, shown = 13.1234491, "13.1235"
    report["privacy"] |= {
        "epsilon": bound,
        "delta": 1.234561e-6,
        "realised": bound,
        "all_queriers": {"budgets": "separate", "epsilon": bound},
        "adversaries": {"semi_honest": bound, "cheating_querying_party": bound},
    }
    rounds = [entry for querier in report["queriers"] for entry in querier["rounds"]]
    for entry in rounds:
        entry["epsilon"] = bound
    text = Outline(page(report)).text
    assert text.count(shown) == 5 + len(rounds)
    assert "delta = 0.00000123457" in text


@pytest.mark.req("CAPC-RUN-037")
@pytest.mark.req("CAPC-RUN-038")
def test_a_simulation_with_a_guarantee_is_no_report(no_figures: None) -> None:
    report = run_report()
    report["privacy"]["label"] = LABEL
    with pytest.raises(InputError, match="a simulated run has none"):
        page(report)


@pytest.mark.req("CAPC-RUN-038")
def test_a_simulated_report_is_shown_as_such(no_figures: None) -> None:
    simulated, real = (Outline(page(run_report(simulated=kind))) for kind in (True, False))
    banners = [
        [
            dict(attributes)["class"]
            for tag, attributes in outline.elements
            if "banner" in (dict(attributes).get("class") or "")
        ]
        for outline in (simulated, real, Outline(study_page(study())))
    ]
    assert banners == [["banner simulated"], ["banner real"], ["banner simulated"]]
    assert "Simulated run" in simulated.text
    assert "No cryptography ran" in simulated.text
    assert "imulat" not in real.text


DAMAGE: list[Callable[[Any], object]] = [
    lambda report: report.update(queriers=[], queries=[], parties=[], ensemble=None, steps={}, status="interrupted"),
    lambda report: [querier.update(after=None) for querier in report["queriers"]],
    lambda report: [querier.update(before=None, after=None, rounds=[], baselines={}) for querier in report["queriers"]],
    lambda report: report["data"].update(group=None),
    lambda report: [party.update(score=None) for party in report["parties"]],
    lambda report: report.update(advice={}, garbling=None, engine={}),
    lambda report: [query.update(votes=None) for query in report["queries"]],
    lambda report: [querier["before"].update(per_class=[None] * 10) for querier in report["queriers"]],
]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_report_of_an_interrupted_run_is_shown(damage: Callable[[Any], object]) -> None:
    report = run_report(groups=("female", "male"), simulated=False)
    damage(report)
    outline = Outline(page(report))
    assert "Run of CaPC" in outline.text
    assert "None" not in outline.text.replace("None ", "")


@pytest.mark.slow
def test_of_many_queries_the_first_are_shown_and_the_rest_is_said(no_figures: None) -> None:
    few, many = (Outline(page(run_report(queries=count))) for count in (200, 201))
    assert "The first 200 of 201 queries" in many.text
    assert "The first" not in few.text
    rows = [sum(tag == "tr" for tag, _ in outline.elements) for outline in (few, many)]
    assert rows[0] == rows[1]


def test_gains_are_the_differences_of_the_report(no_figures: None) -> None:
    report = run_report(queriers=1)
    report["queriers"][0]["before"]["accuracy"] = 0.5
    report["queriers"][0]["after"] = {**report["queriers"][0]["after"], "accuracy": 0.4375}
    text = Outline(page(report)).text
    assert "party 0accuracy50.0 %43.8 %\N{MINUS SIGN}6.2" in text


def test_a_study_shows_means_intervals_and_how_to_run_it_again(no_figures: None) -> None:
    document = study(partitions=["iid"], strategies=["margin"], epsilons=[2])
    document["cells"][0]["values"]["gain"] = {"mean": 0.0312, "low": -0.001, "high": 0.0634, "values": [0.03]}
    text = Outline(study_page(document)).text
    assert "+3.1 [\N{MINUS SIGN}0.1, +6.3]".replace(" ", "\N{NO-BREAK SPACE}") in text
    assert document["commands"][0] in text
    assert document["data"][0]["sha256"] in text
    assert "No run has ended yet" in Outline(study_page({**document, "cells": []})).text
