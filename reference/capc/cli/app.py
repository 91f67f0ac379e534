"""The commands of ``capc`` and their options. Heavy imports happen inside a command, so that help is quick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from capc.cli import EXIT_INPUT, EXIT_INTERRUPTED, EarlyInterruptError
from capc.cli.account.app import account_app
from capc.cli.model_app import model_app
from capc.cli.terminal.options import JSON, takes
from capc.foundation.environment import installed_version
from capc.foundation.errors import InputError
from capc.job.options import OF_THE_PROTOCOL, WITHDRAWN

app = typer.Typer(
    name="capc",
    help="Confidential and private collaborative learning: the reference implementation.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

EXTENSIONS = "capc.commands"
"""The entry-point group of further commands: each is a :class:`typer.Typer`, under the entry point's name."""

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""The base of what the option parser raises; releases of typer take it from different modules."""


class Finished(NamedTuple):
    """What a command returns, to be told from the exit codes that the option parser makes up."""

    code: int


def invoke(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. Without a command it shows the help, and the exit code is 2.

    Raises:
        InputError: the arguments or the input cannot be used.
        EarlyInterruptError: Ctrl-C before the command had done anything.
    """
    command = typer.main.get_command(_with_extensions())
    try:
        outcome = command.main(args=list(arguments) or ["--help"], prog_name="capc", standalone_mode=False)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        raise InputError(f"{_message(error)} See {context.command_path if context else 'capc'} --help.") from None
    except typer.Abort:
        # What some releases of typer make of Ctrl-C.
        raise EarlyInterruptError from None
    if isinstance(outcome, Finished):
        return outcome.code
    if outcome == EXIT_INTERRUPTED:
        # What other releases make of it, before a command was reached.
        raise EarlyInterruptError
    return int(outcome or 0) if arguments else EXIT_INPUT


@cache
def _with_extensions() -> typer.Typer:
    """The application with the commands of packages above this one, which it cannot import by name."""
    for extension in entry_points(group=EXTENSIONS):
        app.add_typer(extension.load(), name=extension.name)
    return app


@contextmanager
def interruptible() -> Iterator[None]:
    """Turns Ctrl-C inside a command, before it has done anything, into :class:`EarlyInterruptError`."""
    try:
        yield
    except KeyboardInterrupt:
        raise EarlyInterruptError from None


def _message(error: Exception) -> str:
    format_message = getattr(error, "format_message", None)
    return str(format_message()) if callable(format_message) else str(error)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capc {installed_version('capc') or 'not installed'}")
        raise typer.Exit


@app.callback()
def _capc(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


_Text = str | None
_Json = Annotated[_Text, typer.Option(metavar=JSON["json"][0], help=JSON["json"][1])]

RUN_OPTIONS = {
    "config": ("FILE.toml", "Options by name; flags go before it."),
    "data": ("FILE.npz", "Arrays x (n x d) and y (n). Default: scikit-learn's digits."),
    "models": ("FILE.toml", "Networks of parties' own, by name; their code is run. Default: none."),
    "parties": ("K", "Parties that answer a query; there is one more. Default: 20."),
    "queries": ("N", "Queries of each querying party, if the budget allows. Default: 20."),
    "batch": ("N", "Queries asked at once. Default: 10."),
    "prepare": ("yes|no", "Do what does not need a batch's queries before it, and tell the rest apart. Default: no."),
    "workers": ("N", "Processes that share the work of homomorphic encryption with this one. Default: 0."),
    "queriers": ("N", "How many of the K + 1 parties ask in turn. Default: 1."),
    "budgets": ("shared|separate", "One budget for all querying parties, or one each. Default: shared."),
    "rounds": ("N", "Parts of a party's queries; it retrains in between. Default: 1."),
    "strategy": ("NAME", "random, entropy, margin, margin_clusters or k_centre. Default: margin."),
    "multi_label": ("binary|tau|powerset", "Classes are sets of labels, voted on by this rule. Default: they are not."),
    "tau_squared": ("VOTES", "Of tau: the squared length of a ballot. Default: none."),
    "self_training": ("yes|no", "Also learn from confident predictions on the own pool. Default: no."),
    "baselines": (
        "NAMES",
        "Some of self_training, noiseless, pooled, pate and dp_sgd, with commas. Default: none.",
    ),
    "partition": ("NAME", "Division of the rows: iid, weak, missing, dirichlet or column. Default: iid."),
    "skewed": ("all|querying", "Whose rows the partition skews. Default: all."),
    "column": ("NAME", "Array of the archive by which to divide, not the classes. Default: none."),
    "weak_classes": ("N", "Of weak: how many classes each party has little of. Default: 2."),
    "weak_ratio": ("RATIO", "Of weak: which part of its share it has of them. Default: 0.1."),
    "missing_classes": ("N", "Of missing: how many classes each party lacks. Default: half."),
    "alpha": ("ALPHA", "Of dirichlet: the concentration. Default: 1."),
    "test_rows": ("N", "Held-out rows. Default: a quarter."),
    "pool_rows": ("N", "Unlabelled rows of all querying parties together. Default: a tenth."),
    "party_rows": ("N", "Labelled rows of each party. Default: what there is."),
    "querying_rows": ("N", "Labelled rows of each querying party. Default: as the others."),
    "size_ratio": ("RATIO", "Rows of the largest party for each of the smallest. Default: 1."),
    "group": ("NAME", "Array of the archive by whose values accuracy is told apart. Default: none."),
    "scaling": ("auto|whole|column", "How features reach [-1, 1]; zero stays zero. Default: auto."),
    "keep": ("DIR", "Train each model once, and use it again from here. Default: train anew."),
    "parameters": ("NAME", "Parameter set: default, fast, test or toy. Default: default."),
    "mechanism": ("NAME", "rounded_gaussian, discrete_gaussian or skellam. Default: rounded_gaussian."),
    "adjacency": ("replace_one|null_vote", "Neighbouring relation. Default: replace_one."),
    "charge": ("worst_case|realised", "What is charged. Default: worst_case."),
    "joint": ("yes|no", "Charge check and answer as one step, always. Default: no."),
    "renyi_order": ("A", "Charge Renyi DP at this order. Default: mu^2 or rho, where they hold."),
    "sigma": ("VOTES", "Noise deviation. Default: fits the queries into the budget."),
    "threshold": ("VOTES", "Withhold labels below this noisy count. Default: none."),
    "threshold_sigma": ("VOTES", "Deviation of a check's own noise. Default: that of the classes."),
    "threshold_mode": (
        "single_draw|two_draws",
        "Noise of the check: the label's, or its own. Default: single_draw, unless an option is for the other.",
    ),
    "accounting": (
        "NAME",
        "Charge noised counts, gaussian_dp, or labels: argmax_renyi or argmax_composition. Default: as a ledger, or "
        "labels where they can be charged and cost less.",
    ),
    "epsilon": ("EPSILON", "Privacy budget. Default: 10."),
    "delta": ("DELTA", "Delta of the budget. Default: 0.00001."),
    "vote_variant": ("tournament|all_pairs|multi_round", "How votes are computed. Default: tournament."),
    "network": ("loopback|lan|wan", "Take the variant that is fastest there. Default: none."),
    "engine": ("embedded|mp-spdz:PROTOCOL", "Runs steps 1c and 3. Default: embedded."),
    "declare_model": ("NAME", "Accept an engine of this weaker threat model. Default: base."),
    "seed": ("N", "Decides data split and training, never masks or noise. Default: 0."),
    "ledger": ("FILE", "Charge this ledger, and go on from it. Default: forget at the end."),
    "ledger_key": ("FILE", "Signing key of the ledger. Default: its name with .key added."),
    "journal": ("FILE", "Which rows were asked, and their labels. Default: in your own state, for the ledger."),
    "ask_again": ("yes|no", "Ask rows that were asked before, and pay again. Default: no."),
    "data_set": ("NAME", "What the ledger protects, for its life. Default: the file's name."),
    "json": ("FILE", "Write the report as JSON; - is stdout."),
    "html": ("FILE", "Write the report as one page for a browser."),
    "plots": ("DIR", "Draw figures into this folder."),
    "log": ("FILE", "Write lines of progress here too."),
}
"""The options of the job (:mod:`capc.job.config`), as help describes them, and where its input and output are."""


PANELS = {
    "config": "Data and parties",
    "queries": "Queries and learning",
    "batch": "How the protocol runs",
    "queriers": "Queries and learning",
    "partition": "Who holds which rows",
    "keep": "Queries and learning",
    "parameters": "Privacy",
    "vote_variant": "How the protocol runs",
    "seed": "Data and parties",
    "ledger": "What outlives the run",
    "json": "What is written",
    "repeats": "Studies",
}
"""Under which heading the help has an option and those after it."""


SIMULATE_OPTIONS = {name: told for name, told in RUN_OPTIONS.items() if name not in OF_THE_PROTOCOL} | {
    "config": ("FILE.toml", "Options by name, and what a study varies; flags go before it."),
    "seed": ("N", "Decides data split, training and noise; the first of several. Default: 0."),
    "repeats": ("N", "Run with so many seeds, from --seed on, and tell means with intervals. Default: 1."),
    "out": ("DIR", "Keep the reports of a study here, and go on from them. Default: nowhere."),
}


@app.command()
@takes(RUN_OPTIONS, PANELS, WITHDRAWN)
def run(given: dict[str, str]) -> Finished:
    """Label real queries under encryption and differential privacy, then retrain and report.

    Trains the parties' models on a split of the data, runs the whole protocol in this process, batch by batch,
    and retrains the querying party's model with the labels that it got.
    """
    with interruptible():
        from capc.cli import run_command  # noqa: PLC0415  # needs NumPy and torch

        return Finished(run_command.run(given))


@app.command()
@takes(SIMULATE_OPTIONS, PANELS, WITHDRAWN)
def simulate(given: dict[str, str]) -> Finished:
    """Do the same with the ideal functionality in the clear: for studies, with no guarantee.

    Takes the options of capc run that are not of the protocol. With --repeats, or a file whose table sweep has a list
    of values for some options, every combination is run with several seeds, and means are told with intervals.
    """
    with interruptible():
        from capc.cli import simulate_command  # noqa: PLC0415  # needs NumPy and torch

        return Finished(simulate_command.run(given))


@app.command()
def doctor(json: _Json = None) -> Finished:
    """Show which packages are installed, what they are for, and how to get the missing ones."""
    with interruptible():
        from capc.cli import doctor_command  # noqa: PLC0415  # rich is not needed for help

        return Finished(doctor_command.run(json))


ledger_app = typer.Typer(help="Look at the ledger of a privacy account; nothing here changes it.")
app.add_typer(ledger_app, name="ledger")
app.add_typer(account_app, name="account")
app.add_typer(model_app, name="model")

_LedgerFile = Annotated[str, typer.Argument(metavar="LEDGER", help="The file that capc run --ledger made.")]


@ledger_app.command()
def show(ledger: _LedgerFile, json: _Json = None) -> Finished:
    """Check a ledger, and show its terms, what was spent and what is left."""
    with interruptible():
        from capc.cli import ledger_command  # noqa: PLC0415  # needs python-flint

        return Finished(ledger_command.show(Path(ledger), json))


@ledger_app.command()
def verify(
    ledger: _LedgerFile,
    head: Annotated[_Text, typer.Option(metavar="FILE", help="A head that an answering party kept.")] = None,
    json: _Json = None,
) -> Finished:
    """Check every record, link, signature and charge; with a head that was kept, also that nothing was taken back."""
    with interruptible():
        from capc.cli import ledger_command  # noqa: PLC0415  # needs python-flint

        return Finished(ledger_command.verify(Path(ledger), None if head is None else Path(head), json))


@ledger_app.command()
def export(ledger: _LedgerFile, json: _Json = "-") -> Finished:
    """Write every record with its link and signature as JSON, without the messages that were sent."""
    with interruptible():
        from capc.cli import ledger_command  # noqa: PLC0415  # needs python-flint

        return Finished(ledger_command.export(Path(ledger), json))
