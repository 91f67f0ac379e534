"""What a terminal shows of an answer of ``capc account``: as much as the document does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capc import cli

COARSE = ["--grid-bits", "0"]
"""A cost of labels is found sooner on a coarse grid."""


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def both(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """The document, and the lines of the terminal."""
    assert cli.run(["account", *arguments, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert cli.run(["account", *arguments]) == 0
    return found, [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-134", "CAPC-ACCT-152")
@pytest.mark.parametrize("method", ["argmax_renyi", "argmax_composition"])
def test_an_epsilon_of_labels_is_shown_towards_both_adversaries(
    capsys: pytest.CaptureFixture[str], method: str
) -> None:
    found, lines = both(capsys, "epsilon", "--sigma", "2", "--queries", "3", "--method", method, *COARSE)
    honest, cheated = (found["adversaries"][name] for name in ("semi_honest", "cheating_querying_party"))
    assert float(honest) < float(cheated)
    assert f"epsilon towards: semi_honest <= {honest}, cheating_querying_party <= {cheated}" in lines


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-134", "CAPC-ACCT-152")
def test_a_comparison_shows_each_epsilon_towards_both_adversaries(capsys: pytest.CaptureFixture[str]) -> None:
    found, lines = both(capsys, "compare", "--sigma", "2", "--queries", "3", *COARSE)
    rows = [[cell.strip() for cell in line.split("│")] for line in lines if line.startswith("│")]
    shown = {cells[1]: cells[2:4] for cells in rows}
    figures = {name: figure["adversaries"] for name, figure in found["methods"].items() if "epsilon" in figure}
    assert {"argmax_renyi", "argmax_composition", "gaussian_dp"} <= figures.keys()
    for name, towards in figures.items():
        assert shown[name] == [towards["semi_honest"], towards["cheating_querying_party"]]
        assert (len(set(towards.values())) == 2) == name.startswith("argmax")


@pytest.mark.req("CAPC-ACCT-113")
@pytest.mark.parametrize(
    ("question", "rounding"),
    [
        (["epsilon", "--sigma", "4", "--queries", "3"], None),
        (["calibrate", "--epsilon", "10", "--queries", "3"], "sigma rounded up to a multiple of 1/64 votes"),
        (["queries", "--epsilon", "10", "--sigma", "4"], "queries rounded down"),
    ],
    ids=["epsilon", "calibrate", "queries"],
)
def test_hypotheses_and_roundings_of_an_answer_are_shown(
    capsys: pytest.CaptureFixture[str], question: list[str], rounding: str | None
) -> None:
    found, lines = both(capsys, *question)
    assert found.get("rounding_of_answer") == rounding
    assert rounding is None or f"rounding of answer: {rounding}" in lines
    assert found["hypotheses"]
    assert all(f"needs: {each}" in lines for each in found["hypotheses"])
    for part in ("method", "adjacency", "rounding"):
        assert f"{part}: {found[part]}" in lines
