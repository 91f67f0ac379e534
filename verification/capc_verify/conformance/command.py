"""``capc conformance``: judge a port. Registered as an extension of ``capc`` in pyproject.toml."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from capc.cli.app import Finished, interruptible
from capc.cli.output import Output
from capc.foundation.errors import InputError
from capc.job.keeping.files import check_writable, write_text
from capc_verify.conformance.checks import opens_results
from capc_verify.conformance.expectations import read_expectations, with_expectations
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import LEVELS, groups
from capc_verify.conformance.oracles import ORACLES, check_oracles, judged_with
from capc_verify.conformance.report import Judgement, json_report, junit_report, lines
from capc_verify.conformance.session import Conversation

app = typer.Typer(help="Judge a port of the specification, in whatever language it is.", no_args_is_help=True)
_EXIT_FAILED = 1
_MOST_SECONDS = 3600.0
_OPENING = ("numpy", "tenseal", "flint")
"""What the reference is imported with where it opens what a port made."""


@app.callback()
def _conformance() -> None:
    pass


@app.command()
def run(
    port: Annotated[str, typer.Option(metavar="CMD", help="The port: a program and its arguments; no shell.")],
    level: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"Only this level: {', '.join(LEVELS)}. May be repeated.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(metavar="FILE::NAME", help="Only these vectors; * and ? fit any characters.")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Vectors that must fail or be skipped; others must pass.")
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="Time limit of one operation.")] = 60.0,
    oracle: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Give the port values of the vectors: {', '.join(ORACLES)}. May be repeated."
        ),
    ] = None,
    validate_io: Annotated[
        bool, typer.Option("--validate-io", help="Hold all inputs and results to the schemas as well.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write the report as JSON; - is stdout.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")] = None,
) -> Finished:
    """Have a port perform the operations of the test vectors, and compare. docs/porting.md says what a port must do.

    Exit code 0 if every vector passes, or is as the list of --expect says; 1 if not. With --oracle, only what is judged
    with it has passed.
    """
    with interruptible():
        output = Output(json)
        if junit is not None:
            check_writable(junit, "junit")
        command = _command(port)
        if not 0 < seconds <= _MOST_SECONDS:
            raise InputError(f"--seconds {seconds:g}: give a value above 0, up to {_MOST_SECONDS:g}")
        if validate_io and find_spec("jsonschema") is None:
            raise InputError("--validate-io needs the package jsonschema: pip install -e '.[verify]' in the checkout")
        expectations = read_expectations(expect) if expect else []
        oracles = tuple(dict.fromkeys(oracle or ()))
        check_oracles(oracles, list(ORACLES))
        chosen, left_out = judged_with(oracles, groups(level or (), test or ()))
        if any(map(opens_results, chosen)) and not all(map(find_spec, _OPENING)):
            raise InputError(
                "some results of he_layers are opened here, with packages of the extra verify: pip install -e "
                "'.[verify]' in the checkout, or name levels without he"
            )
        conversation = Conversation(command, seconds)
        try:
            check_oracles(oracles, conversation.port.get("oracles", []))
            verdicts = Judge(conversation, validate=validate_io, oracles=oracles).judge(chosen)
            farewell = conversation.stop()
        finally:
            conversation.end()
        told = with_expectations(verdicts, expectations)
        judgement = Judgement(conversation.port, told, farewell, conversation.stderr, oracles, left_out)
        for line in lines(judgement):
            print(line, file=sys.stderr if json == "-" else sys.stdout)
        output.finish(json_report(judgement))
        if junit is not None:
            write_text(junit_report(judgement), junit, "junit")
        return Finished(0 if judgement.passes else _EXIT_FAILED)


def _command(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--port {text!r}: {error}") from None
    if not words:
        raise InputError("--port: give the program that is the port")
    return words
