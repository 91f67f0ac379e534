"""The options of ``capc account``. The questions themselves need python-flint and are imported when one is asked."""

from __future__ import annotations

from typing import Annotated

import typer

account_app = typer.Typer(
    name="account",
    help="Privacy figures for planned releases: epsilon, calibration, counts, comparison. Every figure is rounded "
    "against you and says its method, adjacency and hypotheses.",
    no_args_is_help=True,
)

_Text = str | None
_Noise = Annotated[
    _Text,
    typer.Option(
        "--mechanism",
        metavar="NAME",
        help="rounded_gaussian, discrete_gaussian, skellam, or shares of noise: discrete_gaussian_shares, "
        "skellam_shares (then --sigma is one share's deviation). Default: rounded_gaussian.",
    ),
]
_Sigma = Annotated[_Text, typer.Option(metavar="VOTES", help="Deviation of the noise on each class.")]
_ThresholdRatio = Annotated[
    _Text, typer.Option(metavar="RATIO", help="Threshold deviation divided by sigma. Default: no threshold.")
]
_Queries = Annotated[_Text, typer.Option(metavar="N", help="Queries, fixed in advance.")]
_Answers = Annotated[
    _Text, typer.Option(metavar="N", help="Most labels released, behind a threshold. Default: as many as queries.")
]
_Epsilon = Annotated[_Text, typer.Option(metavar="EPSILON", help="The budget.")]
_Delta = Annotated[_Text, typer.Option(metavar="DELTA", help="Default: 0.00001.")]
_Adjacency = Annotated[
    _Text,
    typer.Option(metavar="NAME", help="replace_one, null_vote, or add_remove (comparison only). Default: replace_one."),
]
_Method = Annotated[
    _Text,
    typer.Option(
        metavar="NAME",
        help="gaussian_dp, loss_distribution, zcdp, renyi_improved or renyi_classic. Default: the one for the noise.",
    ),
]
_Grid = Annotated[_Text, typer.Option(metavar="BITS", help="Noise is on a grid of 2^-BITS votes. Default: 4.")]
_Weight = Annotated[_Text, typer.Option(metavar="W", help="Weight of a protected vote. Default: 1.")]
_HeldBy = Annotated[_Text, typer.Option(metavar="T", help="Parties that hold the same record. Default: 1.")]
_Shares = Annotated[_Text, typer.Option(metavar="M", help="Contributors of noise shares. Default: 1.")]
_Uncounted = Annotated[_Text, typer.Option(metavar="C", help="Of them colluding or dropped out. Default: 0.")]
_Joint = Annotated[_Text, typer.Option(metavar="yes|no", help="Charge check and answer jointly. Default: no.")]
_Ballots = Annotated[
    _Text, typer.Option(metavar="NAME", help="Multi-label vote: binary, tau or powerset. Default: single labels.")
]
_Labels = Annotated[_Text, typer.Option(metavar="K", help="Labels of a multi-label vote.")]
_Tau = Annotated[_Text, typer.Option(metavar="TAU", help="Length to which tau voting shortens ballots.")]
_Json = Annotated[_Text, typer.Option(metavar="FILE", help="Write the answer as JSON; - is stdout.")]
_Plot = Annotated[_Text, typer.Option(metavar="FILE", help="Draw epsilon against queries; .png, .pdf or .svg.")]


def _ask(question: str, given: dict[str, _Text]) -> None:
    """Answers one question; ``given`` holds the options of its command, which are the names of its parameters."""
    from capc.cli import account_command  # noqa: PLC0415  # needs python-flint

    options = {name: text for name, text in given.items() if text is not None}
    json, plot = options.pop("json", None), options.pop("plot", None)
    account_command.ask(question, options, json, plot)


@account_app.command()
def epsilon(
    sigma: _Sigma = None,
    queries: _Queries = None,
    answers: _Answers = None,
    mechanism: _Noise = None,
    threshold_ratio: _ThresholdRatio = None,
    delta: _Delta = None,
    adjacency: _Adjacency = None,
    method: _Method = None,
    grid_bits: _Grid = None,
    weight: _Weight = None,
    held_by: _HeldBy = None,
    shares: _Shares = None,
    uncounted: _Uncounted = None,
    joint: _Joint = None,
    ballots: _Ballots = None,
    labels: _Labels = None,
    tau: _Tau = None,
    json: _Json = None,
    plot: _Plot = None,
) -> None:
    """Epsilon of so many queries under this noise."""
    _ask("epsilon", locals())


@account_app.command()
def compare(
    sigma: _Sigma = None,
    queries: _Queries = None,
    answers: _Answers = None,
    mechanism: _Noise = None,
    threshold_ratio: _ThresholdRatio = None,
    delta: _Delta = None,
    adjacency: _Adjacency = None,
    grid_bits: _Grid = None,
    weight: _Weight = None,
    held_by: _HeldBy = None,
    shares: _Shares = None,
    uncounted: _Uncounted = None,
    joint: _Joint = None,
    ballots: _Ballots = None,
    labels: _Labels = None,
    tau: _Tau = None,
    json: _Json = None,
    plot: _Plot = None,
) -> None:
    """Epsilon by every method side by side."""
    _ask("compare", locals())


@account_app.command()
def calibrate(
    epsilon: _Epsilon = None,
    queries: _Queries = None,
    mechanism: _Noise = None,
    threshold_ratio: _ThresholdRatio = None,
    delta: _Delta = None,
    adjacency: _Adjacency = None,
    method: _Method = None,
    grid_bits: _Grid = None,
    weight: _Weight = None,
    held_by: _HeldBy = None,
    shares: _Shares = None,
    uncounted: _Uncounted = None,
    joint: _Joint = None,
    ballots: _Ballots = None,
    labels: _Labels = None,
    tau: _Tau = None,
    json: _Json = None,
) -> None:
    """The smallest sigma for which so many queries fit a budget."""
    _ask("calibrate", locals())


@account_app.command()
def queries(
    epsilon: _Epsilon = None,
    sigma: _Sigma = None,
    mechanism: _Noise = None,
    threshold_ratio: _ThresholdRatio = None,
    delta: _Delta = None,
    adjacency: _Adjacency = None,
    method: _Method = None,
    grid_bits: _Grid = None,
    weight: _Weight = None,
    held_by: _HeldBy = None,
    shares: _Shares = None,
    uncounted: _Uncounted = None,
    joint: _Joint = None,
    ballots: _Ballots = None,
    labels: _Labels = None,
    tau: _Tau = None,
    json: _Json = None,
) -> None:
    """How many queries fit a budget, each at its full cost."""
    _ask("queries", locals())


@account_app.command()
def batch(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A JSON list of objects: `question` and options by name.")
    ],
    json: _Json = None,
) -> None:
    """Answer a list of cases; all are read and checked before the first is computed."""
    from capc.cli import account_command  # noqa: PLC0415  # needs python-flint

    account_command.ask_all(file, json)
