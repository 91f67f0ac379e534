"""Every figure that was once printed is unchanged or tighter today: a recorded table, and its comparison."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from support.recorded_figures import REFUSED, TABLE, figure_of, questions
from support.sizes import some

RECORDED: dict[str, str] = json.loads(TABLE.read_text(encoding="utf-8"))


def test_every_question_has_a_recorded_figure() -> None:
    assert set(questions()) <= set(RECORDED)
    assert sum(figure != REFUSED for figure in RECORDED.values()) > 300


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-104")
@pytest.mark.parametrize("question", some(RECORDED, ordinary=110))
def test_a_figure_is_unchanged_or_tighter(question: str) -> None:
    """An epsilon or a sigma is at most what it was, a count of queries at least that, and none is refused now."""
    before, now = RECORDED[question], figure_of(question)
    if before == REFUSED:
        return
    assert now != REFUSED
    if question.startswith("queries"):
        assert int(now) >= int(before)
    else:
        assert Fraction(now) <= Fraction(before)
