"""The attack that is recorded: of all cases, and nothing that was printed is refuted by what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capc_verify.attack.__main__ import RECORD
from capc_verify.attack.cases import CASES

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[3] / RECORD).read_text(encoding="utf-8"))


def test_all_cases_are_recorded_with_the_commit_they_are_of() -> None:
    assert [case["name"] for case in RECORDED["cases"]] == [case.name for case in CASES]
    assert len(RECORDED["commit"]) == 40
    assert RECORDED["failure"] <= 1e-6


@pytest.mark.req("CAPC-ACCT-160")
@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["name"])
def test_nothing_that_is_printed_is_below_what_was_found(case: dict[str, Any]) -> None:
    adversary = "cheating_querying_party" if case["cheating_querying_party"] else "semi_honest"
    assert case["at"]
    for at in case["at"]:
        for of in at["printed"].values():
            assert at["found_from_below"] <= at["exact_of_this_adversary"] <= of[adversary]
            assert at["exact_of_the_best_adversary"] <= of[adversary]


def test_where_theory_says_so_what_was_found_is_near_to_what_is_printed() -> None:
    """One label at a large delta: the best adversary reaches what a composition prints; the attack is near."""
    (case,) = (case for case in RECORDED["cases"] if case["name"] == "one label at a distance")
    at = case["at"][-1]
    printed = at["printed"]["argmax_composition"]["semi_honest"]
    assert at["exact_of_the_best_adversary"] >= 0.99 * printed
    assert at["found_from_below"] >= 0.75 * printed
