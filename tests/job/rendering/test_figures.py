"""Figures: what they show, the same bytes each time, and files that one can use."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from capc.foundation.errors import InputError
from capc.job.rendering import drawing, figures
from capc.job.rendering.study import write_study_figures
from support.reports import run_report, study

RUN_FIGURES = ["accuracy", "per_class", "per_group", "votes", "parties"]


@pytest.mark.slow
def test_a_run_has_its_figures_in_files_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    report = run_report(groups=("female", "male"))
    files = figures.write_figures(report, tmp_path / "plots")
    assert [file.name for file in files] == [f"{name}.svg" for name in RUN_FIGURES]
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert [figure.svg for figure in figures.drawings(report)] == texts
    for text in texts:
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own
        assert "<dc:date>" not in text


@pytest.mark.slow
def test_a_study_has_a_figure_for_each_gain_that_it_knows(tmp_path: Path) -> None:
    files = write_study_figures(study(), tmp_path)
    assert [file.name for file in files] == ["gain.svg", "balanced_gain.svg", "worst_class_gain.svg"]
    assert write_study_figures(study(epsilons=("none", 0, -1)), tmp_path / "none") == []


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-036")
def test_names_are_drawn_as_they_are_and_change_no_file_s_name() -> None:
    """No formula, no character without a glyph (a warning is an error here), no text outside of the picture."""
    names = ["$x^{", "a\nb\t\x00\x1b", "\u202eright", "猫", "x" * 5000, "</svg><script>", "\ud800", " "]
    drawn = figures.drawings(run_report(classes=names, groups=names, text="$\\frac{"))
    assert [figure.name for figure in drawn] == RUN_FIGURES
    for figure in drawn:
        root = ElementTree.fromstring(figure.svg)  # noqa: S314  # our own
        assert {element.tag.partition("}")[2] for element in root.iter()}.isdisjoint({"script", "a", "image"})
    assert {len(drawing.label(name)) <= drawing.LONGEST_NAME for name in names} == {True}


@pytest.mark.slow
@pytest.mark.parametrize("queriers", [1, 9])
def test_what_a_report_has_not_is_left_out(queriers: int) -> None:
    report: Any = copy.deepcopy(run_report(queriers=queriers))
    assert [figure.name for figure in figures.drawings(report)] == ["accuracy", "per_class", "votes", "parties"]
    for querier in report["queriers"]:
        querier.update(after=None, rounds=querier["rounds"][:1])
        querier["rounds"][0]["epsilon"] = None
    for query in report["queries"]:
        query["votes"] = None
    assert [figure.name for figure in figures.drawings(report)] == ["accuracy", "per_class", "parties"]
    for querier in report["queriers"]:
        querier.update(before=None, rounds=[])
    for party in report["parties"]:
        party["score"] = None
    assert figures.drawings(report) == []


@pytest.mark.slow
def test_the_votes_that_are_counted_are_those_of_the_report() -> None:
    report = run_report(queries=60)
    told = next(figure.description for figure in figures.drawings(report) if figure.name == "votes")
    withheld = sum(query["label"] is None for query in report["queries"])
    right = sum(query["label"] == query["true_label"] for query in report["queries"])
    assert 0 < withheld < right
    wrong = 60 - right - withheld
    assert told == f"Of 60 queries: {right} right label, {wrong} wrong label, {withheld} withheld: no consensus."


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^plots = .*--plots.*name another$"):
        figures.write_drawings([], tmp_path / "file")
    with pytest.raises(InputError, match=r"^plots = .*--plots.*name another$"):
        figures.write_drawings([], tmp_path / "none" / "plots")


@pytest.mark.parametrize("schema", ["run_report/v1", None, "study/v1"])
def test_another_document_is_refused(schema: str | None) -> None:
    with pytest.raises(InputError, match="only run_report/v2 can be shown"):
        figures.drawings({**run_report(), "schema": schema})
