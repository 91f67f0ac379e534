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
from capc.cli.account_app import account_app
from capc.cli.command_options import JSON, takes
from capc.foundation.environment import installed_version
from capc.foundation.errors import InputError

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
    "parties": ("K", "Answering parties. Default: 20."),
    "queries": ("N", "Queries, if the budget allows. Default: 20."),
    "batch": ("N", "Queries asked at once. Default: 10."),
    "prepare": ("yes|no", "Do what does not need a batch's queries before it, and tell the rest apart. Default: no."),
    "workers": ("N", "Processes that share the work of homomorphic encryption with this one. Default: 0."),
    "partition": ("iid|weak|missing|dirichlet|column", "Division of the rows. Default: iid."),
    "parameters": ("NAME", "Parameter set: default, fast, test or toy. Default: default."),
    "mechanism": ("NAME", "rounded_gaussian, discrete_gaussian or skellam. Default: rounded_gaussian."),
    "adjacency": ("replace_one|null_vote", "Neighbouring relation. Default: replace_one."),
    "charge": ("worst_case|realised", "What is charged. Default: worst_case."),
    "joint": ("yes|no", "Charge check and answer as one step, always. Default: no."),
    "renyi_order": ("A", "Charge Renyi DP at this order. Default: mu^2 or rho, where they hold."),
    "sigma": ("VOTES", "Noise deviation. Default: fits the queries into the budget."),
    "threshold": ("VOTES", "Withhold labels below this count. Default: none."),
    "threshold_sigma": ("VOTES", "Deviation of the threshold's noise. Default: that of the classes."),
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
    "allowance": ("DIR", "Go on from the models' circuit-privacy allowances here. Default: beside the ledger."),
    "allowance_queries": ("N", "Queries that each model is declared for, ever. Default: 65536."),
    "data_set": ("NAME", "What the ledger protects, for its life. Default: the file's name."),
    "json": ("FILE", "Write the report as JSON; - is stdout."),
    "log": ("FILE", "Write lines of progress here too."),
}
"""The options of the job (:mod:`capc.job.config`), as help describes them, and where its input and output are."""


@app.command()
@takes(RUN_OPTIONS)
def run(given: dict[str, str]) -> Finished:
    """Label real queries under encryption and differential privacy, then retrain and report.

    Trains the parties' models on a split of the data, runs the whole protocol in this process, batch by batch,
    and retrains the querying party's model with the labels that it got.
    """
    with interruptible():
        from capc.cli import run_command  # noqa: PLC0415  # needs NumPy and torch

        config, json, log = (given.pop(name, None) for name in ("config", "json", "log"))
        files = [None if name is None else Path(name) for name in (config, log)]
        return Finished(run_command.run(given, files[0], json, files[1]))


@app.command()
def doctor(json: _Json = None) -> Finished:
    """Show which packages are installed, what they are for, and how to get the missing ones."""
    with interruptible():
        from capc.cli import doctor_command  # noqa: PLC0415  # rich is not needed for help

        return Finished(doctor_command.run(json))


ledger_app = typer.Typer(help="Look at the ledger of a privacy account; nothing here changes it.")
app.add_typer(ledger_app, name="ledger")
app.add_typer(account_app, name="account")

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
