"""The questions and options of ``capc account``. The calculator, which needs python-flint, is imported late."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from capc.cli.command_options import JSON, takes

account_app = typer.Typer(
    name="account",
    help="Privacy figures for planned releases: epsilon, calibration, counts, comparison. Every figure is rounded "
    "against you and says its method, adjacency and hypotheses.",
    no_args_is_help=True,
)

OPTIONS = {
    "sigma": ("VOTES", "Deviation of the noise on each class."),
    "queries": ("N", "Queries, fixed in advance."),
    "answers": ("N", "Most labels released, behind a threshold. Default: as many as queries."),
    "mechanism": (
        "NAME",
        "rounded_gaussian, discrete_gaussian, skellam, or shares of noise: discrete_gaussian_shares, "
        "skellam_shares (then --sigma is one share's deviation). Default: rounded_gaussian.",
    ),
    "threshold_ratio": ("RATIO", "Threshold deviation divided by sigma. Default: no threshold."),
    "epsilon": ("EPSILON", "The budget."),
    "delta": ("DELTA", "Default: 0.00001."),
    "adjacency": ("NAME", "replace_one, null_vote, or add_remove (comparison only). Default: replace_one."),
    "method": (
        "NAME",
        "gaussian_dp, loss_distribution, zcdp, renyi_improved or renyi_classic. Default: the one for the noise.",
    ),
    "grid_bits": ("BITS", "Noise is on a grid of 2^-BITS votes. Default: 4."),
    "weight": ("W", "Weight of a protected vote. Default: 1."),
    "held_by": ("T", "Parties that hold the same record. Default: 1."),
    "shares": ("M", "Contributors of noise shares. Default: 1."),
    "uncounted": ("C", "Of them colluding or dropped out. Default: 0."),
    "joint": ("yes|no", "Charge check and answer jointly. Default: no."),
    "ballots": ("NAME", "Multi-label vote: binary, tau or powerset. Default: single labels."),
    "labels": ("K", "Labels of a multi-label vote."),
    "tau": ("TAU", "Length to which tau voting shortens ballots."),
}
PLOT = {"plot": ("FILE", "Draw epsilon against queries; .png, .pdf or .svg.")}


class Question(StrEnum):
    """What may be asked."""

    EPSILON = "epsilon"
    COMPARE = "compare"
    CALIBRATE = "calibrate"
    QUERIES = "queries"


_TOLD = {
    Question.EPSILON: "Epsilon of so many queries under this noise.",
    Question.COMPARE: "Epsilon by every method side by side.",
    Question.CALIBRATE: "The smallest sigma for which so many queries fit a budget.",
    Question.QUERIES: "How many queries fit a budget, each at its full cost.",
}
NEEDED = {
    Question.EPSILON: ("sigma", "queries"),
    Question.COMPARE: ("sigma", "queries"),
    Question.CALIBRATE: ("epsilon", "queries"),
    Question.QUERIES: ("epsilon", "sigma"),
}
NOT_TAKEN = {
    Question.EPSILON: ("epsilon",),
    Question.COMPARE: ("epsilon", "method"),
    Question.CALIBRATE: ("sigma", "answers"),
    Question.QUERIES: ("queries", "answers"),
}
"""What a question asks for, or answers for every query in full: given, it would have to be ignored."""


def _add(question: Question) -> None:
    """Makes a question a command."""
    drawn = PLOT if question in {Question.EPSILON, Question.COMPARE} else {}
    taken = {name: told for name, told in OPTIONS.items() if name not in NOT_TAKEN[question]}

    @account_app.command(question.value, help=_TOLD[question])
    @takes({**taken, **JSON, **drawn})
    def ask(given: dict[str, str]) -> None:
        from capc.cli import account_command  # noqa: PLC0415  # needs python-flint

        json, plot = given.pop("json", None), given.pop("plot", None)
        account_command.ask(question, given, json, plot)


for _question in Question:
    _add(_question)


@account_app.command()
def batch(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A JSON list of objects: `question` and options by name.")
    ],
    json: Annotated[str | None, typer.Option(metavar=JSON["json"][0], help=JSON["json"][1])] = None,
) -> None:
    """Answer a list of cases; all are read and checked before the first is computed."""
    from capc.cli import account_command  # noqa: PLC0415  # needs python-flint

    account_command.ask_all(file, json)
