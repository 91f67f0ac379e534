"""Figures of every method over a grid of questions, to be recorded once and compared with ever after.

``python -m support.recorded_figures FILE`` writes the figures of the installed `capc`; questions that a file has
already keep theirs, so that a table never forgets what was once printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from capc.cli.account.cases import read_case
from capc.cli.account.options import Question
from capc.foundation.errors import InputError
from capc.privacy.figures.calculator import affordable_queries, calibrate

TABLE = Path(__file__).parent.parent / "privacy" / "figures" / "recorded_figures.json"
REFUSED = "refused"

_MECHANISMS = {
    "rounded_gaussian": ("gaussian_dp", "zcdp", "renyi_improved", "renyi_classic"),
    "discrete_gaussian": ("loss_distribution", "zcdp", "renyi_improved", "renyi_classic"),
    "skellam": ("renyi_improved", "renyi_classic"),
    "discrete_gaussian_shares": ("zcdp", "renyi_improved", "renyi_classic"),
    "skellam_shares": ("renyi_improved", "renyi_classic"),
}


def questions() -> Iterator[str]:
    """Every question of the grid, as the line of text that names it in the table."""
    for mechanism, methods in _MECHANISMS.items():
        shares = " shares=5 uncounted=1" if mechanism.endswith("shares") else ""
        for method in methods:
            how = f"mechanism={mechanism} method={method} grid_bits=2{shares}"
            for sigma, count in ((1, 1), (3, 20), (7, 291), (40, 20), (40, 160), (1000, 20), (100_000, 1)):
                if method != "loss_distribution" or sigma <= 40:
                    for delta in ("1e-2", "1e-5", "1e-12"):
                        yield f"epsilon sigma={sigma} queries={count} delta={delta} {how}"
            yield f"epsilon sigma=7 queries=40 adjacency=null_vote {how}"
            yield f"epsilon sigma=7 queries=40 answers=9 threshold_ratio=3/2 {how}"
            if method != "loss_distribution":
                yield f"epsilon sigma=7 queries=40 held_by=2 weight=1/2 {how}"
            yield f"epsilon sigma=9 queries=30 ballots=tau labels=14 tau=1 {how}"
            for epsilon in (1, 10):
                yield f"calibrate epsilon={epsilon} queries=20 {how}"
                yield f"queries epsilon={epsilon} sigma=7 {how}"
    for ratio in ("1/2", "1", "3"):
        yield f"epsilon sigma=9 queries=20 joint=yes threshold_ratio={ratio}"
    yield "epsilon sigma=40 queries=100 joint=yes threshold_ratio=1 delta=1e-6 adjacency=null_vote"
    yield "epsilon sigma=2 queries=1 joint=yes threshold_ratio=2 method=renyi_classic"


def figure_of(question: str) -> str:
    """The answer as an exact rational, or that there is none."""
    asked_for, *words = question.split()
    asked = read_case(asked_for, dict(word.split("=") for word in words), lambda name: name)
    try:
        if asked.question is Question.CALIBRATE:
            return str(calibrate(asked.case, asked.queries, asked.epsilon))
        if asked.question is Question.QUERIES:
            return str(affordable_queries(asked.case, asked.epsilon))
        return str(asked.case.statement(asked.queries).epsilon)
    except InputError:
        return REFUSED


def record(file: Path) -> None:
    """Adds the figures of questions that the file does not have."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found = {question: known.get(question) or figure_of(question) for question in questions()}
    file.write_text(json.dumps(known | found, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
