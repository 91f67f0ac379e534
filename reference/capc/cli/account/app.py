"""The questions and options of ``capc account``. The calculator, which needs python-flint, is imported late."""

from __future__ import annotations

from typing import Annotated

import typer

from capc.cli.account.options import NOT_TAKEN, OPTIONS, Question
from capc.cli.terminal.options import JSON, takes

account_app = typer.Typer(
    name="account",
    help="Privacy figures for planned releases: epsilon, calibration, counts, comparison. Every figure is rounded "
    "against you and says its method, adjacency and hypotheses.",
    no_args_is_help=True,
)

PLOT = {"plot": ("FILE", "Draw epsilon against queries; .png, .pdf or .svg.")}

_TOLD = {
    Question.EPSILON: "Epsilon of so many queries under this noise.",
    Question.COMPARE: "Epsilon by every method side by side.",
    Question.CALIBRATE: "The smallest sigma for which so many queries fit a budget.",
    Question.QUERIES: "How many queries fit a budget, each at its full cost.",
}


def _add(question: Question) -> None:
    """Makes a question a command."""
    drawn = PLOT if question in {Question.EPSILON, Question.COMPARE} else {}
    taken = {name: told for name, told in OPTIONS.items() if name not in NOT_TAKEN[question]}

    @account_app.command(question.value, help=_TOLD[question])
    @takes({**taken, **JSON, **drawn})
    def ask(given: dict[str, str]) -> None:
        from capc.cli.account import command  # noqa: PLC0415  # needs python-flint

        json, plot = given.pop("json", None), given.pop("plot", None)
        command.ask(question, given, json, plot)


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
    from capc.cli.account import command  # noqa: PLC0415  # needs python-flint

    command.ask_all(file, json)


@account_app.command()
def certificate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A kept composition, as in the user's cache folder.")],
    json: Annotated[str | None, typer.Option(metavar=JSON["json"][0], help=JSON["json"][1])] = None,
) -> None:
    """Check a composition's certificate by a second, slower way, which shares no step with the first."""
    from capc.cli.account import compositions  # noqa: PLC0415  # needs python-flint

    compositions.check(file, json)
